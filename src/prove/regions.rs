//! The regions that a proof about every table goes through: of those that no policy tells apart, one.

use std::collections::HashSet;

use super::bundle::Bundle;
use super::clause::{Clause, Fixed, Shape, template_pattern};
use super::strings::{Class, Pattern};
use crate::iam::document::{Condition, Document};
use crate::iam::operand::Operand;
use crate::iam::template::Template;
use crate::ids::partition_of;

/// AWS's regions: those that a reader knows first; last, one that there may be some day.
///
/// Source: AWS general reference, "AWS Regions"; as of the day of the catalogue.
const KNOWN: [&str; 42] = [
    "us-east-1",
    "eu-west-1",
    "ap-southeast-2",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eusc-de-east-1",
    "xx-future-1",
];

/// What policies say that may tell regions apart.
#[derive(Debug, Default)]
struct Told<'b> {
    /// Resources.
    resources: Vec<Pattern>,
    /// Conditions on `aws:RequestedRegion`.
    conditions: Vec<Clause<'b>>,
}

/// Regions of the partitions of `listed`: those, and of all others one of each kind that policies tell apart.
///
/// `texts`: all in which a region may be named that nothing tells apart but a variable, or the place of an endpoint.
pub fn regions(
    bundles: &[&Bundle],
    listed: Vec<String>,
    account: &str,
    texts: Option<&HashSet<&str>>,
) -> Vec<String> {
    let told = Told::of(bundles.iter().flat_map(|bundle| bundle.policies()).map(|policy| &policy.document));
    let mut partitions: Vec<&str> = listed.iter().map(|region| partition_of(region)).collect();
    if partitions.is_empty() {
        partitions.push("aws");
    }
    let (mut regions, mut seen) = (listed, HashSet::new());
    for region in KNOWN {
        let partition = partition_of(region);
        if !partitions.contains(&partition) || regions.iter().any(|listed| listed == region) {
            continue;
        }
        let is_named = || texts.is_some_and(|texts| texts.iter().any(|text| text.contains(region)));
        if seen.insert((partition, told.signature(region, partition, account))) || is_named() {
            regions.push(region.to_owned());
        }
    }
    regions
}

/// Does a variable tie the region of a request to something else?
pub fn are_tied(bundles: &[&Bundle]) -> bool {
    let statements = bundles.iter().flat_map(|bundle| bundle.policies());
    let mut statements = statements.flat_map(|policy| &policy.document.statements);
    statements.any(|statement| {
        let of_resources =
            statement.resources.items.iter().any(|item| item.template.variables().next().is_some());
        of_resources
            || statement.conditions.iter().any(|condition| {
                let mut variables = condition.values.iter().flat_map(Operand::variables);
                variables.any(|key| key == "aws:requestedregion" || condition.key == "aws:requestedregion")
            })
    })
}

impl<'b> Told<'b> {
    fn of(documents: impl Iterator<Item = &'b Document>) -> Self {
        let (mut told, mut texts, mut conditions) = (Self::default(), HashSet::new(), HashSet::new());
        for statement in documents.flat_map(|document| &document.statements) {
            for item in statement.resources.items.iter().filter(|item| item.text != "*") {
                if texts.insert(start(&item.text)) {
                    told.resource(&item.template);
                }
            }
            let of_region = |condition: &&Condition| condition.key == "aws:requestedregion";
            for condition in statement.conditions.iter().filter(of_region) {
                if conditions.insert((&condition.operator_name, &condition.texts)) {
                    told.conditions.push(Clause::new(condition));
                }
            }
        }
        told
    }

    fn resource(&mut self, template: &Template) {
        let pattern = template_pattern(template, &Class::Any, false, &Fixed::default());
        if let Shape::Pattern(pattern) | Shape::Around(pattern) = pattern {
            self.resources.extend(pattern.by_parts().map(|(parts, _)| parts));
            self.resources.push(pattern);
        }
    }

    /// What every policy makes of a region: where that is the same, no policy tells two apart.
    fn signature(&self, region: &str, partition: &str, account: &str) -> (Vec<Option<Vec<u64>>>, Vec<bool>) {
        let arn = format!("arn:{partition}:dynamodb:{region}:{account}:");
        let nothing = Fixed::default();
        let resources = self.resources.iter().map(|pattern| pattern.places_behind(&arn));
        let conditions = self.conditions.iter().flat_map(|clause| {
            let texts = clause.texts(&nothing);
            texts.may.iter().map(|pattern| pattern.matches(region)).collect::<Vec<bool>>()
        });
        (resources.collect(), conditions.collect())
    }
}

/// What of a resource speaks of its region: up to its fifth colon. Where the service is not plain text that may be
/// all of it.
fn start(text: &str) -> &str {
    let is_plain = text.starts_with("arn:aws:dynamodb:");
    let fifth = text.match_indices(':').nth(4).filter(|_| is_plain);
    fifth.and_then(|(at, _)| text.get(..=at)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statement: &str, listed: &[&str]) -> Vec<String> {
        let text = format!(
            r#"{{"principals":[{{"arn":"*","identity":[{{"name":"own","document":{{"Version":"2012-10-17","Statement":{statement}}}}}]}}]}}"#
        );
        let bundle = Bundle::parse(&text).unwrap();
        regions(&[&bundle], listed.iter().map(|region| (*region).to_owned()).collect(), "111122223333", None)
    }

    fn allow(resource: &str, condition: &str) -> String {
        format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{resource}","Condition":{condition}}}"#)
    }

    #[test]
    fn one_of_each_kind_that_policies_tell_apart() {
        assert_eq!(of(&allow("*", "{}"), &[]), ["us-east-1"]);
        assert_eq!(of(&allow("*", "{}"), &["eu-west-1"]), ["eu-west-1", "us-east-1"]);
        assert_eq!(of(&allow("arn:aws:dynamodb:eu-*:*:table/*", "{}"), &[]), ["us-east-1", "eu-west-1"]);
        assert_eq!(of(&allow("arn:aws:dynamodb:*:*:table/a", "{}"), &[]), ["us-east-1"]);
        let regions = r#"{"StringNotLike":{"aws:RequestedRegion":["ap-*","*-central-?"]}}"#;
        assert_eq!(
            of(&allow("*", regions), &["eu-west-1"]),
            ["eu-west-1", "us-east-1", "ap-southeast-2", "ca-central-1"]
        );
        assert_eq!(of(&allow("*", "{}"), &["cn-north-1"]), ["cn-north-1", "cn-northwest-1"]);
    }

    #[test]
    fn a_list_of_all_there_are_leaves_one_that_may_come() {
        let all = KNOWN.iter().filter(|region| !region.starts_with("xx-"));
        let all = serde_json::to_string(&all.collect::<Vec<_>>()).unwrap();
        let found = of(&allow("*", &format!(r#"{{"StringEquals":{{"aws:RequestedRegion":{all}}}}}"#)), &[]);
        assert!(found.contains(&"xx-future-1".to_owned()), "{found:?}");
    }
}

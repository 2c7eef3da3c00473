//! Roles and users that no policy tells apart: what is so of one of them is so of all.
//!
//! They have the same policies, boundary and tags, and where a policy speaks of callers by their ARNs, it speaks of each of
//! them alike. Where one speaks of them by something else that has the name in it, or by a variable, each is alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::glob;
use crate::iam::document::{Condition, Principal as Grantee, Statement};
use crate::iam::evaluate::Policy;
use crate::ids::Arn;
use crate::perimeter::Perimeter;
use crate::prove::bundle::{Bundle, Principal};

/// Keys that hold a caller's name, other than `aws:PrincipalArn`.
const NAMES: [&str; 2] = ["aws:userid", "aws:username"];

/// A policy by its name and text.
type Written<'b> = (&'b str, &'b str);

/// What tells callers apart.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Known<'b> {
    kind: &'b str,
    identity: Option<Vec<Written<'b>>>,
    boundary: Option<Written<'b>>,
    tags: Option<&'b [(String, String)]>,
    /// What fits its ARN.
    fitting: Vec<bool>,
}

/// The principals of a bundle, by their places in it: those together that nothing tells apart.
pub fn alike_callers(bundle: &Bundle, perimeter: &Perimeter) -> Vec<Vec<usize>> {
    let shared = Patterns::of(shared(bundle));
    let mut together: BTreeMap<Known<'_>, Vec<usize>> = BTreeMap::new();
    let mut alone = Vec::new();
    for (n, principal) in bundle.principals.iter().enumerate() {
        match shared.as_ref().and_then(|shared| known(principal, shared, perimeter)) {
            Some(known) => together.entry(known).or_default().push(n),
            None => alone.push(vec![n]),
        }
    }
    alone.extend(together.into_values());
    alone
}

/// The statements of policies that are not a principal's own.
fn shared(bundle: &Bundle) -> impl Iterator<Item = &Statement> {
    let levels = bundle.service_control.iter().chain(&bundle.resource_control).flatten();
    let tables = bundle.tables.iter().filter_map(|table| table.policy.as_ref());
    let endpoints = bundle.endpoints.iter().filter_map(|endpoint| endpoint.policy.as_ref());
    levels.chain(tables).chain(endpoints).flat_map(|policy| &policy.document.statements)
}

/// How statements speak of callers.
struct Patterns<'b> {
    /// What `aws:PrincipalArn` is compared with.
    texts: BTreeSet<&'b str>,
    /// Whom a table's policy, or an endpoint's, names.
    named: BTreeSet<&'b str>,
}

impl<'b> Patterns<'b> {
    /// `None`: they may speak of a caller by its name in a way that is not looked into.
    fn of(statements: impl Iterator<Item = &'b Statement>) -> Option<Self> {
        let mut patterns = Self { texts: BTreeSet::new(), named: BTreeSet::new() };
        for statement in statements {
            if statement.resources.items.iter().any(|item| item.text.contains("${")) {
                return None;
            }
            let named = statement.principals.iter().flat_map(|principals| &principals.items);
            patterns.named.extend(named.filter_map(|grantee| match grantee {
                Grantee::Arn(arn) => Some(arn.as_str()),
                _ => None,
            }));
            for Condition { key, texts, .. } in &statement.conditions {
                if NAMES.contains(&key.as_str()) || texts.iter().any(|text| text.contains("${")) {
                    return None;
                }
                if key == "aws:principalarn" {
                    patterns.texts.extend(texts.iter().map(String::as_str));
                }
            }
        }
        Some(patterns)
    }
}

/// `None`: the principal is like no other.
fn known<'b>(principal: &'b Principal, shared: &Patterns<'_>, perimeter: &Perimeter) -> Option<Known<'b>> {
    let Principal { arn, session_arn, tags, identity, boundary, session } = principal;
    let parsed = Arn::parse(arn)?;
    let (kind, _) = parsed.resource.split_once('/')?;
    if session_arn.is_some() || session.is_some() || shared.named.contains(arn.as_str()) {
        return None;
    }
    let own = identity.iter().flatten().chain(boundary).flat_map(|policy| &policy.document.statements);
    let own = Patterns::of(own)?;
    let entries = perimeter.break_glass.iter().map(|entry| entry.principal.as_str());
    let patterns = shared.texts.iter().copied().chain(own.texts.iter().copied()).chain(entries);
    let identity = identity.as_ref().map(|policies| policies.iter().map(written).collect::<Option<Vec<_>>>());
    Some(Known {
        kind,
        identity: match identity {
            Some(policies) => Some(policies?),
            None => None,
        },
        boundary: match boundary {
            Some(policy) => Some(written(policy)?),
            None => None,
        },
        tags: tags.as_deref(),
        fitting: patterns.flat_map(|pattern| fits(pattern, arn)).collect(),
    })
}

fn written(policy: &Policy) -> Option<Written<'_>> {
    Some((&policy.name, &policy.own_text.as_ref()?.text))
}

/// By each operator that there is for texts.
fn fits(pattern: &str, arn: &str) -> [bool; 5] {
    let small = (pattern.to_ascii_lowercase(), arn.to_ascii_lowercase());
    [
        pattern == arn,
        small.0 == small.1,
        glob::matches(pattern, arn),
        glob::matches(&small.0, &small.1),
        glob::arn_matches(pattern, arn),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perimeter::config;

    const GUARD: &str = r#"{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":"#;

    fn groups(scp: &str, table: &str, principals: &[&str]) -> Vec<Vec<usize>> {
        let text = format!(
            r#"{{"principals":[{}],"scps":[[{{"name":"s","document":{scp:?}}}]],
                "tables":[{{"arn":"arn:aws:dynamodb:eu-west-1:111122223333:table/t","policy":{{"name":"t","document":{table:?}}}}}]}}"#,
            principals.join(",")
        );
        let bundle = Bundle::parse(&text).unwrap();
        let text = "version = 1\n[[break_glass]]\nprincipal = \"arn:aws:iam::*:role/emergency-*\"\n[environments.e]\nmode = \"enforce\"\naccounts = [\"111122223333\"]\n";
        let mut groups = alike_callers(&bundle, &config::parse(text).unwrap().perimeter);
        groups.sort();
        groups
    }

    fn role(name: &str, policy: &str, more: &str) -> String {
        format!(
            r#"{{"arn":"arn:aws:iam::111122223333:role/{name}","identity":[{{"name":"p","document":{policy:?}}}]{more}}}"#
        )
    }

    const ALLOW: &str = r#"{"Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"*"}]}"#;
    const NOBODY: &str = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#;

    #[test]
    fn callers_with_the_same_policies_are_alike_unless_something_tells_them_apart() {
        let other = ALLOW.replace("dynamodb:*", "dynamodb:GetItem");
        let own = ALLOW.replace("\"*\"}", "\"arn:aws:dynamodb:*:*:table/${aws:username}\"}");
        let all = [
            role("team/a", ALLOW, ""),
            role("b", ALLOW, ""),
            role("c", &other, ""),
            role("d", ALLOW, r#","tags":{"k":"v"}"#),
            role("emergency-1", ALLOW, ""),
            role("f", &own, ""),
            role("g", &own, ""),
            role("b", ALLOW, "").replace(":role/", ":user/"),
        ];
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(
            groups(ALLOW, NOBODY, &all),
            [vec![0, 1], vec![2], vec![3], vec![4], vec![5], vec![6], vec![7]]
        );
        let by_path =
            format!(r#"{GUARD}{{"ArnNotLike":{{"aws:PrincipalArn":"arn:aws:iam::*:role/team/*"}}}}}}]}}"#);
        assert_eq!(groups(&by_path, NOBODY, &all[..2]), [[0], [1]]);
        let of_both = by_path.replace("role/team/*", "role/*");
        assert_eq!(groups(&of_both, NOBODY, &all[..2]), [[0, 1]]);
        for key in [
            r#"{"StringLike":{"aws:userid":"x*"}}"#,
            r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/k}"}}"#,
        ] {
            assert_eq!(groups(&format!("{GUARD}{key}}}]}}"), NOBODY, &all[..2]), [[0], [1]], "{key}");
        }
        let named =
            NOBODY.replace("\"*\",\"Action", "{\"AWS\":\"arn:aws:iam::111122223333:role/b\"},\"Action");
        assert_eq!(groups(ALLOW, &named, &all[..2]), [[0], [1]]);
    }
}

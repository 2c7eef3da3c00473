//! What belongs to the product itself: `[product]` of perimeter.toml.

use crate::glob;
use crate::ids::Arn;

/// What belongs to the product itself: `[product]` of perimeter.toml.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own<'a> {
    /// ARN of the table of findings.
    pub table: Option<&'a str>,
    /// ARNs of its other resources, matched as `ArnLike`.
    pub resources: &'a [String],
    /// ARNs of its roles, matched as `ArnLike`.
    pub roles: &'a [String],
}

impl Own<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_none() && self.resources.is_empty() && self.roles.is_empty()
    }

    pub(super) fn holds(&self, arn: &str) -> bool {
        self.resources.iter().chain(self.roles).any(|pattern| glob::arn_matches(pattern, arn))
            || self.table.is_some_and(|table| glob::arn_matches(table, table_of(arn)))
    }

    /// Is something of this service ours in this account and region? A part that is not known may be
    /// any, and the ARN of a bucket has neither.
    pub(super) fn has(&self, service: &str, account: Option<&str>, region: Option<&str>) -> bool {
        let may_be = |pattern: &str, text: Option<&str>| {
            pattern.is_empty() || text.is_none_or(|text| glob::matches(pattern, text))
        };
        let arns = self.resources.iter().map(String::as_str).chain(self.table);
        arns.filter_map(Arn::parse).any(|own| {
            glob::matches(own.service, service) && may_be(own.account, account) && may_be(own.region, region)
        })
    }

    /// Is this one of our roles, by its name alone? A role's name is unique in its account, and most
    /// events have it without the path. A pattern that ends in a bare wildcard behind a path tells
    /// no names, so such a role is known only where the event has its path.
    pub(super) fn holds_role(&self, account: &str, name: &str) -> bool {
        self.roles.iter().filter_map(|pattern| Arn::parse(pattern)).any(|pattern| {
            let last = pattern.resource.rsplit('/').next().unwrap_or_default();
            pattern.service == "iam"
                && pattern.resource.starts_with("role/")
                && !last.trim_matches(['*', '?']).is_empty()
                && glob::matches(last, name)
                && glob::matches(pattern.account, account)
        })
    }
}

/// The ARN of the table that an index, stream, export or backup belongs to.
fn table_of(arn: &str) -> &str {
    let end = arn.find(":table/").map(|at| at + ":table/".len());
    let rest = end.and_then(|end| arn.get(end..)).and_then(|name| name.find('/'));
    match (end, rest) {
        (Some(end), Some(name)) => arn.get(..end + name).unwrap_or(arn),
        _ => arn,
    }
}

#[cfg(test)]
mod tests {
    use super::table_of;

    #[test]
    fn parts_of_a_table_belong_to_it() {
        let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
        for part in ["", "/stream/2026", "/index/by-day", "/backup/1"] {
            assert_eq!(table_of(&format!("{table}{part}")), table);
        }
        assert_eq!(table_of("arn:aws:s3:::b"), "arn:aws:s3:::b");
    }
}

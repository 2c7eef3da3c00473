//! What surely keeps others from what an `Allow` gives: a condition of its own that only we meet, or
//! statements that deny it to all but us.
//!
//! A guard is believed where it covers every action and every resource that is given, and everybody.
//! What is left of the others takes a proof.
//!
//! Sources: IAM user guide, "AWS global condition context keys", "IAM JSON policy elements: Condition
//! operators", "IAM policy elements: Variables and tags".

use std::borrow::Cow;

use super::Us;
use super::statement::{Condition, Statement};
use crate::glob;
use crate::ids::Arn;

/// The most comparisons that a policy is worth: a policy of DynamoDB's is of 20 KB at most, and one that
/// takes more is told.
const MAX_WORK: usize = 1 << 20;

/// What a `Deny` takes from everybody but us.
struct Guard<'p> {
    actions: Vec<String>,
    resources: Vec<Cow<'p, str>>,
}

impl<'p> Guard<'p> {
    fn of(deny: Statement<'p>) -> Self {
        Self { actions: deny.taken(), resources: deny.resources() }
    }

    /// How many comparisons it takes for so many actions and resources.
    fn work(&self, actions: usize, resources: usize) -> usize {
        let of_an_action = resources.saturating_mul(self.resources.len()).saturating_add(self.actions.len());
        actions.saturating_mul(of_an_action)
    }

    fn is_over_action(&self, action: &str) -> bool {
        self.actions.iter().any(|wide| includes(wide, action))
    }

    fn is_over_resource(&self, resource: &str) -> bool {
        self.resources.iter().any(|wide| includes_arn(wide, resource))
    }
}

impl Us<'_> {
    /// Does a condition hold an `Allow` to us? One is enough, since all must be met.
    fn holds(&self, allow: Statement<'_>) -> bool {
        let (conditions, _) = allow.conditions();
        conditions.iter().any(|condition| {
            let is_met_by_us =
                |value: &str| self.is_ours(&condition.key, value) || is_of_the_table(&condition.key, value);
            condition.is_positive() && condition.has_only(is_met_by_us)
        })
    }

    /// Does a condition of the `Allow`, or do these statements, keep it to us?
    pub(super) fn keeps(&self, allow: Statement<'_>, denies: &[Statement<'_>]) -> bool {
        self.holds(allow) || self.is_taken_back(allow, denies)
    }

    /// The organization that an `Allow` is kept to, where that is all that makes it a stranger's: one that
    /// is not known as ours.
    pub(super) fn other_organization(
        &self,
        allow: Statement<'_>,
        denies: &[Statement<'_>],
    ) -> Option<String> {
        let any = Us { any_organization: true, ..*self };
        let statements = || std::iter::once(allow).chain(denies.iter().copied());
        let conditions = || statements().flat_map(|statement| statement.conditions().0);
        let is_other = |id: &str| is_organization(id) && !self.ours.is_organization(id);
        let other = conditions()
            .filter(|condition| {
                matches!(condition.key.as_str(), "aws:principalorgid" | "aws:principalorgpaths")
            })
            .find_map(|condition| {
                condition.first(|value| is_other(organization_of(value))).map(str::to_owned)
            });
        other.filter(|_| any.keeps(allow, denies)).map(|value| organization_of(&value).to_owned())
    }

    fn is_organization(&self, id: &str) -> bool {
        self.ours.is_organization(id) || (self.any_organization && is_organization(id))
    }

    /// Do these statements take back, from all but us, everything that `allow` gives?
    ///
    /// AWS services may be spared: none is a stranger, and a replica in a stranger's account needs that
    /// stranger's own call first (DynamoDB developer guide, `globaltables_MA_security`).
    pub(super) fn is_taken_back(&self, allow: Statement<'_>, denies: &[Statement<'_>]) -> bool {
        let (actions, resources) = (allow.given(), allow.resources());
        let guards: Vec<Guard<'_>> =
            denies.iter().filter(|deny| self.is_guard(**deny)).map(|deny| Guard::of(*deny)).collect();
        let work: usize = guards.iter().map(|guard| guard.work(actions.len(), resources.len())).sum();
        if resources.is_empty() || work > MAX_WORK {
            return false;
        }
        actions.iter().all(|action| {
            let over: Vec<_> = guards.iter().filter(|guard| guard.is_over_action(action)).collect();
            resources.iter().all(|resource| over.iter().any(|guard| guard.is_over_resource(resource)))
        })
    }

    /// Does only one of us, or a service, escape this `Deny`? All its conditions must be met for it to
    /// deny, so each must be one that a stranger meets.
    fn is_guard(&self, deny: Statement<'_>) -> bool {
        let (conditions, is_whole) = deny.conditions();
        let meets = |condition: &Condition<'_>| {
            condition.spares_services()
                || (condition.is_negative()
                    && condition.has_only(|value| self.is_ours(&condition.key, value)))
        };
        let is_met = is_whole && !conditions.is_empty() && conditions.iter().all(meets);
        deny.is_of_everybody() && (deny.is_unconditional() || is_met)
    }

    /// Is this value of a key one that only ours have?
    fn is_ours(&self, key: &str, value: &str) -> bool {
        match key {
            "aws:principalaccount" | "aws:vpceaccount" => self.is_account(value),
            "aws:principalarn" => self.is_arn_of_ours(value),
            "aws:principalorgid" | "aws:vpceorgid" => self.is_organization(value),
            "aws:principalorgpaths" | "aws:vpceorgpaths" => self.is_organization(organization_of(value)),
            "aws:sourcevpc" => self.ours.is_vpc(value),
            "aws:sourcevpce" => self.ours.is_endpoint(value),
            _ => false,
        }
    }

    /// A wildcard of `StringLike` crosses colons, and the path of a stranger's role may have some: so
    /// none may stand in front of the account.
    fn is_arn_of_ours(&self, pattern: &str) -> bool {
        let is_plain = |part: &str| !glob::has_wildcard(part);
        Arn::parse(pattern).is_some_and(|arn| {
            is_plain(arn.partition)
                && is_plain(arn.service)
                && is_plain(arn.region)
                && self.is_account(arn.account)
        })
    }
}

/// Is this the variable for the table's own account or organization? In an `Allow` alone: what a
/// `Deny` is where the table is in no organization, the documents do not settle.
fn is_of_the_table(key: &str, value: &str) -> bool {
    match key {
        "aws:principalorgid" | "aws:vpceorgid" => value.eq_ignore_ascii_case("${aws:ResourceOrgID}"),
        "aws:principalaccount" | "aws:vpceaccount" => value.eq_ignore_ascii_case("${aws:ResourceAccount}"),
        _ => false,
    }
}

/// The organization at the head of a path, as `o-exampleorgid/r-1/ou-1/`.
fn organization_of(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

fn is_organization(id: &str) -> bool {
    id.strip_prefix("o-").is_some_and(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Does `wide` surely match all that `narrow` matches? Of a variable only the text is known.
fn includes(wide: &str, narrow: &str) -> bool {
    wide == narrow || wide == "*" || (are_comparable(wide, narrow) && glob::matches(wide, narrow))
}

/// As [`includes`], of ARNs: whether a wildcard crosses a colon, the documents do not say.
fn includes_arn(wide: &str, narrow: &str) -> bool {
    wide == narrow || wide == "*" || (are_comparable(wide, narrow) && glob::arn_matches(wide, narrow))
}

/// A pattern is matched against the text of another: `?` would take a star for one character.
fn are_comparable(wide: &str, narrow: &str) -> bool {
    let has_variable = wide.contains('$') || narrow.contains('$');
    let is_star_for_one = wide.contains('?') && narrow.contains('*');
    !has_variable && !is_star_for_one
}

#[cfg(test)]
mod tests {
    use super::{includes, includes_arn};

    #[test]
    fn a_pattern_includes_what_all_its_matches_are_among() {
        for (wide, narrow) in [
            ("dynamodb:*", "dynamodb:getitem"),
            ("dynamodb:*", "dynamodb:get*"),
            ("dynamodb:get*", "dynamodb:getitem"),
            ("dynamodb:get*", "dynamodb:get?tem*"),
            ("dynamodb:?etitem", "dynamodb:getitem"),
            ("*", "${aws:username}"),
            ("a/${aws:username}", "a/${aws:username}"),
        ] {
            assert!(includes(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [
            ("dynamodb:getitem", "dynamodb:get*"),
            ("dynamodb:?", "dynamodb:*"),
            ("dynamodb:putitem", "dynamodb:getitem"),
            ("*user*", "${aws:username}"),
            ("${*}", "${aws:username}"),
        ] {
            assert!(!includes(wide, narrow), "{wide} {narrow}");
        }
    }

    #[test]
    fn a_wildcard_of_a_resource_stays_between_colons() {
        let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
        for wide in ["*", table, "arn:aws:dynamodb:*:*:table/*", "arn:aws:dynamodb:*:111122223333:*"] {
            assert!(includes_arn(wide, table), "{wide}");
        }
        for wide in ["arn:*:table/orders", "arn:aws:dynamodb:*", "arn:aws:dynamodb:*:*:table/order"] {
            assert!(!includes_arn(wide, table), "{wide}");
        }
        assert!(!includes_arn(table, "*"));
    }
}

//! A change on the way from its event: what the event needs to be readable, what it did, to what, and
//! whether that is the product's own.

use std::collections::BTreeSet;

use super::edits::edits;
use super::event::{Event, cut};
use super::own::Own;
use super::{Change, MAX_RESOURCES, Shows};

/// The longest ARN that a [`Change`] names, in characters: AWS has none that is longer.
const MAX_ARN: usize = 2048;

/// What an event needs to have for its text to be readable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Needs {
    /// It is about no policy, or may come without parameters.
    Nothing,
    /// Its parameters.
    Parameters,
    /// Its parameters, and in them the text of a policy, in the field of this name.
    Text(&'static str),
}

/// An event that is a change: what it needs, and what it did.
///
/// In the phrase, `{roleName}` stands for the parameter of that name, `{a|b}` for the first that is
/// there.
pub(super) type Kind = (Needs, &'static str);

/// A change, before it is known whose.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) what: String,
    /// What is changed.
    pub(super) targets: BTreeSet<String>,
    /// What else the event speaks of.
    pub(super) mentions: BTreeSet<String>,
    /// Names of roles that are changed, where the event has no path.
    pub(super) roles: Vec<String>,
    pub(super) made: Option<String>,
    pub(super) shows: Shows,
    /// What it shows where a target is the product's own.
    pub(super) own_shows: Shows,
    /// It is a change only where a target is the product's own.
    pub(super) only_own: bool,
    /// It is of a kind that the product has: where nothing names the target, that may be its own.
    pub(super) may_be_own: bool,
}

impl Draft {
    pub(super) fn new(event: &Event<'_>, (needs, what): Kind) -> Self {
        let readable = match needs {
            Needs::Nothing => true,
            Needs::Parameters => !event.request().omitted,
            Needs::Text(field) => !event.request().omitted && event.request().has_policy(field),
        };
        Self {
            what: event.phrase(what),
            targets: BTreeSet::new(),
            mentions: event.resources(),
            roles: Vec::new(),
            made: None,
            shows: if readable { Shows::Nothing } else { Shows::Unreadable },
            own_shows: Shows::ProductChanged,
            only_own: false,
            may_be_own: false,
        }
    }

    /// Adds what is changed. What is no ARN is left out.
    pub(super) fn target(&mut self, arn: Option<String>) {
        self.targets.extend(arn.filter(|arn| arn.starts_with("arn:")));
    }

    /// Adds what is spoken of. What is no ARN is left out.
    pub(super) fn mention(&mut self, arn: Option<String>) {
        self.mentions.extend(arn.filter(|arn| arn.starts_with("arn:")));
    }

    pub(super) fn finish(self, event: &Event<'_>, own: &Own<'_>, service: &str) -> Option<Change> {
        let account = event.account.as_deref().unwrap_or_default();
        let is_own = self.targets.iter().any(|arn| own.holds(arn))
            || self.roles.iter().any(|name| own.holds_role(account, name));
        let may_be_own = self.may_be_own
            && self.targets.is_empty()
            && event.request().omitted
            && own.has(service, event.account.as_deref(), event.region.as_deref());
        if self.only_own && !is_own && !may_be_own {
            return None;
        }
        let arns: BTreeSet<String> =
            self.targets.union(&self.mentions).map(|arn| cut(arn, MAX_ARN).into_owned()).collect();
        let resources = arns.into_iter().take(MAX_RESOURCES).collect();
        if event.failed() {
            let what = format!("attempted: {}", self.what);
            return Some(Change {
                what,
                resources,
                made_role: None,
                shows: Shows::Nothing,
                edits: Vec::new(),
            });
        }
        let shows = match self.shows {
            shows @ (Shows::ExternalGrant | Shows::BreakGlassCredential) => shows, // as severe, and says more
            _ if is_own => self.own_shows,
            _ if may_be_own => Shows::Unreadable,
            shows => shows,
        };
        let made_role = self.made.map(|arn| cut(&arn, MAX_ARN).into_owned());
        let edits = edits(service, event);
        Some(Change { what: self.what, resources, made_role, shows, edits })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::change_of;
    use super::MAX_RESOURCES;

    #[test]
    fn long_names_are_cut_and_long_lists_bounded() {
        let name = "é".repeat(300);
        let change = change_of("iam.amazonaws.com", "DeleteRole", &format!(r#"{{"roleName":"{name}"}}"#));
        let what = format!("role `{}…` deleted", "é".repeat(256));
        assert_eq!(change.map(|change| change.what), Some(what));
        let ids: Vec<String> = (100..200).map(|id| format!("\"vpce-{id}\"")).collect();
        let request = format!(r#"{{"vpcEndpointIds":[{}]}}"#, ids.join(","));
        let change = change_of("ec2.amazonaws.com", "DeleteVpcEndpoints", &request);
        let change = change.map(|change| (change.resources.len(), change.what));
        let shown = "`vpce-100`, `vpce-101`, `vpce-102`, `vpce-103`, `vpce-104`, `vpce-105`, …";
        assert_eq!(change, Some((MAX_RESOURCES, format!("endpoints deleted ({shown})"))));
    }
}

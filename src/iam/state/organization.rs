//! The organization: where its accounts lie, and which policies are above them.
//!
//! What nobody told of it is no policy that is known: an account that has no way up to a root, a unit whose policies are
//! not told, a type of policies of which it is not told whether it is on. Each is a level of its own, of which nothing
//! is known, and never none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{Edit, Text};

/// The accounts of an organization, and the policies above them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Organization {
    /// What a unit or account lies in: a unit or the root.
    pub parents: BTreeMap<String, String>,
    /// By id, as `p-0a1b2c3d`.
    pub policies: BTreeMap<String, Control>,
    /// Ids of policies of other types, which decide no request.
    pub others: BTreeSet<String>,
    /// Ids of the policies that are attached to a root, unit or account.
    pub attached: BTreeMap<String, BTreeSet<String>>,
    /// Types of policies that are switched on, or off. One that is not here is untold.
    pub types: BTreeMap<ControlKind, bool>,
    /// Accounts that are no members, or not any more: no policy is above them.
    pub left: BTreeSet<String>,
}

/// The two types of policies that decide requests.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum ControlKind {
    Service,
    Resource,
}

/// A policy of the organization.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Control {
    /// `None`: nothing told.
    pub kind: Option<ControlKind>,
    pub name: String,
    pub text: Text,
}

/// Levels that are walked up from an account: an organization has seven, and a broken snapshot may have a ring.
const MAX_LEVELS: usize = 16;

/// What stands for policies of which nothing is known: a policy without an id.
static UNTOLD: LazyLock<Control> = LazyLock::new(|| Control::untold(""));

impl ControlKind {
    /// Both.
    pub const ALL: [ControlKind; 2] = [ControlKind::Service, ControlKind::Resource];

    /// The type of that name in the API, as `SERVICE_CONTROL_POLICY`; `None`: it decides no request.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// As the API calls it.
    pub fn name(self) -> &'static str {
        match self {
            ControlKind::Service => "SERVICE_CONTROL_POLICY",
            ControlKind::Resource => "RESOURCE_CONTROL_POLICY",
        }
    }

    /// AWS's own policy of the type, which allows everything: its id and text.
    pub fn full_access(self) -> (&'static str, &'static str) {
        match self {
            ControlKind::Service => (
                "p-FullAWSAccess",
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
            ),
            ControlKind::Resource => (
                "p-RCPFullAWSAccess",
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
            ),
        }
    }
}

impl Control {
    fn untold(id: &str) -> Self {
        Self { kind: None, name: id.to_owned(), text: Text::Untold }
    }
}

impl Organization {
    /// An account, what it lies in, and so on: from the top down, as far as it is told.
    pub fn path_of<'o>(&'o self, account: &'o str) -> Vec<&'o str> {
        let up = std::iter::successors(Some(account), |node| self.parents.get(*node).map(String::as_str));
        let mut path: Vec<&str> = up.take(MAX_LEVELS).collect();
        path.reverse();
        path
    }

    /// Is it told where an account lies, all the way up to a root?
    pub fn is_placed(&self, account: &str) -> bool {
        self.path_of(account).first().is_some_and(|top| top.starts_with("r-"))
    }

    /// The policies of that kind above an account with their ids, a level each, from the root down. None where that type
    /// of policy is off, or the account has left. What is not known is there, without an id.
    pub fn levels(&self, account: &str, kind: ControlKind) -> Vec<Vec<(&str, &Control)>> {
        match self.types.get(&kind) {
            _ if self.left.contains(account) => Vec::new(),
            Some(false) => Vec::new(),
            // It may be off, and then no policy of the type counts.
            None => vec![vec![("", &*UNTOLD)]],
            Some(true) => {
                let above = (!self.is_placed(account)).then(|| vec![("", &*UNTOLD)]);
                let known = self.path_of(account).into_iter().map(|node| self.of_node(node, kind));
                above.into_iter().chain(known).collect()
            }
        }
    }

    fn of_node(&self, node: &str, kind: ControlKind) -> Vec<(&str, &Control)> {
        // Where nothing told what is attached, something is, and it may allow everything.
        let Some(ids) = self.attached.get(node) else { return vec![("", &*UNTOLD)] };
        let known = ids.iter().filter_map(|id| self.policies.get_key_value(id));
        let counts = known.filter(|(_, policy)| policy.kind.is_none_or(|of| of == kind));
        counts.map(|(id, policy)| (id.as_str(), policy)).collect()
    }

    /// May an account lie at or below a root, unit or account? One whose place is not told may lie below any.
    pub fn may_be_below(&self, account: &str, target: &str) -> bool {
        let is_known = self.path_of(account).contains(&target);
        let is_unit = !crate::ids::is_account(target);
        !self.left.contains(account) && (is_known || is_unit && !self.is_placed(account))
    }

    /// May a policy be above an account that is not told to be attached there?
    pub fn may_have_more_above(&self, account: &str) -> bool {
        let untold = |node: &str| !self.attached.contains_key(node);
        let is_untold = !self.is_placed(account) || self.path_of(account).into_iter().any(untold);
        is_untold && !self.left.contains(account)
    }

    /// Carries out an edit of the organization.
    pub(super) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::OtherControl(id) => {
                self.policies.remove(id);
                self.others.insert(id.clone());
            }
            Edit::Control { id, .. } if self.others.contains(id) => {}
            Edit::Control { id, kind, name, text } => {
                let policy = self.policies.entry(id.clone()).or_insert_with(|| Control::untold(id));
                policy.kind = kind.or(policy.kind);
                name.clone().into_iter().for_each(|name| policy.name = name);
                text.clone().into_iter().for_each(|text| policy.text = text);
            }
            Edit::ControlGone(id) => {
                self.policies.remove(id);
                self.others.remove(id);
                self.attached.values_mut().for_each(|ids| {
                    ids.remove(id);
                });
            }
            Edit::ControlAttached { id, target, is } => self.attach(id, target, *is),
            Edit::ControlType { kind, is_on: true } => self.switch_on(*kind),
            Edit::ControlType { kind, is_on: false } => self.switch_off(*kind),
            Edit::Moved { account, to } => {
                self.parents.insert(account.clone(), to.clone());
                self.left.remove(account);
            }
            Edit::Left { account } => {
                self.parents.remove(account);
                self.attached.remove(account);
                self.left.insert(account.clone());
            }
            Edit::Unit { id, parent } => self.unit(id, parent),
            _ => {}
        }
    }

    /// Where it is not told what else is attached, that stays so: something is.
    fn attach(&mut self, id: &str, target: &str, is: bool) {
        if self.others.contains(id) {
            return;
        }
        if is {
            self.policies.entry(id.to_owned()).or_insert_with(|| Control::untold(id));
        }
        if let Some(ids) = self.attached.get_mut(target) {
            if is {
                ids.insert(id.to_owned())
            } else {
                ids.remove(id)
            };
        }
    }

    /// A unit is made with the policies that allow everything, of the types that are on.
    fn unit(&mut self, id: &str, parent: &str) {
        self.parents.insert(id.to_owned(), parent.to_owned());
        let is_told = ControlKind::ALL.iter().all(|kind| self.types.contains_key(kind));
        let on = self.types.iter().filter(|(_, is_on)| **is_on);
        let begins_with = on.map(|(kind, _)| kind.full_access().0.to_owned()).collect();
        if is_told {
            self.attached.insert(id.to_owned(), begins_with);
        }
    }

    /// "When you enable a policy type, the policy that allows everything is attached to every root, unit and
    /// account."
    ///
    /// Source: Organizations user guide, "Service control policies", "Resource control policies".
    fn switch_on(&mut self, kind: ControlKind) {
        if self.types.insert(kind, true) == Some(true) {
            return;
        }
        let (id, text) = kind.full_access();
        let all = Control { kind: Some(kind), name: id.to_owned(), text: Text::known(text) };
        self.policies.entry(id.to_owned()).or_insert(all);
        self.attached.values_mut().for_each(|ids| {
            ids.insert(id.to_owned());
        });
    }

    fn switch_off(&mut self, kind: ControlKind) {
        self.types.insert(kind, false);
        let of_kind = |id: &String| self.policies.get(id).is_some_and(|policy| policy.kind == Some(kind));
        self.attached.values_mut().for_each(|ids| ids.retain(|id| !of_kind(id)));
    }

    /// Something of it changed, and nothing tells what: of its policies the types stay, and what is gone stays gone.
    pub(super) fn forget(&mut self) {
        self.policies.values_mut().for_each(|policy| policy.text = Text::Untold);
        self.parents.clear();
        self.attached.clear();
        self.types.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn under(parents: &[(&str, &str)]) -> Organization {
        let parents = parents.iter().map(|(node, parent)| ((*node).to_owned(), (*parent).to_owned()));
        let types = ControlKind::ALL.map(|kind| (kind, true)).into();
        Organization { parents: parents.collect(), types, ..Organization::default() }
    }

    /// Is it not known what is above the account?
    fn is_untold(organization: &Organization) -> bool {
        let levels = organization.levels(ACCOUNT, ControlKind::Service);
        levels.first().is_some_and(|top| top.iter().any(|(id, _)| id.is_empty()))
    }

    #[test]
    fn what_has_no_way_up_to_a_root_may_lie_below_anything() {
        let ring = [("ou-1", "ou-2"), ("ou-2", "ou-1"), (ACCOUNT, "ou-1")];
        for parents in [&[][..], &[(ACCOUNT, "ou-1")], &ring] {
            let organization = under(parents);
            assert!(is_untold(&organization), "{parents:?}");
            assert!(
                organization.may_be_below(ACCOUNT, "ou-9") && organization.may_be_below(ACCOUNT, ACCOUNT)
            );
            assert!(!organization.may_be_below(ACCOUNT, "444455556666"));
            assert!(organization.may_have_more_above(ACCOUNT));
        }
    }

    #[test]
    fn what_is_placed_lies_where_it_does() {
        let mut organization = under(&[("ou-1", "r-1"), (ACCOUNT, "ou-1")]);
        assert!(organization.may_be_below(ACCOUNT, "ou-1") && !organization.may_be_below(ACCOUNT, "ou-2"));
        assert!(organization.may_have_more_above(ACCOUNT), "nothing tells what is attached");
        for node in ["r-1", "ou-1", ACCOUNT] {
            organization.attached.insert(node.into(), BTreeSet::new());
        }
        assert!(!organization.may_have_more_above(ACCOUNT));
        assert_eq!(organization.levels(ACCOUNT, ControlKind::Service), vec![Vec::new(); 3]);
    }

    #[test]
    fn what_has_left_has_nothing_above_it() {
        let mut organization = under(&[]);
        organization.apply(&Edit::Left { account: ACCOUNT.into() });
        assert!(organization.levels(ACCOUNT, ControlKind::Service).is_empty());
        assert!(!organization.may_be_below(ACCOUNT, "ou-1") && !organization.may_have_more_above(ACCOUNT));
        organization.apply(&Edit::Moved { account: ACCOUNT.into(), to: "ou-1".into() });
        assert!(is_untold(&organization));
    }

    #[test]
    fn a_type_that_may_be_off_binds_nobody_for_sure() {
        let mut organization = under(&[(ACCOUNT, "r-1")]);
        organization.forget();
        assert!(is_untold(&organization));
        organization.apply(&Edit::ControlType { kind: ControlKind::Service, is_on: false });
        assert!(organization.levels(ACCOUNT, ControlKind::Service).is_empty());
    }

    #[test]
    fn a_policy_of_another_type_decides_nothing() {
        let mut organization = under(&[(ACCOUNT, "r-1")]);
        organization.attached.insert(ACCOUNT.into(), BTreeSet::new());
        let attach = |id: &str| Edit::ControlAttached { id: id.into(), target: ACCOUNT.into(), is: true };
        let changed =
            Edit::Control { id: "p-t".into(), kind: None, name: None, text: Some(Text::known("{}")) };
        for edit in [Edit::OtherControl("p-t".into()), attach("p-t"), changed, attach("p-u")] {
            organization.apply(&edit);
        }
        let levels = organization.levels(ACCOUNT, ControlKind::Service);
        assert_eq!(levels[1].iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["p-u"]);
    }

    #[test]
    fn what_else_is_attached_stays_untold() {
        let mut organization = under(&[(ACCOUNT, "r-1")]);
        for is in [true, false] {
            organization.apply(&Edit::ControlAttached { id: "p-1".into(), target: ACCOUNT.into(), is });
            let levels = organization.levels(ACCOUNT, ControlKind::Service);
            assert_eq!(levels[1][0].0, "");
        }
    }
}

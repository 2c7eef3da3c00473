//! What is different between two states, as the edits that lead from one to the other.
//!
//! What the earlier state was not told, and the later one is, has not changed: there is no edit of it. The edits are in
//! the order in which least is open in between: what refuses more comes first, and what refuses less comes last.

use std::collections::BTreeMap;

use super::{Edit, Endpoint, Holder, HolderId, HolderKind, Made, Organization, State, Table, Text};

impl State {
    /// The edits after which this state is as `later` is, as far as both are told.
    pub fn edits_to(&self, later: &State) -> Vec<Edit> {
        let mut steps = Steps { now: self.clone(), later, edits: Vec::new() };
        steps.guards();
        steps.managed();
        steps.holders();
        steps.tables();
        steps.endpoints();
        steps.places();
        steps.unguarded();
        steps.edits
    }

    /// Were the roles, users and groups of the account told?
    fn knows(&self, account: &str) -> bool {
        self.read.contains(account)
    }
}

/// What was done so far, and where that leads.
struct Steps<'s> {
    now: State,
    later: &'s State,
    edits: Vec<Edit>,
}

impl Steps<'_> {
    fn take(&mut self, edits: impl IntoIterator<Item = Edit>) {
        for edit in edits {
            self.now.apply(&edit);
            self.edits.push(edit);
        }
    }

    /// Policies of the organization, and where they are attached newly.
    fn guards(&mut self) {
        let (now, later) = (&self.now.organization, &self.later.organization);
        let on: Vec<Edit> = switched(now, later, true).collect();
        let changed = later.policies.iter().filter_map(|(id, policy)| match now.policies.get(id) {
            Some(known) if known.kind == policy.kind && !is_other(&known.text, &policy.text) => None,
            Some(known) if known.kind.is_none() => None,
            Some(_) | None => Some(Edit::Control {
                id: id.clone(),
                kind: policy.kind,
                name: Some(policy.name.clone()),
                text: Some(policy.text.clone()),
            }),
        });
        let changed: Vec<Edit> = changed.collect();
        self.take(on);
        self.take(changed);
        let now = &self.now.organization.attached;
        let attached =
            later.attached.iter().filter_map(|(target, ids)| Some((target, ids, now.get(target)?)));
        let attached = attached
            .flat_map(|(target, ids, known)| ids.difference(known).map(|id| attachment(id, target, true)));
        let attached: Vec<Edit> = attached.collect();
        self.take(attached);
    }

    fn managed(&mut self) {
        let changed = self.later.managed.iter().filter_map(|(arn, policy)| {
            let text = policy.text();
            let known = self.now.managed.get(arn).map(|known| known.text());
            let is_news = match known {
                Some(known) => is_other(&known, &text),
                None => self.is_heard_of(arn),
            };
            is_news.then(|| Edit::Version {
                policy: arn.clone(),
                version: policy.default.clone(),
                text,
                is_default: true,
            })
        });
        let changed: Vec<Edit> = changed.collect();
        self.take(changed);
    }

    /// May a managed policy that was not known be new, or newly attached? Not where nobody told of its account before.
    fn is_heard_of(&self, arn: &str) -> bool {
        let account = crate::ids::Arn::parse(arn).map_or("", |arn| arn.account);
        let has = |holder: &Holder| holder.attached.contains(arn) || holder.boundary.as_deref() == Some(arn);
        self.now.knows(account)
            || self.later.holders.iter().any(|(id, holder)| self.now.knows(&id.account) && has(holder))
    }

    fn holders(&mut self) {
        let (now, later) = (&self.now, self.later);
        let mut narrower = Vec::new();
        let mut wider = Vec::new();
        for (id, holder) in now.holders.iter() {
            match later.holders.get(id) {
                Some(new) if holder.is_partial || new.is_partial => {}
                Some(new) if is_another(holder, new) => {
                    narrower.push(Edit::Gone(id.clone()));
                    wider.extend(made(id, new));
                }
                Some(new) => compare(id, [holder, new], &mut narrower, &mut wider),
                None if later.knows(&id.account) => narrower.push(Edit::Gone(id.clone())),
                None => {}
            }
        }
        let new =
            later.holders.iter().filter(|(id, _)| !now.holders.contains_key(id) && now.knows(&id.account));
        wider.extend(new.flat_map(|(id, holder)| made(id, holder)));
        self.take(narrower);
        self.take(wider);
    }

    fn tables(&mut self) {
        let (mut gone, mut changed, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for (arn, table) in self.later.tables.iter() {
            let table = Table::clone(table);
            match self.now.tables.get(arn) {
                None => {
                    new.push(Edit::TableMade { table: arn.clone(), policy: table.policy, tags: table.tags })
                }
                Some(known) => changed.extend(table_changes(arn, known, &table)),
            }
        }
        for arn in self.now.tables.keys().filter(|arn| !self.later.tables.contains_key(*arn)) {
            gone.push(Edit::TableGone(arn.clone()));
        }
        self.take(gone);
        self.take(changed);
        self.take(new);
    }

    fn endpoints(&mut self) {
        let (now, later) = (&self.now.endpoints, &self.later.endpoints);
        let gone = now.keys().filter(|id| !later.contains_key(*id)).cloned().map(Edit::EndpointGone);
        let news = later.iter().filter_map(|(id, endpoint)| match now.get(id) {
            None => Some(endpoint_made(id, endpoint)),
            // Only its policy was heard of.
            Some(known) if known.vpc.is_none() && endpoint.vpc.is_some() => Some(endpoint_made(id, endpoint)),
            Some(known) => is_other_policy(known.policy.as_ref(), endpoint.policy.as_ref())
                .then(|| Edit::EndpointPolicy { endpoint: id.clone(), text: endpoint.policy.clone() }),
        });
        let edits: Vec<Edit> = gone.chain(news).collect();
        self.take(edits);
    }

    /// Where accounts and units lie.
    fn places(&mut self) {
        let (now, later) = (&self.now.organization.parents, &self.later.organization.parents);
        if now.is_empty() || later.is_empty() {
            return;
        }
        let is_account = |node: &str| crate::ids::is_account(node);
        let units = later.iter().filter(|(node, _)| !is_account(node) && !now.contains_key(*node));
        let units = units.map(|(id, parent)| Edit::Unit { id: id.clone(), parent: parent.clone() });
        // Where it was not told, or is not, an account has not moved.
        let is_told = |account: &str| {
            let has_joined = !now.contains_key(account);
            let was_placed = self.now.organization.is_placed(account);
            (has_joined || was_placed) && self.later.organization.is_placed(account)
        };
        let moved = later.iter().filter(|(node, to)| is_account(node) && now.get(*node) != Some(to));
        let moved = moved.filter(|(node, _)| is_told(node));
        let moved = moved.map(|(account, to)| Edit::Moved { account: account.clone(), to: to.clone() });
        let left = now.keys().filter(|node| is_account(node) && !later.contains_key(*node));
        let left = left.filter(|account| self.now.organization.is_placed(account));
        let left = left.map(|account| Edit::Left { account: account.clone() });
        let edits: Vec<Edit> = units.chain(moved).chain(left).collect();
        self.take(edits);
        // What is attached to units that are new here.
        self.guards();
    }

    /// Guards that are there no longer.
    fn unguarded(&mut self) {
        let (now, later) = (&self.now.organization, &self.later.organization);
        let detached =
            now.attached.iter().filter_map(|(target, ids)| Some((target, ids, later.attached.get(target)?)));
        let detached = detached
            .flat_map(|(target, ids, left)| ids.difference(left).map(|id| attachment(id, target, false)));
        let detached: Vec<Edit> = detached.collect();
        let is_told = !later.policies.is_empty();
        let gone = now.policies.keys().filter(|id| is_told && !later.policies.contains_key(*id));
        let gone: Vec<Edit> = gone.cloned().map(Edit::ControlGone).collect();
        let off: Vec<Edit> = switched(now, later, false).collect();
        self.take(detached);
        self.take(gone);
        self.take(off);
    }
}

/// Types of policies that are switched on, or off, where it was told what they were.
fn switched<'o>(now: &'o Organization, later: &'o Organization, to: bool) -> impl Iterator<Item = Edit> + 'o {
    let turned = later.types.iter().filter(move |(kind, is_on)| {
        **is_on == to && now.types.get(kind).is_some_and(|was_on| *was_on != to)
    });
    turned.map(move |(kind, _)| Edit::ControlType { kind: *kind, is_on: to })
}

fn attachment(id: &str, target: &str, is: bool) -> Edit {
    Edit::ControlAttached { id: id.to_owned(), target: target.to_owned(), is }
}

fn endpoint_made(id: &str, endpoint: &Endpoint) -> Edit {
    let Endpoint { vpc, policy } = endpoint.clone();
    Edit::EndpointMade { endpoint: id.to_owned(), vpc, policy }
}

/// Has a text changed? One that was not told has not.
fn is_other(known: &Text, now: &Text) -> bool {
    *known != Text::Untold && known != now && !says_the_same(known, now)
}

/// The same JSON may be written in many ways.
fn says_the_same(one: &Text, other: &Text) -> bool {
    let read = |text: &Text| serde_json::from_str::<serde_json::Value>(text.as_str()?).ok();
    read(one).is_some_and(|one| read(other) == Some(one))
}

pub(super) fn is_other_policy(known: Option<&Text>, now: Option<&Text>) -> bool {
    match (known, now) {
        (Some(known), Some(now)) => is_other(known, now),
        (None, None) => false,
        (Some(known), None) => *known != Text::Untold,
        (None, Some(_)) => true,
    }
}

/// A role that was deleted and made again under its name.
pub(super) fn is_another(known: &Holder, now: &Holder) -> bool {
    known.unique_id.is_some() && now.unique_id.is_some() && known.unique_id != now.unique_id
}

/// All that makes a holder what it is.
pub(super) fn made(id: &HolderId, holder: &Holder) -> Vec<Edit> {
    let Holder { arn, unique_id, trust, boundary, tags, is_partial, inline, attached, groups } =
        holder.clone();
    let made = Made { holder: id.clone(), arn, unique_id, trust, boundary, tags, is_partial };
    let inline =
        inline.into_iter().map(|(name, text)| Edit::Inline { holder: id.clone(), name, text: Some(text) });
    let attached = attached.into_iter().map(|policy| Edit::Attached { holder: id.clone(), policy, is: true });
    let groups = groups.into_iter().map(|group| Edit::Member { user: id.clone(), group, is: true });
    std::iter::once(Edit::Made(Box::new(made))).chain(inline).chain(attached).chain(groups).collect()
}

pub(super) fn compare(
    id: &HolderId,
    [known, now]: [&Holder; 2],
    narrower: &mut Vec<Edit>,
    wider: &mut Vec<Edit>,
) {
    let holder = || id.clone();
    if let (Some(_), Some(boundary)) | (None, Some(boundary)) = (&known.boundary, &now.boundary)
        && known.boundary != now.boundary
    {
        narrower.push(Edit::Boundary { holder: holder(), policy: Some(boundary.clone()) });
    }
    for name in known.inline.keys().filter(|name| !now.inline.contains_key(*name)) {
        narrower.push(Edit::Inline { holder: holder(), name: name.clone(), text: None });
    }
    for policy in known.attached.difference(&now.attached) {
        narrower.push(Edit::Attached { holder: holder(), policy: policy.clone(), is: false });
    }
    if id.kind == HolderKind::User {
        let left = known.groups.difference(&now.groups).map(|group| (group, false));
        let joined = now.groups.difference(&known.groups).map(|group| (group, true));
        let of = |(group, is): (&String, bool)| Edit::Member { user: holder(), group: group.clone(), is };
        narrower.extend(left.map(of));
        wider.extend(joined.map(of));
    }
    if let Some((old, new)) = known.trust.as_ref().zip(now.trust.as_ref())
        && is_other(old, new)
    {
        wider.push(Edit::Trust { role: holder(), text: new.clone() });
    }
    if let Some((set, taken)) = tag_changes(&known.tags, &now.tags) {
        wider.push(Edit::Tagged { holder: holder(), set, taken });
    }
    for (name, text) in &now.inline {
        if known.inline.get(name).is_none_or(|old| is_other(old, text)) {
            wider.push(Edit::Inline { holder: holder(), name: name.clone(), text: Some(text.clone()) });
        }
    }
    for policy in now.attached.difference(&known.attached) {
        wider.push(Edit::Attached { holder: holder(), policy: policy.clone(), is: true });
    }
    if known.boundary.is_some() && now.boundary.is_none() {
        wider.push(Edit::Boundary { holder: holder(), policy: None });
    }
}

type Tags = BTreeMap<String, String>;

/// The tags to set, and the keys of those to take away.
fn tag_changes(known: &Tags, now: &Tags) -> Option<(Tags, Vec<String>)> {
    let set: Tags = now
        .iter()
        .filter(|(key, value)| known.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let taken: Vec<String> = known.keys().filter(|key| !now.contains_key(*key)).cloned().collect();
    (!set.is_empty() || !taken.is_empty()).then_some((set, taken))
}

pub(super) fn table_changes(arn: &str, known: &Table, now: &Table) -> Vec<Edit> {
    let mut edits = Vec::new();
    if is_other_policy(known.policy.as_ref(), now.policy.as_ref()) {
        edits.push(Edit::TablePolicy { table: arn.to_owned(), text: now.policy.clone() });
    }
    let tags = known.tags.as_ref().zip(now.tags.as_ref());
    if let Some((set, taken)) = tags.and_then(|(known, now)| tag_changes(known, now)) {
        edits.push(Edit::TableTagged { table: arn.to_owned(), set, taken });
    }
    edits
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::shared::Shared;
    use super::super::snapshot::Snapshot;
    use super::super::{ControlKind, Part};
    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn id(kind: HolderKind, name: &str) -> HolderId {
        HolderId { account: ACCOUNT.into(), kind, name: name.into() }
    }

    fn role(name: &str) -> HolderId {
        id(HolderKind::Role, name)
    }

    /// With one holder that stays, so that the account is known.
    fn start() -> State {
        let snapshot = r#"{"version": 1, "accounts": {"111122223333": {
            "RoleDetailList": [{"RoleName": "stays", "Arn": "arn:aws:iam::111122223333:role/stays", "AssumeRolePolicyDocument": "{}"}],
            "GroupDetailList": [], "UserDetailList": [{"UserName": "ann", "Arn": "arn:aws:iam::111122223333:user/ann"}]}},
            "organization": {"roots": [{"Id": "r-1", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}],
                "parents": {"ou-1": "r-1", "ou-2": "r-1", "111122223333": "ou-1"},
                "policies": [{"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "Content": "{}"}],
                "attached": {"r-1": [], "ou-1": ["p-FullAWSAccess"], "ou-2": [], "111122223333": []}},
            "tables": [{"arn": "arn:t", "tags": {}}],
            "endpoints": {"VpcEndpoints": [{"VpcEndpointId": "vpce-0"}]}}"#;
        Snapshot::parse(snapshot.as_bytes()).unwrap().state
    }

    /// The ids of those of which that is so.
    fn ids<K: Clone + Ord, V>(map: &Shared<K, V>, is: impl Fn(&V) -> bool) -> Vec<K> {
        map.iter().filter(|(_, value)| is(value)).map(|(id, _)| id.clone()).collect()
    }

    fn text() -> impl Strategy<Value = Text> {
        prop_oneof![Just(Text::known("{}")), Just(Text::known("[]")), Just(Text::known("1"))]
    }

    fn edit() -> impl Strategy<Value = Edit> {
        let name = || prop_oneof![Just("a"), Just("b"), Just("stays")];
        let control = || prop_oneof![Just("p-1".to_owned()), Just("p-2".to_owned())];
        let target = || {
            prop_oneof![
                Just("r-1".to_owned()),
                Just("ou-1".to_owned()),
                Just("ou-2".to_owned()),
                Just(ACCOUNT.to_owned())
            ]
        };
        let table = || prop_oneof![Just("arn:t".to_owned()), Just("arn:u".to_owned())];
        let policy = || {
            prop_oneof![
                Just("arn:aws:iam::111122223333:policy/p".to_owned()),
                Just("arn:aws:iam::111122223333:policy/q".to_owned())
            ]
        };
        prop_oneof![
            (prop_oneof![Just("a"), Just("b")], any::<bool>()).prop_map(|(name, other)| Edit::Made(
                Box::new(Made {
                    holder: role(name),
                    arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/{name}")),
                    unique_id: Some(format!("AROA{name}{other}")),
                    trust: Some(Text::known("{}")),
                    boundary: None,
                    tags: BTreeMap::new(),
                    is_partial: false,
                })
            )),
            prop_oneof![Just("a"), Just("b")].prop_map(|name| Edit::Gone(role(name))),
            (name(), text()).prop_map(|(name, text)| Edit::Trust { role: role(name), text }),
            (name(), policy(), proptest::option::of(text())).prop_map(|(holder, name, text)| Edit::Inline {
                holder: role(holder),
                name,
                text
            }),
            (name(), policy(), any::<bool>()).prop_map(|(name, policy, is)| Edit::Attached {
                holder: role(name),
                policy,
                is
            }),
            (name(), proptest::option::of(policy()))
                .prop_map(|(name, policy)| Edit::Boundary { holder: role(name), policy }),
            (policy(), any::<bool>()).prop_map(|(group, is)| Edit::Member {
                user: id(HolderKind::User, "ann"),
                group,
                is
            }),
            (policy(), text()).prop_map(|(policy, text)| Edit::Version {
                policy,
                version: Some("v1".into()),
                text,
                is_default: true
            }),
            (control(), text()).prop_map(|(id, text)| Edit::Control {
                id,
                kind: Some(ControlKind::Service),
                name: Some("n".into()),
                text: Some(text)
            }),
            control().prop_map(Edit::ControlGone),
            (control(), target(), any::<bool>()).prop_map(|(id, target, is)| Edit::ControlAttached {
                id,
                target,
                is
            }),
            any::<bool>().prop_map(|is_on| Edit::ControlType { kind: ControlKind::Resource, is_on }),
            target()
                .prop_filter("no account lies in itself", |to| to != ACCOUNT)
                .prop_map(|to| Edit::Moved { account: ACCOUNT.into(), to }),
            (table(), proptest::option::of(text())).prop_map(|(table, policy)| Edit::TableMade {
                table,
                policy,
                tags: Some(BTreeMap::new())
            }),
            (table(), proptest::option::of(text()))
                .prop_map(|(table, text)| Edit::TablePolicy { table, text }),
            table().prop_map(Edit::TableGone),
            proptest::option::of(text())
                .prop_map(|text| Edit::EndpointPolicy { endpoint: "vpce-0".into(), text }),
        ]
    }

    proptest! {
        #[test]
        fn the_edits_lead_from_one_to_the_other(one in prop::collection::vec(edit(), 0..12), other in prop::collection::vec(edit(), 0..12)) {
            let after = |edits: &[Edit]| {
                let mut state = start();
                edits.iter().for_each(|edit| state.apply(edit));
                // Of what was first heard of in an event not all is known.
                let partial: Vec<HolderId> = ids(&state.holders, |holder| holder.is_partial);
                partial.iter().for_each(|id| drop(state.holders.remove(id)));
                let organization = Arc::make_mut(&mut state.organization);
                organization.policies.retain(|_, policy| policy.kind.is_some());
                let policies = &organization.policies;
                organization.attached.values_mut().for_each(|ids| {
                    ids.retain(|id| policies.contains_key(id));
                });
                let untold: Vec<String> = ids(&state.managed, |policy| policy.text() == Text::Untold);
                untold.iter().for_each(|arn| drop(state.managed.remove(arn)));
                let partial: Vec<String> = ids(&state.tables, |table| table.tags.is_none());
                partial.iter().for_each(|arn| drop(state.tables.remove(arn)));
                state
            };
            let (from, to) = (after(&one), after(&other));
            let mut reached = from.clone();
            from.edits_to(&to).iter().for_each(|edit| reached.apply(edit));
            // A managed policy that is attached nowhere is of no matter.
            reached.managed.retain(|arn| to.managed.contains_key(arn));
            prop_assert_eq!(&reached, &to);
            prop_assert_eq!(to.edits_to(&to), []);
        }

        #[test]
        fn edits_are_kept_as_they_are(edits in prop::collection::vec(edit(), 0..12)) {
            let untold = [Edit::Untold(Part::Organization), Edit::Inline { holder: role("a"), name: "p".into(), text: Some(Text::Untold) }];
            for edit in edits.into_iter().chain(untold) {
                let kept = serde_json::to_string(&edit).unwrap();
                prop_assert_eq!(serde_json::from_str::<Edit>(&kept).unwrap(), edit);
            }
        }
    }

    #[test]
    fn what_was_not_told_has_not_changed() {
        let mut known = start();
        let later = known.clone();
        Arc::make_mut(&mut known.organization).attached.remove("ou-1");
        known.tables.get_mut("arn:t").unwrap().policy = Some(Text::Untold);
        known.holders = Shared::default();
        known.read = Arc::default();
        assert_eq!(known.edits_to(&later), []);
    }

    #[test]
    fn a_text_written_otherwise_is_the_same() {
        let of = |text: &str| {
            let mut state = start();
            state.apply(&Edit::TablePolicy { table: "arn:t".into(), text: Some(Text::known(text)) });
            state
        };
        let one = of(r#"{"Statement":[],"Version":"2012-10-17"}"#);
        assert_eq!(one.edits_to(&of("{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": []\n}")), []);
        assert_eq!(one.edits_to(&of(r#"{"Statement":[],"Version":"2008-10-17"}"#)).len(), 1);
    }

    #[test]
    fn a_place_that_could_not_be_read_is_no_move() {
        let placed = start();
        let mut unread = placed.clone();
        Arc::make_mut(&mut unread.organization).parents.insert(ACCOUNT.into(), "unread".into());
        assert_eq!((placed.edits_to(&unread), unread.edits_to(&placed)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_guard_that_takes_anothers_place_is_there_first() {
        let mut later = start();
        let now = later.clone();
        for edit in [
            Edit::Control {
                id: "p-new".into(),
                kind: Some(ControlKind::Service),
                name: Some("n".into()),
                text: Some(Text::known("{}")),
            },
            attachment("p-new", "ou-1", true),
            attachment("p-FullAWSAccess", "ou-1", false),
        ] {
            later.apply(&edit);
        }
        let edits = now.edits_to(&later);
        let place = |edit: &Edit| edits.iter().position(|one| one == edit).unwrap();
        assert!(
            place(&attachment("p-new", "ou-1", true)) < place(&attachment("p-FullAWSAccess", "ou-1", false))
        );
    }
}

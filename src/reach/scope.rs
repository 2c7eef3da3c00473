//! Of whom, and of which tables, a change can speak at all.

use std::collections::BTreeSet;

use super::grants::{self, granted};
use super::policies::{Guard, Who};
use super::texts::Texts;
use crate::iam::state::{ControlKind, Edit, Holder, HolderId, HolderKind, Part, State};
use crate::ids::Arn;
use crate::perimeter::Perimeter;

/// What has to be proven of an edit.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    /// Those whose reach it can change.
    pub who: BTreeSet<Who>,
    /// The one table that it is about; `None`: any.
    pub table: Option<String>,
    /// The guard that it changes.
    pub guard: Option<Guard>,
    /// It takes something away, and puts nothing in its place.
    pub is_removal: bool,
    /// It sets or takes tags.
    pub is_tag: bool,
    /// Which other tags there are is not known, before it and after it: a phrase that goes on "it is not known …".
    pub unknown_tags: Option<String>,
}

/// What an edit lies between: a state before it and one after it.
#[derive(Clone, Copy, Debug)]
pub struct Between<'s> {
    pub states: [&'s State; 2],
    pub perimeter: &'s Perimeter,
    pub texts: &'s Texts,
}

impl Between<'_> {
    /// Accounts whose roles and users may come to a table, as it stands.
    fn callers(self) -> BTreeSet<String> {
        grants::callers(self.states[1], self.perimeter, self.texts)
    }
}

/// The scope of an edit.
pub fn scope(edit: &Edit, between: Between<'_>) -> Scope {
    let Between { states, perimeter, .. } = between;
    let of = |id: &HolderId| Scope { who: principals(id, between), ..Scope::default() };
    match edit {
        Edit::Made(made) => Scope { is_tag: !made.tags.is_empty(), ..of(&made.holder) },
        // A group gives its users what it gave them, whatever its name is.
        Edit::Renamed { from, .. } if from.kind == HolderKind::Group => Scope::default(),
        Edit::Renamed { from, to, .. } => {
            Scope { who: [from, to].map(|id| Who::Holder(id.clone())).into(), ..Scope::default() }
        }
        Edit::Gone(id) | Edit::Inline { holder: id, .. } | Edit::Attached { holder: id, .. } => of(id),
        Edit::Member { user, .. } => of(user),
        Edit::Boundary { holder, policy } => {
            Scope { guard: Some(Guard::Boundary), is_removal: policy.is_none(), ..of(holder) }
        }
        Edit::Tagged { holder, .. } => Scope { is_tag: true, ..of(holder) },
        Edit::Version { policy, .. }
        | Edit::DefaultVersion { policy, .. }
        | Edit::VersionGone { policy, .. }
        | Edit::ManagedGone(policy) => of_managed(policy, between),
        // What a policy is called decides nothing, nor do policies of other types.
        Edit::Control { kind: None, text: None, .. } | Edit::OtherControl(_) => Scope::default(),
        Edit::Control { id, .. } | Edit::ControlGone(id) | Edit::ControlAttached { id, .. }
            if states.iter().any(|state| state.organization.others.contains(id)) =>
        {
            Scope::default()
        }
        Edit::Control { id, .. } | Edit::ControlGone(id) => {
            let removes = matches!(edit, Edit::ControlGone(_));
            controlled(id, &bound(edit, id, between), between, removes)
        }
        Edit::ControlAttached { id, target, is } => {
            let is_below =
                |account: &str| states.iter().any(|state| state.organization.may_be_below(account, target));
            controlled(id, &accounts(perimeter, is_below), between, !is)
        }
        Edit::ControlType { kind, is_on } => Scope {
            who: everybody(between.callers()),
            guard: Some(Guard::Control(*kind)),
            is_removal: !is_on,
            ..Scope::default()
        },
        Edit::Moved { account, .. } => moved(account, between, false),
        Edit::Left { account } => moved(account, between, true),
        Edit::TableMade { table, .. } | Edit::Replica(table) => of_table(table, between),
        Edit::TablePolicy { table, text } => {
            Scope { guard: Some(Guard::Table), is_removal: text.is_none(), ..of_table(table, between) }
        }
        Edit::TableTagged { table, .. } => {
            let [before, _] = states;
            let is_told = before.tables.get(table).is_some_and(|known| known.tags.is_some());
            let unknown_tags = (!is_told).then(|| format!("which tags `{table}` has"));
            Scope { is_tag: true, unknown_tags, ..of_table(table, between) }
        }
        Edit::Untold(part) => untold(part, between),
        // They let nobody in by themselves, or are judged by their text alone.
        Edit::Trust { .. }
        | Edit::Unit { .. }
        | Edit::TableGone(_)
        | Edit::EndpointMade { .. }
        | Edit::EndpointPolicy { .. }
        | Edit::EndpointGone(_) => Scope::default(),
    }
}

/// A role or user itself; of a group, its users.
fn principals(id: &HolderId, between: Between<'_>) -> BTreeSet<Who> {
    let states = between.states;
    match id.kind {
        HolderKind::Role | HolderKind::User => BTreeSet::from([Who::Holder(id.clone())]),
        HolderKind::Group => {
            let members = states.iter().flat_map(|state| state.members(id)).cloned().map(Who::Holder);
            let unknown = format!("who is in group `{}`", id.name);
            members.chain(others(&id.account, unknown, between)).collect()
        }
    }
}

/// Those of an account whom nothing told of, and those of whom nothing told what they have. What accounts that are not ours
/// are given is told by what gives it.
fn others(account: &str, unknown: String, Between { states, perimeter, .. }: Between<'_>) -> BTreeSet<Who> {
    let is_untold = |holder: &Holder| holder.is_partial && holder.unique_id.is_none();
    let of_account = states.iter().flat_map(|state| state.holders.iter());
    let mut of_account = of_account.filter(|(id, _)| id.account == account && id.kind != HolderKind::Group);
    let is_read = states.iter().all(|state| state.read.contains(account));
    let is_told = is_read && !of_account.any(|(_, holder)| is_untold(holder));
    let some =
        (!is_told && perimeter.lists(account)).then(|| Who::Some { account: account.to_owned(), unknown });
    some.into_iter().collect()
}

/// Those who have a managed policy: of its own account, as nobody else can.
fn of_managed(policy: &str, between: Between<'_>) -> Scope {
    let states = between.states;
    let holders = states.iter().flat_map(|state| state.holders_of(policy));
    let holders = holders.filter(|id| id.kind != HolderKind::Group).cloned().map(Who::Holder);
    let account = Arn::parse(policy).map_or("", |arn| arn.account);
    let unknown = format!("who has policy `{policy}`");
    let is_boundary = states
        .iter()
        .any(|state| state.holders.values().any(|holder| holder.boundary.as_deref() == Some(policy)));
    Scope {
        who: holders.chain(others(account, unknown, between)).collect(),
        guard: is_boundary.then_some(Guard::Boundary),
        ..Scope::default()
    }
}

/// What a policy of the organization is attached to.
fn targets(id: &str, states: [&State; 2]) -> BTreeSet<String> {
    let attached = states.iter().flat_map(|state| &state.organization.attached);
    attached.filter(|(_, ids)| ids.contains(id)).map(|(target, _)| target.clone()).collect()
}

/// Accounts that a policy may be above: below what it is attached to, and where it is not told what is attached. One that
/// is made now, or deleted, is attached to nothing.
fn bound(edit: &Edit, id: &str, Between { states, perimeter, .. }: Between<'_>) -> BTreeSet<String> {
    let targets = targets(id, states);
    let may_be_anywhere = matches!(edit, Edit::Control { kind: None, .. });
    accounts(perimeter, |account| {
        states.iter().any(|State { organization, .. }| {
            targets.iter().any(|target| organization.may_be_below(account, target))
                || may_be_anywhere && organization.may_have_more_above(account)
        })
    })
}

/// Accounts of the perimeter.
fn accounts(perimeter: &Perimeter, takes: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let all = perimeter.accounts.keys().map(|account| account.as_str());
    all.filter(|account| takes(account)).map(str::to_owned).collect()
}

fn controlled(id: &str, below: &BTreeSet<String>, between: Between<'_>, is_removal: bool) -> Scope {
    let states = between.states;
    let mut kinds = states.iter().filter_map(|state| state.organization.policies.get(id)?.kind);
    let kind = kinds.next_back();
    // What binds resources binds whoever comes to them, from all accounts.
    let mut who = between.callers();
    match kind {
        Some(ControlKind::Service) => who.retain(|account| below.contains(account)),
        Some(ControlKind::Resource) | None if below.is_empty() => who.clear(),
        Some(ControlKind::Resource) | None => {}
    }
    Scope { who: everybody(who), guard: kind.map(Guard::Control), is_removal, ..Scope::default() }
}

/// An account under other policies, of both kinds.
fn moved(account: &str, between: Between<'_>, is_removal: bool) -> Scope {
    let states = between.states;
    let is_changed = |kind: &ControlKind| {
        let [before, after] = states.map(|state| state.organization.levels(account, *kind));
        let is_untold = before.iter().chain(&after).flatten().any(|(id, _)| id.is_empty());
        before != after || is_untold
    };
    let changed: Vec<ControlKind> = ControlKind::ALL.into_iter().filter(is_changed).collect();
    let mut who = between.callers();
    if changed == [ControlKind::Service] {
        who.retain(|of| of == account);
    }
    let guard = changed.first().copied().map(Guard::Control);
    Scope { who: everybody(who), guard, is_removal, ..Scope::default() }
}

/// Of accounts that are not enforced, those count that the table's policy lets in.
fn of_table(table: &str, Between { states: [_, after], perimeter, texts }: Between<'_>) -> Scope {
    let mut who = granted(perimeter, texts, after.tables.get(table).into_iter());
    who.extend(accounts(perimeter, |account| perimeter.enforces(account)));
    Scope { who: everybody(who), table: Some(table.to_owned()), ..Scope::default() }
}

fn untold(part: &Part, between: Between<'_>) -> Scope {
    match part {
        Part::Holder(id) => Scope { who: principals(id, between), ..Scope::default() },
        Part::Managed(policy) => of_managed(policy, between),
        Part::Organization => Scope { who: everybody(between.callers()), ..Scope::default() },
        Part::Table(table) => of_table(table, between),
        Part::Endpoint(_) => Scope::default(),
    }
}

fn everybody(accounts: BTreeSet<String>) -> BTreeSet<Who> {
    accounts.into_iter().map(|account| Who::Everybody { account }).collect()
}

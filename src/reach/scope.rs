//! Of whom, and of which tables, a change can speak at all.

use std::collections::BTreeSet;

use super::policies::{Guard, Who};
use crate::iam::state::{ControlKind, Edit, HolderId, HolderKind, Part, State};
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
}

/// The scope of an edit, between a state before and one after it.
pub fn scope(edit: &Edit, states: [&State; 2], perimeter: &Perimeter) -> Scope {
    let holders = |ids: BTreeSet<HolderId>| Scope {
        who: ids.into_iter().map(Who::Holder).collect(),
        ..Scope::default()
    };
    let of = |id: &HolderId| holders(principals(id, states));
    match edit {
        Edit::Made(made) => Scope { is_tag: !made.tags.is_empty(), ..of(&made.holder) },
        Edit::Renamed { from, to, .. } => {
            holders(principals(from, states).into_iter().chain(principals(to, states)).collect())
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
        | Edit::ManagedGone(policy) => of_managed(policy, states),
        Edit::Control { id, .. } | Edit::ControlGone(id) => {
            let removes = matches!(edit, Edit::ControlGone(_));
            controlled(id, targets(id, states), states, perimeter, removes)
        }
        Edit::ControlAttached { id, target, is } => {
            controlled(id, BTreeSet::from([target.clone()]), states, perimeter, !is)
        }
        Edit::ControlType { kind, is_on } => Scope {
            who: everybody(enforced(perimeter)),
            guard: Some(Guard::Control(*kind)),
            is_removal: !is_on,
            ..Scope::default()
        },
        Edit::Moved { account, .. } => moved(account, states, perimeter, false),
        Edit::Left { account } => moved(account, states, perimeter, true),
        Edit::TableMade { table, .. } => of_table(table, perimeter),
        Edit::TablePolicy { table, text } => {
            Scope { guard: Some(Guard::Table), is_removal: text.is_none(), ..of_table(table, perimeter) }
        }
        Edit::TableTagged { table, .. } => Scope { is_tag: true, ..of_table(table, perimeter) },
        Edit::Untold(part) => untold(part, states, perimeter),
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
fn principals(id: &HolderId, states: [&State; 2]) -> BTreeSet<HolderId> {
    match id.kind {
        HolderKind::Role | HolderKind::User => BTreeSet::from([id.clone()]),
        HolderKind::Group => states.iter().flat_map(|state| state.members(id)).cloned().collect(),
    }
}

fn of_managed(policy: &str, states: [&State; 2]) -> Scope {
    let holders = states.iter().flat_map(|state| state.holders_of(policy));
    let holders = holders.filter(|id| id.kind != HolderKind::Group).cloned();
    let is_boundary = states
        .iter()
        .any(|state| state.holders.values().any(|holder| holder.boundary.as_deref() == Some(policy)));
    Scope {
        who: holders.map(Who::Holder).collect(),
        guard: is_boundary.then_some(Guard::Boundary),
        ..Scope::default()
    }
}

/// What a policy of the organization is attached to.
fn targets(id: &str, states: [&State; 2]) -> BTreeSet<String> {
    let attached = states.iter().flat_map(|state| &state.organization.attached);
    attached.filter(|(_, ids)| ids.contains(id)).map(|(target, _)| target.clone()).collect()
}

fn controlled(
    id: &str,
    targets: BTreeSet<String>,
    states: [&State; 2],
    perimeter: &Perimeter,
    is_removal: bool,
) -> Scope {
    let mut kinds = states.iter().filter_map(|state| state.organization.policies.get(id)?.kind);
    let kind = kinds.next_back();
    let below: BTreeSet<String> = states
        .iter()
        .flat_map(|state| targets.iter().flat_map(|target| state.organization.accounts_below(target)))
        .map(str::to_owned)
        .collect();
    // What binds resources binds whoever comes to them, from all accounts.
    let accounts = match kind {
        Some(ControlKind::Service) => {
            below.into_iter().filter(|account| perimeter.enforces(account)).collect()
        }
        Some(ControlKind::Resource) | None if below.is_empty() => BTreeSet::new(),
        Some(ControlKind::Resource) | None => enforced(perimeter),
    };
    Scope { who: everybody(accounts), guard: kind.map(Guard::Control), is_removal, ..Scope::default() }
}

/// An account under other policies, of both kinds.
fn moved(account: &str, states: [&State; 2], perimeter: &Perimeter, is_removal: bool) -> Scope {
    let levels = |kind| states.map(|state| state.organization.levels(account, kind));
    let changed = ControlKind::ALL.into_iter().find(|kind| {
        let [before, after] = levels(*kind);
        before != after
    });
    let accounts = match changed {
        Some(ControlKind::Service)
            if levels(ControlKind::Resource)[0] == levels(ControlKind::Resource)[1] =>
        {
            BTreeSet::from([account.to_owned()])
        }
        _ => enforced(perimeter),
    };
    let accounts = accounts.into_iter().filter(|account| perimeter.enforces(account)).collect();
    Scope { who: everybody(accounts), guard: changed.map(Guard::Control), is_removal, ..Scope::default() }
}

fn of_table(table: &str, perimeter: &Perimeter) -> Scope {
    Scope { who: everybody(enforced(perimeter)), table: Some(table.to_owned()), ..Scope::default() }
}

fn untold(part: &Part, states: [&State; 2], perimeter: &Perimeter) -> Scope {
    match part {
        Part::Holder(id) => {
            let who = principals(id, states).into_iter().map(Who::Holder).collect();
            Scope { who, ..Scope::default() }
        }
        Part::Managed(policy) => of_managed(policy, states),
        Part::Organization => Scope { who: everybody(enforced(perimeter)), ..Scope::default() },
        Part::Table(table) => of_table(table, perimeter),
        Part::Endpoint(_) => Scope::default(),
    }
}

fn everybody(accounts: BTreeSet<String>) -> BTreeSet<Who> {
    accounts.into_iter().map(|account| Who::Everybody { account }).collect()
}

fn enforced(perimeter: &Perimeter) -> BTreeSet<String> {
    let accounts = perimeter.accounts.keys().map(|account| account.as_str().to_owned());
    accounts.filter(|account| perimeter.enforces(account)).collect()
}

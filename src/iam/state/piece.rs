//! What is read from AWS by itself, because an event does not carry it: what to ask for, and what the answer does to what
//! is known.
//!
//! What was read may be of later than the event. So what stood before is taken from it only where nothing else tells, and
//! without what this change or one after it did.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::differences::{compare, is_another, is_other_policy, made, table_changes};
use super::{Control, Edit, Endpoint, Holder, HolderId, HolderKind, Managed, Part, State, Table, Text};

/// What is asked for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Wanted {
    /// A role, user or group, with all that is put on it.
    Holder(HolderId),
    /// A managed policy, and the account that has it on somebody: AWS's own are in all.
    Managed { policy: String, account: String },
    /// A policy of the organization, by id.
    Control(String),
    /// A table or stream, by ARN.
    Table(String),
    /// An endpoint, by id.
    Endpoint(String),
    /// All roles, users, groups and managed policies of an account.
    Account(String),
}

/// What was answered. `None`: there is no such thing; of an endpoint, or it leads to another service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Piece {
    Holder(HolderId, Option<Holder>),
    Managed(String, Option<Managed>),
    Control(String, Option<Control>),
    /// A policy of the organization of a type that decides no request.
    OtherControl(String),
    Table(String, Option<Table>),
    Endpoint(String, Option<Endpoint>),
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wanted::Holder(id) => write!(f, "{} `{}` of account {}", id.kind.name(), id.name, id.account),
            Wanted::Managed { policy, .. } => write!(f, "policy `{policy}`"),
            Wanted::Control(id) => write!(f, "policy `{id}` of the organization"),
            Wanted::Table(arn) => write!(f, "table `{arn}`"),
            Wanted::Endpoint(id) => write!(f, "endpoint `{id}`"),
            Wanted::Account(account) => write!(f, "IAM of account {account}"),
        }
    }
}

/// What an edit leaves out and whoever reads AWS can tell.
pub fn left_out(edit: &Edit) -> Option<Wanted> {
    let untold = |text: &Text| *text == Text::Untold;
    let managed = |policy: &String| Wanted::Managed { policy: policy.clone(), account: account_of(policy) };
    Some(match edit {
        Edit::Inline { holder, text: Some(Text::Untold), .. }
        | Edit::Trust { role: holder, text: Text::Untold } => Wanted::Holder(holder.clone()),
        Edit::Made(new) if new.is_partial || new.trust.as_ref().is_some_and(untold) => {
            Wanted::Holder(new.holder.clone())
        }
        Edit::Version { policy, text: Text::Untold, is_default: true, .. }
        | Edit::DefaultVersion { policy, version: None } => managed(policy),
        Edit::Control { id, text: Some(Text::Untold), .. } => Wanted::Control(id.clone()),
        Edit::TablePolicy { table, text: Some(Text::Untold) }
        | Edit::TableMade { table, policy: Some(Text::Untold), .. }
        | Edit::TableMade { table, tags: None, .. } => Wanted::Table(table.clone()),
        Edit::EndpointPolicy { endpoint, text: Some(Text::Untold) }
        | Edit::EndpointMade { endpoint, policy: Some(Text::Untold), .. } => {
            Wanted::Endpoint(endpoint.clone())
        }
        Edit::Untold(part) => match part {
            Part::Holder(id) => Wanted::Holder(id.clone()),
            Part::Managed(policy) => managed(policy),
            Part::Table(table) => Wanted::Table(table.clone()),
            Part::Endpoint(endpoint) => Wanted::Endpoint(endpoint.clone()),
            // As many requests as there are units and accounts: a sweep makes them.
            Part::Organization => return None,
        },
        _ => return None,
    })
}

fn account_of(policy: &str) -> String {
    crate::ids::Arn::parse(policy).map_or("", |arn| arn.account).to_owned()
}

/// What this says in the place of an edit that leaves it out. `None`: it does not show what was written, or does not yet.
pub fn told_by(edit: &Edit, state: &State, pieces: &[Piece]) -> Option<Vec<Edit>> {
    let Some(wanted) = left_out(edit) else { return Some(vec![edit.clone()]) };
    if is_elsewhere(&wanted, edit, state, pieces) {
        return Some(Vec::new());
    }
    let filled = pieces.iter().find_map(|piece| filled(edit, piece));
    filled.or_else(|| {
        let of_part = |piece: &&Piece| matches!(edit, Edit::Untold(part) if piece.is_of(part));
        Some(pieces.iter().find(of_part)?.edits_from(state))
    })
}

/// Is it an endpoint that leads to another service, as most do? One that is made may not be seen yet.
fn is_elsewhere(wanted: &Wanted, edit: &Edit, state: &State, pieces: &[Piece]) -> bool {
    let Wanted::Endpoint(id) = wanted else { return false };
    let is_none = pieces.iter().any(|piece| matches!(piece, Piece::Endpoint(of, None) if of == id));
    is_none && !matches!(edit, Edit::EndpointMade { .. }) && !state.endpoints.contains_key(id)
}

/// The same edit, with the text that was read.
fn filled(edit: &Edit, piece: &Piece) -> Option<Vec<Edit>> {
    let mut new = edit.clone();
    match (&mut new, piece) {
        (Edit::Inline { holder, name, text }, Piece::Holder(id, Some(read))) if holder == id => {
            *text = Some(read.inline.get(name).filter(|text| **text != Text::Untold)?.clone());
        }
        (Edit::Trust { role, text }, Piece::Holder(id, Some(read))) if role == id => {
            *text = read.trust.clone().filter(|text| *text != Text::Untold)?;
        }
        (Edit::Made(made_by), Piece::Holder(id, Some(read))) if made_by.holder == *id => {
            return Some(made(id, read));
        }
        (Edit::Version { policy, version, text, .. }, Piece::Managed(arn, Some(read))) if policy == arn => {
            let id = version.as_ref().or(read.default.as_ref())?;
            *text = read.versions.get(id).filter(|text| **text != Text::Untold)?.clone();
        }
        (Edit::DefaultVersion { policy, version }, Piece::Managed(arn, Some(read))) if policy == arn => {
            version.clone_from(&read.default);
            return Some(vec![default_version(arn, read), new]);
        }
        (Edit::Control { id, .. }, Piece::OtherControl(other)) if id == other => {
            new = Edit::OtherControl(other.clone());
        }
        (Edit::Control { id, kind, text, .. }, Piece::Control(read_id, Some(read))) if id == read_id => {
            *kind = kind.or(read.kind);
            *text = Some(read.text.clone()).filter(|text| *text != Text::Untold);
            text.as_ref()?;
        }
        (Edit::TablePolicy { table, text }, Piece::Table(arn, Some(read))) if table == arn => {
            *text = Some(read.policy.clone().filter(|text| *text != Text::Untold)?);
        }
        (Edit::TableMade { table, policy, tags }, Piece::Table(arn, Some(read))) if table == arn => {
            if *policy == Some(Text::Untold) {
                *policy = Some(read.policy.clone().filter(|text| *text != Text::Untold)?);
            }
            *tags = tags.clone().or_else(|| read.tags.clone());
        }
        (Edit::EndpointPolicy { endpoint, text }, Piece::Endpoint(id, Some(read))) if endpoint == id => {
            *text = Some(read.policy.clone().filter(|text| *text != Text::Untold)?);
        }
        (Edit::EndpointMade { endpoint, vpc, policy }, Piece::Endpoint(id, Some(read))) if endpoint == id => {
            *policy = Some(read.policy.clone().filter(|text| *text != Text::Untold)?);
            *vpc = vpc.clone().or_else(|| read.vpc.clone());
        }
        _ => return None,
    }
    Some(vec![new])
}

fn default_version(policy: &str, read: &Managed) -> Edit {
    let (version, text) = (read.default.clone(), read.text());
    Edit::Version { policy: policy.to_owned(), version, text, is_default: true }
}

impl Piece {
    fn is_of(&self, part: &Part) -> bool {
        match (self, part) {
            (Piece::Holder(id, _), Part::Holder(of)) => id == of,
            (Piece::Managed(id, _), Part::Managed(of))
            | (Piece::Table(id, _), Part::Table(of))
            | (Piece::Endpoint(id, _), Part::Endpoint(of)) => id == of,
            _ => false,
        }
    }

    /// The edits after which a state is as this says. Where it was not told before, all of it is new.
    pub fn edits_from(&self, state: &State) -> Vec<Edit> {
        match self {
            Piece::Holder(id, read) => {
                holder_edits(id, state.holders.get(id).map(AsRef::as_ref), read.as_ref())
            }
            Piece::Managed(arn, Some(read)) => {
                let known = state.managed.get(arn).map(|known| known.text());
                let is_news = known.is_none_or(|known| known != read.text());
                is_news.then(|| default_version(arn, read)).into_iter().collect()
            }
            Piece::Managed(arn, None) => {
                state.managed.contains_key(arn).then(|| Edit::ManagedGone(arn.clone())).into_iter().collect()
            }
            Piece::Control(..) | Piece::OtherControl(_) => Vec::new(),
            Piece::Table(arn, Some(read)) => match state.tables.get(arn) {
                Some(known) if known.policy == Some(Text::Untold) && read.policy.is_some() => {
                    vec![Edit::TablePolicy { table: arn.clone(), text: read.policy.clone() }]
                }
                Some(known) => table_changes(arn, known, read),
                None => vec![Edit::TablePolicy { table: arn.clone(), text: read.policy.clone() }],
            },
            Piece::Table(arn, None) => vec![Edit::TableGone(arn.clone())],
            Piece::Endpoint(id, Some(read)) => {
                let known = state.endpoints.get(id);
                let known_policy = known.and_then(|known| known.policy.as_ref());
                let is_untold = known.is_none() || known_policy == Some(&Text::Untold);
                let is_news = is_untold || is_other_policy(known_policy, read.policy.as_ref());
                let edit = Edit::EndpointPolicy { endpoint: id.clone(), text: read.policy.clone() };
                is_news.then_some(edit).into_iter().collect()
            }
            Piece::Endpoint(id, None) => vec![Edit::EndpointGone(id.clone())],
        }
    }
}

fn holder_edits(id: &HolderId, known: Option<&Holder>, read: Option<&Holder>) -> Vec<Edit> {
    let Some(read) = read else {
        return known.map(|_| Edit::Gone(id.clone())).into_iter().collect();
    };
    match known {
        Some(known) if known.is_partial || is_another(known, read) => {
            std::iter::once(Edit::Gone(id.clone())).chain(made(id, read)).collect()
        }
        Some(known) => {
            let (mut narrower, mut wider) = (Vec::new(), Vec::new());
            compare(id, [known, read], &mut narrower, &mut wider);
            narrower.into_iter().chain(wider).collect()
        }
        None => made(id, read),
    }
}

/// What an edit refers to, or adds to, of which the state does not know what it says.
pub fn unknown_to(edit: &Edit, state: &State) -> BTreeSet<Wanted> {
    let mut wanted = BTreeSet::new();
    match edit {
        // What takes something away, or puts another in its place, does not tell what was there before.
        Edit::Attached { holder, policy, is: true } => {
            unknown_policy(policy, &holder.account, state, &mut wanted);
            unknown_holder(holder, state, &mut wanted);
        }
        Edit::Inline { holder, text: Some(Text::Known(_)), .. } => unknown_holder(holder, state, &mut wanted),
        Edit::Boundary { holder, policy: Some(policy) } => {
            unknown_policy(policy, &holder.account, state, &mut wanted);
        }
        Edit::Made(new) => {
            if let Some(policy) = &new.boundary {
                unknown_policy(policy, &new.holder.account, state, &mut wanted);
            }
        }
        Edit::Member { user, group, is: true } => {
            let group = HolderId { kind: HolderKind::Group, name: group.clone(), ..user.clone() };
            unknown_holder(&group, state, &mut wanted);
            unknown_holder(user, state, &mut wanted);
        }
        Edit::DefaultVersion { policy, version: Some(version) } => {
            let known = state.managed.get(policy);
            let text = known.and_then(|known| known.versions.get(version));
            if text.is_none_or(|text| *text == Text::Untold) {
                wanted.insert(Wanted::Managed { policy: policy.clone(), account: account_of(policy) });
            }
        }
        Edit::ControlAttached { id, .. }
        | Edit::Control { id, kind: None, text: Some(Text::Known(_)), .. } => {
            let organization = &state.organization;
            let known = organization.policies.get(id);
            let is_told = known.is_some_and(|known| known.kind.is_some() && known.text != Text::Untold);
            if !is_told && !organization.others.contains(id) {
                wanted.insert(Wanted::Control(id.clone()));
            }
        }
        _ => {}
    }
    wanted
}

fn unknown_policy(policy: &str, account: &str, state: &State, wanted: &mut BTreeSet<Wanted>) {
    if state.managed.get(policy).is_none_or(|known| known.text() == Text::Untold) {
        wanted.insert(Wanted::Managed { policy: policy.to_owned(), account: account.to_owned() });
    }
}

/// A role, user or group, or whatever is put on it.
fn unknown_holder(id: &HolderId, state: &State, wanted: &mut BTreeSet<Wanted>) {
    let Some(known) = state.holders.get(id).filter(|known| !known.is_partial) else {
        wanted.insert(Wanted::Holder(id.clone()));
        return;
    };
    for policy in known.attached.iter().chain(&known.boundary) {
        unknown_policy(policy, &id.account, state, wanted);
    }
    for group in &known.groups {
        let group = HolderId { kind: HolderKind::Group, name: group.clone(), ..id.clone() };
        unknown_holder(&group, state, wanted);
    }
}

impl State {
    /// Takes in, where nothing else tells it, what stood before `later`: edits that were made then, some of which are in
    /// what was read.
    pub fn learn(&mut self, piece: &Piece, later: &[Edit]) {
        match piece {
            Piece::Holder(id, Some(read)) if !self.knows_holder(id) => {
                let mut holder = read.clone();
                later.iter().for_each(|edit| take_back(id, &mut holder, edit));
                self.holders.insert(id.clone(), holder);
            }
            Piece::Managed(arn, Some(read)) => self.learn_managed(arn, read, later),
            Piece::OtherControl(id) => {
                Arc::make_mut(&mut self.organization).apply(&Edit::OtherControl(id.clone()))
            }
            Piece::Control(id, Some(read)) if !self.organization.others.contains(id) => {
                let is_rewritten = later
                    .iter()
                    .any(|edit| matches!(edit, Edit::Control { id: of, text: Some(_), .. } if of == id));
                let known = Arc::make_mut(&mut self.organization).policies.entry(id.clone());
                let known = known.or_insert_with(|| Control { text: Text::Untold, ..read.clone() });
                known.kind = known.kind.or(read.kind);
                if known.text == Text::Untold && !is_rewritten {
                    known.text.clone_from(&read.text);
                }
            }
            _ => {}
        }
    }

    /// Takes in what an event left out, as far as it stood before. Of a role, user or group of which nothing was known,
    /// nothing that gives it anything did, where the event does not say what it changed.
    pub fn prepare(&mut self, piece: &Piece, edits: &[Edit], later: &[Edit]) {
        let Piece::Holder(id, Some(read)) = piece else { return };
        let is = |edit: &Edit| matches!(edit, Edit::Untold(Part::Holder(of)) if of == id);
        let is_made = |edit: &Edit| matches!(edit, Edit::Made(new) if new.holder == *id);
        if self.knows_holder(id) || edits.iter().any(is_made) {
            return;
        }
        self.learn(piece, later);
        if edits.iter().any(is) {
            let bare = Holder {
                inline: Default::default(),
                attached: Default::default(),
                groups: Default::default(),
                ..read.clone()
            };
            self.holders.insert(id.clone(), bare);
        }
    }

    fn knows_holder(&self, id: &HolderId) -> bool {
        self.holders.get(id).is_some_and(|known| !known.is_partial)
    }

    fn learn_managed(&mut self, arn: &str, read: &Managed, later: &[Edit]) {
        let is_changed = later.iter().any(|edit| {
            matches!(edit, Edit::DefaultVersion { policy, .. } | Edit::Version { policy, is_default: true, .. } if policy == arn)
        });
        let known = self.managed.get_or_insert_with(arn.to_owned(), Managed::default);
        for (version, text) in &read.versions {
            let known = known.versions.entry(version.clone()).or_insert(Text::Untold);
            if *known == Text::Untold {
                known.clone_from(text);
            }
        }
        if known.default.is_none() && !is_changed {
            known.default.clone_from(&read.default);
        }
    }
}

/// Takes out of what was read what an edit put there.
fn take_back(id: &HolderId, holder: &mut Holder, edit: &Edit) {
    match edit {
        Edit::Inline { holder: of, name, text: Some(_) } if of == id => drop(holder.inline.remove(name)),
        Edit::Attached { holder: of, policy, is: true } if of == id => drop(holder.attached.remove(policy)),
        Edit::Member { user, group, is: true } if user == id => drop(holder.groups.remove(group)),
        _ => {}
    }
}

//! What stands, as the prover takes it.
//!
//! What nobody told is laid out as the worst there could be: an identity policy as one that allows everything, a
//! boundary, an endpoint's or the organization's policy as one that denies nothing. So an `open` may be due to what is
//! not known, and is then a [`Laid::doubts`]. A table's policy has no worst: left out it may let less in, and more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::texts::{Reader, Texts};
use crate::iam::document::{Effect, Kind};
use crate::iam::evaluate::Policy;
use crate::iam::state::{self, Control, ControlKind, Holder, HolderId, HolderKind, State, Text};
use crate::ids::{Arn, partition_of};
use crate::perimeter::{Mode, Perimeter};
use crate::prove::bundle::{Bundle, Endpoint, Principal, Table};

/// Who is asked about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Who {
    /// Every role and user that there could be in an account, and its root.
    Everybody { account: String },
    /// A role or user that there is, or was.
    Holder(HolderId),
    /// Roles or users of an account, nobody knows which: a phrase that goes on "it is not known …".
    Some { account: String, unknown: String },
}

impl Who {
    /// Of which account.
    pub fn account(&self) -> &str {
        match self {
            Who::Everybody { account } | Who::Some { account, .. } => account,
            Who::Holder(id) => &id.account,
        }
    }
}

/// Somebody who makes one call.
#[derive(Clone, Debug)]
pub struct Calling<'c> {
    /// What `aws:PrincipalArn` holds.
    pub arn: &'c str,
    pub account: &'c str,
    /// As `AROA…`, where it was told.
    pub unique_id: Option<&'c str>,
    /// What its own policies hang on. `None`: it has none, as root has, or nothing could tell them.
    pub holder: Option<HolderId>,
    /// Service control policies bind it.
    pub is_bound: bool,
    /// Resource control policies have a say in what it does.
    pub owner_is_bound: bool,
}

/// A bundle, and what is not known of it.
#[derive(Debug, Default)]
pub struct Laid {
    pub bundle: Bundle,
    /// Phrases that go on "it is not known …".
    pub doubts: BTreeSet<String>,
    /// Those of them for which what is not allowed here may be allowed.
    pub gaps: BTreeSet<String>,
    /// Those of them that are about policies of the organization, which take away and give nothing.
    pub above: BTreeSet<String>,
}

/// Guards of one kind.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Guard {
    Control(ControlKind),
    Table,
    Boundary,
}

impl Laid {
    /// Without the guards of all other kinds.
    pub fn only(mut self, guard: Guard) -> Self {
        let bundle = &mut self.bundle;
        if guard != Guard::Control(ControlKind::Service) {
            bundle.service_control.clear();
        }
        if guard != Guard::Control(ControlKind::Resource) {
            bundle.resource_control.clear();
        }
        if guard != Guard::Table {
            bundle.tables.iter_mut().for_each(|table| table.policy = None);
        }
        if guard != Guard::Boundary {
            bundle.principals.iter_mut().for_each(|principal| principal.boundary = None);
        }
        self
    }
}

/// A state that is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'s> {
    pub state: &'s State,
    pub perimeter: &'s Perimeter,
    pub texts: &'s Texts,
    /// Tags of tables count. Where no policy speaks of them, tables are alike that differ in nothing else.
    pub has_tags: bool,
}

impl<'s> Layout<'s> {
    /// The policies that bind an account's resources, by their ids: accounts of which they are the same can be asked
    /// about together.
    pub fn binding(&self, account: &str) -> Vec<Vec<&'s str>> {
        let levels = self.controls(account, ControlKind::Resource);
        levels.iter().map(|level| level.iter().map(|(id, _)| *id).collect()).collect()
    }

    /// Does `*` stand for tables of these accounts? It stands for those of enforced accounts alone; of others, each that is
    /// there is asked about.
    pub fn asks_all(&self, owners: &BTreeSet<String>) -> bool {
        owners.iter().any(|owner| self.perimeter.enforces(owner))
    }

    /// The policies between somebody and the tables of accounts that the same policies bind: all of them together
    /// as `*`, with those beside it that have something of their own.
    pub fn together(&self, who: &Who, owners: &BTreeSet<String>) -> Laid {
        let is_observed = |arn: &str| {
            Arn::parse(arn).is_some_and(|arn| self.perimeter.mode_of(arn.account) != Mode::Enforce)
        };
        let own = |table: &Table| table.policy.is_some() || table.tags.is_some() || is_observed(&table.arn);
        let mut laid = self.laid(who, owners, None, |table| own(table) && may_reach(who, table));
        if self.asks_all(owners) {
            laid.bundle.tables.insert(0, Table { arn: "*".into(), policy: None, tags: None });
        }
        laid
    }

    /// What was laid out for everybody, for several roles and users of the account, and what is not known of each.
    pub fn of_all(&self, mut laid: Laid, ids: &[&HolderId]) -> (Laid, Vec<BTreeSet<String>>) {
        let holders = ids.iter().filter_map(|id| Some((*id, self.state.holders.get(*id)?)));
        let of_holder = |(id, holder): (&HolderId, &Arc<Holder>)| {
            let mut reader = Reader::new(self.texts);
            (self.principal(id, holder, &mut reader), reader.doubts)
        };
        let (principals, doubts) = holders.map(of_holder).unzip();
        laid.bundle.principals = principals;
        (laid, doubts)
    }

    /// The same, each table by itself; of those, one alone or all.
    pub fn each(&self, who: &Who, owners: &BTreeSet<String>, only: Option<&str>) -> Laid {
        self.laid(who, owners, only, |table| only.is_some() || may_reach(who, table))
    }

    /// The policies between one caller and one table, and those of the endpoint that the call came through.
    pub fn between(&self, caller: &Calling<'_>, table: &str, endpoint: Option<&str>) -> Laid {
        let mut reader = Reader::new(self.texts);
        let owner = Arn::parse(table).map_or("", |arn| arn.account);
        let mut bundle = Bundle { principals: vec![self.caller(caller, &mut reader)], ..Bundle::default() };
        if caller.is_bound {
            bundle.service_control = self.levels(caller.account, ControlKind::Service, &mut reader);
        }
        if caller.owner_is_bound {
            bundle.resource_control = self.levels(owner, ControlKind::Resource, &mut reader);
        }
        match self.state.tables.get(table) {
            Some(known) => bundle.tables.push(read_table(table, known, &mut reader)),
            None => {
                reader.unknown(format!("what policy table `{table}` has"), Kind::Table);
            }
        }
        match endpoint.map(|id| (id, self.state.endpoints.get(id))) {
            Some((id, Some(known))) => bundle.endpoints.push(read_endpoint(id, known, &mut reader)),
            Some((id, None)) => reader.doubt(format!("what policy endpoint `{id}` has")),
            None => {}
        }
        Laid { bundle, doubts: reader.doubts, gaps: reader.gaps, above: BTreeSet::new() }
    }

    /// A caller as it stands, unless it is another one than it was told of under the same name.
    fn caller(&self, caller: &Calling<'_>, reader: &mut Reader<'_>) -> Principal {
        let Some(id) = &caller.holder else { return principal(caller.arn.to_owned()) };
        let known = self.state.holders.get(id).filter(|holder| {
            let is_it = |known: &Option<String>, told: Option<&str>| {
                known.as_deref().zip(told).is_none_or(|(known, told)| known == told)
            };
            is_it(&holder.arn, Some(caller.arn)) && is_it(&holder.unique_id, caller.unique_id)
        });
        match known {
            Some(holder) => {
                let holder = Holder { arn: Some(caller.arn.to_owned()), ..Holder::clone(holder) };
                self.principal(id, &holder, reader)
            }
            None => {
                reader.doubt(format!("which policies {} `{}` had", id.kind.name(), id.name));
                principal(caller.arn.to_owned())
            }
        }
    }

    fn laid(
        &self,
        who: &Who,
        owners: &BTreeSet<String>,
        only: Option<&str>,
        takes: impl Fn(&Table) -> bool,
    ) -> Laid {
        let mut reader = Reader::new(self.texts);
        let owner = owners.first().map_or("", String::as_str);
        let service_control = self.levels(who.account(), ControlKind::Service, &mut reader);
        let resource_control = self.levels(owner, ControlKind::Resource, &mut reader);
        let above = reader.doubts.clone();
        let bundle = Bundle {
            principals: self.principals(who, &mut reader),
            service_control,
            resource_control,
            tables: self.tables(owners, only, &mut reader).into_iter().filter(|table| takes(table)).collect(),
            endpoints: self.endpoints(&mut reader),
            ..Bundle::default()
        };
        Laid { bundle, doubts: reader.doubts, gaps: reader.gaps, above }
    }

    fn principals(&self, who: &Who, reader: &mut Reader<'_>) -> Vec<Principal> {
        match who {
            Who::Everybody { account } => {
                let root = format!("arn:{}:iam::{account}:root", self.partition());
                vec![principal("*".into()), principal(root)]
            }
            // They may be anybody, and may do anything.
            Who::Some { unknown, .. } => {
                reader.doubt(unknown.clone());
                vec![principal("*".into())]
            }
            Who::Holder(id) => self
                .state
                .holders
                .get(id)
                .map(|holder| self.principal(id, holder, reader))
                .into_iter()
                .collect(),
        }
    }

    fn partition(&self) -> &'static str {
        self.perimeter.vpcs.keys().next().map_or("aws", |vpc| partition_of(&vpc.region))
    }

    fn principal(&self, id: &HolderId, holder: &Holder, reader: &mut Reader<'_>) -> Principal {
        // A policy may let a path through: under one that is not known, it may be anybody of the account.
        let arn = holder.arn.clone().unwrap_or_else(|| {
            reader.doubt(format!("under which path {} `{}` lies", id.kind.name(), id.name));
            "*".to_owned()
        });
        if holder.is_partial {
            reader.doubt(format!("what else is put on {} `{}`", id.kind.name(), id.name));
        }
        let tags = (!holder.is_partial)
            .then(|| holder.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
        let identity = self.identity(id, holder, reader);
        let boundary = holder.boundary.as_ref();
        let boundary = boundary.and_then(|arn| reader.policy(arn, &self.managed(arn), Kind::Boundary));
        Principal { arn, session_arn: None, tags, identity, boundary, session: None }
    }

    /// A role's or user's own policies, and those of its groups. `None`: not all of them are known.
    fn identity(&self, id: &HolderId, holder: &Holder, reader: &mut Reader<'_>) -> Option<Vec<Policy>> {
        let mut holders = vec![holder];
        let mut is_known = !holder.is_partial;
        for name in &holder.groups {
            let kind = HolderKind::Group;
            let group = HolderId { account: id.account.clone(), kind, name: name.clone() };
            let group = self.state.holders.get(&group);
            if group.is_none_or(|group| group.is_partial) {
                reader.doubt(format!("what else is put on group `{name}`"));
                is_known = false;
            }
            holders.extend(group.map(AsRef::as_ref));
        }
        let mut policies = Vec::new();
        for holder in holders {
            let inline = holder.inline.iter().map(|(name, text)| (name, text.clone()));
            let attached = holder.attached.iter().map(|arn| (arn, self.managed(arn)));
            for (name, text) in inline.chain(attached) {
                match reader.policy(name, &text, Kind::Identity) {
                    Some(policy) => policies.push(policy),
                    None => is_known = false,
                }
            }
        }
        is_known.then_some(policies)
    }

    fn managed(&self, arn: &str) -> Text {
        self.state.managed.get(arn).map_or(Text::Untold, |managed| managed.text())
    }

    /// The policies of the organization above an account. None binds the management account.
    fn controls(&self, account: &str, kind: ControlKind) -> Vec<Vec<(&'s str, &'s Control)>> {
        let management = self.perimeter.management_account.as_ref();
        if management.is_some_and(|management| management.as_str() == account) {
            return Vec::new();
        }
        self.state.organization.levels(account, kind)
    }

    fn levels(&self, account: &str, kind: ControlKind, reader: &mut Reader<'_>) -> Vec<Vec<Policy>> {
        let of = match kind {
            ControlKind::Service => Kind::ServiceControl,
            ControlKind::Resource => Kind::ResourceControl,
        };
        let mut policy = |(id, control): (&str, &Control)| {
            // One that denies nothing stands for one that is not known.
            let full = Text::known(kind.full_access().1);
            if id.is_empty() {
                reader.doubt(format!("which policies of the organization are above account {account}"));
                return reader.policy("not known", &full, of);
            }
            if control.kind.is_none() {
                reader.doubt(format!("of which type policy `{}` of the organization is", control.name));
            }
            reader
                .policy(&control.name, &control.text, of)
                .or_else(|| reader.policy(&control.name, &full, of))
        };
        let levels = self.controls(account, kind).into_iter();
        levels.map(|level| level.into_iter().filter_map(&mut policy).collect()).collect()
    }

    /// Tables of these accounts, or one of them: what another's policy says then has no say.
    fn tables(&self, owners: &BTreeSet<String>, only: Option<&str>, reader: &mut Reader<'_>) -> Vec<Table> {
        let is_of_owners = |arn: &&String| Arn::parse(arn).is_some_and(|arn| owners.contains(arn.account));
        let is_asked = |arn: &&String| only.is_none_or(|only| *arn == only) && is_of_owners(arn);
        let tables = self.state.tables.iter().filter(|(arn, _)| is_asked(arn));
        let read = |(arn, table): (&String, &Arc<state::Table>)| {
            let table = read_table(arn, table, reader);
            Table { tags: table.tags.filter(|_| self.has_tags), ..table }
        };
        tables.map(read).collect()
    }

    fn endpoints(&self, reader: &mut Reader<'_>) -> Vec<Endpoint> {
        let endpoints = self.state.endpoints.iter();
        endpoints.map(|(id, endpoint)| read_endpoint(id, endpoint, reader)).collect()
    }
}

fn read_table(arn: &str, table: &state::Table, reader: &mut Reader<'_>) -> Table {
    let policy = table.policy.as_ref().and_then(|text| reader.policy(arn, text, Kind::Table));
    let tags = table.tags.as_ref();
    let tags = tags.map(|tags| tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
    Table { arn: arn.to_owned(), policy, tags }
}

fn read_endpoint(id: &str, endpoint: &state::Endpoint, reader: &mut Reader<'_>) -> Endpoint {
    let policy = endpoint.policy.as_ref().and_then(|text| reader.policy(id, text, Kind::Endpoint));
    Endpoint { id: id.to_owned(), policy }
}

/// Accounts with tables that are held to something, those together whose tables the same policies bind.
pub fn owners<B: Ord>(perimeter: &Perimeter, binding: impl Fn(&str) -> B) -> Vec<BTreeSet<String>> {
    let mut alike: BTreeMap<B, BTreeSet<String>> = BTreeMap::new();
    let accounts = perimeter.accounts.iter().filter(|(_, (_, mode))| *mode != Mode::Exempt);
    for account in accounts.map(|(account, _)| account.as_str()) {
        alike.entry(binding(account)).or_default().insert(account.to_owned());
    }
    alike.into_values().collect()
}

/// Across accounts a table's policy has to let somebody in.
fn may_reach(who: &Who, table: &Table) -> bool {
    let is_own = Arn::parse(&table.arn).is_some_and(|arn| arn.account == who.account());
    let statements = table.policy.iter().flat_map(|policy| &policy.document.statements);
    is_own || statements.into_iter().any(|statement| statement.effect == Effect::Allow)
}

/// Somebody of whom nothing is known: the worst there could be.
fn principal(arn: String) -> Principal {
    Principal { arn, session_arn: None, tags: None, identity: None, boundary: None, session: None }
}

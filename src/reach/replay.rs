//! Why a call was let through, or refused, by the policies that stood when it was made.
//!
//! A record tells few of the keys that conditions ask for. What it does not tell is left open, and never taken for
//! absent: where the decision hangs on that, or on a policy that nobody told, it is unknown. A session may have policies
//! of its own, of which no record tells: they can only refuse, so what is allowed here is allowed but for those.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;

use super::policies::{Calling, Laid, Layout};
use super::texts::Texts;
use crate::iam::catalogue::{self, Action, OF_ENDPOINTS};
use crate::iam::condition::UNTOLD;
use crate::iam::document::Statement;
use crate::iam::evaluate::{self, Decision, Guards, Layer, Outcome, Standing, Step};
use crate::iam::reading::Reading;
use crate::iam::request::{Caller, CallerKind, Context, Request, Values, caller_of};
use crate::iam::state::{HolderId, HolderKind, State};
use crate::iam::table_policy;
use crate::ids::Arn;
use crate::perimeter::Perimeter;
use crate::perimeter::origin::{Origin, OriginKind};
use crate::perimeter::principal::Principal;
use crate::prove::bundle::Bundle;
use crate::prove::simulate::standing;

/// A call, as far as its record tells.
#[derive(Clone, Debug)]
pub struct Call {
    /// As `GetItem`.
    pub name: String,
    /// ARNs of the tables that it asked for.
    pub tables: Vec<String>,
    /// The index that it asked for, by its name.
    pub index: Option<String>,
    pub principal: Principal,
    pub origin: Origin,
    pub region: Option<String>,
    /// A service made it for somebody.
    pub via_service: bool,
    /// It came over TLS. Otherwise that is not told.
    pub over_tls: bool,
}

/// What the policies make of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Allowed,
    Denied,
    /// It hangs on something that is not known.
    Unknown,
}

/// A statement, by the names that `prove` and `simulate` print.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Named {
    pub policy: String,
    pub statement: String,
}

/// A call, decided again.
#[derive(Clone, Debug)]
pub struct Replayed {
    pub verdict: Verdict,
    /// Statements that allow it, whatever else is not known.
    pub allowed_by: BTreeSet<Named>,
    /// What denies it, as a sentence without its full stop.
    pub denied_by: Option<String>,
    /// What is not known and has a say in it: phrases that go on "it is not known …".
    pub unknown: BTreeSet<String>,
}

/// Tables of one call that are looked at: a transaction has a hundred items.
const MAX_TABLES: usize = 100;

/// Decides a call by what stood at a time.
pub fn replay(state: &State, perimeter: &Perimeter, call: &Call, at: Timestamp) -> Replayed {
    Replay::of(state, perimeter, &Texts::default()).call(call, at)
}

/// Callers and tables of which what lies between them is kept.
const MAX_LAID: usize = 64;

/// Calls that are decided by one state: what lies between a caller and a table is laid out once where they come together.
#[derive(Debug)]
pub struct Replay<'s> {
    layout: Layout<'s>,
    laid: BTreeMap<Between, Laid>,
}

/// Caller, unique id, table, endpoint.
type Between = (String, Option<String>, String, Option<String>);

impl<'s> Replay<'s> {
    /// By that state.
    pub fn of(state: &'s State, perimeter: &'s Perimeter, texts: &'s Texts) -> Self {
        Self { layout: Layout { state, perimeter, texts, has_tags: true }, laid: BTreeMap::new() }
    }

    /// Decides a call that was made at a time.
    pub fn call(&mut self, call: &Call, at: Timestamp) -> Replayed {
        let Some(action) = action_of(&call.name) else {
            return Replayed::unknown("for which permission such a call is checked");
        };
        let Some(caller) = call.principal.arn.as_deref().and_then(caller_of) else {
            return Replayed::unknown("who called");
        };
        if call.tables.is_empty() || call.tables.len() > MAX_TABLES {
            return Replayed::unknown("which tables it asked for");
        }
        let each: Vec<Replayed> =
            call.tables.iter().map(|table| self.table(call, (action, &caller), table, at)).collect();
        Replayed::all(each)
    }

    /// For one table. Of a call to an index nobody says whether the table is asked for too.
    fn table(&mut self, call: &Call, by: (&Action, &Caller), table: &str, at: Timestamp) -> Replayed {
        let of_table = |replay: &mut Self| replay.resource(call, by, (table, table), at);
        match &call.index {
            None => of_table(self),
            Some(index) => {
                let of_index = self.resource(call, by, (table, &format!("{table}/index/{index}")), at);
                if of_index.verdict == of_table(self).verdict {
                    of_index
                } else {
                    let unknown = ["whether the table of an index is asked for, too".to_owned()].into();
                    Replayed { verdict: Verdict::Unknown, unknown, ..of_index }
                }
            }
        }
    }

    fn resource(
        &mut self,
        call: &Call,
        (action, caller): (&Action, &Caller),
        (table, resource): (&str, &str),
        at: Timestamp,
    ) -> Replayed {
        let Some(arn) = Arn::parse(table) else { return Replayed::unknown("which tables it asked for") };
        let layout = self.layout;
        let standing = standing(&caller.account, arn.account, layout.perimeter);
        let endpoint = call.origin.endpoint.as_deref().filter(|_| call.is_through_endpoint());
        let (principal, endpoint_id) = (&call.principal, endpoint.map(str::to_owned));
        let between: Between =
            (caller.arn.clone(), principal.unique_id.clone(), table.to_owned(), endpoint_id);
        if self.laid.len() >= MAX_LAID && !self.laid.contains_key(&between) {
            self.laid.clear();
        }
        let laid = self
            .laid
            .entry(between)
            .or_insert_with(|| layout.between(&calling(caller, principal, standing), table, endpoint));
        let facts = Facts { call, caller, owner: &arn, laid, perimeter: layout.perimeter, at };
        let request = Request {
            action: format!("dynamodb:{}", action.name.to_ascii_lowercase()),
            resource: resource.to_owned(),
            context: facts.context(),
            caller: caller.clone(),
        };
        let decision = evaluate::evaluate(&request, &guards(&laid.bundle, resource), standing);
        read(&decision, &request, &facts)
    }
}

impl Call {
    /// Made by the caller, and by no service in between: its path is then that of the request.
    fn is_direct(&self) -> bool {
        let is_told = !matches!(
            self.origin.kind,
            OriginKind::AwsService | OriginKind::AwsInternal | OriginKind::Unknown
        );
        is_told && !self.via_service
    }

    /// Through an endpoint of which it is certain that it is this one.
    fn is_through_endpoint(&self) -> bool {
        self.is_direct() && self.origin.kind != OriginKind::UnknownEndpoint
    }
}

impl Replayed {
    fn unknown(why: &str) -> Self {
        let (allowed_by, unknown) = (BTreeSet::new(), [why.to_owned()].into());
        Self { verdict: Verdict::Unknown, allowed_by, denied_by: None, unknown }
    }

    /// Of several tables each must be allowed.
    fn all(each: Vec<Replayed>) -> Self {
        let mut all = Self {
            verdict: Verdict::Allowed,
            allowed_by: BTreeSet::new(),
            denied_by: None,
            unknown: BTreeSet::new(),
        };
        for one in each {
            all.verdict = match (all.verdict, one.verdict) {
                (Verdict::Denied, _) | (_, Verdict::Denied) => Verdict::Denied,
                (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
                (Verdict::Allowed, Verdict::Allowed) => Verdict::Allowed,
            };
            all.allowed_by.extend(one.allowed_by);
            all.denied_by = all.denied_by.or(one.denied_by);
            all.unknown.extend(one.unknown);
        }
        all
    }
}

/// The permission that a call to tables is checked for. `None`: it is for several, or for streams, backups or the like,
/// or nothing is known of it.
fn action_of(name: &str) -> Option<&'static Action> {
    let name = if name == "TransactGetItems" { "GetItem" } else { name };
    let action = catalogue::dynamodb().action(name)?;
    let is_of_tables = action.is_done_to("table")
        && action.resources.iter().all(|used| matches!(used.name, "table" | "index"));
    // A copy takes one permission for the table that is read, and others for that which is made.
    (action.name == name && is_of_tables && !name.starts_with("Restore")).then_some(action)
}

/// The name of the permission that a call to tables is checked for, where it is one and known.
pub fn permission_of(call: &str) -> Option<&'static str> {
    action_of(call).map(|action| action.name)
}

fn calling<'c>(caller: &'c Caller, principal: &'c Principal, standing: Standing) -> Calling<'c> {
    let is_linked = caller.kind == CallerKind::ServiceLinkedRole;
    Calling {
        arn: &caller.arn,
        account: &caller.account,
        unique_id: principal.unique_id.as_deref(),
        holder: holder_of(caller),
        is_bound: standing.caller_is_member && !is_linked,
        owner_is_bound: standing.resource_is_of_member && !is_linked,
    }
}

/// What a caller's policies are put on.
fn holder_of(caller: &Caller) -> Option<HolderId> {
    let kind = match caller.kind {
        CallerKind::Role | CallerKind::ServiceLinkedRole => HolderKind::Role,
        CallerKind::User => HolderKind::User,
        CallerKind::FederatedUser | CallerKind::Root | CallerKind::Service => return None,
    };
    let name = caller.arn.rsplit('/').next().unwrap_or_default().to_owned();
    Some(HolderId { account: caller.account.clone(), kind, name })
}

fn guards<'b>(bundle: &'b Bundle, resource: &str) -> Guards<'b> {
    let principal = bundle.principals.first();
    Guards {
        identity: principal.and_then(|entry| entry.identity.as_deref()),
        boundary: principal.and_then(|entry| entry.boundary.as_ref()),
        session: None,
        service_control: &bundle.service_control,
        resource_control: &bundle.resource_control,
        resource: bundle.policy_of(resource),
        endpoint: bundle.endpoints.first().and_then(|endpoint| endpoint.policy.as_ref()),
    }
}

/// What a decision comes to, with what is not known.
fn read(decision: &Decision<'_>, request: &Request, facts: &Facts<'_>) -> Replayed {
    let unknown = facts.unknown(decision, request);
    let is_denied = match (decision.outcome, decision.missing) {
        (Outcome::Allow, _) => false,
        // A table's policy that is not known takes the place of neither of these.
        (Outcome::ExplicitDeny, _)
        | (Outcome::ImplicitDeny, Some(Layer::ServiceControl { .. } | Layer::Endpoint)) => true,
        (Outcome::ImplicitDeny, _) => {
            facts.laid.gaps.is_empty() || !table_policy::counts_for(&request.action)
        }
    };
    let verdict = match decision.outcome {
        Outcome::Allow if unknown.is_empty() => Verdict::Allowed,
        _ if is_denied => Verdict::Denied,
        _ => Verdict::Unknown,
    };
    let deciding = decision.decided_by.iter().filter_map(|at| decision.steps.get(*at));
    let sure = deciding.filter(|step| step.matched.reading == Reading::Yes).map(named);
    let allowed_by = if decision.outcome == Outcome::Allow { sure.collect() } else { BTreeSet::new() };
    let denied_by = (verdict == Verdict::Denied).then(|| denial(decision));
    // What is decided is so whatever the rest was.
    let unknown = if verdict == Verdict::Unknown { unknown } else { BTreeSet::new() };
    Replayed { verdict, allowed_by, denied_by, unknown }
}

fn named(step: &Step<'_>) -> Named {
    Named { policy: step.policy.name.clone(), statement: step.statement.label.clone() }
}

/// What denies, as a sentence without its full stop.
fn denial(decision: &Decision<'_>) -> String {
    let first = decision.decided_by.first().and_then(|at| decision.steps.get(*at)).map(named);
    if let Some(Named { policy, statement }) = first {
        return format!("statement `{statement}` of policy `{policy}` denies it");
    }
    let where_missing = match decision.missing {
        Some(Layer::ServiceControl { .. }) => "a level of the service control policies allows it with none",
        Some(Layer::ResourceControl { .. }) => "a level of the resource control policies allows it with none",
        Some(Layer::Endpoint) => "the endpoint's policy allows it with none",
        Some(Layer::Resource) => "the table's policy allows it with none",
        Some(Layer::Identity) | None => "neither the caller's own policies nor the table's allow it with any",
        Some(Layer::Boundary) => "the caller's permissions boundary allows it with none",
        Some(Layer::Session) => "the session's policies allow it with none",
    };
    format!("{where_missing} of their statements")
}

/// What is known of one call to one table.
struct Facts<'f> {
    call: &'f Call,
    caller: &'f Caller,
    owner: &'f Arn<'f>,
    laid: &'f Laid,
    perimeter: &'f Perimeter,
    at: Timestamp,
}

/// What is known of a condition key.
enum Told {
    Is(String),
    Absent,
    /// It may have been there or not.
    Open,
}

impl Facts<'_> {
    /// The keys that the policies ask for.
    fn context(&self) -> Context {
        let mut context = Context::default();
        let statements = self.laid.bundle.policies().flat_map(|policy| &policy.document.statements);
        for key in statements.flat_map(keys) {
            match self.told(key) {
                Told::Is(value) => context.set(key, Values::One(value)),
                Told::Absent => {}
                Told::Open => context.leave_open(key),
            }
        }
        context
    }

    fn told(&self, key: &str) -> Told {
        let Self { call, caller, .. } = self;
        let if_direct = |told: Told| if call.is_direct() { told } else { Told::Open };
        match key {
            "aws:principalarn" => Told::Is(caller.arn.clone()),
            "aws:principalaccount" => Told::Is(caller.account.clone()),
            "aws:principaltype" => Told::Is(caller.kind.principal_type().to_owned()),
            "aws:principalisawsservice" => Told::Is(false.to_string()),
            "aws:principalservicename" | "aws:principalservicenameslist" => Told::Absent,
            "aws:principalorgid" => self.organization(&caller.account),
            "aws:username" => self.user_name(),
            "aws:userid" => match (&caller.kind, &call.principal.unique_id) {
                (CallerKind::User, Some(id)) => Told::Is(id.clone()),
                // Of a session it ends with the session's name.
                _ => Told::Open,
            },
            "aws:resourceaccount" => Told::Is(self.owner.account.to_owned()),
            "aws:resourceorgid" => self.organization(self.owner.account),
            "aws:requestedregion" => match &call.region {
                Some(region) if region == self.owner.region => Told::Is(region.clone()),
                Some(_) | None => Told::Open,
            },
            "aws:viaawsservice" => if_direct(Told::Is(false.to_string())),
            "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" | "aws:sourcearn"
            | "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths" => if_direct(Told::Absent),
            "aws:currenttime" => Told::Is(self.at.to_string()),
            "aws:epochtime" => Told::Is(self.at.as_second().to_string()),
            "aws:securetransport" if call.over_tls => Told::Is(true.to_string()),
            "aws:sourceip" => if_direct(self.network(key)),
            key if OF_ENDPOINTS.contains(&key) => if_direct(self.network(key)),
            key => match key.split_once('/') {
                Some(("aws:principaltag", tag)) => self.principal_tag(tag),
                Some(("aws:resourcetag", tag)) => self.resource_tag(tag),
                _ => Told::Open,
            },
        }
    }

    fn organization(&self, account: &str) -> Told {
        match &self.perimeter.organization {
            Some(id) if self.perimeter.is_ours(account) => Told::Is(id.clone()),
            Some(_) | None => Told::Open,
        }
    }

    fn user_name(&self) -> Told {
        match self.caller.kind {
            CallerKind::User => Told::Is(self.caller.arn.rsplit('/').next().unwrap_or_default().to_owned()),
            CallerKind::Role | CallerKind::ServiceLinkedRole => Told::Absent,
            CallerKind::FederatedUser | CallerKind::Root | CallerKind::Service => Told::Open,
        }
    }

    /// Source: IAM user guide, "AWS global condition context keys", "Properties of the network".
    fn network(&self, key: &str) -> Told {
        let Origin { kind, endpoint, vpc, ip, .. } = &self.call.origin;
        let is = |text: &Option<String>| text.clone().map_or(Told::Open, Told::Is);
        let address = || is(&ip.clone().filter(|ip| ip.parse::<IpAddr>().is_ok()));
        match kind {
            OriginKind::ApprovedEndpoint | OriginKind::ApprovedTransit | OriginKind::UnapprovedVpc => {
                match key {
                    "aws:sourcevpc" => is(vpc),
                    "aws:sourcevpce" => is(endpoint),
                    "aws:vpcsourceip" => address(),
                    "aws:sourceip" => Told::Absent,
                    // Whether DynamoDB tells these, and when, is not documented in full.
                    _ => Told::Open,
                }
            }
            OriginKind::ForeignEndpoint => match key {
                "aws:sourcevpce" => is(endpoint),
                "aws:sourceip" => Told::Absent,
                _ => Told::Open,
            },
            OriginKind::Public | OriginKind::TrustedAddress => match key {
                "aws:sourceip" => address(),
                _ => Told::Absent,
            },
            OriginKind::UnknownEndpoint
            | OriginKind::PrivateUnattributed
            | OriginKind::AwsService
            | OriginKind::AwsInternal
            | OriginKind::Unknown => Told::Open,
        }
    }

    /// A session may bring tags of its own along, and those come first.
    fn principal_tag(&self, tag: &str) -> Told {
        let may_bring = self.caller.kind != CallerKind::User && !self.perimeter.prove.session_tags_none;
        match self.laid.bundle.principals.first().and_then(|entry| entry.tags.as_ref()) {
            Some(tags) if !may_bring => match tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(tag)) {
                Some((_, value)) => Told::Is(value.clone()),
                None => Told::Absent,
            },
            Some(_) | None => Told::Open,
        }
    }

    /// An account may have it switched off that tables' tags count.
    fn resource_tag(&self, tag: &str) -> Told {
        let tags = self.laid.bundle.tables.first().and_then(|table| table.tags.as_ref());
        let has = |tags: &Vec<(String, String)>| tags.iter().any(|(name, _)| name.eq_ignore_ascii_case(tag));
        if tags.is_some_and(|tags| !has(tags)) { Told::Absent } else { Told::Open }
    }

    /// What is not known, and could make a decision another one.
    fn unknown(&self, decision: &Decision<'_>, request: &Request) -> BTreeSet<String> {
        let counts = table_policy::counts_for(&request.action);
        let doubts = self.laid.doubts.iter().filter(|doubt| counts || !self.laid.gaps.contains(*doubt));
        let mut unknown: BTreeSet<String> = doubts.cloned().collect();
        if self.caller.kind == CallerKind::FederatedUser {
            unknown.insert("which policies the federated user had".to_owned());
        }
        if !self.call.is_direct() {
            unknown.insert("by which path a service made the call".to_owned());
        }
        if self.call.origin.kind == OriginKind::UnknownEndpoint {
            unknown.insert("which VPC the endpoint of the call is in".to_owned());
        }
        for (step, why) in decision.open_questions() {
            let untold = keys(step.statement).filter(|key| why == UNTOLD && request.context.is_untold(key));
            unknown.extend(untold.map(|key| format!("what `{}` was", catalogue::spelled(key))));
            match why {
                UNTOLD => {}
                why if why.starts_with("whether") => drop(unknown.insert(why.to_owned())),
                why => drop(unknown.insert(format!("how AWS takes {why}"))),
            }
        }
        if decision.otherwise.is_some() && unknown.is_empty() {
            unknown.insert("how AWS reads these policies".to_owned());
        }
        unknown
    }
}

/// The condition keys that a statement asks for, in small letters.
fn keys(statement: &Statement) -> impl Iterator<Item = &str> {
    let conditions = statement.conditions.iter().flat_map(|condition| {
        let variables = condition.values.iter().flat_map(|value| value.variables());
        std::iter::once(condition.key.as_str()).chain(variables)
    });
    conditions.chain(statement.resources.items.iter().flat_map(|item| item.template.variables()))
}

/// VPCs that a sentence names.
const MAX_NAMED: usize = 3;

/// The least that would have stopped a call from outside, as a sentence. `None`: no statement about networks would
/// have, or it cannot be told.
pub fn least_guard(call: &Call, perimeter: &Perimeter) -> Option<String> {
    let action = action_of(&call.name)?;
    let caller = call.principal.arn.as_deref().and_then(caller_of)?;
    let owner = call.tables.first().and_then(|table| Arn::parse(table))?.account;
    let mut vpcs: Vec<&str> = perimeter.vpcs.keys().map(|vpc| vpc.id.as_str()).collect();
    vpcs.sort_unstable();
    vpcs.dedup();
    let is_elsewhere = match call.origin.kind {
        OriginKind::Public
        | OriginKind::PrivateUnattributed
        | OriginKind::AwsService
        | OriginKind::AwsInternal => true,
        OriginKind::UnapprovedVpc => !call.origin.vpc.as_deref().is_some_and(|vpc| vpcs.contains(&vpc)),
        OriginKind::ForeignEndpoint => true,
        OriginKind::ApprovedEndpoint
        | OriginKind::ApprovedTransit
        | OriginKind::TrustedAddress
        | OriginKind::UnknownEndpoint
        | OriginKind::Unknown => false,
    };
    if !is_elsewhere || vpcs.is_empty() {
        return None;
    }
    let place = place_of_guard(&caller, owner, action, perimeter)?;
    let mut named: Vec<String> = vpcs.iter().take(MAX_NAMED).map(|vpc| format!("`{vpc}`")).collect();
    if vpcs.len() > MAX_NAMED {
        named.push(format!("and {} more", vpcs.len() - MAX_NAMED));
    }
    Some(format!(
        "The least that would have stopped `{}`: a `Deny` of `dynamodb:{}` with `StringNotEqualsIfExists` on \
         `aws:SourceVpc` ({}), in {place}.",
        action.name,
        action.name,
        named.join(", ")
    ))
}

/// Where a guard has to stand to bind a caller.
fn place_of_guard(caller: &Caller, owner: &str, action: &Action, perimeter: &Perimeter) -> Option<String> {
    let standing = standing(&caller.account, owner, perimeter);
    let is_linked = caller.kind == CallerKind::ServiceLinkedRole;
    if standing.caller_is_member && !is_linked {
        Some(format!("a service control policy over account {}", caller.account))
    } else if standing.resource_is_of_member && !is_linked {
        Some(format!("a resource control policy over account {owner}"))
    } else {
        table_policy::counts_for(action.name).then(|| "the table's resource policy".to_owned())
    }
}

#[cfg(test)]
mod tests;

//! Every fact about one record that a verdict can hang on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::calls;
use super::rule::Rule;
use crate::cloudtrail::envelope::Forged;
use crate::cloudtrail::outcome::{Outcome, outcome};
use crate::cloudtrail::record::{Identity, Key, Record};
use crate::cloudtrail::tables::{self, Tables};
use crate::iam::change::{self, Change, Ours, Own, Shows};
use crate::ids::{self, Arn};
use crate::perimeter::exception::{self, BreakGlassUse, When};
use crate::perimeter::inventory::Inventory;
use crate::perimeter::origin::{self, Origin, OriginKind, Passage};
use crate::perimeter::principal::{Principal, PrincipalKind, principal};
use crate::perimeter::session::{self, Caller, Part};
use crate::perimeter::{Mode, Perimeter};

/// What cases are made with.
#[derive(Clone, Copy, Debug)]
pub struct Known<'k> {
    /// What is approved.
    pub perimeter: &'k Perimeter,
    /// Which VPC an endpoint is in.
    pub inventory: &'k Inventory,
}

/// What a record is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// It has no bearing on DynamoDB; why, in a few words.
    Nothing(&'static str),
    /// A change to what guards the perimeter. `through_dynamodb`: made by a call to DynamoDB itself.
    Change { change: Change, through_dynamodb: bool },
    /// A call to DynamoDB.
    Call,
    /// The record cannot be relied on; why, in a few words.
    Unreliable(&'static str),
    /// An event that looks like CloudTrail's and is not; what gives it away.
    Forged(&'static str),
}

/// What a record is shown by. Gathered only where it is shown or kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Event {
    /// `eventID`.
    pub id: Option<String>,
    /// `eventTime`, as recorded.
    pub time: Option<String>,
    /// `awsRegion`.
    pub region: Option<String>,
    /// `eventSource`.
    pub source: Option<String>,
    /// `eventName`.
    pub name: Option<String>,
    /// `userAgent`: the caller's own words.
    pub user_agent: Option<String>,
    /// `errorCode`.
    pub error: Option<String>,
    /// The session's own ARN, whose name the caller chose.
    pub session: Option<String>,
    /// The function that the credentials were issued to, where the record tells.
    pub function: Option<String>,
}

/// Every fact about one record.
#[derive(Clone, Debug)]
pub struct Case {
    /// `eventName`.
    pub name: Option<String>,
    /// `errorCode`.
    pub error: Option<String>,
    /// The account that owns the table, else the one that the record was delivered to.
    pub account: Option<String>,
    /// `awsRegion`.
    pub region: Option<String>,
    /// What it is about.
    pub subject: Subject,
    /// Where the call came from.
    pub origin: Origin,
    /// More of an approved endpoint.
    pub passage: Passage,
    /// Who called.
    pub principal: Principal,
    /// What became of the call.
    pub outcome: Outcome,
    /// Table ARNs, or what a change touched: sorted, each once.
    pub resources: Vec<String>,
    /// What the owner of the tables is held to: of several, the strictest.
    pub mode: Mode,
    /// When the call was made.
    pub time: Option<Timestamp>,
    /// No item is read or written by it.
    pub management: bool,
    /// It reads or writes items, and the record does not show of which tables, or not of which besides.
    pub tables_untold: bool,
    /// `readOnly`, where it is recorded.
    pub read_only: bool,
    /// The AWS service that made the call for somebody.
    pub via: Option<String>,
    /// What `[[break_glass]]` says.
    pub break_glass: BreakGlassUse,
    /// Its part in a break-glass session: it opens one, or is made in one.
    pub session: Option<Box<Part>>,
    /// It opens one that may last longer than allowed.
    pub opens_too_long: bool,
    /// A `[[service]]` entry lists it.
    pub listed_service: bool,
    /// The principal's account is in an environment.
    pub principal_listed: bool,
    /// The principal's account is in an environment, or the management account.
    pub principal_ours: bool,
    /// The principal's account is known, not ours, and not the owner of the tables.
    pub principal_external: bool,
    /// The product's own role, at the product's own table.
    pub own_call: bool,
    /// The owner's account is in no environment.
    pub unlisted_owner: bool,
    /// It makes a role under a name that a break-glass pattern speaks of.
    pub makes_break_glass: bool,
    /// What stood before a change is known: what its text alone may have widened does not count.
    pub is_weighed: bool,
    /// What a change does to who reaches what, where that was proven.
    pub proven: Option<Proven>,
}

/// What a change was shown to do, by what stood before and after it.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The rule that it fits.
    pub rule: &'static Rule,
    /// Why, as the end of a sentence.
    pub why: String,
}

/// Is this the name of DynamoDB, its streams, or DAX?
#[inline]
pub fn is_dynamodb(source: &str) -> bool {
    ids::service_of(source).is_some_and(|name| matches!(&*name, "dynamodb" | "streams.dynamodb" | "dax"))
}

/// May this be DynamoDB in a spelling that nobody is known to use: another partition's, a region's? No
/// other service has its name in its own.
fn is_like_dynamodb(source: &str) -> bool {
    let source = source.trim().to_ascii_lowercase();
    source.contains("dynamodb") || source == "dax" || source.starts_with("dax.")
}

impl Case {
    /// Reads the facts of a record.
    pub fn of(record: &Record<'_>, known: Known<'_>) -> Self {
        let identity = record.identity();
        let principal = principal(record, &identity);
        let owner = owner_of_names(&principal).map(str::to_owned);
        let is_spoken_of = principal.arn.as_ref().is_some_and(|arn| known.perimeter.speaks_of(arn));
        let session = if is_spoken_of { session::used(record, &identity, &principal) } else { None };
        let session = session.map(Box::new);
        Self::gather(record, known, &identity, Caller { principal, session }, owner.as_deref())
    }

    /// Reads the facts of a record whose caller is known from elsewhere.
    pub fn by(record: &Record<'_>, known: Known<'_>, caller: Caller) -> Self {
        let identity = record.identity();
        // Whose a table without an account is hangs on the copy, and not on what the other one says.
        let recorded = principal(record, &identity);
        Self::gather(record, known, &identity, caller, owner_of_names(&recorded))
    }

    fn gather(
        record: &Record<'_>,
        known: Known<'_>,
        identity: &Identity<'_>,
        caller: Caller,
        owner_of_names: Option<&str>,
    ) -> Self {
        let Caller { principal, session: used_in } = caller;
        let source = record.get(Key::EventSource).text().unwrap_or_default();
        let is_call = is_dynamodb(&source);
        let subject = subject(record, known.perimeter, &source, is_call);
        let tables = if is_call { tables::tables(record, owner_of_names) } else { Tables::default() };
        let resources = match &subject {
            // A call to DynamoDB may change what is no table: a cluster, say.
            Subject::Change { change, .. } if tables.arns.is_empty() => change.resources.clone(),
            Subject::Change { .. }
            | Subject::Call
            | Subject::Unreliable(_)
            | Subject::Nothing(_)
            | Subject::Forged(_) => tables.arns,
        };
        let management = is_management(record);
        let name = shown(record, Key::EventName);
        // An export reaches for items, whatever it counts as.
        let needs_table = !management || name.as_deref().is_some_and(calls::is_bulk_export);
        let tables_untold = tables.incomplete || (resources.is_empty() && needs_table);
        let owner = Owner::of(record, &principal, &resources, known.perimeter);
        let (origin, passage) = origin::origin(record, known.perimeter, known.inventory);
        let time = origin::event_time(record);
        let via = via(identity, &origin);
        let issued = used_in.as_ref().and_then(|part| part.session.issued);
        let (break_glass, grants) = exception::break_glass(
            known.perimeter,
            &principal,
            When { time, issued },
            (&resources, tables_untold),
        );
        let outcome = outcome(record);
        let opens =
            (outcome == Outcome::Authorised).then(|| opens(&subject, record, identity, known.perimeter));
        let (session, opens_too_long) = match opens.flatten() {
            Some((part, is_too_long)) => (Some(Box::new(part)), is_too_long),
            None => (used_in.filter(|_| is_used(break_glass)), false),
        };
        let session = session.map(|mut part| {
            if !part.is_opening() {
                part.session.used_by(name.as_deref(), &resources, &grants);
                part.session.used_from(&origin);
                part.session.out_of_window =
                    matches!(break_glass, BreakGlassUse::OutOfWindow | BreakGlassUse::TooLong);
            }
            part
        });
        Case {
            break_glass,
            session,
            opens_too_long,
            listed_service: exception::service(known.perimeter, &principal, via.as_deref()).is_some(),
            principal_listed: principal
                .account
                .as_ref()
                .is_some_and(|account| known.perimeter.lists(account)),
            principal_ours: principal
                .account
                .as_ref()
                .is_some_and(|account| known.perimeter.is_ours(account)),
            principal_external: is_external(known.perimeter, &principal, &owner, &resources),
            own_call: is_own(known.perimeter, &principal, &resources),
            makes_break_glass: makes_break_glass(&subject, known.perimeter),
            is_weighed: false,
            proven: None,
            name,
            error: shown(record, Key::ErrorCode),
            account: owner.account,
            region: shown(record, Key::AwsRegion),
            mode: owner.mode,
            unlisted_owner: owner.unlisted,
            outcome,
            management,
            tables_untold,
            read_only: record.get(Key::ReadOnly).is_true(),
            subject,
            origin,
            passage,
            principal,
            resources,
            time,
            via,
        }
    }

    /// The facts of an event that only looks like a record: nothing in it is true but what
    /// EventBridge itself wrote on the envelope.
    pub fn forged(forged: &Forged) -> Self {
        Case { account: forged.account.clone(), ..Self::without_record(Subject::Forged(forged.why)) }
    }

    /// Nothing is known of it but what it is about.
    fn without_record(subject: Subject) -> Self {
        Case {
            name: None,
            error: None,
            account: None,
            region: None,
            subject,
            origin: Origin::unknown(),
            passage: Passage::Expected,
            principal: Principal::unknown(),
            outcome: Outcome::Undetermined,
            resources: Vec::new(),
            mode: Mode::Enforce,
            time: None,
            management: false,
            tables_untold: false,
            read_only: false,
            via: None,
            break_glass: BreakGlassUse::None,
            session: None,
            opens_too_long: false,
            listed_service: false,
            principal_listed: false,
            principal_ours: false,
            principal_external: false,
            own_call: false,
            unlisted_owner: false,
            makes_break_glass: false,
            is_weighed: false,
            proven: None,
        }
    }

    /// What stands, and no event is about: who gets in, where, and why that is a finding.
    pub fn standing(
        principal: Principal,
        account: String,
        resources: Vec<String>,
        proven: Proven,
        perimeter: &Perimeter,
        at: Timestamp,
    ) -> Self {
        let what = "as things stand".to_owned();
        let change =
            Change { what, resources: Vec::new(), made_role: None, shows: Shows::Nothing, edits: Vec::new() };
        Case {
            mode: perimeter.mode_of(&account),
            account: Some(account),
            principal,
            outcome: Outcome::Authorised,
            resources,
            time: Some(at),
            proven: Some(proven),
            ..Self::without_record(Subject::Change { change, through_dynamodb: false })
        }
    }

    /// The name of the call or change.
    pub fn event_name(&self) -> &str {
        self.name.as_deref().unwrap_or("an unnamed event")
    }

    /// Is it a change that a break-glass principal makes?
    pub fn is_by_break_glass(&self) -> bool {
        self.break_glass != BreakGlassUse::None
    }

    /// Does the record reach for a whole table at once, out of DynamoDB?
    pub fn is_bulk_export(&self) -> bool {
        calls::is_bulk_export(self.event_name())
    }

    /// Is this the owner's copy of a call from another of our accounts, which does not say what
    /// role made it? The caller's copy does.
    pub fn needs_other_half(&self) -> bool {
        self.principal.kind == PrincipalKind::Account && self.principal.arn.is_none() && self.principal_ours
    }
}

fn subject(record: &Record<'_>, perimeter: &Perimeter, source: &str, is_call: bool) -> Subject {
    if record.conflict {
        return Subject::Unreliable("a field stands in the record twice, with different values");
    }
    if let Some(why) = no_call(record, is_call) {
        return Subject::Nothing(why);
    }
    if source.is_empty() {
        return Subject::Unreliable("the record names no service");
    }
    if !is_call && is_like_dynamodb(source) {
        return Subject::Unreliable("the service's name is DynamoDB's but for its spelling");
    }
    let name = record.get(Key::EventName).text().unwrap_or_default();
    if change::is_candidate(source, &name) {
        let own = own(perimeter);
        if let Some(change) = change::recognise(record, &own, perimeter) {
            return Subject::Change { change, through_dynamodb: is_call };
        }
    }
    if is_call { Subject::Call } else { Subject::Nothing("neither DynamoDB nor what guards it") }
}

/// Is that a use by a principal that an entry means, in its window or not?
fn is_used(break_glass: BreakGlassUse) -> bool {
    match break_glass {
        BreakGlassUse::InForce
        | BreakGlassUse::OutOfWindow
        | BreakGlassUse::TooLong
        | BreakGlassUse::Untold => true,
        BreakGlassUse::None | BreakGlassUse::Recreated => false,
    }
}

/// The break-glass session that a change opens, and whether it may last longer than the entries in force allow. That of
/// a role that was made again under the name is none.
fn opens(
    subject: &Subject,
    record: &Record<'_>,
    identity: &Identity<'_>,
    perimeter: &Perimeter,
) -> Option<(Part, bool)> {
    let Subject::Change { change, .. } = subject else { return None };
    let source = record.get(Key::EventSource).text()?;
    ids::service_of(&source).filter(|service| service == "sts")?;
    let role = change.resources.iter().find(|arn| perimeter.speaks_of(arn))?;
    let mut part = session::opened(record, identity, role)?;
    let when = When { time: origin::event_time(record), issued: None };
    let (found, grants) = exception::break_glass(perimeter, &part.principal, when, (&[], true));
    let is_in_force = match found {
        BreakGlassUse::InForce | BreakGlassUse::Untold => true,
        BreakGlassUse::OutOfWindow | BreakGlassUse::TooLong => false,
        BreakGlassUse::None | BreakGlassUse::Recreated => return None,
    };
    let is_too_long = is_in_force && part.session.is_longer_than(&grants);
    part.session.used_by(None, &[], &grants);
    part.session.out_of_window = is_too_long;
    Some((part, is_too_long))
}

/// What belongs to the product itself.
pub(super) fn own(perimeter: &Perimeter) -> Own<'_> {
    let product = &perimeter.product;
    Own { table: product.table.as_deref(), resources: &product.resources, roles: &product.roles }
}

fn makes_break_glass(subject: &Subject, perimeter: &Perimeter) -> bool {
    let Subject::Change { change, .. } = subject else { return false };
    change.made_role.as_ref().is_some_and(|arn| perimeter.speaks_of(arn))
}

/// Why a record is no call, whatever its service.
pub fn no_call(record: &Record<'_>, is_call: bool) -> Option<&'static str> {
    let category = record.get(Key::EventCategory);
    let kind = record.get(Key::EventType);
    if category.is("Insight") || kind.is("AwsCloudTrailInsight") {
        return Some("an Insights event counts calls and is none");
    }
    if category.is("Aggregated") || kind.is("AwsAggregatedEvent") {
        return Some("an aggregated event counts calls and is none");
    }
    let network = category.is("NetworkActivity") || kind.is("AwsVpceEvent") || kind.is("AwsVpceEvents");
    if network && !(is_call && record.get(Key::ErrorCode).is("VpceAccessDenied")) {
        return Some("a network activity event repeats a call that has its own record");
    }
    // DynamoDB answers it to anybody, whatever the policies say, and it shows no data.
    (is_call && record.get(Key::EventName).is("DescribeEndpoints"))
        .then_some("DescribeEndpoints shows no data")
}

/// The account that a table without one belongs to: the caller's, who cannot name another's so. The owner's
/// copy of a call from elsewhere, which has no more than the caller's account, is of its own tables: those
/// of the account that the record was delivered to.
fn owner_of_names(principal: &Principal) -> Option<&str> {
    principal.account.as_deref().filter(|_| principal.kind != PrincipalKind::Account)
}

/// The account whose environment counts.
struct Owner {
    account: Option<String>,
    mode: Mode,
    unlisted: bool,
}

impl Owner {
    fn of(record: &Record<'_>, principal: &Principal, resources: &[String], perimeter: &Perimeter) -> Self {
        let owners = resources.iter().filter_map(|arn| Arn::parse(arn)).map(|arn| arn.account);
        let owners = owners.filter(|account| ids::is_account(account));
        // An account that is in no environment is held to as much, and is nobody's to mend.
        let strictest = owners.max_by_key(|account| {
            (perimeter.mode_of(account), perimeter.is_ours(account), std::cmp::Reverse(*account))
        });
        let recipient = record.get(Key::RecipientAccountId).shown();
        let account = strictest
            .or(recipient.as_deref().filter(|account| ids::is_account(account)))
            .or(principal.account.as_deref())
            .map(str::to_owned);
        let mode = account.as_deref().map_or(Mode::Enforce, |account| perimeter.mode_of(account));
        let unlisted = account.as_deref().is_some_and(|account| !perimeter.is_ours(account));
        Self { account, mode, unlisted }
    }
}

impl Event {
    /// Gathers what a record is shown by.
    pub fn of(record: &Record<'_>) -> Self {
        let identity = record.identity();
        Self {
            id: shown(record, Key::EventId),
            time: shown(record, Key::EventTime),
            region: shown(record, Key::AwsRegion),
            source: shown(record, Key::EventSource),
            name: shown(record, Key::EventName),
            user_agent: shown(record, Key::UserAgent),
            error: shown(record, Key::ErrorCode),
            session: identity.arn.text().map(|arn| bounded(&arn)),
            function: function(&identity),
        }
    }

    /// What a forged event is shown by.
    pub fn forged(forged: &Forged) -> Self {
        Self { id: forged.id.clone(), source: forged.source.clone(), ..Self::default() }
    }
}

fn shown(record: &Record<'_>, key: Key) -> Option<String> {
    record.get(key).shown().map(|text| bounded(&text))
}

/// The Lambda function that the credentials were issued to (`inScopeOf`, record version 1.11).
fn function(identity: &Identity<'_>) -> Option<String> {
    let scope: serde_json::Value = serde_json::from_slice(identity.in_scope_of.json()?).ok()?;
    scope.get("credentialsIssuedTo").and_then(|arn| arn.as_str()).map(bounded)
}

/// Characters of any text that is kept of a record. CloudTrail's own longest is 1 KB.
const MAX_TEXT: usize = 1024;

/// Attackers write parts of records: what is kept of them is bounded.
fn bounded(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The AWS service that made the call: `invokedBy`, else the service that the address names. The
/// user agent, which the caller writes, says nothing.
fn via(identity: &Identity<'_>, origin: &Origin) -> Option<String> {
    let invoked_by =
        identity.invoked_by.text().filter(|name| !identity.unreadable && origin::is_service_host(name));
    invoked_by.map(|name| name.into_owned()).or_else(|| origin.service().map(str::to_owned))
}

/// Is the caller of an account that is neither ours nor the owner of all that was touched?
fn is_external(perimeter: &Perimeter, principal: &Principal, owner: &Owner, resources: &[String]) -> bool {
    let Some(account) = principal.account.as_deref() else { return false };
    let owners = resources.iter().filter_map(|arn| Arn::parse(arn)).map(|arn| arn.account);
    let owns_all = owner.account.as_deref() == Some(account)
        && owners.filter(|owner| ids::is_account(owner)).all(|owner| owner == account);
    principal.kind != PrincipalKind::Service && !perimeter.is_ours(account) && !owns_all
}

/// Calls by the product to its own table are made because of findings: they must not make any.
fn is_own(perimeter: &Perimeter, principal: &Principal, resources: &[String]) -> bool {
    let Some(table) = &perimeter.product.table else { return false };
    let role = principal.arn.as_ref().is_some_and(|arn| perimeter.product.roles.contains(arn));
    role && !resources.is_empty() && resources.iter().all(|resource| resource == table)
}

/// Does the call leave the items alone? CloudTrail says so in either of two fields; where neither
/// stands, only what is known to be a management call is taken for one. What is known to be access to
/// items is never one, whatever they say.
fn is_management(record: &Record<'_>) -> bool {
    let management = record.get(Key::ManagementEvent);
    let category = record.get(Key::EventCategory);
    let name = record.get(Key::EventName).text().unwrap_or_default();
    if management.is_false() || category.is("Data") || calls::is_item_access(name.as_bytes()) {
        return false;
    }
    management.is_true() || category.is("Management") || calls::is_management(&name)
}

/// Is the origin an approved one?
pub fn is_approved(origin: &Origin, passage: Passage) -> bool {
    use crate::perimeter::TransitMode;
    match origin.kind {
        OriginKind::ApprovedEndpoint => passage != Passage::Untold(TransitMode::Deny),
        OriginKind::ApprovedTransit => passage != Passage::Unexpected(TransitMode::Deny),
        OriginKind::TrustedAddress
        | OriginKind::UnapprovedVpc
        | OriginKind::ForeignEndpoint
        | OriginKind::UnknownEndpoint
        | OriginKind::Public
        | OriginKind::PrivateUnattributed
        | OriginKind::AwsService
        | OriginKind::AwsInternal
        | OriginKind::Unknown => false,
    }
}

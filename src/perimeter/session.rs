//! A break-glass session: which one it is, who opened it, and what was done in it.
//!
//! What single records tell of it is joined in a way that does not hang on order, repetition or splitting: sets grow
//! up to a bound, beyond which the smallest are kept, and of two texts the smaller one is.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BreakGlass;
use super::origin::Origin;
use super::principal::{Principal, PrincipalKind};
use crate::cloudtrail::record::{Identity, Key, Record};
use crate::ids::Arn;
use crate::perimeter::origin;

/// Tables, and names of calls, that are kept of a session.
pub const THINGS: usize = 32;
/// Places and addresses that are kept of a session.
pub const PLACES: usize = 16;
/// Entries of perimeter.toml that are kept of a session.
pub const GRANTS: usize = 8;
/// Records of its opening that are kept of a session: there is one of each.
pub const OPENINGS: usize = 4;

/// Bytes of any one text: callers choose names.
const MAX_TEXT: usize = 512;

/// How long a session lasts that asks for no duration. Source: STS API reference, `AssumeRole`,
/// `AssumeRoleWithSAML`, `AssumeRoleWithWebIdentity`.
const DEFAULT_DURATION: SignedDuration = SignedDuration::from_hours(1);
/// The same of `GetFederationToken`.
const FEDERATED_DURATION: SignedDuration = SignedDuration::from_hours(12);

/// What is known of a session.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Session {
    /// `principalId`: the role's unique id and, behind a colon, the session's name, which the caller chose.
    pub principal_id: Option<String>,
    pub access_key_id: Option<String>,
    /// `sourceIdentity`: who is behind it, where that was asked for when it was opened.
    pub source_identity: Option<String>,
    /// When its credentials were issued, by the records of its calls.
    pub issued: Option<Timestamp>,
    /// The records of its opening.
    pub opened: Vec<Opening>,
    /// The `[[break_glass]]` entries that it was used by.
    pub grants: Vec<Grant>,
    /// Tables that it touched.
    pub tables: Vec<String>,
    /// What was called in it.
    pub calls: Vec<String>,
    /// Where it was used from.
    pub origins: Vec<Place>,
    pub addresses: Vec<String>,
    /// It was used out of its window, or is longer than allowed.
    pub out_of_window: bool,
    /// There is more of something than is kept.
    pub more: bool,
}

/// How a session was opened: the record of `AssumeRole`, or of what does the same.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Opening {
    pub at: Option<Timestamp>,
    /// `sharedEventID`, the same in both accounts' copies, else `eventID`.
    pub event_id: Option<String>,
    /// `eventName`.
    pub call: Option<String>,
    /// Who opened it: an ARN, a role's session for one, or what else the record has of the caller.
    pub by: Option<String>,
    pub source_identity: Option<String>,
    pub ip: Option<String>,
    pub endpoint: Option<String>,
    /// How long it may last: as asked for, else as STS has it.
    pub duration_seconds: Option<i64>,
}

/// A `[[break_glass]]` entry, as far as a session's story tells it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Grant {
    pub ticket: Option<String>,
    pub principal: String,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub max_session_seconds: Option<i64>,
}

/// Where a session was used from.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Place {
    /// As an origin's kind.
    pub kind: String,
    pub endpoint: Option<String>,
    pub vpc: Option<String>,
    pub vpc_account: Option<String>,
}

/// A record's part in a session.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part {
    /// What tells the session from every other.
    pub name: String,
    /// Whose session it is.
    pub principal: Principal,
    /// What the record tells of it.
    pub session: Session,
}

/// Who made a call, as the caller's copy of its record has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    pub principal: Principal,
    /// The break-glass session that it was made in, without what was done.
    pub session: Option<Box<Part>>,
}

impl Part {
    /// Is it the record of the session's opening, and not of a use?
    pub fn is_opening(&self) -> bool {
        !self.session.opened.is_empty()
    }

    /// Which session it is, and no more.
    pub fn alone(&self) -> Self {
        let Session { principal_id, access_key_id, source_identity, issued, .. } = self.session.clone();
        let session = Session { principal_id, access_key_id, source_identity, issued, ..Session::default() };
        Self { name: self.name.clone(), principal: self.principal.clone(), session }
    }
}

impl Session {
    /// Adds what other records tell of it.
    pub fn join(&mut self, other: Session) {
        smaller(&mut self.principal_id, other.principal_id);
        smaller(&mut self.access_key_id, other.access_key_id);
        smaller(&mut self.source_identity, other.source_identity);
        smaller(&mut self.issued, other.issued);
        self.out_of_window |= other.out_of_window;
        self.more |= other.more;
        for opening in other.opened {
            self.open(opening);
        }
        self.more |= add(&mut self.grants, other.grants, GRANTS)
            | add(&mut self.tables, other.tables, THINGS)
            | add(&mut self.calls, other.calls, THINGS)
            | add(&mut self.origins, other.origins, PLACES)
            | add(&mut self.addresses, other.addresses, PLACES);
    }

    /// Both accounts have a record of a session that was opened from one for the other: what names an ARN counts.
    fn open(&mut self, opening: Opening) {
        let is_same = |known: &&mut Opening| known.event_id.is_some() && known.event_id == opening.event_id;
        match self.opened.iter_mut().find(is_same) {
            Some(known) if (says_less(&opening), &opening) < (says_less(known), known) => *known = opening,
            Some(_) => {}
            None => self.opened.push(opening),
        }
        self.more |= add(&mut self.opened, Vec::new(), OPENINGS);
    }

    /// Adds what a call did, and by which entries of perimeter.toml.
    pub fn used_by(&mut self, call: Option<&str>, tables: &[String], grants: &[&BreakGlass]) {
        let is_table = |arn: &&String| Arn::parse(arn).is_some_and(|arn| arn.service == "dynamodb");
        self.join(Session {
            calls: call.map(cut).into_iter().collect(),
            tables: tables.iter().filter(is_table).map(|arn| cut(arn)).collect(),
            grants: grants.iter().map(|entry| Grant::of(entry)).collect(),
            ..Session::default()
        });
    }

    /// Adds where a call came from.
    pub fn used_from(&mut self, origin: &Origin) {
        let text = |text: &Option<String>| text.as_deref().map(cut);
        let place = Place {
            kind: origin.kind.name().to_owned(),
            endpoint: text(&origin.endpoint),
            vpc: text(&origin.vpc),
            vpc_account: text(&origin.vpc_account),
        };
        let addresses = text(&origin.ip).into_iter().collect();
        self.join(Session { origins: vec![place], addresses, ..Session::default() });
    }

    /// Was it opened for longer than all of these entries allow?
    pub fn is_longer_than(&self, grants: &[&BreakGlass]) -> bool {
        let longest = self.opened.iter().filter_map(|opening| opening.duration_seconds).max();
        let is_longer = |entry: &&BreakGlass| {
            longest.zip(entry.max_session).is_some_and(|(asked, longest)| asked > longest.as_secs())
        };
        !grants.is_empty() && grants.iter().all(is_longer)
    }

    /// Bytes that it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        let texts = self.tables.iter().chain(&self.calls).chain(&self.addresses);
        let texts: usize = texts.map(|text| size_of::<String>() + text.len()).sum();
        let places = self.origins.len() * 2 * size_of::<Place>();
        texts
            + places
            + self.grants.len() * 2 * size_of::<Grant>()
            + self.opened.len() * 3 * size_of::<Opening>()
    }
}

/// Less is better told.
fn says_less(opening: &Opening) -> bool {
    !opening.by.as_deref().is_some_and(|by| by.starts_with("arn:"))
}

impl Grant {
    fn of(entry: &BreakGlass) -> Self {
        Self {
            ticket: entry.ticket.as_deref().map(cut),
            principal: cut(&entry.principal),
            from: entry.window.from,
            until: entry.window.until,
            max_session_seconds: entry.max_session.map(|length| length.as_secs()),
        }
    }
}

/// The session that a record's call was made in; `None`: with lasting credentials, or the record does not tell.
///
/// An access key is of one session alone. The console changes it every while: there the session is told by when it
/// began.
pub fn used(record: &Record<'_>, identity: &Identity<'_>, principal: &Principal) -> Option<Part> {
    let issued = issued(identity);
    let key = identity.access_key.text();
    let key = key.filter(|key| issued.is_some() || key.starts_with("ASIA"));
    let began = issued.map(|time| time.to_string());
    let mark = if is_of_console(record) {
        began.or(key.as_deref().map(cut))
    } else {
        key.as_deref().map(cut).or(began)
    };
    let id = identity.principal_id.text().map(|id| cut(&id));
    let name = name(id.as_deref(), principal, &mark?)?;
    let session = Session {
        principal_id: id,
        access_key_id: key.as_deref().map(cut),
        source_identity: identity.source_identity.text().map(|text| cut(&text)),
        issued,
        ..Session::default()
    };
    Some(Part { name, principal: principal.clone(), session })
}

/// When the credentials of a call were issued.
pub fn issued(identity: &Identity<'_>) -> Option<Timestamp> {
    identity.issued.text()?.parse().ok()
}

/// The unique id tells the role, and may be known where its path is not.
fn name(id: Option<&str>, principal: &Principal, mark: &str) -> Option<String> {
    Some(format!("{} {mark}", id.or(principal.arn.as_deref())?))
}

/// `sessionCredentialFromConsole`, which CloudTrail writes as a text.
fn is_of_console(record: &Record<'_>) -> bool {
    #[derive(Deserialize)]
    struct Told {
        #[serde(rename = "sessionCredentialFromConsole")]
        console: Option<Value>,
    }
    let told = serde_json::from_slice::<Told>(record.json).ok().and_then(|told| told.console);
    told.is_some_and(|told| told == Value::Bool(true) || told.as_str() == Some("true"))
}

/// The session of `role` that a record tells the opening of, by what STS answered.
pub fn opened(record: &Record<'_>, identity: &Identity<'_>, role: &str) -> Option<Part> {
    let response: Value = serde_json::from_slice(record.get(Key::ResponseElements).json()?).ok()?;
    let request = record.get(Key::RequestParameters).json();
    let request: Value = request.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).map(cut);
    let key = text(&response, "/credentials/accessKeyId")?;
    let id = text(&response, "/assumedRoleUser/assumedRoleId")
        .or_else(|| text(&response, "/federatedUser/federatedUserId"));
    let mut principal = Principal::of_arn(role);
    if Arn::parse(role).is_some_and(|arn| arn.service == "sts") {
        principal.kind = PrincipalKind::Federated;
    }
    principal.unique_id = id.as_deref().and_then(|id| id.split(':').next()).map(str::to_owned);
    let source_identity = text(&request, "/sourceIdentity").or_else(|| text(&response, "/sourceIdentity"));
    let field = |key| record.get(key).text().map(|text| cut(&text));
    let call = field(Key::EventName);
    let usual =
        if call.as_deref() == Some("GetFederationToken") { FEDERATED_DURATION } else { DEFAULT_DURATION };
    let opening = Opening {
        at: origin::event_time(record),
        event_id: field(Key::SharedEventId).or_else(|| field(Key::EventId)),
        by: by(identity),
        source_identity: source_identity.clone(),
        ip: field(Key::SourceIpAddress),
        endpoint: field(Key::VpcEndpointId),
        duration_seconds: duration(&request).or(request.is_object().then_some(usual.as_secs())),
        call,
    };
    let name = name(id.as_deref(), &principal, &key)?;
    let session = Session {
        principal_id: id,
        access_key_id: Some(key),
        source_identity,
        opened: vec![opening],
        ..Session::default()
    };
    Some(Part { name, principal, session })
}

/// Who opened a session: a user or another role's session by its ARN, somebody of an identity provider by their name.
fn by(identity: &Identity<'_>) -> Option<String> {
    let fields = [identity.arn, identity.user_name, identity.principal_id, identity.invoked_by];
    fields.into_iter().find_map(|field| field.text()).map(|text| cut(&text))
}

/// `durationSeconds`, which some clients write as a text.
fn duration(request: &Value) -> Option<i64> {
    let asked = request.get("durationSeconds")?;
    asked.as_i64().or_else(|| asked.as_str()?.parse().ok())
}

/// Keeps the smaller of two, where there are two.
fn smaller<T: Ord>(known: &mut Option<T>, other: Option<T>) {
    if let Some(other) = other
        && known.as_ref().is_none_or(|known| other < *known)
    {
        *known = Some(other);
    }
}

/// Adds to a set, of which the smallest are kept. Returns whether one is left out.
fn add<T: Ord>(known: &mut Vec<T>, others: Vec<T>, limit: usize) -> bool {
    known.extend(others);
    known.sort_unstable();
    known.dedup();
    let is_more = known.len() > limit;
    known.truncate(limit);
    is_more
}

/// A text, cut where it is longer than what is kept.
fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let mut end = MAX_TEXT - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

//! Items, written and read. Every item has a schema number, `v`; one of a later schema is not
//! guessed at, but reported as damaged.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::schema::{self, BY_ACCOUNT, BY_STATUS, EXPIRES_AT, FINDING, Key, LAPSES, PK, SK};
use super::{Item, bounds, document};
use crate::audit::rule::Severity;
use crate::findings::finding::{Evidence, Identity, Kept, Sightings, Status, Step};
use crate::findings::lifecycle::Lapse;
use crate::findings::sample::{EventKey, Sample};
use crate::findings::store::{CALLER_HALF, Half, StoreError, Waiting, WaitsFor};
use crate::ids::{AccountId, EndpointId, VpcKey};
use crate::perimeter::Endpoint;
use crate::perimeter::exception::Coverage;
use crate::perimeter::session::Caller;

/// The schema that this version writes.
const SCHEMA: u32 = 1;
/// How long evidence is kept, from when it was recorded.
const EVIDENCE_DAYS: i64 = 400;

/// Counts up with every write of a finding: nobody overwrites what they have not read.
pub(super) const VERSION: &str = "version";
/// Whose write it was.
pub(super) const WRITER: &str = "writer";

/// What the table has under the key of a finding.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    /// 0: nothing.
    pub version: u64,
    /// Events taken out of a finding that has not been seen yet.
    pub gone: Sample,
    /// The finding, without evidence, once it was seen.
    pub kept: Option<Kept>,
}

// ---- Findings

/// The item of a finding that nobody has seen, of which events are taken out already.
pub(super) fn write_gone(id: &str, gone: &Sample, version: u64) -> Item {
    let mut item = begin(&Key::finding(id));
    item.insert(VERSION.to_owned(), number(version));
    write_sample(&mut item, "gone", gone);
    item
}

/// The item of a finding; its evidence has items of its own.
pub(super) fn write_finding(id: &str, kept: &Kept, version: u64) -> Result<Item, StoreError> {
    let key = Key::finding(id);
    let mut writer = Writer { item: begin(&key), key: &key };
    let seen = &kept.sightings;
    writer.set(VERSION, number(version));
    writer.document("identity", &seen.identity)?;
    writer.document("principal", &seen.principal)?;
    writer.document("origin", &seen.origin)?;
    writer.document("addresses", &seen.addresses)?;
    writer.document("history", &bounds::history(&kept.history))?;
    if !seen.allowed_by.is_empty() {
        writer.document("allowed_by", &seen.allowed_by)?;
    }
    if let Some(session) = &seen.session {
        writer.document("session", session)?;
    }
    if let Some(guard) = &seen.guard {
        writer.set("guard", text(guard));
    }
    writer.set("rule", text(seen.rule()));
    writer.set("status", text(kept.status.name()));
    writer.set("severity", text(seen.severity.name()));
    write_life(&mut writer, kept)?;
    if let Some(region) = &seen.region {
        writer.set("region", text(region));
    }
    if let Some((from, to)) = seen.span {
        writer.set("first_seen", text(time(from)));
        writer.set("last_seen", text(time(to)));
    }
    write_sample(&mut writer.item, "seen", &seen.seen);
    write_sample(&mut writer.item, "gone", &seen.gone);
    if kept.count() > 0 && seen.identity.rule != CALLER_HALF {
        // Only what has these is in the indexes.
        let place = place(seen.severity, seen.span, id);
        writer.set(BY_STATUS.pk, text(schema::status_partition(kept.status.name())));
        writer.set(BY_STATUS.sk, text(&place));
        if let Some(account) = &seen.identity.account {
            writer.set(BY_ACCOUNT.pk, text(schema::account_partition(account)));
            writer.set(BY_ACCOUNT.sk, text(&place));
        }
    }
    Ok(writer.item)
}

/// How long it is quiet, and what was decided. What is suppressed has a time in `lapses` also where there is no
/// end to it: one that has none was written by an earlier version.
fn write_life(writer: &mut Writer<'_>, kept: &Kept) -> Result<(), StoreError> {
    let coverage = kept.sightings.coverage;
    writer.set("unsuppressed", AttributeValue::Bool(coverage == Coverage::Uncovered));
    if let Coverage::Until(end) = coverage {
        writer.set("covered_until", text(time(end)));
    }
    if kept.status == Status::Suppressed {
        writer.set(LAPSES, text(time(kept.lapses_at().unwrap_or(Timestamp::MAX))));
    }
    if let Some(lapse) = kept.lapse {
        writer.set("back_to", text(lapse.to.name()));
    }
    if !kept.decisions.is_empty() {
        writer.document("decisions", &kept.decisions)?;
    }
    Ok(())
}

/// Where a finding stands in a list: by severity, then by the latest record, then by id.
fn place(severity: Severity, span: Option<(Timestamp, Timestamp)>, id: &str) -> String {
    let last_seen = span.map(|(_, to)| time(to)).unwrap_or_default();
    format!("{}#{last_seen}#{id}", rank(severity))
}

/// Greater is worse.
pub(super) fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

/// All of one length, so that texts sort as the times do.
pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.9}")
}

pub(super) fn is_finding(item: &Item) -> bool {
    item.get(SK).and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk == FINDING)
}

pub(super) fn read_finding(item: &Item) -> Result<Stored, StoreError> {
    let reader = Reader::of(item)?;
    let version = reader.parsed(VERSION)?;
    let gone = reader.sample("gone")?;
    if !item.contains_key("identity") {
        return Ok(Stored { version, gone, kept: None });
    }
    let identity: Identity = reader.document("identity")?;
    let span = match (reader.optional("first_seen")?, reader.optional("last_seen")?) {
        (Some(from), Some(to)) => Some((reader.time("first_seen", from)?, reader.time("last_seen", to)?)),
        (None, None) => None,
        _ => return Err(reader.damaged("`first_seen` and `last_seen` go together")),
    };
    let severity = reader.text("severity")?;
    let status = reader.text("status")?;
    let sightings = Sightings {
        identity,
        severity: Severity::parse(severity).ok_or_else(|| reader.damaged("`severity` has no such value"))?,
        region: reader.optional("region")?.map(str::to_owned),
        principal: reader.document("principal")?,
        origin: reader.document("origin")?,
        seen: reader.sample("seen")?,
        gone: gone.clone(),
        span,
        evidence: Vec::new(),
        named: Vec::new(),
        addresses: reader.document("addresses")?,
        // What an earlier version wrote has neither.
        allowed_by: if item.contains_key("allowed_by") { reader.document("allowed_by")? } else { Vec::new() },
        guard: reader.optional("guard")?.map(str::to_owned),
        session: if item.contains_key("session") { Some(reader.document("session")?) } else { None },
        coverage: reader.coverage()?,
    };
    let status = Status::parse(status).ok_or_else(|| reader.damaged("`status` has no such value"))?;
    let history: Vec<Step> = reader.document("history")?;
    let decisions = if item.contains_key("decisions") { reader.document("decisions")? } else { Vec::new() };
    let lapse = reader.lapse()?.filter(|_| status == Status::Suppressed);
    Ok(Stored { version, gone, kept: Some(Kept { sightings, status, history, lapse, decisions }) })
}

/// Eight bytes an event instead of a number of up to twenty digits: 8 KiB where a sample is full.
fn write_sample(item: &mut Item, name: &str, sample: &Sample) {
    let bytes: Vec<u8> = sample.keys().iter().flat_map(|key| key.0.to_be_bytes()).collect();
    if !bytes.is_empty() {
        item.insert(name.to_owned(), AttributeValue::B(Blob::new(bytes)));
    }
    item.insert(overflowed(name), AttributeValue::Bool(!sample.is_exact()));
    if let Some(reach) = sample.reach() {
        item.insert(reach_of(name), text(schema::hex(reach)));
    }
}

fn overflowed(name: &str) -> String {
    format!("{name}_overflowed")
}

fn reach_of(name: &str) -> String {
    format!("{name}_reach")
}

// ---- What belongs to findings

/// The item of a record shown as evidence: the one kind that expires.
pub(super) fn write_evidence(finding: &str, evidence: &Evidence, now: Timestamp) -> Result<Item, StoreError> {
    let key = Key::evidence(finding, evidence.key);
    let mut writer = Writer { item: begin(&key), key: &key };
    writer.document("event", &evidence.event)?;
    writer.set("reason", text(&evidence.reason));
    if let Some(ip) = &evidence.ip {
        writer.set("ip", text(ip));
    }
    let expires = now.as_second() + SignedDuration::from_hours(24 * EVIDENCE_DAYS).as_secs();
    writer.set(EXPIRES_AT, AttributeValue::N(expires.to_string()));
    Ok(writer.item)
}

pub(super) fn read_evidence(item: &Item) -> Result<Evidence, StoreError> {
    let reader = Reader::of(item)?;
    let digits = reader.text(SK)?.strip_prefix(schema::EVIDENCE);
    let key = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Ok(Evidence {
        key: EventKey(key.ok_or_else(|| reader.damaged("its sort key has no number"))?),
        event: reader.document("event")?,
        ip: reader.optional("ip")?.map(str::to_owned),
        reason: reader.text("reason")?.to_owned(),
    })
}

// ---- What is not yet judged

pub(super) fn write_waiting(waiting: &Waiting) -> Item {
    let mut item = begin(&Key::waiting(waiting));
    item.insert("finding".to_owned(), text(&waiting.finding));
    item.insert("key".to_owned(), text(schema::hex(waiting.key)));
    item.insert("record".to_owned(), text(&waiting.record));
    item
}

pub(super) fn read_waiting(item: &Item, waits_for: &WaitsFor) -> Result<Waiting, StoreError> {
    let reader = Reader::of(item)?;
    Ok(Waiting {
        waits_for: waits_for.clone(),
        finding: reader.text("finding")?.to_owned(),
        key: reader.event_key("key")?,
        record: reader.text("record")?.to_owned(),
    })
}

pub(super) fn write_half(half: &Half) -> Result<Item, StoreError> {
    let key = Key::half(&half.shared_id);
    let mut writer = Writer { item: begin(&key), key: &key };
    writer.set("key", text(schema::hex(half.key)));
    writer.document("principal", &half.principal)?;
    if let Some(session) = &half.session {
        writer.document("session", session)?;
    }
    Ok(writer.item)
}

pub(super) fn read_half(item: &Item) -> Result<Caller, StoreError> {
    let reader = Reader::of(item)?;
    let session = if item.contains_key("session") { Some(reader.document("session")?) } else { None };
    Ok(Caller { principal: reader.document("principal")?, session })
}

/// The item that says that records wait for an endpoint. Each time another one: whoever finds that
/// nothing waits any more deletes it only as it was before they looked.
pub(super) fn write_awaited(endpoint: &str, own: AttributeValue) -> Item {
    let mut item = begin(&Key::awaited(endpoint));
    item.insert("endpoint".to_owned(), text(endpoint));
    item.insert(WRITER.to_owned(), own);
    item
}

pub(super) fn read_awaited(item: &Item) -> Result<String, StoreError> {
    Ok(Reader::of(item)?.text("endpoint")?.to_owned())
}

// ---- What was corrected

/// What is known of an event that has been corrected.
#[derive(Debug)]
pub(super) struct Corrected {
    /// The record that takes its place.
    pub by: EventKey,
    /// `eventTime` of that record.
    pub time: String,
    /// Corrections that were overtaken by it: the latest of them.
    pub over: Vec<EventKey>,
}

pub(super) fn write_corrected(key: EventKey, corrected: &Corrected) -> Item {
    let mut item = begin(&Key::corrected(key));
    item.insert("by".to_owned(), text(schema::hex(corrected.by)));
    item.insert("time".to_owned(), text(&corrected.time));
    let over = corrected.over.iter().map(|key| text(schema::hex(*key))).collect();
    item.insert("over".to_owned(), AttributeValue::L(over));
    item
}

pub(super) fn read_corrected(item: &Item) -> Result<Corrected, StoreError> {
    let reader = Reader::of(item)?;
    let over: Vec<String> = reader.document("over")?;
    let over = over.iter().filter_map(|key| u64::from_str_radix(key, 16).ok()).map(EventKey).collect();
    Ok(Corrected { by: reader.event_key("by")?, time: reader.text("time")?.to_owned(), over })
}

/// The event of which the item says that it has been corrected.
pub(super) fn corrected_event(item: &Item) -> Option<EventKey> {
    let pk = item.get(PK)?.as_s().ok()?;
    u64::from_str_radix(pk.strip_prefix(schema::EVENT)?, 16).ok().map(EventKey)
}

// ---- Endpoints and messages

pub(super) fn write_endpoint(endpoint: &Endpoint) -> Item {
    let mut item = begin(&Key::endpoint(endpoint.id.as_str()));
    item.insert("endpoint".to_owned(), text(endpoint.id.as_str()));
    item.insert("vpc".to_owned(), text(&endpoint.vpc.id));
    item.insert("region".to_owned(), text(&endpoint.vpc.region));
    item.insert("account".to_owned(), text(endpoint.vpc.account.as_str()));
    item
}

pub(super) fn read_endpoint(item: &Item) -> Result<Endpoint, StoreError> {
    let reader = Reader::of(item)?;
    let id = EndpointId::parse(reader.text("endpoint")?).map_err(|error| reader.damaged(error))?;
    let account = AccountId::parse(reader.text("account")?).map_err(|error| reader.damaged(error))?;
    let (region, vpc) = (reader.text("region")?.to_owned(), reader.text("vpc")?.to_owned());
    Ok(Endpoint { id, vpc: VpcKey { region, account, id: vpc } })
}

pub(super) fn write_message(id: &str, reason: &str, now: Timestamp) -> Item {
    let mut item = begin(&Key::message(id));
    item.insert("reason".to_owned(), text(bounds::clipped(reason, 4096)));
    item.insert("at".to_owned(), text(time(now)));
    item
}

// ---- Attributes

pub(super) fn begin(key: &Key) -> Item {
    let mut item = key.attributes();
    item.insert("v".to_owned(), number(SCHEMA.into()));
    item
}

pub(super) fn text(text: impl Into<String> + AsRef<str>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) struct Writer<'k> {
    pub item: Item,
    pub key: &'k Key,
}

impl Writer<'_> {
    pub fn set(&mut self, name: &str, value: AttributeValue) {
        self.item.insert(name.to_owned(), value);
    }

    pub fn document(&mut self, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let value = document::write(value);
        let at = || format!("{} {}", self.key.pk, self.key.sk);
        let value = value.map_err(|cause| StoreError::Failed(format!("`{name}` of `{}`: {cause}", at())))?;
        self.set(name, value);
        Ok(())
    }
}

/// Reads an item's attributes; what is wrong with them names the item.
pub(super) struct Reader<'i> {
    item: &'i Item,
}

impl<'i> Reader<'i> {
    pub fn of(item: &'i Item) -> Result<Self, StoreError> {
        let reader = Self { item };
        let schema: u32 = reader.parsed("v")?;
        if schema != SCHEMA {
            return Err(reader.damaged(format!("it has schema {schema}, and this version reads {SCHEMA}")));
        }
        Ok(reader)
    }

    pub fn damaged(&self, cause: impl ToString) -> StoreError {
        let key = |name| self.item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
        StoreError::Damaged { item: format!("{} {}", key(PK), key(SK)), cause: cause.to_string() }
    }

    fn attribute(&self, name: &str) -> Result<&'i AttributeValue, StoreError> {
        self.item.get(name).ok_or_else(|| self.damaged(format!("`{name}` is missing")))
    }

    /// The error for an attribute of another type than it is written with.
    fn mistyped(&self, name: &str, value: &AttributeValue) -> StoreError {
        self.damaged(format!("`{name}` is a {}", document::kind(value)))
    }

    pub fn text(&self, name: &str) -> Result<&'i str, StoreError> {
        self.attribute(name)?.as_s().map(String::as_str).map_err(|value| self.mistyped(name, value))
    }

    pub fn bytes(&self, name: &str) -> Result<&'i [u8], StoreError> {
        let bytes = self.attribute(name)?.as_b().map(AsRef::as_ref);
        bytes.map_err(|value| self.mistyped(name, value))
    }

    fn optional(&self, name: &str) -> Result<Option<&'i str>, StoreError> {
        if self.item.contains_key(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    pub fn bool(&self, name: &str) -> Result<bool, StoreError> {
        self.attribute(name)?.as_bool().copied().map_err(|value| self.mistyped(name, value))
    }

    pub fn parsed<T: std::str::FromStr<Err: ToString>>(&self, name: &str) -> Result<T, StoreError> {
        let text = self.attribute(name)?.as_n().map_err(|value| self.mistyped(name, value))?;
        text.parse().map_err(|error: T::Err| self.damaged(format!("`{name}`: {}", error.to_string())))
    }

    fn coverage(&self) -> Result<Coverage, StoreError> {
        Ok(match (self.bool("unsuppressed")?, self.optional("covered_until")?) {
            (true, _) => Coverage::Uncovered,
            (false, Some(end)) => Coverage::Until(self.time("covered_until", end)?),
            (false, None) => Coverage::Endless,
        })
    }

    fn lapse(&self) -> Result<Option<Lapse>, StoreError> {
        let Some(to) = self.optional("back_to")? else { return Ok(None) };
        let to = Status::parse(to).ok_or_else(|| self.damaged("`back_to` has no such value"))?;
        Ok(Some(Lapse { at: self.time(LAPSES, self.text(LAPSES)?)?, to }))
    }

    pub fn event_key(&self, name: &str) -> Result<EventKey, StoreError> {
        let key = u64::from_str_radix(self.text(name)?, 16);
        key.map(EventKey).map_err(|error| self.damaged(format!("`{name}`: {error}")))
    }

    pub fn time(&self, name: &str, text: &str) -> Result<Timestamp, StoreError> {
        text.parse().map_err(|error| self.damaged(format!("`{name}`: {error}")))
    }

    pub fn document<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        document::read(self.attribute(name)?).map_err(|cause| self.damaged(format!("`{name}`: {cause}")))
    }

    fn sample(&self, name: &str) -> Result<Sample, StoreError> {
        let bytes: &[u8] = match self.item.get(name) {
            None => &[],
            Some(value) => value.as_b().map_err(|value| self.mistyped(name, value))?.as_ref(),
        };
        let (keys, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(self.damaged(format!("`{name}` has {} bytes, no multiple of eight", bytes.len())));
        }
        let keys = keys.iter().map(|key| EventKey(u64::from_be_bytes(*key))).collect();
        let reach = match self.bool(&overflowed(name))? {
            true => Some(self.event_key(&reach_of(name))?),
            false => None,
        };
        Ok(Sample::from_parts(keys, reach))
    }
}

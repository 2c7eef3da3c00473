//! Takes records out of what they are wrapped in: EventBridge, SQS, SNS, a CloudWatch Logs
//! subscription, and these in each other. Also tells S3 notifications, which only name a log file.
//!
//! Source: EventBridge user guide, "AWS service events delivered via AWS CloudTrail"; Lambda
//! developer guide, "Using Lambda with Amazon SQS", "with CloudWatch Logs", "with Amazon S3".

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::archive;
use super::bytes::Until;
use super::cursor::{Cause, Cursor, Stop};
use super::elements::{self, Element, Fault, Whole};
use super::key::Keys;
use super::marks::Marks;
use super::record::{Key, KeyOrder, Read, Record};
use crate::ids::AccountId;

/// Envelopes in each other; SNS in SQS around EventBridge makes three.
const MAX_DEPTH: u32 = 6;

/// Faults in one envelope, whatever is in it. A few kilobytes can hold millions of empty objects.
const MAX_FAULTS: u32 = 100_000;

/// What an element turned out to be.
#[derive(Debug)]
pub enum Content<'a> {
    /// A CloudTrail record.
    Record(&'a Record<'a>),
    /// An EventBridge event that looks like CloudTrail's and is not.
    Forged(Forged),
    /// The name of a log file.
    LogFile(LogFile),
    /// Something that cannot be read.
    Fault(Fault),
}

/// An EventBridge event that claims to be CloudTrail's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forged {
    /// `id` of the envelope.
    pub id: Option<String>,
    /// `source` of the envelope.
    pub source: Option<String>,
    /// `account` of the envelope, which EventBridge sets: the account that sent it.
    pub account: Option<String>,
    /// `time` is not read: it is the sender's.
    pub region: Option<String>,
    /// What gives it away.
    pub why: &'static str,
}

/// An object of S3 that a notification names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogFile {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
}

/// Reads `element` of a stream, going into envelopes, and gives what it holds to `take`.
pub fn open(element: &Element<'_>, take: &mut dyn FnMut(Content<'_>)) {
    match element {
        Element::Fault(fault) => take(Content::Fault(*fault)),
        Element::Object { at, record } => {
            if is_plainly_record(record) {
                take(Content::Record(record));
            } else {
                envelope(record, *at, take);
            }
        }
    }
}

/// Reads a text that may hold records, wrapped or not, and gives what it holds to `take`.
pub fn open_text(text: &[u8], take: &mut dyn FnMut(Content<'_>)) {
    elements::each(&mut Whole(text), &mut |element| open(&element, take));
}

/// Opens an envelope, and is done with it once it held too much that is nothing.
fn envelope(record: &Record<'_>, at: u64, take: &mut dyn FnMut(Content<'_>)) {
    let stop = Cell::new(false);
    let mut faults = 0;
    let mut bounded = |mut content: Content<'_>| {
        if stop.get() {
            return;
        }
        faults += u32::from(matches!(content, Content::Fault(_)));
        if faults > MAX_FAULTS {
            stop.set(true);
            let cause = Cause::NoRecord("more than 100,000 faults in one envelope: not read further");
            content = Content::Fault(Fault { at, packed: false, cause });
        }
        take(content);
    };
    wrapped(record, Way { at, depth: 0, unpacked: false, stop: &stop }, &mut bounded);
}

/// How an object was come to.
#[derive(Clone, Copy, Debug)]
struct Way<'s> {
    /// Where the outermost envelope stands: what is wrong inside is named by it.
    at: u64,
    /// Envelopes around the object.
    depth: u32,
    /// One of them held packed data: another is not unpacked, or a small text could grow without
    /// end.
    unpacked: bool,
    /// Set once enough of the outermost envelope was read.
    stop: &'s Cell<bool>,
}

impl Way<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

/// Opens the text that an envelope holds. There must be something in it.
fn inner(text: &[u8], way: Way<'_>, take: &mut dyn FnMut(Content<'_>)) {
    if text.trim_ascii().is_empty() {
        let cause = Cause::NoRecord("an envelope with nothing in it");
        return take(Content::Fault(Fault { at: way.at, packed: false, cause }));
    }
    let mut bytes = Until { bytes: Whole(text), stop: way.stop };
    elements::each(&mut bytes, &mut |element| match element {
        _ if way.stop.get() => {}
        Element::Fault(fault) => take(Content::Fault(Fault { at: way.at, ..fault })),
        Element::Object { record, .. } => wrapped(record, way, take),
    });
}

fn wrapped(record: &Record<'_>, way: Way<'_>, take: &mut dyn FnMut(Content<'_>)) {
    let at = way.at;
    let mut fault = |cause| take(Content::Fault(Fault { at, packed: false, cause }));
    if way.depth >= MAX_DEPTH {
        return fault(Cause::NoRecord("too many envelopes in each other"));
    }
    let text = |key| record.get(key).text();
    if is_plainly_record(record) {
        return take(Content::Record(record));
    } else if is_event_bridge(record) {
        event_bridge(record, at, take);
    } else if !record.get(Key::Stream).is_absent() {
        fault(Cause::NoRecord("a record of a stream, whose data are not read"));
    } else if is_ambiguous(record) {
        fault(Cause::NoRecord("two things in one, of a record and envelopes: none is opened"));
        // Its own fields say no less for that.
        if is_record(record) {
            take(Content::Record(record));
        }
    } else if record.conflict {
        match is_record(record) {
            // It is judged to be undetermined.
            true => take(Content::Record(record)),
            false => fault(Cause::NoRecord("an envelope with a field twice, with different values")),
        }
    } else if let Some(body) = text(Key::Body) {
        inner(body.as_bytes(), way.deeper(), take);
    } else if let Some(sns) = record.get(Key::Sns).json() {
        inner(sns, way.deeper(), take);
    } else if let (Some(message), true) = (text(Key::Message), is_sns(record)) {
        inner(message.as_bytes(), way.deeper(), take);
    } else if let Some(subscription) = record.get(Key::AwsLogs).json() {
        cloudwatch(subscription, way, take);
    } else if !record.get(Key::S3).is_absent() {
        match log_file(record) {
            _ if tells_of_no_new_object(record) => {}
            Some(file) => take(Content::LogFile(file)),
            None => fault(Cause::NoRecord("an S3 notification without bucket and key")),
        }
    } else if is_record(record) {
        take(Content::Record(record));
    } else if let Some(message) = text(Key::LogMessage) {
        if !message.starts_with("CWL CONTROL MESSAGE") {
            inner(message.as_bytes(), way.deeper(), take);
        }
    } else if !is_test_of_s3(record) && !is_digest(record) {
        return fault(Cause::NoRecord("neither a CloudTrail record nor an envelope around one"));
    }
    records_inside(record, at, take);
}

/// Records in something that is itself a record, or an envelope around one, are not judged: nothing that
/// CloudTrail or another service writes has both.
#[inline]
fn records_inside(record: &Record<'_>, at: u64, take: &mut dyn FnMut(Content<'_>)) {
    if record.get(Key::Records).json().is_some_and(|json| json.starts_with(b"[") || json.starts_with(b"{")) {
        let cause = Cause::NoRecord("records inside a record, or beside one in its envelope");
        take(Content::Fault(Fault { at, packed: false, cause }));
    }
}

/// Nearly every object is a record, and holds nothing of an envelope.
#[inline]
fn is_plainly_record(record: &Record<'_>) -> bool {
    record.lacks(Keys::FOREIGN) && !record.get(Key::EventName).is_absent()
}

/// Is it an envelope and a record as well, or several envelopes? No service writes such a thing, and one
/// reading of it would hide what the others show.
fn is_ambiguous(record: &Record<'_>) -> bool {
    record.count(Keys::CONTENT) + usize::from(is_record(record) && !is_s3_notification(record)) > 1
}

/// S3's notifications have fields of the names that CloudTrail's have.
fn is_s3_notification(record: &Record<'_>) -> bool {
    !record.get(Key::S3).is_absent() && record.get(Key::EventSource).is("aws:s3")
}

/// Has the object what CloudTrail records have some of? One that lost its service's name is still a
/// record, and judged as one.
fn is_record(record: &Record<'_>) -> bool {
    let has = |key| !record.get(key).is_absent();
    has(Key::EventName)
        || has(Key::EventType)
        || has(Key::EventCategory)
        || (has(Key::EventSource) && has(Key::EventTime))
        || (has(Key::EventId) && has(Key::UserIdentity))
}

/// Is it a digest, which says what log files there are and holds no records? Trails deliver them beside
/// the logs. Source: CloudTrail user guide, "CloudTrail digest file structure".
fn is_digest(record: &Record<'_>) -> bool {
    let keys = || serde_json::from_slice::<BTreeMap<Cow<'_, str>, IgnoredAny>>(record.json).ok();
    !record.holds_anything()
        && keys().is_some_and(|keys| {
            keys.contains_key("digestStartTime")
                && ["digestS3Object", "logFiles"].iter().any(|key| keys.contains_key(*key))
        })
}

/// S3 sends one where a notification is set up. It holds nothing.
fn is_test_of_s3(record: &Record<'_>) -> bool {
    record.get(Key::Event).is("s3:TestEvent") && record.count(Keys::CONTENT) == 0
}

fn is_sns(record: &Record<'_>) -> bool {
    record.get(Key::Type).is("Notification") || !record.get(Key::MessageId).is_absent()
}

/// What CloudTrail's events are called.
const DETAIL_TYPES: [&str; 7] = [
    "AWS API Call via CloudTrail",
    "AWS Console Action via CloudTrail",
    "AWS Console Sign In via CloudTrail",
    "AWS Console Signin via CloudTrail",
    "AWS Insight via CloudTrail",
    "AWS Network Activity Event via CloudTrail",
    "AWS Service Event via CloudTrail",
];

/// An event says what kind it is, and has a source and a detail. Nothing else does; a record may have been
/// given a kind and a source by whoever passed it on.
pub(super) fn is_event_bridge(record: &Record<'_>) -> bool {
    let has = |key| !record.get(key).is_absent();
    has(Key::DetailType) && (has(Key::Detail) || (has(Key::Source) && !is_record(record)))
}

/// Only AWS can send events whose source begins `aws.`, but for its partners, whose sources begin
/// `aws.partner/`; anybody may send one that looks the same but for that.
fn event_bridge(envelope: &Record<'_>, at: u64, take: &mut dyn FnMut(Content<'_>)) {
    let mut fault = |cause| take(Content::Fault(Fault { at, packed: false, cause }));
    let source = envelope.get(Key::Source).text().unwrap_or_default();
    let sound = !envelope.conflict && !is_ambiguous(envelope);
    let genuine = source.starts_with("aws.") && !source.starts_with("aws.partner/") && sound;
    let kind = envelope.get(Key::DetailType).text().unwrap_or_default();
    let from_cloudtrail = DETAIL_TYPES.contains(&&*kind);
    let detail = envelope.get(Key::Detail).json().unwrap_or_default();
    let mut marks = Marks::default();
    marks.index(detail);
    let mut record = Record::new();
    let read = read_detail(detail, &marks, &mut record);
    if genuine && source == "aws.s3" && !from_cloudtrail {
        return match object_created(detail) {
            // Deleted, restored, tagged: nothing to read.
            _ if kind.starts_with("Object ") && kind != "Object Created" => {}
            Some(file) => take(Content::LogFile(file)),
            None => fault(Cause::NoRecord("an EventBridge event of S3 that names no object")),
        };
    }
    // Whoever makes events up need not put a record into them.
    let claims = from_cloudtrail || kind.ends_with(" via CloudTrail");
    let holds_a_record = read.is_ok() && is_record(&record) && record.count(Keys::FOREIGN) == 0;
    if !holds_a_record && (genuine || !claims) {
        let cause = Cause::NoRecord("an EventBridge event that holds no CloudTrail record");
        return fault(read.err().unwrap_or(cause));
    }
    match forgery(genuine, from_cloudtrail, envelope, &record) {
        Some(why) => take(Content::Forged(forged(envelope, why))),
        None if record.get(Key::RecipientAccountId).is_absent() => {
            take(Content::Record(&record.with(Key::RecipientAccountId, envelope.get(Key::Account))));
        }
        None => take(Content::Record(&record)),
    }
}

/// Reads what must be a record.
fn read_detail<'d>(detail: &'d [u8], marks: &'d Marks, record: &mut Record<'d>) -> Result<(), Cause> {
    if !detail.starts_with(b"{") {
        return Err(Cause::NoRecord("the EventBridge event's `detail` is no object"));
    }
    match record.read(&mut Cursor::new(detail, marks).strictly(), &mut KeyOrder::default()) {
        Ok(Read::Object) => Ok(()),
        Ok(Read::Container) => {
            Err(Cause::NoRecord("the EventBridge event's `detail` is an array of records"))
        }
        Err(Stop::Malformed { cause, .. }) => Err(cause),
        Err(Stop::Incomplete) => Err(Cause::NoRecord("the EventBridge event's `detail` cannot be read")),
    }
}

/// What gives a look-alike away.
fn forgery(
    genuine: bool,
    from_cloudtrail: bool,
    envelope: &Record<'_>,
    record: &Record<'_>,
) -> Option<&'static str> {
    let account = envelope.get(Key::Account).shown();
    let recipient = record.get(Key::RecipientAccountId).shown();
    if envelope.conflict {
        Some("it says something twice, and not the same")
    } else if is_ambiguous(envelope) {
        Some("it is a record or another envelope as well")
    } else if !genuine {
        Some("its source is not AWS's")
    } else if !from_cloudtrail {
        Some("its detail-type is not one of CloudTrail's")
    } else if recipient.is_some() && account != recipient {
        Some("the account that sent it is not the one that the record was delivered to")
    } else if recipient.is_none() && !account.is_some_and(|account| may_be_delivered_to(record, &account)) {
        Some("the account that sent it is not one that the record speaks of")
    } else {
        None
    }
}

/// May a record that does not say where it was delivered to be one of `account`? CloudTrail delivers to
/// the caller's account and to those that own what was called: where the record names any, it must name
/// this one.
fn may_be_delivered_to(record: &Record<'_>, account: &str) -> bool {
    let resources = record.get(Key::Resources).json();
    let resources = resources.and_then(|json| serde_json::from_slice::<Value>(json).ok());
    let owners = resources.iter().filter_map(Value::as_array).flatten().flat_map(|resource| {
        let arn = resource.get("ARN").and_then(Value::as_str);
        let owner = resource.get("accountId").and_then(Value::as_str);
        owner.into_iter().chain(arn.and_then(|arn| arn.split(':').nth(4)))
    });
    let caller = record.identity().account.text();
    let named: Vec<&str> =
        owners.chain(caller.as_deref()).filter(|name| AccountId::parse(name).is_ok()).collect();
    AccountId::parse(account).is_ok() && (named.is_empty() || named.contains(&account))
}

fn forged(envelope: &Record<'_>, why: &'static str) -> Forged {
    let text = |key| envelope.get(key).shown().map(|text| text.chars().take(256).collect());
    Forged { id: text(Key::Id), source: text(Key::Source), account: text(Key::Account), region: None, why }
}

/// What a subscription holds: base64 of gzip.
#[derive(Deserialize)]
struct Packed<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

fn cloudwatch(subscription: &[u8], way: Way<'_>, take: &mut dyn FnMut(Content<'_>)) {
    let mut fault = |cause| take(Content::Fault(Fault { at: way.at, packed: false, cause }));
    if way.unpacked {
        return fault(Cause::NoRecord("packed data inside packed data"));
    }
    let packed = serde_json::from_slice::<Packed<'_>>(subscription).ok();
    let packed = packed.and_then(|packed| STANDARD.decode(packed.data.as_bytes()).ok());
    let Some(packed) = packed.filter(|packed| !packed.is_empty()) else {
        return fault(Cause::NoRecord("a CloudWatch Logs subscription whose data are no base64"));
    };
    let inside = Way { unpacked: true, ..way.deeper() };
    archive::each(&packed, way.stop, &mut |element| match element {
        _ if way.stop.get() => {}
        Element::Fault(fault) => take(Content::Fault(Fault { at: way.at, packed: false, ..fault })),
        Element::Object { record, .. } => wrapped(record, inside, take),
    });
}

/// S3 also tells of objects that are gone, moved, restored or tagged: they name nothing to read.
fn tells_of_no_new_object(notification: &Record<'_>) -> bool {
    let name = notification.get(Key::EventName).text();
    notification.get(Key::EventSource).is("aws:s3")
        && name.is_some_and(|name| !name.trim_start_matches("s3:").starts_with("ObjectCreated:"))
}

/// Where an object of S3 is, as notifications and events have it. Said twice, it is nowhere.
#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// `{"s3":{"bucket":{"name":…},"object":{"key":…}}}`; the key is written as in a URL.
fn log_file(record: &Record<'_>) -> Option<LogFile> {
    let Place { bucket, object } = serde_json::from_slice(record.get(Key::S3).json()?).ok()?;
    Some(LogFile { bucket: bucket.name, key: url_decoded(&object.key) })
}

/// EventBridge's own form of the same; its key is written as it is.
fn object_created(detail: &[u8]) -> Option<LogFile> {
    let Place { bucket, object } = serde_json::from_slice(detail).ok()?;
    Some(LogFile { bucket: bucket.name, key: object.key })
}

/// `+` for a space, `%` and two hexadecimal digits for a byte.
fn url_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| *first == b'%' && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if escaped.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

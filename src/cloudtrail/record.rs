//! One CloudTrail record, as far as we read it: borrowed from the text, nothing decoded before it
//! is asked for.
//!
//! Every field may be absent, `null` or of another type, as in real trails; none of that stops a
//! record from being read. Source: CloudTrail user guide, "CloudTrail record contents" and
//! "CloudTrail userIdentity element".

use std::borrow::Cow;

use super::cursor::{Cursor, Literal, Stop, Value};

/// A field of a record.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Field<'a> {
    /// Not in the record.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A string, still escaped.
    Text(&'a [u8]),
    /// Anything else, as JSON.
    Other(&'a [u8]),
}

impl<'a> Field<'a> {
    fn of(value: Value<'a>) -> Self {
        match value {
            Value::Null => Field::Null,
            Value::Text(text) => Field::Text(text),
            Value::Bool(true) => Field::Other(b"true"),
            Value::Bool(false) => Field::Other(b"false"),
            Value::Number(text) | Value::Nested(text) => Field::Other(text),
        }
    }

    /// The string, unescaped. `None` where the field is absent, null or no string.
    #[inline]
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Field::Text(text) => Some(unescape(text)),
            Field::Absent | Field::Null | Field::Other(_) => None,
        }
    }

    /// The string, unescaped, or the JSON of whatever else is there: for showing.
    pub fn shown(self) -> Option<Cow<'a, str>> {
        match self {
            Field::Other(json) => Some(String::from_utf8_lossy(json)),
            _ => self.text(),
        }
    }

    /// The JSON of a value that is no string: arrays and objects among them.
    pub fn json(self) -> Option<&'a [u8]> {
        match self {
            Field::Other(json) => Some(json),
            Field::Absent | Field::Null | Field::Text(_) => None,
        }
    }

    /// Absent or null: the record says nothing.
    #[inline]
    pub fn is_absent(self) -> bool {
        matches!(self, Field::Absent | Field::Null)
    }

    /// Present, and of a type that the field never has.
    pub fn is_unreadable(self) -> bool {
        matches!(self, Field::Other(_))
    }

    /// Compares without decoding where nothing is escaped.
    #[inline]
    pub fn is(self, text: &str) -> bool {
        match self {
            Field::Text(raw) => {
                raw == text.as_bytes() || (memchr::memchr(b'\\', raw).is_some() && unescape(raw) == text)
            }
            Field::Absent | Field::Null | Field::Other(_) => false,
        }
    }

    /// `true`, as a boolean or, as `sessionCredentialFromConsole` has it, as a string.
    pub fn is_true(self) -> bool {
        matches!(self, Field::Other(b"true") | Field::Text(b"true"))
    }

    /// `false`, as a boolean or as a string.
    pub fn is_false(self) -> bool {
        matches!(self, Field::Other(b"false") | Field::Text(b"false"))
    }
}

/// Decodes the escapes of a JSON string. A lone surrogate becomes U+FFFD: the rest of the string
/// stays readable, and nothing that we compare with holds one.
#[inline]
pub fn unescape(raw: &[u8]) -> Cow<'_, str> {
    // The window that `raw` comes from was checked; lossy decoding changes nothing here.
    let text = std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    if memchr::memchr(b'\\', raw).is_none() { text } else { Cow::Owned(unescape_all(&text)) }
}

fn unescape_all(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let (char, used) = unicode(escape);
                out.push(char);
                rest = escape.get(used..).unwrap_or_default();
                continue;
            }
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// The character at `uXXXX`, a surrogate pair taken together, and the bytes it stands in.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |from: usize| escape.get(from..from + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(1) else { return (char::REPLACEMENT_CHARACTER, 1) };
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(7)
    {
        let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}

/// A field of a record, or of an envelope around one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Key {
    UserIdentity,
    EventTime,
    EventSource,
    EventName,
    EventType,
    EventCategory,
    EventId,
    RequestId,
    SharedEventId,
    AwsRegion,
    SourceIpAddress,
    UserAgent,
    ErrorCode,
    ErrorMessage,
    ReadOnly,
    ManagementEvent,
    RecipientAccountId,
    VpcEndpointId,
    VpcEndpointAccountId,
    RequestParameters,
    ResponseElements,
    Resources,
    Addendum,
    SessionCredentialFromConsole,
    /// EventBridge: `source`, `detail-type`, `account`, `detail`.
    Source,
    DetailType,
    Account,
    Id,
    Detail,
    /// SQS: `body` in an event of the Lambda service, `Body` in a message received by hand.
    Body,
    MessageId,
    /// SNS: `Sns` in an event of the Lambda service; `Type` and `Message` in what it delivers
    /// elsewhere.
    Sns,
    Type,
    Message,
    /// CloudWatch Logs subscription: `awslogs`, and `message` in each of the events in it.
    AwsLogs,
    LogMessage,
    /// S3 notification, and the test message (`Event`) that S3 sends when one is set up.
    S3,
    Event,
    /// An array of records: a log file, an event of the Lambda service, a CloudWatch Logs
    /// subscription, messages received from SQS by hand.
    Records,
}

/// How many [`Key`]s there are: no more than a `u64` has bits.
const KEYS: usize = Key::Records as usize + 1;

impl Key {
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"userIdentity" => Key::UserIdentity,
            b"eventTime" => Key::EventTime,
            b"eventSource" => Key::EventSource,
            b"eventName" => Key::EventName,
            b"eventType" => Key::EventType,
            b"eventCategory" => Key::EventCategory,
            b"eventID" => Key::EventId,
            b"requestID" => Key::RequestId,
            b"sharedEventID" => Key::SharedEventId,
            b"awsRegion" => Key::AwsRegion,
            b"sourceIPAddress" => Key::SourceIpAddress,
            b"userAgent" => Key::UserAgent,
            b"errorCode" => Key::ErrorCode,
            b"errorMessage" => Key::ErrorMessage,
            b"readOnly" => Key::ReadOnly,
            b"managementEvent" => Key::ManagementEvent,
            b"recipientAccountId" => Key::RecipientAccountId,
            b"vpcEndpointId" => Key::VpcEndpointId,
            b"vpcEndpointAccountId" => Key::VpcEndpointAccountId,
            b"requestParameters" => Key::RequestParameters,
            b"responseElements" => Key::ResponseElements,
            b"resources" => Key::Resources,
            b"addendum" => Key::Addendum,
            b"sessionCredentialFromConsole" => Key::SessionCredentialFromConsole,
            b"source" => Key::Source,
            b"detail-type" => Key::DetailType,
            b"account" => Key::Account,
            b"id" => Key::Id,
            b"detail" => Key::Detail,
            b"body" | b"Body" => Key::Body,
            b"messageId" | b"MessageId" => Key::MessageId,
            b"Sns" => Key::Sns,
            b"Type" => Key::Type,
            b"Message" => Key::Message,
            b"awslogs" => Key::AwsLogs,
            b"message" => Key::LogMessage,
            b"s3" => Key::S3,
            b"Event" => Key::Event,
            b"Records" | b"logEvents" | b"Messages" => Key::Records,
            _ => return None,
        })
    }

    #[inline]
    fn bit(self) -> u64 {
        1 << self as u32
    }

    /// Is it a field that tells a record, or an envelope around one, from a container of them?
    pub(super) fn is_of_a_record(self) -> bool {
        Key::TELLING.contains(&self)
    }

    const TELLING: [Key; 6] =
        [Key::EventName, Key::EventSource, Key::EventId, Key::UserIdentity, Key::Detail, Key::Body];
}

/// A CloudTrail record, or an envelope around one.
#[derive(Debug)]
pub struct Record<'a> {
    /// The whole object.
    pub json: &'a [u8],
    /// Byte offset of the object in its window.
    pub at: usize,
    /// The keys that it has, a bit each. The fields of the others are those of another record.
    present: u64,
    fields: [Field<'a>; KEYS],
    /// `userIdentity`, read where it is asked for.
    identity: Option<Cursor<'a>>,
    /// A field that we read stands in the record twice, with different values: nothing in the
    /// record can be relied on.
    pub conflict: bool,
}

/// `userIdentity`, and what of `sessionContext` we read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    pub kind: Field<'a>,
    pub arn: Field<'a>,
    pub principal_id: Field<'a>,
    pub account: Field<'a>,
    pub user_name: Field<'a>,
    pub invoked_by: Field<'a>,
    pub on_behalf_of: Field<'a>,
    pub in_scope_of: Field<'a>,
    /// `sessionContext.sourceIdentity`: the human behind a role session, if one was set.
    pub source_identity: Field<'a>,
    /// `sessionContext.assumedRoot`: a root session made by `sts:AssumeRoot`.
    pub assumed_root: Field<'a>,
    pub issuer: Issuer<'a>,
    /// The element, or one inside it, is there and is no object, or holds a field twice with
    /// different values.
    pub unreadable: bool,
}

/// `sessionContext.sessionIssuer`: the role or user that a session was made from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Issuer<'a> {
    pub kind: Field<'a>,
    pub arn: Field<'a>,
    pub principal_id: Field<'a>,
    pub account: Field<'a>,
}

/// What an object turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// A record or an envelope, whole.
    Object,
    /// It holds records in an array, and the place is at the array's bracket.
    Container,
}

/// A key seen before.
#[derive(Debug)]
struct Seen {
    /// As it stands in the text, with its quotes and its colon.
    text: Box<[u8]>,
    /// The same, where it is short enough to be looked for.
    literal: Option<Literal>,
    key: Option<Key>,
    /// The key that stood behind it last time.
    next: usize,
}

/// Records come with their keys in much the same order, so the reader remembers which key came
/// behind which and looks for that one first. Remembering never changes what is read.
#[derive(Debug)]
pub struct KeyOrder {
    seen: Vec<Seen>,
}

/// Keys remembered; CloudTrail has about thirty.
const MAX_SEEN: usize = 64;

impl Default for KeyOrder {
    fn default() -> Self {
        // The first entry stands for the opening brace.
        Self { seen: vec![Seen { text: Box::default(), literal: None, key: None, next: 0 }] }
    }
}

impl KeyOrder {
    /// Reads the next key of the object at the place of `cursor`, and where it is remembered.
    #[inline]
    fn key<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        before: usize,
    ) -> Result<Option<(Option<Key>, usize)>, Stop> {
        if let Some(((literal, key), next)) = self.guess(before)
            && cursor.skip_key(literal, before == 0)
        {
            return Ok(Some((key, next)));
        }
        let Some(text) = cursor.key(before == 0)? else { return Ok(None) };
        let key = if text.contains(&b'\\') { Key::of(unescape(text).as_bytes()) } else { Key::of(text) };
        Ok(Some((key, self.remember(before, text, key))))
    }

    /// The key that is expected behind another, and where it is remembered.
    #[inline]
    fn guess(&self, before: usize) -> Option<((&Literal, Option<Key>), usize)> {
        let next = self.seen.get(before)?.next;
        let guess = self.seen.get(next)?;
        Some(((guess.literal.as_ref()?, guess.key), next))
    }

    #[cold]
    fn remember(&mut self, before: usize, text: &[u8], key: Option<Key>) -> usize {
        let text = [b"\"", text, b"\":"].concat();
        let known = self.seen.iter().position(|seen| *seen.text == *text);
        let at = match known {
            Some(at) => at,
            None if self.seen.len() < MAX_SEEN => {
                let literal = Literal::new(&text);
                self.seen.push(Seen { text: text.into(), literal, key, next: 0 });
                self.seen.len() - 1
            }
            // Forgotten at once; what follows is read without a guess.
            None => self.seen.len() - 1,
        };
        self.seen[before].next = at;
        at
    }
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self { json: b"", at: 0, present: 0, fields: [Field::Absent; KEYS], identity: None, conflict: false }
    }
}

impl<'a> Record<'a> {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the object at the place of `cursor`.
    ///
    /// # Errors
    /// Where the text ends before the object does, or is no JSON.
    pub fn read(&mut self, cursor: &mut Cursor<'a>, order: &mut KeyOrder) -> Result<Read, Stop> {
        self.read_all::<false>(cursor, order)
    }

    /// The same, where `detail` may be nested to any depth: how deep the record in an envelope may be
    /// does not hang on the envelope. Whoever opens it looks at the depth.
    #[cold]
    pub(super) fn read_envelope(
        &mut self,
        cursor: &mut Cursor<'a>,
        order: &mut KeyOrder,
    ) -> Result<Read, Stop> {
        self.read_all::<true>(cursor, order)
    }

    #[inline(always)]
    fn read_all<const ENVELOPE: bool>(
        &mut self,
        cursor: &mut Cursor<'a>,
        order: &mut KeyOrder,
    ) -> Result<Read, Stop> {
        self.at = cursor.at();
        self.present = 0;
        self.conflict = false;
        cursor.bracket()?;
        let mut before = self.read_plainly(cursor, order, 0);
        while let Some((key, at)) = order.key(cursor, before)? {
            before = at;
            match key {
                Some(Key::UserIdentity) => {
                    cursor.peek()?;
                    self.identity = Some(cursor.clone());
                }
                Some(Key::Records) if cursor.peek()? == b'[' && !self.is_record() => {
                    return Ok(Read::Container);
                }
                Some(_) | None => {}
            }
            let value = if ENVELOPE && key == Some(Key::Detail) {
                Field::of(cursor.value_of_any_depth()?)
            } else {
                Field::of(cursor.value()?)
            };
            if let Some(key) = key {
                self.set(key, value);
            }
            before = self.read_plainly(cursor, order, before);
        }
        self.json = cursor.text_since(self.at);
        Ok(Read::Object)
    }

    /// Reads on as long as each key is the one that is expected and its value no number, which is most of a
    /// record. Returns the last key that was read.
    ///
    /// Where the next value begins hangs on where the last one ends, and all else waits for that: so the
    /// place is kept in a register here, and not in the cursor.
    #[inline]
    fn read_plainly(&mut self, cursor: &mut Cursor<'a>, order: &KeyOrder, mut before: usize) -> usize {
        let mut at = cursor.at();
        while let Some((guess, next)) = order.guess(before)
            && let Some(start) = cursor.behind_key(guess.0, before == 0, at)
        {
            let (value, behind) = if let Some((text, behind)) = cursor.string_at(start) {
                (Field::Text(text), behind)
            } else if let Some((word, behind)) = cursor.word_at(start) {
                (Field::of(word), behind)
            } else if !matches!(guess.1, Some(Key::Records | Key::Detail))
                && let Some((nested, behind)) = cursor.nested_at(start)
            {
                (Field::of(nested), behind)
            } else {
                break;
            };
            if let Some(key) = guess.1 {
                if key == Key::UserIdentity {
                    cursor.go_back(start);
                    self.identity = Some(cursor.clone());
                }
                self.set(key, value);
            }
            (at, before) = (behind, next);
        }
        cursor.go_back(at);
        before
    }

    #[inline]
    fn set(&mut self, key: Key, value: Field<'a>) {
        let field = &mut self.fields[key as usize];
        self.conflict |= self.present & key.bit() != 0 && *field != value;
        self.present |= key.bit();
        *field = value;
    }

    /// The same record with a field that it lacks.
    pub(super) fn with(&self, key: Key, value: Field<'a>) -> Self {
        let mut record = Self { identity: self.identity.clone(), ..*self };
        record.present |= key.bit();
        record.fields[key as usize] = value;
        record
    }

    /// A field.
    #[inline]
    pub fn get(&self, key: Key) -> Field<'a> {
        if self.present & key.bit() == 0 { Field::Absent } else { self.fields[key as usize] }
    }

    /// Does it hold anything that no container of records does?
    fn is_record(&self) -> bool {
        Key::TELLING.iter().any(|key| self.present & key.bit() != 0)
    }

    /// Does it hold any field that we know?
    pub(super) fn holds_anything(&self) -> bool {
        self.present != 0
    }
}

#[inline]
fn set<'a>(field: &mut Field<'a>, value: Value<'a>, conflict: &mut bool) {
    let value = Field::of(value);
    *conflict |= *field != Field::Absent && *field != value;
    *field = value;
}

impl<'a> Record<'a> {
    /// Reads `userIdentity`.
    pub fn identity(&self) -> Identity<'a> {
        let mut identity = Identity::default();
        if let Some(cursor) = &self.identity
            && self.present & Key::UserIdentity.bit() != 0
        {
            identity.unreadable |= read_identity(&mut cursor.clone(), &mut identity).is_err();
        }
        identity
    }
}

/// Reads the value of a key that may have stood there before; then both must be the same text.
fn once<'a>(
    cursor: &mut Cursor<'a>,
    before: &mut Option<&'a [u8]>,
    identity: &mut Identity<'a>,
    read: fn(&mut Cursor<'a>, &mut Identity<'a>) -> Result<(), Stop>,
) -> Result<bool, Stop> {
    cursor.peek()?;
    let start = cursor.at();
    read(cursor, identity)?;
    let text = cursor.text_since(start);
    identity.unreadable |= before.replace(text).is_some_and(|before| before != text);
    Ok(true)
}

fn read_identity<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Stop> {
    let mut context = None;
    let object = members(cursor, &mut |cursor, key| {
        let field = match key {
            b"type" => &mut identity.kind,
            b"arn" => &mut identity.arn,
            b"principalId" => &mut identity.principal_id,
            b"accountId" => &mut identity.account,
            b"userName" => &mut identity.user_name,
            b"invokedBy" => &mut identity.invoked_by,
            b"onBehalfOf" => &mut identity.on_behalf_of,
            b"inScopeOf" => &mut identity.in_scope_of,
            b"sessionContext" => return once(cursor, &mut context, identity, session),
            _ => return Ok(false),
        };
        set(field, cursor.value()?, &mut identity.unreadable);
        Ok(true)
    })?;
    identity.unreadable |= !object;
    Ok(())
}

fn session<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Stop> {
    let mut role = None;
    let object = members(cursor, &mut |cursor, key| {
        let field = match key {
            b"sourceIdentity" => &mut identity.source_identity,
            b"assumedRoot" => &mut identity.assumed_root,
            b"sessionIssuer" => return once(cursor, &mut role, identity, issuer),
            _ => return Ok(false),
        };
        set(field, cursor.value()?, &mut identity.unreadable);
        Ok(true)
    })?;
    identity.unreadable |= !object;
    Ok(())
}

fn issuer<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Stop> {
    let object = members(cursor, &mut |cursor, key| {
        let field = match key {
            b"type" => &mut identity.issuer.kind,
            b"arn" => &mut identity.issuer.arn,
            b"principalId" => &mut identity.issuer.principal_id,
            b"accountId" => &mut identity.issuer.account,
            _ => return Ok(false),
        };
        set(field, cursor.value()?, &mut identity.unreadable);
        Ok(true)
    })?;
    identity.unreadable |= !object;
    Ok(())
}

/// Goes through an object, giving each key to `read`, which says whether it took the value.
/// Tells whether it was an object (or `null`: nothing said); anything else is gone past.
fn members<'a>(
    cursor: &mut Cursor<'a>,
    read: &mut impl FnMut(&mut Cursor<'a>, &[u8]) -> Result<bool, Stop>,
) -> Result<bool, Stop> {
    if cursor.peek()? != b'{' {
        return cursor.value().map(|value| value == Value::Null);
    }
    cursor.bracket()?;
    let mut first = true;
    while let Some(key) = cursor.key(first)? {
        first = false;
        let taken =
            if key.contains(&b'\\') { read(cursor, unescape(key).as_bytes())? } else { read(cursor, key)? };
        if !taken {
            cursor.value()?;
        }
    }
    Ok(true)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cloudtrail::marks::Marks;

    /// Reads a record and gives it to `use_it`.
    pub(crate) fn with_record<T>(json: &str, use_it: impl FnOnce(&Record<'_>) -> T) -> T {
        let mut marks = Marks::default();
        marks.index(json.as_bytes());
        let mut record = Record::new();
        let read = record.read(&mut Cursor::new(json.as_bytes(), &marks), &mut KeyOrder::default());
        assert_eq!(read, Ok(Read::Object), "{json}");
        use_it(&record)
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(br#"a\"\\\/\n\u00e9\ud83d\ude00\ud83d."#), "a\"\\/\n\u{e9}\u{1f600}\u{fffd}.");
    }

    #[test]
    fn a_field_of_another_type_is_no_text() {
        with_record(r#"{"eventID":7,"errorCode":null,"readOnly":false,"eventSource":["x"]}"#, |record| {
            assert_eq!(record.get(Key::EventId), Field::Other(b"7"));
            assert!(record.get(Key::ErrorCode).is_absent());
            assert!(record.get(Key::ReadOnly).is_false());
            assert!(record.get(Key::EventSource).is_unreadable());
        });
    }

    #[test]
    fn a_field_twice_is_a_conflict_only_where_the_values_differ() {
        with_record(r#"{"eventID":"a","eventID":"a"}"#, |record| assert!(!record.conflict));
        with_record(r#"{"eventID":"a","eventID":null}"#, |record| assert!(record.conflict));
    }

    #[test]
    fn what_stands_twice_in_the_identity_must_be_the_same() {
        let unreadable = |identity: &str| {
            with_record(&format!(r#"{{"userIdentity":{identity}}}"#), |record| record.identity().unreadable)
        };
        let context = r#""sessionContext":{"sessionIssuer":{"arn":"a"}}"#;
        let issuer = r#""sessionIssuer":{"arn":"a"}"#;
        let twice = [
            format!("{{{context},{context}}}"),
            format!(r#"{{"sessionContext":{{{issuer},"x":1,"session\u0049ssuer": {{"arn":"a"}}}}}}"#),
            r#"{"sessionContext":null,"sessionContext":null}"#.to_owned(),
        ];
        for same in twice {
            assert!(!unreadable(&same), "{same}");
        }
        let differing = [
            format!(r#"{{{context},"sessionContext":null}}"#),
            format!(r#"{{"sessionContext":null,{context}}}"#),
            format!(r#"{{{context},"sessionContext":{{}}}}"#),
            format!(r#"{{{context},"sessionContext":{{"sourceIdentity":"x"}}}}"#),
            format!(r#"{{"sessionContext":{{{issuer},"sessionIssuer":null}}}}"#),
            format!(r#"{{"sessionContext":{{"sessionIssuer":{{}},{issuer}}}}}"#),
        ];
        for other in differing {
            assert!(unreadable(&other), "{other}");
        }
        with_record(&format!(r#"{{"userIdentity":{{{context}}},"userIdentity":null}}"#), |record| {
            assert!(record.conflict);
        });
    }

    #[test]
    fn escaped_keys_are_the_same_keys() {
        let json = r#"{"event\u0053ource":"a","userIdentit\u0079":{"sessionContext":{"session\u0049ssuer":{"arn":"x"}}}}"#;
        with_record(json, |record| {
            assert!(record.get(Key::EventSource).is("a"));
            assert!(record.identity().issuer.arn.is("x"));
        });
    }
}

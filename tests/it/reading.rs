//! The reader against a plain JSON parser, against every packing, and against damage.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::ops::Range;

use dynamodb_perimeter::audit::case::{Case, Known};
use dynamodb_perimeter::audit::shortcut::Shortcut;
use dynamodb_perimeter::audit::verdict::judge;
use dynamodb_perimeter::cloudtrail::archive::Reader;
use dynamodb_perimeter::cloudtrail::cursor::{Cause, Cursor};
use dynamodb_perimeter::cloudtrail::elements::{self, Bytes, Element, Fault, MAX_ELEMENT, Whole};
use dynamodb_perimeter::cloudtrail::envelope::{self, Content};
use dynamodb_perimeter::cloudtrail::marks::Marks;
use dynamodb_perimeter::cloudtrail::record::{Field, Key, KeyOrder, Record};
use dynamodb_perimeter::ids::{AccountId, EndpointId, VpcKey};
use dynamodb_perimeter::perimeter::inventory::{self, Inventory};
use dynamodb_perimeter::perimeter::{BreakGlass, Endpoint, Mode, Perimeter};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Every key, under the names that it has in records and envelopes.
const KEYS: [(Key, &[&str]); 40] = [
    (Key::UserIdentity, &["userIdentity"]),
    (Key::EventTime, &["eventTime"]),
    (Key::EventSource, &["eventSource"]),
    (Key::EventName, &["eventName"]),
    (Key::EventType, &["eventType"]),
    (Key::EventCategory, &["eventCategory"]),
    (Key::EventId, &["eventID"]),
    (Key::RequestId, &["requestID"]),
    (Key::SharedEventId, &["sharedEventID"]),
    (Key::AwsRegion, &["awsRegion"]),
    (Key::SourceIpAddress, &["sourceIPAddress"]),
    (Key::UserAgent, &["userAgent"]),
    (Key::ErrorCode, &["errorCode"]),
    (Key::ErrorMessage, &["errorMessage"]),
    (Key::ReadOnly, &["readOnly"]),
    (Key::ManagementEvent, &["managementEvent"]),
    (Key::RecipientAccountId, &["recipientAccountId"]),
    (Key::VpcEndpointId, &["vpcEndpointId"]),
    (Key::VpcEndpointAccountId, &["vpcEndpointAccountId"]),
    (Key::RequestParameters, &["requestParameters"]),
    (Key::ResponseElements, &["responseElements"]),
    (Key::Resources, &["resources"]),
    (Key::Addendum, &["addendum"]),
    (Key::SessionCredentialFromConsole, &["sessionCredentialFromConsole"]),
    (Key::Source, &["source"]),
    (Key::DetailType, &["detail-type"]),
    (Key::Account, &["account"]),
    (Key::Id, &["id"]),
    (Key::Detail, &["detail"]),
    (Key::Body, &["body", "Body"]),
    (Key::MessageId, &["messageId", "MessageId"]),
    (Key::Sns, &["Sns"]),
    (Key::Type, &["Type"]),
    (Key::Message, &["Message"]),
    (Key::AwsLogs, &["awslogs"]),
    (Key::LogMessage, &["message"]),
    (Key::S3, &["s3"]),
    (Key::Event, &["Event"]),
    (Key::Stream, &["kinesis", "dynamodb"]),
    (Key::Records, &["Records", "logEvents", "Messages"]),
];

/// A JSON value, with its keys in order and as often as they come.
#[derive(Clone, Debug)]
enum Json {
    Plain(&'static str),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// How JSON is written: from its bytes come the choices, again and again.
#[derive(Clone, Debug)]
struct Style {
    choices: Vec<u8>,
    next: usize,
}

impl Style {
    fn compact() -> Self {
        Self { choices: vec![0], next: 0 }
    }

    fn one_in(&mut self, n: u8) -> bool {
        let choice = self.choices[self.next % self.choices.len()];
        self.next += 1;
        choice != 0 && choice.is_multiple_of(n)
    }

    fn space(&mut self, out: &mut String) {
        if self.one_in(5) {
            out.push_str(if self.one_in(2) { " " } else { "\r\n\t" });
        }
    }

    fn text(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
                '/' if self.one_in(2) => out.push_str("\\/"),
                c if self.one_in(7) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04X}").unwrap_or_default();
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }

    fn json(&mut self, json: &Json, out: &mut String) {
        match json {
            Json::Plain(word) => out.push_str(word),
            Json::Text(text) => self.text(text, out),
            Json::Array(items) => {
                out.push('[');
                self.space(out);
                for (n, item) in items.iter().enumerate() {
                    self.between(n, out);
                    self.json(item, out);
                    self.space(out);
                }
                out.push(']');
            }
            Json::Object(fields) => {
                out.push('{');
                self.space(out);
                for (n, (key, value)) in fields.iter().enumerate() {
                    self.between(n, out);
                    self.text(key, out);
                    self.space(out);
                    out.push(':');
                    self.space(out);
                    self.json(value, out);
                    self.space(out);
                }
                out.push('}');
            }
        }
    }

    fn between(&mut self, n: usize, out: &mut String) {
        if n > 0 {
            out.push(',');
            self.space(out);
        }
    }
}

fn style() -> impl Strategy<Value = Style> {
    prop_oneof![
        Just(Style::compact()),
        prop::collection::vec(any::<u8>(), 1..200).prop_map(|choices| Style { choices, next: 0 }),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z:/.0-9-]{0,30}",
        2 => any::<String>(),
        1 => Just(r#"},{"eventVersion":"1.08","eventName":"#.to_owned()),
        1 => Just(r#"\"]}"#.to_owned()),
        1 => Just("\\\\\\".to_owned()),
        1 => "[x\"\\\\{}]{50,150}",
    ]
}

fn key() -> impl Strategy<Value = String> {
    let known: Vec<&str> = KEYS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    prop_oneof![
        8 => prop::sample::select(known).prop_map(str::to_owned),
        1 => Just("eventVersion".to_owned()),
        1 => text(),
    ]
}

fn json() -> impl Strategy<Value = Json> {
    let words = vec!["null", "true", "false", "0", "-1.5e+3", "12345678901234567890", "7E5"];
    let leaf = prop_oneof![prop::sample::select(words).prop_map(Json::Plain), text().prop_map(Json::Text),];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::vec((key(), inner), 0..5).prop_map(Json::Object),
        ]
    })
}

/// Any object but a container of records.
fn record() -> impl Strategy<Value = Json> {
    let identity = prop::collection::vec(
        (
            prop::sample::select(vec!["type", "arn", "sessionContext", "accountId", "x"])
                .prop_map(str::to_owned),
            json(),
        ),
        0..5,
    );
    let fields = prop::collection::vec((key(), json()), 0..20);
    (fields, identity, json()).prop_map(|(mut fields, mut identity, issuer)| {
        let context = vec![("sessionIssuer".to_owned(), Json::Object(vec![("arn".to_owned(), issuer)]))];
        identity.push(("sessionContext".to_owned(), Json::Object(context)));
        fields.insert(0, ("userIdentity".to_owned(), Json::Object(identity)));
        Json::Object(fields)
    })
}

/// The fields of an object, as serde_json has them.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs<'de>, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(All)
    }
}

fn field(raw: &RawValue) -> Field<'_> {
    let raw = raw.get().as_bytes();
    match raw {
        b"null" => Field::Null,
        [b'"', text @ .., b'"'] => Field::Text(text),
        other => Field::Other(other),
    }
}

/// Compares all that we read of a record with what serde_json reads.
fn agrees(record: &Record<'_>, text: &str) -> Result<(), TestCaseError> {
    let pairs: Pairs<'_> =
        serde_json::from_str(text).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut conflict = false;
    for (key, names) in KEYS {
        let values =
            || pairs.0.iter().filter(|(name, _)| names.contains(&&**name)).map(|(_, raw)| field(raw));
        let found = record.get(key);
        prop_assert_eq!(found, values().next_back().unwrap_or_default(), "{:?} of {}", key, text);
        if let Field::Text(raw) = found {
            let quoted = format!("\"{}\"", String::from_utf8_lossy(raw));
            let decoded: String =
                serde_json::from_str(&quoted).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(found.text(), Some(decoded.into()));
        }
        conflict |= values().zip(values().skip(1)).any(|(one, next)| one != next);
    }
    prop_assert_eq!(record.conflict, conflict, "{}", text);
    prop_assert_eq!(record.json, text.as_bytes());
    identity_agrees(record, &pairs)
}

fn identity_agrees(record: &Record<'_>, pairs: &Pairs<'_>) -> Result<(), TestCaseError> {
    let last = pairs.0.iter().rev().find(|(name, _)| name == "userIdentity");
    let Some((_, raw)) = last else { return Ok(()) };
    let identity = record.identity();
    let Ok(Pairs(fields)) = serde_json::from_str::<Pairs<'_>>(raw.get()) else {
        prop_assert_eq!(identity.unreadable, raw.get() != "null");
        return Ok(());
    };
    let value = |name: &str| {
        fields.iter().rev().find(|(key, _)| key == name).map(|(_, raw)| field(raw)).unwrap_or_default()
    };
    prop_assert_eq!(identity.arn, value("arn"));
    prop_assert_eq!(identity.kind, value("type"));
    prop_assert_eq!(identity.account, value("accountId"));
    let mut contexts = fields.iter().filter(|(key, _)| key == "sessionContext").filter_map(|(_, raw)| {
        let Pairs(context) = serde_json::from_str::<Pairs<'_>>(raw.get()).ok()?;
        let (_, issuer) = *context.iter().rev().find(|(key, _)| key == "sessionIssuer")?;
        let Pairs(issuer) = serde_json::from_str::<Pairs<'_>>(issuer.get()).ok()?;
        issuer.iter().rev().find(|(key, _)| key == "arn").map(|(_, raw)| field(raw))
    });
    prop_assert_eq!(identity.issuer.arn, contexts.next_back().unwrap_or_default());
    let mut texts = fields.iter().filter(|(key, _)| key == "sessionContext").map(|(_, raw)| raw.get());
    let first = texts.next();
    prop_assert!(identity.unreadable || texts.all(|text| Some(text) == first));
    Ok(())
}

/// What a reader gave: its objects' texts, and its faults.
#[derive(Debug, Default, PartialEq)]
struct Given {
    objects: Vec<(u64, String)>,
    faults: Vec<Fault>,
}

impl Given {
    fn take(&mut self, element: &Element<'_>) {
        match element {
            Element::Object { at, record } => {
                self.objects.push((*at, String::from_utf8_lossy(record.json).into_owned()));
            }
            Element::Fault(fault) => self.faults.push(*fault),
        }
    }

    fn texts(&self) -> Vec<&str> {
        self.objects.iter().map(|(_, text)| &**text).collect()
    }
}

fn whole(text: &[u8]) -> Given {
    let mut given = Given::default();
    elements::each(&mut Whole(text), &mut |element| given.take(&element));
    given
}

fn file(mut source: impl Read) -> Given {
    let mut given = Given::default();
    Reader::default().read(&mut source, &mut |element| given.take(&element));
    given
}

/// Comes in pieces of the given sizes.
struct Pieces<'a> {
    text: &'a [u8],
    from: usize,
    to: usize,
    sizes: Vec<usize>,
    next: usize,
}

impl<'a> Pieces<'a> {
    fn new(text: &'a [u8], sizes: &[usize]) -> Self {
        Self { text, from: 0, to: 0, sizes: sizes.to_vec(), next: 0 }
    }

    fn size(&mut self) -> usize {
        self.next += 1;
        self.sizes[self.next % self.sizes.len()].max(1)
    }
}

impl Bytes for Pieces<'_> {
    fn window(&self) -> &[u8] {
        &self.text[self.from..self.to]
    }
    fn consume(&mut self, n: usize) {
        self.from += n;
        assert!(self.from <= self.to);
    }
    fn fill(&mut self) -> bool {
        let before = self.to;
        self.to = (self.to + self.size()).min(self.text.len());
        self.to > before
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let n = self.size().min(space.len()).min(self.text.len() - self.from);
        space[..n].copy_from_slice(&self.text[self.from..self.from + n]);
        self.from += n;
        Ok(n)
    }
}

fn in_pieces(text: &[u8], sizes: &[usize]) -> Given {
    let mut given = Given::default();
    elements::each(&mut Pieces::new(text, sizes), &mut |element| given.take(&element));
    given
}

fn gzip(text: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(text)?;
    encoder.finish()
}

/// Several members, cut at the given places.
fn members(text: &[u8], cuts: &[usize], level: Compression) -> io::Result<Vec<u8>> {
    let cuts: BTreeSet<usize> =
        cuts.iter().map(|cut| cut % (text.len() + 1)).chain([0, text.len()]).collect();
    let cuts: Vec<usize> = cuts.into_iter().collect();
    let mut packed = Vec::new();
    for cut in cuts.windows(2) {
        packed.extend(gzip(&text[cut[0]..cut[1]], level)?);
    }
    Ok(packed)
}

fn packings(records: &[String]) -> Vec<String> {
    let comma = records.join(",");
    let pretty = records.join(" ,\r\n\t");
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let crlf: String = records.iter().map(|record| format!("{record}\r\n\r\n")).collect();
    let halves = records.split_at(records.len() / 2);
    let large = "x".repeat(140_000);
    vec![
        format!(r#"{{"Records":[{comma}]}}"#),
        format!("\u{feff}\r\n{{ \"Records\" : [ {pretty} ] }}\r\n"),
        format!("[{comma}]"),
        format!("\n[\n{pretty}\n]\n"),
        records.concat(),
        lines,
        crlf,
        format!(r#"{{"Records":[{}]}}{{"Records":[{}],"x":"]}}"}}"#, halves.0.join(","), halves.1.join(",")),
        format!(
            r#"{{"Records":[{}],"x":{{"y":[]}},"Records":[{}]}}"#,
            halves.0.join(","),
            halves.1.join(",")
        ),
        format!(r#"{{"x":"{large}","y":[{{}},[]],"Re\u0063ords":[{comma}],"z":"{large}","logEvents":[]}}"#),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

    #[test]
    fn reads_what_a_json_parser_reads(records in prop::collection::vec(record(), 1..6), style in style()) {
        let mut style = style;
        // One order of keys for all of them: what it remembers of one record it uses for the next.
        let mut order = KeyOrder::default();
        for json in &records {
            let mut text = String::new();
            style.json(json, &mut text);
            let mut marks = Marks::default();
            marks.index(text.as_bytes());
            for strict in [false, true] {
                let cursor = Cursor::new(text.as_bytes(), &marks);
                let mut cursor = if strict { cursor.strictly() } else { cursor };
                let mut record = Record::new();
                prop_assert!(record.read(&mut cursor, &mut order).is_ok(), "{}", text);
                agrees(&record, &text)?;
            }
            prop_assert_eq!(marks.faults(), &[0u32; 0][..]);
        }
    }
}

proptest! {
    // Each case packs and reads some megabytes.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn every_packing_holds_the_same_records(
        records in prop::collection::vec(record(), 0..8),
        style in style(),
        sizes in prop::collection::vec(1usize..300, 1..4),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        let mut style = style;
        let records: Vec<String> = records.iter().map(|json| {
            let mut text = String::new();
            style.json(json, &mut text);
            text
        }).collect();
        for text in packings(&records) {
            let given = whole(text.as_bytes());
            prop_assert_eq!(given.texts(), records.iter().map(String::as_str).collect::<Vec<_>>(), "{}", text);
            prop_assert_eq!(&given.faults, &[], "{}", text);
            for (at, record) in &given.objects {
                prop_assert!(text[*at as usize..].starts_with(record.as_str()));
            }
            if text.len() < 50_000 {
                prop_assert_eq!(&in_pieces(text.as_bytes(), &sizes), &given);
            }
            let packed = members(text.as_bytes(), &cuts, Compression::fast())?;
            prop_assert_eq!(&file(packed.as_slice()), &given);
            prop_assert_eq!(&file(text.as_bytes()), &given);
        }
    }
}

/// Records as CloudTrail writes them, each with an id of its own.
fn cloudtrail_records(n: usize) -> Vec<String> {
    let sorted = |n: usize| n % 7 == 3;
    (0..n)
        .map(|n| {
            let first = if sorted(n) { r#""awsRegion":"eu-west-1","eventVersion":"1.11""# } else { r#""eventVersion":"1.11""# };
            format!(
                r#"{{{first},"userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/app/i-{n}","sessionContext":{{"sessionIssuer":{{"arn":"arn:aws:iam::111122223333:role/app"}},"attributes":{{"mfaAuthenticated":"false"}}}}}},"eventTime":"2026-03-01T00:20:50Z","eventSource":"dynamodb.amazonaws.com","eventName":"Query","sourceIPAddress":"10.27.65.37","userAgent":"aws \"sdk\" \\ 1","requestParameters":{{"tableName":"t","key":{{"pk":"x","n":[1,2,{{"a":null}}]}}}},"responseElements":null,"eventID":"id-{n}","readOnly":true,"resources":[{{"accountId":"111122223333","ARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/t"}},{{"ARN":"y"}}],"vpcEndpointId":"vpce-0a1b"}}"#
            )
        })
        .collect()
}

/// Where each record stands in a text.
fn places(text: &str, records: &[String]) -> Vec<Range<usize>> {
    let mut from = 0;
    let place = |record: &String| {
        let at = text[from..].find(record.as_str()).map_or(text.len(), |at| from + at);
        from = (at + record.len()).min(text.len());
        at..from
    };
    records.iter().map(place).collect()
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(u8),
    Delete(usize),
    Insert(Vec<u8>),
    Truncate,
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(br#"{}[]",:\ 10nullt"#.to_vec()), Just(b'\n')],
        1..40,
    );
    let record = Just(br#"{"eventVersion":"1.0","eventID":"#.to_vec());
    prop_oneof![
        (1u8..=255).prop_map(Damage::Flip),
        prop_oneof![Just(1usize), 1usize..60, 60usize..3000].prop_map(Damage::Delete),
        prop_oneof![4 => bytes, 1 => record].prop_map(Damage::Insert),
        Just(Damage::Truncate),
    ]
}

/// Damages `text` at `at`. Returns the place that was damaged.
fn apply(damage: &Damage, at: usize, text: &mut Vec<u8>) -> Range<usize> {
    match damage {
        Damage::Flip(bits) => {
            text[at] ^= bits;
            at..at + 1
        }
        Damage::Delete(n) => {
            let end = (at + n).min(text.len());
            text.drain(at..end);
            at..end
        }
        Damage::Insert(bytes) => {
            text.splice(at..at, bytes.iter().copied());
            at..at + 1
        }
        Damage::Truncate => {
            let end = text.len();
            text.truncate(at);
            at..end
        }
    }
}

fn is_json(text: &[u8]) -> bool {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>().all(|value| value.is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1500), ..ProptestConfig::default() })]

    #[test]
    fn damage_costs_the_records_near_it(
        packing in 0usize..8,
        damage in damage(),
        at in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1usize..5000, 1..4),
    ) {
        let records = cloudtrail_records(12);
        let text = packings(&records).swap_remove(packing);
        let places = places(&text, &records);
        let mut damaged = text.clone().into_bytes();
        let hit = apply(&damage, at.index(text.len()), &mut damaged);
        let given = whole(&damaged);

        let touched: Vec<usize> = (0..records.len()).filter(|n| places[*n].start < hit.end && hit.start < places[*n].end).collect();
        let near = |n: &usize| {
            let gap = if places[*n].start >= hit.end { places[*n].start - hit.end } else { hit.start.saturating_sub(places[*n].end) };
            touched.contains(n) || gap < 40 || touched.iter().any(|hit| hit.abs_diff(*n) <= 2)
        };
        let texts = given.texts();
        for (n, record) in records.iter().enumerate() {
            let times = texts.iter().filter(|text| **text == record).count();
            prop_assert!(times <= 1, "record {} twice", n);
            prop_assert!(times == 1 || near(&n), "record {} lost, hit {:?} {:?}: {:?}", n, hit, touched, given.faults);
        }
        let is_foreign = |text: &&&str| text.contains("\"event") && !records.iter().any(|record| record == *text);
        let foreign: Vec<_> = texts.iter().filter(is_foreign).collect();
        prop_assert!(foreign.len() <= touched.len().max(1), "hit {:?} {:?}, made up: {:?}", hit, touched, foreign);
        // What nobody reads is not looked at closely: halves of two records that fit are one, and a
        // digit that became a letter is not noticed.
        let joined = touched.len() > 1 && foreign.len() == 1;
        let all_there = texts.len() >= records.len();
        prop_assert!(is_json(&damaged) || all_there || joined || !given.faults.is_empty(), "silently lost: {:?}", foreign);
        for fault in &given.faults {
            prop_assert!(fault.at <= damaged.len() as u64);
        }

        let pieces = in_pieces(&damaged, &sizes);
        for (n, record) in records.iter().enumerate() {
            let there = pieces.texts().contains(&record.as_str());
            prop_assert!(there || near(&n), "record {} lost in pieces, hit {:?} {:?}: {:?}", n, hit, touched, pieces.faults);
        }
        prop_assert_eq!(pieces.faults.is_empty(), given.faults.is_empty());
    }

    #[test]
    fn damage_to_a_gzip_member_costs_that_member(
        damage in damage(),
        at in any::<prop::sample::Index>(),
        member in 0usize..3,
    ) {
        let records = cloudtrail_records(9);
        let parts: Vec<String> = records.chunks(3).map(|lines| lines.join("\n") + "\n").collect();
        let mut packed: Vec<Vec<u8>> = Vec::new();
        for part in &parts {
            packed.push(gzip(part.as_bytes(), Compression::default())?);
        }
        let before = packed.concat();
        let hit = at.index(packed[member].len());
        // What does not begin as gzip is taken for plain text.
        prop_assume!(hit > 1);
        if let Damage::Delete(n) = &damage {
            prop_assume!(hit + n < packed[member].len());
        }
        apply(&damage, hit, &mut packed[member]);
        let after = packed.concat();
        prop_assume!(before != after);
        let given = file(after.as_slice());
        for (n, record) in records.iter().enumerate() {
            let there = given.texts().contains(&record.as_str());
            prop_assert!(there || n / 3 == member, "record {} of another member lost: {:?}", n, given.faults);
        }
        let foreign = given.texts().into_iter().find(|text| !records.iter().any(|record| record == text));
        let named = given.faults.iter().any(|fault| fault.packed);
        // Header bytes, as the time, may be any.
        prop_assert!(named || given.texts().len() == records.len(), "{:?}", given.faults);
        prop_assert!(foreign.is_none() || named, "{:?}", foreign);
    }

    #[test]
    fn any_bytes_are_read_to_their_end(
        bytes in prop::collection::vec(prop_oneof![
            prop::sample::select(br#"{}[]",:\ 10nullt"#.to_vec()),
            prop::sample::select(b"\n\r\t\0\xff\x1f\x8b\x08\xef\xbb\xbf".to_vec()),
            any::<u8>(),
        ], 0..600),
        prefix in prop::sample::select(vec![&b""[..], b"{\"Records\":[", b"\x1f\x8b\x08", b"[", b"{\"eventVersion\":"]),
    ) {
        let bytes = [prefix, &bytes].concat();
        let mut given = Given::default();
        Reader::default().read(&mut bytes.as_slice(), &mut |element| {
            envelope::open(&element, &mut |_| ());
            given.take(&element);
        });
        let nothing = bytes.trim_ascii().is_empty();
        prop_assert!(nothing || is_json(&bytes) || !given.faults.is_empty() || !given.objects.is_empty());
    }
}

/// Larger than what is read at once, through sources that give a few bytes at a time.
#[test]
fn large_files_are_read_as_streams() -> Tested {
    let records = cloudtrail_records(8000);
    let text = format!(r#"{{"Records":[{}]}}"#, records.join(","));
    assert!(text.len() > 4_500_000);
    let third = text.len() / 3;
    let packed = members(text.as_bytes(), &[third, 2 * third + 1], Compression::none())?;
    let twice = gzip(&[text.as_bytes(), text.as_bytes()].concat(), Compression::fast())?;
    let same = gzip(format!("{}\n", records.join("\n")).as_bytes(), Compression::none())?;
    for sizes in [&[1 << 20][..], &[4096, 1, 77]] {
        for source in [text.as_bytes(), &packed] {
            let given = file(Pieces::new(source, sizes));
            assert_eq!(given.faults, []);
            assert!(given.texts().iter().eq(&records), "{}", given.objects.len());
        }
        for source in [&twice, &[&same[..], &same].concat()] {
            let given = file(Pieces::new(source, sizes));
            assert_eq!((given.objects.len(), given.faults.len()), (2 * records.len(), 0));
        }
    }
    Ok(())
}

/// In files larger than the buffer, a member may begin at any place of it.
#[test]
fn a_member_may_begin_anywhere_in_the_buffer() -> Tested {
    let first = gzip(&vec![b' '; 4 << 20], Compression::none())?;
    let second = gzip(br#"{"eventName":"x"}"#, Compression::none())?;
    for padding in 0..6 {
        let mut packed = first.clone();
        // What comes in between ends within three bytes of a whole number of buffers.
        let zeros = (256 << 10) - packed.len() % (256 << 10) - 3 + padding;
        packed.resize(packed.len() + zeros, 0);
        packed.extend(&second);
        let given = file(packed.as_slice());
        assert_eq!((given.objects.len(), given.faults.as_slice()), (1, &[][..]), "{padding}");
    }
    Ok(())
}

/// Text that hardly shrinks.
fn noise(bytes: usize, seed: u64) -> String {
    let mixed = |n: u64| {
        let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("{:016x}", n ^ n >> 31)
    };
    let mut text: String = (1..).map(|n: u64| mixed((seed << 20) + n)).take(bytes / 16 + 1).collect();
    text.truncate(bytes);
    text
}

#[test]
fn a_member_cut_short_costs_the_next_one_nothing() -> Tested {
    let packed_lines = |n: usize, size: usize, seed: u64| {
        let lines = (0..n).map(|n| {
            let seed = seed + n as u64;
            format!(r#"{{"awsRegion":"eu-west-1","eventID":"{seed}","x":"{}"}}"#, noise(size, seed))
        });
        gzip(
            format!("{{\"Records\":[{}]}}", lines.collect::<Vec<_>>().join(",")).as_bytes(),
            Compression::default(),
        )
    };
    let second = packed_lines(3000, 30, 1_000_000)?;
    let small = packed_lines(9000, 80, 2_000_000)?;
    let large = packed_lines(60_000, 220, 2_000_000)?;
    let too_large = packed_lines(60_000, 320, 2_000_000)?;
    assert!((400_000..600_000).contains(&small.len()), "{}", small.len());
    assert!((6 << 20..8 << 20).contains(&large.len()), "{}", large.len());
    assert!(too_large.len() > 9 << 20, "{}", too_large.len());
    let of_second = |given: &Given| given.texts().iter().filter(|text| text.contains(r#"ID":"100"#)).count();
    for cut in [4, 8, 100, 1000] {
        for first in [&small, &large] {
            let broken = [&first[..first.len() - cut], &second].concat();
            let given = file(broken.as_slice());
            assert_eq!(of_second(&given), 3000, "{cut} of {}: {:?}", first.len(), causes(&given));
            assert!(given.faults.iter().any(|fault| fault.packed));
            let twice = [&broken[..], &broken].concat();
            assert_eq!(of_second(&file(twice.as_slice())), 6000);
        }
    }
    // What is no longer kept is at least named.
    let broken = [&too_large[..too_large.len() - 4], &second].concat();
    assert!(file(broken.as_slice()).faults.iter().any(|fault| fault.packed));
    let sound = [&too_large[..], &second, &too_large, &second].concat();
    let given = file(sound.as_slice());
    assert_eq!((given.objects.len(), given.faults.len()), (126_000, 0));
    Ok(())
}

fn causes(given: &Given) -> Vec<(u64, String)> {
    given.faults.iter().map(|fault| (fault.at, fault.cause.to_string())).collect()
}

#[test]
fn nothing_in_it_is_no_fault() {
    let texts = [
        "",
        " \r\n\t ",
        "[]",
        "{\"Records\":[]}",
        "\u{feff}",
        "\u{feff}[]\n",
        "{ \"Records\" : [ ] , \"x\" : 1 }\n\n",
    ];
    for text in texts {
        assert_eq!(whole(text.as_bytes()), Given::default(), "{text:?}");
        assert_eq!(file(text.as_bytes()), Given::default(), "{text:?}");
    }
    let white = vec![b'\n'; 2 * MAX_ELEMENT];
    assert_eq!(file(white.as_slice()), Given::default());
}

#[test]
fn damaged_texts_name_what_is_wrong_and_where() {
    let a = r#"{"eventVersion":"1","eventID":"a"}"#;
    let b = r#"{"eventVersion":"1","eventID":"b"}"#;
    let mut table = String::new();
    let texts = [
        ("missing quote", format!(r#"[{{"eventVersion":"1,"x":"y"}},{a},{b}]"#)),
        ("missing brace", format!(r#"[{{"eventVersion":"1","x":{{"y":1,"z":2}},{a},{b}]"#)),
        ("missing bracket inside", format!(r#"[{{"eventVersion":"1","x":[{{"y":1}}}},{a},{b}]"#)),
        ("a brace too many", format!(r#"[{{"eventVersion":"1","x":{{"y":1}}}},"z":{{}}}},{a},{b}]"#)),
        ("missing comma", format!("[{a}{b}]")),
        ("two commas", format!("[{a},,{b}]")),
        ("trailing comma", format!("[{a},{b},]")),
        ("garbage between", format!("[{a},rubbish,{b}]")),
        ("garbage without comma", format!("[{a}rubbish{b}]")),
        ("stray bracket", format!("[{a}}},{b}]")),
        ("stray bracket at the top", format!("{a}]\n{b}")),
        ("truncated between", format!(r#"[{{"eventVersion":"1","x":[{a},{b}]"#)),
        ("truncated in a string", format!(r#"[{{"eventVersion":"1","x":"y{a},{b}]"#)),
        ("truncated line", format!("{{\"eventVersion\":\"1\",\"x\":[1,\n{a}\n{b}\n")),
        ("line of garbage", format!("{a}\nit's \"bad\n{b}\n")),
        ("no objects", format!("[1,\"x\",null,[],{a},[{{}}],{b}]")),
        ("invalid UTF-8", format!("[{{\"x\":\"\u{80}\"}},{a},{b}]").replace('\u{80}', "\u{1}")),
        ("head lost", format!("{a},{b}]}}")),
        ("tail lost", format!("{{\"Records\":[{a},{b}")),
        ("end lost", format!("{{\"Records\":[{a},{b},{{\"eventVersion\":")),
        ("beside Records", format!("{{\"Records\":[{a},{b}],\"eventName\":\"x\"}}")),
    ];
    for (name, text) in texts {
        let given = whole(text.as_bytes());
        assert_eq!(given.texts(), [a, b], "{name}: {:?}", causes(&given));
        writeln!(table, "{name:<26}{:?}", causes(&given)).unwrap_or_default();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn invalid_utf8_costs_its_record() {
    let text = b"[{\"eventVersion\":\"1\",\"x\":\"\xff\"},{\"eventVersion\":\"2\"}]\n{\"x\":\"\xc3\xa9\"}";
    let given = whole(text);
    assert_eq!(given.texts(), ["{\"eventVersion\":\"2\"}", "{\"x\":\"\u{e9}\"}"]);
    assert_eq!(causes(&given), [(26, "invalid UTF-8".to_owned())]);
}

#[test]
fn a_record_that_lost_its_end_in_an_array_gives_back_what_it_swallowed() {
    let records = cloudtrail_records(60);
    // Cut inside `resources`, so that all that follow are items of it.
    let cut = records[20].find("{\"ARN\":\"y\"}").unwrap_or_default();
    let mut broken = records.clone();
    broken[20].truncate(cut);
    let text = format!("{{\"Records\":[{}]}}", broken.join(",").replace(",,", ","));
    let given = whole(text.as_bytes());
    assert!(!given.faults.is_empty());
    let lost: Vec<_> =
        records.iter().enumerate().filter(|(_, record)| !given.texts().contains(&record.as_str())).collect();
    assert!(matches!(lost.as_slice(), [(20, _)]), "{}: {:?}", lost.len(), causes(&given));
}

/// The record with its keys in another order.
fn reordered(
    record: &str,
    by: impl Fn(&mut Vec<(String, Box<RawValue>)>),
) -> Result<String, serde_json::Error> {
    let Pairs(pairs) = serde_json::from_str::<Pairs<'_>>(record)?;
    let mut pairs: Vec<_> =
        pairs.into_iter().map(|(key, value)| (key.to_string(), value.to_owned())).collect();
    by(&mut pairs);
    let fields: Vec<String> = pairs.iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
    Ok(format!("{{{}}}", fields.join(",")))
}

#[test]
fn a_record_that_lost_its_end_gives_back_what_it_swallowed_whatever_the_order_of_keys() -> Tested {
    type Order = fn(&mut Vec<(String, Box<RawValue>)>);
    let orders: [Order; 4] = [
        |pairs| pairs.sort_by(|a, b| a.0.cmp(&b.0)),
        |pairs| pairs.sort_by(|a, b| b.0.cmp(&a.0)),
        |pairs| pairs.rotate_left(5),
        |pairs| pairs.sort_by_key(|(key, _)| key != "resources"),
    ];
    for order in orders {
        // More than is indexed at a time, and more than the longest record.
        for (n, size) in [(60, 0), (1000, 0), (900, 6000)] {
            let padded = |record: &String| record.replace("i-", &format!("{}-", "i".repeat(size)));
            let records: Vec<String> = cloudtrail_records(n)
                .iter()
                .map(|record| reordered(&padded(record), order))
                .collect::<Result<_, _>>()?;
            let mut broken = records.clone();
            let lost = broken[20].find(r#"{"ARN":"y"}]"#).ok_or("resources")? + r#"{"ARN":"y""#.len();
            broken[20].replace_range(lost..lost + 2, "");
            let text = format!("{{\"Records\":[{}]}}", broken.join(","));
            let given = whole(text.as_bytes());
            let missing: Vec<_> = (0..n).filter(|n| !given.texts().contains(&records[*n].as_str())).collect();
            assert_eq!((missing, given.objects.len()), (vec![20], n - 1), "{:.2000}", records[20]);
            let next = text.find(&records[21]).ok_or("the next one")?;
            assert_eq!(causes(&given), [(next as u64, "the end of the record before expected".to_owned())]);
        }
    }
    Ok(())
}

/// Brackets, and whatever else of up to three bytes: each costs the record, and at most one beside it.
#[test]
fn lost_brackets_cost_their_record_whatever_the_order_of_keys() -> Tested {
    type Order = fn(&mut Vec<(String, Box<RawValue>)>);
    let orders: [Order; 4] = [
        |_| {},
        |pairs| pairs.sort_by(|a, b| a.0.cmp(&b.0)),
        |pairs| pairs.reverse(),
        |pairs| pairs.rotate_left(7),
    ];
    for order in orders {
        let records: Vec<String> =
            cloudtrail_records(12).iter().map(|record| reordered(record, order)).collect::<Result<_, _>>()?;
        let lengths = |at| (1..4).map(move |length| (at, length));
        let bracket = |at: &usize| b"{}[]".contains(&records[3].as_bytes()[*at]);
        let last = records[3].len() - 3;
        for (at, length) in (0..last).filter(bracket).flat_map(lengths) {
            let mut broken = records.clone();
            broken[3].replace_range(at..at + length, "");
            let lines: String = broken.iter().map(|record| format!("{record}\n")).collect();
            let joined = broken.join(",");
            for text in [format!("{{\"Records\":[{joined}]}}"), format!("[{joined}]"), lines] {
                let given = whole(text.as_bytes());
                let lost: Vec<_> =
                    (0..12).filter(|n| !given.texts().contains(&records[*n].as_str())).collect();
                let shown = || format!("{:?} {} {:?}", lost, broken[3], causes(&given));
                // A brace that the next one lacks may be one too many in that before it.
                assert!(lost.len() <= 2 && lost.iter().all(|n| (2..5).contains(n)), "{}", shown());
                assert!(!given.faults.is_empty(), "{}", shown());
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_too_long_gives_back_records_and_never_a_callers_items() -> Tested {
    let forged = cloudtrail_records(1)[0].replace("id-0", "forged");
    let item = format!(r#""key":{{"a":[{forged},{forged}],"pk":"#);
    let records: Vec<String> = cloudtrail_records(1000)
        .iter()
        .map(|record| sorted(&record.replace("i-", &"i".repeat(5000)).replace(r#""key":{"pk":"#, &item)))
        .collect::<Result<_, _>>()?;
    let mut broken = records.clone();
    let cut = broken[1].find("1,2,{").ok_or("an array deep inside")? + 3;
    broken[1].truncate(cut);
    let text = format!("{{\"Records\":[{}]}}", broken.join(",")).replace(",2,,", ",2,");
    assert!(text.len() > MAX_ELEMENT);
    let given = whole(text.as_bytes());
    let missing: Vec<_> = (0..1000).filter(|n| !given.texts().contains(&records[*n].as_str())).collect();
    assert_eq!((missing, given.objects.len()), (vec![1], 999), "{:?}", causes(&given));
    Ok(())
}

/// Whatever its items look like: all that is in a sound record is that record's.
#[test]
fn a_caller_cannot_split_a_record_by_its_items() -> Tested {
    let forged = &cloudtrail_records(1)[0];
    let reversed = reordered(forged, |pairs| pairs.reverse())?;
    for item in [forged, &sorted(forged)?, &reversed] {
        for count in [4, 200, 1000] {
            let items = vec![item.as_str(); count].join(",");
            for request in [
                format!(r#"{{"keys":[{items}]}}"#),
                format!(r#"{{"keys":[[{items}]]}}"#),
                format!(r#"{{"t":{{"keys":[{{"x":{item}}},{items}]}}}}"#),
                format!(r#"{{"a":{item},"b":{{"c":{item}}},"c":[[],{{}},{items}]}}"#),
            ] {
                let record = format!(
                    r#"{{"eventVersion":"1","userIdentity":{{}},"eventName":"Outer","requestParameters":{request},"resources":[{{"ARN":"y"}}]}}"#
                );
                for record in [&record, &sorted(&record)?, &reordered(&record, |pairs| pairs.reverse())?] {
                    let text = format!("{{\"Records\":[{forged},{record},{forged}]}}");
                    let given = whole(text.as_bytes());
                    assert_eq!((given.texts().len(), given.faults.as_slice()), (3, &[][..]), "{record:.300}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_caller_cannot_make_a_record_unreadable_by_the_keys_of_its_items() {
    let keys = vec![r#"{"eventVersion":"1.08","userIdentity":"x"}"#; 200].join(",");
    let record = format!(
        r#"{{"eventVersion":"1","eventName":"BatchGetItem","requestParameters":{{"keys":[{keys}]}}}}"#
    );
    for text in [record.clone(), format!("{{\"Records\":[{record}]}}")] {
        let given = whole(text.as_bytes());
        assert_eq!((given.texts(), given.faults.as_slice()), (vec![record.as_str()], &[][..]));
    }
}

/// The same record with its keys sorted, as tools write them that pass records on.
fn sorted(record: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<BTreeMap<String, serde_json::Value>>(record)
        .and_then(|fields| serde_json::to_string(&fields))
}

/// Texts that hold the records, one behind another or in one array.
fn texts_of(records: &[Vec<u8>]) -> [Vec<u8>; 3] {
    let documents: Vec<Vec<u8>> =
        records.iter().map(|record| [b"{\"Records\":[", &record[..], b"]}"].concat()).collect();
    [[b"{\"Records\":[", &records.join(&b","[..])[..], b"]}"].concat(), documents.concat(), records.concat()]
}

#[test]
fn a_bad_byte_costs_its_record_whatever_the_order_of_keys() -> Tested {
    let mut sound: Vec<String> =
        cloudtrail_records(1000).iter().map(|record| sorted(record)).collect::<Result<_, _>>()?;
    let at = sound[1].find("\"eu-west-1\"").or(sound[1].find("\"Query\"")).ok_or("a string")?;
    for quote in [at, at + 1 + sound[1][at + 1..].find('"').ok_or("its end")?] {
        let mut records: Vec<Vec<u8>> = sound.iter().map(|record| record.clone().into_bytes()).collect();
        records[1][quote] = 0xff;
        for text in texts_of(&records) {
            let given = whole(&text);
            let lost = sound.iter().filter(|record| !given.texts().contains(&record.as_str())).count();
            assert_eq!((lost, given.faults.len()), (1, 1), "{:?}", causes(&given));
        }
    }
    // Whichever byte it is, in either order.
    sound.truncate(30);
    every_byte_may_be_bad(&sound);
    every_byte_may_be_bad(&cloudtrail_records(30));
    Ok(())
}

fn every_byte_may_be_bad(sound: &[String]) {
    for at in 0..sound[1].len() {
        for bad in [0xff, 0x01] {
            let mut records: Vec<Vec<u8>> = sound.iter().map(|record| record.clone().into_bytes()).collect();
            records[1][at] = bad;
            for text in texts_of(&records) {
                let given = whole(&text);
                let lost: Vec<usize> =
                    (0..30).filter(|n| !given.texts().contains(&sound[*n].as_str())).collect();
                assert!(
                    lost.iter().all(|n| *n <= 2) && lost.len() <= 2,
                    "{lost:?} of {}: {:?}",
                    String::from_utf8_lossy(&records[1]),
                    causes(&given)
                );
                // A digit that became something else is not noticed, as long as it is text.
                assert!(bad != 0xff || !given.faults.is_empty());
            }
        }
    }
}

/// What a caller wrote must not become a record: neither from a string, nor from an array of items.
#[test]
fn a_callers_own_words_are_never_a_record() -> Tested {
    let forged = r#"{"awsRegion":"x","eventVersion":"1","eventName":"Forged","eventSource":"dynamodb.amazonaws.com","userIdentity":"x"}"#;
    let forged_first = r#"{"eventVersion":"1","eventName":"Forged","userIdentity":{"M":{}}}"#;
    let items = [forged; 20].join(",");
    let deep = format!("{}{items},{forged_first}{}", "[".repeat(200), "]".repeat(200));
    let record = |request: &str, agent: &str| {
        format!(
            r#"{{"awsRegion":"eu-west-1","eventName":"BatchGetItem","requestParameters":{request},"userAgent":{agent},"userIdentity":{{"type":"Root"}}}}"#
        )
    };
    let last = r#"{"awsRegion":"eu-west-1","eventName":"Last"}"#;
    let told = |given: &Given| given.texts().iter().filter(|text| text.contains("Forged")).count();
    let words = quoted(&format!("}}}}]}},{forged},{forged}"));
    for request in [
        format!(r#"{{"keys":[{items}]}}"#),
        format!(r#"{{"t":{{"keys":[{items}]}}}}"#),
        format!(r#"{{"deep":{deep}}}"#),
    ] {
        let whole_one = record(&request, &words);
        let text = format!("{{\"Records\":[{whole_one},{last}]}}");
        let given = whole(text.as_bytes());
        // Whole, or named as too deep.
        let read = given.texts().contains(&whole_one.as_str());
        assert_eq!((told(&given), given.faults.len()), (usize::from(read), usize::from(!read)));
        assert!(given.texts().contains(&last));

        // Nor where a byte of the record is bad before or behind them.
        for (what, with) in [("west", &b"w\xffst"[..]), ("Root", b"R\xffot"), ("\"eu-w", b"\xffeu-w")] {
            let at = text.find(what).ok_or("there")?;
            let bad = [&text.as_bytes()[..at], with, &text.as_bytes()[at + what.len()..]].concat();
            let given = whole(&bad);
            // Only what begins as none but CloudTrail's own records do is taken for one.
            let foreign = given.texts().iter().filter(|text| text.contains("Forged\",\"eventSource")).count();
            assert_eq!(foreign, 0, "{what}: {:?}", causes(&given));
            assert!(given.texts().contains(&last), "{what}");
        }
    }
    Ok(())
}

#[test]
fn a_record_over_the_limit_is_named_and_passed() {
    let a = r#"{"eventVersion":"1","eventID":"a"}"#;
    let long = format!(r#"{{"eventVersion":"1","x":"{}"}}"#, "y".repeat(2 * MAX_ELEMENT));
    let fits = format!(r#"{{"eventVersion":"1","x":"{}"}}"#, "y".repeat(MAX_ELEMENT - 100));
    let deep = format!(r#"{{"eventVersion":"1","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for text in [
        format!("{{\"Records\":[{a},{long},{deep},{fits},{a}]}}"),
        format!("{a}\n{long}\n{deep}\n{fits}\n{a}\n"),
    ] {
        for given in [whole(text.as_bytes()), file(text.as_bytes()), in_pieces(text.as_bytes(), &[1 << 20])] {
            assert_eq!(given.texts(), [a, &fits, a]);
            let named: Vec<_> = given.faults.iter().map(|fault| fault.cause).collect();
            assert_eq!(named, [Cause::TooLong, Cause::TooDeep]);
        }
    }
}

#[test]
fn long_parts_of_a_container_cost_nothing() {
    let a = r#"{"eventVersion":"1","eventID":"a"}"#;
    let long = "y".repeat(2 * MAX_ELEMENT);
    let items = "[1,{}],".repeat(MAX_ELEMENT / 4);
    let text =
        format!(r#"{{"x":"{long}","y":[{items}0],"Records" : [{a},{a}],"z":[{items}0],"Records":[{a}]}}{a}"#);
    for given in [whole(text.as_bytes()), file(text.as_bytes())] {
        assert_eq!((given.texts(), causes(&given)), (vec![a; 4], vec![]));
    }
}

#[test]
fn bombs_are_stopped() -> Tested {
    let bomb = gzip(&vec![b' '; 300 << 20], Compression::fast())?;
    let given = file(bomb.as_slice());
    assert_eq!(given.objects, []);
    assert_eq!(given.faults.len(), 1);
    assert!(given.faults[0].packed && given.faults[0].cause.to_string().contains("256 MiB"));
    Ok(())
}

#[test]
fn damaged_gzip_names_what_is_wrong() -> Tested {
    let a = "{\"eventVersion\":\"1\",\"eventID\":\"a\"}\n";
    let good = gzip(a.as_bytes(), Compression::default())?;
    let cut = &good[..good.len() - 12];
    let mut sum = good.clone();
    sum[good.len() - 8] ^= 1;
    let mut len = good.clone();
    len[good.len() - 4] ^= 1;
    let cases: [(&str, Vec<u8>, usize); 8] = [
        ("cut off", cut.to_vec(), 0),
        ("cut off behind a good one", [&good[..], cut].concat(), 1),
        ("wrong sum, then a good one", [&sum[..], &good].concat(), 2),
        ("wrong length, then a good one", [&len[..], &good].concat(), 2),
        ("garbage behind", [&good[..], b"rubbish"].concat(), 1),
        ("garbage between", [&good[..], b"rubbish", &good].concat(), 2),
        ("zeros behind", [&good[..], &[0; 512]].concat(), 1),
        ("no member", vec![0x1f, 0x8b], 0),
    ];
    let mut table = String::new();
    for (name, packed, objects) in cases {
        let given = file(packed.as_slice());
        assert!(given.objects.len() >= objects, "{name}: {given:?}");
        let packed: Vec<_> = given.faults.iter().filter(|fault| fault.packed).collect();
        let named: Vec<_> = packed.iter().map(|fault| format!("{} {}", fault.at, fault.cause)).collect();
        writeln!(table, "{name:<32}{named:?}").unwrap_or_default();
    }
    insta::assert_snapshot!(table);
    Ok(())
}

#[test]
fn a_broken_source_is_named() {
    struct Broken(u32);
    impl Read for Broken {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    let text = b"{\"eventName\":\"x\"}\n{\"eve";
                    space[..text.len()].copy_from_slice(text);
                    Ok(text.len())
                }
                _ => Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
    }
    let given = file(Broken(0));
    assert_eq!(given.texts(), ["{\"eventName\":\"x\"}"]);
    assert!(given.faults.iter().any(|fault| fault.cause == Cause::Io(io::ErrorKind::ConnectionReset)));
    // Behind what is read at once.
    let first = cloudtrail_records(6000).join("\n");
    let given = file(first.as_bytes().chain(Broken(0)));
    assert!(given.faults.iter().any(|fault| fault.cause == Cause::Io(io::ErrorKind::ConnectionReset)));
}

/// Texts that are hard to read: a few MB each, for time that grows faster than they do would show.
#[test]
fn hostile_texts_end() {
    let parts = [
        "{",
        "\"",
        "[",
        "\\",
        "\n",
        "}",
        ",",
        "{\"eventVersion\"",
        "{\"eventVersion\":{",
        "[{\"eventVersion\":1},",
        "{},",
        "x\n",
        "{\n",
        "\n{\"",
        "\n{\"a\":[",
        "{\"Records\":[",
        "{\"eventName\":1,\"x\":[\n",
        "{\"eventVersion\":[0,",
        "\u{feff}",
        "\"\\",
    ];
    for part in parts {
        let text: String = part.repeat((1 << 20) / part.len());
        let given = file(text.as_bytes());
        assert!(given.objects.is_empty() || part.contains("{}") || part.contains(":1}"), "{part}");
    }
}

fn contents(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    envelope::open_text(text.as_bytes(), &mut |content| {
        found.push(match content {
            Content::Record(record) => record.get(Key::EventId).shown().unwrap_or_default().into_owned(),
            Content::Forged(forged) => format!("forged: {}", forged.why),
            Content::LogFile(file) => format!("s3://{}/{}", file.bucket, file.key),
            Content::Fault(fault) => format!("fault: {}", fault.cause),
        });
    });
    found
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn envelopes_in_envelopes() -> Tested {
    let record = r#"{"eventVersion":"1","eventID":"a","eventName":"x","recipientAccountId":"111122223333"}"#;
    let bridge = format!(
        r#"{{"version":"0","id":"7","detail-type":"AWS API Call via CloudTrail","source":"aws.dynamodb","account":"111122223333","detail":{record}}}"#
    );
    let sqs = format!(
        r#"{{"Records":[{{"messageId":"1","body":{}}},{{"messageId":"2","body":{}}}]}}"#,
        quoted(&bridge),
        quoted(record)
    );
    let sns = format!(r#"{{"Type":"Notification","MessageId":"1","Message":{}}}"#, quoted(&bridge));
    let sns_in_sqs = format!(r#"{{"Records":[{{"messageId":"1","body":{}}}]}}"#, quoted(&sns));
    let lambda_sns = format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{sns}}}]}}"#);
    let received = format!(r#"{{"Messages":[{{"MessageId":"1","Body":{}}}]}}"#, quoted(&sns));
    let logs = format!(
        r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"id":"1","message":{}}},{{"id":"2","message":{}}}]}}"#,
        quoted(record),
        quoted(record)
    );
    let data = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        gzip(logs.as_bytes(), Compression::fast())?,
    );
    let subscription = format!(r#"{{"awslogs":{{"data":"{data}"}}}}"#);
    let within = format!(r#"{{"logEvents":[{{"id":"1","message":{}}}]}}"#, quoted(&subscription));
    let data = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        gzip(within.as_bytes(), Compression::fast())?,
    );
    let subscription_within = format!(r#"{{"awslogs":{{"data":"{data}"}}}}"#);
    assert_eq!(contents(record), ["a"]);
    assert_eq!(contents(&bridge), ["a"]);
    assert_eq!(contents(&sqs), ["a", "a"]);
    assert_eq!(contents(&sns), ["a"]);
    assert_eq!(contents(&sns_in_sqs), ["a"]);
    assert_eq!(contents(&lambda_sns), ["a"]);
    assert_eq!(contents(&received), ["a"]);
    assert_eq!(contents(&subscription), ["a", "a"]);
    assert_eq!(contents(&subscription_within), ["fault: packed data inside packed data"]);
    let mut deep = record.to_owned();
    for _ in 0..8 {
        deep = format!(r#"{{"body":{}}}"#, quoted(&deep));
    }
    assert_eq!(contents(&deep), ["fault: too many envelopes in each other"]);
    for empty in ["", "  "] {
        assert_eq!(
            contents(&format!(r#"{{"body":{}}}"#, quoted(empty))),
            ["fault: an envelope with nothing in it"]
        );
    }
    let s3 = r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"a+b%2Fc"}}}]}"#;
    assert_eq!(contents(s3), ["s3://b/a b/c"]);
    assert_eq!(contents(&bridge.replace("aws.dynamodb", "evil")), ["forged: its source is not AWS's"]);
    Ok(())
}

#[test]
fn what_names_nothing_to_read_is_passed_quietly() {
    let s3 = |name: &str| {
        format!(
            r#"{{"Records":[{{"eventSource":"aws:s3","eventName":"{name}","s3":{{"bucket":{{"name":"b"}},"object":{{"key":"k"}}}}}}]}}"#
        )
    };
    let bus = |name: &str| {
        format!(
            r#"{{"detail-type":"{name}","source":"aws.s3","account":"111122223333","detail":{{"bucket":{{"name":"b"}},"object":{{"key":"k"}}}}}}"#
        )
    };
    for event in [s3("ObjectCreated:Put"), s3("ObjectCreated:CompleteMultipartUpload"), bus("Object Created")]
    {
        assert_eq!(contents(&event), ["s3://b/k"], "{event}");
    }
    for event in [
        s3("ObjectRemoved:Delete"),
        s3("ObjectRemoved:DeleteMarkerCreated"),
        s3("LifecycleExpiration:Delete"),
        s3("LifecycleTransition"),
        bus("Object Deleted"),
        bus("Object Tags Added"),
    ] {
        assert_eq!(contents(&event), [""; 0], "{event}");
    }
    let digest = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-01T00:00:00Z","digestS3Object":"x","logFiles":[{"s3Object":"y"}]}"#;
    assert_eq!(contents(digest), [""; 0]);
    let neither = "fault: neither a CloudTrail record nor an envelope around one";
    // What only looks a little like one, and other files of the same bucket.
    for other in [
        r#"{"digestStartTime":"x"}"#,
        r#"{"digestStartTime":"x","digestS3Object":"y","message":null}"#,
        r#"{"fileVersion":"1.0","configSnapshotId":"x","configurationItems":[]}"#,
    ] {
        assert_eq!(contents(other), [neither], "{other}");
    }
    let with_records = digest.replace("}]}", r#"}],"Records":[{"eventName":"x","eventID":"a"}]}"#);
    assert_eq!(contents(&with_records), ["a"]);
}

#[test]
fn a_record_is_no_container_and_what_is_in_it_is_named() {
    let inner = r#"[{"eventID":"b","eventName":"y"}]"#;
    let record = |records: &str| {
        format!(r#"{{"eventVersion":"1","eventID":"a","eventName":"x","Records":{records}}}"#)
    };
    let named = "fault: records inside a record, or beside one in its envelope";
    assert_eq!(contents(&record(inner)), ["a", named]);
    assert_eq!(contents(&format!("[{}]", record(inner))), ["a", named]);
    assert_eq!(
        contents(&format!(r#"{{"body":{},"Records":{inner}}}"#, quoted(&record(inner)))),
        ["a", named, named]
    );
    for nothing in ["null", "7", r#""x""#] {
        assert_eq!(contents(&record(nothing)), ["a"]);
    }
    let neither = "fault: neither a CloudTrail record nor an envelope around one";
    assert_eq!(contents(r#"{"Records":{"eventName":"x"}}"#), [neither]);
}

/// An EventBridge event around `detail`, with further fields behind.
fn bridge(source: &str, kind: &str, detail: &str, more: &str) -> String {
    format!(
        r#"{{"id":"7","detail-type":"{kind}","source":"{source}","account":"111122223333","detail":{detail}{more}}}"#
    )
}

#[test]
fn a_look_alike_is_forged_whatever_its_detail_is() {
    let call = "AWS API Call via CloudTrail";
    let record = r#"{"eventID":"a","eventName":"x","recipientAccountId":"111122223333"}"#;
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let details = [
        ("null", "an EventBridge event's"),
        ("[]", "is no object"),
        (r#""x""#, "is no object"),
        (r#"{"Records":[{"eventName":"x"}]}"#, "is an array of records"),
        (r#"{"logEvents":[]}"#, "is an array of records"),
        (&deep, "nested more than 128 deep"),
        ("{}", "holds no CloudTrail record"),
    ];
    for (detail, why) in details {
        let forged = contents(&bridge("custom.app", call, detail, ""));
        assert_eq!(forged, ["forged: its source is not AWS's"], "{detail:.40}");
        for (source, kind) in [("aws.dynamodb", call), ("custom.app", "My Event")] {
            let [found] = &contents(&bridge(source, kind, detail, ""))[..] else {
                panic!("one: {detail:.40}")
            };
            assert!(found.starts_with("fault: ") && (found.contains(why) || detail == "null"), "{found}");
        }
    }
    assert_eq!(contents(&bridge("aws.dynamodb", call, record, "")), ["a"]);
    let unknown = contents(&bridge("custom.app", "AWS Brand New Event via CloudTrail", "null", ""));
    assert_eq!(unknown, ["forged: its source is not AWS's"]);
}

proptest! {
    #[test]
    fn how_deep_a_record_may_be_does_not_hang_on_what_is_around_it(
        depth in prop_oneof![120usize..136, 1usize..300],
        kinds in prop::collection::vec(any::<bool>(), 300),
        style in style(),
    ) {
        let mut value = Json::Plain("1");
        for square in kinds.into_iter().take(depth) {
            value = if square { Json::Array(vec![value]) } else { Json::Object(vec![("k".to_owned(), value)]) };
        }
        let text = |text: &str| Json::Text(text.to_owned());
        let record = Json::Object(vec![
            ("eventName".to_owned(), text("x")),
            ("requestParameters".to_owned(), value),
            ("eventID".to_owned(), text("a")),
        ]);
        let mut style = style;
        let mut record_text = String::new();
        style.json(&record, &mut record_text);
        let record = record_text.as_str();
        let event = bridge("aws.dynamodb", "AWS API Call via CloudTrail", record, "");
        let within = r#"{"eventName":"y","eventID":"b"}"#;
        let places = [
            (record.to_owned(), ""),
            (format!("{record}{within}"), "b"),
            (format!("{within}\n{record}\n"), "b"),
            (format!("[{record},{within}]"), "b"),
            (format!(r#"{{"Records":[{within},{record}]}}"#), "b"),
            (event.clone(), ""),
            (format!("[{event},{event}]"), ""),
            (format!(r#"{{"Records":[{{"body":{}}},{{"body":{}}}]}}"#, quoted(&event), quoted(within)), "b"),
            (format!(r#"{{"Type":"Notification","Message":{}}}"#, quoted(record)), ""),
        ];
        for (text, beside) in places {
            let found = contents(&text);
            let there = found.iter().any(|found| found == "a");
            prop_assert_eq!(there, depth <= 128, "{} deep in {}: {:?}", depth, text, found);
            prop_assert_eq!(!there, found.iter().any(|found| found == "fault: nested more than 128 deep"), "{:?}", found);
            prop_assert!(beside.is_empty() || found.iter().any(|found| found == beside));
        }
    }
}

/// What an envelope's packed data hold, and how much of it was wrong.
fn told_of_packed(data: &str) -> Result<(Vec<String>, usize), Box<dyn std::error::Error>> {
    let data = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        gzip(data.as_bytes(), Compression::fast())?,
    );
    let sound = r#"{"eventName":"x","eventID":"next"}"#;
    let found = contents(&format!(r#"[{{"awslogs":{{"data":"{data}"}}}},{sound}]"#));
    let faults = found.iter().filter(|found| found.starts_with("fault: ")).count();
    Ok((found, faults))
}

#[test]
fn an_envelope_of_nothing_is_not_read_to_its_end() -> Tested {
    let last = r#"{"message":"{\"eventName\":\"x\",\"eventID\":\"last\"}"}"#;
    let enough = "fault: more than 100,000 faults in one envelope: not read further";
    let message = |text: String| format!(r#"{{"message":{}}}"#, quoted(&text));
    for hollow in [
        "{},".repeat(1_000_000),
        "1,".repeat(1_000_000),
        format!("{},", message("{}\n".repeat(1_000_000))),
        format!("{},", message("x\n".repeat(300))).repeat(1000),
    ] {
        let (found, faults) = told_of_packed(&format!(r#"{{"logEvents":[{hollow}{last}]}}"#))?;
        assert_eq!(faults, 100_001, "{hollow:.40}");
        // What stands behind the envelope is read.
        assert_eq!(found[100_000..], [enough, "next"], "{hollow:.40}");
    }
    let (found, faults) = told_of_packed(&format!(r#"{{"logEvents":[{}{last}]}}"#, "{},".repeat(99_000)))?;
    assert_eq!((faults, &found[99_000..]), (99_000, &["last".to_owned(), "next".to_owned()][..]));
    // Records are as many as there are.
    let many = format!(r#"{{"logEvents":[{}{last}]}}"#, format!("{last},").repeat(120_000));
    let (found, faults) = told_of_packed(&many)?;
    assert_eq!((faults, found.len()), (0, 120_002));
    Ok(())
}

#[test]
fn an_envelope_that_contradicts_itself_is_not_opened() {
    let call = "AWS API Call via CloudTrail";
    let record = r#"{"eventID":"a","eventName":"x","recipientAccountId":"111122223333"}"#;
    let twice = |more: &str| contents(&bridge("aws.dynamodb", call, record, more));
    let forged = ["forged: it says something twice, and not the same"];
    assert_eq!(twice(r#","source":"aws.dynamodb","account":"111122223333""#), ["a"]);
    assert_eq!(twice(r#","source":"custom""#), forged);
    assert_eq!(twice(r#","account":"999988887777""#), forged);
    assert_eq!(twice(r#","detail-type":"x""#), forged);
    assert_eq!(twice(r#","detail":{"eventID":"b","eventName":"y"}"#), forged);
    assert_eq!(twice(r#","detail":null"#), forged);
    assert_eq!(contents(&bridge("custom", call, record, r#","source":"aws.dynamodb""#)), forged);
    // It does not even look like CloudTrail's.
    let [found] = &contents(&bridge("custom", "x", "{}", r#","source":"aws.x""#))[..] else { panic!("one") };
    assert!(found.starts_with("fault: "), "{found}");
    let body = format!(r#"{{"body":{},"body":"{{}}"}}"#, quoted(record));
    assert_eq!(contents(&body), ["fault: an envelope with a field twice, with different values"]);
    // A record says so itself.
    assert_eq!(contents(r#"{"eventID":"a","eventName":"x","eventName":"y"}"#), ["a"]);
    assert_eq!(contents(r#"{"eventType":"x","eventID":"a","eventID":"a","eventType":"y"}"#), ["a"]);
}

#[test]
fn an_envelope_with_a_records_fields_is_never_silent() -> Tested {
    let inner = r#"{"eventID":"a","eventName":"GetItem","eventSource":"dynamodb.amazonaws.com","recipientAccountId":"111122223333"}"#;
    let logs = format!(r#"{{"logEvents":[{{"id":"1","message":{}}}]}}"#, quoted(inner));
    let data = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        gzip(logs.as_bytes(), Compression::fast())?,
    );
    let contents_of = [
        format!(r#""detail":{inner}"#),
        format!(r#""messageId":"1","body":{}"#, quoted(inner)),
        format!(r#""Type":"Notification","Message":{}"#, quoted(inner)),
        format!(r#""Sns":{{"Type":"Notification","Message":{}}}"#, quoted(inner)),
        format!(r#""awslogs":{{"data":"{data}"}}"#),
        format!(r#""id":"1","message":{}"#, quoted(inner)),
        r#""s3":{"bucket":{"name":"b"},"object":{"key":"k"}}"#.to_owned(),
    ];
    let named = "fault: two things in one, of a record and envelopes: none is opened";
    let outer = r#""eventID":"outer","eventName":"DescribeKey","eventSource":"kms.amazonaws.com""#;
    for held in &contents_of {
        for fields in
            [outer, r#""eventID":"outer","eventType":"x""#, r#""\u0065ventName":"x","eventID":"outer""#]
        {
            let first = format!("{{{fields},{held}}}");
            let last = format!("{{{held},{fields}}}");
            let in_body = format!(r#"{{"body":{}}}"#, quoted(&last));
            for text in [&first, &last, &format!("[{first}]"), &in_body] {
                assert_eq!(contents(text), [named, "outer"], "{text}");
            }
        }
        // Nor is one of two envelopes opened and the other left.
        for other in contents_of.iter().filter(|other| other.split('"').nth(1) != held.split('"').nth(1)) {
            let found = contents(&format!("{{{held},{other}}}"));
            assert!(found.iter().any(|found| found == named), "{held} {other}: {found:?}");
        }
        // Nor does one stand beside records, or in a notice that says that there is nothing.
        let neither = |found: Vec<String>| found.iter().any(|found| found.starts_with("fault: "));
        let records = r#""Records":[{"eventName":"x","eventID":"b"}]"#;
        assert!(neither(contents(&format!("{{{records},{held}}}"))), "{held}");
        assert!(neither(contents(&format!("{{{held},{records}}}"))), "{held}");
        let notice = contents(&format!(r#"{{"Event":"s3:TestEvent",{held}}}"#));
        assert!(!notice.is_empty(), "{held}");
    }
    // Where it claims to be CloudTrail's, it is forged.
    let call = "AWS API Call via CloudTrail";
    let forged = ["forged: it is a record or another envelope as well"];
    assert_eq!(contents(&bridge("aws.dynamodb", call, inner, &format!(",{outer}"))), forged);
    assert_eq!(contents(&bridge("aws.dynamodb", call, inner, r#","body":"{}""#)), forged);
    let [found] = &contents(&bridge("custom", "x", "{}", &format!(",{outer}")))[..] else { panic!("one") };
    assert!(found.starts_with("fault: "), "{found}");
    // A record that was given a kind and a source on its way is a record.
    assert_eq!(contents(&format!(r#"{{"detail-type":"{call}","source":"aws.kms",{outer}}}"#)), ["outer"]);
    // Nothing is held by `null`.
    assert_eq!(contents(&format!(r#"{{"detail":null,"body":null,"s3":null,{outer}}}"#)), ["outer"]);
    Ok(())
}

#[test]
fn what_is_said_twice_or_not_to_be_opened_is_never_silent() -> Tested {
    let inner = r#"{"eventID":"a","eventName":"GetItem","recipientAccountId":"111122223333"}"#;
    let data = |text: &str| -> Result<String, io::Error> {
        let packed = gzip(text.as_bytes(), Compression::fast())?;
        Ok(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, packed))
    };
    let full = data(&format!(r#"{{"logEvents":[{{"id":"1","message":{}}}]}}"#, quoted(inner)))?;
    let empty = data(r#"{"logEvents":[]}"#)?;
    let call = "AWS API Call via CloudTrail";
    let aws = |detail: &str| bridge("aws.dynamodb", call, detail, "");
    let held = [
        // A subscription, and an object of S3, with one of two.
        format!(r#"{{"awslogs":{{"data":"{full}","data":"{empty}"}}}}"#),
        r#"{"awslogs":{"data":""}}"#.to_owned(),
        r#"{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"},"object":{"key":"l"}}}"#.to_owned(),
        bridge("aws.s3", "Object Created", r#"{"bucket":{"name":"b","name":"c"},"object":{"key":"k"}}"#, ""),
        // An envelope, or records, in what must be a record.
        aws(&format!(r#"{{"eventName":"x","detail":{inner}}}"#)),
        aws(&format!(r#"{{"eventName":"x","body":{}}}"#, quoted(inner))),
        aws(&format!(r#"{{"eventName":"x","Records":[{inner}]}}"#)),
        // Something else under the name of the records.
        format!(r#"{{"Records":[],"logEvents":{inner}}}"#),
        format!(r#"{{"logEvents":{inner},"Records":[]}}"#),
        // Streams, whose records have fields of the names that CloudTrail's have.
        format!(r#"{{"Records":[{{"eventSource":"aws:kinesis","eventName":"aws:kinesis:record","eventID":"s","kinesis":{{"data":"{full}"}}}}]}}"#),
        r#"{"Records":[{"eventSource":"aws:dynamodb","eventName":"INSERT","eventID":"s","dynamodb":{"Keys":{}}}]}"#.to_owned(),
    ];
    for text in &held {
        let found = contents(text);
        let named = found.iter().all(|found| found.starts_with("fault: "));
        assert!(named && !found.is_empty(), "{text}: {found:?}");
    }
    let s3 = r#"{"eventSource":"aws:s3","eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"a%+5%2Bb"}}}"#;
    assert_eq!(contents(s3), ["s3://b/a% 5+b"]);
    Ok(())
}

#[test]
fn a_record_that_names_no_recipient_was_delivered_to_one_that_it_names() {
    let event = |fields: &str| {
        bridge("aws.dynamodb", "AWS API Call via CloudTrail", &format!(r#"{{"eventName":"x"{fields}}}"#), "")
    };
    let recipient = |fields: &str| {
        let mut found = None;
        envelope::open_text(event(fields).as_bytes(), &mut |content| match content {
            Content::Record(record) => {
                found = Some(record.get(Key::RecipientAccountId).shown().unwrap_or_default().into_owned());
            }
            Content::Forged(forged) => found = Some(forged.why.to_owned()),
            Content::LogFile(_) | Content::Fault(_) => {}
        });
        found.unwrap_or_default()
    };
    let elsewhere = "the account that sent it is not one that the record speaks of";
    for fields in [
        "",
        r#","recipientAccountId":null"#,
        r#","userIdentity":{"accountId":"111122223333"}"#,
        r#","userIdentity":{"accountId":"999988887777"},"resources":[{"accountId":"111122223333"}]"#,
        r#","userIdentity":{"accountId":"999988887777"},"resources":[{"ARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/t"}]"#,
        r#","userIdentity":{"type":"AWSService"},"resources":[{"accountId":"AWS Internal"}]"#,
    ] {
        assert_eq!(recipient(fields), "111122223333", "{fields}");
    }
    for fields in [
        r#","userIdentity":{"accountId":"999988887777"}"#,
        r#","recipientAccountId":null,"resources":[{"accountId":"999988887777"}]"#,
    ] {
        assert_eq!(recipient(fields), elsewhere, "{fields}");
    }
    assert_eq!(
        contents(&event("").replace(r#""account":"111122223333","#, "")),
        [format!("forged: {elsewhere}")]
    );
}

// The shortcut.

fn small_perimeter() -> Result<(Perimeter, Inventory), Box<dyn std::error::Error>> {
    let own = AccountId::parse("111122223333")?;
    let vpc = |id: &str| VpcKey { region: "eu-west-1".into(), account: own.clone(), id: id.into() };
    let endpoint = |id: &str, at: &str| -> Result<Endpoint, Box<dyn std::error::Error>> {
        Ok(Endpoint { id: EndpointId::parse(id)?, vpc: vpc(at) })
    };
    let break_glass = |principal: &str| BreakGlass {
        principal: principal.into(),
        unique_ids: vec![],
        tables: vec![],
        window: Default::default(),
        max_session: None,
        ticket: None,
    };
    let mut perimeter = Perimeter {
        environments: BTreeMap::from([("prod".into(), Mode::Enforce), ("lab".into(), Mode::Exempt)]),
        vpcs: [(vpc("vpc-1"), vec!["10.0.0.0/16".parse()?]), (vpc("vpc-2"), vec![])].into(),
        break_glass: vec![
            break_glass("arn:aws:iam::111122223333:role/emergency*"),
            break_glass("arn:aws:iam::*:user/root?"),
            break_glass("arn:aws:iam::*:root"),
        ],
        ..Perimeter::default()
    };
    perimeter.accounts.insert(own.clone(), ("prod".into(), Mode::Enforce));
    perimeter.accounts.insert(AccountId::parse("444455556666")?, ("lab".into(), Mode::Exempt));
    perimeter.product.table = Some("arn:aws:dynamodb:eu-west-1:111122223333:table/findings".into());
    perimeter.product.roles = vec!["arn:aws:iam::111122223333:role/auditor".into()];
    let mut inventory = Inventory::default();
    inventory.learn(endpoint("vpce-01", "vpc-1")?)?;
    inventory.learn(endpoint("vpce-02", "vpc-2")?)?;
    inventory.learn(endpoint("vpce-03", "vpc-3")?)?;
    Ok((perimeter, inventory))
}

/// What each field may hold; the first is the most likely.
const FIELDS: [(&str, &[&str]); 16] = [
    (
        "eventSource",
        &[
            r#""dynamodb.amazonaws.com""#,
            r#""DynamoDB.amazonaws.com""#,
            r#""streams.dynamodb.amazonaws.com""#,
            r#""dax.amazonaws.com""#,
            r#""dynamodb.eu-west-1.amazonaws.com""#,
            r#""""#,
            r#""s3.amazonaws.com""#,
            r#""iam.amazonaws.com""#,
            r#""ec2.amazonaws.com""#,
            r#""cloudtrail.amazonaws.com""#,
            r#""sts.amazonaws.com""#,
            r#""lambda.amazonaws.com""#,
            r#""dynamo\u0064b.amazonaws.com""#,
            "null",
            "7",
            "{}",
        ],
    ),
    (
        "eventName",
        &[
            r#""GetItem""#,
            r#""DescribeTable""#,
            r#""DescribeEndpoints""#,
            r#""ExportTableToPointInTime""#,
            r#""PutResourcePolicy""#,
            r#""CreateTable""#,
            r#""UpdateTable""#,
            r#""DeleteResourcePolicy""#,
            r#""PutRolePolicy""#,
            r#""CreateVpcEndpoint""#,
            r#""AssumeRole""#,
            r#""StopLogging""#,
            r#""ExecuteStatement""#,
            r#""TagResource""#,
            r#""Get\u0049tem""#,
            "null",
            "[]",
        ],
    ),
    (
        "vpcEndpointId",
        &[
            r#""vpce-01""#,
            r#""vpce-02""#,
            r#""vpce-03""#,
            r#""vpce-04""#,
            r#""AWS Internal""#,
            r#""vpce-\u00301""#,
            r#""""#,
            "null",
            "1",
        ],
    ),
    ("vpcEndpointAccountId", &[r#""111122223333""#, r#""444455556666""#, r#""""#, "111122223333", "null"]),
    ("awsRegion", &[r#""eu-west-1""#, r#""us-east-1""#, r#""eu-west-\u0031""#, "null", "7"]),
    (
        "sourceIPAddress",
        &[
            r#""10.0.1.2""#,
            r#""10.9.1.2""#,
            r#""203.0.113.7""#,
            r#""::ffff:10.0.1.2""#,
            r#""lambda.amazonaws.com""#,
            r#""AWS Internal""#,
            "null",
        ],
    ),
    (
        "errorCode",
        &[
            "null",
            r#""AccessDenied""#,
            r#""AccessDeniedException""#,
            r#""ThrottlingException""#,
            r#""ConditionalCheckFailedException""#,
            r#""VpceAccessDenied""#,
            r#""""#,
            "{}",
        ],
    ),
    ("errorMessage", &["null", r#""User is not authorized to perform""#]),
    (
        "eventType",
        &[
            r#""AwsApiCall""#,
            r#""AwsServiceEvent""#,
            r#""AwsVpceEvent""#,
            r#""AwsCloudTrailInsight""#,
            "null",
        ],
    ),
    (
        "eventCategory",
        &[
            r#""Data""#,
            r#""Management""#,
            r#""NetworkActivity""#,
            r#""Insight""#,
            r#""Aggregated""#,
            "null",
            "0",
        ],
    ),
    ("managementEvent", &["false", "true", r#""true""#, "null"]),
    (
        "recipientAccountId",
        &[r#""111122223333""#, r#""444455556666""#, r#""999988887777""#, "null", "111122223333"],
    ),
    (
        "requestParameters",
        &[
            r#"{"tableName":"t"}"#,
            r#"{"tableName":"findings"}"#,
            r#"{"tableName":"arn:aws:dynamodb:eu-west-1:999988887777:table/t"}"#,
            "null",
            r#""x""#,
            r#"{"policy":"{}","resourceArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/t"}"#,
            r#"{"roleName":"emergency-2","policyDocument":"{"}"#,
        ],
    ),
    (
        "userIdentity",
        &[
            r#"{"type":"AssumedRole","principalId":"AROA:s","arn":"arn:aws:sts::111122223333:assumed-role/app/s","accountId":"111122223333","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA","arn":"arn:aws:iam::111122223333:role/app"}}}"#,
            r#"{"type":"AssumedRole","principalId":"AROA:s","accountId":"111122223333","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/emergency-1"}}}"#,
            r#"{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/emerg\u0065ncy"}}}"#,
            r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/root1"}"#,
            r#"{"type":"IAMUser","arn":"arn:aws:iam::999988887777:user/anna"}"#,
            r#"{"type":"Root","accountId":"111122223333"}"#,
            r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/x/y","accountId":"111122223333","sessionContext":{"assumedRoot":"true"}}"#,
            r#"{"type":"AWSAccount","accountId":"444455556666","principalId":"AROB:x"}"#,
            r#"{"type":"AWSService","invokedBy":"lambda.amazonaws.com"}"#,
            r#"{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/auditor"}}}"#,
            r#"{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/aws-service-role/x/y"}}}"#,
            "null",
            r#""x""#,
        ],
    ),
    ("addendum", &["null", r#"{"reason":"UPDATED_DATA"}"#]),
    ("readOnly", &["true", "false", "null"]),
];

/// A record in which each field is absent, once or (seldom) twice.
fn audited() -> impl Strategy<Value = String> {
    let choice = |n: usize| prop_oneof![12 => Just(Some(0)), 3 => (0..n).prop_map(Some), 1 => Just(None)];
    let choices: Vec<_> = FIELDS.iter().map(|(_, values)| choice(values.len())).collect();
    let twice = prop::option::weighted(0.05, (0..FIELDS.len(), any::<prop::sample::Index>()));
    (choices, twice).prop_map(|(choices, twice)| {
        let mut fields: Vec<String> = Vec::new();
        for ((key, values), choice) in FIELDS.iter().zip(&choices) {
            fields.extend(choice.map(|choice| format!("\"{key}\":{}", values[choice])));
        }
        if let Some((field, value)) = twice {
            let (key, values) = FIELDS[field];
            fields.push(format!("\"{key}\":{}", values[value.index(values.len())]));
        }
        format!("{{{}}}", fields.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4000), ..ProptestConfig::default() })]

    #[test]
    fn the_shortcut_says_what_all_facts_say(text in audited()) {
        let (perimeter, inventory) = small_perimeter().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let known = Known { perimeter: &perimeter, inventory: &inventory };
        let mut marks = Marks::default();
        marks.index(text.as_bytes());
        let mut record = Record::new();
        prop_assert!(record.read(&mut Cursor::new(text.as_bytes(), &marks), &mut KeyOrder::default()).is_ok());
        if let Some(verdict) = Shortcut::new(known).verdict(&record) {
            let case = Case::of(&record, known);
            let judgement = judge(&case, &perimeter);
            prop_assert_eq!(judgement.verdict, verdict, "{}: {:?}", text, case);
            prop_assert!(judgement.rule.is_none(), "{}: {:?}", text, judgement);
            prop_assert!(inventory::created(&record, case.principal.account.as_deref()).is_none(), "{}", text);
        }
    }
}

#[test]
fn the_shortcut_is_taken() -> Tested {
    let (perimeter, inventory) = small_perimeter()?;
    let fields: Vec<String> = FIELDS.iter().map(|(key, values)| format!("\"{key}\":{}", values[0])).collect();
    let text = format!("{{{}}}", fields.join(","));
    let mut marks = Marks::default();
    marks.index(text.as_bytes());
    let mut record = Record::new();
    assert!(record.read(&mut Cursor::new(text.as_bytes(), &marks), &mut KeyOrder::default()).is_ok());
    let known = Known { perimeter: &perimeter, inventory: &inventory };
    assert!(Shortcut::new(known).verdict(&record).is_some());
    Ok(())
}

//! The tables that a call touched: what `resources[]` names and what the request names, together.
//!
//! Requests name tables by name or ARN, in either casing, one or a hundred, or inside a PartiQL
//! statement. Item keys and attribute values are the caller's own text and are never looked into.
//!
//! Source: DynamoDB developer guide, "Logging DynamoDB operations by using AWS CloudTrail"; API
//! reference.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::record::{Field, Key, Record};
use crate::ids::{self, Arn};

/// The tables of one call are at most this many: a transaction has 100 items.
const MAX_TABLES: usize = 128;

/// Names read of one request. Some of them may be of one table.
const MAX_NAMES: usize = 1024;

/// PartiQL is read up to here; a statement has at most 8 KiB.
const MAX_STATEMENT: usize = 64 << 10;

/// The tables that a record's call touched.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tables {
    /// Their ARNs, without index, stream, export or backup: sorted, each once.
    pub arns: Vec<String>,
    /// There may be others: the request was left out of the record, which CloudTrail does with those of
    /// more than 100 KB, or could not be read to its end.
    pub incomplete: bool,
}

/// The tables that a record's call touched. A name without an account is taken to be of `account`.
pub fn tables(record: &Record<'_>, account: Option<&str>) -> Tables {
    let (mut listed, mut asked) = (Names::default(), Names::default());
    listed.read(record.get(Key::Resources), Part::Resources);
    asked.read(record.get(Key::RequestParameters), Part::Request);
    let mut found = Found::default();
    listed.texts.iter().for_each(|text| found.arn(text));
    let known = found.arns.len();
    let (by_arn, by_name): (Vec<_>, Vec<_>) = asked.texts.iter().partition(|text| is_arn(text));
    by_arn.into_iter().for_each(|text| found.arn(text));
    for name in by_name {
        let (listed, by_arn) = found.arns.split_at(known);
        // What is listed and not asked for by its ARN may be what the name stands for.
        let is_listed = listed.iter().any(|arn| is_of_name(arn, name) && !by_arn.contains(arn));
        if !is_listed {
            found.take(arn_of(name, record, account));
        }
    }
    let Found { mut arns, unresolved } = found;
    arns.sort_unstable();
    arns.dedup();
    let untold = asked.texts.is_empty() && is_of_several(record);
    let incomplete = listed.incomplete || asked.incomplete || unresolved || untold || arns.len() > MAX_TABLES;
    arns.truncate(MAX_TABLES);
    Tables { arns, incomplete }
}

/// May the call name several tables? Then those that are listed need not be all.
fn is_of_several(record: &Record<'_>) -> bool {
    let name = record.get(Key::EventName).text().unwrap_or_default();
    name.starts_with("Batch") || name.starts_with("Transact") || name == "ExecuteTransaction"
}

/// Tables by their ARNs.
#[derive(Debug, Default)]
struct Found {
    arns: Vec<String>,
    /// Something was named that may be a table and cannot be told which.
    unresolved: bool,
}

impl Found {
    fn take(&mut self, arn: Option<String>) {
        self.unresolved |= arn.is_none();
        self.arns.extend(arn);
    }

    /// Takes what is, or ought to be, an ARN.
    fn arn(&mut self, text: &str) {
        // A shard iterator is a stream's ARN and more, behind a bar.
        let text = text.split('|').next().unwrap_or_default();
        match Arn::parse(text) {
            Some(arn) if is_of_dynamodb(arn.service) => {
                self.take(table_of_arn(text).filter(|_| ids::is_account(arn.account)));
            }
            // Keys and streams of other services are no tables.
            Some(arn) if !arn.service.is_empty() && !arn.service.eq_ignore_ascii_case("dynamodb") => {}
            Some(_) | None => self.unresolved = true,
        }
    }
}

/// Is this an ARN, in whatever spelling?
fn is_arn(text: &str) -> bool {
    text.as_bytes().first_chunk().is_some_and(|start: &[u8; 4]| start.eq_ignore_ascii_case(b"arn:"))
}

/// What a request or a list of resources names, as it names it.
#[derive(Debug, Default)]
struct Names<'a> {
    texts: Vec<Cow<'a, str>>,
    incomplete: bool,
}

impl<'a> Names<'a> {
    /// Reads all of a field; of what cannot be read to its end, what stands before.
    fn read(&mut self, field: Field<'a>, part: Part) {
        match field.json() {
            Some(json) => self.read_json(json, part),
            None => self.incomplete |= !field.is_absent(),
        }
    }

    fn read_json(&mut self, json: &'a [u8], part: Part) {
        let mut json = serde_json::Deserializer::from_slice(json);
        let read = Reading { part, names: self }.deserialize(&mut json).and_then(|()| json.end());
        self.incomplete |= read.is_err();
    }

    fn take(&mut self, text: Cow<'a, str>) {
        if self.texts.len() < MAX_NAMES {
            self.texts.push(text);
        } else {
            self.incomplete = true;
        }
    }

    /// A batch: its members are the tables, whatever they are called.
    fn batch(&mut self, members: Vec<Member<'a>>) {
        for (Name(name), value) in members {
            if !self.is_left_out(&name, value) {
                self.take(name);
            }
        }
    }

    /// One of a list of batches: parameters name its table; where none does, its members are the tables.
    fn entry(&mut self, members: Vec<Member<'a>>) {
        let before = self.texts.len();
        for (Name(name), value) in &members {
            let part = Part::Piece.of_member(name);
            if !holds_more(value) && matches!(part, Part::Name | Part::Iterator | Part::Statement) {
                self.read_json(value.get().as_bytes(), part);
            } else if holds_more(value) && is_one_of(name, &PIECES) {
                self.read_json(value.get().as_bytes(), Part::Piece);
            }
        }
        let told = self.texts.len() > before;
        for (Name(name), value) in members {
            if !self.is_left_out(&name, value) && !told && holds_more(value) {
                self.take(name);
            }
        }
    }

    /// Is this no table, but the mark of something that was left out?
    fn is_left_out(&mut self, name: &str, value: &'a RawValue) -> bool {
        let is_mark = name.eq_ignore_ascii_case("omitted") && !holds_more(value);
        if is_mark {
            self.read_json(value.get().as_bytes(), Part::Omitted);
        }
        is_mark
    }
}

/// Is this an object or a list?
fn holds_more(value: &RawValue) -> bool {
    value.get().starts_with(['{', '['])
}

/// A member of a batch.
type Member<'a> = (Name<'a>, &'a RawValue);

fn is_one_of(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What a part of a request, or of a list of resources, may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// ARNs, by themselves or as members of objects.
    Resources,
    /// The whole request.
    Request,
    /// A batch, or a list of [`Part::Entry`].
    Batch,
    /// One of a list of batches.
    Entry,
    /// Further requests.
    Items,
    /// What one item of a transaction does.
    Piece,
    /// A name or ARN.
    Name,
    /// A shard iterator, which tells its stream or nothing.
    Iterator,
    /// A PartiQL statement.
    Statement,
    /// `true` where CloudTrail left something out.
    Omitted,
    /// Nothing; item keys and values above all.
    Unread,
}

impl Part {
    fn of_member(self, name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let is_arn =
            || name.as_bytes().last_chunk().is_some_and(|end: &[u8; 3]| end.eq_ignore_ascii_case(b"arn"));
        match self {
            Part::Resources if is("arn") => Part::Name,
            Part::Resources
            | Part::Batch
            | Part::Entry
            | Part::Name
            | Part::Iterator
            | Part::Statement
            | Part::Omitted
            | Part::Unread => Part::Unread,
            Part::Request | Part::Items | Part::Piece if is_one_of(name, &ONE) || is_arn() => Part::Name,
            Part::Request | Part::Items | Part::Piece if is("shardIterator") => Part::Iterator,
            Part::Request | Part::Items | Part::Piece if is("statement") => Part::Statement,
            Part::Items if is_one_of(name, &PIECES) => Part::Piece,
            Part::Request if is("requestItems") => Part::Batch,
            Part::Request if is_one_of(name, &MANY) => Part::Items,
            Part::Request | Part::Items | Part::Piece if is("omitted") => Part::Omitted,
            Part::Request | Part::Items | Part::Piece => Part::Unread,
        }
    }
}

/// Gathers the names of a part, reading all of it.
struct Reading<'n, 'a> {
    part: Part,
    names: &'n mut Names<'a>,
}

impl<'a> Reading<'_, 'a> {
    fn text(self, text: Cow<'a, str>) {
        match self.part {
            Part::Name | Part::Statement if text == HIDDEN => self.names.incomplete = true,
            Part::Name if text.is_empty() => {}
            Part::Name | Part::Resources => self.names.take(text),
            Part::Iterator if is_arn(&text) => self.names.take(text),
            Part::Statement => partiql(&text, self.names),
            Part::Omitted => self.names.incomplete |= !text.eq_ignore_ascii_case("false"),
            // Something stands for what ought to be there.
            Part::Batch | Part::Entry | Part::Items | Part::Piece => self.names.incomplete = true,
            Part::Request | Part::Iterator | Part::Unread => {}
        }
    }
}

impl<'a> DeserializeSeed<'a> for Reading<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Reading<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.names.incomplete |= value && self.part == Part::Omitted;
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        let part = match self.part {
            Part::Request => Part::Unread,
            Part::Batch => Part::Entry,
            part => part,
        };
        while items.next_element_seed(Reading { part, names: self.names })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        if matches!(self.part, Part::Batch | Part::Entry) {
            let mut all: Vec<Member<'a>> = Vec::new();
            while let Some(member) = members.next_entry()? {
                all.push(member);
            }
            let is_batch = self.part == Part::Batch;
            if is_batch {
                self.names.batch(all)
            } else {
                self.names.entry(all)
            };
            return Ok(());
        }
        while let Some(Name(name)) = members.next_key()? {
            let part = self.part.of_member(&name);
            if part == Part::Unread {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(Reading { part, names: self.names })?;
            }
        }
        Ok(())
    }
}

/// A member's name, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Cuts an ARN of DynamoDB down to its table. Other resources of DynamoDB and DAX stay as they are;
/// those of other services are none.
pub fn table_of_arn(text: &str) -> Option<String> {
    let arn = Arn::parse(text).filter(|arn| is_of_dynamodb(arn.service))?;
    let behind =
        arn.resource.strip_prefix("table/").and_then(|name| name.find('/').map(|at| name.len() - at));
    let table = text.get(..text.len() - behind.unwrap_or_default())?;
    Some(table.to_owned())
}

fn is_of_dynamodb(service: &str) -> bool {
    matches!(service, "dynamodb" | "dax")
}

/// Is this the ARN of a table of that name?
fn is_of_name(arn: &str, name: &str) -> bool {
    arn.strip_suffix(name).is_some_and(|before| before.ends_with(":table/"))
}

/// The ARN of a table by its name.
fn arn_of(name: &str, record: &Record<'_>, account: Option<&str>) -> Option<String> {
    let region = record.get(Key::AwsRegion).text()?;
    let recipient = record.get(Key::RecipientAccountId).text();
    let account = account.or(recipient.as_deref())?;
    let partition = ids::partition_of(&region);
    Some(format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}"))
}

/// What CloudTrail writes in the place of a value that it does not show.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Parameters that name one table; those that end in `Arn` may, too.
const ONE: [&str; 4] = ["tableName", "globalTableName", "sourceTableName", "targetTableName"];

/// Parameters that hold further requests.
const MANY: [&str; 4] = ["transactItems", "statements", "transactStatements", "tableCreationParameters"];

/// What one item of a transaction does.
const PIECES: [&str; 5] = ["get", "put", "update", "delete", "conditionCheck"];

/// The tables of a PartiQL statement: what stands behind `FROM`, `INTO` and `UPDATE`.
///
/// Source: DynamoDB developer guide, "PartiQL statements for DynamoDB".
fn partiql(statement: &str, names: &mut Names<'_>) {
    let mut rest = statement.get(..MAX_STATEMENT).unwrap_or(statement);
    names.incomplete |= rest.len() > MAX_STATEMENT || rest.len() < statement.len();
    let mut table_follows = false;
    while let Some((token, behind)) = token(rest) {
        rest = behind;
        let word = ["from", "into", "update"].iter().any(|word| token.text.eq_ignore_ascii_case(word));
        match token.kind {
            Token::Word if word => table_follows = true,
            Token::Word | Token::Name if table_follows => {
                names.take(Cow::Owned(token.text));
                table_follows = false;
            }
            Token::Open => names.incomplete = true,
            Token::Word | Token::Name | Token::Other => table_follows = false,
        }
    }
}

enum Token {
    Word,
    /// In double quotes.
    Name,
    /// In quotes that do not end.
    Open,
    Other,
}

struct Lexeme {
    kind: Token,
    text: String,
}

/// The next token of a statement, and what stands behind it.
fn token(text: &str) -> Option<(Lexeme, &str)> {
    let text = without_comments(text);
    let first = text.chars().next()?;
    if first == '"' || first == '\'' {
        let Some((content, rest)) = quoted(text, first) else {
            return Some((Lexeme { kind: Token::Open, text: String::new() }, ""));
        };
        let kind = if first == '"' { Token::Name } else { Token::Other };
        return Some((Lexeme { kind, text: content }, rest));
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (kind, end) = if end == 0 { (Token::Other, first.len_utf8()) } else { (Token::Word, end) };
    let (word, rest) = text.split_at_checked(end)?;
    Some((Lexeme { kind, text: word.to_owned() }, rest))
}

/// What stands behind white space and comments: PartiQL has those of SQL.
fn without_comments(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let behind = if let Some(comment) = text.strip_prefix("--") {
            comment.split_once(['\n', '\r']).map(|(_, behind)| behind)
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, behind)| behind)
        } else {
            return text;
        };
        text = behind.unwrap_or_default();
    }
}

/// What stands in quotes, a doubled quote standing for one, and what stands behind them; `None`: they do
/// not end.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut rest = text.get(1..).unwrap_or_default();
    while let Some((before, behind)) = rest.split_once(quote) {
        content.push_str(before);
        rest = behind;
        match rest.strip_prefix(quote) {
            Some(more) => {
                content.push(quote);
                rest = more;
            }
            None => return Some((content, rest)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudtrail::record::tests::with_record;

    fn of(json: &str) -> Vec<String> {
        let json = format!(r#"{{"awsRegion":"eu-west-1",{json}}}"#);
        with_record(&json, |record| tables(record, Some("111122223333")).arns)
    }

    fn orders() -> Vec<String> {
        vec!["arn:aws:dynamodb:eu-west-1:111122223333:table/orders".to_owned()]
    }

    #[test]
    fn index_and_stream_are_cut_off() {
        for tail in ["", "/index/by-date", "/stream/2026-01-01T00:00:00.000", "/export/0170"] {
            let arn = format!("arn:aws:dynamodb:eu-west-1:111122223333:table/orders{tail}");
            assert_eq!(table_of_arn(&arn), orders().pop());
        }
        assert_eq!(table_of_arn("arn:aws:s3:::bucket"), None);
    }

    #[test]
    fn a_name_and_its_arn_are_one_table() {
        let resources = r#""resources":[{"ARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders","type":"AWS::DynamoDB::Table"}]"#;
        assert_eq!(of(&format!(r#"{resources},"requestParameters":{{"tableName":"orders"}}"#)), orders());
    }

    #[test]
    fn either_casing_and_transactions() {
        assert_eq!(of(r#""requestParameters":{"TableName":"orders"}"#), orders());
        let found = of(
            r#""requestParameters":{"transactItems":[{"Put":{"tableName":"orders"}},{"update":{"TableName":"arn:aws:dynamodb:eu-west-1:444455556666:table/ledger"}}]}"#,
        );
        assert_eq!(
            found,
            [
                "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
                "arn:aws:dynamodb:eu-west-1:444455556666:table/ledger"
            ]
        );
    }

    #[test]
    fn batches_name_tables_in_keys() {
        assert_eq!(of(r#""requestParameters":{"requestItems":{"orders":{"keys":[]},"carts":{}}}"#).len(), 2);
    }

    #[test]
    fn item_keys_are_not_tables() {
        assert_eq!(
            of(
                r#""requestParameters":{"tableName":"orders","key":{"tableName":"decoy"},"item":{"resourceArn":"decoy"}}"#
            ),
            orders()
        );
    }

    #[test]
    fn partiql_names_its_tables() {
        for statement in [
            "SELECT * FROM \\\"orders\\\".\\\"by-date\\\" WHERE pk='from x'",
            "insert into orders value {'a':'b'}",
            "UPDATE \\\"orders\\\" SET a=1",
            "DELETE FROM orders WHERE pk=?",
        ] {
            assert_eq!(
                of(&format!(r#""requestParameters":{{"statement":"{statement}"}}"#)),
                orders(),
                "{statement}"
            );
        }
        let found = of(
            r#""requestParameters":{"transactStatements":[{"statement":"SELECT * FROM a"},{"Statement":"SELECT * FROM b"}]}"#,
        );
        assert_eq!(found.len(), 2);
    }

    fn arn(account: &str, name: &str) -> String {
        format!("arn:aws:dynamodb:eu-west-1:{account}:table/{name}")
    }

    #[test]
    fn a_name_is_not_another_accounts_table_that_is_asked_for_too() {
        let (own, other) = (arn("111122223333", "orders"), arn("777788889999", "orders"));
        let batch = format!(r#""requestParameters":{{"requestItems":{{"orders":{{}},"{other}":{{}}}}}}"#);
        let listed = format!(r#""resources":[{{"ARN":"{other}"}}]"#);
        assert_eq!(of(&batch), [own.clone(), other.clone()]);
        assert_eq!(of(&format!("{listed},{batch}")), [own.clone(), other.clone()]);
        let items = [
            format!(r#"{{"put":{{"tableName":"{other}"}}}}"#),
            r#"{"update":{"tableName":"orders"}}"#.to_owned(),
        ];
        for items in [items.join(","), format!("{},{}", items[1], items[0])] {
            assert_eq!(
                of(&format!(r#""requestParameters":{{"transactItems":[{items}]}}"#)),
                [own.clone(), other.clone()]
            );
        }
        // Listed and not asked for by its ARN: what the name stands for.
        assert_eq!(of(&format!(r#"{listed},"requestParameters":{{"tableName":"orders"}}"#)), [other]);
    }

    #[test]
    fn a_batchs_tables_may_be_called_anything() {
        for name in ["learn", "update", "get", "statement", "tableName", "omitted"] {
            let json = format!(r#""requestParameters":{{"requestItems":{{"{name}":{{"keys":[]}}}}}}"#);
            assert_eq!(of(&json), [arn("111122223333", name)], "{name}");
            let json = format!(r#""requestParameters":{{"requestItems":[{{"{name}":{{"keys":[]}}}}]}}"#);
            assert_eq!(of(&json), [arn("111122223333", name)], "{name} of a list");
        }
        let entry = r#""requestParameters":{"requestItems":[{"tableName":"orders","keys":[{"update":{}}]}]}"#;
        assert_eq!(of(entry), orders());
        let piece = r#""requestParameters":{"requestItems":[{"update":{"tableName":"orders","key":{}}}]}"#;
        assert_eq!(of(piece), orders());
    }

    #[test]
    fn what_nobody_reads_hides_nothing() {
        for value in [r#""\ud800""#, "1e999", &format!("{}{}", "[".repeat(100), "]".repeat(100))] {
            let json = format!(r#""requestParameters":{{"key":{{"id":{value}}},"tableName":"orders"}}"#);
            assert_eq!(of(&json), orders(), "{value}");
        }
    }

    #[test]
    fn every_shape_that_names_a_table_is_read() {
        let shapes = [
            r#""requestParameters":{"requestItems":[{"orders":{}},{"carts":{}}]}"#,
            r#""requestParameters":{"TableName":"orders","tableName":"carts"}"#,
            r#""requestParameters":{"importArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders/import/01","tableName":"carts"}"#,
            r#""requestParameters":{"bulkOperationARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders/bulk/01","tableName":"carts"}"#,
            r#""resources":["arn:aws:dynamodb:eu-west-1:111122223333:table/orders"],"requestParameters":{"tableName":"carts"}"#,
            r#""resources":{"ARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders"},"requestParameters":{"tableName":"carts"}"#,
            r#""requestParameters":{"statements":[{"statement":"SELECT * FROM -- x\n\"orders\""},{"statement":"UPDATE /* from x */ carts SET a=1"}]}"#,
        ];
        for json in shapes {
            assert_eq!(of(json), [arn("111122223333", "carts"), arn("111122223333", "orders")], "{json}");
        }
    }

    #[test]
    fn a_request_that_is_not_all_there_is_incomplete() {
        const REGION: &str = r#""awsRegion":"eu-west-1""#;
        const LISTED: &str =
            r#""resources":[{"ARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders"}]"#;
        let account = Some("111122223333");
        let incomplete =
            |json: &str| with_record(&format!("{{{json}}}"), |record| tables(record, account).incomplete);
        for json in [
            r#""requestParameters":{"omitted":true}"#,
            r#""requestParameters":{"tableName":"orders","omitted":true}"#,
            r#""requestParameters":"x""#,
            r#""requestParameters":{"tableName":"\ud800"}"#,
            r#""requestParameters":{"tableName":"orders","omitted":"true"}"#,
            r#""requestParameters":{"requestItems":{"omitted":true}}"#,
            r#""requestParameters":{"requestItems":{"orders":{},"omitted":"true"}}"#,
            r#""requestParameters":{"requestItems":[{"orders":{}},{"omitted":true}]}"#,
            r#""requestParameters":{"transactItems":{"omitted":true}}"#,
            r#""requestParameters":{"transactItems":[{"put":{"tableName":"a"}},{"omitted":true}]}"#,
            r#""requestParameters":{"statements":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            r#""requestParameters":{"statement":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            r#""requestParameters":{"tableName":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            r#""requestParameters":{"statement":"SELECT * FROM \"orders"}"#,
            r#""requestParameters":{"statement":"SELECT * FROM orders WHERE a='it"}"#,
            r#""requestParameters":{"tableName":"arn:aws:DynamoDB:eu-west-1:111122223333:table/a"}"#,
            r#""requestParameters":{"tableName":"ARN:aws:dynamodb:eu-west-1:111122223333:table/a"}"#,
            r#""requestParameters":{"tableName":"arn:aws:dynamodb:eu-west-1::table/a"}"#,
            r#""requestParameters":{"tableName":"arn:aws:dynamodb"}"#,
            r#""resources":[{"ARN":"orders"}]"#,
            r#""awsRegion":null,"requestParameters":{"tableName":"orders"}"#,
            &format!(r#"{LISTED},"eventName":"BatchGetItem","requestParameters":null"#),
            &format!(r#"{LISTED},"eventName":"TransactWriteItems","requestParameters":{{}}"#),
            &format!(r#"{LISTED},"eventName":"ExecuteTransaction""#),
        ] {
            let json = if json.contains("awsRegion") { json } else { &format!("{REGION},{json}") };
            assert!(incomplete(json), "{json}");
        }
        for json in [
            r#""requestParameters":null"#,
            r#""requestParameters":{"tableName":"orders","omitted":false}"#,
            r#""requestParameters":{"tableName":"orders","key":{"omitted":true}}"#,
            r#""requestParameters":{"requestItems":{"omitted":{"keys":[]}}}"#,
            r#""requestParameters":{"statement":"SELECT * FROM orders WHERE a='it''s'"}"#,
            r#""requestParameters":{"tableName":"orders","streamArn":"arn:aws:kinesis:eu-west-1:1:stream/a"}"#,
            r#""requestParameters":{"shardIterator":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            &format!(r#"{LISTED},"eventName":"GetItem","requestParameters":null"#),
            &format!(
                r#"{LISTED},"eventName":"BatchGetItem","requestParameters":{{"requestItems":{{"orders":{{}}}}}}"#
            ),
        ] {
            let json = format!("{REGION},{json}");
            assert!(!incomplete(&json), "{json}");
        }
    }
}

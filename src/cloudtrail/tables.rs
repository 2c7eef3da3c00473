//! The tables that a call touched: what `resources[]` names and what the request names, together.
//!
//! Requests name tables by name or ARN, in either casing, one or a hundred, or inside a PartiQL
//! statement. Item keys and attribute values are the caller's own text and are never looked into.
//!
//! Source: DynamoDB developer guide, "Logging DynamoDB operations by using AWS CloudTrail"; API
//! reference.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::record::{Field, Key, Record};
use crate::ids::{self, Arn};

/// The tables of one call are at most this many: a transaction has 100 items.
const MAX_TABLES: usize = 128;

/// PartiQL is read up to here; a statement has at most 8 KiB.
const MAX_STATEMENT: usize = 64 << 10;

/// ARNs of the tables that a record's call touched, without index, stream, export or backup:
/// sorted, each once. A name without an account is taken to be of `caller`.
pub fn tables(record: &Record<'_>, caller: Option<&str>) -> Vec<String> {
    let mut found = BTreeSet::new();
    if let Some(Value::Array(resources)) = parse(record.get(Key::Resources)) {
        let arns = resources.iter().filter_map(|resource| text(resource, "arn"));
        found.extend(arns.filter_map(table_of_arn).take(MAX_TABLES));
    }
    if let Some(request) = parse(record.get(Key::RequestParameters)) {
        let mut named = Vec::new();
        names(&request, &mut named);
        for name in named {
            if found.len() >= MAX_TABLES {
                break;
            }
            found.extend(arn_of(&name, &found, record, caller));
        }
    }
    found.into_iter().collect()
}

/// Parses a request or a list of resources, without what is never looked at: most of a request is
/// item keys and attributes. All of it is still read, and wrong where reading a [`Value`] says so.
fn parse(field: Field<'_>) -> Option<Value> {
    let mut json = serde_json::Deserializer::from_slice(field.json()?);
    let value = Part::Request.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

/// What is kept of a part of a request.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    /// Texts, and members whose names are known.
    Request,
    /// Every member's name.
    Names,
    /// Nothing.
    Unread,
}

impl Part {
    fn of_member(self, name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let mut known = ONE.iter().chain(&MANY).chain(&PARTS).chain(&["arn", "statement"]);
        match self {
            Part::Request if is("requestItems") => Part::Names,
            Part::Request if known.any(|known| is(known)) => Part::Request,
            Part::Request | Part::Names | Part::Unread => Part::Unread,
        }
    }

    fn of_item(self) -> Self {
        match self {
            Part::Request | Part::Names => Part::Request,
            Part::Unread => Part::Unread,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(if self == Part::Request { Value::String(text.to_owned()) } else { Value::Null })
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (item, mut kept) = (self.of_item(), Vec::new());
        while let Some(value) = items.next_element_seed(item)? {
            if item == Part::Request {
                kept.push(value);
            }
        }
        Ok(Value::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(Name(name)) = members.next_key()? {
            let member = self.of_member(&name);
            let value = members.next_value_seed(member)?;
            if member != Part::Unread || self == Part::Names {
                kept.insert(name.into_owned(), value);
            }
        }
        Ok(Value::Object(kept))
    }
}

/// A member's name, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Cuts an ARN of DynamoDB down to its table. Other resources of DynamoDB and DAX stay as they are;
/// those of other services are none.
pub fn table_of_arn(text: &str) -> Option<String> {
    let arn = Arn::parse(text)?;
    if !matches!(arn.service, "dynamodb" | "dax") {
        return None;
    }
    let Some(name) = arn.resource.strip_prefix("table/") else { return Some(text.to_owned()) };
    let name = name.split('/').next().unwrap_or_default();
    Some(format!("arn:{}:{}:{}:{}:table/{name}", arn.partition, arn.service, arn.region, arn.account))
}

/// The ARN of a table by name or ARN, unless `found` has it.
fn arn_of(name: &str, found: &BTreeSet<String>, record: &Record<'_>, caller: Option<&str>) -> Option<String> {
    if name.starts_with("arn:") {
        // A shard iterator is a stream's ARN and more, behind a bar.
        return table_of_arn(name.split('|').next().unwrap_or_default());
    }
    let suffix = format!(":table/{name}");
    if name.is_empty() || found.iter().any(|arn| arn.ends_with(&suffix)) {
        return None;
    }
    let region = record.get(Key::AwsRegion).text()?;
    let recipient = record.get(Key::RecipientAccountId).text();
    let account = caller.or(recipient.as_deref())?;
    let partition = ids::partition_of(&region);
    Some(format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}"))
}

/// A member whose name is `name` in any casing.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    member(value, name)?.as_str()
}

/// Parameters that name one table.
const ONE: [&str; 12] = [
    "tableName",
    "tableArn",
    "globalTableName",
    "resourceArn",
    "sourceTableName",
    "sourceTableArn",
    "targetTableName",
    "globalTableSourceArn",
    "streamArn",
    "shardIterator",
    "backupArn",
    "exportArn",
];

/// Parameters that hold further requests.
const MANY: [&str; 5] =
    ["transactItems", "statements", "transactStatements", "tableCreationParameters", "requestItems"];

/// What one item of a transaction does.
const PARTS: [&str; 5] = ["get", "put", "update", "delete", "conditionCheck"];

/// All that a request names, as it names it.
fn names(request: &Value, out: &mut Vec<String>) {
    out.extend(ONE.iter().filter_map(|name| text(request, name)).map(str::to_owned));
    if let Some(statement) = text(request, "statement") {
        partiql(statement, out);
    }
    for name in MANY {
        match member(request, name) {
            // In a batch the keys are the tables.
            Some(Value::Object(items)) if name == "requestItems" => {
                out.extend(items.keys().take(MAX_TABLES).cloned())
            }
            Some(Value::Array(items)) => items.iter().take(MAX_TABLES).for_each(|item| item_names(item, out)),
            Some(item @ Value::Object(_)) => item_names(item, out),
            _ => {}
        }
    }
}

fn item_names(item: &Value, out: &mut Vec<String>) {
    let parts = PARTS.iter().filter_map(|part| member(item, part));
    for part in parts.chain([item]) {
        out.extend(ONE.iter().filter_map(|name| text(part, name)).map(str::to_owned));
        if let Some(statement) = text(part, "statement") {
            partiql(statement, out);
        }
    }
}

/// The tables of a PartiQL statement: what stands behind `FROM`, `INTO` and `UPDATE`.
///
/// Source: DynamoDB developer guide, "PartiQL statements for DynamoDB".
fn partiql(statement: &str, out: &mut Vec<String>) {
    let mut rest = statement.get(..MAX_STATEMENT).unwrap_or(statement);
    let mut table_follows = false;
    while let Some((token, behind)) = token(rest) {
        rest = behind;
        let word = ["from", "into", "update"].iter().any(|word| token.text.eq_ignore_ascii_case(word));
        match token.kind {
            Token::Word if word => table_follows = true,
            Token::Word | Token::Name if table_follows => {
                out.push(token.text);
                table_follows = false;
            }
            Token::Word | Token::Name | Token::Other => table_follows = false,
        }
    }
}

enum Token {
    Word,
    /// In double quotes.
    Name,
    Other,
}

struct Lexeme {
    kind: Token,
    text: String,
}

/// The next token of a statement, and what stands behind it.
fn token(text: &str) -> Option<(Lexeme, &str)> {
    let text = text.trim_start();
    let first = text.chars().next()?;
    if first == '"' || first == '\'' {
        let (content, rest) = quoted(text, first);
        let kind = if first == '"' { Token::Name } else { Token::Other };
        return Some((Lexeme { kind, text: content }, rest));
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (kind, end) = if end == 0 { (Token::Other, first.len_utf8()) } else { (Token::Word, end) };
    let (word, rest) = text.split_at_checked(end)?;
    Some((Lexeme { kind, text: word.to_owned() }, rest))
}

/// What stands in quotes, a doubled quote standing for one, and what stands behind them.
fn quoted(text: &str, quote: char) -> (String, &str) {
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
            None => return (content, rest),
        }
    }
    (content, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudtrail::record::tests::with_record;

    fn of(json: &str) -> Vec<String> {
        let json = format!(r#"{{"awsRegion":"eu-west-1",{json}}}"#);
        with_record(&json, |record| tables(record, Some("111122223333")))
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
}

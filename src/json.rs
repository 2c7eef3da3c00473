//! JSON with the place of every value, for texts that people write: policies and bundles of them.
//!
//! A name that stands twice in an object is kept twice. Whoever reads the object says what that means:
//! to IAM it is an error, and a parser that keeps the last one would hide a statement.

pub mod lines;

use std::ops::Range;

use crate::cloudtrail::cursor::{Cause, Cursor, MAX_DEPTH, Stop, Value};
use crate::cloudtrail::escapes::unescape;
use crate::cloudtrail::marks::Marks;

/// Bytes of a text, by their offsets.
pub type Span = Range<usize>;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its bytes in the text.
    pub span: Span,
    /// What it is.
    pub tree: Tree,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// One name of an object and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The name, without escapes.
    pub name: String,
    /// Where the name stands, with its quotes.
    pub span: Span,
    /// What it is given.
    pub value: Node,
}

/// Why a text is no JSON.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{cause}{hint}")]
pub struct NoJson {
    /// Byte offset of what is wrong.
    pub at: usize,
    /// What is wrong there.
    pub cause: Cause,
    /// What it may be, as the end of a sentence; empty: nobody knows.
    pub hint: &'static str,
}

/// What people write that JSON has not.
fn hint(text: &str, at: usize) -> &'static str {
    let (before, behind) = text.split_at_checked(at).unwrap_or((text, ""));
    match behind.chars().next() {
        _ if text.trim().is_empty() => ": it is empty",
        Some('}' | ']') if before.trim_end().ends_with(',') => ": the comma before it is one too many",
        Some('/' | '#') => ": JSON has no comments",
        Some('\'') => ": strings stand in double quotes",
        Some('"') if before.trim_end().ends_with(['"', '}', ']']) => ": a comma is missing before it",
        _ => "",
    }
}

impl Tree {
    /// As it is called in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Tree::Null => "null",
            Tree::Bool(_) => "a boolean",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "a string",
            Tree::List(_) => "a list",
            Tree::Object(_) => "an object",
        }
    }
}

/// Reads a text that is one JSON object or list.
///
/// # Errors
/// Where it is none, or nested more than [`MAX_DEPTH`] deep.
pub fn parse(text: &str) -> Result<Node, NoJson> {
    let mut marks = Marks::default();
    marks.index(text.as_bytes());
    // A fault in a string may also be what makes the rest look wrong: the first is the one to name.
    let bad_string = marks.faults().iter().min().map(|at| *at as usize);
    let mut cursor = Cursor::new(text.as_bytes(), &marks).strictly();
    cursor.skip_byte_order();
    let parsed = whole(&mut cursor).map_err(|stop| match stop {
        Stop::Incomplete => no_json(text, text.len(), Cause::Expected { expected: "more text" }),
        Stop::Malformed { at, cause } => no_json(text, at, cause),
    });
    match (parsed, bad_string) {
        (Err(error), Some(at)) if error.at < at => Err(error),
        (_, Some(at)) => Err(no_json(text, at, Cause::BadString)),
        (parsed, None) => parsed,
    }
}

fn no_json(text: &str, at: usize, cause: Cause) -> NoJson {
    NoJson { at, cause, hint: hint(text, at) }
}

fn whole(cursor: &mut Cursor<'_>) -> Result<Node, Stop> {
    if !matches!(cursor.peek()?, b'{' | b'[') {
        return cursor.expected("an object or a list");
    }
    let node = node(cursor, 0)?;
    match cursor.peek() {
        Err(Stop::Incomplete) => Ok(node),
        Err(stop) => Err(stop),
        Ok(_) => cursor.expected("the end of the text"),
    }
}

fn node(cursor: &mut Cursor<'_>, depth: u32) -> Result<Node, Stop> {
    if depth >= MAX_DEPTH {
        return Err(Stop::Malformed { at: cursor.at(), cause: Cause::TooDeep });
    }
    let byte = cursor.peek()?;
    let start = cursor.at();
    let tree = match byte {
        b'{' => object(cursor, depth)?,
        b'[' => list(cursor, depth)?,
        _ => match cursor.value()? {
            Value::Text(raw) => Tree::Text(unescape(raw).into_owned()),
            Value::Null => Tree::Null,
            Value::Bool(value) => Tree::Bool(value),
            Value::Number(raw) | Value::Nested(raw) => {
                Tree::Number(String::from_utf8_lossy(raw).into_owned())
            }
        },
    };
    Ok(Node { span: start..cursor.at(), tree })
}

fn object(cursor: &mut Cursor<'_>, depth: u32) -> Result<Tree, Stop> {
    cursor.bracket()?;
    let mut members = Vec::new();
    while let Some((name, span)) = name(cursor, members.is_empty())? {
        members.push(Member { name, span, value: node(cursor, depth + 1)? });
    }
    Ok(Tree::Object(members))
}

/// The next name of an object, and where it stands; the place is behind its colon.
fn name(cursor: &mut Cursor<'_>, first: bool) -> Result<Option<(String, Span)>, Stop> {
    let mut start = cursor.clone();
    let Some(raw) = cursor.key(first)? else { return Ok(None) };
    if !first {
        start.peek()?;
        start.skip(1);
    }
    start.peek()?;
    let span = start.at()..start.at() + raw.len() + 2;
    Ok(Some((unescape(raw).into_owned(), span)))
}

fn list(cursor: &mut Cursor<'_>, depth: u32) -> Result<Tree, Stop> {
    cursor.bracket()?;
    let mut items = Vec::new();
    while cursor.item(items.is_empty())? {
        items.push(node(cursor, depth + 1)?);
    }
    Ok(Tree::List(items))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(node: &Node) -> serde_json::Value {
        match &node.tree {
            Tree::Null => serde_json::Value::Null,
            Tree::Bool(value) => (*value).into(),
            Tree::Number(text) => serde_json::from_str(text).unwrap(),
            Tree::Text(text) => text.clone().into(),
            Tree::List(items) => items.iter().map(plain).collect(),
            Tree::Object(members) => {
                members.iter().map(|member| (member.name.clone(), plain(&member.value))).collect()
            }
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            "[a\"\\\\é\n{}\\[\\],: ]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a-c\"]{0,2}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_a_plain_parser_reads(value in json(), pretty: bool) {
            let list = serde_json::json!([value]);
            let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) };
            let node = parse(&text.unwrap()).unwrap();
            prop_assert_eq!(plain(&node), serde_json::json!([value]));
        }

        #[test]
        fn refuses_what_a_plain_parser_refuses(text in "[{\\[][{}\\[\\]\",:a1\\\\ntrue -]{0,12}") {
            let plainly = serde_json::from_str::<serde_json::Value>(&text);
            let plainly = plainly.is_ok_and(|value| value.is_object() || value.is_array());
            prop_assert_eq!(parse(&text).is_ok(), plainly, "{}", text);
        }
    }

    #[test]
    fn every_value_and_name_has_its_place() {
        let text = r#" {"a": [1, "b"] , "c":{"a":null, "a":true}}"#;
        let node = parse(text).unwrap();
        let Tree::Object(members) = &node.tree else { panic!("{node:?}") };
        assert_eq!(&text[members[0].span.clone()], r#""a""#);
        assert_eq!(&text[members[0].value.span.clone()], r#"[1, "b"]"#);
        assert_eq!(&text[members[1].span.clone()], r#""c""#);
        let Tree::Object(inner) = &members[1].value.tree else { panic!("{node:?}") };
        assert_eq!(
            inner.iter().map(|member| &text[member.value.span.clone()]).collect::<Vec<_>>(),
            ["null", "true"]
        );
    }

    #[test]
    fn what_people_write_that_is_none_is_told() {
        for (text, hint) in [
            (r#"{"a": 1,}"#, ": the comma before it is one too many"),
            ("[1, ]", ": the comma before it is one too many"),
            ("{// no\n}", ": JSON has no comments"),
            ("{'a': 1}", ": strings stand in double quotes"),
            (r#"{"a": "b" "c": 1}"#, ": a comma is missing before it"),
            (" \n", ": it is empty"),
            (r#"{"a"}"#, ""),
            ("{\"é", ""),
        ] {
            assert_eq!(parse(text).unwrap_err().hint, hint, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&deep(MAX_DEPTH as usize)).is_ok());
        let error = parse(&deep(10_000)).unwrap_err();
        assert_eq!((error.at, error.cause), (MAX_DEPTH as usize, Cause::TooDeep));
    }
}

//! A perimeter as a tree of values, each with its place, before anything in it is believed.
//!
//! What follows works on this tree alone, whether it was TOML or stands as an object in a bundle's
//! JSON.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::diagnostic::{Diagnostic, cut};
use super::read::Diagnostics;
use super::syntax;
use crate::json::{self, Tree};

/// Nothing in a perimeter lies deeper; what does is not looked into.
const DEPTH: usize = 6;

/// The stack for the TOML parser, in bytes. It bounds nesting and dotted keys to 80 each, but not
/// their product, and frees what it read recursively: 12 kB of text overflow the stack of a test's
/// or a worker's thread [measured with toml 1.2.1].
const STACK_BYTES: usize = 32 << 20;

/// Where a value stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Bytes of the text, if it was text.
    pub(super) span: Option<Range<usize>>,
    /// As `environments.production.accounts[1]`.
    pub(super) key: String,
}

impl Place {
    pub(super) fn new(span: Range<usize>, key: String) -> Self {
        Self { span: Some(span), key }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// As it is written, without its base.
    Integer(String),
    Float,
    Flag(bool),
    Date(Datetime),
    List(Vec<Node>),
    Table(Vec<Field>),
    /// JSON's; TOML has none.
    Null,
    /// Something deeper than a perimeter goes.
    TooDeep,
}

impl Value {
    /// For messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float => "a float",
            Value::Flag(_) => "a boolean",
            Value::Date(_) => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Null => "null",
            Value::TooDeep => "something so deep",
        }
    }
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// Of the key; that of the value is in the node.
    pub(super) at: Place,
    pub(super) node: Node,
}

/// Reads TOML.
///
/// # Errors
/// The places where it is none.
pub(super) fn from_toml(text: &str) -> Result<Node, Diagnostics> {
    let read = || match DeTable::parse(text) {
        Ok(table) => {
            Ok(Node { at: Place::new(0..0, String::new()), value: fields(table.get_ref(), "", DEPTH) })
        }
        Err(first) => Err(syntax::errors(text, first)),
    };
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, read);
        reader.ok().and_then(|reader| reader.join().ok()).unwrap_or_else(|| {
            let message = "the file cannot be read: there is no thread to read it";
            Err(Diagnostics::only(Diagnostic::error(&Place::new(0..0, String::new()), message)))
        })
    })
}

fn fields(table: &DeTable<'_>, parent: &str, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::TooDeep };
    let mut fields: Vec<Field> = table
        .iter()
        .map(|(name, value)| {
            // Cut: a long key before a long list would be kept once for each item.
            let own = cut(name.get_ref());
            let key = if parent.is_empty() { own } else { format!("{parent}.{own}") };
            let at = Place::new(name.span(), key.clone());
            Field { name: name.to_string(), at, node: node(value, key, depth) }
        })
        .collect();
    // The parser sorts by name; the file's order tells which of two came first.
    fields.sort_by_key(|field| field.at.span.as_ref().map_or(0, |span| span.start));
    Value::Table(fields)
}

/// Makes the tree of an object in JSON. JSON has no dates: there they are text.
pub(super) fn from_json(json: &json::Node) -> Node {
    of_json(json, String::new(), DEPTH + 1)
}

fn of_json(json: &json::Node, key: String, depth: usize) -> Node {
    let value = match (&json.tree, depth.checked_sub(1)) {
        (Tree::Text(text), _) => Value::Text(text.clone()),
        (Tree::Bool(flag), _) => Value::Flag(*flag),
        (Tree::Number(text), _) if text.contains(['.', 'e', 'E']) => Value::Float,
        (Tree::Number(text), _) => Value::Integer(text.clone()),
        (Tree::Null, _) => Value::Null,
        (Tree::List(_) | Tree::Object(_), None) => Value::TooDeep,
        (Tree::List(items), Some(depth)) => {
            let items = items.iter().enumerate();
            Value::List(items.map(|(n, item)| of_json(item, format!("{key}[{n}]"), depth)).collect())
        }
        (Tree::Object(members), Some(depth)) => {
            Value::Table(members.iter().map(|member| field(member, &key, depth)).collect())
        }
    };
    Node { at: Place::new(json.span.clone(), key), value }
}

fn field(member: &json::Member, parent: &str, depth: usize) -> Field {
    let own = cut(&member.name);
    let key = if parent.is_empty() { own } else { format!("{parent}.{own}") };
    let node = of_json(&member.value, key.clone(), depth);
    Field { name: member.name.clone(), at: Place::new(member.span.clone(), key), node }
}

fn node(value: &Spanned<DeValue<'_>>, key: String, depth: usize) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => Value::Integer(integer.as_str().to_owned()),
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(date) => Value::Date(*date),
        DeValue::Table(table) => fields(table, &key, depth),
        DeValue::Array(list) => match depth.checked_sub(1) {
            None => Value::TooDeep,
            Some(depth) => {
                let items = list.iter().enumerate();
                Value::List(items.map(|(index, item)| node(item, format!("{key}[{index}]"), depth)).collect())
            }
        },
    };
    Node { at: Place::new(value.span(), key), value: kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_times_dotted_keys_overflows_no_stack() {
        let key = ["a"; 79].join(".");
        let tables = format!("[{key}]\n{key} = {}1{}", format!("{{{key} = ").repeat(79), "}".repeat(79));
        assert!(from_toml(&tables).is_ok());
        // The second is freed inside the parser.
        assert!(
            from_toml(&format!("x = 1\nx = {}1{}", format!("{{{key} = ").repeat(79), "}".repeat(79)))
                .is_err()
        );
        assert!(from_toml(&format!("x = {}", "[".repeat(1_000_000))).is_err());
        assert!(from_toml(&format!("{} = 1", vec!["a"; 100_000].join("."))).is_err());
        assert!(from_toml(&format!("[{}]", vec!["a"; 100_000].join("."))).is_err());
    }

    #[test]
    fn fields_keep_the_order_of_the_file() -> Result<(), Diagnostics> {
        let Value::Table(fields) = from_toml("b = 1\n[c]\n[a]\n")?.value else { panic!("no table") };
        assert_eq!(fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
        Ok(())
    }

    #[test]
    fn what_lies_too_deep_is_named_and_not_looked_into() -> Result<(), Diagnostics> {
        let mut value = from_toml("a = [[[[[[1]]]]]]")?.value;
        for _ in 0..6 {
            value = match value {
                Value::Table(mut fields) => fields.remove(0).node.value,
                Value::List(mut items) => items.remove(0).value,
                other => other,
            };
        }
        assert_eq!(value.kind(), "something so deep");
        Ok(())
    }
}

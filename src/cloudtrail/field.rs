//! One field of a record: absent, `null`, or what stands there, not decoded before it is asked for.

use std::borrow::Cow;

use super::cursor::Value;
use super::escapes::unescape;

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
    pub(super) fn of(value: Value<'a>) -> Self {
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

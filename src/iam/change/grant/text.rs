//! The text of a policy, read as JSON that says one thing.
//!
//! Of a name that stands twice in an object, parsers take the first or the last. Which of them a
//! service takes is told nowhere, so such a text is no policy here.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a text; `None` where it is no JSON, or has a name twice in one object, whatever its case.
pub(super) fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(|Once(value)| value)
}

/// A value in which no name stands twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON without a name that stands twice")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut names = BTreeSet::new();
        let mut read = Map::new();
        while let Some((name, Once(value))) = fields.next_entry::<String, Once>()? {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(A::Error::custom("a name stands twice"));
            }
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_type_is_read() {
        let text = r#"{"a":[null,true,7,-7,0.5,"é",{}],"b":{"a":""}}"#;
        assert_eq!(parse(text), serde_json::from_str(text).ok());
    }

    #[test]
    fn a_name_that_stands_twice_is_no_policy() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"Effect":1,"effect":2}}]"#, "{", "", "7 7"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse(r#"[{"a":{"b":1}},{"a":{"b":2}}]"#).is_some());
    }
}

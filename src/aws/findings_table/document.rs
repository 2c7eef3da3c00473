//! What serde writes, as DynamoDB's own types, so that an item can be read, and filtered, where it
//! lies.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// The value as an attribute.
pub(super) fn write(value: &impl Serialize) -> Result<AttributeValue, String> {
    serde_json::to_value(value).map(attribute).map_err(|error| error.to_string())
}

/// The value that an attribute holds.
pub(super) fn read<T: DeserializeOwned>(attribute: &AttributeValue) -> Result<T, String> {
    serde_json::from_value(value(attribute)?).map_err(|error| error.to_string())
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(bool) => AttributeValue::Bool(bool),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(members) => {
            let members: HashMap<_, _> =
                members.into_iter().map(|(name, value)| (name, attribute(value))).collect();
            AttributeValue::M(members)
        }
    }
}

fn value(attribute: &AttributeValue) -> Result<Value, String> {
    Ok(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(bool) => Value::Bool(*bool),
        AttributeValue::N(number) => Value::Number(self::number(number)?),
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::L(values) => Value::Array(values.iter().map(value).collect::<Result<_, _>>()?),
        AttributeValue::M(members) => {
            let members = members.iter().map(|(name, member)| Ok((name.clone(), value(member)?)));
            Value::Object(members.collect::<Result<Map<_, _>, String>>()?)
        }
        other => return Err(format!("an attribute of a type that is never written: {}", kind(other))),
    })
}

fn number(text: &str) -> Result<Number, String> {
    text.parse::<Number>().map_err(|error| format!("`{text}` is no number: {error}"))
}

/// The type of an attribute, for messages: never its content.
pub(super) fn kind(attribute: &AttributeValue) -> &'static str {
    match attribute {
        AttributeValue::B(_) => "binary",
        AttributeValue::Bool(_) => "boolean",
        AttributeValue::L(_) => "list",
        AttributeValue::M(_) => "map",
        AttributeValue::N(_) => "number",
        AttributeValue::Null(_) => "null",
        AttributeValue::S(_) => "string",
        AttributeValue::Bs(_) | AttributeValue::Ns(_) | AttributeValue::Ss(_) => "set",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".*", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_come_back_as_they_were(value in any_value()) {
            prop_assert_eq!(read::<Value>(&write(&value).unwrap()).unwrap(), value);
        }
    }
}

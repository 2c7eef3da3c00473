//! From what a search found to a request that can be put to `simulate`.

use jiff::Timestamp;

use super::bundle::Asked;
use super::clause::alias;
use super::solve::Found;
use super::space::Callers;
use crate::iam::catalogue::{self, ValueType};
use crate::iam::document::Condition;
use crate::iam::request::Values;
use crate::ids::Arn;

/// The request that was found, with every key as policies spell it.
pub fn asked<'c>(
    found: &Found,
    keys: &[&'c str],
    callers: &Callers,
    action: &str,
    conditions: impl Iterator<Item = &'c Condition> + Clone,
) -> Asked {
    let mut context: Vec<(String, Values)> = Vec::new();
    for (key, values) in keys.iter().zip(&found.keys) {
        let Some(values) = values else { continue };
        for (name, key) in spellings(key, conditions.clone()) {
            let values = shown(key, values);
            context.push((name, values));
        }
    }
    // A user's name is the end of its ARN.
    if let Some(name) = found.caller.split_once(":user/").and_then(|(_, path)| path.rsplit('/').next()) {
        let told = context.iter_mut().filter(|(key, _)| key.eq_ignore_ascii_case("aws:username"));
        told.for_each(|(_, values)| *values = Values::One(name.to_owned()));
    }
    let principal = callers.session_arn.clone().unwrap_or_else(|| found.caller.clone());
    Asked { action: action.to_owned(), resource: found.resource.clone(), principal, context }
}

/// Is the VPC of its id and of its ARN one, and its owner that of the endpoint?
pub fn is_one_vpc(found: &Found, keys: &[&str]) -> bool {
    let value = |key: &str| match keys.iter().zip(&found.keys).find(|(name, _)| **name == key) {
        Some((_, Some(Values::One(value)))) => Some(value.as_str()),
        _ => None,
    };
    let arn = value("aws:sourcevpcarn").and_then(Arn::parse);
    arn.is_none_or(|arn| {
        let is_owner = value("aws:vpceaccount").is_none_or(|owner| owner == arn.account);
        is_owner && value("aws:sourcevpc").is_none_or(|id| arn.resource.rsplit('/').next() == Some(id))
    })
}

/// The names under which policies ask for a key: of a time, both.
fn spellings<'k>(key: &'k str, conditions: impl Iterator<Item = &'k Condition>) -> Vec<(String, &'k str)> {
    let mut names: Vec<(String, &str)> = Vec::new();
    for condition in conditions.filter(|condition| alias(&condition.key) == key) {
        if !names.iter().any(|(_, known)| *known == condition.key) {
            names.push((catalogue::spelled(&condition.key_name), &condition.key));
        }
    }
    if names.is_empty() {
        names.push((catalogue::spelled(key), key));
    }
    names
}

/// A value as the key has it: numbers and times are billionths before.
fn shown(key: &str, values: &Values) -> Values {
    match catalogue::find_key(key).map(|found| found.key.value) {
        _ if alias(key) == "aws:currenttime" => time_as(key, values),
        Some(ValueType::Date) => time_as(key, values),
        Some(ValueType::Numeric) => number_as(values),
        _ => values.clone(),
    }
}

/// Billionths as a number.
fn number_as(values: &Values) -> Values {
    let Values::One(text) = values else { return values.clone() };
    let Ok(billionths) = text.parse::<u128>() else { return values.clone() };
    let (whole, rest) = (billionths / 1_000_000_000, billionths % 1_000_000_000);
    let fraction = format!("{rest:09}");
    Values::One(if rest == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{}", fraction.trim_end_matches('0'))
    })
}

/// Nanoseconds as the key has them: a date, or seconds.
fn time_as(key: &str, values: &Values) -> Values {
    let Values::One(text) = values else { return values.clone() };
    let Ok(nanoseconds) = text.parse::<i128>() else { return values.clone() };
    let seconds =
        nanoseconds.div_euclid(1_000_000_000) + i128::from(nanoseconds.rem_euclid(1_000_000_000) != 0);
    if key == "aws:epochtime" {
        return Values::One(seconds.to_string());
    }
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    Values::One(time.map_or_else(|| text.clone(), |time| time.to_string()))
}

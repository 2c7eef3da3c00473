//! Values of arguments: checked once, and known to the shells' completions.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use jiff::Timestamp;

use super::Failure;
use crate::audit::rule::Severity;
use crate::audit::rules::RULES;
use crate::findings::finding::Status;
use crate::iam::lint::LINTS;
use crate::ids;

/// A severity, in capitals or not.
pub fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name))
        .try_map(|name| Severity::parse(&name.to_ascii_lowercase()).ok_or("no severity"))
}

/// A status, in capitals or not.
pub fn status() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::name))
        .try_map(|name| Status::parse(&name.to_ascii_lowercase()).ok_or("no status"))
}

/// The name of a rule. Completions know them all; whether it is one, and which may have been meant,
/// the command says.
#[derive(Clone, Copy, Debug)]
pub struct RuleName {
    /// Lints have names too.
    pub or_lint: bool,
}

impl TypedValueParser for RuleName {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let lints = LINTS.into_iter().filter(|_| self.or_lint).map(|lint| lint.name);
        Some(Box::new(RULES.iter().map(|rule| rule.id).chain(lints).map(PossibleValue::new)))
    }
}

/// An account's id.
pub fn account(text: &str) -> Result<String, String> {
    if ids::is_account(text) { Ok(text.to_owned()) } else { Err("an account has twelve digits".to_owned()) }
}

/// A time: RFC 3339, or a date for its beginning in UTC.
pub fn time(text: &str) -> Result<Timestamp, String> {
    let midnight =
        || jiff::tz::Offset::UTC.to_timestamp(text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0)).ok();
    let example = "a time such as 2026-03-01T12:00:00Z, or a date such as 2026-03-01";
    text.parse().ok().or_else(midnight).ok_or_else(|| example.to_owned())
}

/// A stretch of time must not end before it begins.
pub fn in_order(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Failure> {
    match since.zip(until) {
        Some((since, until)) if since > until => {
            Err(Failure::Said(format!("--since {since} is later than --until {until}")))
        }
        Some(_) | None => Ok(()),
    }
}

//! Condition keys: their names, some with a variable part, and what their values are.

use serde::Deserialize;

/// A condition key.
#[derive(Debug, Deserialize)]
pub struct Key {
    /// As AWS writes it: `aws:SourceVpc`, `aws:PrincipalTag/${TagKey}`.
    pub name: &'static str,
    /// What one value is. It says which operators AWS means for the key, not which a policy may use: `aws:SourceVpcArn`
    /// is a string, and `aws:EpochTime`, a date here, is compared as a number as well.
    #[serde(rename = "type")]
    pub value: ValueType,
    /// A request may carry several values, so that a condition needs `ForAnyValue` or `ForAllValues`.
    pub multivalued: bool,
}

/// What a value of a key is.
///
/// Source: IAM user guide, "IAM JSON policy elements: Condition operators".
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Any text.
    String,
    /// An ARN, which has parts.
    Arn,
    /// `true` or `false`.
    Bool,
    /// A number.
    Numeric,
    /// A moment.
    Date,
    /// An address, IPv4 or IPv6.
    Ip,
    /// Bytes, in Base64.
    Binary,
}

/// Keys that only a request through an endpoint has: such a one has no `aws:SourceIp`.
///
/// Source: IAM user guide, "AWS global condition context keys".
pub const OF_ENDPOINTS: [&str; 7] = [
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
];

/// A key, as a condition names it.
#[derive(Clone, Copy, Debug)]
pub struct NamedKey<'a> {
    /// The key of the catalogue.
    pub key: &'static Key,
    /// What stands for its variable part, as it was written: `Team` in `aws:PrincipalTag/Team`.
    pub variable: Option<&'a str>,
}

impl Key {
    /// Is it one that no single service owns?
    pub fn is_global(&self) -> bool {
        super::global_keys().keys.iter().any(|key| key.name == self.name)
    }

    /// This key, if `name` names it.
    pub(super) fn named<'a>(&'static self, name: &'a str) -> Option<NamedKey<'a>> {
        let Some((fixed, _)) = self.name.split_once("${") else {
            return self.name.eq_ignore_ascii_case(name).then_some(NamedKey { key: self, variable: None });
        };
        let (begin, variable) = name.split_at_checked(fixed.len())?;
        let is_named = begin.eq_ignore_ascii_case(fixed) && !variable.is_empty();
        is_named.then_some(NamedKey { key: self, variable: Some(variable) })
    }
}

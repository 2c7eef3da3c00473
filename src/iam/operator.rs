//! The names of condition operators: `ForAnyValue:StringNotLikeIfExists` and what it is made of.
//!
//! Source: IAM user guide, "IAM JSON policy elements: Condition operators", "Set operators for
//! multivalued context keys".

use std::cmp::Ordering;

/// A condition operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Operator {
    /// What is compared, and how.
    pub test: Test,
    /// `…Not…`: true where no value of the policy fits, and where the request has no such key.
    pub negated: bool,
    /// `…IfExists`: true where the request has no such key.
    pub if_exists: bool,
    /// How the values of a multivalued key are taken together.
    pub set: Option<Set>,
}

/// How the values of a multivalued key are taken together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Set {
    /// `ForAllValues:`: each must pass; true where there is none.
    All,
    /// `ForAnyValue:`: one must pass; false where there is none.
    Any,
}

/// What is compared, and how; without negation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Test {
    /// `StringEquals`: exactly, letter by letter.
    Text,
    /// `StringEqualsIgnoreCase`.
    TextFolded,
    /// `StringLike`: with wildcards, over the whole text.
    Like,
    /// `ArnEquals` and `ArnLike`, which are one: part by part, with wildcards.
    Arn,
    /// `Numeric…`.
    Number(Comparison),
    /// `Date…`.
    Date(Comparison),
    /// `Bool`.
    Bool,
    /// `BinaryEquals`: bytes in base64.
    Binary,
    /// `IpAddress`: an address in a block.
    Address,
    /// `Null`: is the key absent?
    Null,
}

/// How numbers and dates are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Does a request's value that stands so to the policy's pass?
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equals => order.is_eq(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Every operator's name without prefix and suffix, its test, and whether it is negated.
const NAMES: [(&str, Test, bool); 27] = [
    ("StringEquals", Test::Text, false),
    ("StringNotEquals", Test::Text, true),
    ("StringEqualsIgnoreCase", Test::TextFolded, false),
    ("StringNotEqualsIgnoreCase", Test::TextFolded, true),
    ("StringLike", Test::Like, false),
    ("StringNotLike", Test::Like, true),
    ("NumericEquals", Test::Number(Comparison::Equals), false),
    ("NumericNotEquals", Test::Number(Comparison::Equals), true),
    ("NumericLessThan", Test::Number(Comparison::Less), false),
    ("NumericLessThanEquals", Test::Number(Comparison::LessOrEqual), false),
    ("NumericGreaterThan", Test::Number(Comparison::Greater), false),
    ("NumericGreaterThanEquals", Test::Number(Comparison::GreaterOrEqual), false),
    ("DateEquals", Test::Date(Comparison::Equals), false),
    ("DateNotEquals", Test::Date(Comparison::Equals), true),
    ("DateLessThan", Test::Date(Comparison::Less), false),
    ("DateLessThanEquals", Test::Date(Comparison::LessOrEqual), false),
    ("DateGreaterThan", Test::Date(Comparison::Greater), false),
    ("DateGreaterThanEquals", Test::Date(Comparison::GreaterOrEqual), false),
    ("Bool", Test::Bool, false),
    ("BinaryEquals", Test::Binary, false),
    ("IpAddress", Test::Address, false),
    ("NotIpAddress", Test::Address, true),
    ("ArnEquals", Test::Arn, false),
    ("ArnNotEquals", Test::Arn, true),
    ("ArnLike", Test::Arn, false),
    ("ArnNotLike", Test::Arn, true),
    ("Null", Test::Null, false),
];

impl Operator {
    /// Reads an operator's name.
    ///
    /// # Errors
    /// Where it is none, with the nearest that is. Case counts: IAM's own pages write names in one way
    /// alone, and do not say what becomes of others.
    pub fn parse(name: &str) -> Result<Self, String> {
        let (set, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Set::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
            Some(_) | None => (None, name),
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let found = NAMES.iter().find(|(known, ..)| *known == rest);
        let Some((_, test, negated)) = found else { return Err(unknown(name, rest)) };
        if *test == Test::Null && (set.is_some() || if_exists) {
            return Err(format!("`{name}`: `Null` takes neither a set prefix nor `IfExists`"));
        }
        Ok(Self { test: *test, negated: *negated, if_exists, set })
    }
}

fn unknown(name: &str, bare: &str) -> String {
    match nearest(bare, NAMES.iter().map(|(known, ..)| *known), 3) {
        Some(known) => format!("`{name}` is no condition operator: is `{known}` meant?"),
        None => format!("`{name}` is no condition operator"),
    }
}

/// The known name that is meant, where one is no more than so many slips away.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>, slips: usize) -> Option<&'k str> {
    let name = name.to_ascii_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &name);
    let (distance, near) = known.map(|known| (distance(known), known)).min()?;
    (distance <= slips).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_and_suffix_are_read() {
        let operator = Operator::parse("ForAnyValue:StringNotLikeIfExists").unwrap();
        assert_eq!(
            operator,
            Operator { test: Test::Like, negated: true, if_exists: true, set: Some(Set::Any) }
        );
        assert_eq!(Operator::parse("ArnEquals"), Operator::parse("ArnLike"));
        assert!(!Operator::parse("Bool").unwrap().negated);
    }

    #[test]
    fn what_is_no_operator_is_named() {
        let refused = |name: &str| Operator::parse(name).unwrap_err();
        insta::assert_snapshot!(refused("StringNotEqual"), @"`StringNotEqual` is no condition operator: is `StringNotEquals` meant?");
        insta::assert_snapshot!(refused("stringequals"), @"`stringequals` is no condition operator: is `StringEquals` meant?");
        insta::assert_snapshot!(refused("ForSomeValues:StringLike"), @"`ForSomeValues:StringLike` is no condition operator");
        insta::assert_snapshot!(refused("NullIfExists"), @"`NullIfExists`: `Null` takes neither a set prefix nor `IfExists`");
        insta::assert_snapshot!(refused(""), @"`` is no condition operator");
    }
}

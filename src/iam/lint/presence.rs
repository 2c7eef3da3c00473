//! What a condition asks of a key's being there at all.
//!
//! Source: IAM user guide, "IAM JSON policy elements: Condition operators" (missing keys, `IfExists`,
//! `Null`), "Set operators for multivalued context keys".

use crate::iam::document::Condition;
use crate::iam::operand::Operand;
use crate::iam::operator::{Set, Test};

/// It holds only where the request has the key.
pub fn needs_key(condition: &Condition) -> bool {
    let operator = condition.operator;
    match (operator.test, operator.set) {
        (Test::Null, _) => all_are(condition, false),
        (_, Some(Set::All)) => false,
        (_, Some(Set::Any)) => !operator.if_exists,
        (_, None) => !operator.if_exists && !operator.negated,
    }
}

/// It holds only where the request has no such key.
pub fn needs_no_key(condition: &Condition) -> bool {
    condition.operator.test == Test::Null && all_are(condition, true)
}

/// `Null` with one value or several, each of them that.
fn all_are(condition: &Condition, wanted: bool) -> bool {
    !condition.values.is_empty() && condition.values.iter().all(|value| *value == Operand::Bool(wanted))
}

/// Does it hold where the request has no such key? `None` where the documentation does not say.
pub fn without_key(condition: &Condition) -> Option<bool> {
    let operator = condition.operator;
    match (operator.test, operator.set) {
        (Test::Null, _) if condition.values.contains(&Operand::Bool(true)) => Some(true),
        (Test::Null, _) => all_are(condition, false).then_some(false),
        (_, Some(Set::All)) => Some(true),
        (_, Some(Set::Any)) => (!operator.if_exists).then_some(false),
        (_, None) => Some(operator.if_exists || operator.negated),
    }
}

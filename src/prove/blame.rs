//! Which statements let a request through: those that allow it, and those that would deny it but for one
//! condition.

use crate::glob;
use crate::iam::document::{Condition, Effect};
use crate::iam::evaluate::{Decision, Step};
use crate::iam::matching::Misses;
use crate::iam::operand::Operand;
use crate::iam::operator::Test;
use crate::iam::request::{Context, Values};

/// A statement, and what it has to do with a request that is allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blamed {
    pub policy: String,
    pub statement: String,
    /// In words, without a full stop.
    pub why: String,
}

/// The statements that let an allowed request through.
pub fn blamed(decision: &Decision<'_>, context: &Context) -> Vec<Blamed> {
    let allowing = decision.decided_by.iter().filter_map(|at| decision.steps.get(*at));
    let allowing = allowing.map(|step| of(step, "it allows the request".to_owned()));
    let passed = decision.steps.iter().filter(|step| step.statement.effect == Effect::Deny);
    let passed = passed.filter_map(|step| match step.matched.misses? {
        Misses::Condition(condition) => {
            Some(of(step, format!("it denies, but {}", passes(condition, context))))
        }
        Misses::Resource => Some(of(step, "it denies, but not this resource".to_owned())),
        Misses::Principal | Misses::Action => None,
    });
    allowing.chain(passed).collect()
}

fn of(step: &Step<'_>, why: String) -> Blamed {
    Blamed { policy: step.policy.name.clone(), statement: step.statement.label.clone(), why }
}

/// Why a condition does not hold.
fn passes(condition: &Condition, context: &Context) -> String {
    let Condition { operator_name, key_name, .. } = condition;
    let test = format!("`{operator_name}` on `{key_name}` does not hold");
    match context.get(&condition.key) {
        None => format!("{test}: the request has no such key"),
        Some(values) => {
            let value = match values {
                Values::One(value) => format!("`{value}`"),
                Values::Many(values) => format!("`{}`", values.join("`, `")),
            };
            let hint = if crosses(condition, values) {
                ": its `*` stands for colons and slashes too, which that of `ArnNotLike` does not"
            } else {
                ""
            };
            format!("{test} for {value}{hint}")
        }
    }
}

/// Does a text fit only because a wildcard crosses a part of the ARN?
fn crosses(condition: &Condition, values: &Values) -> bool {
    let Values::One(value) = values else { return false };
    let is_whole = |text: &String| text.matches(':').count() >= 5;
    let fits_by_parts = |text: &String| is_whole(text) && glob::fits_by_parts(text, value);
    condition.operator.test == Test::Like
        && condition.operator.negated
        && condition.values.iter().all(|value| matches!(value, Operand::Text(_)))
        && condition.texts.iter().all(|text| text.starts_with("arn:"))
        && !condition.texts.iter().any(fits_by_parts)
}

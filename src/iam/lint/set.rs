//! `ForAllValues`, `ForAnyValue`, and neither where one must be.

use super::presence::needs_key;
use super::reach::{self, may_carry};
use super::{Lint, Notes};
use crate::iam::catalogue;
use crate::iam::document::{Condition, Effect, Statement};
use crate::iam::operator::{Set, Test};

/// See its text.
pub const FOR_ALL_VALUES_VACUOUS: Lint = Lint {
    name: "for-all-values-vacuous",
    title: "`ForAllValues` holds for a request without the key",
    what: "`ForAllValues` asks that no value of the request be another than those listed. A request that does not have \
           the key has no such value, so the condition holds.",
    why: "An `Allow` that looks limited by the key lets requests through that do not have it at all: `dynamodb:Scan` has no \
          `dynamodb:LeadingKeys`, and reads every item. A `Deny` on a key of one value hits all requests without it.",
    remedy: "Beside it, in the same statement, ask for the key: `\"Null\": {\"dynamodb:LeadingKeys\": \"false\"}`. For a key of \
             one value, leave `ForAllValues:` away.",
    source: "IAM user guide, \"Set operators for multivalued context keys\"",
};

/// See its text.
pub const FOR_ANY_VALUE_NEGATED: Lint = Lint {
    name: "for-any-value-negated",
    title: "`ForAnyValue` takes from a negated operator that it holds without the key",
    what: "`StringNotEquals` and the other negated operators hold for a request that does not have the key. With \
           `ForAnyValue:` before them they do not: no value is there that could differ.",
    why: "A `Deny` of whatever does not come from our VPC, written so, does not deny a request from the internet: that has \
          no `aws:SourceVpc`.",
    remedy: "Leave `ForAnyValue:` away: the key has one value.",
    source: "IAM user guide, \"Set operators for multivalued context keys\"",
};

/// See its text.
pub const SET_OPERATOR_MISSING: Lint = Lint {
    name: "set-operator-missing",
    title: "A key of several values is compared without `ForAnyValue` or `ForAllValues`",
    what: "A request may carry several values of the key. How an operator without `ForAnyValue:` or `ForAllValues:` \
           compares with several is not documented.",
    why: "Whether the statement matches cannot be told, and so neither can whether it keeps the perimeter.",
    remedy: "Write `ForAnyValue:` where one value that fits is enough, and `ForAllValues:` where all must fit; with that, \
             in an `Allow`, `Null` as well, since it holds without any value.",
    source: "IAM user guide, \"Single-valued vs. multivalued context keys\"",
};

/// Keys that a request from elsewhere does not have, and by which origins are told apart.
const OF_ORIGIN: [&str; 8] = [
    "aws:principalorgid",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpcsourceip",
];

/// Keys that every request has, so that none passes for want of them.
const ALWAYS: [&str; 10] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:viaawsservice",
];

/// Actions that go to items by their keys, so that their requests name them.
const BY_KEY: [&str; 11] = [
    "BatchGetItem",
    "BatchWriteItem",
    "ConditionCheckItem",
    "DeleteItem",
    "GetItem",
    "PartiQLDelete",
    "PartiQLInsert",
    "PartiQLUpdate",
    "PutItem",
    "Query",
    "UpdateItem",
];

pub fn check(notes: &mut Notes<'_>) {
    let statement = notes.statement;
    for condition in statement.conditions.iter().filter(|condition| condition.operator.test != Test::Null) {
        let (operator, key) = (&condition.operator_name, &condition.key_name);
        let (span, set) = (&condition.span, condition.operator.set);
        if set.is_none() && is_multivalued(key) == Some(true) {
            let message = format!(
                "`{key}` has several values, and `{operator}` is for one: `ForAnyValue:` or `ForAllValues:` is missing"
            );
            notes.note(&SET_OPERATOR_MISSING, span, message);
        } else if set == Some(Set::All) && is_vacuous(statement, condition) {
            let does = match statement.effect {
                Effect::Allow => "allows",
                Effect::Deny => "denies",
            };
            let message = format!(
                "`{operator}` holds where the request has no `{key}`, so the statement {does} that as well"
            );
            notes.note(&FOR_ALL_VALUES_VACUOUS, span, message);
        } else if set == Some(Set::Any) && misses_absent(notes, condition) {
            let message =
                format!("a request without `{key}` passes this `Deny`: `{operator}` does not hold for it");
            notes.note(&FOR_ANY_VALUE_NEGATED, span, message);
        }
    }
}

fn is_multivalued(key: &str) -> Option<bool> {
    catalogue::find_key(key).map(|named| named.key.multivalued)
}

/// A positive test only: that no value is one of those listed is rightly said of none. `IfExists` says itself
/// that the key may be absent. Of keys that are not known here it is not known when they are.
fn is_vacuous(statement: &Statement, condition: &Condition) -> bool {
    let (operator, key) = (condition.operator, &condition.key);
    let may_be_meant = operator.negated || operator.if_exists || is_guarded(statement, key);
    if may_be_meant || ALWAYS.contains(&key.as_str()) {
        return false;
    }
    match (statement.effect, is_multivalued(key)) {
        (_, None) => false,
        (Effect::Allow, Some(_)) => may_be_absent(statement, key),
        // Of several values, a set that is empty may well be meant.
        (Effect::Deny, Some(is_multivalued)) => !is_multivalued,
    }
}

/// Another condition asks that the request have the key.
fn is_guarded(statement: &Statement, key: &str) -> bool {
    statement.conditions.iter().any(|other| other.key == *key && needs_key(other))
}

/// May a request that the statement allows lack the key, so that this opens something?
fn may_be_absent(statement: &Statement, key: &str) -> bool {
    let service = catalogue::dynamodb();
    let actions = reach::actions(statement, service);
    match key {
        // No tags but these, or none: so it is meant.
        "aws:tagkeys" => false,
        "dynamodb:leadingkeys" => actions.iter().any(|action| !BY_KEY.contains(&action.name)),
        // Whoever names no attributes reads all of them, unless `Select` is held to some.
        "dynamodb:attributes" => {
            let selects = statement.conditions.iter().any(|other| other.key == "dynamodb:select");
            !selects && actions.iter().any(|action| may_select(action.name))
        }
        // For these the reference does not tell when they are there.
        _ if key.starts_with("dynamodb:") => actions.iter().any(|action| !may_carry(service, action, key)),
        _ => true,
    }
}

fn may_select(action: &str) -> bool {
    matches!(action, "BatchGetItem" | "GetItem" | "PartiQLSelect" | "Query" | "Scan")
}

/// Does a `Deny` by origin not reach requests that do not have the key, and does no other of the policy?
fn misses_absent(notes: &Notes<'_>, condition: &Condition) -> bool {
    let key = &condition.key;
    let asks_for_it = |statement: &Statement| {
        statement.conditions.iter().any(|other| other.key == *key && other.operator.test == Test::Null)
    };
    notes.denies()
        && condition.operator.negated
        && !condition.operator.if_exists
        && OF_ORIGIN.contains(&key.as_str())
        && !notes.document.statements.iter().any(asks_for_it)
}

//! A `Deny` whose conditions cannot hold together.

use std::collections::HashSet;

use super::presence::{needs_key, needs_no_key};
use super::{Lint, Notes};
use crate::iam::catalogue::{self, OF_ENDPOINTS};
use crate::iam::document::{Condition, Element};
use crate::iam::operand::Operand;
use crate::iam::operator::{Set, Test};

/// See its text.
pub const DENY_NEVER_MATCHES: Lint = Lint {
    name: "deny-never-matches",
    title: "A `Deny` that no request matches",
    what: "All conditions of a statement must hold together. Some never do: a key that must be absent and is compared with a \
           value; a key of one value that must be two; `aws:SourceIp` beside `aws:SourceVpc`, which no request has both of; \
           an empty list of values, of actions or of resources.",
    why: "The statement denies nothing, so whatever it was to keep out is kept out by something else or not at all.",
    remedy: "Two ways in that are both to be denied are two statements. In a list of what is allowed (`StringNotEquals`, \
             `NotIpAddress`), each key stays a condition of its own.",
    source: "IAM user guide, \"IAM JSON policy elements: Condition\", \"AWS global condition context keys\"",
};

pub fn check(notes: &mut Notes<'_>) {
    if !notes.denies() {
        return;
    }
    let statement = notes.statement;
    for (name, is_empty, span) in [
        ("Action", is_none(&statement.actions), &statement.actions.span),
        ("Resource", is_none(&statement.resources), &statement.resources.span),
    ] {
        if is_empty {
            let message =
                format!("`{name}` lists none, so the statement matches nothing, and nothing is denied");
            return notes.note(&DENY_NEVER_MATCHES, span, message);
        }
    }
    let conditions = &statement.conditions;
    if let Some(empty) = conditions.iter().find(|condition| is_empty(condition)) {
        let message = format!(
            "`{}` on `{}` has no values, so it never holds, and nothing is denied",
            empty.operator_name, empty.key_name
        );
        return notes.note(&DENY_NEVER_MATCHES, &empty.span, message);
    }
    for (n, one) in conditions.iter().enumerate() {
        for before in conditions.iter().take(n) {
            if let Some(why) = clash(before, one).or_else(|| clash(one, before)) {
                let message = format!(
                    "`{}` on `{}` and `{}` on `{}` never hold together, so nothing is denied: {why}",
                    before.operator_name, before.key_name, one.operator_name, one.key_name
                );
                return notes.note(&DENY_NEVER_MATCHES, &one.span, message);
            }
        }
    }
}

/// A list of nothing; what is not in it is everything.
fn is_none<T>(element: &Element<T>) -> bool {
    !element.negated && element.items.is_empty()
}

/// A positive operator holds for one of its values, and there is none.
fn is_empty(condition: &Condition) -> bool {
    let operator = condition.operator;
    let is_positive = !operator.negated && !operator.if_exists && operator.set != Some(Set::All);
    condition.values.is_empty() && is_positive
}

/// Why two conditions never hold together.
fn clash(one: &Condition, other: &Condition) -> Option<&'static str> {
    if one.key == other.key && needs_no_key(one) && needs_key(other) {
        return Some("the key must be absent and present");
    }
    if one.key == "aws:sourceip"
        && OF_ENDPOINTS.contains(&other.key.as_str())
        && needs_key(one)
        && needs_key(other)
    {
        return Some("a request through an endpoint has no `aws:SourceIp`, and any other has nothing else");
    }
    if one.key != other.key || is_multivalued(one) {
        return None;
    }
    let (wanted, others) = (texts(one)?, texts(other)?);
    let is_asked = |condition: &Condition| needs_key(condition) && !condition.operator.negated;
    if is_asked(one) && is_asked(other) && wanted.is_disjoint(&others) {
        return Some("the key has one value, and no value is in both lists");
    }
    let refused = other.operator.negated && other.operator.set.is_none();
    (is_asked(one) && refused && wanted.is_subset(&others))
        .then_some("whatever the one asks for the other refuses")
}

/// A key that is not known may have several values.
fn is_multivalued(condition: &Condition) -> bool {
    catalogue::find_key(&condition.key_name).is_none_or(|named| named.key.multivalued)
}

/// The values, where they are compared letter by letter and all of them are plain text.
fn texts(condition: &Condition) -> Option<HashSet<&str>> {
    if condition.operator.test != Test::Text {
        return None;
    }
    condition.values.iter().map(literal).collect()
}

fn literal(value: &Operand) -> Option<&str> {
    match value {
        Operand::Text(template) => template.as_literal(),
        _ => None,
    }
}

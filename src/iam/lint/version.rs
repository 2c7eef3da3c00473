//! The version of the language, and what hangs on it.

use super::{Found, Lint, Notes, quoted};
use crate::iam::document::{Document, Version};
use crate::iam::operator::Test;
use crate::json::Span;

/// See its text.
pub const NO_VERSION: Lint = Lint {
    name: "no-version",
    title: "The policy does not say its version",
    what: "A policy without `Version` is of version 2008-10-17, which has no variables.",
    why: "It means the same as long as it has none. Whoever adds `${aws:PrincipalTag/team}` adds text that nothing is equal to.",
    remedy: "Begin it with `\"Version\": \"2012-10-17\"`.",
    source: "IAM user guide, \"IAM JSON policy elements: Version\"",
};

/// See its text.
pub const VARIABLE_IN_2008: Lint = Lint {
    name: "variable-in-2008",
    title: "In version 2008-10-17 a variable is text",
    what: "Version 2008-10-17, which a policy without `Version` has, knows no variables: `${aws:username}` is those \
           characters, dollar and braces too.",
    why: "No resource and no value of a request is that, so an `Allow` allows nothing, and a `Deny` of what is equal denies \
          nothing.",
    remedy: "Write `\"Version\": \"2012-10-17\"`.",
    source: "IAM user guide, \"IAM JSON policy elements: Version\", \"IAM policy elements: Variables and tags\"",
};

pub fn check_document(document: &Document, found: &mut Vec<Found>) {
    let is_told = found.iter().any(|one| one.lint.name == VARIABLE_IN_2008.name);
    if !document.has_version && !is_told {
        let message = "the policy has no `Version`, so it is of 2008-10-17, and without variables".to_owned();
        found.push(Found { lint: &NO_VERSION, span: document.span.clone(), statement: None, message });
    }
}

pub fn check_variables(notes: &mut Notes<'_>) {
    if notes.document.version == Version::New {
        return;
    }
    let statement = notes.statement;
    let resources = statement.resources.items.iter().map(|resource| (resource.text.as_str(), &resource.span));
    let compared = statement.conditions.iter().filter(|condition| {
        matches!(condition.operator.test, Test::Text | Test::TextFolded | Test::Like | Test::Arn)
    });
    let values =
        compared.flat_map(|condition| condition.texts.iter().map(String::as_str).zip(&condition.places));
    let mistaken: Vec<(&str, &Span)> =
        resources.chain(values).filter(|(text, _)| has_variable(text)).collect();
    for (text, span) in mistaken {
        let message = format!("{} is text in version 2008-10-17, not a variable", quoted(text));
        notes.note(&VARIABLE_IN_2008, span, message);
    }
}

/// `${…}` with a key in it, or an escape.
fn has_variable(text: &str) -> bool {
    text.split("${").skip(1).any(|part| {
        let inside = part.split_once('}').map(|(inside, _)| inside);
        inside.is_some_and(|inside| matches!(inside, "*" | "?" | "$") || inside.contains(':'))
    })
}

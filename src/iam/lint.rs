//! What IAM accepts in a policy and hardly anybody means.
//!
//! A lint is raised only where the documentation leaves no doubt: what may well be meant is let pass. It
//! changes no verdict, since the prover reads policies as they are written; it says why a verdict may be
//! another than its author expected. What AWS has added since the day of the catalogue is not known here.

mod contradiction;
mod key;
mod presence;
mod reach;
mod set;
mod target;
mod value;
mod version;
mod wildcard;

pub use key::unknown_key;
pub use target::unknown_action;

use super::document::{Document, Effect, Statement};
use crate::json::Span;

/// Something that is accepted and hardly meant; what `perimeter explain` says of it.
#[derive(Debug, Eq, PartialEq)]
pub struct Lint {
    /// Fixed; in small letters and hyphens.
    pub name: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What AWS makes of it.
    pub what: &'static str,
    /// What that does to the perimeter.
    pub why: &'static str,
    /// What to write in its place.
    pub remedy: &'static str,
    /// The page of AWS's documentation, by its name.
    pub source: &'static str,
}

/// A lint at one place of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    pub lint: &'static Lint,
    /// Where, in the text that the document was read from.
    pub span: Span,
    /// The statement, by its label; `None`: it is about the whole policy.
    pub statement: Option<String>,
    /// What is wrong there, in a sentence without its full stop.
    pub message: String,
}

/// Every lint, by name.
pub const LINTS: [&Lint; 16] = [
    &contradiction::DENY_NEVER_MATCHES,
    &set::FOR_ALL_VALUES_VACUOUS,
    &set::FOR_ANY_VALUE_NEGATED,
    &key::KEY_NEVER_PRESENT,
    &version::NO_VERSION,
    &target::NOT_PRINCIPAL_ALLOW,
    &value::PRIVATE_SOURCE_IP,
    &target::RESOURCE_OF_OTHER_SERVICE,
    &set::SET_OPERATOR_MISSING,
    &wildcard::STRING_LIKE_PRINCIPAL_ARN,
    &target::UNKNOWN_ACTION,
    &key::UNKNOWN_KEY,
    &value::UNREADABLE_VALUE,
    &version::VARIABLE_IN_2008,
    &wildcard::WILDCARD_IN_EQUALS,
    &wildcard::WILDCARD_IN_SERVICE,
];

/// The lint of that name.
pub fn find(name: &str) -> Option<&'static Lint> {
    LINTS.into_iter().find(|lint| lint.name == name)
}

/// All that is found in a document, in the order of its text.
pub fn of(document: &Document) -> Vec<Found> {
    let mut found = Vec::new();
    for statement in &document.statements {
        let mut notes = Notes { document, statement, found: &mut found };
        target::check(&mut notes);
        set::check(&mut notes);
        key::check(&mut notes);
        wildcard::check(&mut notes);
        value::check(&mut notes);
        contradiction::check(&mut notes);
        version::check_variables(&mut notes);
    }
    version::check_document(document, &mut found);
    found.sort_by_key(|one| one.span.start);
    found
}

/// What is found in one statement.
struct Notes<'n> {
    document: &'n Document,
    statement: &'n Statement,
    found: &'n mut Vec<Found>,
}

impl<'n> Notes<'n> {
    fn note(&mut self, lint: &'static Lint, span: &Span, message: String) {
        let statement = Some(self.statement.label.clone());
        self.found.push(Found { lint, span: span.clone(), statement, message });
    }

    fn denies(&self) -> bool {
        self.statement.effect == Effect::Deny
    }
}

/// How much of a text is quoted in a message.
const QUOTED: usize = 80;

/// A text in backticks, cut where it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests;

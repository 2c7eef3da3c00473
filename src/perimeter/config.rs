//! perimeter.toml: its text, to a checked [`Perimeter`].
//!
//! Everything that is wrong is named at once, with its place and what would mend it; a file with an
//! error gives no perimeter. Settings that can be used and open more than their author may think are
//! warnings. What is checked is the file alone: that an account, a VPC or a role of that name exists
//! nobody knows here, nor what time it is, so a window that is over goes through.
//!
//! Stages: `encoding` makes bytes a text of bounded size, `node` makes a tree of values with their places, `read` takes tables apart and collects
//! what is wrong, `value` checks one value, `risk` judges one setting, and `network`, `exceptions`
//! and `settings` put the sections together. Only `node` and `syntax` know TOML's text: the same keys as
//! an object in a bundle's JSON make the same tree.

mod diagnostic;
mod drawing;
mod encoding;
mod exceptions;
mod network;
mod node;
mod read;
mod risk;
mod settings;
mod syntax;
mod value;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Level, Omitted, Related};
pub use encoding::decode;

use super::Perimeter;
use crate::json;
use node::Node;
use read::Diagnostics;

/// The longest perimeter.toml that is read, in bytes: some thirty thousand endpoints. It is checked
/// whole and in memory, with the place of every value.
pub const MAX_BYTES: usize = 4 << 20;

/// A perimeter.toml that can be used.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub perimeter: Perimeter,
    /// In the order of the file; a thousand at most.
    pub warnings: Vec<Diagnostic>,
    /// Warnings beyond those.
    pub omitted: Omitted,
}

/// Why a perimeter.toml cannot be used: every error, in the order of the file, and never none.
/// Where the text is no TOML it is what is wrong with that alone, and of a thousand errors and more it
/// is a thousand.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", summary(.errors, .omitted.found))]
pub struct ConfigErrors {
    pub errors: Vec<Diagnostic>,
    /// Errors beyond those.
    pub omitted: Omitted,
}

impl From<Diagnostic> for ConfigErrors {
    fn from(only: Diagnostic) -> Self {
        Self { errors: vec![only], omitted: Omitted::default() }
    }
}

fn summary(errors: &[Diagnostic], omitted: usize) -> String {
    match errors {
        [] => "the perimeter cannot be read".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len() + omitted),
    }
}

/// Reads the text of a perimeter.toml.
///
/// # Errors
/// [`ConfigErrors`], with all that is wrong; and where the text is longer than [`MAX_BYTES`].
pub fn parse(text: &str) -> Result<Parsed, ConfigErrors> {
    encoding::bounded(text.len())?;
    let checked = match node::from_toml(text) {
        Ok(root) => check(&root),
        Err(errors) => (Perimeter::default(), errors),
    };
    parsed(checked, text)
}

/// Reads a perimeter that stands as an object in a larger text, `text`, with the keys of perimeter.toml.
///
/// # Errors
/// As [`parse`].
pub fn of_json(object: &json::Node, text: &str) -> Result<Parsed, ConfigErrors> {
    parsed(check(&node::from_json(object)), text)
}

fn parsed((perimeter, mut found): (Perimeter, Diagnostics), text: &str) -> Result<Parsed, ConfigErrors> {
    diagnostic::place(&mut found.errors, text);
    diagnostic::place(&mut found.warnings, text);
    if found.errors.is_empty() {
        Ok(Parsed { perimeter, warnings: found.warnings, omitted: found.omitted_warnings })
    } else {
        Err(ConfigErrors { errors: found.errors, omitted: found.omitted_errors })
    }
}

/// Checks the tree. What comes out is a perimeter only where no error was found.
fn check(root: &Node) -> (Perimeter, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let found = &mut diagnostics;
    let top = &found.table(root, read::TOP);
    network::version(top, found);
    let mut perimeter = Perimeter {
        organization: network::organization(top, found),
        management_account: network::management_account(top, found),
        ..Perimeter::default()
    };
    network::environments(top, &mut perimeter, found);
    let approved = network::vpcs(top, &mut perimeter, found);
    perimeter.endpoints = network::endpoints(top, &approved, found);
    perimeter.transit = exceptions::transit(top, found);
    perimeter.trusted = exceptions::trusted(top, found);
    perimeter.break_glass = exceptions::break_glass(top, &perimeter, found);
    perimeter.services = exceptions::services(top, found);
    perimeter.suppressions = exceptions::suppressions(top, found);
    perimeter.product = settings::product(top, &perimeter, found);
    perimeter.prove = settings::prove(top, found);
    perimeter.rules = settings::rule_settings(top, found);
    (perimeter, diagnostics)
}

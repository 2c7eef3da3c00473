//! perimeter.toml: its text, to a checked [`Perimeter`].
//!
//! Everything that is wrong is named at once, with its place and what would mend it; a file with an
//! error gives no perimeter. Settings that can be used and open more than their author may think are
//! warnings. What is checked is the file alone: that an account, a VPC or a role of that name exists
//! nobody knows here, nor what time it is, so a window that is over goes through.
//!
//! Stages: `node` makes a tree of values with their places, `read` takes tables apart and collects
//! what is wrong, `value` checks one value, `risk` judges one setting, and `network`, `exceptions`
//! and `settings` put the sections together. Only `node` knows TOML's text, so that the same keys as
//! an object in a bundle need a second way to make the tree and nothing else.

mod diagnostic;
mod exceptions;
mod network;
mod node;
mod read;
mod risk;
mod settings;
mod value;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Level, Related};

use super::Perimeter;
use node::Node;
use read::Diagnostics;

/// A perimeter.toml that can be used.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub perimeter: Perimeter,
    /// In the order of the file; a thousand at most.
    pub warnings: Vec<Diagnostic>,
}

/// Why a perimeter.toml cannot be used: every error, in the order of the file, and never none.
/// Where the text is no TOML it is the first place alone, and of a thousand errors and more it is a
/// thousand.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", summary(.0))]
pub struct ConfigErrors(pub Vec<Diagnostic>);

fn summary(errors: &[Diagnostic]) -> String {
    match errors {
        [] => "the perimeter cannot be read".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// Reads the text of a perimeter.toml.
///
/// # Errors
/// [`ConfigErrors`], with all that is wrong.
pub fn parse(text: &str) -> Result<Parsed, ConfigErrors> {
    let (perimeter, mut found) = match node::from_toml(text) {
        Ok(root) => check(&root),
        Err(ConfigErrors(errors)) => (Perimeter::default(), Diagnostics { errors, warnings: Vec::new() }),
    };
    diagnostic::place(&mut found.errors, text);
    diagnostic::place(&mut found.warnings, text);
    if found.errors.is_empty() {
        Ok(Parsed { perimeter, warnings: found.warnings })
    } else {
        Err(ConfigErrors(found.errors))
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
    network::vpcs(top, &mut perimeter, found);
    perimeter.endpoints = network::endpoints(top, found);
    perimeter.transit = exceptions::transit(top, found);
    perimeter.trusted = exceptions::trusted(top, found);
    perimeter.break_glass = exceptions::break_glass(top, &perimeter, found);
    perimeter.services = exceptions::services(top, found);
    perimeter.suppressions = exceptions::suppressions(top, found);
    perimeter.product = settings::product(top, found);
    perimeter.prove = settings::prove(top, found);
    perimeter.rules = settings::rule_settings(top, found);
    (perimeter, diagnostics)
}

//! Lints of policies, as they are read.

use std::io::{self, Write};

use serde::Serialize;

use super::paint::{DIM, Paint, WARN};
use super::plain_line;
use super::prose::wrap;
use super::short::counted;
use crate::cli::output::Output;
use crate::prove::lint::Placed;

/// A lint, as JSON has it.
#[derive(Serialize)]
pub struct Shown {
    name: &'static str,
    bundle: String,
    policy: String,
    statement: Option<String>,
    line: usize,
    column: usize,
    /// In a policy that the bundle holds as text, its own line and column.
    within: Option<Within>,
    message: String,
}

#[derive(Serialize)]
struct Within {
    line: usize,
    column: usize,
}

impl Shown {
    /// As interface.md has it.
    pub fn of(bundle: &str, placed: Placed) -> Self {
        let Placed { lint, line, column, within, policy, statement, message } = placed;
        let within = within.map(|(line, column)| Within { line, column });
        Self { name: lint.name, bundle: bundle.to_owned(), policy, statement, line, column, within, message }
    }
}

/// Writes the lints of one bundle for reading; nothing where there are none.
pub fn text(out: &mut Output, bundle: &str, lints: &[Placed]) -> io::Result<()> {
    if lints.is_empty() {
        return Ok(());
    }
    let paint = Paint { color: out.color };
    writeln!(out, "\n  {}:", counted(lints.len() as u64, "lint", "lints"))?;
    for placed in lints {
        one(out, paint, bundle, placed)?;
    }
    let names = "`perimeter explain NAME` says more of one";
    writeln!(out, "\n  {}", paint.text(DIM, names))
}

fn one(out: &mut Output, paint: Paint, bundle: &str, placed: &Placed) -> io::Result<()> {
    let within = placed.within.map(|(line, column)| format!(", line {line}, column {column} of its text"));
    let statement = placed.statement.as_ref().map(|label| format!(", statement `{label}`"));
    let (within, statement) = (within.unwrap_or_default(), statement.unwrap_or_default());
    let said = format!("policy `{}`{within}{statement}: {}", placed.policy, placed.message);
    let (place, name) =
        (plain_line(&format!("{bundle}:{}:{}:", placed.line, placed.column)), placed.lint.name);
    let head = format!("{place} {name}:");
    let lines = wrap(&format!("{head} {}", plain_line(&said)), out.width.saturating_sub(6));
    for (n, line) in lines.iter().enumerate() {
        // Painted once it is wrapped, since colours have no width; a head that is broken stays plain.
        let line = match line.strip_prefix(&head) {
            Some(rest) if n == 0 => {
                format!("{} {}:{rest}", paint.text(DIM, &place), paint.text(WARN, name))
            }
            Some(_) | None => line.clone(),
        };
        writeln!(out, "    {} {line}", if n == 0 { "-" } else { " " })?;
    }
    Ok(())
}

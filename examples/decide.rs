//! What `scripts/differential-peer` compares with an evaluator that others wrote: reads bundles with a
//! `request` from standard input, one a line, and writes what is decided, one line each:
//!
//! - `allow`, `explicit_deny` or `implicit_deny`;
//! - behind a space, the other outcome, where the documentation leaves open which of the two it is (also
//!   of the two denials, which to the library are one);
//! - `error` and why, where the bundle or its request cannot be used.
//!
//! The perimeter is the bundle's own.

use std::error::Error;
use std::io::{self, BufRead, BufWriter, Write};

use dynamodb_perimeter::iam::document::Effect;
use dynamodb_perimeter::iam::evaluate::{Decision, Outcome};
use dynamodb_perimeter::iam::reading::Reading;
use dynamodb_perimeter::prove::bundle::Bundle;
use dynamodb_perimeter::prove::simulate::simulate;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", decided(&line?))?;
    }
    Ok(out.flush()?)
}

fn decided(line: &str) -> String {
    let bundle = match Bundle::parse(line) {
        Ok(bundle) => bundle,
        Err(errors) => {
            return format!("error {}", errors.first().map_or_else(String::new, ToString::to_string));
        }
    };
    let perimeter = bundle.perimeter.clone().unwrap_or_default();
    match simulate(&bundle, &perimeter) {
        Ok((_, decision)) => match decision.otherwise.or_else(|| other_denial(&decision)) {
            Some(otherwise) => format!("{} {}", decision.outcome.name(), otherwise.name()),
            None => decision.outcome.name().to_owned(),
        },
        Err(error) => format!("error {error}"),
    }
}

/// A request that nothing allows is denied explicitly if a `Deny` matches of which that is open.
fn other_denial(decision: &Decision<'_>) -> Option<Outcome> {
    let is_open = |effect, reading| effect == Effect::Deny && matches!(reading, Reading::Unclear(_));
    let open = decision.steps.iter().any(|step| is_open(step.statement.effect, step.matched.reading));
    (decision.outcome == Outcome::ImplicitDeny && open).then_some(Outcome::ExplicitDeny)
}

//! `perimeter simulate`: is one request allowed, and by which statement?

use std::path::PathBuf;

use clap::Args;

use super::output::Output;
use super::view::{json, proof};
use super::{Common, Done, Ending, Failure, Format};
use crate::prove::lint::slips;
use crate::prove::notes;
use crate::prove::simulate::{entry_of, simulate};

/// Arguments of `simulate`.
#[derive(Args, Debug)]
pub struct Simulate {
    /// A bundle of policies with a `request`, in JSON; `-` for standard input
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
}

impl Simulate {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let named = common.bundle(&self.bundle)?;
        let perimeter = common.perimeter_of(&named.bundle)?;
        let mut out = Output::open(common)?;
        let (_, decision) = simulate(&named.bundle, &perimeter)
            .map_err(|error| Failure::Said(format!("{}: {error}", named.name)))?;
        let notes = named.bundle.request.as_ref().map(|asked| {
            slips(asked).into_iter().for_each(|slip| common.remark(&format!("{}: {slip}", named.name)));
            notes::unsaid(&named.bundle, entry_of(&named.bundle, &asked.principal), asked)
        });
        let shown = proof::Decided::of(&decision, notes.unwrap_or_default());
        match common.format {
            Format::Text => proof::decision(&mut out, &shown)?,
            Format::Json => json::pretty(&mut out, &shown)?,
            Format::Ndjson => json::line(&mut out, &shown)?,
            Format::Csv => proof::steps(&mut out, &shown)?,
        }
        out.finish()?;
        Ok(Ending::Clean)
    }
}

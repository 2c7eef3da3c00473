//! `perimeter sweep`: every table against every principal, as things stand.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::output::Output;
use super::settings::read_snapshot;
use super::view::{json, sweep as view};
use super::{Common, Done, Ending, Format};
use crate::reach::sweep::Sweep as Question;

/// Arguments of `sweep`.
#[derive(Args, Debug)]
pub struct Sweep {
    /// What stands
    #[arg(long, value_name = "FILE")]
    snapshot: PathBuf,
}

impl Sweep {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let settings = common.settings()?;
        common.draw_warnings(&settings);
        let snapshot = read_snapshot(&self.snapshot)?;
        let mut out = Output::open(common)?;
        let (state, perimeter) = (&snapshot.state, &settings.perimeter);
        let swept = Question { state, perimeter, now: Timestamp::now(), threads: common.threads() }.run();
        let shown = view::Shown::of(&swept, snapshot.taken_at);
        match common.format {
            Format::Text => view::text(&mut out, &shown)?,
            Format::Json => json::pretty(&mut out, &shown)?,
            Format::Ndjson => shown.opened.iter().try_for_each(|way| json::line(&mut out, way))?,
            Format::Csv => view::csv(&mut out, &shown)?,
        }
        out.finish()?;
        Ok(match (swept.untold.is_empty(), swept.opened.is_empty()) {
            (false, _) => Ending::Incomplete,
            (true, false) => Ending::Findings,
            (true, true) => Ending::Clean,
        })
    }
}

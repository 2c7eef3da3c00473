//! `perimeter sweep`: every table against every principal, as things stand.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::output::{Output, Used};
use super::progress::Spinner;
use super::settings::{Settings, parse_snapshot, read_snapshot};
use super::view::{json, sweep as view};
use super::{Common, Done, Ending, Failure, Format, runtime};
use crate::aws::collect::{self, AUDIT_ROLE, Collected, Collector, Plan, ServiceUrls};
use crate::iam::state::snapshot::{Snapshot, Unread};
use crate::reach::sweep::Sweep as Question;

/// Arguments of `sweep`.
#[derive(Args, Debug)]
pub struct Sweep {
    /// What stands [default: it is read from AWS, with the credentials at hand]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audit_role", "save"])]
    snapshot: Option<PathBuf>,
    /// The role that is assumed in each account of the perimeter, with its path if it has one
    #[arg(long, value_name = "NAME", default_value = AUDIT_ROLE)]
    audit_role: String,
    /// A region to read tables and endpoints of, beside those that the perimeter names; may be repeated
    #[arg(long = "region", value_name = "REGION", env = "PERIMETER_REGIONS", value_delimiter = ',')]
    regions: Vec<String>,
    /// Write what was read there, for --snapshot
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

impl Sweep {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let settings = common.settings()?;
        common.draw_warnings(&settings);
        let saved = self.save.iter().map(|path| Used { path: path.clone(), what: "the file of --save" });
        let mut out = Output::open_apart(common, saved.collect())?;
        let snapshot = match &self.snapshot {
            Some(path) => read_snapshot(path)?,
            None => self.live(common, &settings)?,
        };
        let (state, perimeter) = (&snapshot.state, &settings.perimeter);
        let swept = Question { state, perimeter, now: Timestamp::now(), threads: common.threads() }.run();
        let shown = view::Shown::of(&swept, &snapshot);
        match common.format {
            Format::Text => view::text(&mut out, &shown)?,
            Format::Json => json::pretty(&mut out, &shown)?,
            Format::Ndjson => shown.opened.iter().try_for_each(|way| json::line(&mut out, way))?,
            Format::Csv => view::csv(&mut out, &shown)?,
        }
        out.finish()?;
        if matches!(common.format, Format::Ndjson | Format::Csv) {
            // What is a line for each way in has no room for it.
            let said = |Unread { what, why }: &Unread| common.fault(&format!("not read: {what}: {why}"));
            snapshot.unread.iter().for_each(said);
        }
        let is_told = swept.untold.is_empty() && snapshot.unread.is_empty();
        Ok(match (is_told, swept.opened.is_empty()) {
            (false, _) => Ending::Incomplete,
            (true, false) => Ending::Findings,
            (true, true) => Ending::Clean,
        })
    }

    /// Reads what stands, and keeps it where `--save` says: what is judged is what would be read from there.
    fn live(&self, common: &Common, settings: &Settings) -> Result<Snapshot, Failure> {
        let failed = |why: String| Failure::Said(format!("what stands cannot be read: {why}"));
        let plan = Plan::new(&settings.perimeter, &self.audit_role, &self.regions);
        let plan = plan.map_err(|error| failed(error.to_string()))?;
        // What cannot be written is said before anything is read.
        let saved = self.save.as_ref().map(|path| Output::open_file(common, path, Vec::new())).transpose()?;
        let spinner = Spinner::start(common);
        let collected = runtime()?.block_on(async {
            let collector = Collector::new(collect::config_at_hand().await, ServiceUrls::default(), plan);
            collector.collect(Timestamp::now(), &|text| spinner.tell(text)).await
        });
        spinner.finish();
        let Collected { snapshot, remarks, regions, .. } =
            collected.map_err(|error| failed(error.to_string()))?;
        remarks.iter().for_each(|remark| common.remark(remark));
        common.remark(&format!("tables and endpoints were looked for in {}", regions.join(", ")));
        let text = snapshot.to_string().into_bytes();
        if let Some(mut saved) = saved {
            saved.write_all(&text)?;
            saved.finish()?;
        }
        parse_snapshot(&text).map_err(failed)
    }
}

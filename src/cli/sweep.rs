//! `perimeter sweep`: every table against every principal, as things stand.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::output::{Output, Used, store_files};
use super::progress::Spinner;
use super::settings::{Settings, read_file};
use super::view::{json, sweep as view};
use super::{Common, Done, Ending, Failure, Format, runtime};
use crate::aws::collect::{self, AUDIT_ROLE, Collected, Collector, Plan, ServiceUrls};
use crate::aws::store_url::StoreUrl;
use crate::findings::store::StoreError;
use crate::gzip;
use crate::iam::state::snapshot::{Snapshot, Unread};
use crate::pipeline::Auditor;
use crate::reach::sweep::Sweep as Question;
use crate::watch::judge::Watcher;
use crate::watch::sweep::{Report, Sweeping};

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
        let url = common.store_url(&settings)?;
        let mut out = Output::open_apart(common, store_files(&url).into_iter().chain(saved).collect())?;
        let bytes = match &self.snapshot {
            Some(path) => read_file(path)?,
            None => self.live(common, &settings)?,
        };
        let parsed = Snapshot::unpack(&bytes).map_err(|error| error.to_string());
        let snapshot = parsed.map_err(|why| match &self.snapshot {
            Some(path) => Failure::Said(format!("--snapshot {}: {why}", path.display())),
            None => Failure::Said(format!("what stands cannot be read: {why}")),
        })?;
        let report = kept(common, &settings, &url, (&snapshot, &bytes))?;
        report.damaged.iter().for_each(|error| common.fault(&error.to_string()));
        let shown = view::Shown::of(&report, &snapshot);
        match common.format {
            Format::Text => view::text(&mut out, &shown)?,
            Format::Json => json::pretty(&mut out, &shown)?,
            Format::Ndjson => {
                shown.opened.iter().try_for_each(|way| json::line(&mut out, &view::way(way)))?
            }
            Format::Csv => view::csv(&mut out, &shown)?,
        }
        out.finish()?;
        if matches!(common.format, Format::Ndjson | Format::Csv) {
            // What is a line for each way in has no room for it.
            let said = |Unread { what, why }: &Unread| common.fault(&format!("not read: {what}: {why}"));
            snapshot.unread.iter().for_each(said);
        }
        let Report { swept, damaged, .. } = &report;
        let is_told = swept.untold.is_empty() && snapshot.unread.is_empty() && damaged.is_empty();
        Ok(match (is_told, swept.opened.is_empty()) {
            (false, _) => Ending::Incomplete,
            (true, false) => Ending::Findings,
            (true, true) => Ending::Clean,
        })
    }

    /// Reads what stands, and keeps it where `--save` says: what is judged is what would be read from there.
    fn live(&self, common: &Common, settings: &Settings) -> Result<Vec<u8>, Failure> {
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
        Ok(text)
    }
}

/// Proves what stands, and keeps what that shows, where there is a store and nothing stands in the way.
fn kept(
    common: &Common,
    settings: &Settings,
    url: &StoreUrl,
    (snapshot, bytes): (&Snapshot, &[u8]),
) -> Result<Report, Failure> {
    let (perimeter, now, threads) = (&settings.perimeter, Timestamp::now(), common.threads());
    let only_proven = || {
        let swept = Question { state: &snapshot.state, perimeter, now, threads }.run();
        Ok(Report { swept, ..Report::default() })
    };
    let runtime = runtime()?;
    let Some(store) = runtime.block_on(common.open(url))? else { return only_proven() };
    let Some(taken_at) = snapshot.taken_at else {
        common.remark("nothing is kept: the snapshot does not say when it was taken (`taken_at`)");
        return only_proven();
    };
    let auditor = Auditor::new(perimeter, &settings.inventory).for_store().for_journal();
    let watcher = Watcher { store: &store, auditor: &auditor, now };
    let packed = if bytes.starts_with(b"{") { gzip::pack(bytes) } else { bytes.to_vec() };
    let sweeping = Sweeping { perimeter, snapshot, taken_at, packed, threads };
    match runtime.block_on(watcher.sweep(sweeping)) {
        Err(StoreError::Refused(why)) => {
            common.remark(&format!("nothing is kept: {why}"));
            only_proven()
        }
        other => Ok(other?),
    }
}

//! `perimeter scan`: audits CloudTrail logs.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;

use super::arguments::{account, in_order, severity, time};
use super::gathered::{Gathered, Outcome};
use super::input::{Input, Inputs, Missing};
use super::output::{Output, store_files};
use super::progress::Progress;
use super::settings::{Settings, read_snapshot};
use super::view::counted;
use super::view::records::RecordWriter;
use super::view::summary::{Summary, Unreadable};
use super::{Common, Done, Ending, Failure, Format, runtime, view};
use crate::audit::rule::Severity;
use crate::aws::s3_tree::Tree;
use crate::aws::store_url::StoreUrl;
use crate::cloudtrail::archive::Reader;
use crate::cloudtrail::cursor::Cause;
use crate::cloudtrail::elements::Fault;
use crate::findings::store::FindingStore;
use crate::perimeter::session::Caller;
use crate::pipeline::{Audited, Auditor, Tally};

/// Arguments of `scan`.
#[derive(Args, Debug)]
pub struct Scan {
    /// Files, folders, globs, s3://bucket/prefix, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<OsString>,
    /// Print every record with its verdict, in the order of the input, and not the findings
    #[arg(long)]
    records: bool,
    /// Exit with 1 where a finding is at least this severe
    #[arg(long, value_name = "SEVERITY", value_parser = severity(), ignore_case = true)]
    fail_on: Option<Severity>,
    /// What stood before the first record: changes are judged by what they do to that, and calls are held against it
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Of s3:// trees, only files delivered since this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Of s3:// trees, only files of records before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Of s3:// trees, only these accounts
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Vec<String>,
    /// Of s3:// trees, only these regions
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
}

impl Scan {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let began = Instant::now();
        in_order(self.since, self.until)?;
        let runtime = runtime()?;
        let mut settings = common.settings()?;
        common.draw_warnings(&settings);
        let snapshot = self.snapshot.as_deref().map(read_snapshot).transpose()?;
        let url = common.store_url(&settings)?;
        let mut out = Output::open_apart(common, store_files(&url))?;
        let inputs = self.inputs(&runtime, out.target())?;
        let store = runtime.block_on(common.open(&url))?;
        if let Some(store) = &store {
            runtime.block_on(settings.learn_store(store))?;
        }
        self.tell(common, &settings, &url);
        let halves = |shared: &str| -> Option<Caller> {
            // What the store cannot say now is settled when the findings are recorded.
            store.as_ref().and_then(|store| runtime.block_on(store.half(shared)).ok().flatten())
        };
        let mut auditor = Auditor::new(&settings.perimeter, &settings.inventory).with_halves(&halves);
        if store.is_some() {
            auditor = auditor.for_store();
        }
        if snapshot.is_some() {
            auditor = auditor.for_proofs();
        }
        let gathered = Mutex::new(Gathered::new(store.as_ref(), &auditor, &runtime));
        let progress = Progress::start(common, &self.paths, self.records);
        let (inputs, written) = self.read(common, &auditor, inputs, &gathered, &progress, &mut out);
        progress.finish();
        let read_in = began.elapsed();
        let gathered = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
        let outcome = gathered.finish(&settings, snapshot);
        // What was found until then is kept.
        written?;
        common.detail(&format!(
            "read in {} ms, findings kept and settled in {} ms",
            read_in.as_millis(),
            (began.elapsed() - read_in).as_millis()
        ));
        tell_empty(common, inputs.empty(), &outcome.empty);
        let skipped = inputs.skipped();
        let mut report = Report { outcome, skipped, settings: &settings, store: &url, began };
        report.print(self, common, &mut out)?;
        if inputs.met_result() {
            return Err(Failure::Said("--output names a file of the input: nothing is written to it".into()));
        }
        out.finish()?;
        Ok(report.ending(self.fail_on))
    }

    /// Says what the scan runs with, and which of its options come to nothing.
    fn tell(&self, common: &Common, settings: &Settings, url: &StoreUrl) {
        let perimeter = &settings.perimeter;
        common.detail(&format!(
            "configuration {}: {}, {}",
            settings.path.display(),
            counted(perimeter.accounts.len() as u64, "account", "accounts"),
            counted(perimeter.vpcs.len() as u64, "approved VPC", "approved VPCs"),
        ));
        common.detail(&format!("store {url}"));
        let endpoints = settings.inventory.endpoints().count() as u64;
        common.detail(&format!("{} known", counted(endpoints, "endpoint", "endpoints")));
        common.detail(&counted(common.threads() as u64, "thread", "threads"));
        let cuts = [
            ("--since", self.since.is_some()),
            ("--until", self.until.is_some()),
            ("--account", !self.account.is_empty()),
            ("--region", !self.region.is_empty()),
        ];
        let given: Vec<&str> = cuts.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        let local = self.paths.iter().find(|path| s3_tree(path).is_none());
        if let (Some(local), false) = (local, given.is_empty()) {
            let (given, local) = (given.join(", "), local.to_string_lossy());
            common.remark(&format!("only s3:// trees are cut by {given}: `{local}` is read whole"));
        }
    }

    fn inputs(&self, runtime: &tokio::runtime::Runtime, result: Option<&Path>) -> Result<Inputs, Failure> {
        let mut inputs = Inputs::apart_from(result);
        for path in &self.paths {
            let Some(rest) = s3_tree(path) else {
                inputs.ask(path)?;
                continue;
            };
            let name = path.to_string_lossy();
            match Tree::parse(rest) {
                Ok(tree) => {
                    let tree = Tree {
                        accounts: self.account.clone(),
                        regions: self.region.clone(),
                        since: self.since,
                        until: self.until,
                        ..tree
                    };
                    inputs.ask_objects(&name, tree.objects(runtime.handle()));
                }
                Err(error) => {
                    inputs.ask_in_vain(Missing { name: name.into_owned(), reason: error.to_string() });
                }
            }
        }
        Ok(inputs)
    }

    /// Reads all inputs on as many threads as are wanted. Returns what is left of them, and whether the
    /// records could be written.
    fn read<'g>(
        &self,
        common: &Common,
        auditor: &Auditor<'g>,
        inputs: Inputs,
        gathered: &Mutex<Gathered<'g>>,
        progress: &Progress<'_>,
        out: &mut Output,
    ) -> (Inputs, Result<(), Failure>) {
        let threads = common.threads();
        let share = lock(gathered).share(threads);
        let buffers = BUFFERS / threads;
        let (jobs, lanes) = sync_channel(2 * threads);
        let queue = Mutex::new(Queue { inputs, lanes: self.records.then_some(jobs) });
        let written = std::thread::scope(|scope| {
            for _ in 0..threads {
                let writer = (common.format, out.color, out.line_width());
                let worker = Worker { auditor, gathered, progress, writer, share, buffers };
                let queue = &queue;
                scope.spawn(move || worker.run(queue));
            }
            if self.records { write_lanes(lanes, &queue, common.format, out) } else { Ok(()) }
        });
        (queue.into_inner().unwrap_or_else(PoisonError::into_inner).inputs, written)
    }
}

/// What stands behind `s3://`.
fn s3_tree(path: &OsStr) -> Option<&str> {
    path.to_str().and_then(|path| path.strip_prefix("s3://"))
}

/// Names that are said each by itself; beyond, they are counted.
const SAID: usize = 20;

/// Says what there was nothing in: where something was expected, that is news.
fn tell_empty(common: &Common, without_files: &[String], (without_bytes, further): &(Vec<String>, u64)) {
    let files = without_files.iter().map(|name| format!("{name}: no log files in it"));
    let bytes = without_bytes.iter().map(|name| format!("{name}: no records in it, it is empty"));
    files.chain(bytes).take(SAID).for_each(|text| common.remark(&text));
    let named = (without_files.len() + without_bytes.len()).saturating_sub(SAID);
    if let more @ 1.. = named as u64 + further {
        common.remark(&format!("{more} more that are empty"));
    }
}

/// A panic in one thread is shown by the scope that joins it; what the others gathered is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is still to be read, and a lane for the printed records of each input, in its order.
struct Queue {
    inputs: Inputs,
    lanes: Option<SyncSender<Receiver<Vec<u8>>>>,
}

/// An input, and where its printed records go.
type Job = (Result<Input, Missing>, Option<SyncSender<Vec<u8>>>);

/// Pieces of printed records that wait in a lane.
const LANE: usize = 8;

fn next_job(queue: &Mutex<Queue>) -> Option<Job> {
    let mut queue = lock(queue);
    let input = queue.inputs.next();
    let Some(input) = input else {
        queue.lanes = None;
        return None;
    };
    let lane = queue.lanes.as_ref().map(|lanes| {
        let (lane, records) = sync_channel(LANE);
        // Where nobody reads on, nobody is waited for either.
        let _ = lanes.send(records);
        lane
    });
    Some((input, lane))
}

/// Writes the records of each lane, one lane after another.
fn write_lanes(
    lanes: Receiver<Receiver<Vec<u8>>>,
    queue: &Mutex<Queue>,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let write = |out: &mut Output| -> std::io::Result<()> {
        out.write_all(&RecordWriter::head(format))?;
        let mut first = true;
        for lane in &lanes {
            for piece in lane {
                // The separators of a JSON array stand before each record but the first.
                let piece = if first { RecordWriter::without_separator(format, &piece) } else { &piece };
                first &= piece.is_empty();
                out.write_all(piece)?;
            }
        }
        out.write_all(RecordWriter::foot(format))?;
        out.flush()
    };
    let written = write(out);
    if written.is_err() {
        // The threads end at their next record.
        drop(lanes);
        lock(queue).inputs = Inputs::default();
    }
    Ok(written?)
}

/// Reads inputs, one after another.
struct Worker<'w, 'g> {
    auditor: &'w Auditor<'g>,
    gathered: &'w Mutex<Gathered<'g>>,
    progress: &'w Progress<'w>,
    /// Format, colours and columns of printed records.
    writer: (Format, bool, usize),
    /// Findings that it gathers before they are written out, in bytes.
    share: usize,
    /// What it reads into, in bytes.
    buffers: usize,
}

/// What all threads together read files into at once, in bytes; what is larger is streamed.
const BUFFERS: usize = 20 << 20;

/// Printed records are handed on in pieces of about this size.
const PIECE: usize = 64 << 10;

impl Worker<'_, '_> {
    fn run(&self, queue: &Mutex<Queue>) {
        let mut reader = Reader::within(self.buffers);
        let mut tally = Tally::default();
        while let Some((input, lane)) = next_job(queue) {
            match input {
                Ok(input) => self.file(input, lane, &mut reader, &mut tally),
                Err(missing) => {
                    let reason = missing.reason;
                    let file = missing.name.into();
                    let place = Unreadable { file, record: None, offset: None, packed: false, reason };
                    lock(self.gathered).unreadable(place);
                }
            }
        }
        lock(self.gathered).take(tally);
    }

    fn file(&self, input: Input, lane: Option<SyncSender<Vec<u8>>>, reader: &mut Reader, tally: &mut Tally) {
        let name: Arc<str> = input.name().into();
        let mut source = match input.open() {
            Ok(source) => self.progress.counting(source),
            Err(error) => {
                let reason = error.to_string();
                let place = Unreadable { file: name, record: None, offset: None, packed: false, reason };
                return lock(self.gathered).unreadable(place);
            }
        };
        let (format, color, width) = self.writer;
        let mut records = lane.map(|lane| (RecordWriter::new(format, color).with_width(width), lane));
        let mut count = 0;
        reader.read(&mut source, &mut |element| {
            self.auditor.element(&element, records.is_some(), tally, &mut |audited| {
                count += 1;
                match audited {
                    Audited::Plain(_) => {}
                    Audited::Record(judged) => {
                        if let Some((writer, lane)) = &mut records {
                            writer.write(&judged.line());
                            writer.hand_over(PIECE, lane);
                        }
                    }
                    Audited::LogFile(_) => {
                        let cause =
                            Cause::NoRecord("an S3 notification names a log file and holds no record");
                        let fault = Fault { at: 0, packed: false, cause };
                        lock(self.gathered).fault(&name, count, fault);
                    }
                    Audited::Fault(fault) => lock(self.gathered).fault(&name, count, fault),
                }
            });
            if tally.weight > self.share {
                lock(self.gathered).spill(std::mem::take(tally));
            }
        });
        if let Some((mut writer, lane)) = records {
            writer.hand_over(0, &lane);
        }
        self.progress.detail(|| {
            format!("read {name}: {}, {} bytes", counted(count, "record", "records"), source.read)
        });
        lock(self.gathered).read(&name, source.read);
    }
}

struct Report<'r> {
    outcome: Outcome,
    skipped: u64,
    settings: &'r Settings,
    store: &'r StoreUrl,
    began: Instant,
}

impl Report<'_> {
    fn print(&mut self, scan: &Scan, common: &Common, out: &mut Output) -> Result<(), Failure> {
        let summary = self.summary().with_onward(common.onward(Some(self.store)));
        let findings = &self.outcome.findings;
        match (common.format, scan.records) {
            (Format::Text, false) => {
                let shown = view::findings::shown(findings.first());
                view::findings::text(out, shown)?;
                let more = findings.count() - shown.len() as u64;
                view::findings::more(out, more, findings.is_whole())?;
                view::summary::text(out, &summary, self.began.elapsed(), true)?;
            }
            (Format::Json, false) => view::findings::json(out, &summary, findings)?,
            (Format::Ndjson, false) => view::findings::ndjson(out, findings.iter())?,
            (Format::Csv, false) => view::findings::csv(out, findings.iter())?,
            (_, true) => {}
        }
        out.flush()?;
        let summed_up = matches!(common.format, Format::Text | Format::Json) && !scan.records;
        if !summed_up && common.quiet {
            view::summary::faults(&summary).for_each(|fault| common.fault(&fault));
        } else if !summed_up {
            let mut beside = Output::stderr(common);
            view::summary::text(&mut beside, &summary, self.began.elapsed(), false)?;
            beside.finish()?;
        }
        self.outcome.incomplete.iter().for_each(|why| common.fault(why));
        Ok(())
    }

    fn summary(&self) -> Summary {
        let Outcome { tally, files, bytes, unreadable: (unreadable, further), findings, .. } = &self.outcome;
        Summary::new(tally, findings.first(), findings.severities())
            .of_files(*files, self.skipped, *bytes)
            .with_unreadable(unreadable.clone(), *further)
            .with_incomplete(self.outcome.incomplete.clone())
            .with_replays(self.outcome.replays.clone())
            .with_warnings(self.settings.warnings.clone())
            .in_store(match self.store {
                StoreUrl::None => None,
                url => Some(url.to_string()),
            })
    }

    fn ending(&self, fail_on: Option<Severity>) -> Ending {
        let Outcome { unreadable: (unreadable, _), findings, incomplete, .. } = &self.outcome;
        if !unreadable.is_empty() || !incomplete.is_empty() {
            return Ending::Incomplete;
        }
        let worst = findings.first().iter().map(|finding| finding.severity).max();
        match fail_on {
            Some(limit) if worst.is_some_and(|worst| worst >= limit) => Ending::Findings,
            Some(_) | None => Ending::Clean,
        }
    }
}

//! What a scan read, and what came of it.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::findings::{brief, next_steps};
use super::onward::Onward;
use super::paint::{self, BOLD, DIM, Paint, WARN};
use super::prose::{Page, wrap};
use super::{plain_line, short};
use crate::audit::rule::Severity;
use crate::audit::verdict::Verdict;
use crate::cli::output::Output;
use crate::findings::finding::Finding;
use crate::pipeline::{Replays, Tally};

/// What a scan read, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Records read.
    pub records: u64,
    /// Records by verdict.
    pub verdicts: Verdicts,
    /// Findings of this scan.
    pub findings: u64,
    /// Findings by severity.
    pub severities: Severities,
    /// Files read.
    pub files: u64,
    /// Files that are no logs by their names.
    pub skipped: u64,
    /// Bytes read, packed where they were packed.
    pub bytes: u64,
    /// What could not be read; the first of it.
    pub unreadable: Vec<Unreadable>,
    /// What else could not be read.
    pub unreadable_more: u64,
    /// Accounts in no environment; the first of them.
    pub unlisted_accounts: Vec<String>,
    /// Endpoints that were seen created.
    pub endpoints_learned: u64,
    /// What may not be meant as it was set.
    pub warnings: Vec<String>,
    /// Where findings are kept.
    pub store: Option<String>,
    /// Why not all findings are kept or listed; nothing where all are.
    pub incomplete: Vec<String>,
    /// What came of holding the calls against a snapshot, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replays: Option<Replays>,
    /// Id, as short as it is shown, and rule of the worst finding.
    #[serde(skip)]
    worst: Option<(String, String)>,
    /// How to go on from here.
    #[serde(skip)]
    onward: Onward,
}

/// Something that could not be read, by file and place.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Unreadable {
    /// Its file.
    pub file: Arc<str>,
    /// Which record of it, counted from 1.
    pub record: Option<u64>,
    /// At which byte.
    pub offset: Option<u64>,
    /// The byte is one of the packed file, and not of its unpacked text.
    pub packed: bool,
    /// Why.
    pub reason: String,
}

/// Counts by verdict, in the order of [`Verdict::ALL`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdicts(pub [u64; Verdict::ALL.len()]);

/// Counts by severity, in the order of [`Severity::ALL`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Severities(pub [u64; Severity::ALL.len()]);

impl Serialize for Verdicts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (verdict, count) in Verdict::ALL.iter().zip(self.0) {
            map.serialize_entry(verdict.name(), &count)?;
        }
        map.end()
    }
}

impl Serialize for Severities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (severity, count) in self.worst_first() {
            map.serialize_entry(severity.name(), &count)?;
        }
        map.end()
    }
}

impl Severities {
    fn worst_first(&self) -> impl Iterator<Item = (Severity, u64)> {
        Severity::ALL.into_iter().zip(self.0).rev()
    }
}

impl Summary {
    /// Of what was counted; `findings` are the first in order, the worst first, and `severities` how many
    /// there are of each, in the order of [`Severity::ALL`].
    pub fn new(tally: &Tally, findings: &[Finding], severities: [u64; Severity::ALL.len()]) -> Self {
        Self {
            records: tally.records(),
            verdicts: Verdicts(tally.verdicts),
            findings: severities.iter().sum(),
            severities: Severities(severities),
            files: 0,
            skipped: 0,
            bytes: 0,
            unreadable: Vec::new(),
            unreadable_more: 0,
            incomplete: Vec::new(),
            replays: None,
            unlisted_accounts: tally.unlisted.iter().cloned().collect(),
            endpoints_learned: tally.endpoints.len() as u64,
            warnings: Vec::new(),
            store: None,
            onward: Onward::default(),
            worst: findings
                .first()
                .map(|finding| (brief(&finding.id, findings).to_owned(), finding.rule.clone())),
        }
    }

    /// Files read and skipped, and the bytes of those read.
    pub fn of_files(self, files: u64, skipped: u64, bytes: u64) -> Self {
        Self { files, skipped, bytes, ..self }
    }

    /// The first of what could not be read, and how much more there was.
    pub fn with_unreadable(self, unreadable: Vec<Unreadable>, unreadable_more: u64) -> Self {
        Self { unreadable, unreadable_more, ..self }
    }

    /// Why not all findings are kept or listed.
    pub fn with_incomplete(self, incomplete: Vec<String>) -> Self {
        Self { incomplete, ..self }
    }

    /// What came of holding the calls against a snapshot.
    pub fn with_replays(self, replays: Option<Replays>) -> Self {
        Self { replays, ..self }
    }

    /// What may not be meant as it was set.
    pub fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    /// How to go on from here.
    pub fn with_onward(self, onward: Onward) -> Self {
        Self { onward, ..self }
    }

    /// Where findings are kept.
    pub fn in_store(self, store: Option<String>) -> Self {
        Self { store, ..self }
    }
}

/// Unreadable places that are shown.
const SHOWN: usize = 20;

/// Things that were not known of calls that are shown.
const SHOWN_UNKNOWN: usize = 3;

/// Accounts in no environment that are shown.
const SHOWN_ACCOUNTS: usize = 12;

/// Writes the summary for reading. With `findings_shown`, they stand above it.
pub fn text(out: &mut Output, summary: &Summary, elapsed: Duration, findings_shown: bool) -> io::Result<()> {
    let page = Page { width: out.width, indent: 2, paint: Paint { color: out.color } };
    read(out, page.paint, summary, elapsed)?;
    verdicts(out, page, summary)?;
    findings(out, page.paint, summary)?;
    list(out, page, "Warnings", &summary.warnings)?;
    unlisted(out, page, summary)?;
    unreadable(out, page, summary)?;
    list(out, page, "Incomplete; the exit status is 2", &summary.incomplete)?;
    next(out, page, summary, findings_shown)
}

fn read(out: &mut impl Write, paint: Paint, summary: &Summary, elapsed: Duration) -> io::Result<()> {
    let records = paint.text(BOLD, &short::counted(summary.records, "record", "records"));
    let files = short::counted(summary.files, "file", "files");
    let skipped = match summary.skipped {
        0 => String::new(),
        skipped => format!(", {} skipped by name", short::number(skipped)),
    };
    writeln!(out, "{records} in {files}{skipped}")?;
    let (bytes, records) = (summary.bytes as f64, summary.records as f64);
    let seconds = elapsed.as_secs_f64();
    let mut line = format!("{} read in {}", short::bytes(bytes), duration(elapsed));
    // Of a moment's work the speed says nothing.
    if seconds >= 0.1 {
        let speed = short::number((records / seconds).round() as u64);
        line = format!("{line}: {speed} records/s, {}/s", short::bytes(bytes / seconds));
    }
    writeln!(out, "{}\n", paint.text(DIM, &line))
}

fn duration(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0 => format!("{} ms", elapsed.as_millis()),
        1..60 => format!("{:.1} s", elapsed.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Verdicts that are shown even where no record has them: that there are none is what one looks for.
fn is_shown(verdict: Verdict, count: u64) -> bool {
    count > 0 || matches!(verdict, Verdict::Inside | Verdict::Outside | Verdict::Undetermined)
}

fn verdicts(out: &mut impl Write, page: Page, summary: &Summary) -> io::Result<()> {
    let counts = Verdict::ALL
        .into_iter()
        .zip(summary.verdicts.0)
        .filter(|(verdict, count)| is_shown(*verdict, *count));
    let counts: Vec<(Verdict, String, u64)> =
        counts.map(|(verdict, count)| (verdict, short::number(count), count)).collect();
    let digits = counts.iter().map(|(_, digits, _)| digits.len()).max().unwrap_or_default();
    let room = page.width.saturating_sub(2 + 12 + 2 + digits + 2 + 7 + 2).min(48);
    for (verdict, digits_of, count) in &counts {
        let style = if *count == 0 { DIM } else { paint::of_verdict(*verdict) };
        let name = page.paint.text(style, &format!("{:<12}", verdict.name()));
        let percent = short::percent(*count, summary.records);
        let bar = page.paint.text(style, &bar(*count, summary.records, room));
        let line = format!("  {name}  {digits_of:>digits$}  {percent:>7}  {bar}");
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}

/// A bar of eighths: what is there at all is seen.
fn bar(part: u64, whole: u64, room: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if part == 0 {
        return String::new();
    }
    let eighths = u128::from(part) * 8 * room as u128 / u128::from(whole.max(1));
    let eighths = usize::try_from(eighths).unwrap_or_default().max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS.get(eighths % 8).unwrap_or(&""))
}

fn findings(out: &mut impl Write, paint: Paint, summary: &Summary) -> io::Result<()> {
    let heading = paint.text(BOLD, &short::counted(summary.findings, "finding", "findings"));
    let parts = summary.severities.worst_first().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(severity, count)| {
            paint.text(paint::of_severity(severity), &format!("{} {}", short::number(count), severity.name()))
        })
        .collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    writeln!(out, "{heading}{parts}")?;
    let kept = match &summary.store {
        Some(store) => format!("kept in {}", plain_line(store)),
        None => "kept nowhere (--store none)".to_owned(),
    };
    writeln!(out, "{}", paint.text(DIM, &kept))?;
    if summary.endpoints_learned > 0 {
        let endpoints = short::counted(summary.endpoints_learned, "endpoint", "endpoints");
        writeln!(out, "{}", paint.text(DIM, &format!("{endpoints} seen created")))?;
    }
    if let Some(replays) = &summary.replays {
        writeln!(out, "{}", paint.text(DIM, &replayed(replays)))?;
        for because in replays.unknown_because.iter().take(SHOWN_UNKNOWN) {
            let why =
                format!("  of {} it is not known {}", short::number(because.calls), plain_line(&because.why));
            writeln!(out, "{}", paint.text(DIM, &why))?;
        }
    }
    writeln!(out)
}

/// How many calls the snapshot explains, and how many not.
fn replayed(replays: &Replays) -> String {
    let Replays { explained, contradicted, unknown, before_snapshot, not_held, .. } = *replays;
    let calls = explained + contradicted + unknown + before_snapshot + not_held;
    let parts = [
        (explained, "as its policies say"),
        (contradicted, "against them"),
        (unknown, "of which they cannot tell"),
        (before_snapshot, "made before it was taken"),
        (not_held, "too many to hold"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| format!("{} {what}", short::number(count))).collect();
    let colon = if parts.is_empty() { "" } else { ": " };
    let calls = short::counted(calls, "call", "calls");
    format!("{calls} held against the snapshot{colon}{}", parts.join(", "))
}

fn list(out: &mut impl Write, page: Page, heading: &str, items: &[String]) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", page.paint.text(WARN, heading))?;
    for item in items {
        for (at, line) in wrap(&plain_line(item), page.width.saturating_sub(4)).iter().enumerate() {
            writeln!(out, "  {}{line}", if at == 0 { "" } else { "  " })?;
        }
    }
    writeln!(out)
}

fn unlisted(out: &mut impl Write, page: Page, summary: &Summary) -> io::Result<()> {
    let accounts = &summary.unlisted_accounts;
    let mut shown: Vec<String> = accounts.iter().take(SHOWN_ACCOUNTS).cloned().collect();
    if accounts.len() > SHOWN_ACCOUNTS {
        shown.push(format!("and {} more", short::number((accounts.len() - SHOWN_ACCOUNTS) as u64)));
    }
    let lines = wrap(&shown.join(" "), page.width.saturating_sub(4));
    list(out, page, "Accounts in no environment, judged as `enforce`", &lines)
}

fn unreadable(out: &mut impl Write, page: Page, summary: &Summary) -> io::Result<()> {
    let total = summary.unreadable.len() as u64 + summary.unreadable_more;
    let mut items: Vec<String> = summary.unreadable.iter().take(SHOWN).map(place).collect();
    if let more @ 1.. = total - items.len() as u64 {
        items.push(format!("and {} more", short::number(more)));
    }
    let places = short::counted(total, "place", "places");
    list(out, page, &format!("Could not be read: {places}; the exit status is 2"), &items)
}

/// What could not be read, each in a line: [`Unreadable`].
pub fn faults(summary: &Summary) -> impl Iterator<Item = String> {
    let more = match summary.unreadable_more {
        0 => None,
        more => Some(format!("{} more places could not be read", short::number(more))),
    };
    summary.unreadable.iter().map(place).chain(more)
}

/// `file, record 12, byte 3,123: reason`.
fn place(unreadable: &Unreadable) -> String {
    let mut place = if unreadable.file.is_empty() { "``".to_owned() } else { unreadable.file.to_string() };
    if let Some(record) = unreadable.record {
        place = format!("{place}, record {}", short::number(record));
    }
    if let Some(offset) = unreadable.offset {
        let packed = if unreadable.packed { " of the packed file" } else { "" };
        place = format!("{place}, byte {}{packed}", short::number(offset));
    }
    format!("{place}: {}", unreadable.reason)
}

fn next(out: &mut impl Write, page: Page, summary: &Summary, findings_shown: bool) -> io::Result<()> {
    let Some((id, rule)) = &summary.worst else { return Ok(()) };
    let onward = &summary.onward;
    let list = if findings_shown { None } else { onward.findings("list") };
    let steps = [
        (list, "all of them"),
        (onward.findings(&format!("show {id}")), "the worst, with its evidence and remedy"),
        (Some(onward.explain(rule)), "what the rule finds, and why it matters"),
    ];
    let steps: Vec<_> =
        steps.into_iter().filter_map(|(command, purpose)| Some((command?, purpose))).collect();
    writeln!(out, "{}", page.paint.text(BOLD, "Next"))?;
    next_steps(out, page.paint, page.width, &steps)
}

//! Judged records, one after another.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::mpsc::SyncSender;

use jiff::Timestamp;

use super::paint::{self, DIM, Paint};
use super::sheet::Sheet;
use super::{json, plain_line, short};
use crate::cli::Format;
use crate::pipeline::Line;

/// Columns where nobody says how many there are.
const WIDTH: usize = 100;

const HEADER: [&str; 21] = [
    "event_id",
    "event_time",
    "account",
    "region",
    "event_source",
    "event_name",
    "verdict",
    "rule",
    "severity",
    "origin",
    "endpoint",
    "vpc",
    "vpc_account",
    "ip",
    "principal_kind",
    "principal",
    "principal_unique_id",
    "principal_account",
    "outcome",
    "resources",
    "reason",
];

/// The longest name of a rule: `break-glass-out-of-window`.
const LONGEST: usize = 25;

/// Below this width a record has two lines: on one, nobody could tell who called what.
const NARROW: usize = 100;

/// Prints records into memory, so that many threads can print at once.
pub struct RecordWriter {
    format: Format,
    paint: Paint,
    width: usize,
    printed: Vec<u8>,
}

impl RecordWriter {
    /// Prints in that format.
    pub fn new(format: Format, color: bool) -> Self {
        Self { format, paint: Paint { color }, width: WIDTH, printed: Vec::new() }
    }

    /// Lines of text are no longer than this.
    pub fn with_width(self, width: usize) -> Self {
        Self { width, ..self }
    }

    /// What stands before all records.
    pub fn head(format: Format) -> Vec<u8> {
        match format {
            Format::Json => b"[".to_vec(),
            Format::Csv => format!("{}\n", HEADER.join(",")).into_bytes(),
            Format::Text | Format::Ndjson => Vec::new(),
        }
    }

    /// What stands behind all records.
    pub fn foot(format: Format) -> &'static [u8] {
        match format {
            Format::Json => b"\n]\n",
            Format::Text | Format::Ndjson | Format::Csv => b"",
        }
    }

    /// What was printed first, without what parts it from a record before it.
    pub fn without_separator(format: Format, printed: &[u8]) -> &[u8] {
        match format {
            Format::Json => printed.strip_prefix(b",").unwrap_or(printed),
            Format::Text | Format::Ndjson | Format::Csv => printed,
        }
    }

    /// Prints a record.
    pub fn write(&mut self, line: &Line) {
        let before = self.printed.len();
        if self.print(line).is_err() {
            // Memory takes whatever is written; half a record would be worse than none.
            self.printed.truncate(before);
        }
    }

    fn print(&mut self, line: &Line) -> io::Result<()> {
        match self.format {
            Format::Text => text(&mut self.printed, self.paint, self.width, line),
            Format::Ndjson => json::line(&mut self.printed, line),
            Format::Json => {
                self.printed.extend_from_slice(b",\n");
                json::bare(&mut self.printed, line)
            }
            Format::Csv => {
                let mut sheet = Sheet::new(&mut self.printed);
                sheet.row(cells(line))?;
                sheet.flush()
            }
        }
    }

    /// Hands on what was printed, where it is more than `piece` bytes.
    pub fn hand_over(&mut self, piece: usize, lane: &SyncSender<Vec<u8>>) {
        if self.printed.len() > piece {
            // Where nobody reads on, it goes nowhere.
            let _ = lane.send(std::mem::take(&mut self.printed));
        }
    }
}

/// When, verdict, call, who called what, and the rule or else the origin.
fn text(out: &mut impl Write, paint: Paint, width: usize, line: &Line) -> io::Result<()> {
    let (pattern, time_width, call_width, from_width) = match width {
        0..NARROW => ("%Y-%m-%d %H:%M:%S", 19, 24, LONGEST),
        NARROW..120 => ("%m-%d %H:%M:%S", 14, 16, 20),
        120.. => ("%Y-%m-%d %H:%M:%S", 19, 20, LONGEST),
    };
    let recorded = line.event_time.as_deref().unwrap_or("no time");
    let time = recorded
        .parse()
        .map_or_else(|_| plain_line(recorded), |time: Timestamp| time.strftime(pattern).to_string());
    let time = column(&time, time_width);
    let verdict = paint.text(paint::of_verdict(line.verdict), &short::pad(line.verdict.name(), 12));
    let call = column(&plain_line(line.event_name.as_deref().unwrap_or("no name")), call_width);
    let from = short::fit(line.rule.unwrap_or_else(|| line.origin.kind.name()), from_width);
    let from = paint.text(line.severity.map_or(DIM, paint::of_severity), &from);
    if width < NARROW {
        let room = width.saturating_sub(4 + call_width + 2);
        writeln!(out, "{time}  {verdict}  {from}")?;
        return writeln!(out, "    {call}  {}", who_and_what(line, room));
    }
    let room = width.saturating_sub(time_width + 2 + 12 + 2 + call_width + 2 + 2 + from_width);
    writeln!(out, "{time}  {verdict}  {call}  {}  {from}", short::pad(&who_and_what(line, room), room))
}

/// Text in exactly that many columns.
fn column(text: &str, columns: usize) -> String {
    short::pad(&short::fit(text, columns), columns)
}

/// By their last names. What was called is more worth its room than who called.
fn who_and_what(line: &Line, room: usize) -> String {
    let who = match &line.principal.arn {
        Some(arn) => short::name(arn),
        None => short::who(&line.principal, line.account.as_deref()),
    };
    if line.resources.is_empty() {
        return short::fit(&who, room);
    }
    let what = short::fit(&short::resource_names(&line.resources), room.saturating_sub(3 + room / 3));
    let left = room.saturating_sub(3 + short::width(&what));
    format!("{} → {what}", short::fit(&who, left))
}

fn cells(line: &Line) -> [Cow<'_, str>; HEADER.len()] {
    fn given(text: &Option<String>) -> Cow<'_, str> {
        text.as_deref().unwrap_or_default().into()
    }
    let Line { principal, origin, .. } = line;
    [
        given(&line.event_id),
        given(&line.event_time),
        given(&line.account),
        given(&line.region),
        given(&line.event_source),
        given(&line.event_name),
        line.verdict.name().into(),
        line.rule.unwrap_or_default().into(),
        line.severity.map_or("", |severity| severity.name()).into(),
        origin.kind.name().into(),
        given(&origin.endpoint),
        given(&origin.vpc),
        given(&origin.vpc_account),
        given(&origin.ip),
        principal.kind.name().into(),
        given(&principal.arn),
        given(&principal.unique_id),
        given(&principal.account),
        line.outcome.name().into(),
        line.resources.join(" ").into(),
        line.reason.as_str().into(),
    ]
}

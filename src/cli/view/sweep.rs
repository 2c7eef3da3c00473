//! A sweep, as it is read.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::paint::{BOLD, DIM, Paint, WARN};
use super::plain_line;
use super::proof::request;
use super::prose::wrap;
use super::sheet::Sheet;
use super::short::counted;
use crate::cli::output::Output;
use crate::iam::state::snapshot::{Snapshot, Unread};
use crate::reach::change::Opened;
use crate::watch::sweep::Report;

/// Ways in that are shown for reading; beyond, they are counted.
const SHOWN: usize = 200;

/// A sweep, as JSON has it.
#[derive(Serialize)]
pub struct Shown<'s> {
    /// When what stands was read.
    taken_at: Option<Timestamp>,
    principals: usize,
    tables: usize,
    /// Accounts in which nobody who could exist gets in.
    closed_accounts: Vec<String>,
    #[serde(serialize_with = "ways")]
    pub opened: &'s [Opened],
    untold: Vec<Untold>,
    /// What should be in the snapshot and is not.
    unread: Vec<Unread>,
    /// Changes that no event told of.
    unseen_changes: usize,
    /// Findings that were written.
    findings: Vec<String>,
    /// Findings that were resolved, and by what.
    resolved: BTreeMap<String, String>,
}

/// A way in.
#[derive(Serialize)]
pub struct Way {
    principal: String,
    table: String,
    counterexample: Value,
    blamed: Vec<Value>,
}

/// Of whom it cannot be told whether they get in.
#[derive(Serialize)]
struct Untold {
    principal: String,
    /// Phrases that go on "it is not known …".
    unknown: Vec<String>,
}

impl<'s> Shown<'s> {
    /// As it is written in every output.
    pub fn of(report: &'s Report, snapshot: &Snapshot) -> Self {
        let Report { swept, unseen, findings, resolved, .. } = report;
        let untold = swept.untold.iter().map(|(principal, unknown)| Untold {
            principal: principal.clone(),
            unknown: unknown.iter().cloned().collect(),
        });
        Self {
            taken_at: snapshot.taken_at,
            principals: swept.principals,
            tables: swept.tables,
            closed_accounts: swept.closed.iter().cloned().collect(),
            opened: &swept.opened,
            untold: untold.collect(),
            unread: snapshot.unread.clone(),
            unseen_changes: *unseen,
            findings: findings.iter().cloned().collect(),
            resolved: resolved.clone(),
        }
    }
}

/// One after another: there may be tens of thousands.
fn ways<S: Serializer>(opened: &[Opened], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(opened.iter().map(way))
}

/// A way in, as JSON has it.
pub fn way(opened: &Opened) -> Way {
    let blamed = opened.blamed.iter().map(|blamed| {
        serde_json::json!({"policy": blamed.policy, "statement": blamed.statement, "why": blamed.why})
    });
    Way {
        principal: opened.principal.clone(),
        table: opened.table.clone(),
        counterexample: request(&opened.request),
        blamed: blamed.collect(),
    }
}

/// Writes a sweep for reading.
pub fn text(out: &mut Output, shown: &Shown<'_>) -> io::Result<()> {
    let (paint, width) = (Paint { color: out.color }, out.width);
    let taken = shown.taken_at.map_or_else(String::new, |at| format!(", as of {at}"));
    let principals = counted(shown.principals as u64, "role or user", "roles and users");
    let tables = counted(shown.tables as u64, "table", "tables");
    writeln!(out, "{}", paint.text(BOLD, &format!("{principals}, {tables}{taken}")))?;
    if !shown.closed_accounts.is_empty() {
        let closed = counted(shown.closed_accounts.len() as u64, "account", "accounts");
        writeln!(out, "\n  {closed} in which nobody who could exist gets in from outside")?;
    }
    for way in shown.opened.iter().take(SHOWN) {
        let (principal, table) = (plain_line(&way.principal), plain_line(&way.table));
        writeln!(out, "\n  {}  {principal} to {table}", paint.text(WARN, "open"))?;
        writeln!(out, "    {}", paint.text(DIM, &plain_line(&way.request.action)))?;
    }
    for untold in shown.untold.iter().take(SHOWN) {
        writeln!(out, "\n  {}  {}", paint.text(WARN, "unknown"), plain_line(&untold.principal))?;
        let why = format!("it is not known {}", untold.unknown.join(", nor "));
        for line in wrap(&plain_line(&why), width.saturating_sub(4)) {
            writeln!(out, "    {line}")?;
        }
    }
    for Unread { what, why } in shown.unread.iter().take(SHOWN) {
        writeln!(out, "\n  {}  {}", paint.text(WARN, "unread"), plain_line(what))?;
        for line in wrap(&plain_line(why), width.saturating_sub(4)) {
            writeln!(out, "    {line}")?;
        }
    }
    let lists =
        [(shown.opened.len(), "open"), (shown.untold.len(), "unknown"), (shown.unread.len(), "unread")];
    for (all, what) in lists {
        if let more @ 1.. = all.saturating_sub(SHOWN) {
            writeln!(out, "\n  {more} more that are {what}; --format json gives all")?;
        }
    }
    let unknown = counted(shown.untold.len() as u64, "unknown principal", "unknown principals");
    let open = counted(shown.opened.len() as u64, "way in", "ways in");
    let unread = match shown.unread.len() as u64 {
        0 => String::new(),
        all => format!(", {} unread", counted(all, "part", "parts")),
    };
    writeln!(out, "\n  {open} from outside, {unknown}{unread}")?;
    kept(out, shown)
}

/// What became of findings, where anything did.
fn kept(out: &mut Output, shown: &Shown<'_>) -> io::Result<()> {
    let Shown { findings, resolved, unseen_changes, .. } = shown;
    if findings.is_empty() && resolved.is_empty() && *unseen_changes == 0 {
        return Ok(());
    }
    let written = counted(findings.len() as u64, "finding", "findings");
    let unseen = counted(*unseen_changes as u64, "change", "changes");
    writeln!(out, "  {written} kept, {} resolved, {unseen} that no event told of", resolved.len())?;
    for (id, by) in resolved.iter().take(SHOWN) {
        writeln!(out, "    {} resolved: {}", plain_line(id), plain_line(by))?;
    }
    Ok(())
}

/// Writes the ways in as a table for a spreadsheet.
pub fn csv(out: &mut impl Write, shown: &Shown<'_>) -> io::Result<()> {
    let mut sheet = Sheet::with_header(out, &["principal", "table", "counterexample", "blamed"])?;
    for way in shown.opened.iter().map(way) {
        sheet.row([
            way.principal.clone().into(),
            way.table.clone().into(),
            way.counterexample.to_string().into(),
            Value::from(way.blamed.clone()).to_string().into(),
        ])?;
    }
    sheet.flush()
}

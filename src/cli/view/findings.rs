//! Lists of findings.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::Style;
use jiff::Timestamp;
use serde::Serialize;

use super::paint::{BOLD, CODE, DIM, Paint, WARN};
use super::prose::wrap;
use super::sheet::Sheet;
use super::summary::Summary;
use super::table::{self, Column};
use super::{json, short};
use crate::audit::rule::Severity;
use crate::cli::output::Output;
use crate::findings::finding::{Finding, Status};

/// Findings of a scan that are shown for reading: the worst and latest.
pub const SHOWN: usize = 1000;

/// Below this width a finding's count and times have a line of their own.
const NARROW: usize = 84;

/// Digits of an id that are shown at least.
const SHORT_ID: usize = 8;

/// Writes findings for reading: by severity, the worst first, and by rule.
pub fn text(out: &mut Output, findings: &[Finding]) -> io::Result<()> {
    let (width, paint) = (out.width, Paint { color: out.color });
    let layout = Layout::of(findings, width, paint);
    for severity in Severity::ALL.into_iter().rev() {
        let group: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == severity).collect();
        if group.is_empty() {
            continue;
        }
        let count = short::counted(group.len() as u64, "finding", "findings");
        writeln!(out, "{}  {}\n", paint.tag(severity), paint.text(DIM, &count))?;
        // Rules in the order in which they come, each once.
        let mut rules: Vec<&str> = Vec::new();
        group.iter().for_each(|finding| {
            if !rules.contains(&finding.rule.as_str()) {
                rules.push(&finding.rule)
            }
        });
        for rule in rules {
            let of_rule = group.iter().filter(|finding| finding.rule == rule);
            for (at, finding) in of_rule.enumerate() {
                if at == 0 {
                    let title = paint.text(BOLD, &super::plain_line(&finding.title));
                    writeln!(out, "{title}  {}", paint.text(DIM, &super::plain_line(rule)))?;
                }
                layout.write(out, finding)?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// The findings of a scan that are shown for reading, however many there are: nobody would read through more.
pub fn shown(findings: &[Finding]) -> &[Finding] {
    findings.get(..SHOWN).unwrap_or(findings)
}

/// Says that there are findings beyond those that are shown; `listed`: other formats have them.
pub fn more(out: &mut Output, more: u64, listed: bool) -> io::Result<()> {
    if more == 0 {
        return Ok(());
    }
    let further = short::counted(more, "further finding", "further findings");
    let rule = format!("the first {} are shown", short::number(SHOWN as u64));
    let all = if listed { ", and `--format ndjson` has them all" } else { "" };
    writeln!(out, "… and {further}, none worse: {rule}{all}.\n")
}

/// Where the parts of a finding stand, the same for all of a list.
struct Layout {
    columns: Vec<Column>,
    digits: usize,
    paint: Paint,
}

impl Layout {
    fn of(findings: &[Finding], width: usize, paint: Paint) -> Self {
        let digits = digits(findings);
        let has_status = findings.iter().any(|finding| finding.status != Status::Open);
        let status = Status::ALL.map(|status| status.name().len()).into_iter().max().unwrap_or_default();
        let left = (digits + 2).max(if has_status { status } else { 0 });
        let mut columns = vec![Column { width: left, right: false }];
        let mut used = INDENT + left + 2;
        if width >= NARROW {
            let right = findings.iter().flat_map(|finding| [count(finding), when(finding)]);
            let right = right.map(|text| short::width(&text)).max().unwrap_or_default();
            used += right + 2;
            columns.push(Column { width: width.saturating_sub(used), right: false });
            columns.push(Column { width: right, right: true });
        } else {
            columns.push(Column { width: width.saturating_sub(used), right: false });
        }
        Self { columns, digits, paint }
    }

    fn write(&self, out: &mut impl Write, finding: &Finding) -> io::Result<()> {
        let id = short_id(&finding.id, self.digits);
        let status = if finding.status == Status::Open { "" } else { finding.status.name() };
        let room = self.columns.get(1).map_or(0, |column| column.width);
        let who = short::who(&finding.principal, finding.account.as_deref());
        let first = format!("{} → {}", short::fit(&who, room), short::resources(&finding.resources));
        let first: Vec<String> = wrap(&first, room).iter().map(|line| short::fit(line, room)).collect();
        let mut middle = format!("{}\n{}", first.join("\n"), place(finding, room));
        let mut cells = vec![format!("{id}\n{status}")];
        if self.columns.len() == 2 {
            middle = format!("{middle}\n{}, {}", count(finding), when(finding));
            cells.push(middle);
        } else {
            cells.push(middle);
            cells.push(format!("{}\n{}", count(finding), when(finding)));
        }
        for (at, line) in table::row(&self.columns, &cells).into_iter().enumerate() {
            // What stands on the left is known: the id, and below it the status.
            let left = [id, status].get(at).copied().unwrap_or_default();
            let rest = line.strip_prefix(left).unwrap_or(&line);
            let left_style = if at == 0 { Style::new() } else { WARN };
            let rest_style = if at < first.len() { Style::new() } else { DIM };
            writeln!(
                out,
                "{:INDENT$}{}{}",
                "",
                self.paint.text(left_style, left),
                self.paint.text(rest_style, rest)
            )?;
        }
        Ok(())
    }
}

const INDENT: usize = 2;

/// Where the calls came from, and whose the tables are.
fn place(finding: &Finding, room: usize) -> String {
    let place: Vec<String> = [&finding.account, &finding.region]
        .into_iter()
        .flatten()
        .map(|text| super::plain_line(text))
        .collect();
    let whence = format!("from {}", short::whence(&finding.origin));
    let place = place.join(" ");
    match place.as_str() {
        "" => whence,
        place if short::width(&whence) + 3 + short::width(place) <= room => format!("{whence} · {place}"),
        place => format!("{whence}\n{place}"),
    }
}

fn count(finding: &Finding) -> String {
    let about = if finding.count_is_exact { "" } else { "about " };
    format!("{about}{}", short::counted(finding.count, "event", "events"))
}

fn when(finding: &Finding) -> String {
    short::span(finding.first_seen, finding.last_seen)
}

/// How many digits of their ids tell these findings apart.
fn digits(findings: &[Finding]) -> usize {
    let mut ids: Vec<&str> = findings.iter().map(|finding| finding.id.trim_start_matches("f-")).collect();
    ids.sort_unstable();
    ids.dedup();
    let common = |one: &str, other: &str| one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let longest = ids.iter().zip(ids.iter().skip(1)).map(|(one, other)| common(one, other)).max();
    longest.map_or(SHORT_ID, |longest| SHORT_ID.max(longest + 1))
}

fn short_id(id: &str, digits: usize) -> &str {
    id.get(..digits + 2).unwrap_or(id)
}

/// An id, as short as it is shown in a list of `findings`.
pub fn brief<'i>(id: &'i str, findings: &[Finding]) -> &'i str {
    short_id(id, digits(findings))
}

/// Writes commands to go on with, and what each is for.
pub fn next_steps(
    out: &mut impl Write,
    paint: Paint,
    width: usize,
    steps: &[(String, &str)],
) -> io::Result<()> {
    let longest = steps.iter().map(|(command, _)| short::width(command)).max().unwrap_or_default();
    let fits = steps.iter().all(|(_, purpose)| INDENT + longest + 2 + short::width(purpose) <= width);
    for (command, purpose) in steps {
        let painted = paint.text(CODE, command);
        if fits {
            let gap = longest - short::width(command);
            writeln!(out, "{:INDENT$}{painted}{:gap$}  {purpose}", "", "")?;
        } else {
            writeln!(out, "{:INDENT$}{painted}\n{:4}{purpose}", "", "")?;
        }
    }
    Ok(())
}

/// Writes findings and the summary as one JSON object.
pub fn json(out: &mut impl Write, summary: &Summary, findings: &impl Serialize) -> io::Result<()> {
    #[derive(Serialize)]
    struct Whole<'w, F> {
        summary: &'w Summary,
        findings: &'w F,
    }
    json::pretty(out, &Whole { summary, findings })
}

/// Findings that are all in memory.
pub fn in_memory(findings: &[Finding]) -> impl Iterator<Item = io::Result<Cow<'_, Finding>>> {
    findings.iter().map(|finding| Ok(Cow::Borrowed(finding)))
}

/// Writes one finding a line.
pub fn ndjson<'f>(
    out: &mut impl Write,
    mut findings: impl Iterator<Item = io::Result<Cow<'f, Finding>>>,
) -> io::Result<()> {
    findings.try_for_each(|finding| json::line(out, &finding?))
}

const HEADER: [&str; 23] = [
    "id",
    "rule",
    "severity",
    "status",
    "title",
    "account",
    "region",
    "resources",
    "principal_kind",
    "principal",
    "principal_unique_id",
    "principal_account",
    "origin",
    "endpoint",
    "vpc",
    "vpc_account",
    "ip",
    "first_seen",
    "last_seen",
    "count",
    "count_is_exact",
    "reason",
    "evidence",
];

/// Writes a table of findings for a spreadsheet. Lists stand in one cell, with spaces between.
pub fn csv<'f>(
    out: &mut impl Write,
    mut findings: impl Iterator<Item = io::Result<Cow<'f, Finding>>>,
) -> io::Result<()> {
    let mut sheet = Sheet::with_header(out, &HEADER)?;
    findings.try_for_each(|finding| sheet.row(cells(&*finding?)))?;
    sheet.flush()
}

fn cells(finding: &Finding) -> [Cow<'_, str>; HEADER.len()] {
    fn given(text: &Option<String>) -> Cow<'_, str> {
        text.as_deref().unwrap_or_default().into()
    }
    let time = |time: Option<Timestamp>| Cow::from(time.map(|time| time.to_string()).unwrap_or_default());
    let Finding { principal, origin, .. } = finding;
    [
        finding.id.as_str().into(),
        finding.rule.as_str().into(),
        finding.severity.name().into(),
        finding.status.name().into(),
        finding.title.as_ref().into(),
        given(&finding.account),
        given(&finding.region),
        finding.resources.join(" ").into(),
        principal.kind.name().into(),
        given(&principal.arn),
        given(&principal.unique_id),
        given(&principal.account),
        origin.kind.name().into(),
        given(&origin.endpoint),
        given(&origin.vpc),
        given(&origin.vpc_account),
        given(&origin.ip),
        time(finding.first_seen),
        time(finding.last_seen),
        finding.count.to_string().into(),
        finding.count_is_exact.to_string().into(),
        finding.reason.as_str().into(),
        finding.evidence.join(" ").into(),
    ]
}

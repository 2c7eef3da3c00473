//! One finding, and everything that is known of it.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::findings::next_steps;
use super::onward::Onward;
use super::paint::{BOLD, DIM, Paint, WARN};
use super::prose::{Page, wrap};
use super::{plain_line, rule_page, short, table};
use crate::cli::output::Output;
use crate::findings::finding::{EVIDENCE, Evidence, Finding, Status};
use crate::perimeter::origin::Origin;
use crate::perimeter::session::{Grant, Opening, Place, Session};

/// A finding with its events: interface.md's object, and `events`.
#[derive(Serialize)]
pub struct Story<'s> {
    #[serde(flatten)]
    finding: &'s Finding,
    events: Vec<Event<'s>>,
}

/// A record that is evidence, named as `scan --records` names things.
#[derive(Serialize)]
struct Event<'s> {
    event_id: &'s Option<String>,
    event_time: &'s Option<String>,
    region: &'s Option<String>,
    event_source: &'s Option<String>,
    event_name: &'s Option<String>,
    error_code: &'s Option<String>,
    ip: &'s Option<String>,
    user_agent: &'s Option<String>,
    session_arn: &'s Option<String>,
    function_arn: &'s Option<String>,
    reason: &'s str,
}

impl<'s> Story<'s> {
    /// Of a finding and what is still kept of its records.
    pub fn new(finding: &'s Finding, evidence: &'s [Evidence]) -> Self {
        let event = |evidence: &'s Evidence| {
            let event = &evidence.event;
            Event {
                event_id: &event.id,
                event_time: &event.time,
                region: &event.region,
                event_source: &event.source,
                event_name: &event.name,
                error_code: &event.error,
                ip: &evidence.ip,
                user_agent: &event.user_agent,
                session_arn: &event.session,
                function_arn: &event.function,
                reason: &evidence.reason,
            }
        };
        Self { finding, events: evidence.iter().map(event).collect() }
    }
}

/// Columns of the names of facts.
const NAMES: usize = 8;

/// Writes the whole story for reading.
pub fn text(
    out: &mut Output,
    finding: &Finding,
    evidence: &[Evidence],
    now: Timestamp,
    onward: &Onward,
) -> io::Result<()> {
    let page = Page { width: out.width, indent: 2, paint: Paint { color: out.color } };
    head(out, page, finding)?;
    facts(out, page, finding, now)?;
    seen(out, page, finding, evidence)?;
    if let Some(session) = &finding.session {
        in_session(out, page, session)?;
    }
    history(out, page, finding)?;
    if !finding.allowed_by.is_empty() {
        heading(out, page.paint, "Allowed by")?;
        for allowed in &finding.allowed_by {
            page.paragraph(
                out,
                &plain_line(&format!("{}, statement {}", allowed.policy, allowed.statement)),
            )?;
        }
        writeln!(out)?;
    }
    heading(out, page.paint, "Remedy")?;
    page.write(out, &super::plain(&finding.remedy))?;
    writeln!(out)?;
    heading(out, page.paint, "Controls")?;
    rule_page::controls(out, page, finding.controls.iter().map(AsRef::as_ref))?;
    writeln!(out)?;
    let mut steps = vec![(onward.explain(&finding.rule), "why this matters")];
    let all = onward.findings(&format!("show {} --format json", finding.id));
    steps.extend(all.map(|all| (all, "everything, for a program")));
    heading(out, page.paint, "Next")?;
    next_steps(out, page.paint, page.width, &steps)
}

fn heading(out: &mut impl Write, paint: Paint, text: &str) -> io::Result<()> {
    writeln!(out, "{}", paint.text(BOLD, text))
}

fn head(out: &mut impl Write, page: Page, finding: &Finding) -> io::Result<()> {
    let paint = page.paint;
    let style = match finding.status {
        Status::Open | Status::Reopened => WARN,
        Status::Acknowledged | Status::Suppressed | Status::Resolved => DIM,
    };
    let status = paint.text(style, finding.status.name());
    writeln!(out, "{}  {status}  {}\n", paint.tag(finding.severity), paint.text(DIM, &finding.id))?;
    let title = paint.text(BOLD, &plain_line(&finding.title));
    writeln!(out, "{title}  {}", paint.text(DIM, &plain_line(&finding.rule)))?;
    // A name of the caller's may hold backticks: this is no documentation.
    for line in wrap(&plain_line(&short::sentence(&finding.reason)), page.width.min(96).saturating_sub(2)) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)
}

fn facts(out: &mut impl Write, page: Page, finding: &Finding, now: Timestamp) -> io::Result<()> {
    let place: Vec<&str> =
        [&finding.account, &finding.region].into_iter().flatten().map(String::as_str).collect();
    let mut what = finding.resources.clone();
    if what.is_empty() {
        what.push("no table named".to_owned());
    }
    what.push(place.join(", "));
    fact(out, page, "What", what)?;
    let principal = &finding.principal;
    let details = [Some(principal.kind.name()), principal.account.as_deref(), principal.unique_id.as_deref()];
    let details: Vec<&str> = details.into_iter().flatten().collect();
    let arn = principal.arn.clone().unwrap_or_default();
    fact(out, page, "Who", vec![arn, details.join(", ")])?;
    fact(out, page, "From", from(&finding.origin))?;
    let about = if finding.count_is_exact { "" } else { "about " };
    let count = format!("{about}{}", short::counted(finding.count, "event", "events"));
    let span = match finding.first_seen.zip(finding.last_seen) {
        Some((first, last)) if first == last => {
            format!("{} UTC ({})", short::second(first), short::ago(last, now))
        }
        Some((first, last)) => {
            format!(
                "{} – {} UTC, the last {}",
                short::second(first),
                short::second(last),
                short::ago(last, now)
            )
        }
        None => "at a time that the records do not tell".to_owned(),
    };
    fact(out, page, "Seen", vec![count, span])?;
    writeln!(out)
}

/// Where the calls came from, in whole.
fn from(origin: &Origin) -> Vec<String> {
    let mut lines = vec![short::whence(origin)];
    let owner = origin.vpc_account.as_deref().map(|account| format!(" of {account}")).unwrap_or_default();
    match (&origin.endpoint, &origin.vpc) {
        (Some(endpoint), Some(vpc)) => lines.push(format!("{endpoint} in {vpc}{owner}")),
        (Some(endpoint), None) if !lines.iter().any(|line| line.contains(endpoint)) => {
            lines.push(format!("{endpoint}{owner}"))
        }
        (Some(_) | None, _) => {}
    }
    lines
}

fn fact(out: &mut impl Write, page: Page, name: &str, lines: Vec<String>) -> io::Result<()> {
    let room = page.width.saturating_sub(2 + NAMES);
    let lines = lines.iter().filter(|line| !line.is_empty()).flat_map(|line| wrap(&plain_line(line), room));
    for (at, line) in lines.enumerate() {
        let name = page.paint.text(DIM, &format!("{:<NAMES$}", if at == 0 { name } else { "" }));
        writeln!(out, "  {name}{line}")?;
    }
    Ok(())
}

fn seen(out: &mut impl Write, page: Page, finding: &Finding, evidence: &[Evidence]) -> io::Result<()> {
    let of = match evidence.len() as u64 {
        0 => "no record is kept any more".to_owned(),
        shown if shown >= finding.count && finding.count_is_exact => String::new(),
        shown => format!("{shown} of {} (at most {EVIDENCE} are kept)", short::number(finding.count)),
    };
    let of = if of.is_empty() { of } else { format!("  {}", page.paint.text(DIM, &of)) };
    writeln!(out, "{}{of}", page.paint.text(BOLD, "Evidence"))?;
    let events: Vec<[String; 4]> = evidence.iter().map(event).collect();
    if table::fits(page.width.saturating_sub(page.indent), &events) {
        table::write(out, page, ["time (UTC)", "call", "from", "event id"], &events)?;
    } else {
        // Addresses and ids are not broken: they are to be copied.
        for [time, call, ip, id] in &events {
            for line in
                wrap(&format!("{time} {} from {ip}", call.replace('\n', ": ")), page.width.saturating_sub(4))
            {
                writeln!(out, "  {line}")?;
            }
            writeln!(out, "    {}", page.paint.text(DIM, id))?;
        }
    }
    writeln!(out)?;
    let agents = evidence.iter().map(|evidence| evidence.event.user_agent.as_deref());
    told(out, page, "User agents, in the callers' own words", agents)?;
    told(
        out,
        page,
        "Sessions, as the callers named them",
        evidence.iter().map(|evidence| evidence.event.session.as_deref()),
    )?;
    told(out, page, "Functions", evidence.iter().map(|evidence| evidence.event.function.as_deref()))
}

fn event(evidence: &Evidence) -> [String; 4] {
    let event = &evidence.event;
    let or_none = |text: &Option<String>| text.as_deref().map_or("none".to_owned(), plain_line);
    let time = event.time.as_deref().unwrap_or("none");
    let time = time.parse().map_or_else(|_| plain_line(time), short::second);
    let call = match &event.error {
        Some(error) => format!(
            "{}\n{}",
            or_none(&event.name),
            plain_line(error.strip_suffix("Exception").unwrap_or(error))
        ),
        None => or_none(&event.name),
    };
    [time, call, or_none(&evidence.ip), or_none(&event.id)]
}

/// What stands in the records, each once, the most frequent first.
fn told<'t>(
    out: &mut impl Write,
    page: Page,
    name: &str,
    texts: impl Iterator<Item = Option<&'t str>>,
) -> io::Result<()> {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for text in texts.flatten() {
        match counts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => counts.push((text, 1)),
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    heading(out, page.paint, name)?;
    for (text, count) in counts {
        let lines = wrap(&plain_line(text), page.width.saturating_sub(2 + 6));
        for (at, line) in lines.iter().enumerate() {
            let count = if at == 0 { format!("{count:>2} ×") } else { String::new() };
            writeln!(out, "  {}  {line}", page.paint.text(DIM, &format!("{count:<4}")))?;
        }
    }
    writeln!(out)
}

/// What is known of a break-glass session: how it was opened, by what leave, and what was done in it.
fn in_session(out: &mut impl Write, page: Page, session: &Session) -> io::Result<()> {
    heading(out, page.paint, "Session")?;
    let text = |text: &Option<String>| text.clone().into_iter().collect::<Vec<String>>();
    let issued = session.issued.map(|at| format!("{} UTC", short::second(at)));
    fact(out, page, "Id", text(&session.principal_id))?;
    fact(out, page, "Key", text(&session.access_key_id))?;
    fact(out, page, "Person", text(&session.source_identity))?;
    fact(out, page, "Began", issued.into_iter().collect())?;
    fact(out, page, "Opened", session.opened.iter().map(opening).collect())?;
    fact(out, page, "Grant", session.grants.iter().map(grant).collect())?;
    fact(out, page, "Tables", session.tables.clone())?;
    fact(out, page, "Calls", vec![session.calls.join(", ")])?;
    let place = |place: &Place| {
        let parts = [Some(&place.kind), place.endpoint.as_ref(), place.vpc.as_ref()];
        parts.into_iter().flatten().cloned().collect::<Vec<String>>().join(", ")
    };
    fact(out, page, "Places", session.origins.iter().map(place).collect())?;
    fact(out, page, "Address", vec![session.addresses.join(", ")])?;
    if session.more {
        fact(out, page, "More", vec!["there is more of it than is kept".to_owned()])?;
    }
    writeln!(out)
}

fn opening(opening: &Opening) -> String {
    let parts = [
        opening.at.map(|at| format!("{} UTC", short::second(at))),
        opening.by.as_ref().map(|by| format!("by {by}")),
        opening.source_identity.as_ref().map(|who| format!("as {who}")),
        opening.call.clone(),
        opening.ip.as_ref().map(|ip| format!("from {ip}")),
        opening.endpoint.as_ref().map(|endpoint| format!("through {endpoint}")),
        opening.duration_seconds.map(|seconds| format!("for {seconds} seconds")),
        opening.event_id.as_ref().map(|id| format!("event {id}")),
    ];
    parts.into_iter().flatten().collect::<Vec<String>>().join(", ")
}

fn grant(grant: &Grant) -> String {
    let parts = [
        grant.ticket.clone(),
        Some(grant.principal.clone()),
        grant.from.map(|from| format!("from {} UTC", short::second(from))),
        grant.until.map(|until| format!("until {} UTC", short::second(until))),
        grant.max_session_seconds.map(|seconds| format!("sessions of at most {seconds} seconds")),
    ];
    parts.into_iter().flatten().collect::<Vec<String>>().join(", ")
}

fn history(out: &mut impl Write, page: Page, finding: &Finding) -> io::Result<()> {
    if finding.history.is_empty() {
        return Ok(());
    }
    heading(out, page.paint, "History")?;
    for step in &finding.history {
        let change = format!("{} → {} by {}", step.from.name(), step.to.name(), plain_line(&step.by));
        writeln!(out, "  {}  {change}", page.paint.text(DIM, &short::minute(step.at)))?;
        for line in wrap(&plain_line(&step.note), page.width.saturating_sub(20)) {
            writeln!(out, "{:20}{line}", "")?;
        }
    }
    writeln!(out)
}

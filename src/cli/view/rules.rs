//! The list of rules.

use std::io::{self, Write};

use serde::Serialize;

use super::onward::Onward;
use super::paint::{self, BOLD, DIM, Paint};
use super::prose::wrap;
use super::sheet::Sheet;
use super::short::sentence;
use crate::audit::rule::{Rule, Severity, Subject};
use crate::audit::rules::{RULES, TRANSIT};
use crate::cli::output::Output;
use crate::perimeter::{RuleSettings, TransitMode};

/// A rule, for programs.
#[derive(Debug, Serialize)]
pub struct Listed {
    name: &'static str,
    /// `null`: off.
    severity: Option<Severity>,
    default_severity: Severity,
    raised_by: &'static str,
    title: &'static str,
    controls: &'static [&'static str],
}

/// Every rule, for programs.
pub fn listed(settings: Option<&RuleSettings>) -> Vec<Listed> {
    let listed = |rule: &&'static Rule| Listed {
        name: rule.id,
        severity: setting(rule, settings),
        default_severity: rule.severity,
        raised_by: raised_by(rule.subject),
        title: rule.title,
        controls: rule.controls,
    };
    RULES.iter().map(listed).collect()
}

/// The severity that a rule has; `None` where it is off, and where nothing can raise it.
pub fn setting(rule: &Rule, settings: Option<&RuleSettings>) -> Option<Severity> {
    let transit = settings.map(|settings| settings.transit);
    if rule.id == TRANSIT.id && transit == Some(TransitMode::Allow) {
        return None;
    }
    match settings.and_then(|settings| settings.severities.get(rule.id)) {
        Some(set) => *set,
        None => Some(rule.severity),
    }
}

/// Who raises it, in a word for programs.
pub fn raised_by(subject: Subject) -> &'static str {
    match subject {
        Subject::Call => "call",
        Subject::Change => "change",
        Subject::ProvenChange => "proof",
        Subject::ReplayedCall => "replay",
    }
}

/// Who raises it, for reading.
pub fn group(subject: Subject) -> &'static str {
    match subject {
        Subject::Call => "raised by calls to DynamoDB",
        Subject::Change => "raised by changes to what guards the perimeter",
        Subject::ProvenChange => "raised by changes, with what stood before (`scan --snapshot`)",
        Subject::ReplayedCall => "raised by calls, with what stood (`scan --snapshot`)",
    }
}

/// Writes the rules for reading, by who raises them.
pub fn text(out: &mut Output, settings: Option<&RuleSettings>, onward: &Onward) -> io::Result<()> {
    let (width, paint) = (out.width, Paint { color: out.color });
    let name_width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    // `critical`, the longest of them; the title has what is left.
    let severity_width = 8;
    let room = width.saturating_sub(2 + name_width + 2 + severity_width + 2);
    let subjects = [Subject::Call, Subject::Change, Subject::ProvenChange, Subject::ReplayedCall];
    for subject in subjects {
        writeln!(out, "{}", paint.text(BOLD, &sentence(group(subject))))?;
        for rule in RULES.iter().filter(|rule| rule.subject == subject) {
            let set = setting(rule, settings);
            let severity = format!("{:<severity_width$}", set.map_or("off", Severity::name));
            let severity = paint.text(set.map_or(DIM, paint::of_severity), &severity);
            let title = match set {
                set if set == Some(rule.severity) => rule.title.to_owned(),
                _ => format!("{} (by default {})", rule.title, rule.severity.name()),
            };
            for (at, line) in wrap(&title, room).iter().enumerate() {
                if at == 0 {
                    writeln!(out, "  {:<name_width$}  {severity}  {line}", rule.id)?;
                } else {
                    writeln!(out, "{:indent$}{line}", "", indent = width - room)?;
                }
            }
        }
        writeln!(out)?;
    }
    let steps = [(onward.explain("RULE"), "what it finds, and the remedy")];
    super::findings::next_steps(out, paint, width, &steps)
}

/// Writes the rules as a table for a spreadsheet.
pub fn csv(out: &mut impl Write, settings: Option<&RuleSettings>) -> io::Result<()> {
    let mut sheet = Sheet::with_header(out, &["name", "severity", "default_severity", "raised_by", "title"])?;
    for rule in RULES {
        let severity = setting(rule, settings).map_or("off", Severity::name);
        let cells = [rule.id, severity, rule.severity.name(), raised_by(rule.subject), rule.title];
        sheet.row(cells.map(Into::into))?;
    }
    sheet.flush()
}

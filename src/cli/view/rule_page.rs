//! A rule, explained.

use std::io::{self, Write};

use serde::Serialize;

use super::paint::{BOLD, DIM, Paint};
use super::prose::{Page, wrap};
use super::rules::{group, raised_by, setting};
use super::sheet::Sheet;
use super::{lint_page, plain_line};
use crate::audit::rule::{Rule, Severity};
use crate::cli::output::Output;
use crate::perimeter::RuleSettings;

/// A rule with all that it says, for programs.
#[derive(Serialize)]
pub struct Explained<'r> {
    name: &'r str,
    severity: Option<Severity>,
    default_severity: Severity,
    raised_by: &'static str,
    title: &'r str,
    what: &'r str,
    why: &'r str,
    example: serde_json::Value,
    remedy: &'r str,
    controls: &'r [&'r str],
}

impl<'r> Explained<'r> {
    /// The rule, as `settings` have it.
    pub fn new(rule: &'r Rule, settings: Option<&RuleSettings>) -> Self {
        Self {
            name: rule.id,
            severity: setting(rule, settings),
            default_severity: rule.severity,
            raised_by: raised_by(rule.subject),
            title: rule.title,
            what: rule.what,
            why: rule.why,
            // A test says that examples are JSON.
            example: serde_json::from_str(rule.example).unwrap_or_else(|_| rule.example.into()),
            remedy: rule.remedy,
            controls: rule.controls,
        }
    }
}

/// Writes rules, and then lints, with all that they say as a table for a spreadsheet.
pub fn csv(out: &mut impl Write, rules: &[Explained], lints: &[lint_page::Explained]) -> io::Result<()> {
    let names = [
        "name",
        "severity",
        "default_severity",
        "raised_by",
        "title",
        "what",
        "why",
        "example",
        "remedy",
        "controls",
    ];
    let mut sheet = Sheet::with_header(out, &names)?;
    for rule in rules {
        sheet.row([
            rule.name.into(),
            rule.severity.map_or("off", Severity::name).into(),
            rule.default_severity.name().into(),
            rule.raised_by.into(),
            rule.title.into(),
            rule.what.into(),
            rule.why.into(),
            rule.example.to_string().into(),
            rule.remedy.into(),
            rule.controls.join(" ").into(),
        ])?;
    }
    for lint in lints {
        sheet.row(lint.row().map(Into::into))?;
    }
    sheet.flush()
}

/// Writes the rule's page for reading.
pub fn text(out: &mut Output, rule: &Rule, settings: Option<&RuleSettings>) -> io::Result<()> {
    let page = Page { width: out.width, indent: 2, paint: Paint { color: out.color } };
    let paint = page.paint;
    let severity = match setting(rule, settings) {
        Some(severity) => paint.tag(severity),
        None => paint.text(DIM, "OFF"),
    };
    let set = match setting(rule, settings) {
        now if now == Some(rule.severity) => String::new(),
        _ => format!("as perimeter.toml sets it; {} by default\n", rule.severity.name()),
    };
    writeln!(out, "{severity}  {}\n{set}", paint.text(DIM, group(rule.subject)))?;
    writeln!(out, "{}  {}\n", paint.text(BOLD, rule.title), paint.text(DIM, rule.id))?;
    for (name, prose) in [("What it finds", rule.what), ("Why it matters", rule.why)] {
        writeln!(out, "{}", paint.text(BOLD, name))?;
        page.write(out, prose)?;
        writeln!(out)?;
    }
    writeln!(out, "{}", paint.text(BOLD, "A record that it fires on"))?;
    page.verbatim(out, rule.example.lines())?;
    writeln!(out)?;
    writeln!(out, "{}", paint.text(BOLD, "Remedy"))?;
    page.write(out, rule.remedy)?;
    writeln!(out)?;
    writeln!(out, "{}", paint.text(BOLD, "Controls"))?;
    controls(out, page, rule.controls.iter().copied())
}

/// Writes controls, a line for each framework.
pub fn controls<'c>(
    out: &mut impl Write,
    page: Page,
    controls: impl Iterator<Item = &'c str>,
) -> io::Result<()> {
    let mut frameworks: Vec<(&str, Vec<&str>)> = Vec::new();
    for control in controls {
        let (framework, number) = control.split_once(' ').unwrap_or((control, ""));
        match frameworks.iter_mut().find(|(known, _)| *known == framework) {
            Some((_, numbers)) => numbers.push(number),
            None => frameworks.push((framework, vec![number])),
        }
    }
    for (framework, numbers) in frameworks {
        let numbers = wrap(&plain_line(&numbers.join(", ")), page.width.saturating_sub(2 + 18));
        for (at, line) in numbers.iter().enumerate() {
            let name = if at == 0 { plain_line(framework) } else { String::new() };
            writeln!(out, "  {}{line}", page.paint.text(DIM, &format!("{name:<18}")))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::rules::RULES;

    #[test]
    fn every_example_can_be_given_to_programs() {
        for rule in RULES {
            assert!(Explained::new(rule, None).example.is_object(), "`{}`", rule.id);
        }
    }
}

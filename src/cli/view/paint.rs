//! Colours. They repeat what words say: without them nothing is lost.

use anstyle::{AnsiColor, Style};

use crate::audit::rule::Severity;
use crate::audit::verdict::Verdict;

/// Headings.
pub const BOLD: Style = Style::new().bold();
/// What stands beside.
pub const DIM: Style = Style::new().dimmed();
/// What may be copied: commands, code.
pub const CODE: Style = AnsiColor::Cyan.on_default();
/// What somebody should look at.
pub const WARN: Style = AnsiColor::Yellow.on_default();

/// Paints, or does not.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Colours are wanted.
    pub color: bool,
}

impl Paint {
    /// The text in that style.
    pub fn text(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A severity in capitals, as it heads a group.
    pub fn tag(self, severity: Severity) -> String {
        let name = severity.name().to_ascii_uppercase();
        if self.color {
            let style = of_severity(severity);
            // On a ground of its own, so that it is found while scrolling.
            format!("{style} {name} {style:#}", style = style.invert())
        } else {
            name
        }
    }
}

/// The style of a severity.
pub fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::Critical => AnsiColor::Red.on_default().bold(),
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low => AnsiColor::Blue.on_default(),
        Severity::Info => DIM,
    }
}

/// The style of a verdict.
pub fn of_verdict(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Inside => AnsiColor::Green.on_default(),
        Verdict::Outside => AnsiColor::Red.on_default().bold(),
        Verdict::Undetermined => AnsiColor::Yellow.on_default(),
        Verdict::Change => AnsiColor::Magenta.on_default(),
        Verdict::Denied => AnsiColor::Blue.on_default(),
        Verdict::Exempt | Verdict::Service => Style::new(),
        Verdict::Ignored => DIM,
    }
}

//! What became of findings by a decision.

use std::io::{self, Write};

use super::findings::brief;
use super::paint::{DIM, Paint};
use super::{plain_line, short};
use crate::cli::output::Output;
use crate::findings::finding::Finding;
use crate::findings::store::Decided;

/// Writes two lines a finding: where it stands now, and which one it is.
pub fn text(out: &mut Output, all: &[(Finding, Decided)]) -> io::Result<()> {
    let paint = Paint { color: out.color };
    let findings: Vec<Finding> = all.iter().map(|(finding, _)| finding.clone()).collect();
    for (finding, decided) in all {
        let id = brief(&finding.id, &findings);
        writeln!(out, "{id}  {}", standing(finding, decided))?;
        let who = short::who(&finding.principal, finding.account.as_deref());
        let what = format!("{}: {who} → {}", plain_line(&finding.rule), short::resources(&finding.resources));
        let indent = short::width(id) + 2;
        let room = out.width.saturating_sub(indent);
        writeln!(out, "{:indent$}{}", "", paint.text(DIM, &short::fit(&what, room)))?;
    }
    Ok(())
}

fn standing(finding: &Finding, decided: &Decided) -> String {
    let until = decided.kept.lapses_at().map(|end| format!(" until {} UTC", short::minute(end)));
    let now = format!("{}{}", finding.status.name(), until.unwrap_or_default());
    if !decided.is_news {
        return format!("{now}: this was decided before");
    }
    match finding.history.last() {
        Some(last) if last.from != last.to => format!("{} → {now}", last.from.name()),
        Some(_) | None => now,
    }
}

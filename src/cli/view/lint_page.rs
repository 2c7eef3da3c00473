//! A lint, explained.

use std::io::{self, Write};

use serde::Serialize;

use super::paint::{BOLD, DIM, Paint};
use super::prose::Page;
use crate::cli::output::Output;
use crate::iam::lint::Lint;

/// A lint with all that it says, for programs.
#[derive(Serialize)]
pub struct Explained {
    name: &'static str,
    raised_by: &'static str,
    title: &'static str,
    what: &'static str,
    why: &'static str,
    remedy: &'static str,
    source: &'static str,
}

impl Explained {
    /// All of it.
    pub fn new(lint: &'static Lint) -> Self {
        let Lint { name, title, what, why, remedy, source } = *lint;
        Self { name, raised_by: "lint", title, what, why, remedy, source }
    }

    /// In the columns that rules have; what a lint does not have is empty.
    pub(super) fn row(&self) -> [&'static str; 10] {
        [self.name, "", "", self.raised_by, self.title, self.what, self.why, "", self.remedy, ""]
    }
}

/// Writes the lint's page for reading.
pub fn text(out: &mut Output, lint: &Lint) -> io::Result<()> {
    let page = Page { width: out.width, indent: 2, paint: Paint { color: out.color } };
    let paint = page.paint;
    writeln!(out, "{}\n", paint.text(DIM, "said of policies by `perimeter prove`; it changes no verdict"))?;
    writeln!(out, "{}  {}", paint.text(BOLD, lint.title), paint.text(DIM, lint.name))?;
    let parts = [
        ("What happens", lint.what),
        ("Why it matters", lint.why),
        ("What to write", lint.remedy),
        ("Source", lint.source),
    ];
    for (name, prose) in parts {
        writeln!(out, "\n{}", paint.text(BOLD, name))?;
        page.write(out, prose)?;
    }
    Ok(())
}

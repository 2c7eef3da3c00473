//! CSV that a spreadsheet shows and does not run.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is a formula to Excel,
//! LibreOffice and others, also in the full-width forms that some of them take. It is put behind
//! `'`, which they show as text. What would do something on a terminal is an escape, as everywhere.
//!
//! Source: OWASP, "CSV Injection".

use std::borrow::Cow;
use std::io::{self, Write};

use super::plain_line;

/// Writes rows of the same number of cells.
pub struct Sheet<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> Sheet<W> {
    /// Without a header.
    pub fn new(out: W) -> Self {
        Self { writer: csv::Writer::from_writer(out) }
    }

    /// Begins with a header.
    pub fn with_header(out: W, names: &[&str]) -> io::Result<Self> {
        let mut sheet = Self::new(out);
        sheet.writer.write_record(names).map_err(io_error)?;
        Ok(sheet)
    }

    /// Writes a row.
    pub fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cow<'c, str>>) -> io::Result<()> {
        self.writer.write_record(cells.into_iter().map(|text| cell(&text))).map_err(io_error)
    }

    /// All that was written goes out.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A cell that is no formula.
pub fn cell(text: &str) -> String {
    let formula = text
        .trim_start_matches(' ')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let shown = plain_line(text);
    if formula { format!("'{shown}") } else { shown }
}

/// The error below, so that a closed pipe is still known for one.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        let cases = [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\t=1"),
            ("\r=1", "'\\r=1"),
            ("  =1", "'  =1"),
            ("＝1", "'＝1"),
            ("arn:aws:iam::1:role/=x", "arn:aws:iam::1:role/=x"),
            ("'", "'"),
            ("", ""),
        ];
        for (text, shown) in cases {
            assert_eq!(cell(text), shown);
        }
    }

    #[test]
    fn cells_stay_in_their_columns() {
        let mut out = Vec::new();
        let mut sheet = Sheet::with_header(&mut out, &["one", "two"]).unwrap();
        sheet.row(["a,\"b\"\nc".into(), "=1;\u{1b}".into()]).unwrap();
        sheet.flush().unwrap();
        drop(sheet);
        assert_eq!(String::from_utf8(out).unwrap(), "one,two\n\"a,\"\"b\"\"\\nc\",'=1;\\u{1b}\n");
    }
}

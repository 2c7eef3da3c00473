//! Where results and remarks go.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};

use super::{Common, Failure};

/// Results alone go here: to a file, or to standard output.
pub struct Output {
    writer: Box<dyn Write>,
    /// Colours are wanted.
    pub color: bool,
    /// Columns to write in.
    pub width: usize,
}

/// Columns where there is no terminal.
const WIDTH: usize = 100;

impl Output {
    /// Opens what `--output` and `--color` ask for.
    pub fn open(common: &Common) -> Result<Self, Failure> {
        let Some(path) = &common.output else { return Ok(Self::stdout(common)) };
        let file = File::create(path)
            .map_err(|error| Failure::Said(format!("cannot write {}: {error}", path.display())))?;
        let color = common.color == clap::ColorChoice::Always;
        Ok(Self { writer: Box::new(BufWriter::new(file)), color, width: WIDTH })
    }

    /// Beside the result, for remarks of several lines.
    pub fn stderr(common: &Common) -> Self {
        Self { writer: Box::new(BufWriter::new(io::stderr())), color: common.colored(), width: WIDTH }
    }

    fn stdout(common: &Common) -> Self {
        let stdout = io::stdout();
        let color = match common.color {
            clap::ColorChoice::Always => true,
            clap::ColorChoice::Never => false,
            clap::ColorChoice::Auto => anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        };
        let terminal = stdout.is_terminal().then(terminal_size::terminal_size).flatten();
        let width = terminal.map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(60, 200));
        Self { writer: Box::new(BufWriter::new(stdout)), color, width }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Says why nothing could be done.
pub fn failure(failure: &Failure, color: bool) {
    match failure {
        Failure::Configuration(rendered) => drawn(rendered),
        other => fault(&other.to_string(), color),
    }
}

/// Writes what is drawn and made inert already, beside the result.
pub fn drawn(rendered: &str) {
    // As for remarks.
    let _ = writeln!(io::stderr(), "{rendered}");
}

/// Names something that could not be done, beside the result.
pub fn fault(text: &str, color: bool) {
    let label = if color { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    // As for remarks.
    let _ = writeln!(io::stderr(), "{label}: {}", super::view::plain(text));
}

/// Says something beside the result.
pub fn remark(text: &str, color: bool) {
    let label = if color { "\u{1b}[1;33mnote\u{1b}[0m" } else { "note" };
    // Where even that cannot be said, nobody is there to hear it.
    let _ = writeln!(io::stderr(), "{label}: {}", super::view::plain(text));
}

//! A bar on the terminal while a scan runs: how far, how fast, how long still.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use walkdir::WalkDir;

use super::Common;
use super::input;

/// The bar; hidden where nobody looks at it.
pub struct Progress<'c> {
    bar: ProgressBar,
    common: &'c Common,
}

/// What a command is doing, for one of which nobody can say how long it takes; hidden where nobody looks at it.
pub struct Spinner<'c> {
    bar: ProgressBar,
    common: &'c Common,
}

impl<'c> Spinner<'c> {
    /// Shows it on a terminal.
    pub fn start(common: &'c Common) -> Self {
        if common.quiet || !io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), common };
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, common }
    }

    /// Says what comes next.
    pub fn tell(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        if self.common.verbose > 0 {
            self.bar.suspend(|| self.common.detail(text));
        }
    }

    /// Takes it away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A source of bytes that counts what is read from it.
pub struct Counting {
    source: Box<dyn Read + Send>,
    bar: ProgressBar,
    /// Bytes read.
    pub read: u64,
}

impl<'c> Progress<'c> {
    /// Shows a bar on a terminal, unless results run through it meanwhile. Its length is found while it
    /// already runs.
    pub fn start(common: &'c Common, paths: &[OsString], results_meanwhile: bool) -> Self {
        let in_the_way = results_meanwhile && common.output.is_none() && io::stdout().is_terminal();
        if common.quiet || in_the_way || !io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), common };
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} at {bytes_per_sec}  {msg}") {
            bar.set_style(style);
        }
        let measured = (bar.clone(), paths.to_vec());
        std::thread::spawn(move || set_length(&measured.0, &measured.1));
        Self { bar, common }
    }

    /// Counts what is read from `source`.
    pub fn counting(&self, source: Box<dyn Read + Send>) -> Counting {
        Counting { source, bar: self.bar.clone(), read: 0 }
    }

    /// Says something that only those hear who want to know more.
    pub fn detail(&self, text: impl FnOnce() -> String) {
        if self.common.verbose > 0 {
            self.bar.suspend(|| self.common.detail(&text()));
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Read for Counting {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(space)?;
        self.read += read as u64;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

/// Where all is on this machine, its size is known, and with it the time left.
fn set_length(bar: &ProgressBar, paths: &[OsString]) {
    let mut total = 0;
    for path in paths {
        let path = Path::new(path);
        if !path.exists() {
            return;
        }
        for entry in WalkDir::new(path).follow_links(true).into_iter().flatten() {
            let counts = entry.depth() == 0 || input::is_log(entry.path());
            total +=
                entry.metadata().ok().filter(|data| data.is_file() && counts).map_or(0, |data| data.len());
        }
    }
    if let Ok(style) = ProgressStyle::with_template(
        "{bar:32} {percent:>3}%  {bytes}/{total_bytes} at {bytes_per_sec}, {eta} left  {msg}",
    ) {
        bar.set_length(total);
        bar.set_style(style);
    }
}

//! Where results and remarks go.
//!
//! A result that goes to a file is written beside it and takes its place once it is whole: a command
//! that fails leaves the old one, and no command replaces a file that it reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use terminal_size::{Height, Width, terminal_size_of};

use super::{Common, Failure};
use crate::aws::store_url::StoreUrl;

/// Results alone go here: to a file, or to standard output.
pub struct Output {
    writer: Writer,
    /// Colours are wanted.
    pub color: bool,
    /// Columns to write in.
    pub width: usize,
    /// A program may read the lines, one by one.
    piped: bool,
}

enum Writer {
    /// To whoever reads it meanwhile.
    Through(BufWriter<Quiet<Box<dyn Write>>>),
    /// Into a file that is put in the place of another.
    Beside(BufWriter<NamedTempFile>, PathBuf),
}

/// A file that a command reads or keeps, and that no result may replace.
pub struct Used {
    /// Where it is.
    pub path: PathBuf,
    /// What it is, for messages.
    pub what: &'static str,
}

/// Columns where there is no terminal.
const WIDTH: usize = 100;

/// How files begin and end that are not whole yet.
const PART: (&str, &str) = (".perimeter-", ".part");

/// Names that stand for something that is open already.
const DESCRIPTORS: [&str; 4] = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd"];

impl Output {
    /// Opens what `--output` and `--color` ask for.
    pub fn open(common: &Common) -> Result<Self, Failure> {
        Self::open_apart(common, Vec::new())
    }

    /// The same, where more files are in use than the arguments name.
    pub fn open_apart(common: &Common, used: Vec<Used>) -> Result<Self, Failure> {
        match &common.output {
            Some(path) => Self::open_file(common, path, used),
            None => Ok(Self::stdout(common)),
        }
    }

    /// Opens another file to write, as `--output` is.
    pub fn open_file(common: &Common, path: &Path, mut used: Vec<Used>) -> Result<Self, Failure> {
        let refused = |why: &str| Failure::Said(format!("cannot write `{}`: {why}", path.display()));
        let failed = |error: io::Error| refused(&error.to_string());
        let color = common.color == clap::ColorChoice::Always;
        let output = |writer, piped| Self { writer, color, width: WIDTH, piped };
        if is_special(path) {
            let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
            return Ok(output(Writer::through(file), true));
        }
        if path.is_dir() {
            return Err(refused("it is a folder"));
        }
        let target = real(path);
        used.extend(common.used());
        if let Some(used) = used.iter().find(|used| real(&used.path) == target) {
            return Err(refused(&format!("it is {}; name another file", used.what)));
        }
        let part = beside(&target).map_err(failed)?;
        Ok(output(Writer::Beside(BufWriter::new(part), target), false))
    }

    /// Beside the result, for remarks of several lines.
    pub fn stderr(common: &Common) -> Self {
        let stderr = io::stderr();
        let width = columns(terminal_size_of(&stderr)).unwrap_or(WIDTH);
        Self { writer: Writer::through(stderr), color: common.colored(), width, piped: false }
    }

    fn stdout(common: &Common) -> Self {
        let stdout = io::stdout();
        let color = match common.color {
            clap::ColorChoice::Always => true,
            clap::ColorChoice::Never => false,
            clap::ColorChoice::Auto => anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        };
        // What goes on to a pager is looked at on the same terminal.
        let size = terminal_size_of(&stdout).or_else(|| terminal_size_of(io::stderr()));
        let width = columns(size).unwrap_or(WIDTH);
        let piped = !stdout.is_terminal();
        Self { writer: Writer::through(stdout), color, width, piped }
    }

    /// Columns for what stands on one line, to be searched line by line.
    pub fn line_width(&self) -> usize {
        if self.piped { self.width.max(WIDTH) } else { self.width }
    }

    /// The file that is replaced at the end, links resolved.
    pub fn target(&self) -> Option<&Path> {
        match &self.writer {
            Writer::Through(_) => None,
            Writer::Beside(_, target) => Some(target),
        }
    }

    /// All is written: it takes its place.
    ///
    /// # Errors
    /// Where not all could be written.
    pub fn finish(self) -> io::Result<()> {
        match self.writer {
            Writer::Through(mut writer) => writer.flush(),
            Writer::Beside(writer, target) => {
                let part = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
                part.persist(target).map(drop).map_err(|error| error.error)
            }
        }
    }
}

impl Writer {
    fn through(writer: impl Write + 'static) -> Self {
        Writer::Through(BufWriter::new(Quiet { writer: Box::new(writer) }))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Writer::Through(writer) => writer.write(bytes),
            Writer::Beside(writer, _) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Through(writer) => writer.flush(),
            Writer::Beside(writer, _) => writer.flush(),
        }
    }
}

/// Whoever reads the result may have seen enough: what is left goes nowhere, and the command does
/// the rest of what was asked.
struct Quiet<W> {
    writer: W,
}

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.writer.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.writer.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Columns of a terminal, as far as lines are laid out for them.
fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(width, _)| usize::from(width.0).clamp(60, 200))
}

/// A device, a pipe, or what is open already: nothing that could be put in its place would do.
pub fn is_special(path: &Path) -> bool {
    DESCRIPTORS.iter().any(|name| path.starts_with(name))
        || fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir())
}

/// The path with links resolved; of a file that is not there, the folder's.
pub fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    path.file_name().map(|name| folder.join(name)).unwrap_or(folder)
}

/// The files of a store.
pub fn store_files(url: &StoreUrl) -> Vec<Used> {
    let StoreUrl::File(path) = url else { return Vec::new() };
    let file = |ending: &str| {
        let mut path = path.clone().into_os_string();
        path.push(ending);
        Used { path: path.into(), what: "the store" }
    };
    ["", "-wal", "-shm", "-journal"].map(file).into()
}

impl Common {
    /// The files that the arguments name.
    fn used(&self) -> Vec<Used> {
        let config = self.config.clone().unwrap_or_else(|| PathBuf::from("perimeter.toml"));
        let mut used = vec![Used { path: config, what: "the configuration" }];
        let lists = self.endpoints.iter().cloned();
        used.extend(lists.map(|path| Used { path, what: "a list of endpoints" }));
        if let Some(Ok(url)) = self.store.as_deref().map(str::parse) {
            used.extend(store_files(&url));
        }
        used
    }
}

/// A file in the same folder, readable to whom the target is.
fn beside(target: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PART.0).suffix(PART.1);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // One that may not be written is not to be replaced either.
    let there = match OpenOptions::new().write(true).open(target) {
        Ok(file) => Some(file.metadata()?.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let part = builder.tempfile_in(target.parent().unwrap_or(Path::new("/")))?;
    if let Some(permissions) = there {
        File::set_permissions(part.as_file(), permissions)?;
    }
    Ok(part)
}

/// Is it a result that is not whole yet?
pub fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(PART.0) && name.ends_with(PART.1)
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

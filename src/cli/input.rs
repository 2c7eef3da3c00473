//! What a scan reads: files, folders, globs, standard input, one after another.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use walkdir::WalkDir;

use super::Failure;
use super::output::{is_part, real};
use crate::aws::s3_tree::Fetched;

/// One thing to read.
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// An object of S3, already on its way.
    S3(Fetched),
}

impl Input {
    /// As it is named in messages.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "standard input".to_owned(),
            Input::File(path) => path.display().to_string(),
            Input::S3(fetched) => fetched.name.clone(),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Input::Stdin => Ok(Box::new(io::stdin())),
            Input::File(path) => Ok(Box::new(File::open(path)?)),
            Input::S3(fetched) => fetched.body,
        }
    }
}

/// Something that was asked for and is not there.
#[derive(Debug)]
pub struct Missing {
    /// As it was asked for.
    pub name: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// What a single argument stands for, one after another.
type Found = Box<dyn Iterator<Item = Result<Input, Missing>> + Send>;

/// An argument, and what it stands for.
struct Asked {
    name: String,
    found: Found,
    /// It stands for something.
    met: bool,
}

/// Goes through what was asked for, in its order and within a folder by name. Folders are walked as
/// they are reached: their listing is never held whole.
#[derive(Default)]
pub struct Inputs {
    asked: VecDeque<Asked>,
    skipped: Arc<AtomicU64>,
    /// The file that the result is written to, links resolved: it is never read.
    result: Option<PathBuf>,
    met_result: Arc<AtomicBool>,
    empty: Vec<String>,
}

impl Inputs {
    /// Reads whatever is asked for but the file that the result is written to.
    pub fn apart_from(result: Option<&Path>) -> Self {
        Self { result: result.map(Path::to_owned), ..Self::default() }
    }

    /// Asks for a file, a folder, a glob, or `-`.
    ///
    /// # Errors
    /// Where the result would be written over it, or where it would be read as a log next time.
    pub fn ask(&mut self, text: &OsStr) -> Result<(), Failure> {
        let name = text.to_string_lossy().into_owned();
        if text == "-" {
            // As far as the system tells which file that is.
            self.check(Path::new("/dev/stdin"))?;
            self.push(name, Box::new(std::iter::once(Ok(Input::Stdin))));
            return Ok(());
        }
        let mut found: Vec<Found> = Vec::new();
        for path in matches_of(Path::new(text)) {
            found.push(match path {
                Ok(path) => {
                    self.check(&path)?;
                    self.local(path)
                }
                Err(missing) => Box::new(std::iter::once(Err(missing))),
            });
        }
        self.push(name, Box::new(found.into_iter().flatten()));
        Ok(())
    }

    /// Asks for objects of S3.
    pub fn ask_objects(&mut self, name: &str, objects: impl Iterator<Item = Fetched> + Send + 'static) {
        self.push(name.to_owned(), Box::new(objects.map(|fetched| Ok(Input::S3(fetched)))));
    }

    /// Names something that was asked for and cannot be there.
    pub fn ask_in_vain(&mut self, missing: Missing) {
        self.push(missing.name.clone(), Box::new(std::iter::once(Err(missing))));
    }

    fn push(&mut self, name: String, found: Found) {
        self.asked.push_back(Asked { name, found, met: false });
    }

    /// Files in folders that are no logs by their names.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// What was asked for and has no file to read.
    pub fn empty(&self) -> &[String] {
        &self.empty
    }

    /// Was the file met that the result is to be written to?
    pub fn met_result(&self) -> bool {
        self.met_result.load(Ordering::Relaxed)
    }

    /// Refuses what the result would be written over.
    fn check(&self, path: &Path) -> Result<(), Failure> {
        let Some(result) = &self.result else { return Ok(()) };
        let read = real(path);
        let why = if read == *result {
            "it is read"
        } else if is_log(result) && path.is_dir() && result.starts_with(&read) {
            "in that folder it would be read as a log"
        } else {
            return Ok(());
        };
        let (result, path) = (result.display(), path.display());
        Err(Failure::Said(format!("--output `{result}` clashes with the input `{path}`: {why}")))
    }

    /// What is named is read, whatever its name; of a folder, what is named like a log.
    fn local(&self, path: PathBuf) -> Found {
        if !path.is_dir() {
            return Box::new(std::iter::once(Ok(Input::File(path))));
        }
        let (skipped, met_result) = (Arc::clone(&self.skipped), Arc::clone(&self.met_result));
        let result = self.result.clone();
        Box::new(folder(&path).filter_map(move |found| match found {
            Ok(Entry::File(path)) if is_part(&path) => None,
            Ok(Entry::Other) => {
                skipped.fetch_add(1, Ordering::Relaxed);
                None
            }
            Ok(Entry::File(path)) if !is_log(&path) => {
                skipped.fetch_add(1, Ordering::Relaxed);
                None
            }
            Ok(Entry::File(path)) if result.as_deref().is_some_and(|result| is_same(&path, result)) => {
                met_result.store(true, Ordering::Relaxed);
                let reason = "the result is to be written to it".to_owned();
                Some(Err(Missing { name: path.display().to_string(), reason }))
            }
            Ok(Entry::File(path)) => Some(Ok(Input::File(path))),
            Err(missing) => Some(Err(missing)),
        }))
    }
}

impl Iterator for Inputs {
    type Item = Result<Input, Missing>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(asked) = self.asked.front_mut() {
            if let Some(input) = asked.found.next() {
                asked.met = true;
                return Some(input);
            }
            if let Some(Asked { name, met: false, .. }) = self.asked.pop_front() {
                self.empty.push(name);
            }
        }
        None
    }
}

/// Is the path that file, under its own name or as a link?
fn is_same(path: &Path, file: &Path) -> bool {
    (path.file_name() == file.file_name() || path.is_symlink()) && real(path) == *file
}

/// What lies in a folder.
enum Entry {
    File(PathBuf),
    /// A pipe, a socket, a device.
    Other,
}

/// The files below a folder, by name.
fn folder(path: &Path) -> impl Iterator<Item = Result<Entry, Missing>> + Send + use<> {
    let entries = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
    entries.filter_map(|entry| match entry {
        Ok(entry) if entry.file_type().is_file() => Some(Ok(Entry::File(entry.into_path()))),
        Ok(entry) if entry.file_type().is_dir() => None,
        Ok(_) => Some(Ok(Entry::Other)),
        Err(error) => {
            let name = error.path().map(|path| path.display().to_string()).unwrap_or_default();
            Some(Err(Missing {
                name,
                reason: error
                    .into_io_error()
                    .map_or_else(|| "a loop of links".to_owned(), |error| error.to_string()),
            }))
        }
    })
}

/// The files and folders that an argument stands for: itself, or what fits a pattern, by name. What
/// could not be looked into is named.
fn matches_of(pattern: &Path) -> Vec<Result<PathBuf, Missing>> {
    let name = pattern.display().to_string();
    let missing = |reason: &str| vec![Err(Missing { name: name.clone(), reason: reason.to_owned() })];
    match std::fs::metadata(pattern) {
        Ok(_) => return vec![Ok(pattern.to_owned())],
        Err(error) if error.kind() != io::ErrorKind::NotFound => return missing(&error.to_string()),
        Err(_) => {}
    }
    if name.is_empty() {
        return missing("an empty path");
    }
    let Some(text) = pattern.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return missing("no such file or folder");
    };
    // What a shell means by `**` at the end: all that is below, and not its folders alone.
    let text = text.strip_suffix("/**").filter(|above| !above.is_empty()).unwrap_or(text);
    let found = match glob::glob(text) {
        Ok(found) => found,
        Err(error) => return missing(error.msg),
    };
    let mut matches: Vec<_> = found
        .map(|found| {
            found.map_err(|error| Missing {
                name: error.path().display().to_string(),
                reason: error.error().to_string(),
            })
        })
        .collect();
    if matches.is_empty() {
        return missing("nothing matches");
    }
    matches.sort_by(|one, other| place(one).cmp(place(other)));
    if text.contains("**") {
        once_each(&mut matches);
    }
    matches
}

/// Through `**` a folder matches beside what is in it. Its files are read as they match, and it is not
/// walked; unless the pattern stands for folders alone: then those in others are walked with these.
fn once_each(matches: &mut Vec<Result<PathBuf, Missing>>) {
    let is_folder = |found: &Result<PathBuf, Missing>| found.as_ref().is_ok_and(|path| path.is_dir());
    if !matches.iter().all(is_folder) {
        return matches.retain(|found| !is_folder(found));
    }
    matches.dedup_by(|next, last| place(next).starts_with(place(last)));
}

fn place(found: &Result<PathBuf, Missing>) -> &Path {
    match found {
        Ok(path) => path,
        Err(missing) => Path::new(&missing.name),
    }
}

/// `*.json`, `*.jsonl`, `*.ndjson`, each also `.gz`.
pub fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".json", ".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending))
}

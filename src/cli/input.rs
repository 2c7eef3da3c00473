//! What a scan reads: files, folders, globs, standard input, one after another.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use walkdir::WalkDir;

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

/// Goes through what was asked for, in its order and within a folder by name. Folders are walked as
/// they are reached: their listing is never held whole.
#[derive(Default)]
pub struct Inputs {
    asked: VecDeque<Found>,
    skipped: Arc<AtomicU64>,
}

impl Inputs {
    /// Asks for a file, a folder, a glob, or `-`.
    pub fn ask(&mut self, text: &str) {
        let path = PathBuf::from(text);
        let found: Found = match text {
            "-" => Box::new(std::iter::once(Ok(Input::Stdin))),
            _ if path.exists() => self.local(path),
            _ => match matches_of(&path) {
                Ok(paths) => Box::new(
                    paths.into_iter().map(|path| self.local(path)).collect::<Vec<_>>().into_iter().flatten(),
                ),
                Err(missing) => Box::new(std::iter::once(Err(missing))),
            },
        };
        self.asked.push_back(found);
    }

    /// Asks for objects of S3.
    pub fn ask_objects(&mut self, objects: impl Iterator<Item = Fetched> + Send + 'static) {
        self.asked.push_back(Box::new(objects.map(|fetched| Ok(Input::S3(fetched)))));
    }

    /// Files in folders that are no logs by their names.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// What is named is read, whatever its name; of a folder, what is named like a log.
    fn local(&self, path: PathBuf) -> Found {
        if !path.is_dir() {
            return Box::new(std::iter::once(Ok(Input::File(path))));
        }
        let skipped = Arc::clone(&self.skipped);
        Box::new(folder(&path).filter_map(move |found| match found {
            Ok(path) if !is_log(&path) => {
                skipped.fetch_add(1, Ordering::Relaxed);
                None
            }
            Ok(path) => Some(Ok(Input::File(path))),
            Err(missing) => Some(Err(missing)),
        }))
    }
}

impl Iterator for Inputs {
    type Item = Result<Input, Missing>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(found) = self.asked.front_mut() {
            if let Some(input) = found.next() {
                return Some(input);
            }
            self.asked.pop_front();
        }
        None
    }
}

/// The files below a folder, by name.
fn folder(path: &Path) -> Box<dyn Iterator<Item = Result<PathBuf, Missing>> + Send> {
    let entries = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
    Box::new(entries.filter_map(|entry| match entry {
        Ok(entry) if entry.file_type().is_file() => Some(Ok(entry.into_path())),
        Ok(_) => None,
        Err(error) => {
            let name = error.path().map(|path| path.display().to_string()).unwrap_or_default();
            Some(Err(Missing {
                name,
                reason: error
                    .into_io_error()
                    .map_or_else(|| "a loop of links".to_owned(), |error| error.to_string()),
            }))
        }
    }))
}

/// The files and folders that a pattern stands for.
fn matches_of(pattern: &Path) -> Result<Vec<PathBuf>, Missing> {
    let name = pattern.display().to_string();
    let missing = |reason: &str| Missing { name: name.clone(), reason: reason.to_owned() };
    if !name.contains(['*', '?', '[']) {
        return Err(missing("no such file or folder"));
    }
    let found = glob::glob(&name).map_err(|error| missing(error.msg))?;
    let mut paths: Vec<PathBuf> = found.filter_map(Result::ok).collect();
    paths.sort();
    if paths.is_empty() { Err(missing("nothing matches")) } else { Ok(paths) }
}

/// `*.json`, `*.jsonl`, `*.ndjson`, each also `.gz`.
pub fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".json", ".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending))
}

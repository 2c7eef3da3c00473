//! The file of an embedded store: whether it is one, and how it is made where there is none.
//!
//! A new one is made beside its place, which it takes once its table is whole: whoever is stopped in between
//! leaves no table without its indexes, and of several who make one at once the first does. Whoever makes one
//! has the folder to itself: then what else lies there of a store is of no use to anybody.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::embedded::{Embedded, EmbeddedError, create_folder_of};
use super::store_url::{OpenError, local};

/// How a store begins and ends that is not whole yet.
const NEW: (&str, &str) = (".perimeter-", ".new");

/// What SQLite puts beside a database: its name with this behind it.
///
/// Source: SQLite, "Temporary Files Used By SQLite".
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How long others may take to make a store.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is at a path and cannot be a store, in words: whoever opened it might wait for ever.
pub(super) fn special(path: &Path) -> Option<&'static str> {
    let kind = fs::metadata(path).ok()?.file_type();
    if kind.is_file() {
        return None;
    }
    Some(if kind.is_dir() { "a folder" } else { "a pipe, a socket or a device" })
}

/// Is there a file that is no SQLite database? One that cannot be looked at, opening it tells of.
///
/// Source: SQLite, "Database File Format", "The Database Header".
pub(super) fn is_other(path: &Path) -> bool {
    const HEADER: &[u8] = b"SQLite format 3\0";
    let mut begins = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(HEADER.len() as u64).read_to_end(&mut begins).map(drop));
    read.is_ok() && !begins.is_empty() && begins != HEADER
}

/// Makes a new store, unless somebody else does first.
pub(super) async fn make(path: &Path) -> Result<(), OpenError> {
    let failed = |cause| EmbeddedError::File { path: path.display().to_string(), cause };
    create_folder_of(path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let alone = alone_in(folder);
    if path.exists() {
        return Ok(());
    }
    // Of a database that is there no more. The next one of that name would take it for its own.
    let stale: Vec<PathBuf> =
        BESIDE.iter().map(|ending| with(path, ending)).filter(|file| file.exists()).collect();
    if alone.is_some() {
        stale.iter().try_for_each(fs::remove_file).map_err(failed)?;
        sweep(folder);
    } else if let Some(stale) = stale.into_iter().next() {
        return Err(OpenError::Stale(stale.display().to_string()));
    }
    let place = tempfile::Builder::new().prefix(NEW.0).suffix(NEW.1).tempfile_in(folder);
    let new = place.map_err(failed)?.into_temp_path();
    drop(local(Embedded::file(&new)?).await?);
    match new.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error.error).into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The folder, locked for whoever else makes a store in it until this is dropped. Nothing where the system locks
/// no folders, or another keeps it too long.
fn alone_in(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(fs::TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(_) => return None,
        }
    }
}

/// Removes what those left who were stopped while they made a store here; nobody else makes one now. What cannot
/// be removed is in nobody's way.
fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_new(&entry.file_name())) {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Is it the name of a store that is not whole yet, or of what SQLite puts beside it?
fn is_new(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let database = BESIDE.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    database.starts_with(NEW.0) && database.ends_with(NEW.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_to_be_a_store_is_swept() {
        for name in [".perimeter-a1B2c3.new", ".perimeter-a1B2c3.new-wal", ".perimeter-.new-journal"] {
            assert!(is_new(name.as_ref()), "{name}");
        }
        for name in [".perimeter-a1B2c3.part", "findings.new", ".perimeter-a.new.json", "perimeter-a.new"] {
            assert!(!is_new(name.as_ref()), "{name}");
        }
    }
}

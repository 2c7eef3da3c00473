//! What may be more than memory should hold, on disk: in runs, each sorted by name, which are joined as they
//! are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::findings::replaced::Replaced;
use crate::findings::sample::EventKey;
use crate::findings::store::Delta;

/// Runs that are open at once; more are merged into one.
const MAX_RUNS: usize = 64;

/// A part of something that has a name. Parts of the same are joined.
pub trait Part: Clone + Serialize + DeserializeOwned {
    /// What tells one from another.
    type Name: Ord + Serialize + DeserializeOwned;

    /// Adds another part of the same.
    fn join(&mut self, other: Self);
}

impl Part for Delta {
    type Name = String;

    fn join(&mut self, other: Self) {
        self.join(other);
    }
}

impl Part for Replaced {
    type Name = EventKey;

    fn join(&mut self, other: Self) {
        self.join(other);
    }
}

/// A part, behind its name; a line of a run.
pub type Entry<P> = (<P as Part>::Name, P);

/// Runs in a folder; they have no names there, and are gone with the process.
pub struct Runs {
    folder: PathBuf,
    runs: Vec<Arc<File>>,
    /// So many are merged into one.
    merge_at: usize,
}

impl Runs {
    /// None yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), runs: Vec::new(), merge_at: MAX_RUNS }
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Writes entries, rising by name and each of another name.
    ///
    /// # Errors
    /// Where there is no room for them.
    pub fn push<P: Part>(&mut self, entries: &[Entry<P>]) -> io::Result<()> {
        self.runs.push(Arc::new(self.write(entries.iter().map(Ok))?));
        if self.runs.len() > self.merge_at {
            match self.write(self.merged::<P>(Vec::new())) {
                Ok(merged) => self.runs = vec![Arc::new(merged)],
                // There is no room for both: they stay as they are.
                Err(_) => self.merge_at *= 2,
            }
        }
        Ok(())
    }

    /// All that is in the runs, joined with what is `held`, which rises by name as well.
    pub fn merged<P: Part>(&self, held: Vec<Entry<P>>) -> Merged<P> {
        let runs = self.runs.iter().map(|run| Source::Disk(BufReader::new(Arc::clone(run))));
        Merged::new(runs.chain([Source::Held(held.into_iter())]).collect())
    }

    fn write<E: Serialize>(&self, mut entries: impl Iterator<Item = io::Result<E>>) -> io::Result<File> {
        let mut out = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        entries.try_for_each(|entry| {
            serde_json::to_writer(&mut out, &entry?)?;
            out.write_all(b"\n")
        })?;
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// Where entries come from, rising by name.
enum Source<P: Part> {
    Disk(BufReader<Arc<File>>),
    Held(std::vec::IntoIter<Entry<P>>),
}

impl<P: Part> Source<P> {
    fn begin(&mut self) -> io::Result<()> {
        match self {
            Source::Held(_) => Ok(()),
            Source::Disk(run) => run.rewind(),
        }
    }

    fn next(&mut self) -> io::Result<Option<Entry<P>>> {
        match self {
            Source::Held(entries) => Ok(entries.next()),
            Source::Disk(run) => {
                let mut line = Vec::new();
                if run.take(u64::MAX).read_until(b'\n', &mut line)? == 0 {
                    return Ok(None);
                }
                Ok(Some(serde_json::from_slice(&line)?))
            }
        }
    }
}

/// Entries of several sources: each name once, rising. What can be read is, and the first error comes last.
pub struct Merged<P: Part> {
    sources: Vec<Source<P>>,
    /// What each source has next.
    heads: Vec<Option<P>>,
    /// The names of those.
    next: BinaryHeap<Reverse<(P::Name, usize)>>,
    failed: Option<io::Error>,
}

impl<P: Part> Merged<P> {
    fn new(sources: Vec<Source<P>>) -> Self {
        let heads = sources.iter().map(|_| None).collect();
        let mut merged = Self { sources, heads, next: BinaryHeap::new(), failed: None };
        for number in 0..merged.sources.len() {
            merged.advance(number, Source::begin);
        }
        merged
    }

    /// What a source has, in exchange for what it has next.
    fn advance(&mut self, number: usize, begin: impl Fn(&mut Source<P>) -> io::Result<()>) -> Option<P> {
        let (source, head) = (self.sources.get_mut(number)?, self.heads.get_mut(number)?);
        let entry = begin(source).and_then(|()| source.next()).unwrap_or_else(|error| {
            self.failed.get_or_insert(error);
            None
        });
        let (name, part) = entry.unzip();
        self.next.extend(name.map(|name| Reverse((name, number))));
        std::mem::replace(head, part)
    }

    fn take(&mut self) -> Option<Entry<P>> {
        let mut taken: Option<Entry<P>> = None;
        while let Some(Reverse((name, _))) = self.next.peek()
            && taken.as_ref().is_none_or(|(known, _)| known == name)
            && let Some(Reverse((name, number))) = self.next.pop()
        {
            match (&mut taken, self.advance(number, |_| Ok(()))) {
                (Some((_, known)), Some(part)) => known.join(part),
                (None, Some(part)) => taken = Some((name, part)),
                (_, None) => {}
            }
        }
        taken
    }
}

impl<P: Part> Iterator for Merged<P> {
    type Item = io::Result<Entry<P>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take().map(Ok).or_else(|| self.failed.take().map(Err))
    }
}

/// Entries in their order, those of one name joined.
pub fn joined<P: Part>(entries: impl Iterator<Item = Entry<P>>) -> Vec<Entry<P>> {
    let mut entries: Vec<Entry<P>> = entries.collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    entries.dedup_by(|(name, part), (known, whole)| {
        let same = name == known;
        if same {
            whole.join(part.clone());
        }
        same
    });
    entries
}

//! The findings of one scan, the worst and latest first: in memory, or where they are too many for that,
//! on disk. In memory is then no more than the first, and where each stands.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::ser::{Error as _, Serialize, SerializeSeq, Serializer};

use crate::audit::rule::Severity;
use crate::findings::finding::Finding;

/// Findings that are at hand where there are more on disk: those that are shown for reading.
const AT_HAND: usize = crate::cli::view::findings::SHOWN;

/// Findings in their order.
#[derive(Default)]
pub struct Listed {
    /// The first of them; all, where none are on disk.
    first: Vec<Finding>,
    on_disk: Option<OnDisk>,
    severities: [u64; Severity::ALL.len()],
}

struct OnDisk {
    file: RefCell<BufReader<File>>,
    /// Where each begins.
    places: Vec<u64>,
}

impl Listed {
    /// The first of them: all, where there are not very many.
    pub fn first(&self) -> &[Finding] {
        &self.first
    }

    /// How many there are of each severity, in the order of [`Severity::ALL`].
    pub fn severities(&self) -> [u64; Severity::ALL.len()] {
        self.severities
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.severities.iter().sum()
    }

    /// Are all of them listed, and not only the first?
    pub fn is_whole(&self) -> bool {
        self.on_disk.is_some() || self.first.len() as u64 == self.count()
    }

    /// All of them; where not all could be held, the first.
    ///
    /// # Errors
    /// Where one cannot be read from disk.
    pub fn iter(&self) -> impl Iterator<Item = io::Result<Cow<'_, Finding>>> {
        let on_disk = self.on_disk.iter().flat_map(|disk| disk.places.iter().map(|at| disk.read(*at)));
        let in_memory = self.first.iter().take(if self.on_disk.is_none() { usize::MAX } else { 0 });
        in_memory
            .map(|finding| Ok(Cow::Borrowed(finding)))
            .chain(on_disk.map(|finding| finding.map(Cow::Owned)))
    }
}

impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for finding in self.iter() {
            list.serialize_element(&finding.map_err(S::Error::custom)?)?;
        }
        list.end()
    }
}

impl OnDisk {
    fn read(&self, at: u64) -> io::Result<Finding> {
        let mut file = self.file.borrow_mut();
        let here = file.stream_position()?;
        file.seek_relative(at.cast_signed() - here.cast_signed())?;
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

/// The order of the list. Findings come by rising ids, so the place of one stands for its id.
type Rank = (Reverse<Severity>, Reverse<Option<Timestamp>>, u64);

/// Brings findings into their order.
pub struct Lister {
    /// The first of those that came.
    first: BTreeMap<Rank, Finding>,
    at_hand: usize,
    disk: Option<Disk>,
    /// How many came, or the bytes of them.
    place: u64,
    severities: [u64; Severity::ALL.len()],
}

/// All that came, on disk.
struct Disk {
    file: BufWriter<File>,
    ranks: Vec<Rank>,
}

impl Lister {
    /// There are few enough for memory.
    pub fn in_memory() -> Self {
        let severities = [0; Severity::ALL.len()];
        Self { first: BTreeMap::new(), at_hand: usize::MAX, disk: None, place: 0, severities }
    }

    /// There may be any number.
    ///
    /// # Errors
    /// Where the folder has no room for a file.
    pub fn on_disk(folder: &Path) -> io::Result<Self> {
        let file = BufWriter::new(tempfile::tempfile_in(folder)?);
        Ok(Self { disk: Some(Disk { file, ranks: Vec::new() }), ..Self::first_alone() })
    }

    /// There may be any number, and the first are all that is kept of them.
    pub fn first_alone() -> Self {
        Self { at_hand: AT_HAND, ..Self::in_memory() }
    }

    /// Adds a finding, of a greater id than all before.
    ///
    /// # Errors
    /// Where there is no room for it on disk: from then on the first are all that is kept.
    pub fn add(&mut self, finding: Finding) -> io::Result<()> {
        if let Some(count) = self.severities.get_mut(finding.severity as usize) {
            *count += 1;
        }
        let rank = (Reverse(finding.severity), Reverse(finding.last_seen), self.place);
        let written = match &mut self.disk {
            Some(disk) => disk.add(&finding, rank),
            None => Ok(1),
        };
        self.first.insert(rank, finding);
        if self.first.len() > self.at_hand {
            self.first.pop_last();
        }
        match written {
            Ok(length) => self.place += length,
            Err(error) => {
                self.place += 1;
                self.disk = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// All have come. What went wrong with those on disk, if anything did, stands beside the list, which then
    /// has the first of them.
    pub fn listed(self) -> (Listed, io::Result<()>) {
        let (on_disk, ended) = match self.disk.map(Disk::finish).transpose() {
            Ok(on_disk) => (on_disk, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let first = self.first.into_values().collect();
        (Listed { first, on_disk, severities: self.severities }, ended)
    }
}

impl Disk {
    /// Writes a finding. Returns its length.
    fn add(&mut self, finding: &Finding, rank: Rank) -> io::Result<u64> {
        let mut line = serde_json::to_vec(finding)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.ranks.push(rank);
        Ok(line.len() as u64)
    }

    fn finish(mut self) -> io::Result<OnDisk> {
        self.ranks.sort_unstable();
        let places = self.ranks.into_iter().map(|(_, _, place)| place).collect();
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(OnDisk { file: RefCell::new(BufReader::new(file)), places })
    }
}

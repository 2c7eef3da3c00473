//! What all threads of a scan gathered: held in memory as far as it may grow, and beyond that on disk.

use std::sync::Arc;

use jiff::Timestamp;

use super::Failure;
use super::listed::{Decided, Listed, Runs};
use super::settings::Settings;
use super::view::summary::Unreadable;
use crate::aws::findings_table::FindingsTable;
use crate::cloudtrail::elements::Fault;
use crate::findings::finding::{Sightings, Status};
use crate::findings::store::{CALLER_HALF, Correction, Delta, FindingStore};
use crate::pipeline::{Auditor, Tally, keep};

/// Findings that are held before they are written out, in bytes: half by the threads, each its share,
/// and half by all of them together. What goes into a store has all of its evidence with it, and is in
/// memory in other forms besides.
const fn held(for_store: bool) -> usize {
    if for_store { 12 << 20 } else { 20 << 20 }
}

/// Unreadable places that are named; beyond, they are counted.
const MAX_UNREADABLE: usize = 10_000;

/// Findings that go into the store at once: while they do, they are in memory twice.
const AT_ONCE: usize = 64;

/// What all threads gathered.
pub struct Gathered<'g> {
    tally: Tally,
    files: u64,
    bytes: u64,
    /// Inputs of no bytes.
    empty: Vec<String>,
    unreadable: Vec<Unreadable>,
    unreadable_more: u64,
    /// Where findings are kept, if anywhere.
    store: Option<&'g FindingsTable>,
    auditor: &'g Auditor<'g>,
    runtime: &'g tokio::runtime::Runtime,
    /// Findings beyond what is held.
    runs: Runs,
    /// Corrections that the store has, and the list at the end has not yet heeded.
    corrections: Vec<Correction>,
    /// The first error of a store.
    failed: Option<Failure>,
    /// Findings that people have decided about.
    decided: Decided,
}

/// What came of a scan.
pub struct Outcome {
    /// Records by verdict, and what else was counted.
    pub tally: Tally,
    /// Files read.
    pub files: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Inputs of no bytes.
    pub empty: Vec<String>,
    /// Places that could not be read; the first of them.
    pub unreadable: Vec<Unreadable>,
    /// How many further ones.
    pub unreadable_more: u64,
    /// The findings of this scan alone.
    pub findings: Listed,
    /// Why not all of them are kept or listed.
    pub failed: Option<Failure>,
}

impl<'g> Gathered<'g> {
    /// Nothing yet. `store`: where findings are kept, if anywhere.
    pub fn new(
        store: Option<&'g FindingsTable>,
        auditor: &'g Auditor<'g>,
        runtime: &'g tokio::runtime::Runtime,
    ) -> Self {
        Self {
            tally: Tally::default(),
            files: 0,
            bytes: 0,
            empty: Vec::new(),
            unreadable: Vec::new(),
            unreadable_more: 0,
            store,
            auditor,
            runtime,
            runs: Runs::default(),
            corrections: Vec::new(),
            failed: None,
            decided: Decided::new(),
        }
    }

    /// Findings that each of so many threads may gather before it hands them over, in bytes.
    pub fn share(&self, threads: usize) -> usize {
        held(self.store.is_some()) / 2 / threads
    }

    /// An input was read, of so many bytes.
    pub fn read(&mut self, name: &str, bytes: u64) {
        if bytes == 0 && self.empty.len() < MAX_UNREADABLE {
            self.empty.push(name.to_owned());
        }
        self.files += 1;
        self.bytes += bytes;
    }

    /// Something could not be read.
    pub fn unreadable(&mut self, place: Unreadable) {
        if self.unreadable.len() < MAX_UNREADABLE {
            self.unreadable.push(place);
        } else {
            self.unreadable_more += 1;
        }
    }

    /// Something in a file could not be read.
    pub fn fault(&mut self, file: &Arc<str>, record: u64, fault: Fault) {
        self.unreadable(Unreadable {
            file: Arc::clone(file),
            record: Some(record),
            offset: Some(fault.at),
            packed: fault.packed,
            reason: fault.cause.to_string(),
        });
    }

    /// Takes what a thread counted.
    pub fn take(&mut self, tally: Tally) {
        self.tally.join(tally);
        if self.tally.weight > held(self.store.is_some()) / 2 && self.failed.is_none() {
            self.failed = self.spill().err();
        }
    }

    /// Writes what is held into the store, and out for this scan's own list.
    fn spill(&mut self) -> Result<(), Failure> {
        let deltas = self.keep()?;
        self.learn()?;
        let room = |error: std::io::Error| Failure::Said(format!("no room for findings: {error}"));
        self.runs.push(shown(deltas)).map_err(room)
    }

    /// Writes what is held into the store, and hands it on.
    fn keep(&mut self) -> Result<Vec<Delta>, Failure> {
        let (deltas, corrections) = (self.tally.take_deltas(), self.tally.take_corrections());
        let Some(store) = self.store else {
            self.corrections.extend(corrections);
            return Ok(deltas);
        };
        let mut parts = deltas.chunks(AT_ONCE).peekable();
        while let Some(part) = parts.next() {
            let corrections = if parts.peek().is_none() { corrections.as_slice() } else { &[] };
            let recorded = keep::record(store, self.auditor, part.to_vec(), corrections, Timestamp::now());
            let recorded = self.runtime.block_on(recorded);
            for (id, kept) in &recorded.stored {
                if let Ok(kept) = kept
                    && kept.status != Status::Open
                {
                    self.decided.insert(id.clone(), (kept.status, kept.history.clone()));
                }
            }
            first_error(recorded)?;
        }
        self.corrections.extend(corrections);
        Ok(deltas)
    }

    /// Remembers the endpoints that were seen created.
    fn learn(&mut self) -> Result<(), Failure> {
        let created = self.tally.endpoints.take();
        let Some(store) = self.store else { return Ok(()) };
        Ok(self.runtime.block_on(keep::learn(store, created))?)
    }

    /// All is read: keeps what is left and settles what waited.
    pub fn finish(mut self, settings: &Settings) -> Outcome {
        let kept = self.keep().map_err(|failure| self.failed.get_or_insert(failure));
        let deltas = kept.unwrap_or_default();
        if let (Some(store), None) = (self.store, &self.failed) {
            self.failed = self.settle(store, settings).err();
        }
        let decided = std::mem::take(&mut self.decided);
        let findings = self.listed(deltas, decided).unwrap_or_else(|error| {
            self.failed.get_or_insert(Failure::Said(format!("findings beyond what memory holds: {error}")));
            Listed::default()
        });
        Outcome {
            tally: self.tally,
            files: self.files,
            bytes: self.bytes,
            empty: self.empty,
            unreadable: self.unreadable,
            unreadable_more: self.unreadable_more,
            findings,
            failed: self.failed,
        }
    }

    /// The findings of this scan alone.
    fn listed(&mut self, deltas: Vec<Delta>, decided: Decided) -> std::io::Result<Listed> {
        let mut runs = std::mem::take(&mut self.runs);
        let mut corrections = Tally::default();
        self.corrections.drain(..).for_each(|correction| corrections.note_correction(correction));
        let corrected = corrections.corrected();
        if !runs.is_empty() {
            runs.push(shown(deltas))?;
            return runs.listed(&corrected, decided);
        }
        let taken_out = shown(deltas).map(|mut seen| {
            seen.take_out(|key| corrected.contains(&key));
            seen
        });
        Ok(Listed::here(taken_out, decided))
    }

    /// Remembers the endpoints that were seen created, and judges again what waited for one that is known
    /// by now, to whomever: another may have learned of it while this scan read.
    fn settle(&mut self, store: &FindingsTable, settings: &Settings) -> Result<(), Failure> {
        self.learn()?;
        let mut inventory = settings.inventory.clone();
        for endpoint in self.runtime.block_on(store.endpoints())? {
            // What the store contradicts was known before it: that stays.
            let _ = inventory.learn(endpoint);
        }
        let auditor = Auditor::new(&settings.perimeter, &inventory).for_store();
        let settled = keep::settle(store, &auditor, &inventory, Timestamp::now());
        match self.runtime.block_on(settled)?.into_iter().next() {
            None => Ok(()),
            Some(damaged) => Err(damaged.into()),
        }
    }
}

/// What is shown of what was gathered.
fn shown(deltas: Vec<Delta>) -> impl Iterator<Item = Sightings> {
    let sightings = deltas.into_iter().map(|delta| delta.sightings);
    sightings.filter(|sightings| sightings.identity.rule != CALLER_HALF)
}

fn first_error(recorded: keep::Recorded) -> Result<(), Failure> {
    let error = recorded.stored.into_iter().find_map(|(_, kept)| kept.err()).or(recorded.uncorrected);
    match error {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

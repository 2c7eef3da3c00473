//! What all threads of a scan gathered: held in memory as far as it may grow, and beyond that on disk.
//!
//! The store and the scan's own list stand apart: where one fails, the other goes on, and that it failed is said.

use std::sync::Arc;

use jiff::Timestamp;

use super::Failure;
use super::listed::Listed;
use super::settings::Settings;
use super::smallest::Smallest;
use super::spilled::{Decided, Spilled};
use super::view::summary::Unreadable;
use crate::aws::findings_table::FindingsTable;
use crate::cloudtrail::elements::Fault;
use crate::findings::finding::{Sightings, Status};
use crate::findings::store::{CALLER_HALF, Correction, Delta, FindingStore, StoreError};
use crate::pipeline::{Auditor, Tally, keep};

/// Findings that are held before they are written out, in bytes: by all threads together, each its share.
/// What goes into a store has all of its evidence with it, and is in memory in other forms besides.
const fn held(for_store: bool) -> usize {
    if for_store { 8 << 20 } else { 10 << 20 }
}

/// Bytes of findings that may stay in memory where there is no room on disk.
const REST: usize = 8 << 20;

/// Unreadable places that are named, and inputs of no bytes; beyond, they are counted.
const NAMED: usize = 10_000;

/// Findings that go into the store at once: while they do, they are in memory twice.
const AT_ONCE: usize = 64;

/// What all threads gathered.
pub struct Gathered<'g> {
    tally: Tally,
    files: u64,
    bytes: u64,
    empty: Smallest<String>,
    unreadable: Smallest<Unreadable>,
    /// Where findings are kept, if anywhere, for as long as it takes any.
    store: Option<&'g FindingsTable>,
    /// There is one, be it working or not.
    for_store: bool,
    auditor: &'g Auditor<'g>,
    runtime: &'g tokio::runtime::Runtime,
    /// What the list is made of beyond what is held.
    spilled: Spilled,
    /// The first error of the store.
    unkept: Option<Failure>,
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
    /// Inputs of no bytes, by name: the first of them, and how many further ones.
    pub empty: (Vec<String>, u64),
    /// Places that could not be read, by file: the first of them, and how many further ones.
    pub unreadable: (Vec<Unreadable>, u64),
    /// The findings of this scan alone.
    pub findings: Listed,
    /// Why not all of them are kept, and why not all are listed.
    pub incomplete: Vec<String>,
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
            empty: Smallest::new(NAMED),
            unreadable: Smallest::new(NAMED),
            store,
            for_store: store.is_some(),
            auditor,
            runtime,
            spilled: Spilled::new(&std::env::temp_dir(), REST),
            unkept: None,
            decided: Decided::new(),
        }
    }

    /// Findings that each of so many threads may gather before they are written out, in bytes.
    pub fn share(&self, threads: usize) -> usize {
        held(self.for_store) / threads
    }

    /// An input was read, of so many bytes.
    pub fn read(&mut self, name: &str, bytes: u64) {
        if bytes == 0 {
            self.empty.push(name.to_owned());
        }
        self.files += 1;
        self.bytes += bytes;
    }

    /// Something could not be read.
    pub fn unreadable(&mut self, place: Unreadable) {
        self.unreadable.push(place);
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

    /// Takes what a thread counted, and holds what it gathered together with what others did.
    pub fn take(&mut self, mut tally: Tally) {
        self.heed(&tally);
        if self.store.is_none() {
            tally.take_corrections();
        }
        self.tally.join(tally);
        if self.tally.weight + self.spilled.weight() > held(self.for_store) {
            let tally = std::mem::take(&mut self.tally);
            self.spill(tally);
        }
    }

    /// Takes what a thread counted, and writes out what it gathered. That is not held together with what others
    /// did: an allocator keeps the memory of each thread apart, and what lay in all of them would add up.
    pub fn spill(&mut self, mut tally: Tally) {
        self.heed(&tally);
        let deltas = self.keep(&mut tally);
        self.spilled.spill(shown(deltas));
        self.tally.join(tally);
    }

    fn heed(&mut self, tally: &Tally) {
        tally.corrections.values().for_each(|correction| self.spilled.note(correction));
    }

    /// Writes what was gathered into the store, and hands it on.
    fn keep(&mut self, tally: &mut Tally) -> Vec<Delta> {
        let (deltas, corrections) = (tally.take_deltas(), tally.take_corrections());
        for part in deltas.chunks(AT_ONCE) {
            self.record(part, &[]);
        }
        if !corrections.is_empty() {
            self.record(&[], &corrections);
        }
        let created = tally.endpoints.take();
        if let Some(store) = self.store
            && let Err(error) = self.runtime.block_on(keep::learn(store, created))
        {
            self.note_unkept(error);
        }
        deltas
    }

    fn record(&mut self, deltas: &[Delta], corrections: &[Correction]) {
        let Some(store) = self.store else { return };
        let recorded = keep::record(store, self.auditor, deltas.to_vec(), corrections, Timestamp::now());
        let recorded = self.runtime.block_on(recorded);
        for (id, kept) in recorded.stored {
            match kept {
                Ok(kept) if kept.status != Status::Open => {
                    self.decided.insert(id, (kept.status, kept.history));
                }
                Ok(_) => {}
                Err(error) => self.note_unkept(error),
            }
        }
        recorded.uncorrected.into_iter().for_each(|error| self.note_unkept(error));
    }

    /// The store did not take something. Where it takes nothing any more, it is let alone.
    fn note_unkept(&mut self, error: StoreError) {
        if error.is_of_all() {
            self.store = None;
        }
        self.unkept.get_or_insert(error.into());
    }

    /// All is read: keeps what is left and settles what waited.
    pub fn finish(mut self, settings: &Settings) -> Outcome {
        let mut tally = std::mem::take(&mut self.tally);
        let deltas = self.keep(&mut tally);
        if let Some(store) = self.store
            && let Err(failure) = self.settle(store, settings)
        {
            self.unkept.get_or_insert(failure);
        }
        let (findings, unlisted) = self.spilled.listed(shown(deltas), self.decided);
        let unkept = self.unkept.map(|failure| format!("not all findings are kept: {failure}"));
        let unlisted = unlisted.map(|why| {
            format!("not all findings are listed, and some with too few events; the worst are there: {why}")
        });
        Outcome {
            tally,
            files: self.files,
            bytes: self.bytes,
            empty: self.empty.into_sorted(),
            unreadable: self.unreadable.into_sorted(),
            findings,
            incomplete: unkept.into_iter().chain(unlisted).collect(),
        }
    }

    /// Judges again what waited for an endpoint that is known by now, to whomever: another may have learned of
    /// it while this scan read.
    fn settle(&self, store: &FindingsTable, settings: &Settings) -> Result<(), Failure> {
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

//! What all threads of a scan gathered: held in memory as far as it may grow, and beyond that on disk.
//!
//! The store and the scan's own list stand apart: where one fails, the other goes on, and that it failed is said.

use std::sync::Arc;

use jiff::Timestamp;

use super::Failure;
use super::listed::Listed;
use super::runs::Entry;
use super::settings::Settings;
use super::smallest::Smallest;
use super::spilled::{Decided, Spilled};
use super::view::summary::Unreadable;
use crate::aws::findings_table::FindingsTable;
use crate::cloudtrail::elements::Fault;
use crate::findings::store::{Correction, Delta, FindingStore, StoreError};
use crate::iam::state::snapshot::Snapshot;
use crate::perimeter::Endpoint;
use crate::pipeline::{Auditor, Replays, Tally, keep};

/// Findings that are held before they are written out, in bytes: by all threads together, each its share.
/// A store takes memory too.
const HELD: usize = 14 << 20;
const HELD_FOR_STORE: usize = 10 << 20;

/// Bytes of findings that may stay in memory where there is no room on disk.
const REST: usize = 4 << 20;

/// Unreadable places that are named, and inputs of no bytes; beyond, they are counted.
const NAMED: usize = 10_000;

/// What all threads gathered.
pub struct Gathered<'g> {
    tally: Tally,
    files: u64,
    bytes: u64,
    empty: Smallest<String>,
    unreadable: Smallest<Unreadable>,
    keeping: Keeping<'g>,
    /// What is beyond what is held.
    spilled: Spilled,
}

/// The way into the store.
struct Keeping<'g> {
    /// Where findings are kept, if anywhere, for as long as it takes any.
    store: Option<&'g FindingsTable>,
    auditor: &'g Auditor<'g>,
    runtime: &'g tokio::runtime::Runtime,
    /// The first error of the store.
    failed: Option<Failure>,
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
    /// What came of holding the calls against a snapshot.
    pub replays: Option<Replays>,
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
            keeping: Keeping { store, auditor, runtime, failed: None },
            spilled: Spilled::new(&std::env::temp_dir(), REST),
        }
    }

    /// Findings that each of so many threads may gather before they are written out, in bytes.
    pub fn share(&self, threads: usize) -> usize {
        if self.keeping.store.is_some() { HELD_FOR_STORE / threads } else { HELD / threads }
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
        self.heed(&mut tally);
        self.tally.join(tally);
        if self.tally.weight + self.spilled.weight() > HELD {
            let tally = std::mem::take(&mut self.tally);
            self.spill(tally);
        }
    }

    /// Takes what a thread counted, and writes out what it gathered. That is not held together with what others
    /// did: an allocator keeps the memory of each thread apart, and what lay in all of them would add up.
    pub fn spill(&mut self, mut tally: Tally) {
        self.heed(&mut tally);
        let (deltas, keeping) = (tally.take_deltas(), &mut self.keeping);
        self.spilled.spill(deltas, |entries| {
            keeping.record(entries);
        });
        self.tally.join(tally);
    }

    /// Corrections and endpoints that were seen created go into the store as they come: there are few. The list
    /// heeds corrections in the end.
    fn heed(&mut self, tally: &mut Tally) {
        let corrections = tally.take_corrections();
        corrections.iter().for_each(|correction| self.spilled.note(correction));
        self.keeping.correct(&corrections);
        self.keeping.learn(tally.endpoints.take());
    }

    /// All is read: keeps and lists the findings, and settles what waited.
    pub fn finish(mut self, settings: &Settings, snapshot: Option<Snapshot>) -> Outcome {
        let replays = snapshot.map(|snapshot| self.prove(snapshot));
        let unproven = self.unproven(replays.as_ref());
        let Self { mut tally, spilled, mut keeping, files, bytes, empty, unreadable } = self;
        let deltas = tally.take_deltas();
        let (findings, unlisted) =
            spilled.listed(deltas, Timestamp::now(), |entries| keeping.record(entries));
        keeping.settle(settings);
        let unkept = keeping.failed.map(|failure| format!("not all findings are kept: {failure}"));
        let unlisted = unlisted.map(|why| {
            format!("not all findings are listed, and some with too few events; the worst are there: {why}")
        });
        Outcome {
            tally,
            files,
            bytes,
            empty: empty.into_sorted(),
            unreadable: unreadable.into_sorted(),
            findings,
            replays,
            incomplete: unkept.into_iter().chain(unlisted).chain(unproven).collect(),
        }
    }
}

impl Gathered<'_> {
    /// Judges the changes by what they do to what stands, and holds the calls against it.
    fn prove(&mut self, mut snapshot: Snapshot) -> Replays {
        let (pending, mut calls) =
            (std::mem::take(&mut self.tally.pending), std::mem::take(&mut self.tally.calls));
        if self.tally.unproven > 0 {
            // What those changes did is not carried out, so what stood is not known.
            calls = calls.give_up();
        }
        let (now, auditor) = (Timestamp::now(), self.keeping.auditor);
        let (deltas, replays) =
            auditor.history(&mut snapshot.state, snapshot.taken_at, (pending, calls), now);
        deltas.into_iter().for_each(|delta| self.tally.add(delta));
        replays
    }

    /// Why not all changes and calls could be judged by what stood.
    fn unproven(&self, replays: Option<&Replays>) -> Vec<String> {
        let (changes, calls) = (self.tally.unproven, replays.map_or(0, |replays| replays.not_held));
        let changes = (changes > 0)
            .then(|| format!("{changes} changes are judged by their text alone: there are too many to hold"));
        let calls = (calls > 0).then(|| {
            format!("{calls} calls are not held against the snapshot: there are too many kinds of them, or too many changes")
        });
        changes.into_iter().chain(calls).collect()
    }
}

impl Keeping<'_> {
    /// Records findings. Returns what people decided about them.
    fn record(&mut self, findings: &[Entry<Delta>]) -> Decided {
        let Some(store) = self.store else { return Decided::new() };
        let deltas = findings.iter().map(|(_, delta)| delta.clone()).collect();
        let recorded = keep::record(store, self.auditor, deltas, &[], Timestamp::now());
        let mut decided = Decided::new();
        for (id, kept) in self.runtime.block_on(recorded).stored {
            match kept {
                Ok(kept) => {
                    decided.insert(id, kept.into_standing());
                }
                Err(error) => self.note_failed(error),
            }
        }
        decided
    }

    /// Records corrections.
    fn correct(&mut self, corrections: &[Correction]) {
        let Some(store) = self.store.filter(|_| !corrections.is_empty()) else { return };
        let recorded = keep::record(store, self.auditor, Vec::new(), corrections, Timestamp::now());
        let uncorrected = self.runtime.block_on(recorded).uncorrected;
        uncorrected.into_iter().for_each(|error| self.note_failed(error));
    }

    /// Remembers the endpoints that were seen created.
    fn learn(&mut self, created: Vec<Endpoint>) {
        let Some(store) = self.store.filter(|_| !created.is_empty()) else { return };
        let learnt = self.runtime.block_on(keep::learn(store, created));
        learnt.unwrap_or_else(|error| self.note_failed(error));
    }

    /// Judges again what waited for an endpoint that is known by now, to whomever: another may have learned of
    /// it while this scan read.
    fn settle(&mut self, settings: &Settings) {
        let Some(store) = self.store else { return };
        let settled = self.runtime.block_on(async {
            let mut inventory = settings.inventory.clone();
            for endpoint in store.endpoints().await? {
                // What the store contradicts was known before it: that stays.
                let _ = inventory.learn(endpoint);
            }
            let auditor = Auditor::new(&settings.perimeter, &inventory).for_store();
            keep::settle(store, &auditor, &inventory, Timestamp::now()).await
        });
        match settled {
            Ok(damaged) => damaged.into_iter().for_each(|error| self.note_failed(error)),
            Err(error) => self.note_failed(error),
        }
    }

    /// The store did not take something. Where it takes nothing any more, it is let alone.
    fn note_failed(&mut self, error: StoreError) {
        if error.is_of_all() {
            self.store = None;
        }
        self.failed.get_or_insert(error.into());
    }
}

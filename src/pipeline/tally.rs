//! What was read and what came of it, and what adds up of it: nothing in it hangs on the order of records.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::case::{Case, Subject};
use crate::audit::verdict::Verdict;
use crate::findings::deltas::Deltas;
use crate::findings::sample::EventKey;
use crate::findings::store::{Correction, Delta};
use crate::ids::EndpointId;
use crate::perimeter::Endpoint;

/// What was read and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Records by verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [u64; Verdict::ALL.len()],
    /// What was gathered of findings.
    pub deltas: Deltas,
    /// Endpoints that were seen created, where there is a store to remember them.
    pub endpoints: Created,
    /// Records that take the place of earlier ones, by both numbers.
    pub corrections: BTreeMap<(EventKey, EventKey), Correction>,
    /// Owners of tables, and callers, that are in no environment; the first few.
    pub unlisted: BTreeSet<String>,
    /// Bytes that all of it takes in memory, roughly.
    pub weight: usize,
}

/// Endpoints that were seen created, each once.
#[derive(Clone, Debug, Default)]
pub struct Created {
    found: BTreeMap<EndpointId, Endpoint>,
    handed_over: usize,
}

impl Created {
    /// How many there were, handed over or not.
    pub fn len(&self) -> usize {
        self.found.len() + self.handed_over
    }

    /// There was none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over those that were found since the last time.
    pub fn take(&mut self) -> Vec<Endpoint> {
        self.handed_over += self.found.len();
        std::mem::take(&mut self.found).into_values().collect()
    }
}

/// Accounts in no environment that are named.
const MAX_UNLISTED: usize = 100;

impl Tally {
    /// Records read.
    pub fn records(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    /// Adds what another counted.
    pub fn join(&mut self, other: Tally) {
        self.verdicts.iter_mut().zip(other.verdicts).for_each(|(sum, more)| *sum += more);
        self.unlisted.extend(other.unlisted);
        self.endpoints.handed_over += other.endpoints.handed_over;
        other.endpoints.found.into_values().for_each(|endpoint| self.note_created(endpoint));
        other.corrections.into_values().for_each(|correction| self.note_correction(correction));
        if self.deltas.is_empty() {
            self.deltas = other.deltas;
            self.weight += self.deltas.weight();
            return;
        }
        other.deltas.into_iter().for_each(|delta| self.add(delta));
    }

    /// The findings so far, of which this forgets: without the events that were corrected.
    pub fn take_deltas(&mut self) -> Vec<Delta> {
        let mut deltas: Vec<Delta> = std::mem::take(&mut self.deltas).into_iter().collect();
        let corrected = self.corrected();
        if !corrected.is_empty() {
            deltas.iter_mut().for_each(|delta| delta.sightings.take_out(|key| corrected.contains(&key)));
        }
        self.weight = 0;
        deltas
    }

    /// The corrections so far, of which this forgets.
    pub fn take_corrections(&mut self) -> Vec<Correction> {
        std::mem::take(&mut self.corrections).into_values().collect()
    }

    /// The events that count nowhere: those that were corrected, and all corrections of an event but
    /// the last.
    pub fn corrected(&self) -> BTreeSet<EventKey> {
        let mut last: BTreeMap<EventKey, &Correction> = BTreeMap::new();
        let mut corrected = BTreeSet::new();
        for correction in self.corrections.values() {
            corrected.insert(correction.key);
            let known = last.entry(correction.key).or_insert(correction);
            if correction.by != known.by {
                let by = if correction.rank() > known.rank() {
                    std::mem::replace(known, correction).by
                } else {
                    correction.by
                };
                corrected.insert(by);
            }
        }
        corrected
    }

    pub(super) fn note_created(&mut self, endpoint: Endpoint) {
        if !self.endpoints.found.contains_key(&endpoint.id) {
            self.weight += 2 * size_of::<Endpoint>() + endpoint.id.as_str().len() + endpoint.vpc.id.len();
            self.endpoints.found.insert(endpoint.id.clone(), endpoint);
        }
    }

    /// Counts a correction.
    pub fn note_correction(&mut self, correction: Correction) {
        let accounts = correction.accounts.iter().map(String::len).sum::<usize>();
        self.weight += 2 * size_of::<Correction>() + correction.time.len() + accounts;
        self.corrections.insert((correction.key, correction.by), correction);
    }

    pub(super) fn note_unlisted(&mut self, case: &Case) {
        if case.unlisted_owner
            && self.unlisted.len() < MAX_UNLISTED
            && !matches!(case.subject, Subject::Nothing(_))
        {
            self.unlisted.extend(case.account.clone());
        }
    }

    /// Adds to a finding.
    pub fn add(&mut self, delta: Delta) {
        self.weight += self.deltas.add(delta);
    }
}

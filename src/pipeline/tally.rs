//! What was read and what came of it, and what adds up of it: nothing in it hangs on the order of records.

use std::collections::{BTreeMap, BTreeSet};

use super::{Calls, Pending};
use crate::audit::case::{Case, Subject};
use crate::audit::verdict::Verdict;
use crate::findings::deltas::Deltas;
use crate::findings::replaced::{self, Replacements};
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
    /// Owners of tables, and callers, that are in no environment; the smallest few.
    pub unlisted: BTreeSet<String>,
    /// Changes that are judged once all are known.
    pub pending: Vec<Pending>,
    /// Calls that are held against what stood, once all changes are known.
    pub calls: Calls,
    /// Bytes that pending changes take in memory, roughly.
    pending_weight: usize,
    /// Changes beyond what is held, which were judged by their text alone.
    pub unproven: u64,
    /// Bytes that all of it takes in memory, roughly.
    pub weight: usize,
}

/// Endpoints that were seen created, each once; there are thousands of them at most.
#[derive(Clone, Debug, Default)]
pub struct Created {
    found: BTreeMap<EndpointId, Endpoint>,
    handed_over: BTreeSet<EndpointId>,
}

impl Created {
    /// How many there were, handed over or not.
    pub fn len(&self) -> usize {
        self.found.keys().filter(|id| !self.handed_over.contains(*id)).count() + self.handed_over.len()
    }

    /// There was none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over those that were found since the last time.
    pub fn take(&mut self) -> Vec<Endpoint> {
        self.handed_over.extend(self.found.keys().cloned());
        std::mem::take(&mut self.found).into_values().collect()
    }
}

/// Accounts in no environment that are named.
const MAX_UNLISTED: usize = 100;

/// Bytes of changes that a thread holds: some hundred thousand.
const MAX_PENDING: usize = 256 << 20;

impl Tally {
    /// Records read.
    pub fn records(&self) -> u64 {
        self.verdicts.iter().sum()
    }

    /// Adds what another counted.
    pub fn join(&mut self, other: Tally) {
        self.verdicts.iter_mut().zip(other.verdicts).for_each(|(sum, more)| *sum += more);
        self.pending.extend(other.pending);
        self.pending_weight += other.pending_weight;
        self.calls.join(other.calls);
        self.unproven += other.unproven;
        other.unlisted.iter().for_each(|account| self.note_unlisted_account(account));
        self.endpoints.handed_over.extend(other.endpoints.handed_over);
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

    /// The calls so far that are asked about, of which this forgets.
    pub fn take_calls(&mut self) -> Calls {
        std::mem::take(&mut self.calls)
    }

    /// The changes so far, of which this forgets.
    pub fn take_pending(&mut self) -> Vec<Pending> {
        self.pending_weight = 0;
        std::mem::take(&mut self.pending)
    }

    /// The corrections so far, of which this forgets.
    pub fn take_corrections(&mut self) -> Vec<Correction> {
        std::mem::take(&mut self.corrections).into_values().collect()
    }

    /// The events that count nowhere: those that were corrected, and all corrections of an event but
    /// the last.
    pub fn corrected(&self) -> BTreeSet<EventKey> {
        let mut replacements = Replacements::new();
        self.corrections.values().for_each(|correction| {
            replaced::note(&mut replacements, correction);
        });
        replacements.iter().flat_map(|(key, replaced)| replaced.corrected(*key)).collect()
    }

    /// Is there room for another change that is to be judged once all are known? If not, it is counted.
    pub(super) fn has_room(&mut self) -> bool {
        let has_room = self.pending_weight < MAX_PENDING;
        self.unproven += u64::from(!has_room);
        has_room
    }

    pub(super) fn note_pending(&mut self, pending: Pending) {
        self.pending_weight += pending.weight();
        if pending.record().is_some() {
            // Handed over with the findings, and not kept to the end.
            self.weight += pending.weight();
        }
        self.pending.push(pending);
    }

    pub(super) fn note_created(&mut self, endpoint: Endpoint) {
        if !self.endpoints.found.contains_key(&endpoint.id) {
            self.weight += 2 * size_of::<Endpoint>() + endpoint.id.as_str().len() + endpoint.vpc.id.len();
            self.endpoints.found.insert(endpoint.id.clone(), endpoint);
        }
    }

    /// Counts a correction.
    pub fn note_correction(&mut self, correction: Correction) {
        let accounts: usize =
            correction.accounts.iter().map(|account| size_of::<String>() + account.len()).sum();
        let weight = 2 * (size_of::<Correction>() + correction.time.len() + accounts);
        if self.corrections.insert((correction.key, correction.by), correction).is_none() {
            self.weight += weight;
        }
    }

    pub(super) fn note_unlisted(&mut self, case: &Case) {
        if case.unlisted_owner
            && !matches!(case.subject, Subject::Nothing(_))
            && let Some(account) = &case.account
        {
            self.note_unlisted_account(account);
        }
    }

    /// Keeps the smallest, so that which ones are kept hangs on no order.
    fn note_unlisted_account(&mut self, account: &str) {
        if self.unlisted.len() >= MAX_UNLISTED {
            if self.unlisted.contains(account)
                || self.unlisted.last().is_some_and(|last| account > last.as_str())
            {
                return;
            }
            self.unlisted.pop_last();
        }
        self.unlisted.insert(account.to_owned());
    }

    /// Adds to a finding.
    pub fn add(&mut self, delta: Delta) {
        self.weight += self.deltas.add(delta);
    }
}

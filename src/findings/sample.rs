//! A bounded stand-in for a set of events: exact while small, an estimate beyond.
//!
//! Every event has a number, its hash. The sample keeps the [`LIMIT`] smallest, and knows whether
//! it ever had to leave one out. What it holds depends on the set of events alone, not on their
//! order, their repetition, or on how they were split over writers: joining two samples is the
//! sample of both sets. While nothing was left out the count is exact; after that the greatest
//! number kept tells how dense the numbers lie, and so how many there are (a "bottom-k" sketch;
//! its standard error is about 1/√[`LIMIT`], three in a hundred).
//!
//! What a sample left out lies beyond its reach. A part of a sample, say those of its events that
//! turned out to belong elsewhere, reaches no further than the whole did, and so is an estimate too.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Events kept. Up to here counts are exact.
pub const LIMIT: usize = 1024;

/// The number of an event: the same for the same event on every machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct EventKey(pub u64);

impl EventKey {
    /// The number of the event that `id` names.
    pub fn of(id: &[u8]) -> Self {
        let digest = Sha256::digest(id);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }
}

/// A sample of a set of events.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sample {
    /// The smallest, rising.
    keys: Vec<EventKey>,
    /// Up to here none was left out; nothing at all was where there is no such number.
    reach: Option<EventKey>,
}

impl Sample {
    /// A sample with the keys that a store gave back.
    pub fn from_parts(mut keys: Vec<EventKey>, reach: Option<EventKey>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        let mut sample = Self { keys, reach: None };
        sample.cut();
        sample.shorten(reach);
        sample
    }

    /// Adds an event. Returns whether the sample changed.
    pub fn insert(&mut self, key: EventKey) -> bool {
        if self.reach.is_some_and(|reach| key > reach) {
            return false;
        }
        match self.keys.binary_search(&key) {
            Ok(_) => false,
            Err(at) => {
                let is_full = self.keys.len() >= LIMIT;
                if at < LIMIT {
                    // The greatest leaves first: with one more than the limit, they would take twice the room.
                    self.keys.truncate(LIMIT - 1);
                    self.keys.insert(at, key);
                }
                if is_full {
                    self.reach = self.keys.last().copied();
                }
                true
            }
        }
    }

    /// Adds all events of another sample. Returns whether the sample changed.
    pub fn join(&mut self, other: &Sample) -> bool {
        let before = (self.keys.len(), self.keys.last().copied(), self.reach);
        self.shorten(other.reach);
        let mut changed = false;
        for key in &other.keys {
            changed |= self.insert(*key);
        }
        changed || before != (self.keys.len(), self.keys.last().copied(), self.reach)
    }

    /// These events stand for more: they are part of what `whole` is a sample of.
    pub fn reach_no_further(&mut self, whole: &Sample) {
        self.shorten(whole.reach);
    }

    fn shorten(&mut self, reach: Option<EventKey>) {
        let Some(reach) = reach.filter(|reach| self.reach.is_none_or(|own| *reach < own)) else { return };
        self.reach = Some(reach);
        self.keys.truncate(self.keys.partition_point(|key| *key <= reach));
    }

    fn cut(&mut self) {
        if self.keys.len() > LIMIT {
            self.keys.truncate(LIMIT);
            self.reach = self.keys.last().copied();
        }
    }

    /// Up to which number none was left out; nothing where none was at all.
    pub fn reach(&self) -> Option<EventKey> {
        self.reach
    }

    /// Is the event among those kept?
    pub fn contains(&self, key: EventKey) -> bool {
        self.keys.binary_search(&key).is_ok()
    }

    /// The events kept, rising.
    pub fn keys(&self) -> &[EventKey] {
        &self.keys
    }

    /// Bytes that the events kept take.
    pub fn weight(&self) -> usize {
        self.keys.capacity() * size_of::<EventKey>()
    }

    /// Is the count exact?
    pub fn is_exact(&self) -> bool {
        self.reach.is_none()
    }

    /// How many events the set has, without those in `gone`.
    pub fn count_without(&self, gone: &Sample) -> u64 {
        let left = self.keys.iter().filter(|key| !gone.contains(**key)).count() as u64;
        match self.reach {
            Some(reach) => {
                // `left` keys lie in the part of all numbers up to there.
                let share = u128::from(u64::MAX) + 1;
                let estimate = u128::from(left) * share / (u128::from(reach.0) + 1);
                u64::try_from(estimate).unwrap_or(u64::MAX)
            }
            None => left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(ids: impl IntoIterator<Item = u32>) -> Sample {
        let mut sample = Sample::default();
        for id in ids {
            sample.insert(EventKey::of(&id.to_be_bytes()));
        }
        sample
    }

    proptest! {
        #[test]
        fn order_repetition_and_splitting_change_nothing(
            ids in proptest::collection::vec(0u32..3000, 0..2500),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = sample(ids.iter().copied());
            let cut = cut.index(ids.len() + 1);
            let mut joined = sample(ids[cut..].iter().copied());
            joined.join(&sample(ids[..cut].iter().rev().copied()));
            prop_assert_eq!(&joined, &whole);
            prop_assert!(!joined.join(&whole));
            let distinct = ids.iter().collect::<std::collections::HashSet<_>>().len();
            prop_assert_eq!(whole.is_exact(), distinct <= LIMIT);
            if whole.is_exact() {
                prop_assert_eq!(whole.count_without(&Sample::default()), distinct as u64);
            }
        }
    }

    #[test]
    fn a_part_of_a_sample_is_an_estimate_as_the_whole_is() {
        let whole = sample(0..40_000);
        let keys: Vec<EventKey> = (0..10_000u32).map(|id| EventKey::of(&id.to_be_bytes())).collect();
        let mut part = Sample::default();
        keys.iter().filter(|key| whole.contains(**key)).for_each(|key| {
            part.insert(*key);
        });
        assert!(part.is_exact() && part.keys().len() < LIMIT);
        part.reach_no_further(&whole);
        let estimate = part.count_without(&Sample::default());
        assert!(!part.is_exact() && estimate.abs_diff(10_000) < 1_500, "{estimate}");
        // Joined with what it is a part of, in either order, it is the whole.
        let (mut one, mut other) = (whole.clone(), part.clone());
        assert!(!one.join(&part));
        other.join(&whole);
        assert_eq!((&one, &other), (&whole, &whole));
    }

    #[test]
    fn estimates_within_a_tenth_beyond_the_limit() {
        for n in [2_000u32, 50_000, 1_000_000] {
            let estimate = sample(0..n).count_without(&Sample::default());
            assert!(estimate.abs_diff(u64::from(n)) < u64::from(n) / 10, "{estimate} for {n}");
        }
    }
}

//! What takes the place of a corrected event, joined from its corrections in whatever order they come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use super::sample::EventKey;
use super::store::Correction;

/// What takes the place of a corrected event: that of its corrections with the greatest `(time, by)`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Replaced {
    by: EventKey,
    time: String,
    /// The other corrections of the event, rising.
    over: Vec<EventKey>,
}

/// What takes the places of events, by their numbers.
pub type Replacements = BTreeMap<EventKey, Replaced>;

impl Replaced {
    /// Adds what further corrections of the same event say.
    pub fn join(&mut self, mut other: Replaced) {
        if (&self.time, self.by) < (&other.time, other.by) {
            std::mem::swap(self, &mut other);
        }
        self.over.append(&mut other.over);
        if other.by != self.by {
            self.over.push(other.by);
        }
        self.over.sort_unstable();
        self.over.dedup();
    }

    /// The events that count nowhere: the corrected one, of that number, and all its corrections but one.
    pub fn corrected(&self, key: EventKey) -> impl Iterator<Item = EventKey> {
        std::iter::once(key).chain(self.over.iter().copied())
    }

    /// Bytes that it takes in memory, roughly, with its event's number.
    pub fn weight(&self) -> usize {
        2 * (size_of::<EventKey>() + size_of::<Self>() + self.time.len()) + size_of_val(self.over.as_slice())
    }
}

/// Adds a correction. Returns the bytes that it takes more, roughly.
pub fn note(replacements: &mut Replacements, correction: &Correction) -> usize {
    let Correction { key, by, ref time, .. } = *correction;
    let replaced = Replaced { by, time: time.clone(), over: Vec::new() };
    match replacements.entry(key) {
        Entry::Vacant(vacant) => vacant.insert(replaced).weight(),
        Entry::Occupied(mut known) => {
            let before = known.get().weight();
            known.get_mut().join(replaced);
            known.get().weight().saturating_sub(before)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_correction_counts_whatever_the_order() {
        let correction = |by, time: &str| Correction {
            key: EventKey(1),
            by: EventKey(by),
            time: time.into(),
            accounts: Vec::new(),
        };
        let all = [correction(2, "b"), correction(3, "c"), correction(4, "a"), correction(5, "c")];
        for start in 0..all.len() {
            let mut whole = Replacements::new();
            let mut other = Replacements::new();
            for (n, one) in all.iter().cycle().skip(start).take(2 * all.len()).enumerate() {
                note(if n % 3 == 0 { &mut other } else { &mut whole }, one);
            }
            let (mut joined, other) = (whole[&EventKey(1)].clone(), other[&EventKey(1)].clone());
            joined.join(other);
            let corrected: Vec<u64> = joined.corrected(EventKey(1)).map(|key| key.0).collect();
            assert_eq!(corrected, [1, 2, 3, 4]);
        }
    }
}

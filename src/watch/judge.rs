//! Changes, judged in the order in which they were made, as their events come in.
//!
//! Whoever brings an event puts it into the journal first, and reads the journal then: so of two who do that at once,
//! one at least knows of both. All changes from the first on that is not judged yet are judged, since each may be
//! another one after it. What comes out is written with the change, on the condition that nobody else did meanwhile, and
//! only then into findings. Each step may be done again.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::lookup::{Looking, Lookup};
use super::replay::{Change, carry_out, edits_of, later, prove};
use super::store::{Entry, Fetched, MAX_RECORD, Mark, StateStore, Window};
use crate::findings::sample::{EventKey, Sample};
use crate::findings::store::{Delta, FindingStore, StoreError};
use crate::iam::state::snapshot::Snapshot;
use crate::iam::state::{Edit, State};
use crate::pipeline::{Auditor, Calls, Found, Pending};
use crate::reach::texts::Texts;

/// Changes put down, and findings written, at once.
const AT_ONCE: usize = 16;
/// Clocks may differ by this.
pub(super) const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How often the journal is read again because others were faster.
const TRIES: u32 = 12;

/// Judges changes against what a store has.
#[derive(Clone, Copy)]
pub struct Watcher<'w, S> {
    pub store: &'w S,
    pub auditor: &'w Auditor<'w>,
    pub now: Timestamp,
}

/// A base that was read. One that is kept is read again only once there is another.
#[derive(Clone, Debug)]
pub struct Ground {
    pub taken_at: Timestamp,
    pub state: Arc<State>,
}

/// What came of changes.
#[derive(Debug, Default)]
pub struct Judged {
    /// Findings that were written.
    pub findings: BTreeSet<String>,
    /// Changes that were judged by their text alone: there is no base, or it is of later, or the record is too long.
    pub unproven: u64,
    /// What of the journal cannot be read.
    pub damaged: Vec<StoreError>,
}

/// Others wrote meanwhile: it has to be read again.
struct Overtaken;

impl<S: FindingStore + StateStore> Watcher<'_, S> {
    /// What changes are judged against; `known` is what it was.
    ///
    /// # Errors
    /// Where the store fails, or the base cannot be read.
    pub async fn ground(&self, known: Option<Ground>) -> Result<Option<Ground>, StoreError> {
        let taken_at = self.store.base_taken_at().await?;
        if known.as_ref().map(|known| known.taken_at) == taken_at {
            return Ok(known);
        }
        let Some(base) = self.store.base().await? else { return Ok(None) };
        let read = Snapshot::unpack(&base.snapshot)
            .map_err(|error| StoreError::Damaged { item: "the base".to_owned(), cause: error.to_string() })?;
        Ok(Some(Ground { taken_at: base.taken_at, state: Arc::new(read.state) }))
    }

    /// Judges changes that have come in.
    ///
    /// # Errors
    /// Where the store fails: all of it is done again then.
    pub async fn judge(
        &self,
        ground: Option<&Ground>,
        new: Vec<Pending>,
        looking: Looking<'_, impl Lookup>,
    ) -> Result<Judged, StoreError> {
        let mut judged = Judged::default();
        let (mut kept, mut timeless) = (Vec::new(), Vec::new());
        // One of the future would be done to every snapshot until then.
        let latest = self.now.saturating_add(SKEW).unwrap_or(self.now);
        for one in new {
            match (one.time(), one.record()) {
                (Some(time), Some(record)) if record.len() <= MAX_RECORD && time <= latest => {
                    kept.push(Entry::new(time, one.key(), record.to_owned()));
                }
                _ => timeless.push(one),
            }
        }
        for one in timeless {
            judged.unproven += 1;
            let delta = match ground {
                Some(_) => self.auditor.out_of_time(one),
                None => self.auditor.by_text(one),
            };
            self.record(delta, &mut judged).await?;
        }
        self.append(&kept).await?;
        let is_in = |entry: &Entry| ground.is_some_and(|ground| entry.time >= ground.taken_at);
        let (inside, before): (Vec<Entry>, Vec<Entry>) = kept.into_iter().partition(is_in);
        self.by_text(&before, &mut judged).await?;
        if let Some(ground) = ground.filter(|_| !inside.is_empty()) {
            if !looking.lookup.is_off() {
                self.look(ground, &inside, looking).await?;
            }
            self.window(ground, &mut judged).await?;
        }
        Ok(judged)
    }

    /// Puts changes into the journal.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn append(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let put = stream::iter(entries).map(|entry| self.store.append(entry)).buffer_unordered(AT_ONCE);
        put.try_collect().await
    }

    /// Reads from AWS what new changes do not carry, and puts it into the journal. What was read before is not read
    /// again; what failed before is.
    async fn look(
        &self,
        ground: &Ground,
        new: &[Entry],
        looking: Looking<'_, impl Lookup>,
    ) -> Result<(), StoreError> {
        let new: BTreeSet<(Timestamp, EventKey)> = new.iter().map(|entry| (entry.time, entry.key)).collect();
        let Some(last) = new.last().copied() else { return Ok(()) };
        let mut entries = self.store.window(ground.taken_at).await?.entries;
        let read = self.read(&entries);
        let mut state = State::clone(&ground.state);
        for (n, (entry, one)) in entries.iter_mut().zip(&read).enumerate() {
            let place = (entry.time, entry.key);
            let Some(one) = one.as_ref().filter(|_| place <= last) else { continue };
            let from = read.get(n..).unwrap_or_default();
            let is_read = entry.fetched.as_ref().is_some_and(|fetched| fetched.failed.is_empty());
            if new.contains(&place) && !is_read && !is_final(entry, ground) {
                let change = Change { one, entry, later: &edits_of(from) };
                let fetched = looking.fetch(self.auditor, &change, &state).await;
                // What failed as before is kept already.
                if let Some(fetched) = fetched.filter(|fetched| entry.fetched.as_ref() != Some(fetched)) {
                    self.keep_fetched(entry, fetched).await?;
                }
            }
            let change = Change { one, entry, later: &later(entry, from) };
            carry_out(self.auditor, &change, &mut state);
        }
        Ok(())
    }

    /// Keeps what was read, unless somebody else was faster and it is in the journal by now.
    async fn keep_fetched(&self, entry: &mut Entry, fetched: Fetched) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            if self.store.keep_fetched(entry, fetched.clone()).await? {
                return Ok(());
            }
            let now = self.store.entries(&[(entry.time, entry.key)]).await?.entries;
            let Some(now) = now.into_iter().next() else { return Ok(()) };
            *entry = now;
            if entry.fetched.as_ref().is_some_and(|kept| kept.failed.is_empty()) {
                return Ok(());
            }
        }
        Err(StoreError::Overtaken(format!("a change of {} (given up after {TRIES} tries)", entry.time)))
    }

    fn read(&self, entries: &[Entry]) -> Vec<Option<Pending>> {
        entries.iter().map(|entry| self.auditor.pending(&entry.record, entry.is_unseen).ok()).collect()
    }

    /// Judges what of the journal is not judged by this base yet, and all that was made after it.
    ///
    /// # Errors
    /// Where the store fails, or others are faster again and again.
    pub async fn window(&self, ground: &Ground, judged: &mut Judged) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let window = self.store.window(ground.taken_at).await?;
            judged.damaged = window.damaged;
            if self.try_window(ground, window.entries, judged).await?.is_ok() {
                return Ok(());
            }
        }
        Err(StoreError::Overtaken(format!("the journal of changes (given up after {TRIES} tries)")))
    }

    async fn try_window(
        &self,
        ground: &Ground,
        entries: Vec<Entry>,
        judged: &mut Judged,
    ) -> Result<Result<(), Overtaken>, StoreError> {
        let is_new = |entry: &Entry| entry.mark.base.is_none() || !entry.mark.is_done;
        let Some(mut first) = entries.iter().position(is_new) else { return Ok(Ok(())) };
        let mut state = State::clone(&ground.state);
        let texts = Texts::default();
        let read = self.read(&entries);
        for (n, (mut entry, one)) in entries.into_iter().zip(&read).enumerate() {
            let Some(one) = one else {
                let item = format!("the change {:016x} of {}", entry.key.0, entry.time);
                let cause = "the record that was kept cannot be read".to_owned();
                judged.damaged.push(StoreError::Damaged { item, cause });
                continue;
            };
            let later = later(&entry, read.get(n..).unwrap_or_default());
            let change = Change { one, entry: &entry, later: &later };
            // What was read beside a change may be of a later one, which is perhaps only known by now.
            let is_settled = n < first && entry.fetched.is_none();
            // What an earlier base showed of it stays; what that did not, for what came late, this one may.
            let is_final = is_final(&entry, ground);
            if is_settled || is_final && entry.mark.finding.is_some() {
                carry_out(self.auditor, &change, &mut state);
                continue;
            }
            let found = prove(self.auditor, &change, &mut state, &texts, self.now);
            let before = entry.mark.clone();
            if is_final && found.is_none() {
                continue;
            }
            if self.settle(&mut entry, Some(ground.taken_at), found, judged).await?.is_err() {
                return Ok(Err(Overtaken));
            }
            if entry.mark != before {
                first = first.min(n);
            }
        }
        Ok(Ok(()))
    }

    /// Judges changes by their text: those that were made before what stands was read.
    async fn by_text(&self, entries: &[Entry], judged: &mut Judged) -> Result<(), StoreError> {
        let keys: Vec<(Timestamp, EventKey)> = entries.iter().map(|entry| (entry.time, entry.key)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let kept = self.store.entries(&keys).await?;
        judged.damaged.extend(kept.damaged);
        for mut entry in kept.entries {
            let is_proven = entry.mark.base.is_some();
            if is_proven && entry.mark.is_done {
                continue;
            }
            judged.unproven += 1;
            let Ok(one) = self.auditor.pending(&entry.record, entry.is_unseen) else { continue };
            let found = self.auditor.by_text(one).map(|delta| Found { delta, undo: Vec::new() });
            // Whoever was faster says the same, or knows more.
            let _ = self.settle(&mut entry, None, found, judged).await?;
        }
        Ok(())
    }

    /// Writes what came of a change: with the change first, then into findings.
    async fn settle(
        &self,
        entry: &mut Entry,
        base: Option<Timestamp>,
        found: Option<Found>,
        judged: &mut Judged,
    ) -> Result<Result<(), Overtaken>, StoreError> {
        let said = found.as_ref().map_or(0, |found| said(&found.delta));
        let finding = found.as_ref().map(|found| found.delta.sightings.identity.id());
        let mark = marked(&entry.mark, base, finding, said);
        if mark == entry.mark && mark.is_done {
            return Ok(Ok(()));
        }
        // What makes no finding, and made none, is judged again at worst.
        let is_told = mark.finding.is_some() || !mark.left.is_empty();
        if is_told && !self.store.mark(entry, Mark { is_done: false, ..mark.clone() }).await? {
            return Ok(Err(Overtaken));
        }
        if let Some(found) = found {
            self.count(entry.key, mark.turn, found, judged).await?;
        }
        for (finding, turn) in &mark.left {
            self.store.withdraw(finding, &[number(entry.key, *turn)]).await?;
        }
        // What was taken out of a finding never comes back, whoever is late.
        let is_ours = self.store.mark(entry, Mark { is_done: true, left: Vec::new(), ..mark }).await?;
        Ok(if is_ours { Ok(()) } else { Err(Overtaken) })
    }

    /// Counts a change in its finding, in its turn.
    async fn count(
        &self,
        key: EventKey,
        turn: u32,
        found: Found,
        judged: &mut Judged,
    ) -> Result<(), StoreError> {
        let Found { mut delta, undo } = found;
        let key = number(key, turn);
        let sightings = &mut delta.sightings;
        sightings.seen = Sample::default();
        sightings.seen.insert(key);
        sightings.evidence.iter_mut().for_each(|evidence| evidence.key = key);
        let finding = sightings.identity.id();
        if !undo.is_empty() && !self.store.keep_undo(&finding, key, &undo).await? {
            tracing::warn!(finding, "too long to tell later whether it is mended");
        }
        self.record(Some(delta), judged).await
    }

    /// Adds to findings of calls what let them through, by what stood when they were made; and finds where that is not
    /// what happened. The calls' own findings have to be there: what is added here waits for nothing.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn explain(&self, ground: &Ground, calls: Calls) -> Result<Judged, StoreError> {
        let Window { entries, damaged } = self.store.window(ground.taken_at).await?;
        let mut judged = Judged { damaged, ..Judged::default() };
        let changes =
            entries.iter().filter_map(|entry| self.auditor.pending(&entry.record, entry.is_unseen).ok());
        let changes: Vec<Pending> = changes.collect();
        let mut state = State::clone(&ground.state);
        let (deltas, _) = self.auditor.replays(&mut state, ground.taken_at, &changes, calls);
        for delta in deltas {
            self.record(Some(delta), &mut judged).await?;
        }
        Ok(judged)
    }

    async fn record(&self, delta: Option<Delta>, judged: &mut Judged) -> Result<(), StoreError> {
        if let Some(delta) = delta {
            let kept = self.store.record(delta, self.now).await?;
            judged.findings.insert(kept.sightings.identity.id());
        }
        Ok(())
    }
}

/// What was proven by an earlier base stays so: this one has it already.
fn is_final(entry: &Entry, ground: &Ground) -> bool {
    entry.mark.is_done && entry.mark.base.is_some_and(|base| base != ground.taken_at)
}

/// The mark of a change after it was judged.
fn marked(before: &Mark, base: Option<Timestamp>, finding: Option<String>, said: u64) -> Mark {
    let base = base.or(before.base);
    let was_judged = before.finding.is_some() || before.turn > 0;
    if before.finding == finding && before.said == said {
        return Mark { base, ..before.clone() };
    }
    let mut left = before.left.clone();
    left.extend(before.finding.clone().map(|finding| (finding, before.turn)));
    let turn = before.turn + u32::from(was_judged);
    Mark { base, turn, finding, said, left, is_done: false }
}

/// The number by which a change counts in a finding in this turn.
pub(super) fn number(key: EventKey, turn: u32) -> EventKey {
    match turn {
        0 => key,
        _ => EventKey::of(format!("{:016x} in turn {turn}", key.0).as_bytes()),
    }
}

/// A hash of what a change says in its finding.
fn said(delta: &Delta) -> u64 {
    let mut hash = Sha256::new();
    for evidence in &delta.sightings.evidence {
        hash.update(&evidence.reason);
    }
    hash.update(delta.sightings.severity.name());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}

/// What undoing would do to a state: the state with it undone, and the edits that lead back.
pub(super) fn undone(state: &State, undo: &[Edit]) -> (State, Vec<Edit>) {
    let mut without = state.clone();
    undo.iter().for_each(|edit| without.apply(edit));
    let back = without.edits_to(state);
    (without, back)
}

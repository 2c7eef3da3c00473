//! The end of the way: what was gathered goes into the store, and what waited is judged again.
//!
//! Whoever waits writes first and looks then, and so does whoever brings what is waited for: one of
//! the two sees the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::{Auditor, Tally};
use crate::findings::finding::Kept;
use crate::findings::sample::EventKey;
use crate::findings::store::{
    CALLER_HALF, Correction, Delta, FindingStore, Query, StoreError, Waiting, WaitsFor,
};
use crate::perimeter::Endpoint;
use crate::perimeter::inventory::Inventory;

/// Findings written, and partitions read, at once.
const AT_ONCE: usize = 16;

/// What became of one finding: its id, and what is kept of it or why nothing is.
pub type Stored = (String, Result<Kept, StoreError>);

/// What became of all that was to be recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The findings, but for those that nobody is shown.
    pub stored: Vec<Stored>,
    /// Endpoints that records wait for since then.
    pub awaited: BTreeSet<String>,
    /// Why not all corrections were carried out.
    pub uncorrected: Option<StoreError>,
}

/// Records corrections and findings, looks whether what their records waited for has come meanwhile,
/// and takes corrected events out of the findings that have them.
///
/// Where the store fails as a whole, what was not begun by then is given up at once.
pub async fn record<S: FindingStore>(
    store: &S,
    auditor: &Auditor<'_>,
    deltas: Vec<Delta>,
    corrections: &[Correction],
    now: Timestamp,
) -> Recorded {
    let keeper = Keeper { store, auditor, now, down: Mutex::default(), awaited: Mutex::default() };
    let corrected = keeper.correct(corrections).await;
    let stored: Vec<Option<Stored>> =
        stream::iter(deltas).map(|delta| keeper.record(delta)).buffer_unordered(AT_ONCE).collect().await;
    let corrected = match (corrected, keeper.is_down()) {
        _ if corrections.is_empty() => Ok(()),
        (Ok(events), Ok(())) => keeper.withdraw(&events, corrections).await,
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    };
    let awaited = std::mem::take(&mut *lock(&keeper.awaited));
    Recorded { stored: stored.into_iter().flatten().collect(), awaited, uncorrected: corrected.err() }
}

/// Remembers endpoints that were seen created.
///
/// # Errors
/// Where the store fails.
pub async fn learn<S: FindingStore>(store: &S, created: Vec<Endpoint>) -> Result<(), StoreError> {
    stream::iter(created)
        .map(|endpoint| async move { store.learn_endpoint(&endpoint).await.map(drop) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Judges again what waits for an endpoint that is known by now: `auditor` must judge by `inventory`.
/// Returns which of the items cannot be read, and stay.
///
/// # Errors
/// Where the store fails; what was done until then is done.
pub async fn settle<S: FindingStore>(
    store: &S,
    auditor: &Auditor<'_>,
    inventory: &Inventory,
    now: Timestamp,
) -> Result<Vec<StoreError>, StoreError> {
    let keeper = Keeper { store, auditor, now, down: Mutex::default(), awaited: Mutex::default() };
    let mut damaged = Vec::new();
    for endpoint in store.awaited().await?.into_iter().filter(|id| inventory.vpc_of(id).is_some()) {
        let waits_for = WaitsFor::Endpoint(endpoint.clone());
        let mut after = None;
        loop {
            let page = store.waiting(&waits_for, after).await?;
            damaged.extend(page.damaged);
            damaged.extend(keeper.judge_again(page.waiting).await?);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        store.forget_awaited(&endpoint).await?;
    }
    Ok(damaged)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is at hand while things are kept.
struct Keeper<'k, S> {
    store: &'k S,
    auditor: &'k Auditor<'k>,
    now: Timestamp,
    /// Why the store takes nothing any more.
    down: Mutex<Option<String>>,
    /// Endpoints that records wait for since then.
    awaited: Mutex<BTreeSet<String>>,
}

/// Calls whose two halves may both be there now, by `sharedEventID`.
#[derive(Default)]
struct Meeting {
    /// These records wait.
    waiting: BTreeSet<String>,
    /// For these somebody may wait.
    halves: BTreeSet<String>,
}

impl<S: FindingStore> Keeper<'_, S> {
    /// Marks events that were corrected. Returns those that count nowhere.
    async fn correct(&self, corrections: &[Correction]) -> Result<BTreeSet<EventKey>, StoreError> {
        let mut events = BTreeSet::new();
        for correction in corrections {
            let marked = self.store.correct(correction).await;
            events.extend(marked.inspect_err(|error| self.note_down(error))?);
        }
        Ok(events)
    }

    /// Takes corrected events out of the findings that have them: those of the accounts that they may
    /// be counted in are all gone through. Corrections are rare.
    async fn withdraw(
        &self,
        events: &BTreeSet<EventKey>,
        corrections: &[Correction],
    ) -> Result<(), StoreError> {
        let accounts: BTreeSet<&String> = corrections.iter().flat_map(|one| &one.accounts).collect();
        for account in accounts {
            let query = Query { account: Some(account.clone()), ..Query::default() };
            let mut after = None;
            loop {
                let (page, next) = self.store.list(&query, after, self.now).await?;
                for kept in page {
                    let (seen, gone) = (&kept.sightings.seen, &kept.sightings.gone);
                    let has = |key: &EventKey| seen.contains(*key) && !gone.contains(*key);
                    let keys: Vec<EventKey> = events.iter().copied().filter(has).collect();
                    if !keys.is_empty() {
                        self.store.withdraw(&kept.sightings.identity.id(), &keys).await?;
                    }
                }
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Records one finding. Nothing comes back of one that nobody is shown, unless it failed.
    async fn record(&self, delta: Delta) -> Option<Stored> {
        let id = delta.sightings.identity.id();
        let is_shown = delta.sightings.identity.rule != CALLER_HALF;
        if let Err(error) = self.is_down() {
            return Some((id, Err(error)));
        }
        let kept = async {
            let meeting = self.note(&delta);
            let kept = self.store.record(delta, self.now).await?;
            match self.meet(meeting).await?.into_iter().next() {
                None => Ok(kept),
                Some(damaged) => Err(damaged),
            }
        };
        let kept = kept.await.inspect_err(|error| self.note_down(error));
        // Of a session that was not used yet nobody is shown anything either.
        let is_shown = is_shown
            && !kept.as_ref().is_ok_and(|kept| kept.sightings.session.is_some() && kept.count() == 0);
        (is_shown || kept.is_err()).then_some((id, kept))
    }

    /// # Errors
    /// Where the store takes nothing any more.
    fn is_down(&self) -> Result<(), StoreError> {
        match &*lock(&self.down) {
            Some(reason) => Err(StoreError::Failed(format!("not tried any more: {reason}"))),
            None => Ok(()),
        }
    }

    fn note_down(&self, error: &StoreError) {
        if error.is_of_all() {
            lock(&self.down).get_or_insert_with(|| error.to_string());
        }
    }

    /// What a delta that is about to be recorded waits for, and what may wait for it.
    fn note(&self, delta: &Delta) -> Meeting {
        let mut meeting = Meeting::default();
        for waiting in &delta.waiting {
            match &waiting.waits_for {
                WaitsFor::OtherHalf(shared) => {
                    meeting.waiting.insert(shared.clone());
                }
                WaitsFor::Endpoint(endpoint) => {
                    lock(&self.awaited).insert(endpoint.clone());
                }
            }
        }
        meeting.halves = delta.halves.iter().map(|half| half.shared_id.clone()).collect();
        meeting
    }

    /// Judges again what waited for a half that is there. Returns which of the items cannot be read.
    async fn meet(&self, meeting: Meeting) -> Result<Vec<StoreError>, StoreError> {
        let Meeting { waiting, mut halves } = meeting;
        let known: Vec<Option<String>> = stream::iter(waiting)
            .map(|shared| async { Ok(self.store.half(&shared).await?.map(|_| shared)) })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        halves.extend(known.into_iter().flatten());
        let pages: Vec<_> = stream::iter(halves)
            .map(|shared| async { self.store.waiting(&WaitsFor::OtherHalf(shared), None).await })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let (mut waiting, mut damaged) = (Vec::new(), Vec::new());
        for page in pages {
            waiting.extend(page.waiting);
            damaged.extend(page.damaged);
        }
        damaged.extend(self.judge_again(waiting).await?);
        Ok(damaged)
    }

    /// Judges records again, those of one finding together. Returns which cannot be read.
    async fn judge_again(&self, waiting: Vec<Waiting>) -> Result<Vec<StoreError>, StoreError> {
        let mut of_finding: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for one in waiting {
            of_finding.entry(one.finding.clone()).or_default().push(one);
        }
        let mut damaged = Vec::new();
        for (finding, waiting) in of_finding {
            damaged.extend(self.judge_finding_again(&finding, waiting).await?);
        }
        Ok(damaged)
    }

    async fn judge_finding_again(
        &self,
        finding: &str,
        waiting: Vec<Waiting>,
    ) -> Result<Vec<StoreError>, StoreError> {
        let before = self.store.find(finding, self.now).await?.map(|kept| kept.sightings);
        let is_gone = |key| before.as_ref().is_some_and(|before| before.gone.contains(key));
        let (mut moved, mut leaving, mut settled) = (Tally::default(), Vec::new(), Vec::new());
        let mut damaged = Vec::new();
        for one in waiting {
            if is_gone(one.key) {
                // It was judged again before, or corrected.
                settled.push(one);
                continue;
            }
            match self.judge(&one).await {
                Ok(deltas) => {
                    let is_here = |delta: &Delta| delta.sightings.identity.id() == finding;
                    let waits =
                        |delta: &Delta| delta.waiting.iter().any(|again| again.waits_for == one.waits_for);
                    let (here, others): (Vec<Delta>, Vec<Delta>) = deltas.into_iter().partition(is_here);
                    if here.is_empty() {
                        leaving.push(one.key);
                    }
                    others.into_iter().for_each(|delta| moved.add(delta));
                    if !here.iter().any(waits) {
                        settled.push(one);
                    }
                }
                Err(error @ StoreError::Damaged { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        for mut delta in moved.take_deltas() {
            if let Some(before) = &before {
                // Beyond exact counts those that waited stand for all.
                delta.sightings.seen.reach_no_further(&before.seen);
            }
            // Whose half it brings was looked at when the record came for the first time.
            let meeting = Meeting { halves: BTreeSet::new(), ..self.note(&delta) };
            self.store.record(delta, self.now).await?;
            damaged.extend(Box::pin(self.meet(meeting)).await?);
        }
        if !leaving.is_empty() {
            self.store.withdraw(finding, &leaving).await?;
        }
        self.store.settled(&settled).await?;
        Ok(damaged)
    }

    /// What a record adds to which findings now, if to any.
    async fn judge(&self, waiting: &Waiting) -> Result<Vec<Delta>, StoreError> {
        let deltas = self.auditor.again(waiting, None)?;
        let shared =
            deltas.iter().flat_map(|delta| &delta.waiting).find_map(|again| match &again.waits_for {
                WaitsFor::OtherHalf(shared) => Some(shared),
                WaitsFor::Endpoint(_) => None,
            });
        let Some(shared) = shared else { return Ok(deltas) };
        match self.store.half(shared).await? {
            Some(caller) => self.auditor.again(waiting, Some(caller)),
            None => Ok(deltas),
        }
    }
}

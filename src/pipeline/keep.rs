//! The end of the way: what was gathered goes into the store, and what waited is judged again.

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use super::Auditor;
use crate::findings::finding::Kept;
use crate::findings::store::{Delta, FindingStore, Query, StoreError, Waiting, WaitsFor};
use crate::perimeter::Endpoint;
use crate::perimeter::inventory::Inventory;

/// Findings written at once.
const AT_ONCE: usize = 16;

/// What became of one finding: its id, and what is kept of it or why nothing is.
pub type Stored = (String, Result<Kept, StoreError>);

/// Records each delta and then looks whether what its records waited for has come meanwhile.
///
/// Whoever waits writes first and looks then, and so does whoever brings what is waited for: one of
/// the two sees the other.
pub async fn record<S: FindingStore>(
    store: &S,
    auditor: &Auditor<'_>,
    deltas: Vec<Delta>,
    now: Timestamp,
) -> Vec<Stored> {
    stream::iter(deltas)
        .map(|delta| record_one(store, auditor, delta, now))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn record_one<S: FindingStore>(
    store: &S,
    auditor: &Auditor<'_>,
    delta: Delta,
    now: Timestamp,
) -> Stored {
    let id = delta.sightings.identity.id();
    let (waiting, halves) = (delta.waiting.clone(), delta.halves.clone());
    let kept = async {
        let kept = store.record(delta, now).await?;
        for one in waiting {
            if let WaitsFor::OtherHalf(_) = one.waits_for {
                judge_again(store, auditor, &one, now).await?;
            }
        }
        for half in halves {
            let waits_for = WaitsFor::OtherHalf(half.shared_id);
            for one in store.waiting(&waits_for).await? {
                judge_again(store, auditor, &one, now).await?;
            }
        }
        Ok(kept)
    };
    (id, kept.await)
}

/// Remembers endpoints that were seen created, and judges again what waited for any endpoint that is
/// known by now. `auditor` must judge by an inventory that holds them; `inventory` is that.
///
/// # Errors
/// Where the store fails; what was done until then is done.
pub async fn settle<S: FindingStore>(
    store: &S,
    auditor: &Auditor<'_>,
    inventory: &Inventory,
    created: &[Endpoint],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut known = Vec::new();
    for endpoint in created {
        if store.learn_endpoint(endpoint).await? {
            known.push(endpoint.id.to_string());
        }
    }
    known.extend(awaited(store, inventory).await?);
    known.sort_unstable();
    known.dedup();
    for endpoint in known {
        for one in store.waiting(&WaitsFor::Endpoint(endpoint)).await? {
            judge_again(store, auditor, &one, now).await?;
        }
    }
    Ok(())
}

/// The endpoints of findings about unknown endpoints that are known by now.
async fn awaited<S: FindingStore>(store: &S, inventory: &Inventory) -> Result<Vec<String>, StoreError> {
    let query = Query { rule: Some("unknown-endpoint".to_owned()), ..Query::default() };
    let mut endpoints = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = store.list(&query, after).await?;
        let named = page.into_iter().filter_map(|kept| kept.sightings.identity.endpoint);
        endpoints.extend(named.filter(|endpoint| inventory.vpc_of(endpoint).is_some()));
        after = next;
        if after.is_none() {
            return Ok(endpoints);
        }
    }
}

async fn judge_again<S: FindingStore>(
    store: &S,
    auditor: &Auditor<'_>,
    waiting: &Waiting,
    now: Timestamp,
) -> Result<(), StoreError> {
    let principal = match &waiting.waits_for {
        WaitsFor::OtherHalf(shared_id) => match store.half(shared_id).await? {
            Some(principal) => Some(principal),
            None => return Ok(()),
        },
        WaitsFor::Endpoint(_) => None,
    };
    let delta = auditor.again(waiting, principal)?;
    if delta.as_ref().is_some_and(|delta| delta.sightings.identity.id() == waiting.finding) {
        return Ok(());
    }
    if let Some(delta) = delta {
        store.record(delta, now).await?;
    }
    store.withdraw(&waiting.finding, waiting.key).await?;
    store.settled(waiting).await
}

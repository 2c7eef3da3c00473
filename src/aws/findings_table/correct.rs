//! Events that have been corrected: a marker each, which says that the event counts nowhere.
//!
//! Whoever records a correction writes the marker first, and then looks which findings have the event;
//! whoever records an event writes it first, and then looks for a marker. One of the two sees the
//! other. A marker is never taken back, and neither is what follows from it.

use std::collections::HashSet;

use super::item::{self, Corrected};
use super::retry::{Failure, retry};
use super::schema::Key;
use super::{FindingsTable, bounds};
use crate::findings::sample::EventKey;
use crate::findings::store::{Correction, StoreError};

/// Corrections of one event that are remembered as overtaken; a record is corrected once, if ever.
const MAX_OVER: usize = 64;
/// Bytes of a time: more than any has.
const MAX_TIME: usize = 64;

/// Remembers a correction. Returns the events that count nowhere for it.
pub(super) async fn correct(
    table: &FindingsTable,
    correction: &Correction,
) -> Result<Vec<EventKey>, StoreError> {
    let time = bounds::clipped(&correction.time, MAX_TIME).into_owned();
    let correction = Correction { time, ..correction.clone() };
    retry(|| try_correct(table, &correction)).await
}

async fn try_correct(table: &FindingsTable, correction: &Correction) -> Result<Vec<EventKey>, Failure> {
    let Correction { key, by, ref time, .. } = *correction;
    let known = table.try_get(&Key::corrected(key)).await?;
    let known = known.as_ref().map(item::read_corrected).transpose()?;
    let Some(known) = known else {
        let first = Corrected { by, time: time.clone(), over: Vec::new() };
        table.try_put_if(item::write_corrected(key, &first), "by", None).await?;
        return Ok(vec![key]);
    };
    if known.by != by && (known.time.as_str(), known.by) > correction.rank() {
        mark(table, by, &known).await?;
        return Ok(vec![key, by]);
    }
    let mut over = known.over.clone();
    if known.by != by {
        over.push(known.by);
        over.drain(..over.len().saturating_sub(MAX_OVER));
        let now = Corrected { by, time: time.clone(), over: over.clone() };
        mark(table, known.by, &now).await?;
        let before = Some(item::text(super::schema::hex(known.by)));
        table.try_put_if(item::write_corrected(key, &now), "by", before).await?;
    }
    // Who wrote them may have got no further than that.
    Ok([vec![key], over].concat())
}

/// Marks a correction that another one has overtaken.
async fn mark(table: &FindingsTable, overtaken: EventKey, by: &Corrected) -> Result<(), StoreError> {
    let marker = Corrected { by: by.by, time: by.time.clone(), over: Vec::new() };
    table.put_all(vec![item::write_corrected(overtaken, &marker)]).await
}

/// Those of the events that have been corrected.
pub(super) async fn corrected(
    table: &FindingsTable,
    events: &[EventKey],
) -> Result<HashSet<EventKey>, StoreError> {
    let keys: Vec<Key> = events.iter().map(|event| Key::corrected(*event)).collect();
    Ok(table.get_all(&keys).await?.iter().filter_map(item::corrected_event).collect())
}

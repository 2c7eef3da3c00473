//! The way in: what is there is read, joined in memory, and written back on the condition that
//! nobody wrote meanwhile.
//!
//! Joining is a union of sets, so it does not matter how often it is done: an attempt that failed
//! half-way, or succeeded without anybody hearing of it, is simply made again.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use jiff::Timestamp;

use super::item::{self, Stored, VERSION};
use super::requests::own_mark;
use super::retry::{Backoff, Failure};
use super::schema::{Key, PK};
use super::{FindingsTable, Item, bounds, correct};
use crate::findings::finding::{EVIDENCE, Evidence, Kept, Sightings};
use crate::findings::lifecycle::Decision;
use crate::findings::sample::{EventKey, Sample};
use crate::findings::store::{CALLER_HALF, Decided, DecisionError, Delta, StoreError, WaitsFor};

/// Joins a delta into its finding.
pub(super) async fn record(table: &FindingsTable, delta: Delta, now: Timestamp) -> Result<Kept, StoreError> {
    let delta = bounds::bounded(delta);
    let id = delta.sightings.identity.id();
    let mut written = HashSet::new();
    let mut backoff = Backoff::default();
    let mut kept = loop {
        match try_record(table, &id, &delta, now, &mut written).await {
            Ok(kept) => break kept,
            Err(failure) => backoff.after(failure).await?,
        }
    };
    // Whoever corrects an event writes that first and looks for its findings then; this the other way
    // round. All are looked up, not the new ones alone: the last try may have been broken off here.
    let Sightings { seen, gone, .. } = &kept.sightings;
    let here = |key: &EventKey| seen.contains(*key) && !gone.contains(*key);
    let events: Vec<EventKey> = delta.sightings.seen.keys().iter().copied().filter(here).collect();
    let corrected: Vec<EventKey> = correct::corrected(table, &events).await?.into_iter().collect();
    if !corrected.is_empty() {
        withdraw(table, &id, &corrected).await?;
        take_out(&mut kept, &corrected);
    }
    Ok(kept)
}

/// One attempt. `written`: what earlier attempts put beside the finding.
async fn try_record(
    table: &FindingsTable,
    id: &str,
    delta: &Delta,
    now: Timestamp,
    written: &mut HashSet<Key>,
) -> Result<Kept, Failure> {
    let before = load(table, id).await?;
    let mut after = joined(&before, delta, now);
    narrow_span(table, id, &mut after, delta).await?;
    put_beside(table, &before, &after, delta, written).await?;
    let mut change = Change::of(id, &before, item::write_finding(id, &after, before.version + 1)?)?;
    let (shown, shown_before) = (shown(&after.sightings.seen, &after.sightings.gone), before.shown());
    let here = delta.sightings.evidence.iter().filter(|evidence| shown.contains(&evidence.key));
    let (known, mut puts): (Vec<&Evidence>, Vec<&Evidence>) =
        here.partition(|evidence| shown_before.contains(&evidence.key));
    puts.extend(shown_instead(table, id, &after.sightings.seen, known).await?);
    for evidence in puts {
        change.puts.push(item::write_evidence(id, evidence, now)?);
    }
    change.deletes.extend(shown_before.difference(&shown).map(|key| Key::evidence(id, *key)));
    change.commit(table).await?;
    after.sightings.evidence.retain(|evidence| shown.contains(&evidence.key));
    Ok(after)
}

/// What is to be written of events that are shown already.
///
/// A cross-account call has two records, with one key. Whichever comes first, it is the same that is
/// shown in the end: what [`Sightings::join`] does where both are at hand. Evidence that has expired
/// does not come back. Of events that are shown in the place of others there may be none yet.
async fn shown_instead<'d>(
    table: &FindingsTable,
    id: &str,
    seen: &Sample,
    known: Vec<&'d Evidence>,
) -> Result<Vec<&'d Evidence>, StoreError> {
    let keys: Vec<Key> = known.iter().map(|evidence| Key::evidence(id, evidence.key)).collect();
    let mut stored = HashMap::new();
    for item in table.get_all(&keys).await? {
        let evidence = item::read_evidence(&item)?;
        stored.insert(evidence.key, evidence.event.id);
    }
    let first = seen.keys().get(..EVIDENCE).and_then(<[EventKey]>::last);
    let is_wanted = |evidence: &&Evidence| match stored.get(&evidence.key) {
        Some(shown) => evidence.event.id < *shown,
        None => first.is_some_and(|last| evidence.key > *last),
    };
    Ok(known.into_iter().filter(is_wanted).collect())
}

fn joined(before: &Stored, delta: &Delta, now: Timestamp) -> Kept {
    let mut sightings = delta.sightings.clone();
    match before.kept.clone() {
        Some(mut kept) => {
            kept.join(sightings, now);
            kept
        }
        None => {
            sightings.gone.join(&before.gone);
            Kept::new(sightings, now)
        }
    }
}

/// Writes the waiting records and the halves of events that are new to the finding, and that it keeps.
/// What it knew before was written before it knew it.
///
/// An event that is among the smallest in the end was among them whenever it came, so each that is
/// kept in the end has waited, and has left its half: none is missed, however many there were.
async fn put_beside(
    table: &FindingsTable,
    before: &Stored,
    after: &Kept,
    delta: &Delta,
    written: &mut HashSet<Key>,
) -> Result<(), StoreError> {
    let (seen, gone) = (&after.sightings.seen, &after.sightings.gone);
    let known = before.kept.as_ref().map(|kept| &kept.sightings.seen);
    let is_new = |key: EventKey| seen.contains(key) && !known.is_some_and(|known| known.contains(key));
    let mut items = Vec::new();
    let mut awaited = HashSet::new();
    for waiting in delta.waiting.iter().filter(|waiting| is_new(waiting.key) && !gone.contains(waiting.key)) {
        if written.insert(Key::waiting(waiting)) {
            items.push(item::write_waiting(waiting));
            if let WaitsFor::Endpoint(endpoint) = &waiting.waits_for {
                awaited.insert(endpoint.as_str());
            }
        }
    }
    for half in delta.halves.iter().filter(|half| is_new(half.key)) {
        if written.insert(Key::half(&half.shared_id)) {
            items.push(item::write_half(half)?);
        }
    }
    table.put_all(items).await?;
    // Behind the records that wait: whoever forgets an endpoint looked for those last.
    let awaited = awaited.into_iter().map(|endpoint| item::write_awaited(endpoint, own_mark()));
    table.put_all(awaited.collect()).await
}

/// Carries out a decision about a finding.
///
/// Whoever is overtaken reads again what is there by then: a decision that makes no sense any more is refused,
/// and one that was carried out although nobody heard of it is found there.
pub(super) async fn decide(
    table: &FindingsTable,
    id: &str,
    decision: &Decision,
) -> Result<Decided, DecisionError> {
    let mut backoff = Backoff::default();
    loop {
        match try_decide(table, id, decision).await {
            Ok(decided) => return decided,
            Err(failure) => backoff.after(failure).await?,
        }
    }
}

/// One attempt: a failure can be tried again, and an error is an answer.
async fn try_decide(
    table: &FindingsTable,
    id: &str,
    decision: &Decision,
) -> Result<Result<Decided, DecisionError>, Failure> {
    let before = load(table, id).await?;
    let Some(mut kept) = before.kept.clone().filter(is_shown) else {
        return Ok(Err(DecisionError::Unknown(id.to_owned())));
    };
    let is_news = match kept.decide(decision) {
        Ok(is_news) => is_news,
        Err(refused) => return Ok(Err(refused.into())),
    };
    let after = item::write_finding(id, &kept, before.version + 1)?;
    Change::of(id, &before, after)?.commit(table).await?;
    Ok(Ok(Decided { kept, is_news }))
}

/// Is anybody shown the finding?
fn is_shown(kept: &Kept) -> bool {
    kept.count() > 0 && kept.sightings.identity.rule != CALLER_HALF
}

/// Takes events out of a finding, be they seen or not.
pub(super) async fn withdraw(table: &FindingsTable, id: &str, keys: &[EventKey]) -> Result<(), StoreError> {
    super::retry::retry(|| try_withdraw(table, id, keys)).await
}

async fn try_withdraw(table: &FindingsTable, id: &str, keys: &[EventKey]) -> Result<(), Failure> {
    let before = load(table, id).await?;
    let version = before.version + 1;
    let after = match before.kept.clone() {
        Some(mut kept) => {
            take_out(&mut kept, keys);
            let left = evidence_of(table, id, &kept).await?;
            kept.sightings.narrow_span(&left, kept.count());
            item::write_finding(id, &kept, version)?
        }
        None => {
            let mut gone = before.gone.clone();
            keys.iter().for_each(|key| {
                gone.insert(*key);
            });
            item::write_gone(id, &gone, version)
        }
    };
    let mut change = Change::of(id, &before, after)?;
    let shown = before.shown();
    change.deletes =
        keys.iter().filter(|key| shown.contains(key)).map(|key| Key::evidence(id, *key)).collect();
    change.commit(table).await
}

/// Of what was taken out, before it came or after, no time is left.
async fn narrow_span(
    table: &FindingsTable,
    id: &str,
    after: &mut Kept,
    delta: &Delta,
) -> Result<(), Failure> {
    let Sightings { seen, gone, .. } = &after.sightings;
    if gone.keys().is_empty() {
        return Ok(());
    }
    let counts = shown(seen, gone);
    let new: Vec<&Evidence> =
        delta.sightings.evidence.iter().filter(|one| counts.contains(&one.key)).collect();
    let mut left = evidence_of(table, id, after).await?;
    left.retain(|known| !new.iter().any(|one| one.key == known.key));
    left.extend(new.into_iter().cloned());
    let count = after.count();
    after.sightings.narrow_span(&left, count);
    Ok(())
}

/// What is shown of a finding, of those events that are left.
async fn evidence_of(table: &FindingsTable, id: &str, kept: &Kept) -> Result<Vec<Evidence>, Failure> {
    let left = shown(&kept.sightings.seen, &kept.sightings.gone);
    let keys: Vec<Key> = left.iter().map(|key| Key::evidence(id, *key)).collect();
    let items = table.get_all(&keys).await?;
    items.iter().map(|item| item::read_evidence(item).map_err(Failure::from)).collect()
}

fn take_out(kept: &mut Kept, keys: &[EventKey]) {
    for key in keys {
        kept.sightings.gone.insert(*key);
    }
    kept.sightings.evidence.retain(|evidence| !keys.contains(&evidence.key));
}

async fn load(table: &FindingsTable, id: &str) -> Result<Stored, Failure> {
    let found = table.try_get(&Key::finding(id)).await?;
    Ok(found.as_ref().map(item::read_finding).transpose()?.unwrap_or_default())
}

impl Stored {
    /// The events of which there is evidence.
    fn shown(&self) -> HashSet<EventKey> {
        self.kept.as_ref().map(|kept| shown(&kept.sightings.seen, &kept.sightings.gone)).unwrap_or_default()
    }
}

/// The events that are shown as evidence: the smallest of those left. It follows from the sets alone,
/// so it is never read.
fn shown(seen: &Sample, gone: &Sample) -> HashSet<EventKey> {
    seen.keys().iter().copied().filter(|key| !gone.contains(*key)).take(EVIDENCE).collect()
}

/// What changes with a finding, all at once or not at all. What is to be told of it belongs here as
/// well, as one of the `puts`: a finding and its alert then stand or fall together.
struct Change {
    /// The finding. It is written along with whatever hangs on it, so that all changes are in a row.
    finding: Item,
    /// The finding itself is not as it was.
    changed: bool,
    /// The version that it must still have; 0: it must not be there.
    expected: u64,
    puts: Vec<Item>,
    deletes: Vec<Key>,
}

impl Change {
    /// A change of the finding into `after`.
    fn of(id: &str, before: &Stored, after: Item) -> Result<Self, StoreError> {
        let version = before.version + 1;
        let unchanged = match &before.kept {
            Some(kept) => item::write_finding(id, kept, version)? == after,
            None => before.version > 0 && item::write_gone(id, &before.gone, version) == after,
        };
        Ok(Self {
            finding: after,
            changed: !unchanged,
            expected: before.version,
            puts: Vec::new(),
            deletes: Vec::new(),
        })
    }

    /// Nothing where nothing changes. At most 33 items, of the 100 that a transaction may have.
    async fn commit(self, table: &FindingsTable) -> Result<(), Failure> {
        let finding = self.finding;
        if !self.changed && self.puts.is_empty() && self.deletes.is_empty() {
            return Ok(());
        }
        let expected = (self.expected > 0).then(|| item::number(self.expected));
        let name = if expected.is_some() { VERSION } else { PK };
        if self.puts.is_empty() && self.deletes.is_empty() {
            return table.try_put_if(finding, name, expected).await;
        }
        let condition = if expected.is_some() { "#name = :version" } else { "attribute_not_exists(#name)" };
        let values = expected.map(|value| Item::from([(":version".to_owned(), value)]));
        let put = Put::builder().table_name(&table.table).set_item(Some(finding));
        let put = put.condition_expression(condition).expression_attribute_names("#name", name);
        let put = put.set_expression_attribute_values(values).build().map_err(Failure::unbuilt)?;
        let mut actions = vec![TransactWriteItem::builder().put(put).build()];
        for item in self.puts {
            let put = Put::builder().table_name(&table.table).set_item(Some(item)).build();
            actions.push(TransactWriteItem::builder().put(put.map_err(Failure::unbuilt)?).build());
        }
        for key in self.deletes {
            let delete = Delete::builder().table_name(&table.table).set_key(Some(key.attributes())).build();
            actions.push(TransactWriteItem::builder().delete(delete.map_err(Failure::unbuilt)?).build());
        }
        let write = table.client.transact_write_items().set_transact_items(Some(actions));
        write.send().await.map(drop).map_err(Failure::of_transaction)
    }
}

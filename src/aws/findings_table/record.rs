//! The way in: what is there is read, joined in memory, and written back on the condition that
//! nobody wrote meanwhile.
//!
//! Joining is a union of sets, so it does not matter how often it is done: an attempt that failed
//! half-way, or succeeded without anybody hearing of it, is simply made again.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use jiff::Timestamp;

use super::item::{self, Stored, VERSION};
use super::retry::{Backoff, Failure};
use super::schema::{Key, PK};
use super::{FindingsTable, Item, bounds};
use crate::findings::finding::{EVIDENCE, Evidence, Kept};
use crate::findings::sample::{EventKey, Sample};
use crate::findings::store::{Delta, StoreError};

/// Joins a delta into its finding.
pub(super) async fn record(table: &FindingsTable, delta: Delta, now: Timestamp) -> Result<Kept, StoreError> {
    let delta = bounds::bounded(delta);
    let id = delta.sightings.identity.id();
    let mut written = HashSet::new();
    let mut backoff = Backoff::default();
    loop {
        match try_record(table, &id, &delta, now, &mut written).await {
            Ok(kept) => return Ok(kept),
            Err(failure) => backoff.after(failure).await?,
        }
    }
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
    let after = joined(&before, delta, now);
    table.put_all(beside(&before, &after, delta, written)?).await?;
    let mut change = Change::of(id, &before, item::write_finding(id, &after, before.version + 1)?)?;
    let (shown, shown_before) = (shown(&after.sightings.seen, &after.sightings.gone), before.shown());
    let news = |evidence: &&Evidence| shown.contains(&evidence.key) && !shown_before.contains(&evidence.key);
    let mut puts: Vec<&Evidence> = delta.sightings.evidence.iter().filter(news).collect();
    let known: Vec<&Evidence> = delta
        .sightings
        .evidence
        .iter()
        .filter(|evidence| shown.contains(&evidence.key) && shown_before.contains(&evidence.key))
        .collect();
    puts.extend(shown_instead(table, id, known).await?);
    for evidence in puts {
        change.puts.push(item::write_evidence(id, evidence, now)?);
    }
    change.deletes.extend(shown_before.difference(&shown).map(|key| Key::evidence(id, *key)));
    change.commit(table).await?;
    let mut after = after;
    after.sightings.evidence.retain(|evidence| shown.contains(&evidence.key));
    Ok(after)
}

/// A cross-account call has two records, with one key. Whichever comes first, it is the same that is
/// shown in the end: what [`Sightings::join`](crate::findings::finding::Sightings::join) does where both
/// are at hand. Evidence that has expired does not come back.
async fn shown_instead<'d>(
    table: &FindingsTable,
    id: &str,
    known: Vec<&'d Evidence>,
) -> Result<Vec<&'d Evidence>, StoreError> {
    let keys: Vec<Key> = known.iter().map(|evidence| Key::evidence(id, evidence.key)).collect();
    let mut instead = Vec::new();
    for stored in table.get_all(&keys).await? {
        let stored = item::read_evidence(&stored)?;
        let other = known.iter().find(|other| other.key == stored.key && other.event.id < stored.event.id);
        instead.extend(other.copied());
    }
    Ok(instead)
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
            Kept::new(sightings)
        }
    }
}

/// The waiting records and the halves to be written: those of events that are new to the finding,
/// and that it keeps. What it knew before was written before it knew it.
fn beside(
    before: &Stored,
    after: &Kept,
    delta: &Delta,
    written: &mut HashSet<Key>,
) -> Result<Vec<Item>, StoreError> {
    let (seen, gone) = (&after.sightings.seen, &after.sightings.gone);
    let known = before.kept.as_ref().map(|kept| &kept.sightings.seen);
    let is_new = |key: EventKey| seen.contains(key) && !known.is_some_and(|known| known.contains(key));
    let mut items = Vec::new();
    // Beyond exact counts nobody could say how many were taken out again.
    let waiting = delta
        .waiting
        .iter()
        .filter(|waiting| seen.is_exact() && is_new(waiting.key) && !gone.contains(waiting.key));
    for waiting in waiting {
        if written.insert(Key::waiting(waiting)) {
            items.push(item::write_waiting(waiting));
        }
    }
    for half in delta.halves.iter().filter(|half| is_new(half.key)) {
        if written.insert(Key::half(&half.shared_id)) {
            items.push(item::write_half(half)?);
        }
    }
    Ok(items)
}

/// Takes an event out of a finding, be it seen or not.
pub(super) async fn withdraw(table: &FindingsTable, id: &str, key: EventKey) -> Result<(), StoreError> {
    super::retry::retry(|| try_withdraw(table, id, key)).await
}

async fn try_withdraw(table: &FindingsTable, id: &str, key: EventKey) -> Result<(), Failure> {
    let before = load(table, id).await?;
    let version = before.version + 1;
    let after = match before.kept.clone() {
        Some(mut kept) => {
            kept.sightings.gone.insert(key);
            item::write_finding(id, &kept, version)?
        }
        None => {
            let mut gone = before.gone.clone();
            gone.insert(key);
            item::write_gone(id, &gone, version)
        }
    };
    let mut change = Change::of(id, &before, after)?;
    if before.shown().contains(&key) {
        change.deletes.push(Key::evidence(id, key));
    }
    change.commit(table).await
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

/// The events that are shown as evidence: the smallest of all seen, but for those taken out. It
/// follows from the sets alone, so it is never read, and no order of events leads to another.
fn shown(seen: &Sample, gone: &Sample) -> HashSet<EventKey> {
    let smallest = seen.keys().iter().take(EVIDENCE).copied();
    smallest.filter(|key| !gone.contains(*key)).collect()
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
        let expected = (self.expected > 0).then(|| (":version".to_owned(), item::number(self.expected)));
        let values = expected.map(|value| std::collections::HashMap::from([value]));
        let (condition, name) = if values.is_some() {
            ("#name = :version", VERSION)
        } else {
            ("attribute_not_exists(#name)", PK)
        };
        if self.puts.is_empty() && self.deletes.is_empty() {
            let put = table.client.put_item().table_name(&table.table).set_item(Some(finding));
            let put = put.condition_expression(condition).expression_attribute_names("#name", name);
            return put.set_expression_attribute_values(values).send().await.map(drop).map_err(Failure::of);
        }
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

//! The store of findings: one DynamoDB table, in AWS or inside the process.
//!
//! docs/store.md has its items, and why counts stay exact whatever the order, the repetition and
//! the number of writers.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use crate::findings::finding::{Evidence, Kept};
use crate::findings::lifecycle::Decision;
use crate::findings::sample::EventKey;
use crate::findings::store::{
    CALLER_HALF, Correction, Decided, DecisionError, Delta, FindingStore, Query, StoreError, Waiting, Waits,
    WaitsFor,
};
use crate::perimeter::Endpoint;
use crate::perimeter::session::Caller;

mod bounds;
mod correct;
mod document;
mod item;
mod list;
mod record;
mod requests;
mod retry;
pub mod schema;
mod stands;

pub(super) use retry::described;
use schema::Key;

/// An item, as the SDK has it.
type Item = HashMap<String, AttributeValue>;

/// A table of findings.
#[derive(Clone, Debug)]
pub struct FindingsTable {
    client: Client,
    table: String,
}

impl FindingsTable {
    /// The table of that name. Nothing is asked of it yet.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.table
    }
}

impl FindingStore for FindingsTable {
    async fn record(&self, delta: Delta, now: Timestamp) -> Result<Kept, StoreError> {
        record::record(self, delta, now).await
    }

    async fn withdraw(&self, finding: &str, keys: &[EventKey]) -> Result<(), StoreError> {
        record::withdraw(self, finding, keys).await
    }

    async fn correct(&self, correction: &Correction) -> Result<Vec<EventKey>, StoreError> {
        correct::correct(self, correction).await
    }

    async fn decide(&self, finding: &str, decision: &Decision) -> Result<Decided, DecisionError> {
        record::decide(self, finding, decision).await
    }

    async fn find(&self, id: &str, now: Timestamp) -> Result<Option<Kept>, StoreError> {
        let (mut kept, mut evidence) = (None, Vec::new());
        for found in self.partition(&Key::finding(id).pk, None).await? {
            if item::is_finding(&found) {
                let found = item::read_finding(&found)?.kept;
                kept = found.filter(|kept| kept.sightings.identity.rule != CALLER_HALF);
            } else {
                evidence.push(item::read_evidence(&found)?);
            }
        }
        if let Some(kept) = &mut kept {
            evidence.sort_unstable_by_key(|one| one.key);
            kept.sightings.evidence = evidence;
            kept.settle(now);
        }
        Ok(kept)
    }

    async fn evidence(&self, id: &str) -> Result<Vec<Evidence>, StoreError> {
        let found = self.partition(&Key::finding(id).pk, Some(schema::EVIDENCE)).await?;
        let mut evidence = found.iter().map(item::read_evidence).collect::<Result<Vec<_>, _>>()?;
        evidence.sort_by_cached_key(|one| {
            let time = one.event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
            (time.is_none(), time, one.key)
        });
        Ok(evidence)
    }

    async fn list(
        &self,
        query: &Query,
        after: Option<String>,
        now: Timestamp,
    ) -> Result<(Vec<Kept>, Option<String>), StoreError> {
        list::list(self, query, after, now).await
    }

    async fn learn_endpoint(&self, endpoint: &Endpoint) -> Result<bool, StoreError> {
        self.put_once(item::write_endpoint(endpoint)).await
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        self.partition(schema::ENDPOINTS, None).await?.iter().map(item::read_endpoint).collect()
    }

    async fn half(&self, shared_id: &str) -> Result<Option<Caller>, StoreError> {
        let found = self.get(&Key::half(shared_id)).await?;
        found.as_ref().map(item::read_half).transpose()
    }

    async fn waiting(&self, waits_for: &WaitsFor, after: Option<String>) -> Result<Waits, StoreError> {
        let pk = Key::waits_for(waits_for);
        let from = after.map(|sk| Key { pk: pk.clone(), sk }.attributes());
        let (items, next) = self.page(&pk, Some(schema::WAIT), from).await?;
        let next = next.and_then(|mut key| match key.remove(schema::SK) {
            Some(AttributeValue::S(sk)) => Some(sk),
            Some(_) | None => None,
        });
        let mut page = Waits { next, ..Waits::default() };
        for item in &items {
            match item::read_waiting(item, waits_for) {
                Ok(waiting) => page.waiting.push(waiting),
                Err(error) => page.damaged.push(error),
            }
        }
        Ok(page)
    }

    async fn settled(&self, waiting: &[Waiting]) -> Result<(), StoreError> {
        let keys: Vec<Key> = waiting.iter().map(Key::waiting).collect();
        self.delete_all(&keys).await
    }

    async fn awaited(&self) -> Result<Vec<String>, StoreError> {
        self.partition(schema::AWAITED, None).await?.iter().map(item::read_awaited).collect()
    }

    async fn forget_awaited(&self, endpoint: &str) -> Result<(), StoreError> {
        // Read first, then looked: whoever lets a record wait writes it first, and this item then.
        let key = Key::awaited(endpoint);
        let Some(item) = self.get(&key).await? else { return Ok(()) };
        let partition = Key::waits_for(&WaitsFor::Endpoint(endpoint.to_owned()));
        let (waiting, _) = self.page(&partition, Some(schema::WAIT), None).await?;
        match item.get(item::WRITER) {
            Some(writer) if waiting.is_empty() => self.delete_of(&key, writer).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn note_message(&self, message_id: &str, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        // What was noted first stays: a message that comes again costs no write.
        self.put_once(item::write_message(message_id, reason, now)).await.map(drop)
    }
}

//! The function `auditor`: audits records as they happen and keeps what it finds.
//!
//! Every step is idempotent, so what failed is simply sent again: a message of a queue by itself,
//! any other event as a whole. What could be read of it is kept at once all the same.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use super::endpoints::Endpoints;
use super::event::{self, Event, Message};
use super::invocation::Invocation;
use super::log_file::LogFiles;
use super::metrics::Metrics;
use super::reply::{Done, HandlerError, Reply};
use super::trouble::Trouble;
use crate::audit::verdict::Verdict;
use crate::findings::store::FindingStore;
use crate::perimeter::Perimeter;
use crate::perimeter::inventory::Inventory;
use crate::pipeline::Auditor;
use crate::watch::judge::Ground;
use crate::watch::lookup::{Lookup, NoLookup};
use crate::watch::store::StateStore;

/// Reasons written at once.
const AT_ONCE: usize = 16;

/// Made at first use and kept: what ends inside needs no client.
type Lazily<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// Takes events, one after another or several at once, for as long as the process lives.
pub struct Handler<S, L, K = NoLookup> {
    pub(super) perimeter: Arc<Perimeter>,
    pub(super) endpoints: Endpoints,
    /// What changes are judged against, as it was read last.
    pub(super) ground: Mutex<Option<Ground>>,
    pub(super) store: Lazily<S>,
    pub(super) files: Lazily<L>,
    /// What reads from AWS what an event does not carry.
    pub(super) lookup: K,
    /// How long that may take in one invocation.
    pub(super) patience: Duration,
}

/// Judges as this function does: there is a store, and what it writes itself is no news.
pub(super) fn judge<'k>(perimeter: &'k Perimeter, inventory: &'k Inventory) -> Auditor<'k> {
    Auditor::new(perimeter, inventory).for_store().for_journal().ignoring_own_calls()
}

impl<S, L> Handler<S, L> {
    /// Keeps what it finds in a store; log files that events name are fetched from `files`. Each is
    /// made when it is first needed.
    pub fn new(
        perimeter: Perimeter,
        store: impl FnOnce() -> S + Send + 'static,
        files: impl FnOnce() -> L + Send + 'static,
    ) -> Self {
        Self {
            endpoints: Endpoints::new(&perimeter),
            ground: Mutex::default(),
            perimeter: Arc::new(perimeter),
            store: LazyLock::new(Box::new(store)),
            files: LazyLock::new(Box::new(files)),
            lookup: NoLookup,
            patience: Duration::ZERO,
        }
    }

    /// Reads back from AWS what events do not carry, for so long in one invocation.
    pub fn looking_up<K: Lookup>(self, lookup: K, patience: Duration) -> Handler<S, L, K> {
        let Handler { perimeter, endpoints, ground, store, files, .. } = self;
        Handler { perimeter, endpoints, ground, store, files, lookup, patience }
    }
}

impl<S: FindingStore + StateStore, L: LogFiles, K: Lookup> Handler<S, L, K> {
    /// Handles an event, as Lambda gives it. `now` is the time of what follows from it.
    ///
    /// # Errors
    /// [`HandlerError`], where the event as a whole is to come again. A batch of SQS never fails as a
    /// whole, but for one whose messages have no ids.
    pub async fn handle(&self, event: &[u8], now: Timestamp) -> Result<Reply, HandlerError> {
        self.handle_counted(event, now, &mut Metrics::default()).await
    }

    /// The same, and counts.
    ///
    /// # Errors
    /// As [`Self::handle`]; what was counted until then is counted.
    pub async fn handle_counted(
        &self,
        event: &[u8],
        now: Timestamp,
        metrics: &mut Metrics,
    ) -> Result<Reply, HandlerError> {
        match Event::read(event).map_err(|found| HandlerError::Unexpected { found })? {
            Event::Batch(messages) => Ok(Reply::Batch(self.batch(&messages, now, metrics).await)),
            Event::Whole(event) => self.whole(event, now, metrics).await.map(Reply::Done),
        }
    }

    async fn batch(&self, messages: &[Message], now: Timestamp, metrics: &mut Metrics) -> SqsBatchResponse {
        let mut invocation = Invocation::new(self, now, metrics, messages.len());
        let mut texts = Vec::with_capacity(messages.len());
        for (n, message) in messages.iter().enumerate() {
            match &message.body {
                Ok(body) => texts.push((n, body.as_bytes())),
                Err(why) => invocation.trouble(n, Trouble::Malformed(why.clone())),
            }
        }
        invocation.run(&texts).await;
        let mut response = SqsBatchResponse::default();
        let mut notes = Vec::new();
        for (message, troubles) in messages.iter().zip(&invocation.troubles) {
            if troubles.is_empty() {
                continue;
            }
            let (lasting, reason) = (troubles.is_lasting(), troubles.to_string());
            tracing::error!(message_id = %message.id, %reason, lasting, "message failed");
            response.add_failure(message.id.as_str());
            if lasting {
                notes.push((message.id.as_str(), reason));
            }
        }
        let is_down = invocation.down.is_some();
        metrics.failed_messages += response.batch_item_failures.len() as u64;
        if !is_down {
            self.note(notes, now).await;
        }
        response
    }

    /// Stores why messages cannot be read, for whoever finds them among the dead letters.
    async fn note(&self, notes: Vec<(&str, String)>, now: Timestamp) {
        let noting = stream::iter(notes).for_each_concurrent(AT_ONCE, |(message_id, reason)| async move {
            if let Err(error) = self.store.note_message(message_id, &reason, now).await {
                // The message comes again, and so does this; the log has the reason meanwhile.
                tracing::warn!(message_id, %error, "the reason was not stored");
            }
        });
        noting.await;
    }

    async fn whole(&self, event: &[u8], now: Timestamp, metrics: &mut Metrics) -> Result<Done, HandlerError> {
        let mut invocation = Invocation::new(self, now, metrics, 1);
        invocation.run(&[(0, event)]).await;
        let findings = std::mem::take(&mut invocation.findings).into_iter().collect();
        match invocation.troubles.pop().filter(|troubles| !troubles.is_empty()) {
            None => Ok(done(metrics, findings)),
            Some(troubles)
                if metrics.records() == 0 && (troubles.is_no_event() || !event::is_object(event)) =>
            {
                Err(HandlerError::Unexpected { found: format!("{}: {troubles}", event::described(event)) })
            }
            Some(troubles) => Err(HandlerError::of(&troubles)),
        }
    }
}

fn done(metrics: &Metrics, findings: Vec<String>) -> Done {
    let verdicts: BTreeMap<_, _> = Verdict::ALL
        .into_iter()
        .map(Verdict::name)
        .zip(metrics.verdicts)
        .filter(|(_, count)| *count > 0)
        .collect();
    Done { records: metrics.records(), verdicts, findings }
}

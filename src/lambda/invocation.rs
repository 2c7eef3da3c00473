//! One invocation, from the texts of its messages to what is stored: read, judged, kept, settled.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;

use super::auditor::{Handler, judge};
use super::event;
use super::log_file::{self, LogFiles};
use super::metrics::Metrics;
use super::reading::Reading;
use super::trouble::{Trouble, Troubles};
use crate::cloudtrail::envelope::LogFile;
use crate::findings::store::{FindingStore, StoreError, WaitsFor};
use crate::perimeter::Endpoint;
use crate::pipeline::{Calls, Pending, Tally, keep};
use crate::watch::judge::{Ground, Judged, Watcher};
use crate::watch::lookup::{Looking, Lookup};
use crate::watch::store::StateStore;

/// What is under way. Messages are numbered; an event that is not in messages is the message 0.
pub(super) struct Invocation<'h, S, L, K> {
    handler: &'h Handler<S, L, K>,
    now: Timestamp,
    /// Until when it may read back what events do not carry.
    until: Instant,
    metrics: &'h mut Metrics,
    /// What went wrong with each message.
    pub troubles: Vec<Troubles>,
    /// Findings that were stored.
    pub findings: BTreeSet<String>,
    /// Endpoints that were seen created.
    created: Vec<Endpoint>,
    /// Endpoints that records wait for.
    awaited: BTreeSet<String>,
    /// The messages that both came from.
    settling: BTreeSet<usize>,
    /// Why the store takes nothing any more: what needs it is not begun then, since every step alone
    /// takes as long as all may take together.
    pub down: Option<String>,
}

impl<'h, S: FindingStore + StateStore, L: LogFiles, K: Lookup> Invocation<'h, S, L, K> {
    pub fn new(
        handler: &'h Handler<S, L, K>,
        now: Timestamp,
        metrics: &'h mut Metrics,
        messages: usize,
    ) -> Self {
        Self {
            handler,
            now,
            until: Instant::now() + handler.patience,
            metrics,
            troubles: std::iter::repeat_with(Troubles::default).take(messages).collect(),
            findings: BTreeSet::new(),
            created: Vec::new(),
            awaited: BTreeSet::new(),
            settling: BTreeSet::new(),
            down: None,
        }
    }

    /// Something went wrong with a message.
    pub fn trouble(&mut self, message: usize, trouble: Trouble) {
        if let Some(troubles) = self.troubles.get_mut(message) {
            troubles.push(trouble);
        }
    }

    /// The store failed: as it will with whatever is asked of it next?
    fn note_down(&mut self, error: &StoreError) {
        if error.is_of_all() {
            self.down.get_or_insert_with(|| error.to_string());
        }
    }

    /// What stops a message for which the store would be needed, if it is down.
    fn stopped_before(&self, doing: &'static str) -> Option<Trouble> {
        self.down.clone().map(|reason| Trouble::Stopped { doing, reason })
    }

    /// Reads, judges and keeps what the messages hold.
    pub async fn run(&mut self, texts: &[(usize, &[u8])]) {
        let readings = self.read(texts).await;
        let mut tallies = Vec::with_capacity(readings.len());
        let mut files = Vec::new();
        for (message, mut reading) in readings {
            files.extend(reading.files.drain(..).map(|file| (message, file)));
            tallies.push((message, self.take(message, reading)));
        }
        self.keep(tallies).await;
        for (message, file) in files {
            self.log_file(message, file).await;
        }
        self.settle().await;
        self.metrics.findings += self.findings.len() as u64;
        self.metrics.unreadable += self.troubles.iter().map(Troubles::unreadable).sum::<u64>();
    }

    /// Reads all messages. Where one speaks of an endpoint that is not known here, the store may know
    /// it, and then that message is read again; the store is asked at most every few minutes.
    async fn read(&mut self, texts: &[(usize, &[u8])]) -> Vec<(usize, Reading)> {
        let handler = self.handler;
        let known = handler.endpoints.known();
        let auditor = judge(&handler.perimeter, &known);
        let mut readings: Vec<(usize, Reading)> =
            texts.iter().map(|(message, text)| (*message, Reading::of(text, &auditor))).collect();
        for ((_, reading), (_, text)) in readings.iter_mut().zip(texts) {
            if reading.is_empty() && event::is_blank(text) {
                reading.troubles.push(Trouble::Nothing);
            }
        }
        let missed = readings.iter().any(|(_, reading)| reading.unresolved);
        if !missed || handler.endpoints.are_fresh(self.now) {
            return readings;
        }
        let unresolved = readings.iter_mut().zip(texts).filter(|((_, reading), _)| reading.unresolved);
        match handler.endpoints.refresh(&*handler.store, self.now).await {
            Ok(inventory) if Arc::ptr_eq(&inventory, &known) => {}
            Ok(inventory) => {
                let auditor = judge(&handler.perimeter, &inventory);
                unresolved.for_each(|((_, reading), (_, text))| *reading = Reading::of(text, &auditor));
            }
            // Judged without them it might be called outside and be inside.
            Err(error) => {
                unresolved.for_each(|((_, reading), _)| {
                    *reading = Reading::default();
                    reading.troubles.push(stopped(READING_ENDPOINTS, &error));
                });
                self.down = Some(error.to_string());
            }
        }
        readings
    }

    /// Counts what was read of a message, and leaves what it adds to findings.
    fn take(&mut self, message: usize, mut reading: Reading) -> Tally {
        self.metrics.add(&mut reading);
        if let Some(troubles) = self.troubles.get_mut(message) {
            troubles.join(reading.troubles);
        }
        reading.tally
    }

    /// Stores what the messages add to findings, each finding once.
    async fn keep(&mut self, tallies: Vec<(usize, Tally)>) {
        let mut joined = Tally::default();
        let mut corrections = Vec::new();
        let mut correcting = BTreeSet::new();
        let mut messages_of: HashMap<String, Vec<usize>> = HashMap::new();
        let (mut changes, mut changing) = (Vec::new(), BTreeSet::new());
        let (mut calls, mut calling) = (Calls::default(), BTreeSet::new());
        for (message, mut tally) in tallies {
            let mut pending = tally.take_pending();
            if !pending.is_empty() {
                changing.insert(message);
                changes.append(&mut pending);
            }
            let asked = tally.take_calls();
            if !asked.is_empty() {
                calling.insert(message);
                calls.join(asked);
            }
            if !tally.endpoints.is_empty() {
                self.settling.insert(message);
                self.created.append(&mut tally.endpoints.take());
            }
            if !tally.corrections.is_empty() {
                correcting.insert(message);
            }
            for delta in tally.take_deltas() {
                for waiting in &delta.waiting {
                    if let WaitsFor::Endpoint(endpoint) = &waiting.waits_for {
                        self.settling.insert(message);
                        self.awaited.insert(endpoint.clone());
                    }
                }
                messages_of.entry(delta.sightings.identity.id()).or_default().push(message);
                joined.add(delta);
            }
            corrections.extend(tally.take_corrections());
        }
        self.judge_changes(changes, changing).await;
        if messages_of.is_empty() && corrections.is_empty() {
            return;
        }
        if let Some(reason) = self.down.clone() {
            for (finding, messages) in messages_of {
                let error = StoreError::Failed(format!("not tried any more: {reason}"));
                self.not_stored(&finding, messages, &error);
            }
            return self.not_corrected(correcting, reason);
        }
        let handler = self.handler;
        let known = handler.endpoints.known();
        let auditor = judge(&handler.perimeter, &known);
        let deltas = joined.take_deltas();
        let recorded = keep::record(&*handler.store, &auditor, deltas, &corrections, self.now).await;
        self.awaited.extend(recorded.awaited);
        if let Some(reason) = nothing_taken(&recorded.stored) {
            self.down.get_or_insert(reason);
        }
        for (finding, stored) in recorded.stored {
            match stored {
                Ok(_) => {
                    self.findings.insert(finding);
                }
                Err(error) => {
                    let messages = messages_of.remove(&finding).unwrap_or_default();
                    self.not_stored(&finding, messages, &error);
                }
            }
        }
        if let Some(error) = recorded.uncorrected {
            self.note_down(&error);
            self.not_corrected(correcting, error.to_string());
        }
        if !calls.is_empty() {
            let explained = self.watched(async |watcher, ground| match ground {
                Some(ground) => watcher.explain(ground, calls).await,
                None => Ok(Judged::default()),
            });
            let explained = explained.await;
            self.note_judged(explained, "asking what let calls through", calling);
        }
    }

    /// Judges changes by what they do to what stands.
    async fn judge_changes(&mut self, changes: Vec<Pending>, messages: BTreeSet<usize>) {
        if !changes.is_empty() {
            let (handler, until) = (self.handler, self.until);
            let judged = self.watched(async |watcher, ground| {
                let looking = Looking { lookup: &handler.lookup, until };
                watcher.judge(ground, changes, looking).await
            });
            let judged = judged.await;
            self.note_judged(judged, "judging changes", messages);
        }
    }

    fn note_judged(
        &mut self,
        judged: Result<Judged, StoreError>,
        doing: &'static str,
        messages: BTreeSet<usize>,
    ) {
        match judged {
            Ok(judged) => {
                self.findings.extend(judged.findings);
                self.metrics.unproven += judged.unproven;
                // It stays so however often a message comes again.
                judged.damaged.iter().for_each(|error| tracing::error!(%error, "a change was not judged"));
            }
            Err(error) => {
                self.note_down(&error);
                for message in messages {
                    self.trouble(message, stopped(doing, &error));
                }
            }
        }
    }

    /// Does something with what stands, where the store is not down.
    async fn watched(
        &self,
        work: impl AsyncFnOnce(Watcher<'_, S>, Option<&Ground>) -> Result<Judged, StoreError>,
    ) -> Result<Judged, StoreError> {
        if let Some(reason) = self.down.clone() {
            return Err(StoreError::Failed(reason));
        }
        let handler = self.handler;
        let known = handler.endpoints.known();
        let auditor = judge(&handler.perimeter, &known);
        let watcher = Watcher { store: &*handler.store, auditor: &auditor, now: self.now };
        let before = handler.ground.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ground = watcher.ground(before).await?;
        handler.ground.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&ground);
        work(watcher, ground.as_ref()).await
    }

    fn not_stored(&mut self, finding: &str, messages: Vec<usize>, error: &StoreError) {
        self.note_down(error);
        for message in messages {
            let (finding, reason, lasting) = (finding.to_owned(), error.to_string(), error.is_lasting());
            self.trouble(message, Trouble::Store { finding, reason, lasting });
        }
    }

    fn not_corrected(&mut self, messages: BTreeSet<usize>, reason: String) {
        for message in messages {
            let (doing, reason) = ("taking out what was corrected", reason.clone());
            self.trouble(message, Trouble::Stopped { doing, reason });
        }
    }

    /// Reads a log file that a message names.
    async fn log_file(&mut self, message: usize, file: LogFile) {
        let handler = self.handler;
        if log_file::is_digest(&file) {
            return;
        }
        // Its findings would not be kept.
        if let Some(trouble) = self.stopped_before("reading a log file") {
            return self.trouble(message, trouble);
        }
        // A file is not read again for an endpoint that turns out to be known.
        if !handler.endpoints.are_fresh(self.now)
            && let Err(error) = handler.endpoints.refresh(&*handler.store, self.now).await
        {
            self.down = Some(error.to_string());
            return self.trouble(message, stopped(READING_ENDPOINTS, &error));
        }
        let source = match handler.files.fetch(&file).await {
            Ok(source) => source,
            Err(error) => return self.trouble(message, error.into()),
        };
        let (perimeter, known) = (Arc::clone(&handler.perimeter), handler.endpoints.known());
        let (mut parts, task) = log_file::read(file, source, perimeter, known);
        while let Some(part) = parts.recv().await {
            let tally = self.take(message, part);
            self.keep(vec![(message, tally)]).await;
        }
        if let Err(error) = task.await {
            self.trouble(
                message,
                Trouble::Stopped { doing: "reading a log file", reason: error.to_string() },
            );
        }
    }

    /// Endpoints that were seen created are remembered, and what waited for one that is known by now
    /// is judged again.
    async fn settle(&mut self) {
        if let Some(reason) = self.down.clone() {
            return self.unsettled(&StoreError::Failed(reason));
        }
        match self.try_settle().await {
            Ok(damaged) => {
                // It stays so however often a message comes again.
                damaged.iter().for_each(|error| tracing::warn!(%error, "what waited was not judged again"));
            }
            Err(error) => {
                self.note_down(&error);
                self.unsettled(&error);
            }
        }
    }

    fn unsettled(&mut self, error: &StoreError) {
        if self.settling.is_empty() {
            // What is unsettled stays so until an invocation has better luck.
            tracing::warn!(%error, "what waited for endpoints was not judged again");
        }
        for message in std::mem::take(&mut self.settling) {
            self.trouble(message, stopped("judging again what waited for endpoints", error));
        }
    }

    /// Returns what cannot be read.
    async fn try_settle(&self) -> Result<Vec<StoreError>, StoreError> {
        let Handler { perimeter, endpoints, store, .. } = self.handler;
        let mut inventory = endpoints.known();
        if !self.created.is_empty() {
            keep::learn(&**store, self.created.clone()).await?;
            inventory = endpoints.learn(&self.created);
        }
        if !self.awaited.is_empty() {
            // Whoever waits writes first and looks then: somebody may have learned of the endpoint
            // after these records were judged and before they were written.
            inventory = endpoints.refresh(&**store, self.now).await?;
        }
        let has_arrived = self.awaited.iter().any(|endpoint| inventory.vpc_of(endpoint).is_some());
        if self.created.is_empty() && !has_arrived && !endpoints.are_unsettled() {
            return Ok(Vec::new());
        }
        let auditor = judge(perimeter, &inventory);
        let damaged = keep::settle(&**store, &auditor, &inventory, self.now).await?;
        endpoints.settled(&inventory);
        Ok(damaged)
    }
}

/// Why nothing at all was stored, where that may be different another time: then what comes next is not
/// begun either.
fn nothing_taken(stored: &[keep::Stored]) -> Option<String> {
    let errors: Option<Vec<&StoreError>> = stored.iter().map(|(_, kept)| kept.as_ref().err()).collect();
    errors?.into_iter().find(|error| !error.is_lasting()).map(ToString::to_string)
}

const READING_ENDPOINTS: &str = "reading the endpoints that are known";

fn stopped(doing: &'static str, error: &StoreError) -> Trouble {
    Trouble::Stopped { doing, reason: error.to_string() }
}

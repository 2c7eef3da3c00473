//! One invocation, from the texts of its messages to what is stored: read, judged, kept, settled.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::auditor::{Handler, judge};
use super::event;
use super::log_file::{self, LogFiles};
use super::metrics::Metrics;
use super::reading::Reading;
use super::trouble::{Trouble, Troubles};
use crate::cloudtrail::envelope::LogFile;
use crate::findings::store::{FindingStore, StoreError, WaitsFor};
use crate::ids::EndpointId;
use crate::perimeter::Endpoint;
use crate::pipeline::{Tally, keep};

/// What is under way. Messages are numbered; an event that is not in messages is the message 0.
pub(super) struct Invocation<'h, S, L> {
    handler: &'h Handler<S, L>,
    now: Timestamp,
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
}

impl<'h, S: FindingStore, L: LogFiles> Invocation<'h, S, L> {
    pub fn new(
        handler: &'h Handler<S, L>,
        now: Timestamp,
        metrics: &'h mut Metrics,
        messages: usize,
    ) -> Self {
        Self {
            handler,
            now,
            metrics,
            troubles: std::iter::repeat_with(Troubles::default).take(messages).collect(),
            findings: BTreeSet::new(),
            created: Vec::new(),
            awaited: BTreeSet::new(),
            settling: BTreeSet::new(),
        }
    }

    /// Something went wrong with a message.
    pub fn trouble(&mut self, message: usize, trouble: Trouble) {
        if let Some(troubles) = self.troubles.get_mut(message) {
            troubles.push(trouble);
        }
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
            Err(error) => unresolved.for_each(|((_, reading), _)| {
                *reading = Reading::default();
                reading.troubles.push(stopped("reading the endpoints that are known", &error));
            }),
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
        let mut messages_of: HashMap<String, Vec<usize>> = HashMap::new();
        for (message, mut tally) in tallies {
            if !tally.endpoints.is_empty() {
                self.settling.insert(message);
                self.created.append(&mut tally.endpoints);
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
        }
        if messages_of.is_empty() {
            return;
        }
        let handler = self.handler;
        let known = handler.endpoints.known();
        let auditor = judge(&handler.perimeter, &known);
        for (finding, stored) in keep::record(&*handler.store, &auditor, joined.take_deltas(), self.now).await
        {
            match stored {
                Ok(_) => {
                    self.findings.insert(finding);
                }
                Err(error) => {
                    for message in messages_of.remove(&finding).unwrap_or_default() {
                        let (finding, reason) = (finding.clone(), error.to_string());
                        self.trouble(message, Trouble::Store { finding, reason });
                    }
                }
            }
        }
    }

    /// Reads a log file that a message names.
    async fn log_file(&mut self, message: usize, file: LogFile) {
        let handler = self.handler;
        if log_file::is_digest(&file) {
            return;
        }
        // A file is not read again for an endpoint that turns out to be known.
        if !handler.endpoints.are_fresh(self.now)
            && let Err(error) = handler.endpoints.refresh(&*handler.store, self.now).await
        {
            return self.trouble(message, stopped("reading the endpoints that are known", &error));
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
        let Err(error) = self.try_settle().await else { return };
        if self.settling.is_empty() {
            // What is unsettled stays so until an invocation has better luck.
            tracing::warn!(%error, "what waited for endpoints was not judged again");
        }
        for message in std::mem::take(&mut self.settling) {
            self.trouble(message, stopped("judging again what waited for endpoints", &error));
        }
    }

    async fn try_settle(&self) -> Result<(), StoreError> {
        let Handler { perimeter, endpoints, store, .. } = self.handler;
        let mut inventory = endpoints.known();
        if !self.created.is_empty() {
            inventory = endpoints.learn(&self.created);
        }
        if !self.awaited.is_empty() {
            // Whoever waits writes first and looks then: somebody may have learned of the endpoint
            // after these records were judged and before they were written.
            inventory = endpoints.refresh(&**store, self.now).await?;
        }
        let arrived = self.awaited.iter().filter_map(|endpoint| {
            let vpc = inventory.vpc_of(endpoint)?.clone();
            Some(Endpoint { id: EndpointId::parse(endpoint).ok()?, vpc })
        });
        let known: Vec<Endpoint> = self.created.iter().cloned().chain(arrived).collect();
        if known.is_empty() && !endpoints.are_unsettled() {
            return Ok(());
        }
        let auditor = judge(perimeter, &inventory);
        keep::settle(&**store, &auditor, &inventory, &known, self.now).await?;
        endpoints.settled(&inventory);
        Ok(())
    }
}

fn stopped(doing: &'static str, error: &StoreError) -> Trouble {
    Trouble::Stopped { doing, reason: error.to_string() }
}

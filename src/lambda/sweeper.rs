//! The function `sweeper`: on any event, the snapshot that was kept last is swept.
//!
//! Every step of a sweep may be done again, so one that failed, or was ended in the middle, is simply made again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::findings::store::FindingStore;
use crate::iam::state::snapshot::{Snapshot, Unread};
use crate::perimeter::Perimeter;
use crate::perimeter::inventory::Inventory;
use crate::pipeline::Auditor;
use crate::watch::judge::Watcher;
use crate::watch::store::StateStore;
use crate::watch::sweep::{Report, Sweeping};

/// A snapshot of before that is worth a warning: whatever collects has stopped.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(26);
/// Ways in that are logged.
const LOGGED: usize = 20;

/// A snapshot, and as it was kept.
#[derive(Debug)]
pub struct Fetched {
    pub snapshot: Snapshot,
    /// Its JSON, packed by gzip.
    pub packed: Vec<u8>,
}

/// Where snapshots are kept.
pub trait Snapshots: Sync {
    /// The last one.
    ///
    /// # Errors
    /// In words.
    fn fetch(&self) -> impl Future<Output = Result<Fetched, String>> + Send;
}

/// What a sweep came to. Lambda drops it; people who invoke the function by hand read it.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    pub taken_at: Timestamp,
    pub principals: usize,
    pub tables: usize,
    /// Ways in from outside.
    pub opened: usize,
    /// Of so many it cannot be told.
    pub untold: usize,
    /// Changes that no event told of.
    pub unseen: usize,
    /// Findings that were written.
    pub findings: Vec<String>,
    /// Findings that were resolved, and by what.
    pub resolved: BTreeMap<String, String>,
    /// What is kept and cannot be read.
    pub damaged: Vec<String>,
    pub unread: Vec<Unread>,
}

/// Sweeps what was kept last.
///
/// # Errors
/// In words, where there is no snapshot, or the store failed.
pub async fn run<S: FindingStore + StateStore>(
    source: &impl Snapshots,
    store: &S,
    perimeter: &Perimeter,
    now: Timestamp,
) -> Result<Told, String> {
    let Fetched { snapshot, packed } = source.fetch().await?;
    let taken_at = snapshot.taken_at.ok_or("the snapshot does not say when it was taken: `taken_at`")?;
    let age = now.duration_since(taken_at);
    if age > MAX_AGE {
        tracing::warn!(%taken_at, hours = age.as_hours(), "the snapshot is old: does the collector run?");
    }
    let inventory = Inventory::default();
    let auditor = Auditor::new(perimeter, &inventory).for_store().for_journal();
    let watcher = Watcher { store, auditor: &auditor, now };
    let sweeping = Sweeping { perimeter, snapshot: &snapshot, taken_at, packed, threads: threads() };
    let report = watcher.sweep(sweeping).await.map_err(|error| error.to_string())?;
    let told = told(report, taken_at, snapshot.unread);
    for Unread { what, why } in &told.unread {
        tracing::warn!(what, why, "not read");
    }
    told.damaged.iter().for_each(|error| tracing::error!(%error, "cannot be read"));
    let Told { principals, tables, opened, untold, unseen, .. } = told;
    tracing::info!(%taken_at, principals, tables, opened, untold, unseen, "swept");
    Ok(told)
}

fn told(report: Report, taken_at: Timestamp, unread: Vec<Unread>) -> Told {
    let Report { swept, unseen, findings, resolved, damaged } = report;
    for way in swept.opened.iter().take(LOGGED) {
        tracing::warn!(principal = way.principal, table = way.table, "gets in from outside");
    }
    Told {
        taken_at,
        principals: swept.principals,
        tables: swept.tables,
        opened: swept.opened.len(),
        untold: swept.untold.len(),
        unseen,
        findings: findings.into_iter().collect(),
        resolved,
        damaged: damaged.iter().map(ToString::to_string).collect(),
        unread,
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

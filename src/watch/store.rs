//! What the store promises of what stands: the base, the journal of changes, and how each would be undone.
//! The implementation, on DynamoDB, is in `crate::aws::findings_table`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::findings::sample::EventKey;
use crate::findings::store::StoreError;
use crate::iam::state::Edit;
use crate::iam::state::piece::Piece;

/// Bytes of a record that the journal takes: CloudTrail makes none that is longer.
pub const MAX_RECORD: usize = 256 << 10;

/// What changes are judged against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Base {
    /// When reading it began: what happened later may not be in it.
    pub taken_at: Timestamp,
    /// A snapshot's JSON, packed by gzip.
    pub snapshot: Vec<u8>,
}

/// A change, as the journal has it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub time: Timestamp,
    pub key: EventKey,
    /// The record, as JSON.
    pub record: String,
    /// No event told of it: a sweep found it done.
    pub is_unseen: bool,
    /// What was read from AWS beside it. `None`: nothing was, or nothing had to be.
    pub fetched: Option<Fetched>,
    /// What was made of it so far.
    pub mark: Mark,
    /// Counts up with every mark.
    pub version: u64,
}

/// What an event does not carry, read from AWS once for all who judge it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fetched {
    /// What it refers to, and nothing else told.
    pub before: Vec<Piece>,
    /// What it left out.
    pub after: Vec<Piece>,
    /// What could not be read, or does not show the change, and why.
    pub failed: BTreeMap<String, String>,
}

/// What was made of a change.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mark {
    /// The base by which it was proven. `None`: it was not, or by its text alone.
    pub base: Option<Timestamp>,
    /// How often it has been judged otherwise than before. It counts in findings under a number of its own each time,
    /// since what is taken out of a finding never comes back.
    pub turn: u32,
    /// The finding that it is counted in.
    pub finding: Option<String>,
    /// A hash of what it says there.
    pub said: u64,
    /// Findings that it was counted in, and in which turn.
    pub left: Vec<(String, u32)>,
    /// The findings are as this says.
    pub is_done: bool,
}

impl Entry {
    /// A change of which nothing was made yet.
    pub fn new(time: Timestamp, key: EventKey, record: String) -> Self {
        Self { time, key, record, is_unseen: false, fetched: None, mark: Mark::default(), version: 0 }
    }
}

/// A part of the journal.
#[derive(Debug, Default)]
pub struct Window {
    /// In order of time, and of one time in that of their keys.
    pub entries: Vec<Entry>,
    /// Those that cannot be read.
    pub damaged: Vec<StoreError>,
}

/// Keeps what stands. All calls are idempotent.
pub trait StateStore: Sync {
    /// When the base was taken, if there is one.
    fn base_taken_at(&self) -> impl Future<Output = Result<Option<Timestamp>, StoreError>> + Send;

    /// The base.
    fn base(&self) -> impl Future<Output = Result<Option<Base>, StoreError>> + Send;

    /// Makes this the base, unless it is older than what is.
    fn rebase(&self, base: &Base) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts down a change. What was put down first stays.
    fn append(&self, entry: &Entry) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Some changes as the journal has them, in no order.
    fn entries(
        &self,
        of: &[(Timestamp, EventKey)],
    ) -> impl Future<Output = Result<Window, StoreError>> + Send;

    /// The changes that were made then or later.
    fn window(&self, since: Timestamp) -> impl Future<Output = Result<Window, StoreError>> + Send;

    /// Writes a mark, if nobody has since the entry was read. Returns whether it did; the entry is then as written.
    fn mark(&self, entry: &mut Entry, mark: Mark) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Writes what was read beside a change, and that it is to be judged again, if nobody has written since the entry
    /// was read. Returns whether it did; the entry is then as written.
    fn keep_fetched(
        &self,
        entry: &mut Entry,
        fetched: Fetched,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Keeps how what made a finding would be undone. Returns whether it was short enough.
    fn keep_undo(
        &self,
        finding: &str,
        key: EventKey,
        undo: &[Edit],
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// How what made a finding would be undone, by the changes that made it.
    fn undo(
        &self,
        finding: &str,
    ) -> impl Future<Output = Result<Vec<(EventKey, Vec<Edit>)>, StoreError>> + Send;
}

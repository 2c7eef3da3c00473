//! What the store of findings promises. The implementation, on DynamoDB, is
//! `crate::aws::findings_table`; docs/store.md has its items.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Evidence, Kept, Sightings, Status};
use super::sample::EventKey;
use crate::audit::rule::Severity;
use crate::perimeter::Endpoint;
use crate::perimeter::principal::Principal;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not be reached, refused, or failed; trying again may help.
    #[error("the findings store: {0}")]
    Failed(String),
    /// What it holds cannot be read: written by a later version, or by something else.
    #[error("the findings store holds an item that cannot be read, `{item}`: {cause}")]
    Damaged {
        /// Keys of the item.
        item: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// What a record that cannot be judged yet waits for.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum WaitsFor {
    /// An endpoint's VPC to become known.
    Endpoint(String),
    /// The caller's copy of a cross-account call, by `sharedEventID`.
    OtherHalf(String),
}

/// A record that is judged again once more is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// The finding that it counts in meanwhile.
    pub finding: String,
    /// The record's number.
    pub key: EventKey,
    /// The record, as JSON.
    pub record: String,
}

/// The caller's copy of a cross-account call: it says which role made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Half {
    /// `sharedEventID`, the same in both copies.
    pub shared_id: String,
    /// The record's number.
    pub key: EventKey,
    /// Who called.
    pub principal: Principal,
}

/// What goes into the store for one finding at once.
#[derive(Clone, Debug)]
pub struct Delta {
    /// What was seen.
    pub sightings: Sightings,
    /// Those of the records that are to be judged again.
    pub waiting: Vec<Waiting>,
    /// Those of the records that say who made another account's copy.
    pub halves: Vec<Half>,
}

impl Delta {
    /// Adds what goes into the same finding.
    pub fn join(&mut self, other: Delta) {
        self.sightings.join(other.sightings);
        self.waiting.extend(other.waiting);
        self.halves.extend(other.halves);
    }

    /// Bytes that it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        let records: usize = self.waiting.iter().map(|waiting| waiting.record.len()).sum();
        self.sightings.weight() + records
    }
}

/// Which findings to list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// At least this severe.
    pub at_least: Option<Severity>,
    /// In one of these states; empty: any.
    pub statuses: Vec<Status>,
    /// Of this account.
    pub account: Option<String>,
    /// Of this rule.
    pub rule: Option<String>,
    /// Last seen then or later.
    pub since: Option<Timestamp>,
    /// First seen before then.
    pub until: Option<Timestamp>,
}

/// Keeps findings.
///
/// All calls are idempotent: what is done twice, in another order, or by several writers at once,
/// leaves the same behind.
pub trait FindingStore: Sync {
    /// Joins what was seen into what is kept of the finding, and gives back the whole.
    ///
    /// Waiting records and halves are written first, for those events only that the finding's
    /// sample keeps, so that a crash in between loses none of them and a flood stays bounded.
    /// Nothing is written where nothing changes.
    fn record(&self, delta: Delta, now: Timestamp) -> impl Future<Output = Result<Kept, StoreError>> + Send;

    /// Takes events out of a finding, now and for whenever they come again.
    fn withdraw(&self, finding: &str, key: EventKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The finding of that id.
    fn find(&self, id: &str) -> impl Future<Output = Result<Option<Kept>, StoreError>> + Send;

    /// The evidence that is still kept of a finding, in order of time.
    fn evidence(&self, id: &str) -> impl Future<Output = Result<Vec<Evidence>, StoreError>> + Send;

    /// A page of findings, the most severe and the latest first, and where the next page begins.
    /// Findings without events are left out.
    fn list(
        &self,
        query: &Query,
        after: Option<String>,
    ) -> impl Future<Output = Result<(Vec<Kept>, Option<String>), StoreError>> + Send;

    /// Remembers where an endpoint is. Returns whether it is news; what was known first stays.
    fn learn_endpoint(&self, endpoint: &Endpoint) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// All endpoints remembered.
    fn endpoints(&self) -> impl Future<Output = Result<Vec<Endpoint>, StoreError>> + Send;

    /// Who made the call that another account's copy tells of, by `sharedEventID`.
    fn half(&self, shared_id: &str) -> impl Future<Output = Result<Option<Principal>, StoreError>> + Send;

    /// The records that wait for something.
    fn waiting(&self, waits_for: &WaitsFor) -> impl Future<Output = Result<Vec<Waiting>, StoreError>> + Send;

    /// The record no longer waits.
    fn settled(&self, waiting: &Waiting) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes under a message's id why it could not be read.
    fn note_message(
        &self,
        message_id: &str,
        reason: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

//! What the store of findings promises. The implementation, on DynamoDB, is
//! `crate::aws::findings_table`; docs/store.md has its items.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Evidence, Kept, Sightings, Status};
use super::lifecycle::{Decision, Refused};
use super::sample::EventKey;
use crate::audit::rule::Severity;
use crate::perimeter::Endpoint;
use crate::perimeter::principal::Principal;
use crate::perimeter::session::{Caller, Part};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not be reached, let nobody in, or failed: as it does for whatever is asked of it next.
    #[error("the findings store: {0}")]
    Failed(String),
    /// Others were faster again and again: they wrote the same item, or used up what it may take.
    #[error("the findings store: {0}")]
    Overtaken(String),
    /// It does not take this item, and never will.
    #[error("the findings store does not take it: {0}")]
    Refused(String),
    /// What it holds cannot be read: written by a later version, or by something else.
    #[error("the findings store holds an item that cannot be read, `{item}`: {cause}")]
    Damaged {
        /// Keys of the item.
        item: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl StoreError {
    /// Would it be the same with any other item? Then there is no use in going on.
    pub fn is_of_all(&self) -> bool {
        match self {
            StoreError::Failed(_) => true,
            StoreError::Overtaken(_) | StoreError::Refused(_) | StoreError::Damaged { .. } => false,
        }
    }

    /// Will it be the same whenever it is tried again?
    pub fn is_lasting(&self) -> bool {
        match self {
            StoreError::Refused(_) | StoreError::Damaged { .. } => true,
            StoreError::Failed(_) | StoreError::Overtaken(_) => false,
        }
    }
}

/// Why a decision about a finding was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// There is no such finding, or none of its events is left.
    #[error("no finding has the id `{0}`")]
    Unknown(String),
    /// It makes no sense as the finding stands.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store failed. Whether the decision was carried out is then to be looked up, or it is made again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a finding by a decision.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The finding, without its evidence.
    pub kept: Kept,
    /// It was not carried out before.
    pub is_news: bool,
}

/// The rule's name of findings that are none: they bound how many halves are kept of the calls that
/// make no finding in the caller's account. They are in no list, no count and no output.
pub const CALLER_HALF: &str = "caller-half";

/// Bytes of a record that may wait. A longer one stays undetermined: CloudTrail makes none.
pub const MAX_WAITING: usize = 256 << 10;

/// What a record that cannot be judged yet waits for.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum WaitsFor {
    /// An endpoint's VPC to become known.
    Endpoint(String),
    /// The caller's copy of a cross-account call, by `sharedEventID`.
    OtherHalf(String),
}

/// A record that is judged again once more is known.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Waiting {
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// The finding that it counts in meanwhile.
    pub finding: String,
    /// The record's number.
    pub key: EventKey,
    /// The record, as JSON: as much of it as judging takes.
    pub record: String,
}

/// A page of the records that wait for the same.
#[derive(Debug, Default)]
pub struct Waits {
    /// The records.
    pub waiting: Vec<Waiting>,
    /// Those of the items that cannot be read.
    pub damaged: Vec<StoreError>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A record says that it takes the place of an earlier one.
///
/// The corrected event counts nowhere any more, for ever; the record that corrects it counts under a
/// number of its own. Of several corrections of one event that with the greatest `(time, by)` counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Correction {
    /// The number of the event that is corrected.
    pub key: EventKey,
    /// The number of the record that corrects it.
    pub by: EventKey,
    /// `eventTime` of that record, and behind it whether it reached the table from outside: as text, so that
    /// of two of one time the one from outside is the later.
    pub time: String,
    /// The accounts whose findings the event may be counted in.
    pub accounts: Vec<String>,
}

impl Correction {
    /// Of two corrections of one event the greater one counts.
    pub fn rank(&self) -> (&str, EventKey) {
        (&self.time, self.by)
    }
}

/// The caller's copy of a cross-account call: it says which role made it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Half {
    /// `sharedEventID`, the same in both copies.
    pub shared_id: String,
    /// The record's number.
    pub key: EventKey,
    /// Who called.
    pub principal: Principal,
    /// In which break-glass session.
    #[serde(default)]
    pub session: Option<Box<Part>>,
}

/// What goes into the store for one finding at once.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// Nothing is written where nothing changes. Events that have been corrected are withdrawn at once.
    fn record(&self, delta: Delta, now: Timestamp) -> impl Future<Output = Result<Kept, StoreError>> + Send;

    /// Takes events out of a finding, now and for whenever they come again.
    fn withdraw(
        &self,
        finding: &str,
        keys: &[EventKey],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Remembers that an event has been corrected. Returns the events that count nowhere for it: the
    /// caller withdraws them from the findings that have them.
    fn correct(
        &self,
        correction: &Correction,
    ) -> impl Future<Output = Result<Vec<EventKey>, StoreError>> + Send;

    /// Carries out what somebody decided about a finding, as it stands when that was decided.
    ///
    /// The same decision again changes nothing, whatever became of the finding since. Where the finding changes
    /// meanwhile, the decision is about what it has become.
    ///
    /// # Errors
    /// [`DecisionError`]; nothing is changed then, but where the store failed: then it may be carried out.
    fn decide(
        &self,
        finding: &str,
        decision: &Decision,
    ) -> impl Future<Output = Result<Decided, DecisionError>> + Send;

    /// The finding of that id, as it stands at `now`.
    fn find(&self, id: &str, now: Timestamp)
    -> impl Future<Output = Result<Option<Kept>, StoreError>> + Send;

    /// The evidence that is still kept of a finding, in order of time.
    fn evidence(&self, id: &str) -> impl Future<Output = Result<Vec<Evidence>, StoreError>> + Send;

    /// A page of findings, the most severe and the latest first, and where the next page begins.
    /// Findings without events are left out. Each stands as it does at `now`, and so it is asked for.
    fn list(
        &self,
        query: &Query,
        after: Option<String>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(Vec<Kept>, Option<String>), StoreError>> + Send;

    /// Remembers where an endpoint is. Returns whether it is news; what was known first stays.
    fn learn_endpoint(&self, endpoint: &Endpoint) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// All endpoints remembered.
    fn endpoints(&self) -> impl Future<Output = Result<Vec<Endpoint>, StoreError>> + Send;

    /// Who made the call that another account's copy tells of, by `sharedEventID`.
    fn half(&self, shared_id: &str) -> impl Future<Output = Result<Option<Caller>, StoreError>> + Send;

    /// A page of the records that wait for something.
    fn waiting(
        &self,
        waits_for: &WaitsFor,
        after: Option<String>,
    ) -> impl Future<Output = Result<Waits, StoreError>> + Send;

    /// The records no longer wait.
    fn settled(&self, waiting: &[Waiting]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The endpoints that records wait for, or did.
    fn awaited(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Forgets that an endpoint is awaited, unless something waits for it.
    fn forget_awaited(&self, endpoint: &str) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes under a message's id why it could not be read.
    fn note_message(
        &self,
        message_id: &str,
        reason: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

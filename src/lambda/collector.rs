//! The function `collector`: on any event, what stands is read and kept.
//!
//! The event says nothing that matters: a schedule sends it. What cannot be read is no failure, which would only be tried
//! again: it is in the answer, in the log, and in what is kept.

use jiff::Timestamp;
use serde::Serialize;

use crate::iam::state::snapshot::Unread;

/// Reads all that stands, and keeps it.
pub trait Collect {
    /// `now` is the time when reading begins.
    ///
    /// # Errors
    /// In words, where nothing was read or nothing could be kept.
    fn collect(&self, now: Timestamp) -> impl Future<Output = Result<Told, String>> + Send;
}

/// What was read. Lambda drops it; people who invoke the function by hand read it.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// When reading began.
    pub taken_at: Timestamp,
    /// Accounts whose IAM was read.
    pub accounts: usize,
    pub roles: usize,
    /// Streams that stand on their own among them.
    pub tables: usize,
    pub endpoints: usize,
    pub regions: Vec<String>,
    pub remarks: Vec<String>,
    /// The first of what could not be read: an answer of Lambda's has an end, and what is kept has all.
    pub unread: Vec<Unread>,
    /// How many there are of them.
    pub unread_count: usize,
}

/// So many are told.
pub const TOLD: usize = 100;

/// Collects, and logs what could not be read.
///
/// # Errors
/// As [`Collect::collect`].
pub async fn run(source: &impl Collect, now: Timestamp) -> Result<Told, String> {
    let told = source.collect(now).await?;
    for Unread { what, why } in &told.unread {
        tracing::warn!(what, why, "not read");
    }
    let Told { accounts, roles, tables, endpoints, unread_count, .. } = told;
    tracing::info!(accounts, roles, tables, endpoints, unread_count, "kept");
    Ok(told)
}

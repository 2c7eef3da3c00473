//! What a function answers.

use std::collections::BTreeMap;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use lambda_runtime::Diagnostic;
use serde::Serialize;

use super::event;
use super::trouble::{Trouble, Troubles};

/// The answer to an event.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To a batch of SQS: the messages that failed, which come again.
    Batch(SqsBatchResponse),
    /// To anything else.
    Done(Done),
}

/// What came of an event. Lambda drops it; people who invoke the function by hand read it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Done {
    /// Records read.
    pub records: u64,
    /// The same by verdict; those that no record had are left out.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Ids of the findings that records were added to, sorted.
    pub findings: Vec<String>,
}

/// Why an event failed as a whole. Lambda sends it again, or to where failed events go.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// It is none that the function takes.
    #[error("{found}; expected {}", event::EXPECTED)]
    Unexpected {
        /// What it is instead.
        found: String,
    },
    /// It is one, and not all of it could be read and stored. What could be is.
    #[error("{reason}")]
    Failed {
        /// A name that stays the same, for alarms and filters.
        kind: &'static str,
        /// What went wrong, one after another.
        reason: String,
    },
}

impl HandlerError {
    pub(super) fn of(troubles: &Troubles) -> Self {
        let kind = match troubles.first() {
            Some(Trouble::Fetch(_)) => "LogFileNotFetched",
            Some(Trouble::Store { .. } | Trouble::Stopped { .. }) => "StoreFailed",
            Some(
                Trouble::Unreadable(_)
                | Trouble::UnreadableFile { .. }
                | Trouble::Nothing
                | Trouble::Malformed(_),
            )
            | None => "UnreadableEvent",
        };
        HandlerError::Failed { kind, reason: troubles.to_string() }
    }

    /// A name that stays the same, for alarms and filters.
    pub fn kind(&self) -> &'static str {
        match self {
            HandlerError::Unexpected { .. } => "UnexpectedEvent",
            HandlerError::Failed { kind, .. } => kind,
        }
    }
}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        Diagnostic { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

//! What failed, whether trying again can help, and how long to wait before.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;

use crate::findings::store::StoreError;

/// How often anything is tried.
const TRIES: u32 = 12;
/// The longest wait before the second try; it doubles with every further one.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// The longest wait of all.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Why an item of a transaction is never taken.
const REFUSALS: [&str; 2] = ["ValidationError", "ItemCollectionSizeLimitExceeded"];

/// What became of a request that did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another writer was faster: what is there has to be read again.
    Overtaken(String),
    /// So much is asked for, of this item or of its neighbours, that it has to wait.
    Throttled(String),
    /// It may succeed later. It may also have been carried out, and the answer lost.
    Passing(String),
    /// It never will.
    Lasting(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Lasting(error)
    }
}

impl Failure {
    /// What the SDK's error means.
    pub fn of<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let text = described(&error);
        match error.code() {
            Some("ConditionalCheckFailedException" | "TransactionConflictException") => {
                Failure::Overtaken(text)
            }
            Some(
                "ThrottlingException"
                | "Throttling"
                | "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "LimitExceededException",
            ) => Failure::Throttled(text),
            Some(
                "InternalServerError"
                | "InternalServerErrorException"
                | "ServiceUnavailable"
                | "ServiceUnavailableException"
                | "TransactionInProgressException",
            ) => Failure::Passing(text),
            Some("ValidationException" | "ItemCollectionSizeLimitExceededException") => {
                Failure::Lasting(StoreError::Refused(text))
            }
            Some(_) => Failure::Lasting(StoreError::Failed(text)),
            None => match &error {
                SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                    Failure::Passing(text)
                }
                SdkError::ServiceError(_) => Failure::Passing(text),
                _ => Failure::Lasting(StoreError::Failed(text)),
            },
        }
    }

    /// The same for transactions, which carry one reason for each of their items.
    pub fn of_transaction<R: std::fmt::Debug>(error: SdkError<TransactWriteItemsError, R>) -> Self {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Failure::of(error);
        };
        let text = described(&error);
        let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
        let codes: Vec<&str> = codes.filter(|code| *code != "None").collect();
        let again = |code: &&str| {
            matches!(
                *code,
                "ConditionalCheckFailed"
                    | "TransactionConflict"
                    | "ThrottlingError"
                    | "ProvisionedThroughputExceeded"
            )
        };
        let is_throttled = |code: &&str| matches!(*code, "ThrottlingError" | "ProvisionedThroughputExceeded");
        if !codes.is_empty() && codes.iter().all(again) && codes.iter().any(is_throttled) {
            Failure::Throttled(format!("{text} ({})", codes.join(", ")))
        } else if !codes.is_empty() && codes.iter().all(again) {
            Failure::Overtaken(format!("{text} ({})", codes.join(", ")))
        } else if codes.iter().any(|code| REFUSALS.contains(code)) {
            Failure::Lasting(StoreError::Refused(format!("{text} ({})", codes.join(", "))))
        } else {
            Failure::Lasting(StoreError::Failed(format!("{text} ({})", codes.join(", "))))
        }
    }

    /// A request that was not even built.
    pub fn unbuilt(error: BuildError) -> Self {
        Failure::Lasting(StoreError::Failed(error.to_string()))
    }
}

/// The code and message of an error, or all that stands behind it.
pub(in crate::aws) fn described<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(behind) = cause {
                text.push_str(": ");
                text.push_str(&behind.to_string());
                cause = behind.source();
            }
            text
        }
    }
}

/// Waits longer after every try, by chance, so that writers who met once do not meet again.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Waits after a failure.
    ///
    /// # Errors
    /// Where trying again is of no use, or was tried often enough.
    pub async fn after(&mut self, failure: Failure) -> Result<(), StoreError> {
        self.tries += 1;
        let given_up = |text| format!("{text} (given up after {TRIES} tries)");
        match failure {
            Failure::Lasting(error) => return Err(error),
            Failure::Overtaken(text) | Failure::Throttled(text) if self.tries >= TRIES => {
                return Err(StoreError::Overtaken(given_up(text)));
            }
            Failure::Passing(text) if self.tries >= TRIES => {
                return Err(StoreError::Failed(given_up(text)));
            }
            Failure::Overtaken(_) | Failure::Throttled(_) | Failure::Passing(_) => {}
        }
        let longest = FIRST_WAIT.saturating_mul(1 << self.tries.saturating_sub(1)).min(LONGEST_WAIT);
        tokio::time::sleep(longest.mul_f64(chance())).await;
        Ok(())
    }
}

/// Tries until it succeeds or is given up. For what does the same however often it is done.
pub(super) async fn retry<T, F: Future<Output = Result<T, Failure>>>(
    tried: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut backoff = Backoff::default();
    loop {
        match tried().await {
            Ok(done) => return Ok(done),
            Err(failure) => backoff.after(failure).await?,
        }
    }
}

/// Sixty-four bits that nobody chose: the seed that the standard library gives its hash maps.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// At least 0 and below 1.
fn chance() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

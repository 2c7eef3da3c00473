//! What became of a call: authorised, refused, or not told by its record.
//!
//! Source: DynamoDB developer guide, "Error handling with DynamoDB"; IAM error codes as CloudTrail
//! writes them.

use serde::{Deserialize, Serialize};

use super::record::{Field, Key, Record};

/// What became of a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was let through, also where it failed later: a failed condition can return the item.
    Authorised,
    /// It was refused.
    Denied,
    /// It failed with an error that can come before authorisation or after it.
    Undetermined,
}

impl Outcome {
    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Authorised => "authorised",
            Outcome::Denied => "denied",
            Outcome::Undetermined => "undetermined",
        }
    }
}

/// Tells what became of a record's call.
pub fn outcome(record: &Record<'_>) -> Outcome {
    match record.get(Key::ErrorCode) {
        Field::Absent | Field::Null => Outcome::Authorised,
        Field::Other(_) => Outcome::Undetermined,
        code @ Field::Text(_) => code.text().map_or(Outcome::Undetermined, |code| of_code(&code)),
    }
}

fn of_code(code: &str) -> Outcome {
    // `Client.` is EC2's, and a name before `#` the protocol's.
    let code = code.rsplit('#').next().unwrap_or(code);
    let code = code.strip_prefix("Client.").unwrap_or(code);
    if REFUSED.contains(&code) {
        Outcome::Denied
    } else if code.is_empty() || LATER.contains(&code) {
        Outcome::Authorised
    } else {
        Outcome::Undetermined
    }
}

/// Authorisation or authentication failed.
const REFUSED: [&str; 24] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "NotAuthorizedException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "Unauthorized",
    "UnauthorizedException",
    "UnauthorizedOperation",
    "UnauthorizedAccess",
    "UnrecognizedClientException",
    "VpceAccessDenied",
    "VpceAccessDeniedException",
];

/// Raised only once the call was let through to the items or to the table's state.
const LATER: [&str; 16] = [
    "BackupInUseException",
    "ConditionalCheckFailedException",
    "DuplicateItemException",
    "ExportConflictException",
    "IdempotentParameterMismatchException",
    "ItemCollectionSizeLimitExceededException",
    "PolicyNotFoundException",
    "ReplicaAlreadyExistsException",
    "ReplicatedWriteConflictException",
    "ResourceInUseException",
    "TableAlreadyExistsException",
    "TableInUseException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "TrimmedDataAccessException",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_after_authorisation_are_access() {
        assert_eq!(of_code("ConditionalCheckFailedException"), Outcome::Authorised);
        assert_eq!(
            of_code("com.amazonaws.dynamodb.v20120810#TransactionCanceledException"),
            Outcome::Authorised
        );
    }

    #[test]
    fn refusals_come_in_several_spellings() {
        for code in
            ["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "VpceAccessDenied"]
        {
            assert_eq!(of_code(code), Outcome::Denied, "{code}");
        }
    }

    #[test]
    fn what_can_come_before_or_after_is_undetermined() {
        for code in ["ThrottlingException", "ValidationException", "ResourceNotFoundException", "Whatever"] {
            assert_eq!(of_code(code), Outcome::Undetermined, "{code}");
        }
    }
}

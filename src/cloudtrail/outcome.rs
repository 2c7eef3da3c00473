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

/// What a message says of why a policy refused a call.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Refusal {
    /// The permission that was missing, as `dynamodb:GetItem`.
    pub action: Option<String>,
    /// The kind of policy, one of [`Refusal::POLICIES`].
    pub policy: Option<&'static str>,
    /// A statement of it denies; else none allows.
    pub is_explicit: bool,
}

impl Refusal {
    /// What sessions may bring along.
    pub const SESSION: &'static str = "session policy";

    /// Kinds of policies, as messages name them.
    pub const POLICIES: [&'static str; 7] = [
        "service control policy",
        "resource control policy",
        "VPC endpoint policy",
        "permissions boundary",
        Self::SESSION,
        "resource-based policy",
        "identity-based policy",
    ];

    /// Reads a message. Of what a caller wrote into it, names have no spaces.
    ///
    /// Source: IAM user guide, "Troubleshoot access denied error messages".
    fn read(message: &str) -> Self {
        let Some((_, rest)) = message.split_once("not authorized to perform: ") else {
            return Self::default();
        };
        let action = rest.split_whitespace().next().filter(|action| action.len() <= 128).map(str::to_owned);
        let explicit = |kind: &&str| {
            ["a", "an"]
                .iter()
                .any(|article| rest.contains(&format!(" with an explicit deny in {article} {kind}")))
        };
        let implicit = |kind: &&str| rest.contains(&format!(" because no {kind} allows"));
        let denies = Self::POLICIES.into_iter().find(explicit);
        let policy = denies.or_else(|| Self::POLICIES.into_iter().find(implicit));
        Self { action, policy, is_explicit: denies.is_some() }
    }
}

/// Why a policy refused a record's call, as its message has it. `None`: it was refused for something else, or not at
/// all.
pub fn refusal(record: &Record<'_>) -> Option<Refusal> {
    let code = record.get(Key::ErrorCode).text()?;
    let code = code.rsplit('#').next().unwrap_or_default();
    let is_by_policy = matches!(code, "AccessDenied" | "AccessDeniedException");
    is_by_policy.then(|| Refusal::read(&record.get(Key::ErrorMessage).text().unwrap_or_default()))
}

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
    fn a_message_says_which_policy_refused() {
        let begin = "User: arn:aws:sts::111122223333:assumed-role/app/s is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
        for (end, policy, is_explicit) in [
            (" with an explicit deny in a service control policy", Some("service control policy"), true),
            (" with an explicit deny in an identity-based policy", Some("identity-based policy"), true),
            (" because no session policy allows the dynamodb:GetItem action", Some("session policy"), false),
            (" with an explicit deny", None, false),
            ("", None, false),
        ] {
            let refusal = Refusal::read(&format!("{begin}{end}"));
            assert_eq!(refusal, Refusal { action: Some("dynamodb:GetItem".into()), policy, is_explicit });
        }
        assert_eq!(Refusal::read("because no session policy allows it"), Refusal::default());
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

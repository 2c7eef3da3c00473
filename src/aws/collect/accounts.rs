//! Whose credentials are at hand, and those of every other account.
//!
//! Source: STS API reference, `GetCallerIdentity`, `AssumeRole`.

use std::time::SystemTime;

use aws_sdk_sts::Client;
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};

use super::Failed;
use crate::ids::Arn;

/// As CloudTrail shows who is reading.
const SESSION: &str = "perimeter-collector";

/// Nothing can be read.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be told whose credentials these are: {}", .0.why)]
pub struct NoIdentity(Failed);

impl NoIdentity {
    pub(super) fn is_unreached(&self) -> bool {
        self.0.is_unreached
    }
}

/// Whose credentials are at hand.
#[derive(Debug)]
pub(super) struct Own {
    pub account: String,
    pub partition: String,
}

impl Own {
    pub(super) fn role_arn(&self, account: &str, role: &str) -> String {
        format!("arn:{}:iam::{account}:role/{role}", self.partition)
    }
}

/// Asks AWS, which refuses nobody this.
pub(super) async fn own(client: &Client) -> Result<Own, NoIdentity> {
    let identity = client.get_caller_identity().send().await;
    let identity = identity.map_err(|error| NoIdentity(Failed::of(&error)))?;
    let account =
        identity.account.ok_or_else(|| NoIdentity(Failed::said("AWS names no account".to_owned())))?;
    let partition = identity.arn.as_deref().and_then(Arn::parse).map(|arn| arn.partition.to_owned());
    Ok(Own { account, partition: partition.unwrap_or_else(|| "aws".to_owned()) })
}

/// Credentials of the role, for an hour: nothing here reads for longer, and what does ends as unread.
pub(super) async fn assume(client: &Client, role: &str) -> Result<SharedCredentialsProvider, Failed> {
    let assumed = client.assume_role().role_arn(role).role_session_name(SESSION).send().await;
    let assumed = assumed.map_err(|error| {
        let Failed { is_unreached, why } = Failed::of(&error);
        Failed { is_unreached, why: format!("{role} cannot be assumed: {why}") }
    })?;
    let keys =
        assumed.credentials.ok_or_else(|| Failed::said(format!("{role}: AWS gives no credentials")))?;
    let until = SystemTime::try_from(keys.expiration).ok();
    let token = Some(keys.session_token);
    let keys = Credentials::new(keys.access_key_id, keys.secret_access_key, token, until, SESSION);
    Ok(SharedCredentialsProvider::new(keys))
}

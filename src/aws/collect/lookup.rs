//! One part of what stands, read from AWS as an event asks for it.
//!
//! What is read is written as a snapshot has it, and read as one: so the same text is the same here and there. A service
//! that cannot be reached, as none of IAM's can from many a VPC, is not tried again for a while: otherwise every
//! invocation would wait for it.
//!
//! Source: IAM API reference, `GetRole`, `ListRolePolicies`, `GetRolePolicy`, `ListAttachedRolePolicies` and the same of
//! users and groups, `ListGroupsForUser`, `GetPolicy`, `GetPolicyVersion`; Organizations API reference, `DescribePolicy`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::accounts::{self, Own};
use super::{Collector, Failed, identity, one};
use crate::iam::state::piece::{Piece, Wanted};
use crate::iam::state::snapshot::Snapshot;
use crate::iam::state::{HolderKind, State};
use crate::ids::Arn;
use crate::watch::lookup::{Lookup, Place};

/// How long a service is left alone that could not be reached.
const LEFT_ALONE: Duration = Duration::from_secs(300);
/// Credentials of a role are for an hour; they are asked for again well before.
const SESSION: Duration = Duration::from_secs(45 * 60);

/// Reads parts with the credentials at hand, or as the audit role of each account.
#[derive(Debug)]
pub struct PartLookup {
    collector: Collector,
    own: OnceCell<Own>,
    sessions: Mutex<BTreeMap<String, (Instant, SdkConfig)>>,
    /// Services that could not be reached, when, and why.
    unreached: Mutex<BTreeMap<&'static str, (Instant, String)>>,
}

impl PartLookup {
    /// Reads with what a collector reads with.
    pub fn new(collector: Collector) -> Self {
        Self { collector, own: OnceCell::new(), sessions: Mutex::default(), unreached: Mutex::default() }
    }

    /// Asks a service, unless it could not be reached a while ago.
    async fn asking<T>(
        &self,
        service: &'static str,
        asked: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, String> {
        let known = self.unreached.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned();
        if let Some((_, why)) = known.filter(|(since, _)| since.elapsed() < LEFT_ALONE) {
            return Err(format!("{service} could not be reached a while ago: {why}"));
        }
        asked.await.map_err(|failed| {
            if failed.is_unreached {
                let mut unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
                unreached.insert(service, (Instant::now(), failed.why.clone()));
            }
            failed.why
        })
    }

    async fn own(&self) -> Result<&Own, String> {
        let asked = async {
            let own = accounts::own(&self.collector.sts()).await;
            own.map_err(|error| Failed { is_unreached: error.is_unreached(), why: error.to_string() })
        };
        self.own.get_or_try_init(|| self.asking("STS", asked)).await
    }

    /// The configuration with which an account is read.
    async fn session(&self, account: &str) -> Result<SdkConfig, String> {
        let own = self.own().await?;
        if own.account == account {
            return Ok(self.collector.config.clone());
        }
        let known = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned();
        if let Some((_, config)) = known.filter(|(since, _)| since.elapsed() < SESSION) {
            return Ok(config);
        }
        let (client, role) = (self.collector.sts(), own.role_arn(account, &self.collector.plan.role));
        let keys = self.asking("STS", accounts::assume(&client, &role)).await?;
        let assumed = self.collector.with(keys);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(account.to_owned(), (Instant::now(), assumed.clone()));
        Ok(assumed)
    }

    async fn iam(&self, account: &str) -> Result<aws_sdk_iam::Client, String> {
        Ok(self.collector.iam(&self.session(account).await?))
    }

    async fn regional(&self, account: &str, region: &str) -> Result<SdkConfig, String> {
        let session = self.session(account).await?;
        Ok(session.into_builder().region(Region::new(region.to_owned())).build())
    }

    async fn holder(&self, wanted: &Wanted) -> Result<Vec<Piece>, String> {
        let Wanted::Holder(id) = wanted else { return Ok(Vec::new()) };
        let client = self.iam(&id.account).await?;
        let Some(read) = self.asking("IAM", one::holder(&client, id)).await? else {
            return Ok(vec![Piece::Holder(id.clone(), None)]);
        };
        let list = match id.kind {
            HolderKind::Role => "RoleDetailList",
            HolderKind::User => "UserDetailList",
            HolderKind::Group => "GroupDetailList",
        };
        let state = read_as(json!({ "accounts": { &id.account: { list: [read] } } }))?;
        Ok(vec![Piece::Holder(id.clone(), state.holders.get(id).map(|read| read.as_ref().clone()))])
    }

    async fn managed(&self, policy: &str, account: &str) -> Result<Vec<Piece>, String> {
        // AWS's own are the same for all: whoever asks may see them.
        let account = if crate::ids::is_account(account) { account } else { &self.own().await?.account };
        let client = self.iam(account).await?;
        let Some(read) = self.asking("IAM", one::managed(&client, policy)).await? else {
            return Ok(vec![Piece::Managed(policy.to_owned(), None)]);
        };
        let state = read_as(json!({ "accounts": { account: { "Policies": [read] } } }))?;
        let read = state.managed.get(policy).map(|read| read.as_ref().clone());
        Ok(vec![Piece::Managed(policy.to_owned(), read)])
    }

    async fn account(&self, account: &str) -> Result<Vec<Piece>, String> {
        let client = self.iam(account).await?;
        let read = async { identity::read(&client).await.map_err(Failed::said) };
        let read = self.asking("IAM", read).await?;
        let State { holders, managed, .. } = read_as(json!({ "accounts": { account: read } }))?;
        let holders = holders.iter().map(|(id, read)| Piece::Holder(id.clone(), Some(read.as_ref().clone())));
        let managed =
            managed.iter().map(|(arn, read)| Piece::Managed(arn.clone(), Some(read.as_ref().clone())));
        Ok(holders.chain(managed).collect())
    }

    async fn control(&self, id: &str) -> Result<Vec<Piece>, String> {
        let config = match &self.collector.plan.management {
            Some(management) => self.session(management).await?,
            None => self.collector.config.clone(),
        };
        let client = self.collector.organizations(&config);
        let Some(read) = self.asking("Organizations", one::control(&client, id)).await? else {
            return Ok(vec![Piece::Control(id.to_owned(), None)]);
        };
        let state = read_as(json!({ "organization": { "policies": [read] } }))?;
        if state.organization.others.contains(id) {
            return Ok(vec![Piece::OtherControl(id.to_owned())]);
        }
        Ok(vec![Piece::Control(id.to_owned(), state.organization.policies.get(id).cloned())])
    }

    async fn table(&self, table: &str) -> Result<Vec<Piece>, String> {
        let arn = Arn::parse(table).ok_or("that is no ARN")?;
        let client = self.collector.dynamodb(&self.regional(arn.account, arn.region).await?);
        let read = self.asking("DynamoDB", one::table(&client, table)).await?;
        let state = read_as(json!({ "tables": read.into_iter().collect::<Vec<_>>() }))?;
        let read = state.tables.get(table).map(|read| read.as_ref().clone());
        Ok(vec![Piece::Table(table.to_owned(), read)])
    }

    async fn endpoint(&self, id: &str, (account, region): Place<'_>) -> Result<Vec<Piece>, String> {
        let (Some(account), Some(region)) = (account, region) else {
            return Err("the event does not tell in which account and region it is".to_owned());
        };
        let client = self.collector.cloudcontrol(&self.regional(account, region).await?);
        let read = self.asking("Cloud Control", one::endpoint(&client, id)).await?;
        let state =
            read_as(json!({ "endpoints": { "VpcEndpoints": read.into_iter().collect::<Vec<_>>() } }))?;
        let read = state.endpoints.get(id).map(|read| read.as_ref().clone());
        Ok(vec![Piece::Endpoint(id.to_owned(), read)])
    }
}

impl Lookup for PartLookup {
    async fn read(&self, wanted: &Wanted, place: Place<'_>) -> Result<Vec<Piece>, String> {
        match wanted {
            Wanted::Holder(_) => self.holder(wanted).await,
            Wanted::Managed { policy, account } => self.managed(policy, account).await,
            Wanted::Account(account) => self.account(account).await,
            Wanted::Control(id) => self.control(id).await,
            Wanted::Table(table) => self.table(table).await,
            Wanted::Endpoint(id) => self.endpoint(id, place).await,
        }
    }
}

/// What a snapshot of these parts comes to.
fn read_as(mut parts: Value) -> Result<State, String> {
    parts["version"] = json!(1);
    let text = parts.to_string();
    let read = Snapshot::parse(text.as_bytes());
    read.map(|read| read.state).map_err(|error| format!("what was answered makes no sense: {error}"))
}

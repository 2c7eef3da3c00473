//! What stands, read from AWS itself into the text that `iam::state::snapshot` reads.
//!
//! Whatever cannot be read is left out and noted, with why: one account or region that refuses never stops the rest. How
//! often a request is made again, and when, is the SDK's business alone.
//!
//! What this cannot know: whether all was read at one moment. `taken_at` is the time when reading began, so a change made
//! meanwhile comes again as an event; and what an account has in regions that nobody named is not looked for.

pub mod accounts;
mod endpoints;
mod identity;
mod kept;
mod lookup;
mod one;
mod organization;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::accounts::{NoIdentity, Own};
pub use self::kept::KeptSnapshot;
pub use self::lookup::PartLookup;
use super::s3::described;
use crate::iam::state::snapshot::Unread;
use crate::ids::Arn;
use crate::perimeter::Perimeter;

/// The role that is assumed in each account, where nobody names another.
pub const AUDIT_ROLE: &str = "perimeter-audit";

/// Requests at once, in all accounts together.
const AT_ONCE: usize = 8;

/// Times that a request is made before it is given up.
const ATTEMPTS: u32 = 8;

/// A request that took this long is made again. A page of an account's policies takes AWS seconds.
const ATTEMPT: Duration = Duration::from_secs(30);

/// A request is given up after this long, however often it was made.
const OPERATION: Duration = Duration::from_secs(120);

/// Whoever waits for a part waits no longer for a connection.
const CONNECTION: Duration = Duration::from_secs(2);

/// What is said meanwhile of what is being read.
pub type Tell<'t> = &'t (dyn Fn(&str) + Sync);

/// What is to be read.
#[derive(Clone, Debug)]
pub struct Plan {
    accounts: BTreeSet<String>,
    management: Option<String>,
    regions: BTreeSet<String>,
    /// With its path.
    role: String,
    /// There is an organization, and to find none is no answer.
    is_organized: bool,
}

/// Why nothing can be read.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("`{0}` is no name of a role, as `perimeter-audit` or `team/perimeter-audit` is")]
    Role(String),
    #[error("`{0}` is no region, as `eu-west-1` is")]
    Region(String),
    #[error("no region is known: perimeter.toml names no VPC, endpoint or product table, so name regions")]
    NoRegion,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The snapshot, as docs/changes.md has it.
    pub snapshot: Value,
    /// The same list as in the snapshot.
    pub unread: Vec<Unread>,
    /// What was read, and by whom, in a line each.
    pub remarks: Vec<String>,
    pub regions: Vec<String>,
}

/// Endpoints of services, where they are other than AWS's own and the configuration does not say so by itself.
#[derive(Clone, Debug, Default)]
pub struct ServiceUrls {
    pub sts: Option<String>,
    pub iam: Option<String>,
    pub organizations: Option<String>,
    pub dynamodb: Option<String>,
    pub cloudcontrol: Option<String>,
}

/// Reads what stands.
#[derive(Clone, Debug)]
pub struct Collector {
    config: SdkConfig,
    urls: ServiceUrls,
    plan: Plan,
}

impl Plan {
    /// All accounts that the perimeter lists, those that are exempt too: their roles may be granted something. The
    /// regions are those in which it names anything, and `regions`.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new(perimeter: &Perimeter, role: &str, regions: &[String]) -> Result<Self, PlanError> {
        let role = role.trim_start_matches('/');
        // IAM API reference, Role: RoleName, Path.
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
        if role.is_empty() || role.ends_with('/') || !role.chars().all(is_of_name) {
            return Err(PlanError::Role(role.to_owned()));
        }
        let management = perimeter.management_account.as_ref().map(|account| account.as_str().to_owned());
        let mut accounts: BTreeSet<String> =
            perimeter.accounts.keys().map(|account| account.as_str().to_owned()).collect();
        accounts.extend(management.clone());
        let given = regions.iter().filter(|region| !region.is_empty()).cloned();
        let regions: BTreeSet<String> = regions_of(perimeter).into_iter().chain(given).collect();
        let is_of_region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if let Some(odd) = regions.iter().find(|name| !name.bytes().all(is_of_region)) {
            return Err(PlanError::Region(odd.clone()));
        }
        if regions.is_empty() {
            return Err(PlanError::NoRegion);
        }
        let is_organized = perimeter.organization.is_some() || management.is_some();
        Ok(Self { accounts, management, regions, role: role.to_owned(), is_organized })
    }
}

/// Where the perimeter names anything.
fn regions_of(perimeter: &Perimeter) -> BTreeSet<String> {
    let vpcs = perimeter.vpcs.keys().chain(perimeter.endpoints.iter().map(|endpoint| &endpoint.vpc));
    let table = perimeter.product.table.as_deref().and_then(Arn::parse);
    let table = table.map(|arn| arn.region.to_owned()).filter(|region| !region.is_empty());
    vpcs.map(|vpc| vpc.region.clone()).chain(table).collect()
}

impl Collector {
    /// Reads with the credentials and the retries of `config`, by [`retries`] and [`timeouts`]. Where it knows no region,
    /// one of the plan's is as good: IAM and Organizations have none.
    pub fn new(config: SdkConfig, urls: ServiceUrls, plan: Plan) -> Self {
        let region = plan.regions.first().cloned().map(Region::new);
        let region = config.region().cloned().or(region);
        Self { config: config.into_builder().region(region).build(), urls, plan }
    }

    /// Reads everything. `now` is the time when it begins.
    ///
    /// # Errors
    /// Where the credentials are none, so that nothing can be read.
    pub async fn collect(&self, now: Timestamp, tell: Tell<'_>) -> Result<Collected, NoIdentity> {
        let own = accounts::own(&self.sts()).await?;
        let mut gathered = Gathered::default();
        tell(&format!("assuming {} in {} accounts", self.plan.role, self.plan.accounts.len()));
        let sessions = self.sessions(&own, &mut gathered).await;
        tell("reading the organization");
        let organization = self.organization(&own, &sessions, &mut gathered).await;
        tell(&format!("reading IAM in {} accounts", sessions.len()));
        let identities = self.identities(&sessions, &mut gathered).await;
        let places = self.places(&own, &sessions);
        tell(&format!("listing tables and endpoints in {} accounts and regions", places.len()));
        let tables = self.tables(&places, tell, &mut gathered).await;
        let endpoints = self.endpoints(&places, &mut gathered).await;
        let Gathered { mut unread, remarks } = gathered;
        unread.sort();
        unread.dedup();
        let snapshot = json!({
            "version": 1,
            "taken_at": now.to_string(),
            "accounts": identities,
            "organization": organization,
            "tables": tables,
            "endpoints": { "VpcEndpoints": endpoints },
            "unread": unread,
        });
        Ok(Collected { snapshot, unread, remarks, regions: self.plan.regions.iter().cloned().collect() })
    }

    /// The configuration for each account that can be read.
    async fn sessions(&self, own: &Own, gathered: &mut Gathered) -> BTreeMap<String, SdkConfig> {
        let assumed = each(self.plan.accounts.iter().cloned().collect(), |account| {
            let (client, arn) = (self.sts(), own.role_arn(&account, &self.plan.role));
            let own = (account == own.account).then(|| self.config.clone());
            async move {
                match own {
                    Some(config) => (account, Ok(config)),
                    None => (account, accounts::assume(&client, &arn).await.map(|keys| self.with(keys))),
                }
            }
        });
        let mut sessions = BTreeMap::new();
        for (account, session) in assumed.await {
            match session {
                Ok(config) => drop(sessions.insert(account, config)),
                Err(failed) => gathered.unread(format!("account {account}"), failed.why),
            }
        }
        sessions
    }

    /// The organization, asked of the management account, else with the credentials at hand, which may be those of a
    /// delegated administrator.
    async fn organization(
        &self,
        own: &Own,
        sessions: &BTreeMap<String, SdkConfig>,
        gathered: &mut Gathered,
    ) -> Value {
        let management = self.plan.management.as_ref();
        let management = management.and_then(|account| Some((account.as_str(), sessions.get(account)?)));
        let at_hand = (own.account.as_str(), &self.config);
        let mut by: Vec<(&str, &SdkConfig)> = management.into_iter().collect();
        by.extend((management.map(|(account, _)| account) != Some(own.account.as_str())).then_some(at_hand));
        let mut whys = Vec::new();
        for (account, config) in by {
            match organization::read(&self.organizations(config), &self.plan.accounts).await {
                Ok(read) => {
                    gathered.remarks.push(format!("the organization was read by account {account}"));
                    gathered.unread.extend(read.unread);
                    return read.value;
                }
                Err(organization::Failed::NotInUse(_)) if !self.plan.is_organized => {
                    gathered.remarks.push(format!("account {account} is in no organization"));
                    return json!({ "outside": self.plan.accounts });
                }
                Err(organization::Failed::NotInUse(why) | organization::Failed::Unread(why)) => {
                    whys.push(format!("by account {account}: {why}"));
                }
            }
        }
        gathered.unread("the organization".to_owned(), whys.join("; "));
        organization::unread(&self.plan.accounts)
    }

    async fn identities(
        &self,
        sessions: &BTreeMap<String, SdkConfig>,
        gathered: &mut Gathered,
    ) -> Map<String, Value> {
        let clients = sessions.iter().map(|(account, config)| (account.clone(), self.iam(config)));
        let read =
            each(
                clients.collect(),
                |(account, client)| async move { (account, identity::read(&client).await) },
            );
        let mut accounts = Map::new();
        for (account, details) in read.await {
            match details {
                Ok(details) => drop(accounts.insert(account, details)),
                Err(why) => gathered.unread(format!("IAM of account {account}"), why),
            }
        }
        accounts
    }

    /// Every account that can be read, in every region.
    fn places(&self, own: &Own, sessions: &BTreeMap<String, SdkConfig>) -> Vec<Arc<Place>> {
        let of_account = |(account, config): (&String, &SdkConfig)| {
            let at = |region: &String| Place {
                partition: own.partition.clone(),
                account: account.clone(),
                region: region.clone(),
                config: config.to_builder().region(Region::new(region.clone())).build(),
            };
            self.plan.regions.iter().map(at).map(Arc::new).collect::<Vec<_>>()
        };
        sessions.iter().flat_map(of_account).collect()
    }

    async fn tables(&self, places: &[Arc<Place>], tell: Tell<'_>, gathered: &mut Gathered) -> Vec<Value> {
        let listed = each(places.to_vec(), |place| {
            let client = self.dynamodb(&place.config);
            async move {
                let names = tables::list(&client).await;
                (place, client, names)
            }
        });
        let mut named = Vec::new();
        for (place, client, names) in listed.await {
            match names {
                Ok(names) => {
                    let of_place = |name| (Arc::clone(&place), client.clone(), name);
                    named.extend(names.into_iter().map(of_place));
                }
                Err(why) => gathered.unread(format!("tables of {place}"), why),
            }
        }
        tell(&format!("reading {} tables", named.len()));
        let read = each(named, |(place, client, name)| async move {
            tables::read(&client, &place.table_arn(&name), &name).await
        });
        let mut tables = Vec::new();
        for read in read.await {
            tables.extend(read.tables);
            gathered.unread.extend(read.unread);
        }
        sorted_by(tables, "arn")
    }

    async fn endpoints(&self, places: &[Arc<Place>], gathered: &mut Gathered) -> Vec<Value> {
        let read = each(places.to_vec(), |place| {
            let client = self.cloudcontrol(&place.config);
            async move { (place, endpoints::read(&client).await) }
        });
        let mut endpoints = Vec::new();
        for (place, read) in read.await {
            match read {
                Ok(read) => {
                    // Cloud Control lists what is the account's own.
                    endpoints.extend(read.endpoints.into_iter().map(|mut endpoint| {
                        endpoint["OwnerId"] = place.account.as_str().into();
                        endpoint
                    }));
                    let whys = read.unread.into_iter();
                    whys.for_each(|(id, why)| gathered.unread(format!("endpoint {id} of {place}"), why));
                }
                Err(why) => gathered.unread(format!("endpoints of {place}"), why),
            }
        }
        sorted_by(endpoints, "VpcEndpointId")
    }

    /// The same configuration with other credentials.
    fn with(&self, keys: aws_sdk_sts::config::SharedCredentialsProvider) -> SdkConfig {
        self.config.to_builder().credentials_provider(keys).build()
    }
}

/// A client of each service, at its own endpoint if there is one.
macro_rules! clients {
    ($($name:ident => $service:ident),* $(,)?) => {
        impl Collector {
            $(fn $name(&self, config: &SdkConfig) -> $service::Client {
                let mut builder = $service::config::Builder::from(config);
                if let Some(url) = &self.urls.$name {
                    builder.set_endpoint_url(Some(url.clone()));
                }
                $service::Client::from_conf(builder.build())
            })*
        }
    };
}

clients! {
    iam => aws_sdk_iam,
    organizations => aws_sdk_organizations,
    dynamodb => aws_sdk_dynamodb,
    cloudcontrol => aws_sdk_cloudcontrol,
}

impl Collector {
    /// The one service that is asked with the credentials at hand alone.
    fn sts(&self) -> aws_sdk_sts::Client {
        let mut builder = aws_sdk_sts::config::Builder::from(&self.config);
        if let Some(url) = &self.urls.sts {
            builder.set_endpoint_url(Some(url.clone()));
        }
        aws_sdk_sts::Client::from_conf(builder.build())
    }
}

/// How often the SDK tries: AWS's own rates for these requests are low. Not its adaptive mode, which after one refusal
/// asks every other second, and takes a minute to ask as often as it may.
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

/// How long the SDK waits for an answer.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build()
}

/// How a part is asked for that somebody waits for: a service that cannot be reached is to be told by then.
pub fn retries_of_part() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(2)
}

/// The same; `patience` is how long all of it may take.
pub fn timeouts_of_part(patience: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout((patience / 8).min(CONNECTION))
        .operation_attempt_timeout(patience / 2)
        .operation_timeout(patience * 4 / 5)
        .build()
}

/// The configuration of whoever is at the terminal: their profile, their single sign-on, their environment.
#[cfg(feature = "cli")]
pub async fn config_at_hand() -> SdkConfig {
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
    loader.retry_config(retries()).timeout_config(timeouts()).load().await
}

/// An account in a region, and how it is reached.
struct Place {
    partition: String,
    account: String,
    region: String,
    config: SdkConfig,
}

impl Place {
    fn table_arn(&self, name: &str) -> String {
        format!("arn:{}:dynamodb:{}:{}:table/{name}", self.partition, self.region, self.account)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "account {} in {}", self.account, self.region)
    }
}

/// Why a request came to nothing.
#[derive(Debug)]
struct Failed {
    /// There was no answer at all: as there will be none to the next.
    is_unreached: bool,
    why: String,
}

impl Failed {
    fn of<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> Self {
        let is_unreached = matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_));
        Self { is_unreached, why: described(error) }
    }

    fn said(why: String) -> Self {
        Self { is_unreached: false, why }
    }
}

/// What is said of the reading, beside what was read.
#[derive(Default)]
struct Gathered {
    unread: Vec<Unread>,
    remarks: Vec<String>,
}

impl Gathered {
    fn unread(&mut self, what: String, why: String) {
        self.unread.push(Unread { what, why });
    }
}

/// Some at once, in whatever order they end.
async fn each<I, F: Future>(items: Vec<I>, read: impl FnMut(I) -> F) -> Vec<F::Output> {
    stream::iter(items).map(read).buffer_unordered(AT_ONCE).collect().await
}

/// Without `None`, as AWS's own interfaces leave out what there is not.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect())
}

/// The same in the same order, whoever answered first.
fn sorted_by(mut all: Vec<Value>, key: &str) -> Vec<Value> {
    all.sort_by(|one, other| one[key].as_str().cmp(&other[key].as_str()));
    all
}

#[cfg(test)]
mod tests;

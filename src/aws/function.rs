//! A function in Lambda: what its environment tells it, checked once at its start, and the clients
//! that are made with it. [`Settings`] are those of every function; each has its own beside them.
//!
//! Lambda gives the credentials in the environment and nowhere else. The SDK's default chain, which
//! looks for them in profiles, SSO, STS and the instance's metadata, is not linked into `bootstrap`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;

use super::collect::{self, AUDIT_ROLE, Collector, KeptSnapshot, PartLookup, Plan, PlanError, ServiceUrls};
use super::findings_table::FindingsTable;
use super::s3::S3LogFiles;
use super::snapshot::{ObjectUrl, SnapshotObject};
use super::store_url::{StoreUrl, StoreUrlError, TableUrl};
use crate::perimeter::Perimeter;
use crate::perimeter::config::{self, ConfigErrors};

/// A request that took this long is made again.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What every function is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the perimeter stands.
    pub perimeter: PerimeterAt,
    /// The region of the function.
    pub region: String,
    /// Another endpoint of S3.
    pub s3: Option<String>,
}

/// What a function is told that keeps findings.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// What every function is told.
    pub common: Settings,
    /// The table of findings.
    pub table: TableUrl,
    /// Another endpoint of DynamoDB.
    pub dynamodb: Option<String>,
}

/// What the function `auditor` is told.
#[derive(Clone, Debug)]
pub struct AuditorSettings {
    /// Where findings are kept.
    pub store: StoreSettings,
    /// What reads from AWS what events do not carry. `None`: nothing does.
    pub lookup: Option<LookupSettings>,
}

/// How what events do not carry is read.
#[derive(Clone, Debug)]
pub struct LookupSettings {
    /// The role that is assumed in other accounts.
    pub role: String,
    /// Other endpoints of services.
    pub urls: ServiceUrls,
    /// How long it may take in one invocation.
    pub patience: Duration,
}

/// What the function `sweeper` is told.
#[derive(Clone, Debug)]
pub struct SweeperSettings {
    /// Where findings are kept.
    pub store: StoreSettings,
    /// Where the snapshot is kept.
    pub at: ObjectUrl,
}

/// What the function `collector` is told.
#[derive(Clone, Debug)]
pub struct CollectorSettings {
    /// What every function is told.
    pub common: Settings,
    /// Where the snapshot is kept.
    pub snapshot: ObjectUrl,
    /// The role that is assumed in each account.
    pub role: String,
    /// Regions beside those that the perimeter names.
    pub regions: Vec<String>,
    /// Other endpoints of services.
    pub urls: ServiceUrls,
}

/// The environment, read by name; what is empty is not set.
type Var<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Where a perimeter.toml stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PerimeterAt {
    /// A file, packed with the function.
    File(PathBuf),
    /// An object of S3.
    Object(ObjectUrl),
}

/// Why a function does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// It is not told what it needs.
    #[error("{0} is not set: {1}")]
    Missing(&'static str, &'static str),
    /// A variable names no object.
    #[error("{0}: `{1}` names no object, as `s3://bucket/key` does")]
    Object(&'static str, String),
    /// `PERIMETER_STORE` names no store.
    #[error("PERIMETER_STORE: {0}")]
    Store(#[from] StoreUrlError),
    /// `PERIMETER_STORE` names a store that is on one machine.
    #[error("PERIMETER_STORE: `{0}`: a function keeps findings in DynamoDB; give `dynamodb://TABLE`")]
    NoTable(StoreUrl),
    /// No region is known.
    #[error(
        "AWS_REGION is not set, and no region is known: set it, or add `?region=…` to PERIMETER_STORE, if there is one"
    )]
    NoRegion,
    /// Whether and how long to read back is not told right.
    #[error("{0}: `{1}` is not one of {2}")]
    Value(&'static str, String, &'static str),
    /// What is to be read is not told right.
    #[error("PERIMETER_AUDIT_ROLE, PERIMETER_REGIONS: {0}")]
    Plan(#[from] PlanError),
    /// The perimeter cannot be fetched.
    #[error("{file}: {cause}")]
    Perimeter {
        /// Where it should be.
        file: String,
        /// What is said of it.
        cause: String,
    },
    /// The perimeter is wrong.
    #[error("{file}: {errors}")]
    Config {
        /// Where it stands.
        file: String,
        /// All that is wrong, with lines and columns.
        errors: ConfigErrors,
    },
}

const FILE: &str = "perimeter.toml";

impl Settings {
    /// Reads the environment through `var`. `executable` is the path of this executable.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(var: Var<'_>, executable: Option<&Path>) -> Result<Self, SettingsError> {
        Self::read_in(var, executable, None)
    }

    /// The same, where something else may tell the region.
    fn read_in(
        var: Var<'_>,
        executable: Option<&Path>,
        region: Option<&String>,
    ) -> Result<Self, SettingsError> {
        let region = set(var, "AWS_REGION").or_else(|| region.cloned()).ok_or(SettingsError::NoRegion)?;
        let perimeter = match set(var, "PERIMETER_CONFIG") {
            Some(place) => PerimeterAt::parse(&place)?,
            None => PerimeterAt::File(packed(set(var, "LAMBDA_TASK_ROOT"), executable)),
        };
        Ok(Self { perimeter, region, s3: endpoint(var, "AWS_ENDPOINT_URL_S3") })
    }

    /// Fetches and checks the perimeter.
    ///
    /// # Errors
    /// [`SettingsError::Perimeter`], [`SettingsError::Config`].
    pub async fn perimeter(&self) -> Result<Perimeter, SettingsError> {
        let (file, text) = match &self.perimeter {
            PerimeterAt::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
                (path.display().to_string(), text)
            }
            PerimeterAt::Object(at) => {
                let text = self.log_files().text(&at.bucket, &at.key).await;
                (at.to_string(), text.map_err(|error| error.cause))
            }
        };
        let text = text.map_err(|cause| SettingsError::Perimeter { file: file.clone(), cause })?;
        let parsed =
            config::parse(&text).map_err(|errors| SettingsError::Config { file: file.clone(), errors })?;
        for warning in &parsed.warnings {
            tracing::warn!(file, %warning, "perimeter");
        }
        Ok(parsed.perimeter)
    }

    /// The log files of buckets in the function's region.
    pub fn log_files(&self) -> S3LogFiles {
        S3LogFiles::new(self.s3_client())
    }

    /// The snapshot that is kept in an object.
    pub fn snapshot(&self, at: ObjectUrl) -> SnapshotObject {
        SnapshotObject::new(self.s3_client(), at)
    }

    /// What clients of other services than these are made from.
    fn sdk_config(&self, retries: RetryConfig, timeouts: TimeoutConfig) -> SdkConfig {
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(credentials)
            .retry_config(retries)
            .timeout_config(timeouts)
            .build()
    }

    fn s3_client(&self) -> aws_sdk_s3::Client {
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(EnvironmentVariableCredentialsProvider::new())
            .timeout_config(timeouts())
            // A stand-in of S3 knows no names of buckets in its own.
            .force_path_style(self.s3.is_some());
        config.set_endpoint_url(self.s3.clone());
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

impl StoreSettings {
    /// Reads the environment as [`Settings::read`] does.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(var: Var<'_>, executable: Option<&Path>) -> Result<Self, SettingsError> {
        let missing =
            || SettingsError::Missing("PERIMETER_STORE", "where findings are kept, `dynamodb://TABLE`");
        let table = match set(var, "PERIMETER_STORE").ok_or_else(missing)?.parse()? {
            StoreUrl::Table(table) => table,
            other @ (StoreUrl::None | StoreUrl::Memory | StoreUrl::File(_)) => {
                return Err(SettingsError::NoTable(other));
            }
        };
        let common = Settings::read_in(var, executable, table.region.as_ref())?;
        Ok(Self { common, table, dynamodb: endpoint(var, "AWS_ENDPOINT_URL_DYNAMODB") })
    }

    /// The table of findings; what its address says comes first.
    pub fn findings_table(&self) -> FindingsTable {
        let url = &self.table;
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(url.region.clone().unwrap_or_else(|| self.common.region.clone())))
            .credentials_provider(EnvironmentVariableCredentialsProvider::new())
            .timeout_config(timeouts())
            // The table tries again by itself; both together would take minutes to give up.
            .retry_config(RetryConfig::disabled());
        config.set_endpoint_url(url.endpoint.clone().or_else(|| self.dynamodb.clone()));
        FindingsTable::new(aws_sdk_dynamodb::Client::from_conf(config.build()), &url.name)
    }
}

impl AuditorSettings {
    /// Reads the environment as [`Settings::read`] does.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(var: Var<'_>, executable: Option<&Path>) -> Result<Self, SettingsError> {
        Ok(Self { store: StoreSettings::read(var, executable)?, lookup: LookupSettings::read(var)? })
    }
}

impl LookupSettings {
    /// `None`: nothing is read back, as where nobody says otherwise.
    fn read(var: Var<'_>) -> Result<Option<Self>, SettingsError> {
        let role = set(var, AUDIT_ROLE_VAR);
        let is_on = match set(var, LOOKUP).as_deref() {
            Some("on") => true,
            Some("off") => false,
            None => role.is_some(),
            Some(other) => return Err(SettingsError::Value(LOOKUP, other.to_owned(), "`on` and `off`")),
        };
        let patience = patience(var)?;
        let role = role.unwrap_or_else(|| AUDIT_ROLE.to_owned());
        let is_on = is_on && !patience.is_zero();
        Ok(is_on.then(|| Self { role, urls: service_urls(var), patience }))
    }

    /// What reads, in the region of the function and those of the perimeter.
    ///
    /// # Errors
    /// [`SettingsError::Plan`].
    pub fn lookup(&self, common: &Settings, perimeter: &Perimeter) -> Result<PartLookup, SettingsError> {
        let plan = Plan::new(perimeter, &self.role, std::slice::from_ref(&common.region))?;
        let config = common.sdk_config(collect::retries_of_part(), collect::timeouts_of_part(self.patience));
        Ok(PartLookup::new(Collector::new(config, self.urls.clone(), plan)))
    }
}

const LOOKUP: &str = "PERIMETER_LOOKUP";
const LOOKUP_SECONDS: &str = "PERIMETER_LOOKUP_SECONDS";
const AUDIT_ROLE_VAR: &str = "PERIMETER_AUDIT_ROLE";
/// How long reading back may take in one invocation, unless it is told.
const PATIENCE: u64 = 10;
/// Lambda ends every invocation by then.
const MAX_PATIENCE: u64 = 900;

fn patience(var: Var<'_>) -> Result<Duration, SettingsError> {
    let Some(text) = set(var, LOOKUP_SECONDS) else { return Ok(Duration::from_secs(PATIENCE)) };
    match text.parse() {
        Ok(seconds @ 0..=MAX_PATIENCE) => Ok(Duration::from_secs(seconds)),
        _ => Err(SettingsError::Value(LOOKUP_SECONDS, text, "the seconds from 0 to 900")),
    }
}

fn service_urls(var: Var<'_>) -> ServiceUrls {
    let url = |name| endpoint(var, name);
    ServiceUrls {
        sts: url("AWS_ENDPOINT_URL_STS"),
        iam: url("AWS_ENDPOINT_URL_IAM"),
        organizations: url("AWS_ENDPOINT_URL_ORGANIZATIONS"),
        dynamodb: url("AWS_ENDPOINT_URL_DYNAMODB"),
        cloudcontrol: url("AWS_ENDPOINT_URL_CLOUDCONTROL"),
    }
}

impl SweeperSettings {
    /// Reads the environment as [`Settings::read`] does.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(var: Var<'_>, executable: Option<&Path>) -> Result<Self, SettingsError> {
        Ok(Self { store: StoreSettings::read(var, executable)?, at: snapshot_url(var)? })
    }

    /// Where the snapshot is kept.
    pub fn snapshot(&self) -> SnapshotObject {
        self.store.common.snapshot(self.at.clone())
    }
}

impl CollectorSettings {
    /// Reads the environment as [`Settings::read`] does.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(var: Var<'_>, executable: Option<&Path>) -> Result<Self, SettingsError> {
        let snapshot = snapshot_url(var)?;
        let regions = set(var, "PERIMETER_REGIONS").unwrap_or_default();
        let regions = regions.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Self {
            common: Settings::read(var, executable)?,
            snapshot,
            role: set(var, AUDIT_ROLE_VAR).unwrap_or_else(|| AUDIT_ROLE.to_owned()),
            regions,
            urls: service_urls(var),
        })
    }

    /// What the function does.
    ///
    /// # Errors
    /// [`SettingsError::Plan`].
    pub fn collector(&self, perimeter: &Perimeter) -> Result<KeptSnapshot, SettingsError> {
        let plan = Plan::new(perimeter, &self.role, &self.regions)?;
        let config = self.common.sdk_config(collect::retries(), collect::timeouts());
        let collector = Collector::new(config, self.urls.clone(), plan);
        Ok(KeptSnapshot { collector, object: self.common.snapshot(self.snapshot.clone()) })
    }
}

const SNAPSHOT: &str = "PERIMETER_SNAPSHOT";

/// Where the snapshot is kept.
fn snapshot_url(var: Var<'_>) -> Result<ObjectUrl, SettingsError> {
    let missing = SettingsError::Missing(SNAPSHOT, "where the snapshot is kept, `s3://bucket/key`");
    let text = set(var, SNAPSHOT).ok_or(missing)?;
    ObjectUrl::parse(&text).ok_or(SettingsError::Object(SNAPSHOT, text))
}

fn set(var: Var<'_>, name: &str) -> Option<String> {
    var(name).filter(|value| !value.is_empty())
}

/// The service's own, else that of all.
fn endpoint(var: Var<'_>, name: &str) -> Option<String> {
    set(var, name).or_else(|| set(var, "AWS_ENDPOINT_URL"))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build()
}

impl PerimeterAt {
    fn parse(place: &str) -> Result<Self, SettingsError> {
        if !place.starts_with("s3://") {
            return Ok(PerimeterAt::File(place.into()));
        }
        let object = ObjectUrl::parse(place).map(PerimeterAt::Object);
        object.ok_or_else(|| SettingsError::Object("PERIMETER_CONFIG", place.to_owned()))
    }
}

/// The file that is packed with the executable.
fn packed(task_root: Option<String>, executable: Option<&Path>) -> PathBuf {
    let beside = executable.and_then(Path::parent).map(|folder| folder.join(FILE));
    let in_root = task_root.map(|root| Path::new(&root).join(FILE));
    match (beside, in_root) {
        (Some(beside), Some(in_root)) => {
            if beside.is_file() {
                beside
            } else {
                in_root
            }
        }
        (beside, in_root) => beside.or(in_root).unwrap_or_else(|| FILE.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(
        vars: &[(&str, &str)],
        read: impl Fn(Var<'_>, Option<&Path>) -> Result<T, SettingsError>,
    ) -> Result<T, String> {
        let var =
            |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        read(&var, Some(Path::new("/var/task/bootstrap"))).map_err(|error| error.to_string())
    }

    fn read(vars: &[(&str, &str)]) -> Result<StoreSettings, String> {
        with(vars, StoreSettings::read)
    }

    #[test]
    fn what_is_missing_is_named() {
        let table = ("PERIMETER_STORE", "dynamodb://findings");
        assert!(read(&[]).unwrap_err().contains("PERIMETER_STORE is not set"));
        assert!(read(&[("PERIMETER_STORE", "memory")]).unwrap_err().contains("`memory`"));
        assert!(read(&[table]).unwrap_err().contains("AWS_REGION"));
        let object = ("PERIMETER_CONFIG", "s3://bucket");
        assert!(read(&[table, ("AWS_REGION", "eu-west-1"), object]).unwrap_err().contains("`s3://bucket`"));
    }

    #[test]
    fn the_perimeter_is_packed_beside_the_executable_unless_another_is_named() {
        let base = [("PERIMETER_STORE", "dynamodb://findings?region=eu-west-1")];
        let at = |more: &[(&str, &str)]| read(&[&base, more].concat()).unwrap().common.perimeter;
        assert_eq!(at(&[]), PerimeterAt::File("/var/task/perimeter.toml".into()));
        assert_eq!(at(&[("PERIMETER_CONFIG", "x.toml")]), PerimeterAt::File("x.toml".into()));
        let object = ObjectUrl { bucket: "b".into(), key: "k/perimeter.toml".into() };
        let object = PerimeterAt::Object(object);
        assert_eq!(at(&[("PERIMETER_CONFIG", "s3://b/k/perimeter.toml")]), object);
    }

    #[test]
    fn an_endpoint_of_the_service_wins_over_one_of_all() {
        let vars = [
            ("PERIMETER_STORE", "dynamodb://findings"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_S3", "http://s3"),
        ];
        let StoreSettings { dynamodb, common, .. } = read(&vars).unwrap();
        assert_eq!((dynamodb.as_deref(), common.s3.as_deref()), (Some("http://all"), Some("http://s3")));
    }

    #[test]
    fn a_collector_needs_no_store_and_says_what_it_needs() {
        let read = |vars: &[_]| with(vars, CollectorSettings::read);
        let region = ("AWS_REGION", "eu-west-1");
        assert!(read(&[region]).unwrap_err().contains("PERIMETER_SNAPSHOT is not set"));
        let wrong = read(&[region, ("PERIMETER_SNAPSHOT", "s3://bucket")]).unwrap_err();
        assert!(wrong.contains("PERIMETER_SNAPSHOT: `s3://bucket` names no object"), "{wrong}");
        let snapshot = ("PERIMETER_SNAPSHOT", "s3://bucket/snapshot.json.gz");
        assert!(read(&[snapshot]).unwrap_err().contains("AWS_REGION"));
        let more = [("PERIMETER_REGIONS", "us-east-1, eu-central-1"), ("AWS_ENDPOINT_URL_IAM", "http://iam")];
        let settings = read(&[&[region, snapshot], &more[..]].concat()).unwrap();
        assert_eq!((settings.role.as_str(), settings.regions.len()), (AUDIT_ROLE, 2));
        assert_eq!((settings.urls.iam.as_deref(), settings.urls.sts), (Some("http://iam"), None));
    }

    #[test]
    fn nothing_is_read_back_unless_somebody_says_so() {
        let base = [("PERIMETER_STORE", "dynamodb://findings?region=eu-west-1")];
        let lookup = |more: &[(&str, &str)]| {
            with(&[&base, more].concat(), AuditorSettings::read).map(|settings| settings.lookup)
        };
        assert!(lookup(&[]).unwrap().is_none());
        assert!(lookup(&[("PERIMETER_AUDIT_ROLE", "audit"), ("PERIMETER_LOOKUP", "off")]).unwrap().is_none());
        assert!(lookup(&[("PERIMETER_LOOKUP", "on"), ("PERIMETER_LOOKUP_SECONDS", "0")]).unwrap().is_none());
        let on = lookup(&[("PERIMETER_LOOKUP", "on")]).unwrap().unwrap();
        assert_eq!((on.role.as_str(), on.patience), (AUDIT_ROLE, Duration::from_secs(PATIENCE)));
        let role = lookup(&[("PERIMETER_AUDIT_ROLE", "audit"), ("PERIMETER_LOOKUP_SECONDS", "3")]);
        let role = role.unwrap().unwrap();
        assert_eq!((role.role.as_str(), role.patience), ("audit", Duration::from_secs(3)));
        assert!(lookup(&[("PERIMETER_LOOKUP", "yes")]).unwrap_err().contains("`on` and `off`"));
        assert!(lookup(&[("PERIMETER_LOOKUP_SECONDS", "901")]).unwrap_err().contains("from 0 to 900"));
    }
}

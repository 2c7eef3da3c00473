//! A function in Lambda: what its environment tells it, checked once at its start, and the clients
//! that are made with it.
//!
//! Lambda gives the credentials in the environment and nowhere else. The SDK's default chain, which
//! looks for them in profiles, SSO, STS and the instance's metadata, is not linked into `bootstrap`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};

use super::findings_table::FindingsTable;
use super::s3::S3LogFiles;
use super::store_url::{StoreUrl, StoreUrlError, TableUrl};
use crate::perimeter::Perimeter;
use crate::perimeter::config::{self, ConfigErrors};

/// A request that took this long is made again.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What a function is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the perimeter stands.
    pub perimeter: PerimeterAt,
    /// The table of findings.
    pub table: TableUrl,
    /// The region of the function.
    pub region: String,
    /// Another endpoint of DynamoDB.
    pub dynamodb: Option<String>,
    /// Another endpoint of S3.
    pub s3: Option<String>,
}

/// Where a perimeter.toml stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PerimeterAt {
    /// A file, packed with the function.
    File(PathBuf),
    /// An object of S3.
    Object {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

/// Why a function does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// It is not told what it needs.
    #[error("{0} is not set: {1}")]
    Missing(&'static str, &'static str),
    /// `PERIMETER_CONFIG` names no object.
    #[error("PERIMETER_CONFIG: `{0}` names no object, as `s3://bucket/key` does")]
    Object(String),
    /// `PERIMETER_STORE` names no store.
    #[error("PERIMETER_STORE: {0}")]
    Store(#[from] StoreUrlError),
    /// `PERIMETER_STORE` names a store that is on one machine.
    #[error("PERIMETER_STORE: `{0}`: a function keeps findings in DynamoDB; give `dynamodb://TABLE`")]
    NoTable(StoreUrl),
    /// No region is known.
    #[error("no region is known: set AWS_REGION, or add `?region=…` to PERIMETER_STORE")]
    NoRegion,
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
    pub fn read(
        var: &dyn Fn(&str) -> Option<String>,
        executable: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let store = var("PERIMETER_STORE").ok_or(SettingsError::Missing(
            "PERIMETER_STORE",
            "where findings are kept, `dynamodb://TABLE`",
        ))?;
        let table = match store.parse()? {
            StoreUrl::Table(table) => table,
            other @ (StoreUrl::None | StoreUrl::Memory | StoreUrl::File(_)) => {
                return Err(SettingsError::NoTable(other));
            }
        };
        let region = var("AWS_REGION").or_else(|| table.region.clone()).ok_or(SettingsError::NoRegion)?;
        let endpoint = |name| var(name).or_else(|| var("AWS_ENDPOINT_URL"));
        let (dynamodb, s3) = (endpoint("AWS_ENDPOINT_URL_DYNAMODB"), endpoint("AWS_ENDPOINT_URL_S3"));
        let perimeter = match var("PERIMETER_CONFIG") {
            Some(place) => PerimeterAt::parse(&place)?,
            None => PerimeterAt::File(packed(var("LAMBDA_TASK_ROOT"), executable)),
        };
        Ok(Self { perimeter, table, region, dynamodb, s3 })
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
            PerimeterAt::Object { bucket, key } => {
                let text = self.log_files().text(bucket, key).await;
                (format!("s3://{bucket}/{key}"), text.map_err(|error| error.cause))
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

    /// The table of findings; what its address says comes first.
    pub fn findings_table(&self) -> FindingsTable {
        let url = &self.table;
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(url.region.clone().unwrap_or_else(|| self.region.clone())))
            .credentials_provider(EnvironmentVariableCredentialsProvider::new())
            .timeout_config(timeouts())
            // The table tries again by itself; both together would take minutes to give up.
            .retry_config(RetryConfig::disabled());
        config.set_endpoint_url(url.endpoint.clone().or_else(|| self.dynamodb.clone()));
        FindingsTable::new(aws_sdk_dynamodb::Client::from_conf(config.build()), &url.name)
    }

    /// The log files of buckets in the function's region.
    pub fn log_files(&self) -> S3LogFiles {
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(EnvironmentVariableCredentialsProvider::new())
            .timeout_config(timeouts())
            // A stand-in of S3 knows no names of buckets in its own.
            .force_path_style(self.s3.is_some());
        config.set_endpoint_url(self.s3.clone());
        S3LogFiles::new(aws_sdk_s3::Client::from_conf(config.build()))
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build()
}

impl PerimeterAt {
    fn parse(place: &str) -> Result<Self, SettingsError> {
        let Some(object) = place.strip_prefix("s3://") else { return Ok(PerimeterAt::File(place.into())) };
        match object.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok(PerimeterAt::Object { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            _ => Err(SettingsError::Object(place.to_owned())),
        }
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

    fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
        let var =
            |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::read(&var, Some(Path::new("/var/task/bootstrap"))).map_err(|error| error.to_string())
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
        let at = |more: &[(&str, &str)]| read(&[&base, more].concat()).unwrap().perimeter;
        assert_eq!(at(&[]), PerimeterAt::File("/var/task/perimeter.toml".into()));
        assert_eq!(at(&[("PERIMETER_CONFIG", "x.toml")]), PerimeterAt::File("x.toml".into()));
        let object = PerimeterAt::Object { bucket: "b".into(), key: "k/perimeter.toml".into() };
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
        let Settings { dynamodb, s3, .. } = read(&vars).unwrap();
        assert_eq!((dynamodb.as_deref(), s3.as_deref()), (Some("http://all"), Some("http://s3")));
    }
}

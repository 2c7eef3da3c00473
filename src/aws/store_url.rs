//! `--store`: where findings are kept, and how it is opened.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;

use super::findings_table::{FindingsTable, schema};
#[cfg(feature = "cli")]
use super::store_file;

/// The table's name in an embedded database, which has no other.
#[cfg(feature = "cli")]
const LOCAL_TABLE: &str = "perimeter-findings";

/// The parameters of a `dynamodb://` store.
const PARAMETERS: [&str; 2] = ["region", "endpoint"];

/// Where findings are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreUrl {
    /// Nowhere.
    None,
    /// In this process, and gone with it.
    Memory,
    /// In a file, which is made where there is none.
    File(PathBuf),
    /// In a table that exists.
    Table(TableUrl),
}

/// A table in AWS, or behind another endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableUrl {
    /// Its name.
    pub name: String,
    /// Absent: that of the environment or the profile.
    pub region: Option<String>,
    /// Absent: `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL`, the profile's, or AWS.
    pub endpoint: Option<String>,
}

/// Why a text names no store.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{text}` is no store: {cause} (a store is `none`, `memory`, the path of a file, or `dynamodb://TABLE?region=…&endpoint=…`)"
)]
pub struct StoreUrlError {
    text: String,
    cause: String,
}

/// Why a store did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The embedded database did not.
    #[cfg(feature = "cli")]
    #[error(transparent)]
    Embedded(#[from] super::embedded::EmbeddedError),
    /// The file is something else.
    #[error("`{0}`: this file is no store of findings; name another with --store")]
    OtherFile(StoreUrl),
    /// It is no ordinary file.
    #[error("`{store}`: this is {what}, and a store is an ordinary file; name another with --store")]
    Special {
        /// As asked for.
        store: StoreUrl,
        /// What it is.
        what: &'static str,
    },
    /// Beside the place of a new store lies what SQLite left of an old one.
    #[error("`{0}` is left of a store that is gone; remove it, unless a process still uses it")]
    Stale(String),
    /// The embedded database opened, and its table could not be made.
    #[error(transparent)]
    Store(#[from] crate::findings::store::StoreError),
    /// This executable has no embedded database.
    #[error("`{0}`: this executable keeps findings in DynamoDB alone; give `dynamodb://TABLE`")]
    NotBuilt(StoreUrl),
    /// No region is set anywhere.
    #[error("`{0}`: no region is known; add `?region=…` or set AWS_REGION")]
    NoRegion(StoreUrl),
    /// The table is not there.
    #[error("`{0}`: there is no such table; docs/store.md has its keys and indexes")]
    NoTable(StoreUrl),
    /// There is a table, and it is not ours.
    #[error("`{store}`: this is no table of findings, it has no {missing}")]
    OtherTable {
        /// As asked for.
        store: StoreUrl,
        /// The key or index that it should have.
        missing: String,
    },
    /// AWS did not answer, or refused.
    #[error("`{store}`: {cause}")]
    Failed {
        /// As asked for.
        store: StoreUrl,
        /// What AWS says.
        cause: String,
    },
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        parse(text).map_err(|cause| StoreUrlError { text: text.to_owned(), cause })
    }
}

fn parse(text: &str) -> Result<StoreUrl, String> {
    match text {
        "" => return Err("it is empty".to_owned()),
        "none" => return Ok(StoreUrl::None),
        "memory" => return Ok(StoreUrl::Memory),
        _ => {}
    }
    if let Some(table) = text.strip_prefix("dynamodb://") {
        return table_url(table).map(StoreUrl::Table);
    }
    for word in ["none", "memory"] {
        if text.eq_ignore_ascii_case(word) {
            return Err(format!("did you mean `{word}`? A file of that name is `./{text}`"));
        }
    }
    if let Some(path) = text.strip_prefix("file://") {
        return Err(format!("give the path alone, `{path}`"));
    }
    if text.to_ascii_lowercase().starts_with("dynamodb:") {
        return Err("a table is `dynamodb://TABLE`".to_owned());
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("`{scheme}://` is not known"));
    }
    if text.contains('\0') {
        return Err("a path has no zero bytes".to_owned());
    }
    Ok(StoreUrl::File(PathBuf::from(text)))
}

fn table_url(text: &str) -> Result<TableUrl, String> {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    if name.starts_with("arn:") {
        return Err("give the table's name and `?region=…`, not its ARN".to_owned());
    }
    // DynamoDB API reference, CreateTable, TableName.
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if !(3..=255).contains(&name.len()) || !name.bytes().all(is_name) {
        return Err(format!("`{name}` is no table name: 3 to 255 letters, digits, `_`, `-` and `.`"));
    }
    let (mut region, mut endpoint) = (None, None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        let place = match key {
            "region" => &mut region,
            "endpoint" => &mut endpoint,
            _ => return Err(unknown(key)),
        };
        if place.replace(value).is_some() {
            return Err(format!("`{key}` stands there twice"));
        }
    }
    let is_region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if let Some(region) = region.as_ref().filter(|region| region.is_empty() || !region.bytes().all(is_region))
    {
        return Err(format!("`{region}` is no region, as `eu-west-1` is"));
    }
    if let Some(endpoint) = &endpoint
        && !["http://", "https://"]
            .iter()
            .any(|scheme| endpoint.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
    {
        return Err(format!("the endpoint `{endpoint}` must begin with `https://` or `http://`"));
    }
    Ok(TableUrl { name: name.to_owned(), region, endpoint })
}

fn unknown(key: &str) -> String {
    let distance = |known: &&str| strsim::damerau_levenshtein(known, key);
    let nearest = PARAMETERS.into_iter().min_by_key(distance).unwrap_or_default();
    format!("`{key}` is no parameter of a table; did you mean `{nearest}`?")
}

/// Resolves `%3A` and the like.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(|| format!("`%` in `{text}` has no two hexadecimal digits behind it"))?);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is no UTF-8"))
}

/// `%` stands for itself nowhere, `&` only between parameters.
fn encoded(text: &str) -> Cow<'_, str> {
    if text.contains(['%', '&']) { text.replace('%', "%25").replace('&', "%26").into() } else { text.into() }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::None => f.write_str("none"),
            StoreUrl::Memory => f.write_str("memory"),
            StoreUrl::File(path) => path.display().fmt(f),
            StoreUrl::Table(table) => {
                write!(f, "dynamodb://{}", table.name)?;
                let parameters = PARAMETERS.into_iter().zip([&table.region, &table.endpoint]);
                let given = parameters.filter_map(|(name, value)| Some((name, value.as_ref()?)));
                for (n, (name, value)) in given.enumerate() {
                    write!(f, "{}{name}={}", if n == 0 { '?' } else { '&' }, encoded(value))?;
                }
                Ok(())
            }
        }
    }
}

impl StoreUrl {
    /// Opens the store; `None` where nothing is to be kept. An embedded one is made where there is
    /// none, a table in AWS must be there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(&self) -> Result<Option<FindingsTable>, OpenError> {
        match self {
            StoreUrl::None => Ok(None),
            #[cfg(feature = "cli")]
            StoreUrl::Memory => local(super::embedded::Embedded::memory()?).await.map(Some),
            #[cfg(feature = "cli")]
            StoreUrl::File(path) => {
                if let Some(what) = store_file::special(path) {
                    return Err(OpenError::Special { store: self.clone(), what });
                }
                if store_file::is_other(path) {
                    return Err(OpenError::OtherFile(self.clone()));
                }
                if !path.exists() {
                    store_file::make(path).await?;
                }
                local(super::embedded::Embedded::file(path)?).await.map(Some)
            }
            #[cfg(not(feature = "cli"))]
            StoreUrl::Memory | StoreUrl::File(_) => Err(OpenError::NotBuilt(self.clone())),
            StoreUrl::Table(table) => {
                let client = table.client().await?;
                self.check(&client, &table.name).await?;
                Ok(Some(FindingsTable::new(client, &table.name)))
            }
        }
    }

    async fn check(&self, client: &Client, name: &str) -> Result<(), OpenError> {
        let described = match client.describe_table().table_name(name).send().await {
            Ok(described) => described.table,
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                return Err(OpenError::NoTable(self.clone()));
            }
            Err(error) => {
                let cause = super::findings_table::described(&error);
                return Err(OpenError::Failed { store: self.clone(), cause });
            }
        };
        let missing = |missing: String| Err(OpenError::OtherTable { store: self.clone(), missing });
        let keys = described.as_ref().map(|table| table.key_schema()).unwrap_or_default();
        for key in [schema::PK, schema::SK] {
            if !keys.iter().any(|element| element.attribute_name() == key) {
                return missing(format!("key `{key}`"));
            }
        }
        let indexes = described.as_ref().map(|table| table.global_secondary_indexes()).unwrap_or_default();
        for index in [schema::BY_STATUS, schema::BY_ACCOUNT] {
            if !indexes.iter().any(|found| found.index_name() == Some(index.name)) {
                return missing(format!("index `{}`", index.name));
            }
        }
        Ok(())
    }
}

impl TableUrl {
    /// The table, without asking whether it is there: for functions, whose first answer should not
    /// wait for it.
    ///
    /// # Errors
    /// [`OpenError::NoRegion`].
    pub async fn connect(&self) -> Result<FindingsTable, OpenError> {
        Ok(FindingsTable::new(self.client().await?, &self.name))
    }

    async fn client(&self) -> Result<Client, OpenError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let shared = loader.load().await;
        if shared.region().is_none() {
            return Err(OpenError::NoRegion(StoreUrl::Table(self.clone())));
        }
        let mut config = aws_sdk_dynamodb::config::Builder::from(&shared);
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Client::from_conf(config.build()))
    }
}

#[cfg(feature = "cli")]
pub(super) async fn local(embedded: super::embedded::Embedded) -> Result<FindingsTable, OpenError> {
    let client = embedded.client();
    schema::create_if_missing(&client, LOCAL_TABLE).await?;
    Ok(FindingsTable::new(client, LOCAL_TABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(region: Option<&str>, endpoint: Option<&str>) -> StoreUrl {
        let [region, endpoint] = [region, endpoint].map(|text| text.map(str::to_owned));
        StoreUrl::Table(TableUrl { name: "findings".into(), region, endpoint })
    }

    #[test]
    fn stores_are_read_and_written_alike() {
        let cases = [
            ("none", StoreUrl::None),
            ("memory", StoreUrl::Memory),
            ("./memory", StoreUrl::File("./memory".into())),
            ("/var/lib/perimeter/findings.db", StoreUrl::File("/var/lib/perimeter/findings.db".into())),
            ("C:\\findings.db", StoreUrl::File("C:\\findings.db".into())),
            ("dynamodb://findings", table(None, None)),
            ("dynamodb://findings?region=eu-west-1", table(Some("eu-west-1"), None)),
            (
                "dynamodb://findings?region=eu-west-1&endpoint=http://127.0.0.1:8000",
                table(Some("eu-west-1"), Some("http://127.0.0.1:8000")),
            ),
            ("dynamodb://findings?endpoint=http://h/?a%26b%25", table(None, Some("http://h/?a&b%"))),
        ];
        for (text, store) in cases {
            assert_eq!(text.parse(), Ok(store.clone()), "{text}");
            assert_eq!(store.to_string(), text);
        }
        assert_eq!("dynamodb://findings?endpoint=http%3A%2F%2Fh".parse(), Ok(table(None, Some("http://h"))));
    }

    #[test]
    fn what_is_no_store_says_what_would_be() {
        let cases = [
            ("", "empty"),
            ("Memory", "did you mean `memory`"),
            ("s3://bucket", "`s3://` is not known"),
            ("file:///tmp/x", "give the path alone, `/tmp/x`"),
            ("dynamodb:findings", "`dynamodb://TABLE`"),
            ("dynamodb://", "no table name"),
            ("dynamodb://a b c", "no table name"),
            ("dynamodb://arn:aws:dynamodb:eu-west-1:111122223333:table/t", "not its ARN"),
            ("dynamodb://findings?regio=x", "did you mean `region`"),
            ("dynamodb://findings?region=x&region=y", "twice"),
            ("dynamodb://findings?region=EU West", "no region"),
            ("dynamodb://findings?region=", "no region"),
            ("dynamodb://findings?endpoint=localhost", "must begin with"),
            ("dynamodb://findings?endpoint=http://%zz", "hexadecimal"),
        ];
        for (text, hint) in cases {
            let error = text.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}

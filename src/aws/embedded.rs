//! DynamoDB inside the process: an HTTP client for the AWS SDK that answers from SQLite, in memory
//! or in a file, and opens no socket.
//!
//! The store of findings is the same code everywhere; only what answers its requests differs. What
//! is missing here: backups, resource policies, throttling, transaction conflicts (SQLite has one
//! writer at a time, which waits for the others), and the deletion of expired items.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

/// How long a database is waited for that another process has locked (dynoxide-rs 3.2.0, `OPEN_BUSY_TIMEOUT`).
const WAITS: Duration = Duration::from_secs(30);

/// Why an embedded database did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// The path is no text.
    #[error("`{0}`: the path of a store must be valid UTF-8")]
    Path(String),
    /// The folder or the file could not be made.
    #[error("`{path}`: {cause}")]
    File {
        /// As asked for.
        path: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Another process has the database to itself, or writes without end.
    #[error("`{path}` is locked by another process; waited {} s for it", WAITS.as_secs())]
    Locked {
        /// As asked for.
        path: String,
    },
    /// The file is no database, or one of a later version.
    #[error("`{path}` does not open as a store: {cause}")]
    Database {
        /// As asked for; `memory` for none.
        path: String,
        /// What SQLite says.
        cause: String,
    },
}

/// An embedded DynamoDB. Clones share the database.
#[derive(Clone)]
pub struct Embedded {
    database: Database,
    /// SQLite answers one request at a time: no more than one thread waits for it.
    turn: Arc<Semaphore>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedded")
    }
}

impl Embedded {
    /// An empty database in memory, gone with its last clone.
    ///
    /// # Errors
    /// [`EmbeddedError::Database`].
    pub fn memory() -> Result<Self, EmbeddedError> {
        let database = Database::memory();
        let database = database
            .map_err(|error| EmbeddedError::Database { path: "memory".into(), cause: error.to_string() })?;
        Ok(Self::of(database))
    }

    fn of(database: Database) -> Self {
        Self { database, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The database in a file, which is made, with its folders, where there is none. Several
    /// processes may have it open.
    ///
    /// # Errors
    /// Where the file cannot be made or is something else.
    pub fn file(path: &Path) -> Result<Self, EmbeddedError> {
        let shown = path.display().to_string();
        let text = path.to_str().ok_or_else(|| EmbeddedError::Path(shown.clone()))?;
        create(path).map_err(|cause| EmbeddedError::File { path: shown.clone(), cause })?;
        let failed = |error: DynoxideError| not_opened(shown.clone(), error.to_string());
        let database = Database::new(text).map_err(failed)?;
        // Sets what SQLite has by default, and `synchronous = NORMAL`: the file stays whole whatever happens, and is
        // not waited for with each of many writes. All of it is on disk once whoever has it open last closes it; what
        // a power cut takes before that, the same logs bring back.
        database.disable_bulk_loading().map_err(failed)?;
        Ok(Self::of(database))
    }

    /// An SDK client that this database answers.
    pub fn client(&self) -> Client {
        client(self.clone())
    }
}

/// An SDK client whose requests all go to `http`: no credentials are looked for, no TLS is set up.
pub fn client(http: impl HttpClient + 'static) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("local"))
        // Never connected to; it keeps the SDK from working out where DynamoDB is.
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(Credentials::new("embedded", "embedded", None, None, "embedded"))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // Nobody is far away: what failed can be asked again at once.
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(5)))
        .http_client(http)
        .build();
    Client::from_conf(config)
}

fn not_opened(path: String, cause: String) -> EmbeddedError {
    // The words of SQLite's SQLITE_BUSY: there is no more than words here.
    if cause.contains("database is locked") {
        return EmbeddedError::Locked { path };
    }
    EmbeddedError::Database { path, cause }
}

/// Makes the file and its folders, for their owner alone: findings tell where the holes are.
fn create(path: &Path) -> std::io::Result<()> {
    create_folder_of(path)?;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes the folders that a file is to stand in.
pub fn create_folder_of(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    Ok(())
}

impl HttpClient for Embedded {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Embedded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (database, turn) = (self.database.clone(), Arc::clone(&self.turn));
        HttpConnectorFuture::new(async move {
            // Nobody closes it, so there is always one.
            let _turn = turn.acquire_owned().await;
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default().to_vec();
            // SQLite blocks: on its disk, and on other writers for up to its busy timeout.
            let answer = tokio::task::spawn_blocking(move || answer(&database, &operation, &body)).await;
            let (status, body) = answer.map_err(|error| ConnectorError::other(error.into(), None))?;
            let status =
                StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(body));
            response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(response)
        })
    }
}

/// Status and body of the response to a request.
fn answer(database: &Database, operation: &str, body: &[u8]) -> (u16, String) {
    match dispatch(database, operation, body) {
        Ok(Some(body)) => (200, body),
        Ok(None) => (400, r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned()),
        Err(error) => {
            let error = enveloped(operation, error);
            (error.status_code(), error.to_json())
        }
    }
}

/// The body of a successful response; `None` for an operation that is not answered.
fn dispatch(database: &Database, operation: &str, body: &[u8]) -> Result<Option<String>, DynoxideError> {
    macro_rules! operations {
        ($($name:literal => $method:ident),* $(,)?) => {
            match operation {
                $($name => write(&database.$method(read(body)?)?).map(Some),)*
                _ => Ok(None),
            }
        };
    }
    operations! {
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "CreateTable" => create_table,
        "DeleteItem" => delete_item,
        "DeleteTable" => delete_table,
        "DescribeTable" => describe_table,
        "DescribeTimeToLive" => describe_time_to_live,
        "GetItem" => get_item,
        "ListTables" => list_tables,
        "PutItem" => put_item,
        "Query" => query,
        "Scan" => scan,
        "TransactGetItems" => transact_get_items,
        "TransactWriteItems" => transact_write_items,
        "UpdateItem" => update_item,
        "UpdateTimeToLive" => update_time_to_live,
    }
}

fn write(response: &impl Serialize) -> Result<String, DynoxideError> {
    serde_json::to_string(response).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))
}

/// Some of DynamoDB's validation happens while the request is read, and says by a mark at the head
/// of its message which exception it stands for (dynoxide-rs 3.2.0, src/serde_errors.rs, which it
/// keeps to itself).
fn unreadable(message: &str) -> DynoxideError {
    use DynoxideError::{EnvelopedValidation, SerializationException, ValidationException};
    if let Some(text) = message.strip_prefix("SERIALIZATION_AS_READ:") {
        return SerializationException(text.to_owned());
    }
    if let Some(text) = message.strip_prefix("VALIDATION_AS_READ:") {
        return ValidationException(text.to_owned());
    }
    let text = without_position(message);
    if let Some(text) = text.strip_prefix("SERIALIZATION:") {
        SerializationException(text.to_owned())
    } else if let Some(text) = text.strip_prefix("VALIDATION_REQUEST:") {
        EnvelopedValidation(text.to_owned())
    } else if let Some(text) = text.strip_prefix("VALIDATION:") {
        ValidationException(text.to_owned())
    } else if ["missing field", "unknown variant", "invalid type: null", "AttributeValue"]
        .iter()
        .any(|mark| text.contains(mark))
    {
        ValidationException(text.to_owned())
    } else {
        SerializationException(text.to_owned())
    }
}

/// Without the ` at line 1 column 42` that serde_json appends.
fn without_position(message: &str) -> &str {
    message.rfind(" at line ").and_then(|at| message.get(..at)).unwrap_or(message)
}

/// DynamoDB words some refusals differently for the operations that write one item.
fn enveloped(operation: &str, error: DynoxideError) -> DynoxideError {
    match error {
        DynoxideError::EnvelopedValidation(text)
            if matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem") =>
        {
            DynoxideError::ValidationException(format!("1 validation error detected: {text}"))
        }
        DynoxideError::EnvelopedValidation(text) => DynoxideError::ValidationException(text),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(operation: &str, body: &str) -> (u16, serde_json::Value) {
        let embedded = Embedded::memory().unwrap();
        let (status, body) = answer(&embedded.database, operation, body.as_bytes());
        (status, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn operations_that_are_not_known_are_refused_as_dynamodb_does() {
        let (status, body) = answered("PutResourcePolicy", "{}");
        assert_eq!(status, 400);
        assert_eq!(body["__type"], "com.amazon.coral.service#UnknownOperationException");
    }

    #[test]
    fn what_fails_while_it_is_read_is_a_validation_or_a_serialization_exception() {
        let (status, body) = answered("PutItem", r#"{"TableName":"t","Item":{"a":{"N":"x"}}}"#);
        assert_eq!(
            (status, body["__type"].as_str()),
            (400, Some("com.amazon.coral.validate#ValidationException"))
        );
        let (status, body) = answered("PutItem", r#"{"Item":"#);
        assert_eq!(
            (status, body["__type"].as_str()),
            (400, Some("com.amazon.coral.service#SerializationException"))
        );
        for operation in ["PutItem", "GetItem", "Query"] {
            for body in ["", "null", "[]", r#"{"TableName":null}"#, r#"{"TableName":"t","Item":{"a":{}}}"#] {
                let (status, body) = answered(operation, body);
                assert_eq!(status, 400, "{operation}: {body}");
                let text = body.to_string();
                assert!(!text.contains("VALIDATION") && !text.contains("SERIALIZATION"), "{text}");
            }
        }
    }

    #[test]
    fn a_database_that_another_process_has_locked_is_not_called_broken() {
        let locked = not_opened("a.db".into(), "Internal error: database is locked".into());
        assert_eq!(locked.to_string(), "`a.db` is locked by another process; waited 30 s for it");
        let other = not_opened("a.db".into(), "file is not a database".into());
        assert!(other.to_string().contains("does not open as a store"), "{other}");
    }

    #[test]
    fn tables_that_are_not_there_are_not_found() {
        let (status, body) = answered("DescribeTable", r#"{"TableName":"absent"}"#);
        assert_eq!(status, 400);
        assert_eq!(body["__type"], "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException");
    }
}

//! Between Lambda's Runtime API and a function: events in, answers and errors out.
//!
//! Source: Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::auditor::Handler;
use super::log_file::LogFiles;
use super::metrics::Metrics;
use super::reply::Reply;
use crate::findings::store::FindingStore;
use crate::watch::lookup::Lookup;
use crate::watch::store::StateStore;

/// How long an error at the start may take to be told.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the runtime crate reads from the environment, and panics without.
pub const NEEDED: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Handles events until Lambda ends the process. `clock` gives the time; `function` is the name
/// that metrics are filed under.
///
/// # Errors
/// Where the Runtime API cannot be reached.
pub async fn serve<S: FindingStore + StateStore + Send, L: LogFiles, K: Lookup>(
    handler: &Handler<S, L, K>,
    function: &str,
    clock: fn() -> Timestamp,
) -> Result<(), lambda_runtime::Error> {
    let service = service_fn(async |event: LambdaEvent<Box<RawValue>>| -> Result<Reply, Diagnostic> {
        let mut metrics = Metrics::default();
        let reply = handler.handle_counted(event.payload.get().as_bytes(), clock(), &mut metrics).await;
        // Metrics that cannot be written are no reason to audit everything again.
        let _ = writeln!(io::stdout(), "{}", metrics.line(function, clock()));
        if let Err(error) = &reply {
            tracing::error!(kind = error.kind(), reason = %error, "event failed");
        }
        reply.map_err(Diagnostic::from)
    });
    lambda_runtime::run(service).await
}

/// Does the same whatever the event, until Lambda ends the process. `failed`: the type of the error where it cannot.
///
/// # Errors
/// Where the Runtime API cannot be reached.
pub async fn serve_any<T: Serialize>(
    work: impl AsyncFn(Timestamp) -> Result<T, String>,
    failed: &str,
    clock: fn() -> Timestamp,
) -> Result<(), lambda_runtime::Error> {
    let service = service_fn(async |_: LambdaEvent<Box<RawValue>>| -> Result<T, Diagnostic> {
        work(clock()).await.map_err(|reason| {
            tracing::error!(%reason, "event failed");
            Diagnostic { error_type: failed.to_owned(), error_message: reason }
        })
    });
    lambda_runtime::run(service).await
}

/// Tells Lambda why the function does not start. The runtime crate has no call for it.
///
/// # Errors
/// Where the Runtime API, at `api`, cannot be reached.
pub fn report_init_error(api: &str, reason: &str) -> io::Result<()> {
    let body = json!({ "errorMessage": reason, "errorType": "InitError", "stackTrace": [] }).to_string();
    let mut stream = TcpStream::connect(api)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {api}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: Runtime.InitError\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    )?;
    // The answer says nothing, but that it was heard.
    let mut answer = [0; 64];
    stream.read(&mut answer).map(drop)
}

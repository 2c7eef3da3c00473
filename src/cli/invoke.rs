//! `perimeter invoke`: runs the Lambda's own handler on event files.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::output::{Output, Used, store_files};
use super::view::json;
use super::{Common, Done, Ending, Failure, Format, runtime, view};
use crate::aws::s3::S3LogFiles;
use crate::aws::s3_tree;
use crate::aws::store_url::StoreUrl;
use crate::lambda::auditor::Handler;
use crate::lambda::reply::{HandlerError, Reply};

/// Arguments of `invoke`.
#[derive(Args, Debug)]
pub struct Invoke {
    /// Events as Lambda gives them to the function: of EventBridge, SQS, SNS, S3, CloudWatch Logs; - for
    /// standard input
    #[arg(required = true, value_name = "EVENT")]
    events: Vec<PathBuf>,
}

/// What came of an event, for programs.
#[derive(Serialize)]
struct Invoked {
    event: String,
    /// `null` where the event failed as a whole.
    reply: Option<Reply>,
    /// What could not be read or kept.
    errors: Vec<String>,
}

impl Invoke {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        if common.format == Format::Csv {
            let why = "--format csv: replies are no table; text, json and ndjson are to be had";
            return Err(Failure::Said(why.to_owned()));
        }
        let runtime = runtime()?;
        let settings = common.settings()?;
        common.draw_warnings(&settings);
        settings.warnings.iter().for_each(|warning| common.remark(warning));
        let url = match common.store_url(&settings)? {
            // The handler keeps findings always; these are gone afterwards.
            StoreUrl::None => StoreUrl::Memory,
            url => url,
        };
        let mut out = Output::open_apart(common, self.used(&url))?;
        common.detail(&format!("configuration {}", settings.path.display()));
        common.detail(&format!("store {url}"));
        let store =
            runtime.block_on(common.open(&url))?.ok_or_else(|| Failure::Said("no store".to_owned()))?;
        let handle = runtime.handle().clone();
        // Only an event that names a log file needs the client, and the credentials that it looks for.
        let files =
            move || S3LogFiles::new(tokio::task::block_in_place(|| handle.block_on(s3_tree::client())));
        let handler = Handler::new(settings.perimeter, move || store, files);
        let mut all = Vec::new();
        for path in &self.events {
            let began = Instant::now();
            let invoked = invoke(path, |event| runtime.block_on(handler.handle(event, Timestamp::now())));
            common.detail(&format!("{} took {} ms", invoked.event, began.elapsed().as_millis()));
            invoked.errors.iter().for_each(|error| common.fault(&format!("{}: {error}", invoked.event)));
            match common.format {
                Format::Text => invoked.text(&mut out)?,
                Format::Ndjson => json::line(&mut out, &invoked)?,
                Format::Json | Format::Csv => {}
            }
            all.push(invoked);
        }
        match (common.format, all.as_slice()) {
            (Format::Json, [one]) => json::pretty(&mut out, one)?,
            (Format::Json, all) => json::pretty(&mut out, &all)?,
            (Format::Text | Format::Ndjson | Format::Csv, _) => {}
        }
        out.finish()?;
        let sound = all.iter().all(|invoked| invoked.errors.is_empty());
        Ok(if sound { Ending::Clean } else { Ending::Incomplete })
    }

    /// The files that no result may replace.
    fn used(&self, url: &StoreUrl) -> Vec<Used> {
        let events = self.events.iter().cloned().map(|path| Used { path, what: "an event" });
        events.chain(store_files(url)).collect()
    }
}

impl Invoked {
    fn text(&self, out: &mut Output) -> std::io::Result<()> {
        let Some(reply) = &self.reply else { return Ok(()) };
        writeln!(out, "{}", view::plain_line(&format!("{}: {}", self.event, serde_json::json!(reply))))
    }
}

/// Reads an event and has it handled.
fn invoke(path: &PathBuf, handle: impl FnOnce(&[u8]) -> Result<Reply, HandlerError>) -> Invoked {
    let event = path.display().to_string();
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Invoked { event, reply: None, errors: vec![error.to_string()] },
    };
    let failures = Failures::default();
    let subscriber = tracing_subscriber::registry().with(failures.clone());
    let handled = tracing::subscriber::with_default(subscriber, || handle(&bytes));
    let mut errors = failures.take();
    let reply = handled.map_err(|error| errors.push(error.to_string())).ok();
    Invoked { event, reply, errors }
}

/// The reasons why messages of a batch failed. The reply has their ids alone; the handler logs why.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<String>>>);

impl Failures {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Failures {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // The clients of AWS log as well; what of that matters comes back as the handler's own.
        if *event.metadata().level() == Level::ERROR && event.metadata().target().starts_with(OWN) {
            let mut logged = Logged::default();
            event.record(&mut logged);
            let Logged { message, id, reason } = logged;
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(format!("{message}: {id}: {reason}"));
        }
    }
}

/// How the targets begin of what this crate logs.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// What the handler logs of a message that failed.
#[derive(Default)]
struct Logged {
    message: String,
    id: String,
    reason: String,
}

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "message_id" => self.id = format!("{value:?}"),
            "reason" => self.reason = format!("{value:?}"),
            _ => {}
        }
    }
}

fn read(path: &PathBuf) -> std::io::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut event = Vec::new();
        std::io::stdin().read_to_end(&mut event)?;
        return Ok(event);
    }
    std::fs::read(path)
}

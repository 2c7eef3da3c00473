//! `perimeter invoke`: runs the Lambda's own handler on event files.

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::output::Output;
use super::settings;
use super::{Common, Done, Ending, Failure, Format, runtime, view};
use crate::aws::s3::S3LogFiles;
use crate::aws::s3_tree;
use crate::aws::store_url::StoreUrl;
use crate::lambda::auditor::Handler;

/// Arguments of `invoke`.
#[derive(Args, Debug)]
pub struct Invoke {
    /// Events as Lambda gives them to the function: of EventBridge, SQS, SNS, S3, CloudWatch Logs; - for
    /// standard input
    #[arg(required = true, value_name = "EVENT")]
    events: Vec<PathBuf>,
}

impl Invoke {
    /// Runs the command.
    pub fn run(&self, common: &Common) -> Done {
        let runtime = runtime()?;
        let settings = common.settings()?;
        settings.warnings.iter().for_each(|warning| common.remark(warning));
        let url = match common.store_url(&settings)? {
            // The handler keeps findings always; these are gone afterwards.
            StoreUrl::None => StoreUrl::Memory,
            url => url,
        };
        let store =
            runtime.block_on(settings::open(&url))?.ok_or_else(|| Failure::Said("no store".to_owned()))?;
        let handle = runtime.handle().clone();
        // Only an event that names a log file needs the client, and the credentials that it looks for.
        let files =
            move || S3LogFiles::new(tokio::task::block_in_place(|| handle.block_on(s3_tree::client())));
        let handler = Handler::new(settings.perimeter, move || store, files);
        let mut out = Output::open(common)?;
        let mut ending = Ending::Clean;
        for path in &self.events {
            let name = path.display();
            let outcome = read(path).map_err(|error| error.to_string()).and_then(|event| {
                runtime.block_on(handler.handle(&event, Timestamp::now())).map_err(|error| error.to_string())
            });
            match outcome {
                Ok(reply) if common.format == Format::Text => {
                    writeln!(out, "{}", view::plain(&format!("{name}: {}", serde_json::json!(reply))))?;
                }
                Ok(reply) => {
                    writeln!(out, "{}", serde_json::json!({ "event": name.to_string(), "reply": reply }))?
                }
                Err(reason) => {
                    common.fault(&format!("{name}: {reason}"));
                    ending = Ending::Incomplete;
                }
            }
        }
        out.finish()?;
        Ok(ending)
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

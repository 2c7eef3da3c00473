//! Log files of an S3 bucket, listed and fetched: whole trees as CloudTrail lays them out, of which
//! only the wanted accounts, regions and days are listed at all.
//!
//! `[prefix/]AWSLogs/[organization/]<account>/CloudTrail/<region>/<year>/<month>/<day>/<file>`
//!
//! Source: CloudTrail user guide, "Finding your CloudTrail log files".

use std::io::{self, Cursor, Read};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use futures_util::stream::{self, Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::s3::{described, with_causes};
use crate::ids;

/// Objects that are fetched at once.
const IN_FLIGHT: usize = 8;

/// Objects up to this size are fetched whole, and again where that fails midway.
const SMALL: i64 = 2 << 20;

/// Times that a small object is fetched before it is given up.
const TRIES: usize = 3;

/// A bucket, a prefix in it, and what of it is wanted.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The bucket's name.
    pub bucket: String,
    /// Keys begin so.
    pub prefix: String,
    /// Only these accounts; empty: all.
    pub accounts: Vec<String>,
    /// Only these regions; empty: all.
    pub regions: Vec<String>,
    /// Only files of this time or later.
    pub since: Option<Timestamp>,
    /// Only files of records before this time.
    pub until: Option<Timestamp>,
}

/// Why `bucket/prefix` names no tree.
#[derive(Debug, thiserror::Error)]
#[error("no bucket is named")]
pub struct NoBucket;

/// An object on its way.
pub struct Fetched {
    /// As `s3://bucket/key`.
    pub name: String,
    /// Its bytes, or why there are none.
    pub body: io::Result<Box<dyn Read + Send>>,
}

/// A stretch of keys to list: those that begin with `prefix`, behind `after`, and before `before`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Stretch {
    prefix: String,
    after: Option<String>,
    before: Option<String>,
}

impl Tree {
    /// Reads `bucket/prefix`.
    ///
    /// # Errors
    /// Where no bucket is named.
    pub fn parse(text: &str) -> Result<Self, NoBucket> {
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        if bucket.is_empty() {
            return Err(NoBucket);
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), ..Self::default() })
    }

    /// The objects, in the order of their keys, several always on their way. Listing and fetching
    /// run on `runtime`; the iterator waits for them.
    pub fn objects(self, runtime: &Handle) -> impl Iterator<Item = Fetched> + Send + use<> {
        let (sender, mut receiver) = mpsc::channel(1);
        let handle = runtime.clone();
        runtime.spawn(async move {
            let client = client().await;
            let mut objects = std::pin::pin!(self.fetched(client, handle));
            while let Some(object) = objects.next().await {
                if sender.send(object).await.is_err() {
                    return;
                }
            }
        });
        std::iter::from_fn(move || receiver.blocking_recv())
    }

    fn fetched(self, client: Client, handle: Handle) -> impl Stream<Item = Fetched> + Send {
        let bucket = self.bucket.clone();
        let listed = self.keys(client.clone());
        let fetches = listed.map(move |key| {
            let (client, bucket, handle) = (client.clone(), bucket.clone(), handle.clone());
            async move {
                match key {
                    Ok(key) => Fetched {
                        name: format!("s3://{bucket}/{key}"),
                        body: fetch(&client, &bucket, &key, handle).await,
                    },
                    Err(Unlisted { prefix, reason }) => Fetched {
                        name: format!("s3://{bucket}/{prefix}"),
                        body: Err(io::Error::other(reason)),
                    },
                }
            }
        });
        fetches.buffered(IN_FLIGHT)
    }

    /// The keys of all log files that are wanted.
    fn keys(self, client: Client) -> impl Stream<Item = Result<String, Unlisted>> + Send {
        stream::once(async move {
            let stretches = match self.stretches(&client).await {
                Ok(stretches) => stretches,
                Err(error) => return stream::iter([Err(error)]).boxed(),
            };
            let bucket = self.bucket.clone();
            stream::iter(stretches)
                .flat_map(move |stretch| stretch.keys(client.clone(), bucket.clone()))
                .boxed()
        })
        .flatten()
    }

    /// Goes down the tree to its regions, so that what is not wanted is never listed. A prefix that is
    /// no such tree is one stretch.
    async fn stretches(&self, client: &Client) -> Result<Vec<Stretch>, Unlisted> {
        let Some(root) = self.root(client).await? else {
            return Ok(vec![Stretch { prefix: self.prefix.clone(), ..Stretch::default() }]);
        };
        let mut stretches = Vec::new();
        for account in self.below_root(client, &root).await? {
            for trail in self.folders(client, &account).await?.into_iter().filter(|folder| is_trail(folder)) {
                let regions = self.folders(client, &trail).await?;
                let wanted = regions.into_iter().filter(|region| is_wanted(&self.regions, region));
                stretches.extend(wanted.map(|region| self.days(region)));
            }
        }
        Ok(stretches)
    }

    /// The folder `AWSLogs/`, where the prefix is that, lies above it, or names the bucket's root.
    /// Below it the user has chosen already, and the prefix is taken as it is.
    async fn root(&self, client: &Client) -> Result<Option<String>, Unlisted> {
        let prefix = self.prefix.trim_end_matches('/');
        let folder = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        if prefix == "AWSLogs" || prefix.ends_with("/AWSLogs") {
            return Ok(Some(folder));
        }
        let below = format!("{folder}AWSLogs/");
        Ok(self.folders(client, &folder).await?.into_iter().find(|found| *found == below))
    }

    /// The accounts below `AWSLogs/`, directly or below an organization.
    async fn below_root(&self, client: &Client, root: &str) -> Result<Vec<String>, Unlisted> {
        let mut accounts = Vec::new();
        for folder in self.folders(client, root).await? {
            if last(&folder).starts_with("o-") {
                accounts.extend(self.folders(client, &folder).await?);
            } else {
                accounts.push(folder);
            }
        }
        accounts.retain(|account| ids::is_account(last(account)) && is_wanted(&self.accounts, account));
        Ok(accounts)
    }

    /// The folders directly below a prefix.
    async fn folders(&self, client: &Client, prefix: &str) -> Result<Vec<String>, Unlisted> {
        let list = client.list_objects_v2().bucket(&self.bucket).prefix(prefix).delimiter("/");
        let mut pages = list.into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| unlisted(prefix, &error))?;
            folders
                .extend(page.common_prefixes().iter().filter_map(|found| found.prefix()).map(str::to_owned));
        }
        Ok(folders)
    }

    /// The days of a region's folder that are wanted. Files lie under the day of their delivery, which
    /// can be the day after the records'.
    fn days(&self, region: String) -> Stretch {
        let day = |time: Timestamp| time.strftime("%Y/%m/%d").to_string();
        let end = self.until.map(|until| until.saturating_add(SignedDuration::from_hours(48)));
        Stretch {
            after: self.since.map(|since| format!("{region}{}", day(since))),
            before: end.and_then(Result::ok).map(|end| format!("{region}{}", day(end))),
            prefix: region,
        }
    }
}

/// A part of a bucket that could not be listed.
struct Unlisted {
    prefix: String,
    reason: String,
}

fn unlisted<E>(prefix: &str, error: &SdkError<E>) -> Unlisted
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    Unlisted { prefix: prefix.to_owned(), reason: format!("cannot be listed: {}", described(error)) }
}

/// The last folder of a prefix.
fn last(prefix: &str) -> &str {
    prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// `CloudTrail`, and not the digests and insights beside it.
fn is_trail(folder: &str) -> bool {
    let name = last(folder);
    name.starts_with("CloudTrail")
        && !matches!(name, "CloudTrail-Digest" | "CloudTrail-Insight" | "CloudTrail-Aggregated")
}

fn is_wanted(wanted: &[String], folder: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|name| name == last(folder))
}

impl Stretch {
    /// The keys of the stretch that are named like logs.
    fn keys(self, client: Client, bucket: String) -> impl Stream<Item = Result<String, Unlisted>> + Send {
        let list =
            client.list_objects_v2().bucket(bucket).prefix(&self.prefix).set_start_after(self.after.clone());
        let pages = list.into_paginator().send();
        let before = self.before.clone();
        let pages = stream::unfold((pages, false), move |(mut pages, ended)| {
            let (prefix, before) = (self.prefix.clone(), before.clone());
            async move {
                if ended {
                    return None;
                }
                let found = pages.next().await?.map_err(|error| unlisted(&prefix, &error));
                let keys: Vec<Result<String, Unlisted>> = match found {
                    Ok(page) => page
                        .contents()
                        .iter()
                        .filter_map(|object| object.key())
                        .map(|key| Ok(key.to_owned()))
                        .collect(),
                    Err(error) => vec![Err(error)],
                };
                let is_over = |key: &Result<String, Unlisted>| match key {
                    Ok(key) => before.as_ref().is_some_and(|before| key >= before),
                    Err(_) => true,
                };
                let ended = keys.last().is_some_and(is_over);
                let wanted: Vec<_> =
                    keys.into_iter().filter(|key| key.is_err() || (!is_over(key) && is_log(key))).collect();
                Some((stream::iter(wanted), (pages, ended)))
            }
        });
        pages.flatten()
    }
}

fn is_log(key: &Result<String, Unlisted>) -> bool {
    let Ok(key) = key else { return true };
    let name = key.strip_suffix(".gz").unwrap_or(key);
    [".json", ".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending))
}

async fn fetch(
    client: &Client,
    bucket: &str,
    key: &str,
    runtime: Handle,
) -> io::Result<Box<dyn Read + Send>> {
    let mut tried = 0;
    loop {
        tried += 1;
        let object = client.get_object().bucket(bucket).key(key).send().await;
        let object = object.map_err(|error| io::Error::other(described(&error)))?;
        if object.content_length().is_none_or(|length| length > SMALL) {
            return Ok(Box::new(Body { stream: object.body, runtime, piece: Cursor::default() }));
        }
        match object.body.collect().await {
            Ok(bytes) => return Ok(Box::new(Cursor::new(bytes.into_bytes()))),
            Err(error) if tried == TRIES => return Err(io::Error::other(with_causes(&error))),
            Err(_) => {}
        }
    }
}

/// A large object, read as it arrives. Read from threads that are none of the runtime's.
struct Body {
    stream: ByteStream,
    runtime: Handle,
    piece: Cursor<bytes::Bytes>,
}

impl Read for Body {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(space)?;
            if read > 0 || space.is_empty() {
                return Ok(read);
            }
            match self.runtime.block_on(self.stream.next()) {
                Some(piece) => self.piece = Cursor::new(piece.map_err(io::Error::other)?),
                None => return Ok(0),
            }
        }
    }
}

/// With the credentials and the region of the environment; `AWS_ENDPOINT_URL_S3` is honoured, and
/// then buckets are named in the path, as stand-ins of S3 want it.
pub async fn client() -> Client {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let elsewhere =
        std::env::var_os("AWS_ENDPOINT_URL_S3").or(std::env::var_os("AWS_ENDPOINT_URL")).is_some();
    Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(elsewhere).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_needs_a_bucket() {
        assert!(Tree::parse("").is_err() && Tree::parse("/x").is_err());
        let tree = Tree::parse("bucket/a/b").ok();
        assert_eq!(tree.map(|tree| (tree.bucket, tree.prefix)), Some(("bucket".into(), "a/b".into())));
    }

    #[test]
    fn days_are_cut_by_delivery() {
        let tree = Tree {
            since: "2026-03-01T12:00:00Z".parse().ok(),
            until: "2026-03-02T00:00:00Z".parse().ok(),
            ..Tree::default()
        };
        let stretch = tree.days("AWSLogs/1/CloudTrail/eu-west-1/".into());
        assert_eq!(stretch.after.as_deref(), Some("AWSLogs/1/CloudTrail/eu-west-1/2026/03/01"));
        assert_eq!(stretch.before.as_deref(), Some("AWSLogs/1/CloudTrail/eu-west-1/2026/03/04"));
    }

    #[test]
    fn digests_are_no_logs() {
        assert!(is_trail("AWSLogs/1/CloudTrail/"));
        assert!(!is_trail("AWSLogs/1/CloudTrail-Digest/"));
        assert!(!is_trail("AWSLogs/1/Config/"));
    }
}

//! Tables and their streams: resource policies and tags.
//!
//! Source: DynamoDB API reference, `ListTables`, `DescribeTable`, `GetResourcePolicy`, `ListTagsOfResource`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use serde_json::{Value, json};

use super::object;
use crate::aws::s3::described;
use crate::iam::state::snapshot::Unread;

/// Pages of tags that are read: a resource has 50 tags at most, and a page ten or more.
const TAG_PAGES: usize = 16;

/// What came of a table.
#[derive(Default)]
pub(super) struct Read {
    /// The table, and its stream; none where it is gone meanwhile.
    pub tables: Vec<Value>,
    pub unread: Vec<Unread>,
}

/// The names of an account's tables in a region.
pub(super) async fn list(client: &Client) -> Result<Vec<String>, String> {
    let mut items = client.list_tables().into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(name) = items.next().await {
        names.push(name.map_err(|error| described(&error))?);
    }
    Ok(names)
}

/// Reads a table; `arn` is what its ARN should be.
pub(super) async fn read(client: &Client, arn: &str, name: &str) -> Read {
    let mut read = Read::default();
    match client.describe_table().table_name(name).send().await {
        Ok(found) => {
            let table = found.table;
            let told = table.as_ref().and_then(|table| table.table_arn());
            read.table(client, told.unwrap_or(arn)).await;
            if let Some(stream) = table.as_ref().and_then(|table| table.latest_stream_arn()) {
                read.stream(client, stream).await;
            }
        }
        Err(error) if is_gone(&error) => {}
        Err(error) => {
            read.unread(format!("stream of {arn}"), described(&error));
            // The rest may be readable all the same.
            read.table(client, arn).await;
        }
    }
    read
}

impl Read {
    async fn table(&mut self, client: &Client, arn: &str) {
        let policy = match policy(client, arn).await {
            Policy::Gone => return,
            policy => policy,
        };
        let tags = tags(client, arn).await;
        let tags = tags.map_err(|why| self.unread(format!("tags of {arn}"), why)).ok();
        self.push(arn, policy, tags.map(|tags| json!(tags)));
    }

    /// A stream without a policy is what every question about its table asks about anyway. It has no tags that AWS would
    /// tell of.
    async fn stream(&mut self, client: &Client, arn: &str) {
        match policy(client, arn).await {
            Policy::Gone | Policy::Text(None) => {}
            policy @ (Policy::Text(Some(_)) | Policy::Untold(_)) => self.push(arn, policy, None),
        }
    }

    fn push(&mut self, arn: &str, policy: Policy, tags: Option<Value>) {
        let (text, untold) = match policy {
            Policy::Text(text) => (text.map(Value::from), None),
            Policy::Untold(why) => {
                self.unread(format!("policy of {arn}"), why);
                (None, Some(true.into()))
            }
            Policy::Gone => return,
        };
        let table = [("arn", Some(arn.into())), ("policy", text), ("tags", tags), ("untold", untold)];
        self.tables.push(object(table));
    }

    fn unread(&mut self, what: String, why: String) {
        self.unread.push(Unread { what, why });
    }
}

/// A resource's policy.
enum Policy {
    /// `None`: it has none.
    Text(Option<String>),
    Untold(String),
    /// There is no such resource any more.
    Gone,
}

async fn policy(client: &Client, arn: &str) -> Policy {
    match client.get_resource_policy().resource_arn(arn).send().await {
        Ok(found) => Policy::Text(found.policy),
        Err(error) if error.code() == Some("PolicyNotFoundException") => Policy::Text(None),
        Err(error) if is_gone(&error) => Policy::Gone,
        Err(error) => Policy::Untold(described(&error)),
    }
}

pub(super) async fn tags(client: &Client, arn: &str) -> Result<BTreeMap<String, String>, String> {
    let (mut tags, mut next) = (BTreeMap::new(), None);
    for _ in 0..TAG_PAGES {
        let page = client.list_tags_of_resource().resource_arn(arn).set_next_token(next).send().await;
        let page = page.map_err(|error| described(&error))?;
        tags.extend(page.tags.into_iter().flatten().map(|tag| (tag.key, tag.value)));
        next = page.next_token;
        if next.is_none() {
            return Ok(tags);
        }
    }
    Err(format!("there are more than {TAG_PAGES} pages of them"))
}

fn is_gone(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ResourceNotFoundException")
}

//! The names of keys, attributes and indexes, and the table as it is made locally. docs/store.md
//! describes the same table for AWS.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    Projection, ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};

use jiff::Timestamp;

use super::retry::{Failure, retry};
use super::{Item, bounds};
use crate::findings::sample::EventKey;
use crate::findings::store::{StoreError, Waiting, WaitsFor};

/// Partition key.
pub const PK: &str = "pk";
/// Sort key.
pub const SK: &str = "sk";
/// Epoch seconds after which DynamoDB may delete an item: evidence alone has it.
pub const EXPIRES_AT: &str = "expires_at";
/// Findings by status; those without events are not in it.
pub const BY_STATUS: Index = Index { name: "by-status", pk: "gsi1pk", sk: "gsi1sk" };
/// Findings by account; those without events, or without an account, are not in it.
pub const BY_ACCOUNT: Index = Index { name: "by-account", pk: "gsi2pk", sk: "gsi2sk" };
/// What the indexes hold of a finding, beside its keys: what a list is narrowed down by.
pub const PROJECTED: [&str; 5] = ["rule", "status", LAPSES, "first_seen", "last_seen"];
/// When a suppressed finding comes back by itself.
pub const LAPSES: &str = "lapses";

/// The partition of all endpoints. One partition, so that reading it shows every write before it.
pub(super) const ENDPOINTS: &str = "ENDPOINTS";
/// The partition of all endpoints that records wait for.
pub(super) const AWAITED: &str = "AWAITED";
/// How partitions of single events begin.
pub(super) const EVENT: &str = "EVENT#";
/// How sort keys of evidence begin.
pub(super) const EVIDENCE: &str = "E#";
/// How sort keys of waiting records begin.
pub(super) const WAIT: &str = "WAIT#";
/// The partition of the journal of changes.
pub(super) const JOURNAL: &str = "JOURNAL";
/// The sort key of a finding.
pub(super) const FINDING: &str = "FINDING";

/// Bytes of any one part of a key. DynamoDB takes 1,024 of a sort key, which has two of them.
const MAX_PART: usize = 400;

/// A global secondary index.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// The attribute that is its partition key.
    pub pk: &'static str,
    /// The attribute that is its sort key.
    pub sk: &'static str,
}

/// The primary key of an item.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    pub fn finding(id: &str) -> Self {
        Self { pk: format!("F#{}", part(id)), sk: FINDING.to_owned() }
    }

    pub fn evidence(finding: &str, key: EventKey) -> Self {
        Self { pk: format!("F#{}", part(finding)), sk: format!("{EVIDENCE}{}", hex(key)) }
    }

    pub fn endpoint(id: &str) -> Self {
        Self { pk: ENDPOINTS.to_owned(), sk: part(id) }
    }

    pub fn awaited(endpoint: &str) -> Self {
        Self { pk: AWAITED.to_owned(), sk: part(endpoint) }
    }

    pub fn corrected(event: EventKey) -> Self {
        Self { pk: format!("{EVENT}{}", hex(event)), sk: "CORRECTED".to_owned() }
    }

    pub fn half(shared_id: &str) -> Self {
        Self { pk: shared(shared_id), sk: "HALF".to_owned() }
    }

    /// The partition of what waits for the same.
    pub fn waits_for(waits_for: &WaitsFor) -> String {
        match waits_for {
            WaitsFor::Endpoint(id) => format!("ENDPOINT#{}", part(id)),
            WaitsFor::OtherHalf(id) => shared(id),
        }
    }

    pub fn waiting(waiting: &Waiting) -> Self {
        let sk = format!("{WAIT}{}#{}", part(&waiting.finding), hex(waiting.key));
        Self { pk: Self::waits_for(&waiting.waits_for), sk }
    }

    pub fn message(id: &str) -> Self {
        Self { pk: format!("MESSAGE#{}", part(id)), sk: "UNREADABLE".to_owned() }
    }

    pub fn base() -> Self {
        Self { pk: "BASE".to_owned(), sk: "CURRENT".to_owned() }
    }

    /// A piece of a base.
    pub fn piece(taken_at: Timestamp, n: u64) -> Self {
        Self { pk: format!("BASE#{}", moment(taken_at)), sk: format!("{n:06}") }
    }

    /// A change in the journal.
    pub fn change(time: Timestamp, key: EventKey) -> Self {
        Self { pk: JOURNAL.to_owned(), sk: format!("{}#{}", moment(time), hex(key)) }
    }

    /// How a change would be undone that counts in a finding under this number.
    pub fn undo(finding: &str, key: EventKey) -> Self {
        Self { pk: format!("UNDO#{}", part(finding)), sk: hex(key) }
    }

    /// As attributes of an item.
    pub fn attributes(&self) -> Item {
        let text = |text: &String| AttributeValue::S(text.clone());
        Item::from([(PK.to_owned(), text(&self.pk)), (SK.to_owned(), text(&self.sk))])
    }
}

fn shared(id: &str) -> String {
    format!("SHARED#{}", part(id))
}

/// Ids come from records and messages: one that is too long for a key is cut, its hash behind it.
fn part(id: &str) -> String {
    bounds::clipped(id, MAX_PART).into_owned()
}

/// The partition of a status in [`BY_STATUS`].
pub(super) fn status_partition(status: &str) -> String {
    format!("STATUS#{status}")
}

/// The partition of an account in [`BY_ACCOUNT`].
pub(super) fn account_partition(account: &str) -> String {
    format!("ACCOUNT#{}", part(account))
}

/// Microseconds since 1970, as text that sorts as they do.
pub(super) fn moment(time: Timestamp) -> String {
    format!("{:020}", time.as_microsecond().max(0))
}

/// Sixteen hexadecimal digits, which sort as the numbers do.
pub(super) fn hex(key: EventKey) -> String {
    format!("{:016x}", key.0)
}

/// Makes the table where there is none. Without a stream: the embedded database writes slower the
/// more a stream holds, and nobody reads it there.
///
/// # Errors
/// [`StoreError::Failed`].
pub async fn create_if_missing(client: &Client, table: &str) -> Result<(), StoreError> {
    let described =
        retry(|| async { client.describe_table().table_name(table).send().await.map_err(Failure::of) });
    if described.await.is_ok() {
        return Ok(());
    }
    retry(|| create(client, table)).await
}

async fn create(client: &Client, table: &str) -> Result<(), Failure> {
    let mut create = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key(PK, KeyType::Hash)?)
        .key_schema(key(SK, KeyType::Range)?);
    for attribute in [PK, SK] {
        create = create.attribute_definitions(text(attribute)?);
    }
    for index in [BY_STATUS, BY_ACCOUNT] {
        let projected = PROJECTED.map(str::to_owned).to_vec();
        let projection = Projection::builder().projection_type(ProjectionType::Include);
        let gsi = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .key_schema(key(index.pk, KeyType::Hash)?)
            .key_schema(key(index.sk, KeyType::Range)?)
            .projection(projection.set_non_key_attributes(Some(projected)).build());
        create = create
            .attribute_definitions(text(index.pk)?)
            .attribute_definitions(text(index.sk)?)
            .global_secondary_indexes(gsi.build().map_err(Failure::unbuilt)?);
    }
    match create.send().await {
        Ok(_) => {}
        // Another process was faster.
        Err(error) if error.code() == Some("ResourceInUseException") => return Ok(()),
        Err(error) => return Err(Failure::of(error)),
    }
    let ttl = TimeToLiveSpecification::builder().attribute_name(EXPIRES_AT).enabled(true).build();
    let ttl = ttl.map_err(Failure::unbuilt)?;
    client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(ttl)
        .send()
        .await
        .map_err(Failure::of)?;
    Ok(())
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, Failure> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(Failure::unbuilt)
}

fn text(name: &str) -> Result<AttributeDefinition, Failure> {
    let definition =
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
    definition.build().map_err(Failure::unbuilt)
}

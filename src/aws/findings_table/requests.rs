//! Requests that do the same however often they are made, each tried until it succeeds.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, PutRequest, ReturnValuesOnConditionCheckFailure, WriteRequest,
};

use super::retry::{Backoff, Failure, random, retry};
use super::schema::{Key, PK, SK};
use super::{FindingsTable, Item, item};
use crate::findings::store::StoreError;

/// The most that one BatchWriteItem takes.
const WRITES: usize = 25;
/// The most that one BatchGetItem takes.
pub(super) const READS: usize = 100;
/// Whose write it was that put an item there first.
const WRITER: &str = "writer";

impl FindingsTable {
    /// The item as every write before left it.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        retry(|| self.try_get(key)).await
    }

    pub(super) async fn try_get(&self, key: &Key) -> Result<Option<Item>, Failure> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key.attributes()));
        Ok(get.consistent_read(true).send().await.map_err(Failure::of)?.item)
    }

    /// The items of a partition as every write before left them, those alone whose sort key begins
    /// with `prefix`.
    pub(super) async fn partition(&self, pk: &str, prefix: Option<&str>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let page = retry(|| async {
                let mut query = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .consistent_read(true)
                    .expression_attribute_names("#pk", PK)
                    .expression_attribute_values(":pk", item::text(pk))
                    .set_exclusive_start_key(from.clone());
                query = match prefix {
                    None => query.key_condition_expression("#pk = :pk"),
                    Some(prefix) => query
                        .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
                        .expression_attribute_names("#sk", SK)
                        .expression_attribute_values(":prefix", item::text(prefix)),
                };
                query.send().await.map_err(Failure::of)
            });
            let page = page.await?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(items);
            }
        }
    }

    /// The items of those keys that are there, in no order.
    pub(super) async fn get_all(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        for keys in keys.chunks(READS) {
            let keys = keys.iter().map(Key::attributes).collect();
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let mut wanted = Some(wanted.map_err(|error| StoreError::Failed(error.to_string()))?);
            let mut backoff = Backoff::default();
            while let Some(asked) = wanted.take() {
                let get = self.client.batch_get_item().request_items(&self.table, asked.clone());
                match get.send().await {
                    Err(error) => {
                        backoff.after(Failure::of(error)).await?;
                        wanted = Some(asked);
                    }
                    Ok(mut got) => {
                        let found = got.responses.as_mut().and_then(|tables| tables.remove(&self.table));
                        items.extend(found.unwrap_or_default());
                        wanted = got.unprocessed_keys.as_mut().and_then(|tables| tables.remove(&self.table));
                        if wanted.is_some() {
                            backoff.after(Failure::Passing("items were left unread".into())).await?;
                        }
                    }
                }
            }
        }
        Ok(items)
    }

    /// Puts items, whatever was there. No two may have the same key.
    pub(super) async fn put_all(&self, items: Vec<Item>) -> Result<(), StoreError> {
        let mut requests = Vec::with_capacity(items.len());
        for item in items {
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|error| StoreError::Failed(error.to_string()))?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        for requests in requests.chunks(WRITES) {
            let mut left = requests.to_vec();
            let mut backoff = Backoff::default();
            while !left.is_empty() {
                let write = self.client.batch_write_item().request_items(&self.table, left.clone());
                match write.send().await {
                    Err(error) => backoff.after(Failure::of(error)).await?,
                    Ok(mut wrote) => {
                        let unprocessed = wrote.unprocessed_items.as_mut();
                        left = unprocessed.and_then(|tables| tables.remove(&self.table)).unwrap_or_default();
                        if !left.is_empty() {
                            backoff.after(Failure::Passing("items were left unwritten".into())).await?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts an item where there is none. Returns whether it did.
    ///
    /// An answer may get lost after the item was put: the next try then finds it there, and knows it
    /// by the number that it was written with for its own.
    pub(super) async fn put_once(&self, mut item: Item) -> Result<bool, StoreError> {
        let own = item::text(format!("{:016x}{:016x}", random(), random()));
        item.insert(WRITER.to_owned(), own.clone());
        retry(|| self.try_put_once(&item, &own)).await
    }

    async fn try_put_once(&self, item: &Item, own: &AttributeValue) -> Result<bool, Failure> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(refused.item().and_then(|there| there.get(WRITER)) == Some(own))
                }
                _ => Err(Failure::of(error)),
            },
        }
    }

    /// Deletes an item, if it is there.
    pub(super) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        retry(|| async {
            let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key.attributes()));
            delete.send().await.map(drop).map_err(Failure::of)
        })
        .await
    }
}

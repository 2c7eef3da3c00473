//! Requests that do the same however often they are made, each tried until it succeeds.

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, ReturnValuesOnConditionCheckFailure,
    WriteRequest,
};

use super::item::{self, WRITER};
use super::retry::{Backoff, Failure, random, retry};
use super::schema::{Key, PK, SK};
use super::{FindingsTable, Item};
use crate::findings::store::StoreError;

/// The most that one BatchWriteItem takes.
const WRITES: usize = 25;
/// The most that one BatchGetItem takes.
pub(super) const READS: usize = 100;

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
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let (page, next) = self.page(pk, prefix, from).await?;
            items.extend(page);
            from = next;
            if from.is_none() {
                return Ok(items);
            }
        }
    }

    /// A page of a partition, at most 1 MiB, behind `from`; and where the next one begins.
    pub(super) async fn page(
        &self,
        pk: &str,
        prefix: Option<&str>,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
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
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
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
        let put = |item| PutRequest::builder().set_item(Some(item)).build();
        let puts = items.into_iter().map(|item| Ok(WriteRequest::builder().put_request(put(item)?).build()));
        self.write_all(puts.collect()).await
    }

    /// Deletes items, those of them that are there. No two may have the same key.
    pub(super) async fn delete_all(&self, keys: &[Key]) -> Result<(), StoreError> {
        let delete = |key: &Key| DeleteRequest::builder().set_key(Some(key.attributes())).build();
        let deletes = keys.iter().map(|key| Ok(WriteRequest::builder().delete_request(delete(key)?).build()));
        self.write_all(deletes.collect()).await
    }

    async fn write_all(&self, requests: Result<Vec<WriteRequest>, BuildError>) -> Result<(), StoreError> {
        let requests = requests.map_err(|error| StoreError::Failed(error.to_string()))?;
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
        let own = own_mark();
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

    /// Deletes an item if it is still as its last writer left it.
    pub(super) async fn delete_of(&self, key: &Key, writer: &AttributeValue) -> Result<(), StoreError> {
        let deleted = retry(|| async {
            let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key.attributes()));
            let delete = delete
                .condition_expression("#writer = :writer")
                .expression_attribute_names("#writer", WRITER)
                .expression_attribute_values(":writer", writer.clone());
            match delete.send().await {
                Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
                other => other.map(drop).map_err(Failure::of),
            }
        });
        deleted.await
    }

    /// Puts an item on a condition about one attribute: it is `value`, or there is no such attribute.
    pub(super) async fn try_put_if(
        &self,
        item: Item,
        name: &str,
        value: Option<AttributeValue>,
    ) -> Result<(), Failure> {
        let condition = if value.is_some() { "#name = :value" } else { "attribute_not_exists(#name)" };
        let values = value.map(|value| Item::from([(":value".to_owned(), value)]));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression(condition).expression_attribute_names("#name", name);
        put.set_expression_attribute_values(values).send().await.map(drop).map_err(Failure::of)
    }
}

/// A mark that no other write has.
pub(super) fn own_mark() -> AttributeValue {
    item::text(format!("{:016x}{:016x}", random(), random()))
}

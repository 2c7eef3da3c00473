//! Findings in order: the most severe first, and of those the latest.
//!
//! Every partition of the indexes is in that order by itself, and no two findings share a place in
//! it. A page is made by merging the partitions that can hold what is asked for, and where the next
//! page begins is simply the last place on this one.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::requests::READS;
use super::retry::{Failure, retry};
use super::schema::{self, BY_ACCOUNT, BY_STATUS, Index, Key, LAPSES, PK, SK};
use super::{FindingsTable, Item, item};
use crate::findings::finding::{Kept, Status};
use crate::findings::lifecycle::Lapse;
use crate::findings::store::{Query, StoreError};

/// Findings on a page: as many as are read at once.
const PAGE: usize = READS;

/// Greater than every place: severities are ranked from 0 to 4.
const ABOVE_ALL: &str = "5";

/// Where a page begins.
#[derive(Deserialize, Serialize)]
struct Token {
    /// Behind this place.
    after: String,
}

impl Token {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    fn write(&self) -> Result<String, StoreError> {
        let json = serde_json::to_vec(self).map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }
}

/// What an index says of a finding.
struct Entry {
    place: String,
    key: Key,
}

pub(super) async fn list(
    table: &FindingsTable,
    query: &Query,
    after: Option<String>,
    now: Timestamp,
) -> Result<(Vec<Kept>, Option<String>), StoreError> {
    let high = match after {
        None => ABOVE_ALL.to_owned(),
        Some(token) => {
            let unknown = || StoreError::Failed(format!("`{token}` is no page of a list"));
            Token::read(&token).ok_or_else(unknown)?.after
        }
    };
    let reads = partitions(query).into_iter().map(|(index, partition)| {
        let narrowed = Narrowed::of(query, index, partition, &high, now);
        async move { narrowed.entries(table).await }
    });
    let mut more = false;
    let mut entries = Vec::new();
    for (found, has_more) in try_join_all(reads).await? {
        entries.extend(found);
        more |= has_more;
    }
    entries.sort_unstable_by(|one, other| other.place.cmp(&one.place));
    more |= entries.len() > PAGE;
    entries.truncate(PAGE);
    let next = entries
        .last()
        .filter(|_| more)
        .map(|last| Token { after: last.place.clone() }.write())
        .transpose()?;
    Ok((findings(table, query, entries, now).await?, next))
}

/// The partitions that can hold what is asked for: a suppressed finding may have come back, though nobody has
/// written that down yet.
fn partitions(query: &Query) -> Vec<(Index, String)> {
    if let Some(account) = &query.account {
        return vec![(BY_ACCOUNT, schema::account_partition(account))];
    }
    let asked = Status::ALL.into_iter().filter(|status| {
        query.statuses.is_empty()
            || query.statuses.contains(status)
            || (*status == Status::Suppressed && asks_for_lapsed(query))
    });
    asked.map(|status| (BY_STATUS, schema::status_partition(status.name()))).collect()
}

/// Are findings asked for that were suppressed and have come back, and not those that are suppressed?
fn asks_for_lapsed(query: &Query) -> bool {
    let asked = &query.statuses;
    Lapse::TO.iter().any(|status| asked.contains(status)) && !asked.contains(&Status::Suppressed)
}

/// One partition, narrowed down.
struct Narrowed {
    index: Index,
    high: String,
    names: HashMap<String, String>,
    values: Item,
    filter: Vec<String>,
}

impl Narrowed {
    fn of(query: &Query, index: Index, partition: String, high: &str, now: Timestamp) -> Self {
        let low = query.at_least.map_or(0, item::rank);
        let mut narrowed = Self {
            index,
            high: high.to_owned(),
            names: HashMap::new(),
            values: HashMap::new(),
            filter: Vec::new(),
        };
        narrowed.name("#partition", index.pk);
        narrowed.name("#place", index.sk);
        narrowed.value(":partition", &partition);
        narrowed.value(":low", format!("{low}#"));
        narrowed.value(":high", high);
        if let Some(rule) = &query.rule {
            narrowed.filter("rule", "=", rule);
        }
        if let Some(since) = query.since {
            // Findings with an estimated count know their times by the minute; see `matches`.
            narrowed.filter("last_seen", ">=", item::time(minute(since)));
        }
        if let Some(until) = query.until {
            narrowed.filter("first_seen", "<", item::time(until));
        }
        // A partition of the one index is of one status, and all in it is wanted but for what has not lapsed.
        let is_mixed = match query.account {
            Some(_) => !query.statuses.is_empty(),
            None => {
                asks_for_lapsed(query) && partition == schema::status_partition(Status::Suppressed.name())
            }
        };
        if is_mixed {
            narrowed.of_statuses(query, now);
        }
        narrowed
    }

    /// Only findings of the statuses that are asked for, and those that have come to it by now.
    fn of_statuses(&mut self, query: &Query, now: Timestamp) {
        let places: Vec<String> = (0..query.statuses.len()).map(|n| format!(":status{n}")).collect();
        for (place, status) in places.iter().zip(&query.statuses) {
            self.value(place, status.name());
        }
        self.name("#status", "status");
        let mut wanted = format!("#status IN ({})", places.join(", "));
        if asks_for_lapsed(query) {
            // Without the attribute it was written by an earlier version: whether it has lapsed is seen then.
            wanted.push_str(
                " OR (#status = :suppressed AND (attribute_not_exists(#lapses) OR #lapses <= :now))",
            );
            self.name("#lapses", LAPSES);
            self.value(":suppressed", Status::Suppressed.name());
            self.value(":now", item::time(now));
        }
        self.filter.push(format!("({wanted})"));
    }

    fn name(&mut self, placeholder: &str, name: &str) {
        self.names.insert(placeholder.to_owned(), name.to_owned());
    }

    fn value(&mut self, placeholder: &str, value: impl Into<String> + AsRef<str>) {
        self.values.insert(placeholder.to_owned(), item::text(value));
    }

    fn filter(&mut self, name: &str, operator: &str, value: impl Into<String> + AsRef<str>) {
        self.name(&format!("#{name}"), name);
        self.value(&format!(":{name}"), value);
        self.filter.push(format!("#{name} {operator} :{name}"));
    }

    /// A page of the partition, and whether there may be more behind it.
    async fn entries(&self, table: &FindingsTable) -> Result<(Vec<Entry>, bool), StoreError> {
        let mut entries = Vec::new();
        let mut from = None;
        loop {
            let page = retry(|| async {
                let query = table
                    .client
                    .query()
                    .table_name(&table.table)
                    .index_name(self.index.name)
                    .scan_index_forward(false)
                    .key_condition_expression("#partition = :partition AND #place BETWEEN :low AND :high")
                    .set_filter_expression((!self.filter.is_empty()).then(|| self.filter.join(" AND ")))
                    .set_expression_attribute_names(Some(self.names.clone()))
                    .set_expression_attribute_values(Some(self.values.clone()))
                    // What is filtered out counts too, so a limit would only make for more requests.
                    .set_limit(self.filter.is_empty().then_some(PAGE as i32 + 1))
                    .set_exclusive_start_key(from.clone());
                query.send().await.map_err(Failure::of)
            });
            let page = page.await?;
            for item in page.items() {
                let entry = self.entry(item)?;
                // The range has its bounds in it; that one was on the page before.
                if entry.place != self.high {
                    entries.push(entry);
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() || entries.len() > PAGE {
                return Ok((entries, from.is_some()));
            }
        }
    }

    fn entry(&self, item: &Item) -> Result<Entry, StoreError> {
        let text = |name: &str| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
        match (text(PK), text(SK), text(self.index.sk)) {
            (Some(pk), Some(sk), Some(place)) => Ok(Entry { place, key: Key { pk, sk } }),
            (pk, _, _) => Err(StoreError::Damaged {
                item: pk.unwrap_or_else(|| "?".into()),
                cause: format!("index `{}` has it without its keys", self.index.name),
            }),
        }
    }
}

/// The findings of the entries, in their order. An index is a moment behind: what is no longer asked
/// for is left out.
async fn findings(
    table: &FindingsTable,
    query: &Query,
    entries: Vec<Entry>,
    now: Timestamp,
) -> Result<Vec<Kept>, StoreError> {
    // One whose status changes right now can be in two partitions.
    let mut known = HashSet::new();
    let keys: Vec<Key> =
        entries.into_iter().map(|entry| entry.key).filter(|key| known.insert(key.clone())).collect();
    let mut found = BTreeMap::new();
    for item in table.get_all(&keys).await? {
        if let (Some(AttributeValue::S(pk)), Some(mut kept)) = (item.get(PK), item::read_finding(&item)?.kept)
        {
            kept.settle(now);
            found.insert(pk.clone(), kept);
        }
    }
    let found = keys.iter().filter_map(|key| found.remove(&key.pk));
    Ok(found.filter(|kept| matches(query, kept)).collect())
}

fn matches(query: &Query, kept: &Kept) -> bool {
    let seen = &kept.sightings;
    let since = |since| if seen.seen.is_exact() { since } else { minute(since) };
    kept.count() > 0
        && query.at_least.is_none_or(|least| seen.severity >= least)
        && (query.statuses.is_empty() || query.statuses.contains(&kept.status))
        && query.account.as_ref().is_none_or(|account| seen.identity.account.as_ref() == Some(account))
        && query.rule.as_ref().is_none_or(|rule| seen.rule() == *rule)
        && query.since.is_none_or(|time| seen.span.is_some_and(|(_, last)| last >= since(time)))
        && query.until.is_none_or(|time| seen.span.is_some_and(|(first, _)| first < time))
}

fn minute(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(time)
}

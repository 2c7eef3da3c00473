//! DynamoDB's events as edits.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::event::{Event, lookup};
use super::{needed_policy, policy, tags, taken, text};
use crate::iam::state::{Edit, Part};

pub(super) fn edits(event: &Event<'_>) -> Vec<Edit> {
    let request = event.request();
    match event.name {
        "PutResourcePolicy" => of(event, "resourceArn", |table| Edit::TablePolicy {
            table,
            text: Some(needed_policy(request, "policy")),
        }),
        "DeleteResourcePolicy" => of(event, "resourceArn", |table| Edit::TablePolicy { table, text: None }),
        "CreateTable" => of(event, "tableName", |table| Edit::TableMade {
            table,
            policy: policy(request, "resourcePolicy"),
            tags: Some(tags(request, "tags")),
        }),
        "RestoreTableFromBackup" | "RestoreTableToPointInTime" => of(event, "targetTableName", bare),
        // AWS Backup may put the tags back as well.
        "RestoreTableFromAwsBackup" => {
            of(event, "targetTableName", |table| Edit::TableMade { table, policy: None, tags: None })
        }
        "ImportTable" => imported(event),
        "DeleteTable" => of(event, "tableName", Edit::TableGone),
        "UpdateTable" => updated(event),
        "CreateGlobalTable" | "UpdateGlobalTable" => joined(event),
        "TagResource" => of(event, "resourceArn", |table| Edit::TableTagged {
            table,
            set: tags(request, "tags"),
            taken: Vec::new(),
        }),
        "UntagResource" => of(event, "resourceArn", |table| Edit::TableTagged {
            table,
            set: BTreeMap::new(),
            taken: taken(request),
        }),
        _ => Vec::new(),
    }
}

/// A table without a policy or tags of its own.
fn bare(table: String) -> Edit {
    Edit::TableMade { table, policy: None, tags: Some(BTreeMap::new()) }
}

/// The edit of the table that a parameter names.
fn of(event: &Event<'_>, key: &str, edit: impl FnOnce(String) -> Edit) -> Vec<Edit> {
    let named = text(event, key).and_then(|name| event.named_arn(&name, "dynamodb", "table"));
    let answered = event.true_arn("tableArn", "dynamodb", "table", None);
    named.or(answered).map(edit).into_iter().collect()
}

fn imported(event: &Event<'_>) -> Vec<Edit> {
    let made = event.request().get("tableCreationParameters").and_then(Value::as_object);
    let name = made.and_then(|fields| lookup(fields, "tableName")?.as_str());
    let arn = name.and_then(|name| event.named_arn(name, "dynamodb", "table"));
    arn.or_else(|| event.true_arn("tableArn", "dynamodb", "table", None)).map(bare).into_iter().collect()
}

/// A table that is changed: a replica comes without the policy of the table that it is made from, unless it is
/// given one.
fn updated(event: &Event<'_>) -> Vec<Edit> {
    let request = event.request();
    let table = text(event, "tableName").and_then(|name| event.named_arn(&name, "dynamodb", "table"));
    let Some(table) = table else { return Vec::new() };
    if request.omitted {
        return vec![Edit::Untold(Part::Table(table))];
    }
    let updates = request.get("replicaUpdates").and_then(Value::as_array).into_iter().flatten();
    updates.filter_map(|update| replica(&table, update)).collect()
}

fn replica(table: &str, update: &Value) -> Option<Edit> {
    let of = |key: &str| in_region_of(table, lookup(update.as_object()?, key)?);
    match of("create") {
        Some(made) => Some(bare(made)),
        None => of("delete").map(Edit::TableGone),
    }
}

/// Tables of one name that become replicas of each other, in the older form of global tables. What leaves them stays a
/// table.
fn joined(event: &Event<'_>) -> Vec<Edit> {
    let request = event.request();
    let table = text(event, "globalTableName").and_then(|name| event.named_arn(&name, "dynamodb", "table"));
    let Some(table) = table else { return Vec::new() };
    let list = |key: &str| request.get(key).and_then(Value::as_array).into_iter().flatten();
    let made = list("replicaUpdates").filter_map(|update| lookup(update.as_object()?, "create"));
    let regions = list("replicationGroup").chain(made);
    regions.filter_map(|region| in_region_of(&table, region)).map(Edit::Replica).collect()
}

/// The table of that name in the region that a replica is in.
fn in_region_of(table: &str, replica: &Value) -> Option<String> {
    let region = lookup(replica.as_object()?, "regionName")?.as_str()?;
    let mut parts: Vec<&str> = table.splitn(6, ':').collect();
    *parts.get_mut(3)? = region;
    Some(parts.join(":"))
}

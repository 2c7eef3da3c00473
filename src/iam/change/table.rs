//! DynamoDB's own control plane: tables, their policies, their copies.

use std::borrow::Cow;

use serde_json::Value;

use super::event::{Event, is_true, lookup, quoted};
use super::grant::{self, Grant, Us};
use super::{Draft, Kind, Needs, Ours, Shows};
use crate::ids::Arn;

/// Is a DynamoDB event a change?
pub(super) fn is_change(name: &str) -> bool {
    kind(name).is_some() || own_kind(name).is_some()
}

fn kind(name: &str) -> Option<Kind> {
    use Needs::{Nothing, Parameters};
    Some(match name {
        "PutResourcePolicy" => (Needs::Text("policy"), "resource policy put on {resourceArn}"),
        "DeleteResourcePolicy" => (Parameters, "resource policy of {resourceArn} deleted"),
        "CreateTable" => (Parameters, "table {tableName} created"),
        "UpdateTable" => (Parameters, "table {tableName} changed"),
        "CreateGlobalTable" => (Parameters, "global table {globalTableName} created"),
        "UpdateGlobalTable" => (Parameters, "replicas of global table {globalTableName} changed"),
        "RestoreTableFromBackup" | "RestoreTableFromAwsBackup" => {
            (Nothing, "table {targetTableName} restored from backup {backupArn}")
        }
        "RestoreTableToPointInTime" => {
            (Nothing, "table {targetTableName} restored from table {sourceTableArn|sourceTableName}")
        }
        "ImportTable" => (Nothing, "table {tableName} imported"),
        "EnableKinesisStreamingDestination" => {
            (Nothing, "changes of table {tableName} sent to stream {streamArn}")
        }
        "UpdateKinesisStreamingDestination" => {
            (Nothing, "how changes of table {tableName} are sent to stream {streamArn} changed")
        }
        "DisableKinesisStreamingDestination" => {
            (Nothing, "changes of table {tableName} no longer sent to stream {streamArn}")
        }
        "TagResource" => (Nothing, "{resourceArn} tagged"),
        "UntagResource" => (Nothing, "tags of {resourceArn} removed"),
        "UpdateAbacStatus" => (Nothing, "whether tags of tables count in policies changed"),
        _ => return None,
    })
}

/// What is a change to the product's own table, and to no other.
fn own_kind(name: &str) -> Option<Kind> {
    use Needs::Nothing;
    Some(match name {
        "DeleteTable" => (Nothing, "table {tableName} deleted"),
        "DeleteBackup" => (Nothing, "backup {backupArn} deleted"),
        // A lifetime deletes items, and no event tells of it.
        "UpdateTimeToLive" => (Nothing, "lifetime of items of table {tableName} changed"),
        "UpdateContinuousBackups" => (Nothing, "point-in-time recovery of table {tableName} changed"),
        _ => return None,
    })
}

/// What of `UpdateTable`'s parameters can lead data out of the table.
const LEADS_OUT: [&str; 6] = [
    "replicaUpdates",
    "streamSpecification",
    "globalTableWitnessUpdates",
    "globalTableSettingsReplicationMode",
    "multiRegionConsistency",
    "resourcePolicy",
];

/// Reads a DynamoDB event.
pub(super) fn change(event: &Event<'_>, ours: &dyn Ours) -> Option<Draft> {
    let request = event.request();
    let kind = kind(event.name);
    let only_own = kind.is_none()
        || (event.name == "UpdateTable"
            && !request.omitted
            && !LEADS_OUT.iter().any(|field| request.carries(field)));
    let mut draft = Draft::new(event, kind.or_else(|| own_kind(event.name))?);
    draft.only_own = only_own;
    draft.may_be_own = only_own;
    // What the event is about stands in the record's own list too; in a restore's, so may its source.
    if !event.name.starts_with("Restore") {
        draft.targets.append(&mut draft.mentions);
    }
    let imported = request.get("tableCreationParameters").and_then(Value::as_object);
    let name = imported.and_then(|fields| lookup(fields, "tableName")?.as_str()).map(Cow::Borrowed);
    if let Some(name) = &name {
        draft.what = format!("table {} imported", quoted(name));
    }
    let keys = ["tableName", "targetTableName", "globalTableName", "resourceArn"];
    let names = keys.iter().filter_map(|key| request.text(key)).chain(name);
    for name in names {
        for region in regions(event) {
            draft.mention(table_arn(event, &name, Some(region)));
        }
        let answered = event.true_arn("tableArn", "dynamodb", "table", Some(&name));
        draft.target(answered.or_else(|| table_arn(event, &name, None)));
    }
    if request.omitted {
        draft.target(event.true_arn("tableArn", "dynamodb", "table", None));
    }
    if event.name == "DeleteBackup" {
        draft.target(request.text("backupArn").map(Cow::into_owned));
    }
    for key in ["backupArn", "sourceTableArn", "globalTableSourceArn", "streamArn"] {
        draft.mention(request.text(key).map(Cow::into_owned));
    }
    draft.mention(request.text("sourceTableName").and_then(|name| table_arn(event, &name, None)));
    judge(event, ours, &mut draft);
    if draft.shows == Shows::Nothing && sends_changes(event) {
        draft.shows = Shows::StreamDestination;
        if event.name == "CreateTable" {
            draft.what.push_str(", with a stream");
        }
    }
    Some(draft)
}

/// The ARN of a table, wherever its name stands.
fn table_arn(event: &Event<'_>, name: &str, region: Option<&str>) -> Option<String> {
    if name.starts_with("arn:") {
        return region.is_none().then(|| name.to_owned());
    }
    let region = region.or(event.region.as_deref())?;
    event.arn_in("dynamodb", region, &format!("table/{name}"))
}

/// Regions that the table is copied to, or its copies taken from.
fn regions<'e>(event: &'e Event<'_>) -> Vec<&'e str> {
    let lists = ["replicaUpdates", "replicationGroup", "globalTableWitnessUpdates"];
    let items = lists.iter().filter_map(|key| event.request().get(key)?.as_array()).flatten();
    let region = |item: &'e Value| {
        let fields = item.as_object()?;
        let inner = fields.values().find_map(Value::as_object).unwrap_or(fields);
        lookup(inner, "regionName").or_else(|| lookup(fields, "regionName"))?.as_str()
    };
    items.filter_map(region).filter(|region| !region.is_empty()).collect()
}

/// Does it send the changes of a table's items to Kinesis, or write them to a stream of the table's?
fn sends_changes(event: &Event<'_>) -> bool {
    match event.name {
        "EnableKinesisStreamingDestination" | "UpdateKinesisStreamingDestination" => true,
        "CreateTable" | "UpdateTable" => {
            let stream = event.request().get("streamSpecification").and_then(Value::as_object);
            stream.and_then(|stream| lookup(stream, "streamEnabled")).is_some_and(is_true)
        }
        _ => false,
    }
}

/// Is this the ARN of a table's stream?
pub(super) fn is_stream(arn: &str) -> bool {
    let parsed = Arn::parse(arn).filter(|arn| arn.service == "dynamodb");
    parsed.and_then(|arn| arn.resource.strip_prefix("table/")).is_some_and(|rest| rest.contains("/stream/"))
}

/// What the event's text shows.
fn judge(event: &Event<'_>, ours: &dyn Ours, draft: &mut Draft) {
    let request = event.request();
    let field = match event.name {
        "RestoreTableFromBackup"
        | "RestoreTableFromAwsBackup"
        | "RestoreTableToPointInTime"
        | "ImportTable" => {
            draft.shows = Shows::UnguardedTable;
            return;
        }
        "UpdateTable" if request.carries("replicaUpdates") => {
            draft.what.push_str(": its replicas");
            "resourcePolicy"
        }
        "UpdateTable" if request.carries("streamSpecification") => {
            draft.what.push_str(": its stream");
            "resourcePolicy"
        }
        "CreateTable" | "UpdateTable" => "resourcePolicy",
        "PutResourcePolicy" => "policy",
        _ => return,
    };
    if request.carries("globalTableSourceArn") {
        draft.what.push_str(" as a replica of another account's table");
        draft.shows = Shows::ExternalGrant;
        return;
    }
    if !request.carries(field) || draft.shows != Shows::Nothing {
        return;
    }
    let owner = request.text("resourceArn");
    let owner = owner.as_deref().and_then(Arn::parse).map(|arn| arn.account).or(event.account.as_deref());
    match request.get(field).and_then(|policy| grant::grant(policy, &Us::new(ours, owner))) {
        Some(Grant::Replication) => {
            draft.what.push_str(", which lets a service or another account replicate it");
            draft.shows = Shows::ExternalGrant;
        }
        Some(Grant::Access(stranger)) => {
            let whom = if stranger == "*" { "everybody".to_owned() } else { quoted(&stranger) };
            draft.what.push_str(&format!(", which lets {whom} in"));
            draft.shows = Shows::ExternalGrant;
        }
        Some(Grant::Organization(id)) => {
            draft
                .what
                .push_str(&format!(", which lets all of organization {} in, not known as ours", quoted(&id)));
            draft.shows = Shows::ExternalGrant;
        }
        Some(Grant::Untold) => {
            draft.what.push_str(", which speaks of somebody it does not tell the account of");
            draft.shows = Shows::Unreadable;
        }
        Some(Grant::Nothing) => {}
        None => draft.shows = Shows::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, change_of};
    use super::super::{Change, Own, Shows};

    const ORDERS: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";

    fn dynamodb(name: &str, request: &str) -> Option<Change> {
        change_of("dynamodb.amazonaws.com", name, request)
    }

    fn shows(name: &str, request: &str) -> Option<Shows> {
        dynamodb(name, request).map(|change| change.shows)
    }

    #[test]
    fn items_and_descriptions_are_no_change() {
        for name in [
            "GetItem",
            "PutItem",
            "ExecuteStatement",
            "DescribeTable",
            "DescribeEndpoints",
            "CreateBackup",
            "UpdateContinuousBackups",
            "UpdateTimeToLive",
            "ExportTableToPointInTime",
            "StartBulkPutItems",
            "DeleteTable",
        ] {
            assert_eq!(dynamodb(name, r#"{"tableName":"orders"}"#), None, "{name}");
        }
    }

    #[test]
    fn an_update_counts_where_it_leads_data_out() {
        let update = |parameter: &str| {
            dynamodb("UpdateTable", &format!(r#"{{"tableName":"orders",{parameter}}}"#))
                .map(|change| change.shows)
        };
        assert_eq!(update(r#""provisionedThroughput":{"readCapacityUnits":1}"#), None);
        assert_eq!(update(r#""replicaUpdates":null"#), None);
        assert_eq!(
            update(r#""replicaUpdates":[{"create":{"regionName":"us-east-1"}}]"#),
            Some(Shows::Nothing)
        );
        assert_eq!(update(r#""StreamSpecification":{"StreamEnabled":true}"#), Some(Shows::StreamDestination));
        assert_eq!(shows("UpdateTable", "null"), Some(Shows::Unreadable));
    }

    #[test]
    fn changes_of_items_are_sent_where_a_stream_begins() {
        let table = r#""tableName":"orders""#;
        let stream = |json: &str| format!(r#"{{{table},"streamSpecification":{json}}}"#);
        for name in ["CreateTable", "UpdateTable"] {
            assert_eq!(shows(name, &stream(r#"{"streamEnabled":true}"#)), Some(Shows::StreamDestination));
            for other in [r#"{"streamEnabled":false}"#, r#"{"streamEnabled":[true]}"#, "true", "[true]"] {
                assert_eq!(shows(name, &stream(other)), Some(Shows::Nothing), "{name} {other}");
            }
        }
        let table = format!("{{{table}}}");
        assert_eq!(shows("EnableKinesisStreamingDestination", &table), Some(Shows::StreamDestination));
        assert_eq!(shows("UpdateKinesisStreamingDestination", "null"), Some(Shows::StreamDestination));
        assert_eq!(shows("DisableKinesisStreamingDestination", &table), Some(Shows::Nothing));
        // What is worse is told before.
        let request =
            r#"{"tableName":"orders","streamSpecification":{"streamEnabled":true},"resourcePolicy":"x"}"#;
        assert_eq!(shows("CreateTable", request), Some(Shows::Unreadable));
        let sample =
            Sample::new("dynamodb.amazonaws.com", "EnableKinesisStreamingDestination").request(&table);
        let failed = sample.field("errorCode", "\"ResourceNotFoundException\"").change();
        assert_eq!(failed.map(|change| change.shows), Some(Shows::Nothing));
    }

    #[test]
    fn replicas_are_named_in_their_regions() {
        let request = r#"{"tableName":"orders","replicaUpdates":[{"create":{"regionName":"us-east-1"}}]}"#;
        let resources = dynamodb("UpdateTable", request).map(|change| change.resources);
        let replica = "arn:aws:dynamodb:us-east-1:111122223333:table/orders".to_owned();
        assert_eq!(resources, Some(vec![ORDERS.to_owned(), replica.clone()]));
        let request = r#"{"globalTableName":"orders","replicationGroup":[{"regionName":"us-east-1"}]}"#;
        let resources = dynamodb("CreateGlobalTable", request).map(|change| change.resources);
        assert_eq!(resources, Some(vec![ORDERS.to_owned(), replica]));
    }

    #[test]
    fn a_table_made_from_a_copy_has_no_policy() {
        let import = r#"{"tableCreationParameters":{"tableName":"orders"}}"#;
        for (name, request) in [
            ("RestoreTableFromBackup", r#"{"targetTableName":"orders"}"#),
            ("RestoreTableToPointInTime", r#"{"targetTableName":"orders","sourceTableName":"old"}"#),
            ("ImportTable", import),
            ("ImportTable", "null"),
        ] {
            assert_eq!(shows(name, request), Some(Shows::UnguardedTable), "{name}");
        }
        let change = dynamodb("ImportTable", import).map(|change| (change.what, change.resources));
        assert_eq!(change, Some(("table `orders` imported".into(), vec![ORDERS.to_owned()])));
        assert_eq!(shows("CreateTable", r#"{"tableName":"orders"}"#), Some(Shows::Nothing));
    }

    #[test]
    fn a_policy_is_read_for_replication() {
        let put = |policy: &str| {
            let policy = serde_json::Value::from(policy);
            shows("PutResourcePolicy", &format!(r#"{{"resourceArn":"{ORDERS}","policy":{policy}}}"#))
        };
        let grant = |action: &str| {
            format!(
                r#"{{"Statement":{{"Effect":"Allow","Action":"dynamodb:{action}","Resource":"*",
                "Principal":{{"Service":"replication.dynamodb.amazonaws.com"}}}}}}"#
            )
        };
        assert_eq!(put(&grant("ReadDataForReplication")), Some(Shows::ExternalGrant));
        assert_eq!(put(&grant("GetItem")), Some(Shows::Nothing));
        assert_eq!(put("no JSON"), Some(Shows::Unreadable));
        assert_eq!(put(""), Some(Shows::Unreadable));
        assert_eq!(shows("PutResourcePolicy", "null"), Some(Shows::Unreadable));
        let policy = serde_json::Value::from(grant("WriteDataForReplication"));
        let request = format!(r#"{{"tableName":"orders","resourcePolicy":{policy}}}"#);
        assert_eq!(shows("CreateTable", &request), Some(Shows::ExternalGrant));
    }

    #[test]
    fn a_policy_is_read_for_strangers() {
        let what = |name: &str, account: &str| {
            let policy = format!(
                r#"{{"Statement":{{"Effect":"Allow","Action":"dynamodb:GetItem","Resource":"*",
                "Principal":{{"AWS":"{account}"}}}}}}"#
            );
            let policy = serde_json::Value::from(policy);
            let request = format!(
                r#"{{"tableName":"orders","resourceArn":"{ORDERS}","policy":{policy},"resourcePolicy":{policy}}}"#
            );
            dynamodb(name, &request).map(|change| (change.what, change.shows))
        };
        let put = format!("resource policy put on `{ORDERS}`");
        let stranger = format!("{put}, which lets `777788889999` in");
        assert_eq!(what("PutResourcePolicy", "777788889999"), Some((stranger, Shows::ExternalGrant)));
        let everybody = format!("{put}, which lets everybody in");
        assert_eq!(what("PutResourcePolicy", "*"), Some((everybody, Shows::ExternalGrant)));
        for ours in ["111122223333", "222233334444"] {
            assert_eq!(what("PutResourcePolicy", ours), Some((put.clone(), Shows::Nothing)));
        }
        let created = what("CreateTable", "777788889999").map(|(_, shows)| shows);
        assert_eq!(created, Some(Shows::ExternalGrant));
    }

    #[test]
    fn a_replica_of_another_accounts_table_is_an_external_grant() {
        let request = r#"{"tableName":"orders",
            "globalTableSourceArn":"arn:aws:dynamodb:us-east-1:777788889999:table/orders"}"#;
        assert_eq!(shows("CreateTable", request), Some(Shows::ExternalGrant));
        assert_eq!(shows("CreateTable", "null"), Some(Shows::Unreadable));
    }

    #[test]
    fn the_responses_arn_counts_before_one_that_is_built() {
        let table = |request: &str, arn: &str| {
            let response = format!(r#"{{"tableDescription":{{"tableArn":"{arn}"}}}}"#);
            let sample = Sample::new("dynamodb.amazonaws.com", "CreateTable").request(request);
            sample.response(&response).change().map(|change| change.resources)
        };
        let request = r#"{"tableName":"orders"}"#;
        let elsewhere = "arn:aws-new:dynamodb:eu-west-1:444455556666:table/orders";
        assert_eq!(table(request, elsewhere), Some(vec![elsewhere.to_owned()]));
        assert_eq!(table("null", elsewhere), Some(vec![elsewhere.to_owned()]));
        for other in [
            "arn:aws:dynamodb:eu-west-1:444455556666:table/others",
            "arn:aws:s3:eu-west-1:444455556666:table/orders",
            "arn:aws:dynamodb:eu-west-1:444455556666:index/orders",
            "orders",
        ] {
            assert_eq!(table(request, other), Some(vec![ORDERS.to_owned()]), "{other}");
        }
    }

    #[test]
    fn tags_streams_and_policies_name_their_table() {
        for (name, request) in [
            ("TagResource", format!(r#"{{"resourceArn":"{ORDERS}","tags":[]}}"#)),
            ("DeleteResourcePolicy", format!(r#"{{"resourceArn":"{ORDERS}"}}"#)),
            ("DisableKinesisStreamingDestination", r#"{"tableName":"orders"}"#.to_owned()),
            ("CreateTable", format!(r#"{{"tableName":"{ORDERS}"}}"#)),
        ] {
            let change = dynamodb(name, &request).map(|change| (change.resources, change.shows));
            assert_eq!(change, Some((vec![ORDERS.to_owned()], Shows::Nothing)), "{name}");
        }
    }

    #[test]
    fn more_is_a_change_to_our_own_table() {
        let own = Own { table: Some(ORDERS), ..Own::default() };
        let change = |name: &str, request: &str| {
            let sample = Sample::new("dynamodb.amazonaws.com", name).request(request);
            sample.change_for(&own, &[]).map(|change| change.shows)
        };
        for name in
            ["UpdateTable", "DeleteTable", "UpdateTimeToLive", "UpdateContinuousBackups", "TagResource"]
        {
            let request = format!(r#"{{"tableName":"orders","resourceArn":"{ORDERS}"}}"#);
            assert_eq!(change(name, &request), Some(Shows::ProductChanged), "{name}");
        }
        assert_eq!(change("DeleteTable", "null"), Some(Shows::Unreadable));
        assert_eq!(change("DeleteTable", "{}"), None);
        let stream = format!(r#"{{"resourceArn":"{ORDERS}/stream/2026","policy":"{{}}"}}"#);
        assert_eq!(change("PutResourcePolicy", &stream), Some(Shows::ProductChanged));
        let other = r#"{"tableName":"orders-2"}"#;
        for name in ["UpdateTable", "DeleteTable", "UpdateTimeToLive"] {
            assert_eq!(change(name, other), None, "{name}");
        }
        assert_eq!(change("PutItem", r#"{"tableName":"orders"}"#), None);
        // Copied from, it stays what it is.
        let copy = format!(r#"{{"targetTableName":"copy","sourceTableArn":"{ORDERS}"}}"#);
        assert_eq!(change("RestoreTableToPointInTime", &copy), Some(Shows::UnguardedTable));
    }
}

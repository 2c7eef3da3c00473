//! DynamoDB's calls, by what they reach for.
//!
//! Only to tell what a record leaves open: any event of DynamoDB is judged, whatever its name.
//!
//! Source: DynamoDB developer guide, "Logging DynamoDB operations by using AWS CloudTrail"; DynamoDB
//! API reference; `service-2.json` of botocore 1.44.5.

/// Calls that read or write items and are nothing else besides.
#[inline]
pub fn is_item_access(name: &[u8]) -> bool {
    matches!(
        name,
        b"GetItem"
            | b"BatchGetItem"
            | b"Query"
            | b"Scan"
            | b"PutItem"
            | b"UpdateItem"
            | b"DeleteItem"
            | b"BatchWriteItem"
            | b"TransactGetItems"
            | b"TransactWriteItems"
            | b"ExecuteStatement"
            | b"BatchExecuteStatement"
            | b"ExecuteTransaction"
            | b"SearchVectors"
            | b"GetRecords"
            | b"GetShardIterator"
    )
}

/// Calls that leave the items alone, or move whole tables: what CloudTrail records as management.
pub fn is_management(name: &str) -> bool {
    const STARTS: [&str; 2] = ["Describe", "List"];
    const NAMES: [&str; 30] = [
        "AssociateTableReplica",
        "CreateBackup",
        "CreateGlobalTable",
        "CreateTable",
        "CreateTableReplica",
        "DeleteBackup",
        "DeleteResourcePolicy",
        "DeleteTable",
        "DeleteTableReplica",
        "DisableKinesisStreamingDestination",
        "EnableKinesisStreamingDestination",
        "ExportTableToPointInTime",
        "GetResourcePolicy",
        "ImportTable",
        "PurchaseReservedCapacityOfferings",
        "PutResourcePolicy",
        "RestoreTableFromAwsBackup",
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
        "StartAwsBackupJob",
        "TagResource",
        "UntagResource",
        "UpdateContinuousBackups",
        "UpdateContributorInsights",
        "UpdateGlobalTable",
        "UpdateGlobalTableSettings",
        "UpdateKinesisStreamingDestination",
        "UpdateTable",
        "UpdateTableReplicaAutoScaling",
        "UpdateTimeToLive",
    ];
    STARTS.iter().any(|start| name.starts_with(start)) || NAMES.contains(&name)
}

/// Does the call reach for a whole table at once, out of DynamoDB?
pub fn is_bulk_export(name: &str) -> bool {
    name == "ExportTableToPointInTime"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_of_one_kind_at_most() {
        for name in ["GetItem", "UpdateItem", "SearchVectors", "GetRecords", "ExecuteStatement"] {
            assert!(is_item_access(name.as_bytes()) && !is_management(name), "{name}");
        }
        for name in ["UpdateTable", "CreateBackup", "ListTables", "DescribeStream", "UpdateTimeToLive"] {
            assert!(is_management(name) && !is_item_access(name.as_bytes()), "{name}");
        }
        for name in ["ReadTablesWhole", "StartBulkPutItems", "getitem", ""] {
            assert!(!is_management(name) && !is_item_access(name.as_bytes()), "{name}");
        }
    }
}

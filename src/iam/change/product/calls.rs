//! The calls that change a resource of the product's.

use super::super::{Kind, Needs};

pub(super) fn kind(service: &str, name: &str) -> Option<Kind> {
    let what = match service {
        "cloudtrail" => trail_phrase(name),
        "events" => rule_phrase(name),
        "lambda" => function_phrase(call_of(name)),
        "kms" => key_phrase(name),
        "sqs" => queue_phrase(name),
        "sns" => topic_phrase(name),
        "s3" => bucket_phrase(name),
        // What else becomes of a schedule is told as what gives it a role.
        "scheduler" => (name == "DeleteSchedule").then_some("schedule {name} deleted"),
        _ => None,
    };
    Some((Needs::Nothing, what?))
}

fn trail_phrase(name: &str) -> Option<&'static str> {
    Some(match name {
        "StopLogging" => "trail {name} stopped",
        "DeleteTrail" => "trail {name} deleted",
        "UpdateTrail" => "trail {name|trailARN} changed",
        "PutEventSelectors" => "event selectors of trail {trailName|trailARN} replaced",
        "PutInsightSelectors" => {
            "insight selectors of {trailName|eventDataStore|trailARN|eventDataStoreArn} replaced"
        }
        "PutEventConfiguration" => {
            "event configuration of {trailName|eventDataStore|trailARN|eventDataStoreArn} replaced"
        }
        "UpdateEventDataStore" => "event data store {eventDataStore} changed",
        "StopEventDataStoreIngestion" => "event data store {eventDataStore} stopped",
        "DeleteEventDataStore" => "event data store {eventDataStore} deleted",
        "PutResourcePolicy" => "resource policy put on {resourceArn}",
        "DeleteResourcePolicy" => "resource policy of {resourceArn} deleted",
        _ => return None,
    })
}

fn rule_phrase(name: &str) -> Option<&'static str> {
    Some(match name {
        "DisableRule" => "rule {name} disabled",
        "DeleteRule" => "rule {name} deleted",
        "PutRule" => "rule {name|ruleArn} replaced",
        "PutTargets" => "targets of rule {rule} replaced",
        "RemoveTargets" => "targets of rule {rule} removed",
        "PutPermission" => "permission to put events on a bus given",
        "RemovePermission" => "permission to put events on a bus withdrawn",
        "UpdateEventBus" => "event bus {name} changed",
        "DeleteEventBus" => "event bus {name} deleted",
        "UpdateArchive" => "archive {archiveName} changed",
        "DeleteArchive" => "archive {archiveName} deleted",
        _ => return None,
    })
}

fn function_phrase(call: &str) -> Option<&'static str> {
    Some(match call {
        "CreateFunction" => "function {functionName} created",
        "UpdateFunctionCode" => "code of function {functionName} replaced",
        "UpdateFunctionConfiguration" => "configuration of function {functionName} changed",
        "DeleteFunction" => "function {functionName} deleted",
        "AddPermission" => "permission to call function {functionName} given",
        "RemovePermission" => "permission to call function {functionName} withdrawn",
        "PutResourcePolicy" => "resource policy put on {resourceArn}",
        "DeleteResourcePolicy" => "resource policy of {resourceArn} deleted",
        "PutFunctionConcurrency" => "concurrency of function {functionName} set",
        "DeleteFunctionConcurrency" => "concurrency of function {functionName} no longer set",
        "PutFunctionEventInvokeConfig"
        | "UpdateFunctionEventInvokeConfig"
        | "DeleteFunctionEventInvokeConfig" => "retries and destinations of function {functionName} changed",
        "PutFunctionCodeSigningConfig" | "DeleteFunctionCodeSigningConfig" => {
            "code signing of function {functionName} changed"
        }
        "PutFunctionRecursionConfig" | "PutFunctionScalingConfig" | "PutRuntimeManagementConfig" => {
            "running of function {functionName} changed"
        }
        "CreateFunctionUrlConfig" => "public address given to function {functionName}",
        "UpdateFunctionUrlConfig" => "public address of function {functionName} changed",
        "DeleteFunctionUrlConfig" => "public address of function {functionName} deleted",
        "CreateAlias" | "UpdateAlias" | "DeleteAlias" => "alias {name} of function {functionName} changed",
        "CreateEventSourceMapping" => "event source given to function {functionName}",
        "UpdateEventSourceMapping" => "event source of function {functionName|functionArn} changed",
        "DeleteEventSourceMapping" => "event source of function {functionName|functionArn} deleted",
        _ => return None,
    })
}

fn key_phrase(name: &str) -> Option<&'static str> {
    Some(match name {
        "DisableKey" => "key {keyId} disabled",
        "ScheduleKeyDeletion" => "key {keyId} to be deleted",
        "PutKeyPolicy" => "policy of key {keyId} replaced",
        "DeleteImportedKeyMaterial" => "material of key {keyId} deleted",
        "RevokeGrant" => "grant on key {keyId} revoked",
        "UpdatePrimaryRegion" => "primary region of key {keyId} changed",
        "UpdateAlias" => "alias {aliasName} led to another key",
        "DeleteAlias" => "alias {aliasName} deleted",
        _ => return None,
    })
}

fn queue_phrase(name: &str) -> Option<&'static str> {
    Some(match name {
        "DeleteQueue" => "queue {queueUrl} deleted",
        "PurgeQueue" => "queue {queueUrl} emptied",
        "SetQueueAttributes" => "attributes of queue {queueUrl} changed",
        "AddPermission" => "permission on queue {queueUrl} given",
        "RemovePermission" => "permission on queue {queueUrl} withdrawn",
        _ => return None,
    })
}

fn topic_phrase(name: &str) -> Option<&'static str> {
    Some(match name {
        "DeleteTopic" => "topic {topicArn} deleted",
        "SetTopicAttributes" => "attributes of topic {topicArn} changed",
        "PutDataProtectionPolicy" => "data protection policy of topic {resourceArn} replaced",
        "AddPermission" => "permission on topic {topicArn} given",
        "RemovePermission" => "permission on topic {topicArn} withdrawn",
        "Subscribe" => "{endpoint} subscribed to topic {topicArn}",
        "Unsubscribe" => "subscription {subscriptionArn} ended",
        "SetSubscriptionAttributes" => "attributes of subscription {subscriptionArn} changed",
        _ => return None,
    })
}

fn bucket_phrase(name: &str) -> Option<&'static str> {
    Some(match name {
        "DeleteBucket" => "bucket {bucketName} deleted",
        "PutBucketPolicy" => "policy of bucket {bucketName} replaced",
        "DeleteBucketPolicy" => "policy of bucket {bucketName} deleted",
        "PutBucketAcl" => "access list of bucket {bucketName} replaced",
        "PutBucketOwnershipControls" | "DeleteBucketOwnershipControls" => {
            "ownership of objects in bucket {bucketName} changed"
        }
        "PutBucketPublicAccessBlock" => "public access block of bucket {bucketName} replaced",
        "DeleteBucketPublicAccessBlock" => "public access block of bucket {bucketName} removed",
        "PutBucketLifecycle" | "PutBucketLifecycleConfiguration" => {
            "lifecycle of bucket {bucketName} replaced"
        }
        "DeleteBucketLifecycle" => "lifecycle of bucket {bucketName} deleted",
        "PutBucketVersioning" => "versioning of bucket {bucketName} changed",
        "PutBucketObjectLockConfiguration" => "object lock of bucket {bucketName} changed",
        "PutBucketNotification" | "PutBucketNotificationConfiguration" => {
            "notifications of bucket {bucketName} replaced"
        }
        "PutBucketEncryption" | "DeleteBucketEncryption" => "encryption of bucket {bucketName} changed",
        "PutBucketReplication" | "DeleteBucketReplication" => "replication of bucket {bucketName} changed",
        "PutBucketLogging" => "access log of bucket {bucketName} changed",
        _ => return None,
    })
}

/// The call, without the API version that Lambda's event names end in: `UpdateFunctionCode` of
/// `UpdateFunctionCode20150331v2`.
pub(super) fn call_of(name: &str) -> &str {
    let stem = name.trim_end_matches(|char: char| char.is_ascii_digit());
    let unversioned =
        stem.strip_suffix('v').map(|rest| rest.trim_end_matches(|char: char| char.is_ascii_digit()));
    match unversioned {
        Some(call) if stem.len() < name.len() && call.len() + 9 == stem.len() => call,
        _ if stem.len() + 8 == name.len() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::call_of;

    #[test]
    fn api_versions_are_no_part_of_a_call() {
        for (name, call) in [
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("CreateFunction20150331", "CreateFunction"),
            ("PutFunctionConcurrency20171031", "PutFunctionConcurrency"),
            ("UpdateFunctionUrlConfig", "UpdateFunctionUrlConfig"),
            ("Invoke2", "Invoke2"),
            ("v2", "v2"),
            ("", ""),
        ] {
            assert_eq!(call_of(name), call);
        }
    }
}

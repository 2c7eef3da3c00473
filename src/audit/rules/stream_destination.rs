//! A table whose changes begin to flow somewhere else.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "stream-destination",
    severity: Severity::Medium,
    subject: Subject::Change,
    title: "Item changes sent to a stream",
    what: "A table whose item changes begin to flow out of it: \
        `EnableKinesisStreamingDestination` and `UpdateKinesisStreamingDestination`, a stream \
        switched on by `CreateTable` or `UpdateTable`, and what is set up to read one: a pipe \
        of EventBridge, or an event source mapping of a Lambda function. Not for tables of \
        exempt accounts. An export is `bulk-export`.\n\n\
        Cannot see: the changes themselves: DynamoDB writes them to Kinesis under its own \
        service-linked role, and no data event of the table tells of it; who reads from the \
        Kinesis stream; a pipe whose record does not name its source; replicas in other \
        regions, which are a change without this rule.",
    why: "From that call on every new item and every change leaves the table, and the guards \
        of the table do not go with it: to read the Kinesis stream takes `kinesis:GetRecords`, \
        from any network, and no right on the table at all. An intruder who may do this once \
        need never call DynamoDB again. A stream of new and old images likewise holds whole \
        items for 24 hours under a policy of its own.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "EnableKinesisStreamingDestination",
  "awsRegion": "eu-west-1",
  "requestParameters": {
    "tableName": "orders",
    "streamArn": "arn:aws:kinesis:eu-west-1:111122223333:stream/orders-changes"
  },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "If nobody ordered it, end it, and find out who has read the stream:\n\n\
        \x20   aws dynamodb disable-kinesis-streaming-destination --table-name TABLE \\\n\
        \x20       --stream-arn STREAM_ARN\n\n\
        If it is meant, guard the Kinesis stream like the table: a resource policy or SCP on \
        `aws:SourceVpc`, and an interface endpoint for its readers.\n\n\
        Deny `dynamodb:EnableKinesisStreamingDestination` to all but the pipeline, and give \
        streams their own resource policy.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 CM-3",
        "NIST.800-53.r5 SC-7(10)",
        "PCI.DSS.v4.0 1.2.4",
        "SOC2 CC6.7",
        "ISO.27001:2022 A.8.12",
    ],
};

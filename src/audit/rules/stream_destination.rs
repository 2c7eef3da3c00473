//! A table whose changes begin to flow somewhere else.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "stream-destination",
    severity: Severity::Medium,
    subject: Subject::NotYet,
    title: "Item changes sent to a stream",
    what: "Not raised by this version: the name is fixed, so that perimeter.toml may already \
        speak of it. Once changes are judged by proof, it will find a table whose item changes \
        begin to flow out of it: `EnableKinesisStreamingDestination`, a stream switched on or \
        its view widened by `UpdateTable`, a replica in another region or account.\n\n\
        Cannot see: the changes themselves: DynamoDB writes them to Kinesis under its own \
        service-linked role, and no data event of the table tells of it; who reads from the \
        Kinesis stream.",
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

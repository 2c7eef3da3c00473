//! A read-only management call from outside.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "metadata-outside",
    severity: Severity::Low,
    subject: Subject::Call,
    title: "Table metadata read from outside",
    what: "A read-only management call from outside the perimeter: `ListTables`, \
        `DescribeTable`, `GetResourcePolicy`, `ListTagsOfResource` and their like. No item is \
        read.\n\n\
        Cannot see: `DescribeEndpoints`, which is ignored, since on the public endpoint \
        DynamoDB answers it without authorisation; where records come through EventBridge, any \
        such call at all, unless the rule's state is \
        `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`. The log files in S3 have them.",
    why: "Names, key schemas, tags, backups and policies are the map: an intruder reads them \
        before the items, and `GetResourcePolicy` says which VPCs and which roles the table \
        trusts. Most findings are a pipeline that plans infrastructure from a runner outside \
        the VPC. Either way it shows that the credential reaches the account from outside, and \
        that only its permissions keep it from the items.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "DescribeTable",
  "awsRegion": "eu-west-1",
  "readOnly": true,
  "managementEvent": true,
  "sourceIPAddress": "203.0.113.25",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/planner" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Run the pipeline on runners inside an approved VPC. Where that is not wanted, \
        write a `[[suppress]]` entry for this rule and that one role, with an end, or set the \
        rule's severity under `[rules]`.\n\n\
        To deny such calls use an SCP: a table's resource policy is not consulted for \
        `ListTables`, `DescribeLimits` and other calls that concern no single table.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 AC-4",
        "PCI.DSS.v4.0 7.3.1",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.3",
    ],
};

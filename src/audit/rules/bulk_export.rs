//! A call that copies a whole table out.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "bulk-export",
    severity: Severity::High,
    subject: Subject::Call,
    title: "Whole table copied out",
    what: "A call that copies a whole table in one stroke, as `ExportTableToPointInTime` does, \
        into an S3 bucket of any account. From inside the perimeter it is info: the order came \
        by an approved way, and the copy leaves all the same.\n\n\
        Cannot see: what becomes of the copy; how many items it holds; a patient loop of Scan \
        calls, which is item access like any other.",
    why: "An export leaves no GetItem, Query or Scan in the log and takes no read capacity, so \
        nothing slows it and no throttle gives it away. Whoever holds \
        `dynamodb:ExportTableToPointInTime`, and the right to write to a bucket of their own \
        (`s3BucketOwner`), takes the table as it stood at any second of the recovery window, \
        which may be 35 days, with what has been deleted since. In the bucket neither the \
        table's policy nor the VPC guards it any more.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "ExportTableToPointInTime",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/analytics" }
    }
  },
  "requestParameters": {
    "tableArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
    "s3Bucket": "a-bucket-elsewhere",
    "s3BucketOwner": "555566667777"
  },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "See where the copy went, and who owns that bucket:\n\n\
        \x20   aws dynamodb list-exports \\\n\
        \x20       --table-arn arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE\n\
        \x20   aws dynamodb describe-export --export-arn EXPORT_ARN\n\n\
        There is no call that cancels an export. If the bucket is yours, delete the objects \
        and all their versions; if it is not, treat every item as disclosed.\n\n\
        Deny `dynamodb:ExportTableToPointInTime` to all but one export role, and deny \
        `s3:PutObject` where `aws:ResourceOrgID` is not yours: the export writes with its \
        caller's permissions.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 SC-7(10)",
        "PCI.DSS.v4.0 7.2.6",
        "SOC2 CC6.7",
        "ISO.27001:2022 A.8.12",
    ],
};

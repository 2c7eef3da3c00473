//! A call whose outcome or origin its record does not tell.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "undetermined",
    severity: Severity::Medium,
    subject: Subject::Call,
    title: "Call that could not be judged",
    what: "A call to DynamoDB whose outcome or origin cannot be told from its record: an error \
        that may come before authorisation or after it (throttling, validation), a source that \
        is neither an address nor a service, a field that stands in the record twice with \
        different values, or the owner's copy of a cross-account call whose other half has not \
        been read. It is reported, and never counted as inside.\n\n\
        Cannot see: what would settle it, until the other half, an addendum or a fuller \
        inventory brings it; the record is then judged again.",
    why: "A tool that drops what it cannot read prints a clean report for just the calls that \
        an intruder would like it to miss. Many findings of this kind mean that the audit is \
        blind somewhere: a trail that does not cover the callers' accounts, a feed that cuts \
        records short, or a shape of record that the tool does not know yet.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "errorCode": "ThrottlingException",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/app/checkout" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Read the finding's reason; it names the field that decides:\n\n\
        \x20   perimeter findings show FINDING_ID\n\n\
        For a cross-account call scan the caller's account as well, from an organization trail \
        if you have one. For an error, look for calls of the same principal that succeeded \
        about that time. If one shape keeps coming back, report it with the record's \
        identifiers taken out.",
    controls: &[
        "NIST.800-53.r5 AU-3",
        "NIST.800-53.r5 AU-6",
        "NIST.800-53.r5 SI-4",
        "PCI.DSS.v4.0 10.4.1",
        "SOC2 CC7.2",
        "ISO.27001:2022 A.8.16",
    ],
};

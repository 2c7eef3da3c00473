//! A call from a private address that no endpoint accounts for.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "private-unattributed",
    severity: Severity::High,
    subject: Subject::Call,
    title: "Private address without a VPC endpoint",
    what: "An authorised call whose source address is private (RFC 1918, 100.64.0.0/10, \
        loopback, link-local, fc00::/7) and whose record names no VPC endpoint. It is judged \
        to be outside: a private address by itself says nothing about whose network it is.\n\n\
        Cannot see: which network the address belongs to, since every VPC there is may use the \
        same ranges; the endpoint, if a later addendum adds it: the record is then judged \
        again.",
    why: "To take 10.0.0.0/8 for inside is the classic hole, because an intruder's own VPC has \
        addresses in it too. CloudTrail gives a private address together with the endpoint \
        that carried the call; one without the other is a record that has lost a field on its \
        way, a path through a network of AWS that is not named, or a record that somebody \
        wrote by hand.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "PutItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "10.0.12.34",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/app/checkout" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Find the record in the trail's own log file in S3, and let CloudTrail's integrity \
        chain say whether that file is as it was delivered:\n\n\
        \x20   aws cloudtrail validate-logs --trail-arn TRAIL_ARN --start-time START\n\n\
        If a pipeline of yours drops `vpcEndpointId` (a subscription or an export that selects \
        fields), mend it or scan the original files. If the original lacks it too, find the \
        workload by its principal and treat the finding as `public-access`.\n\n\
        In policies never let in by private range alone: `aws:VpcSourceIp` counts only \
        together with `aws:SourceVpc` or `aws:SourceVpce`.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 AU-3",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.4.4",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.20",
    ],
};

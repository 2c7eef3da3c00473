//! A change after which the audit sees less.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "logging-weakened",
    severity: Severity::Critical,
    subject: Subject::Change,
    title: "Audit trail stopped or narrowed",
    what: "A change to the trail that this audit lives on, as `[product]` names it, after \
        which less may be recorded: `StopLogging`, `DeleteTrail`, `UpdateTrail`, or \
        `PutEventSelectors`. Whether less is recorded in fact is not looked into: such a \
        change is rare, and somebody should know of each.\n\n\
        Cannot see: what was called while nothing was recorded; changes to a trail that \
        `[product]` does not list; a bucket policy or a KMS key that keeps the files from \
        being delivered.",
    why: "The perimeter may hold and nobody could say so any more. To stop the trail, or \
        merely to narrow its selectors until item reads are no longer logged, is what an \
        intruder does before reading the tables, and the second looks like saving money. \
        EventBridge falls silent with the trail, since without one it has no CloudTrail events \
        to deliver.",
    example: r#"{
  "eventSource": "cloudtrail.amazonaws.com",
  "eventName": "StopLogging",
  "awsRegion": "eu-west-1",
  "requestParameters": {
    "name": "arn:aws:cloudtrail:eu-west-1:999988887777:trail/organization"
  },
  "recipientAccountId": "999988887777"
}"#,
    remedy: "Start it again and see what it records:\n\n\
        \x20   aws cloudtrail start-logging --name TRAIL_ARN\n\
        \x20   aws cloudtrail get-event-selectors --trail-name TRAIL_ARN\n\n\
        Fix the hours of the gap; within it the tables' consumed capacity in CloudWatch is a \
        hint at reads, and no proof. `aws cloudtrail validate-logs` shows which files are missing.\n\n\
        Use an organization trail, which member accounts cannot stop, with log file \
        validation. In the management account, which no SCP binds, give the four calls to one \
        role only. Let an alarm watch for silence.",
    controls: &[
        "NIST.800-53.r5 AU-9",
        "NIST.800-53.r5 AU-12",
        "PCI.DSS.v4.0 10.2.1.6",
        "PCI.DSS.v4.0 10.7.2",
        "CIS.AWS.v3.0 3.1",
        "CIS.AWS.v3.0 4.5",
        "SOC2 CC7.2",
        "ISO.27001:2022 A.8.15",
    ],
};

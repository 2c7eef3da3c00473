//! A change to this product's own resources.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "product-changed",
    severity: Severity::Critical,
    subject: Subject::Change,
    title: "The auditor's own resources changed",
    what: "A change to a resource that `[product]` lists as this product's own: the function's \
        code or configuration, the rule that feeds it, its queue, its roles, or the policy of \
        the table that holds the findings.\n\n\
        Cannot see: changes to resources that `[product]` does not list; whether a deployment \
        was approved; changes made while the function that would report them is already \
        replaced.",
    why: "An auditor that an intruder can edit is worse than none, because people believe it. \
        One upload of code makes the function judge everything to be inside; a disabled rule, \
        a removed target or a filter on the queue starves it with every dashboard green; \
        whoever writes to the findings' table closes the finding about themselves.",
    example: r#"{
  "eventSource": "events.amazonaws.com",
  "eventName": "DisableRule",
  "awsRegion": "eu-west-1",
  "requestParameters": { "name": "perimeter-dynamodb" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Compare with your deployments. If it was none of them, deploy the last good \
        version again, and judge the time since from the trail's log files, on another \
        machine:\n\n\
        \x20   aws cloudtrail validate-logs --trail-arn TRAIL_ARN --start-time START\n\
        \x20   perimeter scan s3://BUCKET/AWSLogs/ --since START --store none\n\n\
        Keep the product in an account of its own, let only its pipeline change it, and have \
        one copy of these findings go to somebody who cannot.\n\n\
        A deployment that is meant gives this finding too: note it beside the change.",
    controls: &[
        "NIST.800-53.r5 AU-9",
        "NIST.800-53.r5 CM-5",
        "NIST.800-53.r5 SI-7",
        "PCI.DSS.v4.0 10.3.2",
        "PCI.DSS.v4.0 10.7.2",
        "SOC2 CC7.1",
        "ISO.27001:2022 A.8.32",
    ],
};

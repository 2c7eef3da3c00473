//! A call by a break-glass principal while its entry is in force.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "break-glass-use",
    severity: Severity::Info,
    subject: Subject::Call,
    title: "Break-glass access used",
    what: "A call by a principal that a `[[break_glass]]` entry in force covers, from outside \
        the perimeter or from inside. From outside the verdict is `exempt`. All uses of one \
        session are one finding, which tells who opened it, as whom and for how long, by which \
        ticket, what it touched, from where, and until when; one use beyond the grant makes \
        it `break-glass-out-of-window`.\n\n\
        Cannot see: the person behind a shared role, unless the session's name or its source \
        identity tells; whether the ticket was open, or the call served it.",
    why: "The emergency role is the one way round the perimeter that is left open on purpose, \
        and so the best prize there is. A role used on ordinary days is no longer an emergency \
        role but a standing hole, and nobody notices a thief among the daily uses. Each use \
        should answer to an incident.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "eventTime": "2026-03-01T00:00:01Z",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/your-emergency-role" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Match the use to its ticket, by its times and tables:\n\n\
        \x20   perimeter findings show FINDING_ID\n\n\
        If nobody answers for it, revoke the role's sessions and treat the items as disclosed.\n\n\
        Keep the entry narrow: `tables`, `from` and `until`, `unique_ids`. In the role's trust \
        policy ask for MFA and for `sts:SourceIdentity`, so that the record names a person.",
    controls: &[
        "NIST.800-53.r5 AC-2(2)",
        "NIST.800-53.r5 AC-6(9)",
        "PCI.DSS.v4.0 8.2.2",
        "PCI.DSS.v4.0 10.2.1.2",
        "SOC2 CC6.3",
        "ISO.27001:2022 A.8.2",
    ],
};

//! A call by a break-glass principal before or after its window.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "break-glass-out-of-window",
    severity: Severity::High,
    subject: Subject::Call,
    title: "Break-glass access outside its window",
    what: "A call by a principal that a `[[break_glass]]` entry names, before the entry's \
        `from`, at its `until` or later, to a table that its `tables` leave out, or in a session \
        that began longer ago than its `max_session`. The entry does not excuse the call, which \
        is judged by where it came from; the finding comes from inside too. Also a session that \
        is opened for longer than `max_session`, before any use. All uses of one session are one \
        finding, which tells its whole story.\n\n\
        Cannot see: a window that the entry does not set; whether somebody extended the \
        emergency in words and not in the file.",
    why: "The window stands in perimeter.toml, but an SCP that carves the role out by \
        `aws:PrincipalArn` has no end of its own: after the emergency the role goes on passing \
        the perimeter until somebody takes it out. Sessions handed out during the incident, \
        and laptops that still hold them, are just what an intruder finds months later.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "Scan",
  "eventTime": "2027-01-02T09:30:00Z",
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
    remedy: "End the access: revoke the role's sessions, and let nobody assume it until the \
        next emergency:\n\n\
        \x20   aws iam update-assume-role-policy --role-name ROLE \\\n\
        \x20       --policy-document file://nobody.json\n\n\
        If the emergency goes on, extend `until` by a reviewed change.\n\n\
        Put the window into the policies too, so that AWS enforces it: let the carve-out hold \
        only while `aws:CurrentTime` lies between the two dates.",
    controls: &[
        "NIST.800-53.r5 AC-2(2)",
        "NIST.800-53.r5 AC-2(3)",
        "PCI.DSS.v4.0 8.2.2",
        "SOC2 CC6.3",
        "ISO.27001:2022 A.5.18",
    ],
};

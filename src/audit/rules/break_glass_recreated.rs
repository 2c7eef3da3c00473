//! A call by a role that was made again under a break-glass name.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "break-glass-recreated",
    severity: Severity::Critical,
    subject: Subject::Call,
    title: "Break-glass role is not the one approved",
    what: "A call by a principal whose ARN a `[[break_glass]]` entry names, while its unique \
        id (the part of `principalId` before the colon) is not among the entry's `unique_ids`: \
        the role or user was deleted and made again. The entry does not excuse the call, which \
        is judged by where it came from; the finding comes from inside too.\n\n\
        Cannot see: entries without `unique_ids`; the making of the role, which \
        `break-glass-name` reports.",
    why: "Policies know a role by its ARN alone. Whoever may delete and create roles in one \
        matching account makes an emergency role of their own, with a trust policy of their \
        own, and every carve-out for that ARN lets it through. The unique id is the one thing \
        about a role that cannot be made again.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "eventTime": "2026-03-01T00:00:01Z",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "userIdentity": {
    "type": "AssumedRole",
    "principalId": "AROAMADEAGAINEXAMPLE1:alice",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/pinned-emergency-role" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "See when the role came into being and what id it has now, and then who made it:\n\n\
        \x20   aws iam get-role --role-name ROLE --query 'Role.[RoleId,CreateDate]'\n\
        \x20   aws cloudtrail lookup-events --region us-east-1 \\\n\
        \x20       --lookup-attributes AttributeKey=ResourceName,AttributeValue=ROLE\n\n\
        If it was your own deployment, put the new id into `unique_ids` by a reviewed change. \
        If not, delete the role and treat whatever it touched as disclosed.\n\n\
        In an SCP deny `iam:CreateRole`, `iam:DeleteRole` and `iam:UpdateAssumeRolePolicy` on \
        that ARN to all but the pipeline that owns it.",
    controls: &[
        "NIST.800-53.r5 AC-2",
        "NIST.800-53.r5 IA-4",
        "PCI.DSS.v4.0 8.2.4",
        "SOC2 CC6.2",
        "ISO.27001:2022 A.5.16",
    ],
};

//! A role or user that comes to bear a break-glass name.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "break-glass-name",
    severity: Severity::Critical,
    subject: Subject::Change,
    title: "New principal under a break-glass name",
    what: "A role or user comes to bear an ARN that a `[[break_glass]]` pattern matches. The \
        finding comes when the principal is made, before any call by it.\n\n\
        Cannot see: roles made before the records begin; roles in accounts of exempt \
        environments, for which a wildcard in the pattern does not stand, though one in an SCP \
        may; the name of a role that a template supplies, if the event holds only the \
        template's ARN; whether a pipeline meant it.",
    why: "A carve-out goes by name, so whoever can make a role of that name walks round the \
        perimeter: with `arn:aws:iam::*:role/...` in any account of the organization, the \
        forgotten sandbox included. Where the policy says `StringNotLike` and not \
        `ArnNotLike`, its `*` crosses colons, and a role's path may hold colons: \
        `role/x:role/your-emergency-role` then passes the policy, while no `ArnLike` pattern, \
        and so not this rule, takes it for the emergency role.",
    example: r#"{
  "eventSource": "iam.amazonaws.com",
  "eventName": "CreateRole",
  "awsRegion": "us-east-1",
  "requestParameters": { "path": "/", "roleName": "your-emergency-role" },
  "responseElements": {
    "role": { "arn": "arn:aws:iam::444455556666:role/your-emergency-role" }
  },
  "recipientAccountId": "444455556666"
}"#,
    remedy: "If nobody meant it, delete the role (its policies first) and look into who made \
        it:\n\n\
        \x20   aws iam delete-role --role-name ROLE\n\n\
        In an SCP deny `iam:CreateRole` and `iam:UpdateAssumeRolePolicy` on the pattern to all \
        but the pipeline that owns the role.\n\n\
        Write carve-outs with `ArnNotLike`, name the accounts, and give the entry in \
        perimeter.toml its `unique_ids`.",
    controls: &[
        "NIST.800-53.r5 AC-2(4)",
        "NIST.800-53.r5 AC-6(5)",
        "NIST.800-53.r5 IA-4",
        "PCI.DSS.v4.0 8.2.4",
        "PCI.DSS.v4.0 10.2.1.5",
        "SOC2 CC6.2",
        "ISO.27001:2022 A.5.16",
    ],
};

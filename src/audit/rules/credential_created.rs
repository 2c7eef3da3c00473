//! A lasting credential for a principal that reaches tables.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "credential-created",
    severity: Severity::Medium,
    subject: Subject::NotYet,
    title: "Lasting credential created",
    what: "Not raised by this version: the name is fixed, so that perimeter.toml may already \
        speak of it. Once changes are judged by proof, it will find a lasting credential made \
        or switched on for a principal that can reach the tables: an access key, a console \
        password, a trust anchor of Roles Anywhere, a new identity provider that some role \
        trusts.\n\n\
        Cannot see: where the credential is kept, and who copies it; sessions, which are made \
        by the million and expire.",
    why: "A session expires; an access key works until somebody deletes it, from any place \
        that the policies allow. It is the first thing that an intruder makes so as to stay, \
        and the thing that developers leave in repositories. Behind a perimeter that holds it \
        reads nothing from outside, which is why this is medium; it waits for the day when the \
        perimeter is opened.",
    example: r#"{
  "eventSource": "iam.amazonaws.com",
  "eventName": "CreateAccessKey",
  "awsRegion": "us-east-1",
  "requestParameters": { "userName": "deploy" },
  "responseElements": {
    "accessKey": { "userName": "deploy", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "status": "Active" }
  },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "If nobody ordered it, deactivate it first, see what it was used for, and then \
        delete it:\n\n\
        \x20   aws iam update-access-key --user-name USER --access-key-id KEY_ID \\\n\
        \x20       --status Inactive\n\
        \x20   aws iam get-access-key-last-used --access-key-id KEY_ID\n\n\
        Give workloads roles and people IAM Identity Center, and deny `iam:CreateAccessKey` \
        and `iam:CreateLoginProfile` in an SCP to all but the role that needs them.",
    controls: &[
        "NIST.800-53.r5 AC-2(4)",
        "NIST.800-53.r5 IA-5",
        "PCI.DSS.v4.0 8.2.4",
        "PCI.DSS.v4.0 10.2.1.5",
        "CIS.AWS.v3.0 1.13",
        "SOC2 CC6.1",
        "ISO.27001:2022 A.5.17",
    ],
};

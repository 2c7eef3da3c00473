//! A lasting credential for a principal that reaches tables.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "credential-created",
    severity: Severity::Medium,
    subject: Subject::Change,
    title: "Lasting credential created",
    what: "A lasting credential that is made or switched on: an access key, a console password, a \
        service-specific credential, or a trust anchor or profile of Roles Anywhere, whose \
        revocation lists count too where one is switched off or deleted; and who vouches for \
        identities: a SAML or OIDC provider of IAM, or the external directory of Identity \
        Center, that is made or changed. For a user or role of which a break-glass entry \
        speaks it is `break-glass-trust`. Not in exempt accounts. Signing certificates and \
        keys for SSH are no credentials for DynamoDB, and do not count.\n\n\
        Cannot see: what its principal may reach; where the credential is kept, and who copies \
        it; sessions, which are made by the million and expire; a password that its user \
        changes.",
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

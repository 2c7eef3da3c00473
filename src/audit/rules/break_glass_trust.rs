//! A change after which somebody new can become a break-glass principal, or such a principal may do more.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "break-glass-trust",
    severity: Severity::Critical,
    subject: Subject::Change,
    title: "Break-glass access widened",
    what: "A trust policy of a role that a break-glass entry speaks of, with an `Allow` that the \
        policy before it did not have, or without a `Deny` that it had. The two texts are \
        compared statement by statement: one that says the same in other words counts as more. \
        Where the policy before it is not known, any `Allow` counts. The same where its permissions \
        are widened: by an inline policy with an `Allow`, a managed policy, a user's group, or a \
        boundary that is taken away. That is high, and critical where a break-glass principal \
        does it itself, for then it is in use; of tags only that is told. Also a lasting \
        credential made or switched on for a break-glass user (an access key, a password, a \
        service-specific credential), and a profile of Roles Anywhere made or changed by which \
        certificates get in as a break-glass role. All of it is told from the event's own text; \
        where what stood before is known (`scan --snapshot`), only what is more than that.\n\n\
        Cannot see: whether somebody else's session of the role was open at the time; new \
        versions of its managed policies, and a boundary put in another's place, without a \
        snapshot; under which path a role or user lies whose event has the name alone: where a \
        pattern may speak of it under some path, it counts; changes to the identity provider \
        that the role trusts, or of who may sign in there; a chain of roles through other \
        roles' trust policies.",
    why: "The perimeter is as tight as the trust policy of the role that may pass it. One \
        added line, an account's root as principal, gives the carve-out to everybody whom that \
        account's administrators choose, and no SCP, table policy or endpoint has changed. It \
        is the quietest way to stay in.",
    example: concat!(
        r#"{
  "eventSource": "iam.amazonaws.com",
  "eventName": "UpdateAssumeRolePolicy",
  "awsRegion": "us-east-1",
  "requestParameters": {
    "roleName": "your-emergency-role",
    "policyDocument":
      "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"555566667777\"},"#,
        r#"\"Action\":\"sts:AssumeRole\"}}"
  },
  "recipientAccountId": "111122223333"
}"#
    ),
    remedy: "Compare the trust policy with the approved one and put that back:\n\n\
        \x20   aws iam update-assume-role-policy --role-name ROLE \\\n\
        \x20       --policy-document file://approved-trust.json\n\n\
        Revoke the role's sessions, since those handed out meanwhile stay good until they \
        expire.\n\n\
        Name single roles in the trust policy and never an account; ask for MFA; deny \
        `iam:UpdateAssumeRolePolicy` on the role to all but its pipeline.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 AC-6(5)",
        "NIST.800-53.r5 CM-5",
        "PCI.DSS.v4.0 7.2.1",
        "PCI.DSS.v4.0 10.2.1.5",
        "SOC2 CC6.3",
        "ISO.27001:2022 A.8.2",
    ],
};

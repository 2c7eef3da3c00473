//! A tag that exempts a principal or a table.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "exemption-tag",
    severity: Severity::High,
    subject: Subject::ProvenChange,
    title: "Exempting tag set",
    what: "A tag, set or taken away, by which some policy exempts a principal or a table, while \
        nothing is newly allowed, since the principal has no such permission yet: \
        `dp:exclude:network` put on a role where the SCP excuses roles so tagged, or \
        `dp:include:network` taken from one where it binds only those. Where something is \
        newly allowed it is `perimeter-opened`. Raised only where what stood before is known \
        (`scan --snapshot`).\n\n\
        Cannot see: tags that a session brings along with `sts:TagSession`, which stand in \
        no role; tags set by a service as it makes the resource.",
    why: "Where a policy exempts by `aws:PrincipalTag` or `aws:ResourceTag`, the right to tag \
        is the right to leave the perimeter, and `iam:TagRole` is often given to anybody who \
        pays for the resources. Nothing that an auditor reads has changed: the SCP is the \
        same, the role's policies are the same.",
    example: r#"{
  "eventSource": "iam.amazonaws.com",
  "eventName": "TagRole",
  "awsRegion": "us-east-1",
  "requestParameters": {
    "roleName": "checkout",
    "tags": [{ "key": "dp:exclude:network", "value": "true" }]
  },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Take the tag away, unless a reviewed exemption covers it:\n\n\
        \x20   aws iam untag-role --role-name ROLE --tag-keys TAG_KEY\n\n\
        Deny setting and removing the tag keys that policies use (`aws:TagKeys`) to all but \
        the role that governs exemptions, for `iam:Tag*`, `iam:Untag*`, `iam:CreateRole`, \
        `iam:CreateUser`, `sts:TagSession`, `dynamodb:TagResource` and \
        `dynamodb:UntagResource` alike.\n\n\
        Better, exempt by `aws:PrincipalArn` and not by tag.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 AC-16",
        "NIST.800-53.r5 CM-5",
        "PCI.DSS.v4.0 7.3.1",
        "SOC2 CC6.3",
        "ISO.27001:2022 A.5.15",
    ],
};

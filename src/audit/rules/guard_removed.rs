//! A guard that is gone, with no other in its place.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "guard-removed",
    severity: Severity::Critical,
    subject: Subject::ProvenChange,
    title: "Guard of the perimeter removed",
    what: "A guard taken away after which some request from outside is allowed that was refused \
        before: an SCP or RCP detached or deleted, a policy type disabled, a table's \
        resource policy or a permissions boundary deleted, an account taken out of the \
        organization. Raised only where what stood before is known (`scan --snapshot`).\n\n\
        Cannot see: who agreed to it; guards that were never in the snapshot, whose loss \
        changes nothing that is known. An account moved to a unit with fewer policies is \
        `perimeter-opened`.",
    why: "`DisablePolicyType` detaches every SCP in the organization with one call, and an \
        account moved to another unit leaves its policies behind without any policy having \
        been touched. A table's own policy goes with one `DeleteResourcePolicy`, which root \
        may call even where the policy denies it. After that an identity policy with a plain \
        `Allow` is all that decides.",
    example: r#"{
  "eventSource": "organizations.amazonaws.com",
  "eventName": "DetachPolicy",
  "awsRegion": "us-east-1",
  "requestParameters": { "policyId": "p-0examplescp1", "targetId": "ou-ab12-34cd56ef" },
  "recipientAccountId": "999988887777"
}"#,
    remedy: "Put the guard back before asking why:\n\n\
        \x20   aws organizations attach-policy --policy-id POLICY_ID --target-id TARGET_ID\n\
        \x20   aws dynamodb put-resource-policy --policy file://table-policy.json \\\n\
        \x20       --resource-arn arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE\n\n\
        Then scan the time in between for calls from outside.\n\n\
        Keep at least two guards of different kinds, an SCP and an RCP or table policy, and \
        allow the detaching of policies to one role of the management account alone.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 CM-3",
        "NIST.800-53.r5 CM-5",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.2.2",
        "CIS.AWS.v3.0 4.15",
        "SOC2 CC8.1",
        "ISO.27001:2022 A.8.32",
    ],
};

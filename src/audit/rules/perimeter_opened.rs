//! A change after which a request from outside is allowed.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "perimeter-opened",
    severity: Severity::Critical,
    subject: Subject::ProvenChange,
    title: "Perimeter opened",
    what: "A change after which some request from outside is allowed that was refused before: a \
        policy put on a role, user, group, table or unit of the organization, a version made \
        the default, a tag, a table made without the guard that others have. The finding \
        names such a request, and the statements that let it through. Raised only where what \
        stood before is known (`scan --snapshot`).\n\n\
        Cannot see: policies that are not in the snapshot and in no event behind it; \
        permissions that a service grants by means other than IAM; table policies that let \
        strangers in, which `external-grant` is for. Where a policy's text is not known, or \
        a proof cannot be finished, the change is `change-unreadable`, and not called safe.",
    why: "Policies interact: an SCP with one more exception, a table policy with an `Allow` \
        for the whole account, a role that loses its boundary. Each reads as harmless by \
        itself, and only all of them together say whether a stolen key works from the \
        internet. From the moment the change takes effect it does, whether or not anybody has \
        tried.",
    example: r#"{
  "eventSource": "organizations.amazonaws.com",
  "eventName": "UpdatePolicy",
  "awsRegion": "us-east-1",
  "requestParameters": {
    "policyId": "p-0examplescp1",
    "content":
      "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}"
  },
  "recipientAccountId": "999988887777"
}"#,
    remedy: "Put the former text back: the policy's last good version is in your repository, \
        and in the history of the trail:\n\n\
        \x20   aws organizations update-policy --policy-id POLICY_ID --content file://approved-scp.json\n\n\
        Then find out what came in meanwhile: scan the time from the change to its reversal \
        for `public-access` and `unapproved-vpc`.\n\n\
        Have policies reviewed before they are attached, and let only the pipeline change \
        them.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 CM-3",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.2.2",
        "CIS.AWS.v3.0 4.15",
        "SOC2 CC8.1",
        "ISO.27001:2022 A.8.9",
    ],
};

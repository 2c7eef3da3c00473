//! A change of a guard whose text the record does not hold.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "change-unreadable",
    severity: Severity::High,
    subject: Subject::Change,
    title: "Change that could not be read",
    what: "A change to what guards the perimeter whose record does not hold what was changed: \
        request parameters left out, a policy text that cannot be parsed or that a service has \
        hidden (`HIDDEN_DUE_TO_SECURITY_REASONS`), or that lets in somebody of whom it does not \
        tell whose they are; a session of a role that the record does not name, where it may be \
        a break-glass one.\n\n\
        Cannot see: the change itself: whether it opened the perimeter, tightened it or left \
        it as it was is not to be learnt from the record.",
    why: "CloudTrail leaves out request parameters above 100 KB. IAM takes a policy document \
        of up to 131,072 characters and does not count white space against its quotas, so a \
        policy that opens everything, padded with blanks, passes IAM and arrives in the log \
        without its text. A tool that took an absent text for no change would be blind by \
        order of the intruder.",
    example: r#"{
  "eventSource": "iam.amazonaws.com",
  "eventName": "PutRolePolicy",
  "awsRegion": "us-east-1",
  "userIdentity": { "arn": "arn:aws:sts::111122223333:assumed-role/developer/alice" },
  "requestParameters": null,
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Read the policy as it stands now, from AWS and not from the log:\n\n\
        \x20   aws iam get-role-policy --role-name ROLE --policy-name POLICY\n\
        \x20   aws iam get-policy-version --version-id VERSION \\\n\
        \x20       --policy-arn arn:aws:iam::ACCOUNT:policy/POLICY\n\n\
        If it is sound, note who says so. If it is padded, take it for an attack: put the \
        former text back, and look into who wrote it.",
    controls: &[
        "NIST.800-53.r5 AU-3",
        "NIST.800-53.r5 CM-3",
        "NIST.800-53.r5 SI-4",
        "PCI.DSS.v4.0 10.4.1",
        "CIS.AWS.v3.0 4.4",
        "SOC2 CC7.2",
        "ISO.27001:2022 A.8.16",
    ],
};

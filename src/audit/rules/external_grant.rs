//! A resource policy that lets in principals of unlisted accounts.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "external-grant",
    severity: Severity::Critical,
    subject: Subject::Change,
    title: "Table policy admits an unlisted account",
    what: "A resource policy on a table, set by `PutResourcePolicy` or with the table itself, \
        with an `Allow` of any action for everybody or for an account that perimeter.toml does \
        not list; or with one that lets a replica in another account be made: \
        `dynamodb:ReadDataForReplication` and its kin, for a service, for everybody or for such \
        an account; or a table that is made as a replica of one elsewhere. It is told from the \
        text alone.\n\n\
        Not raised where a condition of the statement holds it, by a positive operator, to an \
        account, the organization, an approved VPC or a listed endpoint of ours; nor where the \
        same policy denies all that is given to everybody but those, AWS services aside. An \
        organization that perimeter.toml does not name is not known as ours. What other \
        conditions leave of a statement needs a proof over all policies together, and until \
        there is one they excuse nothing.\n\n\
        Cannot see: whether an RCP or an endpoint policy refuses the grant all the same, or \
        the other account's own policies; who stands behind a unique id, which is what the \
        name of a deleted role turns into: that is `change-unreadable`.",
    why: "Across accounts the table's policy is the half that you decide, and after this the \
        other half is decided elsewhere. SCPs do not bind the principals of a stranger, so a \
        grant without `aws:SourceVpc` lets the items be read from anywhere. For an intruder it \
        is the lasting way in: one `PutResourcePolicy` in favour of an account of their own \
        outlives every rotation of keys. A replica in another account is a whole copy of the \
        table under another's policies.",
    example: concat!(
        r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "PutResourcePolicy",
  "awsRegion": "eu-west-1",
  "requestParameters": {
    "resourceArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
    "policy":
      "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"555566667777\"},"#,
        r#"\"Action\":\"dynamodb:*\",\"Resource\":\"*\"}}"
  },
  "recipientAccountId": "111122223333"
}"#
    ),
    remedy: "Read the policy as it stands (the change takes effect with a delay) and replace \
        it:\n\n\
        \x20   aws dynamodb get-resource-policy \\\n\
        \x20       --resource-arn arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE\n\
        \x20   aws dynamodb put-resource-policy --policy file://table-policy.json \\\n\
        \x20       --resource-arn arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE\n\n\
        If the sharing is meant, list the account in perimeter.toml, name single roles, and \
        add `aws:SourceVpc` as a condition.\n\n\
        Deny `dynamodb:PutResourcePolicy` to all but the pipeline, and attach an RCP that \
        denies `dynamodb:*` where `aws:PrincipalOrgID` is not yours.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 AC-21",
        "PCI.DSS.v4.0 7.2.5",
        "CIS.AWS.v3.0 1.20",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.5.14",
    ],
};

//! A call by a principal of an account that the perimeter does not list.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "external-principal",
    severity: Severity::Critical,
    subject: Subject::Call,
    title: "Access by a principal of an unlisted account",
    what: "An authorised call to one of your tables, from outside the perimeter, by a \
        principal of an account that perimeter.toml does not list. Only a resource policy on \
        the table or the stream can have let it in.\n\n\
        Cannot see: the role or user, where only the owner's copy of the event is at hand: it \
        names the account and a principal id; what the caller then did with the items.",
    why: "Your SCPs and permissions boundaries bind your own principals and nobody else's: of \
        all that guards the perimeter only the table's policy and an RCP stand in a stranger's \
        way. The usual history is a policy written for a partner or a vendor, with the \
        account's root as principal and no condition: any role in that account may then read \
        the table from anywhere, and its administrators, not yours, decide which.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.77",
  "userIdentity": {
    "type": "AWSAccount",
    "principalId": "AROAFOREIGNEXAMPLE001:etl",
    "accountId": "555566667777"
  },
  "resources": [
    {
      "type": "AWS::DynamoDB::Table",
      "ARN": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
      "accountId": "111122223333"
    }
  ],
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Read what the table allows, and take the grant out if nobody answers for it:\n\n\
        \x20   aws dynamodb get-resource-policy \\\n\
        \x20       --resource-arn arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE\n\n\
        If the sharing is meant, have the partner assume a role of yours from inside an \
        approved VPC, or name single roles and add `aws:SourceVpc` as a condition.\n\n\
        Attach an RCP that denies `dynamodb:*` unless `aws:PrincipalOrgID` is yours (excepting \
        AWS services by `aws:PrincipalIsAWSService`), so that no table policy can grant it \
        again.",
    controls: &[
        "NIST.800-53.r5 AC-3",
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 AC-20",
        "PCI.DSS.v4.0 7.2.5",
        "CIS.AWS.v3.0 1.20",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.5.19",
    ],
};

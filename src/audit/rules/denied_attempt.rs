//! A call that was refused.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "denied-attempt",
    severity: Severity::Info,
    subject: Subject::Call,
    title: "Refused call",
    what: "A call that was refused (`AccessDenied`, `AccessDeniedException`, or a \
        `VpceAccessDenied` network activity event), or a change to what guards the perimeter \
        that was refused. Refusals are grouped by principal, table and origin.\n\n\
        Cannot see: refusals by an endpoint's policy, unless a trail logs network activity \
        events for DynamoDB; whether a refused call across accounts reached the owner's trail \
        as well as the caller's.",
    why: "This is the perimeter at work, and often the first trace of somebody who looks for a \
        gap: a stolen key is tried before it is used. One principal refused on many tables, or \
        from an address never seen, is worth a look even though nothing was read. Refusals \
        also show a workload that a tightened policy has broken.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "203.0.113.25",
  "errorCode": "AccessDeniedException",
  "userIdentity": {
    "type": "IAMUser",
    "arn": "arn:aws:iam::111122223333:user/deploy",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE"
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "A steady trickle from your own workload: mend its route to the endpoint, or take \
        from its role what it does not need. A burst over many tables: treat the credential as \
        suspect, and list its other management calls:\n\n\
        \x20   aws cloudtrail lookup-events --region REGION \\\n\
        \x20       --lookup-attributes AttributeKey=AccessKeyId,AttributeValue=KEY_ID\n\n\
        Where `errorMessage` names the kind of policy that refused, it tells which of the \
        guards held.",
    controls: &[
        "NIST.800-53.r5 AU-6",
        "NIST.800-53.r5 SI-4",
        "PCI.DSS.v4.0 10.2.1.4",
        "CIS.AWS.v3.0 4.1",
        "SOC2 CC7.2",
        "ISO.27001:2022 A.8.16",
    ],
};

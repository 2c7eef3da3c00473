//! A call through an endpoint that no inventory lists.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "unknown-endpoint",
    severity: Severity::Medium,
    subject: Subject::Call,
    title: "Access through an unknown VPC endpoint",
    what: "A call through a VPC endpoint that is in no inventory, and whose recorded owner is \
        one of yours, or absent, or contradicts the inventory. The verdict is `undetermined`, \
        never `inside`.\n\n\
        Cannot see: the endpoint's VPC: no field of a CloudTrail record names one, and a \
        deleted endpoint can no longer be described. Endpoints of AWS itself also appear in \
        customers' records.",
    why: "An endpoint id proves nothing by itself; an intruder's endpoint has one too. Most \
        often the endpoint was deleted before the inventory was taken, or lives in a region or \
        an account that nobody described. Counting it as inside on the strength of the field's \
        presence would let in everybody who owns an endpoint, so it stays open until somebody \
        can tell.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "10.0.3.20",
  "vpcEndpointId": "vpce-0c0ffee0c0ffee001",
  "vpcEndpointAccountId": "111122223333",
  "userIdentity": {
    "type": "AssumedRole",
    "sessionContext": {
      "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/app/checkout" }
    }
  },
  "requestParameters": { "tableName": "orders" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Describe it in its owner's account and region, and give the output to \
        `--endpoints`:\n\n\
        \x20   aws ec2 describe-vpc-endpoints --region REGION \\\n\
        \x20       --vpc-endpoint-ids VPC_ENDPOINT_ID\n\n\
        If it is gone, look for its creation, which names the VPC; a scan that meets that \
        event learns it by itself:\n\n\
        \x20   aws cloudtrail lookup-events --region REGION \\\n\
        \x20       --lookup-attributes AttributeKey=ResourceName,AttributeValue=VPC_ENDPOINT_ID\n\n\
        Or write an `[[endpoint]]` entry. An endpoint never changes its VPC, so the entry \
        stays true, and the open findings are judged again.",
    controls: &[
        "NIST.800-53.r5 CM-8",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.2.3",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.5.9",
    ],
};

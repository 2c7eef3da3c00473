//! A call through an approved endpoint from beyond its VPC.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "transit",
    severity: Severity::Low,
    subject: Subject::Call,
    title: "Transit through an approved endpoint",
    what: "A call through an approved endpoint from an address outside the VPC's `cidrs` and \
        outside every `[[transit]]` range: it entered the VPC from elsewhere, by peering, a \
        transit gateway, a VPN or Direct Connect. The call is inside and flagged; `transit = \
        \"deny\"` makes it outside, and `transit = \"allow\"` accepts it without a finding.\n\n\
        Cannot see: which network the address belongs to; a caller whose address was \
        translated on the way into one of the VPC's own.",
    why: "`aws:SourceVpc` is the VPC of the endpoint and not that of the caller. Every network \
        with a route to an interface endpoint therefore has the standing of the approved VPC: \
        a peering made for one service, or a partner's site on the same transit gateway, reads \
        production tables as though it were production. Gateway endpoints serve their own VPC \
        alone, so this finding means an interface endpoint, or `cidrs` that lag behind the \
        VPC.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "Query",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "172.16.4.7",
  "vpcEndpointId": "vpce-0a1b2c3d4e5f60002",
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
    remedy: "If the network is meant to come this way, give it a `[[transit]]` entry with a \
        note; if the VPC has gained a range, bring its `cidrs` up to date. Otherwise let the \
        endpoint's security group admit the VPC's ranges alone:\n\n\
        \x20   aws ec2 modify-vpc-endpoint --vpc-endpoint-id VPC_ENDPOINT_ID \\\n\
        \x20       --add-security-group-ids NARROW_GROUP_ID \\\n\
        \x20       --remove-security-group-ids WIDE_GROUP_ID\n\n\
        In policies add `aws:VpcSourceIp` beside `aws:SourceVpc`. Once no finding is left, set \
        `transit = \"deny\"`.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 AC-17(3)",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.3.1",
        "CIS.AWS.v3.0 5.5",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.22",
    ],
};

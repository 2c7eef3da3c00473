//! An approved endpoint whose policy lets more through.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "endpoint-opened",
    severity: Severity::High,
    subject: Subject::ProvenChange,
    title: "Endpoint policy opened",
    what: "An endpoint in an approved VPC that is made with the default policy, which allows \
        everything to everybody, or is set back to that; or whose policy has an `Allow` that \
        the one before it did not have, or lacks a `Deny` that it had. The two texts are \
        compared statement by statement. Raised only where what stood before is known (`scan \
        --snapshot`).\n\n\
        Cannot see: which hosts can reach the endpoint, which is a matter of routes and \
        security groups; what the endpoint then carries to tables of other organizations, \
        unless network activity events are logged.",
    why: "Everything that comes through the endpoint counts as inside, so its policy says who \
        may be inside. Opened, it admits a stranger's credentials brought into the VPC, and \
        carries your items to a stranger's table: a `PutItem` into another organization is \
        then an ordinary call through an approved endpoint, which no guard on your own tables \
        can see. `ModifyVpcEndpoint` with `ResetPolicy` does it in one call, without any \
        policy text in the event.",
    example: r#"{
  "eventSource": "ec2.amazonaws.com",
  "eventName": "ModifyVpcEndpoint",
  "awsRegion": "eu-west-1",
  "requestParameters": {
    "ModifyVpcEndpointRequest": {
      "VpcEndpointId": "vpce-0a1b2c3d4e5f60001",
      "ResetPolicy": true
    }
  },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Put the policy back:\n\n\
        \x20   aws ec2 modify-vpc-endpoint --vpc-endpoint-id VPC_ENDPOINT_ID \\\n\
        \x20       --policy-document file://endpoint-policy.json\n\n\
        Allow in it only your principals (`aws:PrincipalOrgID`) on your resources \
        (`aws:ResourceOrgID`); keep `dynamodb:DescribeEndpoints` allowed, which clients call.\n\n\
        Log network activity events for DynamoDB, so that what the endpoint refuses is seen.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 CM-3",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.2.2",
        "CIS.AWS.v3.0 4.14",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.21",
    ],
};

//! A call through an endpoint of a VPC that is known and not approved.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "unapproved-vpc",
    severity: Severity::High,
    subject: Subject::Call,
    title: "Access from a VPC that is not approved",
    what: "An authorised call through an endpoint that the inventory places in a VPC which \
        perimeter.toml does not approve. A VPC is compared by id, region and owner together, \
        since an id may occur in more than one region.\n\n\
        Cannot see: where in that VPC, or behind it, the call began: an interface endpoint can \
        be reached from peered networks and from on premises.",
    why: "A sandbox or a default VPC of your own organization has the same kind of endpoint \
        and none of the controls: an open internet gateway, a shared bastion, nobody who \
        reviews its routes. From a foothold there production items leave by a path that nobody \
        filters. Policies that check only `aws:VpceOrgID`, `aws:VpceAccount` or \
        `aws:PrincipalOrgID` approve all such VPCs at once.",
    example: r#"{
  "eventSource": "dynamodb.amazonaws.com",
  "eventName": "GetItem",
  "awsRegion": "eu-west-1",
  "sourceIPAddress": "172.31.4.7",
  "vpcEndpointId": "vpce-0fffffffffffff001",
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
    remedy: "If the VPC should be inside, review its routes, peerings and endpoint policy \
        first, and then add it as `[[vpc]]` with region, account and cidrs. If not, move the \
        workload, and let the endpoint there reach only the tables that belong there:\n\n\
        \x20   aws ec2 modify-vpc-endpoint --vpc-endpoint-id VPC_ENDPOINT_ID \\\n\
        \x20       --policy-document file://endpoint-policy.json\n\n\
        Name the approved VPC ids in the SCP or the table's policy, with `aws:RequestedRegion` \
        beside them, and scan again to see that no such call follows.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 SC-7",
        "NIST.800-53.r5 SC-7(21)",
        "PCI.DSS.v4.0 1.3.1",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.22",
    ],
};

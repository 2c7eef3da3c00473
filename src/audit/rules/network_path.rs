//! A change of network by which others reach an approved endpoint.

use crate::audit::rule::{Rule, Severity, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "network-path",
    severity: Severity::Medium,
    subject: Subject::Change,
    title: "New network path to an approved VPC",
    what: "A change of routes, gateways, peerings, transit gateways, VPNs, Direct Connect, Cloud \
        WAN or shares of a network, by which others may reach an approved VPC, or its traffic \
        may leave for the public endpoint of DynamoDB; also subnets or security groups added \
        to an approved endpoint, and a new interface endpoint for DynamoDB in an approved VPC. \
        Where the event names VPCs, one of them must be approved, by id, region and owner. \
        Many events name none (a route names its table): they count in an account and region \
        with an approved VPC. What leads to a transit gateway, a VPN, Direct Connect or a core \
        network counts in an account with an approved VPC, whichever VPC it names. What only \
        closes a path, such as a deletion or a black hole, is a change without a finding, and \
        so is a path of an exempt account.\n\n\
        Cannot see: whether the path leads to an endpoint at all; a deleted route whose \
        traffic goes by a broader one from then on; a network account that owns the transit \
        gateway and no approved VPC; security groups and network ACLs, which may stop the path \
        or be opened; routing inside an appliance; what happens on premises.",
    why: "A policy sees the VPC of the endpoint, not that of the caller. A peering accepted \
        for something else, together with an interface endpoint, gives the whole peered \
        network the standing of the approved VPC, with no policy changed. In the other \
        direction a default route to a NAT gateway takes calls past the endpoint: they fail \
        where the perimeter is enforced, and leave in the open where it is not.",
    example: r#"{
  "eventSource": "ec2.amazonaws.com",
  "eventName": "AcceptVpcPeeringConnection",
  "awsRegion": "eu-west-1",
  "requestParameters": { "vpcPeeringConnectionId": "pcx-0a1b2c3d4e5f60001" },
  "recipientAccountId": "111122223333"
}"#,
    remedy: "Ask whether the network on the other side should count as inside. If not, remove \
        the route or the peering:\n\n\
        \x20   aws ec2 delete-vpc-peering-connection --vpc-peering-connection-id PEERING_ID\n\n\
        If it should, give its ranges a `[[transit]]` entry, and let the endpoint's security \
        group admit those alone.\n\n\
        Prefer gateway endpoints, which serve their own VPC only, and bind interface endpoints \
        by `aws:VpcSourceIp` beside `aws:SourceVpc`.",
    controls: &[
        "NIST.800-53.r5 AC-4",
        "NIST.800-53.r5 CA-3",
        "NIST.800-53.r5 SC-7",
        "PCI.DSS.v4.0 1.2.2",
        "CIS.AWS.v3.0 4.12",
        "CIS.AWS.v3.0 4.13",
        "SOC2 CC6.6",
        "ISO.27001:2022 A.8.22",
    ],
};

//! EC2: endpoints, routes, and the links through which others reach an endpoint.
//!
//! EC2 names what it touches by ids, in a different place in each call, so every id in the
//! parameters is taken, and those of the response. An id is given the record's account: in a shared
//! VPC that is the caller's, not the owner's.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::event::{Event, lookup, quoted};
use super::{Draft, Kind, Needs, Ours, Shows, path};

/// The ids that a phrase names.
const MAX_SHOWN: usize = 6;

/// Is an EC2 event a change?
pub(super) fn is_change(name: &str) -> bool {
    kind(name).is_some()
}

fn kind(name: &str) -> Option<Kind> {
    use Needs::{Nothing, Parameters};
    Some(match name {
        // Endpoints. Both calls may bring a policy.
        "CreateVpcEndpoint" => (Parameters, "endpoint for {serviceName} created"),
        "ModifyVpcEndpoint" => (Parameters, "endpoint changed"),
        "DeleteVpcEndpoints" => (Nothing, "endpoints deleted"),
        "AcceptVpcEndpointConnections" => (Nothing, "endpoint connections accepted"),
        "RejectVpcEndpointConnections" => (Nothing, "endpoint connections rejected"),
        // Routes, and gateways to the public path.
        "CreateRoute" => {
            (Nothing, "route to {destinationCidrBlock|destinationIpv6CidrBlock|destinationPrefixListId} made")
        }
        "ReplaceRoute" => (
            Nothing,
            "route to {destinationCidrBlock|destinationIpv6CidrBlock|destinationPrefixListId} replaced",
        ),
        "DeleteRoute" => (
            Nothing,
            "route to {destinationCidrBlock|destinationIpv6CidrBlock|destinationPrefixListId} deleted",
        ),
        "AssociateRouteTable" => (Nothing, "route table associated"),
        "ReplaceRouteTableAssociation" => (Nothing, "route table replaced by another"),
        "DisassociateRouteTable" => (Nothing, "route table {associationId} disassociated"),
        "EnableVgwRoutePropagation" => (Nothing, "routes of a VPN gateway propagated"),
        "EnableRouteServerPropagation" => (Nothing, "routes of a route server propagated"),
        "AttachInternetGateway" => (Nothing, "internet gateway attached"),
        "CreateNatGateway" => (Nothing, "NAT gateway created"),
        "CreateEgressOnlyInternetGateway" => (Nothing, "egress-only internet gateway created"),
        "CreateCarrierGateway" => (Nothing, "carrier gateway created"),
        // Links between networks.
        "CreateVpcPeeringConnection" => (Nothing, "VPC peering asked for"),
        "AcceptVpcPeeringConnection" => (Nothing, "VPC peering accepted"),
        "ModifyVpcPeeringConnectionOptions" => (Nothing, "options of a VPC peering changed"),
        "CreateTransitGatewayVpcAttachment" => (Nothing, "VPC attached to a transit gateway"),
        "ModifyTransitGatewayVpcAttachment" => (Nothing, "attachment of a VPC to a transit gateway changed"),
        "AcceptTransitGatewayVpcAttachment" => (Nothing, "attachment of a VPC to a transit gateway accepted"),
        "CreateTransitGatewayPeeringAttachment" => (Nothing, "transit gateway peering asked for"),
        "ModifyTransitGatewayPeeringAttachment" => (Nothing, "transit gateway peering changed"),
        "AcceptTransitGatewayPeeringAttachment" => (Nothing, "transit gateway peering accepted"),
        "AcceptTransitGatewayClientVpnAttachment" => (Nothing, "client VPN attached to a transit gateway"),
        "CreateTransitGatewayConnect" => (Nothing, "appliance attached to a transit gateway"),
        "CreateTransitGatewayRoute" => (Nothing, "transit gateway route to {destinationCidrBlock} made"),
        "ReplaceTransitGatewayRoute" => (Nothing, "transit gateway route to {destinationCidrBlock} replaced"),
        "DeleteTransitGatewayRoute" => (Nothing, "transit gateway route to {destinationCidrBlock} deleted"),
        "ModifyManagedPrefixList" => (Nothing, "addresses of a prefix list changed"),
        "RestoreManagedPrefixListVersion" => (Nothing, "addresses of a prefix list put back"),
        "CreateTransitGatewayPrefixListReference" => {
            (Nothing, "transit gateway routes to a prefix list made")
        }
        "ModifyTransitGatewayPrefixListReference" => {
            (Nothing, "transit gateway routes to a prefix list changed")
        }
        "AssociateTransitGatewayRouteTable" => (Nothing, "transit gateway route table associated"),
        "EnableTransitGatewayRouteTablePropagation" => (Nothing, "routes propagated in a transit gateway"),
        "AttachVpnGateway" => (Nothing, "VPN gateway attached"),
        "CreateVpnConnection" => (Nothing, "VPN connection created"),
        "ModifyVpnConnection" => (Nothing, "VPN connection changed"),
        "ModifyVpnConnectionOptions" => (Nothing, "options of a VPN connection changed"),
        "CreateVpnConnectionRoute" => (Nothing, "route to {destinationCidrBlock} over a VPN connection made"),
        "CreateClientVpnEndpoint" => (Nothing, "client VPN created"),
        "ModifyClientVpnEndpoint" => (Nothing, "client VPN changed"),
        "AssociateClientVpnTargetNetwork" => (Nothing, "client VPN led into a subnet"),
        "CreateClientVpnRoute" => (Nothing, "client VPN route to {destinationCidrBlock} made"),
        "AuthorizeClientVpnIngress" => (Nothing, "client VPN let into {targetNetworkCidr}"),
        // What runs there, as whom.
        "AssociateIamInstanceProfile" => (Nothing, "instance given a profile with a role"),
        "ReplaceIamInstanceProfileAssociation" => (Nothing, "instance given another profile with a role"),
        // What is reachable from the internet, and over which addresses.
        "ModifyVpcBlockPublicAccessOptions" => {
            (Nothing, "block of public access set to {internetGatewayBlockMode}")
        }
        "CreateVpcBlockPublicAccessExclusion" => (Nothing, "exclusion from the block of public access made"),
        "ModifyVpcBlockPublicAccessExclusion" => {
            (Nothing, "exclusion from the block of public access changed")
        }
        "DeleteVpcBlockPublicAccessExclusion" => {
            (Nothing, "exclusion from the block of public access deleted")
        }
        "ModifySubnetAttribute" => (Nothing, "attribute of a subnet changed"),
        "AssociateSubnetCidrBlock" => (Nothing, "addresses {ipv6CidrBlock} given to a subnet"),
        "AssociateVpcCidrBlock" => (Nothing, "addresses {cidrBlock|ipv6CidrBlock} given to a VPC"),
        _ => return None,
    })
}

/// Reads an EC2 event. An endpoint for another service than DynamoDB is no change.
pub(super) fn change(event: &Event<'_>, ours: &dyn Ours) -> Option<Draft> {
    let kind = kind(event.name)?;
    let request = event.request();
    if event.name == "CreateVpcEndpoint" && leads_elsewhere(event) {
        return None;
    }
    let mut draft = Draft::new(event, kind);
    if event.name == "ModifyVpcEndpoint" {
        if request.is_true("resetPolicy") {
            draft.what = "endpoint policy reset to full access".to_owned();
        } else if request.carries("policyDocument") {
            draft.what = "endpoint policy replaced".to_owned();
        }
    }
    if draft.shows == Shows::Nothing && path::opens("ec2", event, ours) {
        draft.shows = Shows::NetworkPath;
    }
    let mut ids = Ids::default();
    ids.read_all(&request.fields);
    if let Some(peer) = request.text("peerVpcId") {
        let account = request.text("peerOwnerId").or_else(|| event.account.as_deref().map(Into::into));
        let region = request.text("peerRegion").or_else(|| event.region.as_deref().map(Into::into));
        if let (Some(account), Some(region)) = (account, region) {
            draft.mention(Some(event.arn_of("ec2", &region, &account, &format!("vpc/{peer}"))));
        }
    }
    draft.mention(request.find("iamInstanceProfile").and_then(|profile| profile_arn(event, profile)));
    ids.read_all(&event.response().fields);
    for id in &ids.found {
        draft.target(resource_of(id).and_then(|resource| event.arn("ec2", &resource)));
    }
    if !ids.found.is_empty() {
        let shown: Vec<String> = ids.found.iter().take(MAX_SHOWN).map(|id| quoted(id)).collect();
        let more = if ids.found.len() > MAX_SHOWN { ", …" } else { "" };
        draft.what.push_str(&format!(" ({}{more})", shown.join(", ")));
    }
    Some(draft)
}

/// The instance profile of this name or ARN.
fn profile_arn(event: &Event<'_>, profile: &Value) -> Option<String> {
    let profile = profile.as_object()?;
    let named = lookup(profile, "arn").or_else(|| lookup(profile, "name"))?.as_str()?;
    event.iam_arn("instance-profile", "", named)
}

/// Is the new endpoint one for another service, or for none, as those of VPC Lattice are?
fn leads_elsewhere(event: &Event<'_>) -> bool {
    let request = event.request();
    match request.text("serviceName") {
        Some(service) => !is_dynamodb(&service),
        None => matches!(request.text("vpcEndpointType").as_deref(), Some("Resource" | "ServiceNetwork")),
    }
}

/// Is this DynamoDB's service name, as `com.amazonaws.eu-west-1.dynamodb`, or its streams'?
fn is_dynamodb(service: &str) -> bool {
    service.rsplit('.').next().is_some_and(|last| last.starts_with("dynamodb"))
}

/// Ids of EC2 resources.
#[derive(Default)]
struct Ids<'v> {
    found: BTreeSet<&'v str>,
}

impl<'v> Ids<'v> {
    fn read_all(&mut self, fields: &'v Map<String, Value>) {
        for (key, value) in fields {
            // Free text, and what `change` gives its own account.
            let is_text =
                ["TagSpecification", "TagSpecifications", "TagSpecificationSet", "TagSet", "ClientToken"]
                    .iter()
                    .chain(&["Description", "PolicyDocument", "PeerVpcId", "RequestId"])
                    .any(|text| key.eq_ignore_ascii_case(text));
            if !is_text {
                self.read(value);
            }
        }
    }

    fn read(&mut self, value: &'v Value) {
        match value {
            Value::String(id) if resource_of(id).is_some() => {
                self.found.insert(id);
            }
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            Value::Object(fields) => self.read_all(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// The resource part of the ARN that an id stands for.
fn resource_of(id: &str) -> Option<String> {
    const KINDS: [(&str, &str); 18] = [
        ("vpce-", "vpc-endpoint"),
        ("vpcbpa-exclude-", "vpc-block-public-access-exclusion"),
        ("vpc-", "vpc"),
        ("rtb-", "route-table"),
        ("subnet-", "subnet"),
        ("i-", "instance"),
        ("igw-", "internet-gateway"),
        ("eigw-", "egress-only-internet-gateway"),
        ("cagw-", "carrier-gateway"),
        ("nat-", "natgateway"),
        ("pcx-", "vpc-peering-connection"),
        ("tgw-attach-", "transit-gateway-attachment"),
        ("tgw-rtb-", "transit-gateway-route-table"),
        ("tgw-", "transit-gateway"),
        ("vgw-", "vpn-gateway"),
        ("vpn-", "vpn-connection"),
        ("cvpn-endpoint-", "client-vpn-endpoint"),
        ("pl-", "prefix-list"),
    ];
    KINDS.iter().find_map(|(prefix, kind)| {
        let digits = id.strip_prefix(prefix)?;
        let is_id =
            !digits.is_empty() && digits.len() <= 32 && digits.bytes().all(|b| b.is_ascii_alphanumeric());
        is_id.then(|| format!("{kind}/{id}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, change_of};
    use super::super::{Change, Own, Shows};

    fn ec2(name: &str, request: &str) -> Option<Change> {
        change_of("ec2.amazonaws.com", name, request)
    }

    fn arn(resource: &str) -> String {
        format!("arn:aws:ec2:eu-west-1:111122223333:{resource}")
    }

    #[test]
    fn an_endpoint_is_read_wrapped_or_plain() {
        let response = r#"{"CreateVpcEndpointResponse":{"vpcEndpoint":{"vpcEndpointId":"vpce-0a"}}}"#;
        for request in [
            r#"{"CreateVpcEndpointRequest":{"VpcId":"vpc-1","ServiceName":"com.amazonaws.eu-west-1.dynamodb",
                "RouteTableId":{"tag":1,"content":"rtb-2"},
                "TagSpecification":{"tag":1,"Tag":{"Key":"n","Value":"vpc-9"}}}}"#,
            r#"{"vpcId":"vpc-1","serviceName":"com.amazonaws.eu-west-1.dynamodb","routeTableIds":["rtb-2"]}"#,
        ] {
            let sample = Sample::new("ec2.amazonaws.com", "CreateVpcEndpoint");
            let change = sample.request(request).response(response).change();
            let change = change.map(|change| (change.resources, change.shows));
            let resources = vec![arn("route-table/rtb-2"), arn("vpc-endpoint/vpce-0a"), arn("vpc/vpc-1")];
            assert_eq!(change, Some((resources, Shows::Nothing)), "{request}");
        }
    }

    #[test]
    fn endpoints_for_other_services_are_no_change() {
        let create = |service: &str| {
            ec2("CreateVpcEndpoint", &format!(r#"{{"vpcId":"vpc-1","serviceName":"{service}"}}"#))
        };
        assert!(create("com.amazonaws.eu-west-1.dynamodb-streams").is_some());
        assert_eq!(create("com.amazonaws.eu-west-1.s3"), None);
        assert!(ec2("CreateVpcEndpoint", r#"{"vpcId":"vpc-1"}"#).is_some());
        let of_type = |kind: &str| {
            ec2("CreateVpcEndpoint", &format!(r#"{{"vpcId":"vpc-1","vpcEndpointType":"{kind}"}}"#))
        };
        assert_eq!(of_type("ServiceNetwork"), None);
        assert!(of_type("Gateway").is_some());
    }

    #[test]
    fn an_instance_may_be_given_a_role() {
        let request = r#"{"AssociateIamInstanceProfileRequest":{"IamInstanceProfile":{"Name":"reader"},
            "InstanceId":"i-1"}}"#;
        let change = ec2("AssociateIamInstanceProfile", request);
        let profile = "arn:aws:iam::111122223333:instance-profile/reader".to_owned();
        assert_eq!(change.map(|change| change.resources), Some(vec![arn("instance/i-1"), profile]));
        assert_eq!(ec2("DisassociateIamInstanceProfile", request), None);
    }

    #[test]
    fn an_endpoint_policy_that_is_gone_is_unreadable() {
        for (name, request) in [
            ("CreateVpcEndpoint", "null"),
            ("ModifyVpcEndpoint", "null"),
            ("ModifyVpcEndpoint", r#"{"ModifyVpcEndpointRequest":null}"#),
            ("ModifyVpcEndpoint", r#"{"ModifyVpcEndpointRequest":{"omitted":true}}"#),
        ] {
            let shows = ec2(name, request).map(|change| change.shows);
            assert_eq!(shows, Some(Shows::Unreadable), "{name} {request}");
        }
    }

    #[test]
    fn a_changed_endpoint_says_what_became_of_its_policy() {
        let what = |parameter: &str| {
            let request =
                format!(r#"{{"ModifyVpcEndpointRequest":{{"VpcEndpointId":"vpce-0a",{parameter}}}}}"#);
            ec2("ModifyVpcEndpoint", &request).map(|change| change.what).unwrap_or_default()
        };
        assert_eq!(what(r#""ResetPolicy":true"#), "endpoint policy reset to full access (`vpce-0a`)");
        assert_eq!(what(r#""PolicyDocument":"{}""#), "endpoint policy replaced (`vpce-0a`)");
        assert_eq!(what(r#""AddSubnetId":"subnet-1""#), "endpoint changed (`subnet-1`, `vpce-0a`)");
    }

    #[test]
    fn the_other_side_of_a_peering_keeps_its_owner() {
        let request =
            r#"{"vpcId":"vpc-1","peerVpcId":"vpc-2","peerOwnerId":"777788889999","peerRegion":"eu-west-2"}"#;
        let resources = ec2("CreateVpcPeeringConnection", request).map(|change| change.resources);
        let peer = "arn:aws:ec2:eu-west-2:777788889999:vpc/vpc-2".to_owned();
        assert_eq!(resources, Some(vec![arn("vpc/vpc-1"), peer]));
    }

    #[test]
    fn paths_count_and_other_calls_do_not() {
        for name in [
            "DeleteVpcEndpoints",
            "CreateRoute",
            "ReplaceRouteTableAssociation",
            "AttachInternetGateway",
            "CreateNatGateway",
            "AcceptTransitGatewayVpcAttachment",
            "CreateVpnConnection",
            "ModifyVpcBlockPublicAccessOptions",
            "AssociateSubnetCidrBlock",
        ] {
            assert!(ec2(name, "{}").is_some(), "{name}");
        }
        for name in ["DescribeVpcEndpoints", "RunInstances", "CreateTags", "CreateVpc"] {
            assert_eq!(ec2(name, "{}"), None, "{name}");
        }
        let route = ec2(
            "CreateRoute",
            r#"{"routeTableId":"rtb-1","destinationCidrBlock":"0.0.0.0/0","gatewayId":"igw-1"}"#,
        );
        assert_eq!(
            route.map(|change| change.what),
            Some("route to `0.0.0.0/0` made (`igw-1`, `rtb-1`)".into())
        );
    }

    #[test]
    fn our_own_endpoint_is_the_products() {
        let resources = [arn("vpc-endpoint/vpce-0a")];
        let own = Own { resources: &resources, ..Own::default() };
        let shows = |id: &str| {
            let request = format!(
                r#"{{"DeleteVpcEndpointsRequest":{{"VpcEndpointId":{{"tag":1,"content":"{id}"}}}}}}"#
            );
            let sample = Sample::new("ec2.amazonaws.com", "DeleteVpcEndpoints").request(&request);
            sample.change_for(&own, &[]).map(|change| change.shows)
        };
        assert_eq!(shows("vpce-0a"), Some(Shows::ProductChanged));
        assert_eq!(shows("vpce-0b"), Some(Shows::Nothing));
    }
}

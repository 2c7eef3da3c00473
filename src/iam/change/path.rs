//! Does a change of the network open a way to an approved VPC, or out of one to the public path?
//!
//! What only closes a way (a deletion, a rejection, a black hole) opens none. Which VPC it is, few of
//! these events tell: a route names a route table, an accepted peering its own id. So:
//!
//! - where the event names VPCs, those count: by id, region and owner, as far as each is told;
//! - where it names none, it counts in an account and region with an approved VPC;
//! - what leads to a transit gateway, a core network, a VPN or Direct Connect reaches whatever else
//!   hangs there, also in other regions, and that is in no event: it counts in an account with an
//!   approved VPC, whichever VPC it names.

use serde_json::{Map, Value};

use super::Ours;
use super::event::{Event, is_true, lookup};
use crate::ids::Arn;

/// Where a way may lead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Leads {
    /// To the VPCs that the event names; without any, to those of its account and region.
    Here,
    /// To whatever hangs on a hub between networks.
    Onward,
}

/// Does an event of this service open a way to an approved VPC, or out of one?
pub(super) fn opens(service: &str, event: &Event<'_>, ours: &dyn Ours) -> bool {
    if service == "ec2" && event.name == "ModifyVpcEndpoint" {
        return opens_endpoint(event, ours);
    }
    let leads = match service {
        "ec2" => by_ec2(event),
        "ram" => by_share(event),
        "directconnect" => (!event.name.starts_with("Allocate")).then_some(Leads::Onward),
        // A policy of a core network is a draft until it is executed.
        _ => (event.name != "PutCoreNetworkPolicy").then_some(Leads::Onward),
    };
    let Some(leads) = leads else { return false };
    let vpcs = vpcs(event);
    let is_approved = |vpc: &Vpc<'_>| ours.approves_vpc(vpc.account, vpc.region, vpc.id);
    let account = event.account.as_deref();
    vpcs.iter().any(is_approved)
        || match leads {
            Leads::Here => vpcs.is_empty() && ours.owns_vpc(account, event.region.as_deref()),
            Leads::Onward => ours.owns_vpc(account, None),
        }
}

fn by_ec2(event: &Event<'_>) -> Option<Leads> {
    let request = event.request();
    let leads = match event.name {
        // A gateway serves its own VPC alone; an interface, whoever has a route to it.
        "CreateVpcEndpoint" => {
            let kind = request.text("vpcEndpointType")?;
            return kind.eq_ignore_ascii_case("Interface").then_some(Leads::Here);
        }
        "ModifyVpcBlockPublicAccessOptions" => {
            let mode = request.text("internetGatewayBlockMode");
            return (mode.as_deref() != Some("block-bidirectional")).then_some(Leads::Here);
        }
        "ModifySubnetAttribute" => {
            let public = ["mapPublicIpOnLaunch", "assignIpv6AddressOnCreation", "enableDns64"];
            let is_public = request.omitted || public.iter().any(|key| is_switched_on(event, key));
            return is_public.then_some(Leads::Here);
        }
        "ModifyManagedPrefixList" => {
            let adds = request.omitted || ["addEntry", "addEntries"].iter().any(|key| request.carries(key));
            return adds.then_some(Leads::Here);
        }
        "CreateRoute"
        | "ReplaceRoute"
        | "AssociateRouteTable"
        | "ReplaceRouteTableAssociation"
        // The subnet goes by the VPC's main table from then on.
        | "DisassociateRouteTable"
        | "EnableVgwRoutePropagation"
        | "EnableRouteServerPropagation"
        | "RestoreManagedPrefixListVersion"
        | "AttachInternetGateway"
        | "CreateNatGateway"
        | "CreateEgressOnlyInternetGateway"
        | "CreateCarrierGateway"
        | "CreateVpcPeeringConnection"
        | "AcceptVpcPeeringConnection"
        | "ModifyVpcPeeringConnectionOptions"
        | "AcceptVpcEndpointConnections"
        | "CreateVpcBlockPublicAccessExclusion"
        | "ModifyVpcBlockPublicAccessExclusion"
        | "AssociateSubnetCidrBlock" => Leads::Here,
        "CreateTransitGatewayVpcAttachment"
        | "ModifyTransitGatewayVpcAttachment"
        | "AcceptTransitGatewayVpcAttachment"
        | "CreateTransitGatewayPeeringAttachment"
        | "ModifyTransitGatewayPeeringAttachment"
        | "AcceptTransitGatewayPeeringAttachment"
        | "AcceptTransitGatewayClientVpnAttachment"
        | "CreateTransitGatewayConnect"
        | "CreateTransitGatewayRoute"
        | "ReplaceTransitGatewayRoute"
        | "CreateTransitGatewayPrefixListReference"
        | "ModifyTransitGatewayPrefixListReference"
        | "AssociateTransitGatewayRouteTable"
        | "EnableTransitGatewayRouteTablePropagation"
        | "AttachVpnGateway"
        | "CreateVpnConnection"
        | "ModifyVpnConnection"
        | "ModifyVpnConnectionOptions"
        | "CreateVpnConnectionRoute"
        | "CreateClientVpnEndpoint"
        | "ModifyClientVpnEndpoint"
        | "AssociateClientVpnTargetNetwork"
        | "CreateClientVpnRoute"
        | "AuthorizeClientVpnIngress" => Leads::Onward,
        _ => return None,
    };
    (!request.is_true("blackhole")).then_some(leads)
}

/// Is `true` there, or in the object that EC2 puts it in?
fn is_switched_on(event: &Event<'_>, key: &str) -> bool {
    match event.request().get(key) {
        Some(Value::Object(fields)) => lookup(fields, "value").is_some_and(is_true),
        Some(value) => is_true(value),
        None => false,
    }
}

/// A share counts once it has both something that carries traffic, and somebody. What a share that is
/// added to has already, the event does not tell.
fn by_share(event: &Event<'_>) -> Option<Leads> {
    let request = event.request();
    let shared = request.list("resourceArns");
    let is_hub = |arn: &&str| arn.contains(":transit-gateway/") || arn.contains(":core-network/");
    let carries = shared.iter().any(|arn| is_hub(arn) || arn.contains(":subnet/"));
    let counts = request.omitted
        || match event.name {
            "CreateResourceShare" => carries && request.carries("principals"),
            "AssociateResourceShare" => carries || shared.is_empty(),
            // What the other side shares with us leads nowhere until something is attached to it.
            name => name != "AcceptResourceShareInvitation",
        };
    counts.then_some(if shared.iter().any(is_hub) { Leads::Onward } else { Leads::Here })
}

/// Is an endpoint of ours reachable from more subnets, or by more security groups?
fn opens_endpoint(event: &Event<'_>, ours: &dyn Ours) -> bool {
    const ADDED: [&str; 6] = [
        "addSubnetId",
        "addSubnetIds",
        "addSecurityGroupId",
        "addSecurityGroupIds",
        "subnetConfiguration",
        "subnetConfigurations",
    ];
    let request = event.request();
    if !ADDED.iter().any(|key| request.carries(key)) {
        return false;
    }
    match request.text("vpcEndpointId") {
        Some(id) if ours.is_other_endpoint(&id) => false,
        Some(id) if ours.is_endpoint(&id) => true,
        _ => ours.owns_vpc(event.account.as_deref(), event.region.as_deref()),
    }
}

/// A VPC, as far as the event tells which.
struct Vpc<'v> {
    account: Option<&'v str>,
    region: Option<&'v str>,
    id: &'v str,
}

/// The VPCs that an event names.
fn vpcs<'e>(event: &'e Event<'_>) -> Vec<Vpc<'e>> {
    let mut found = Vec::new();
    for params in [event.request(), event.response()] {
        gather(event, &params.fields, false, &mut found);
    }
    found
}

/// `is_side`: the object is one side of a peering, with its owner. Elsewhere the owner of the VPC is
/// told by `vpcOwnerId`, and `ownerId` is that of something in it.
fn gather<'v>(event: &'v Event<'_>, fields: &'v Map<String, Value>, is_side: bool, found: &mut Vec<Vpc<'v>>) {
    let text = |key: &str| lookup(fields, key).and_then(Value::as_str);
    let here = event.region.as_deref();
    if let Some(id) = text("vpcId") {
        let owner = if is_side { text("ownerId") } else { text("vpcOwnerId") };
        found.push(Vpc { account: owner, region: text("region").or(here), id });
    }
    if let Some(id) = text("peerVpcId") {
        let account = text("peerOwnerId").or(event.account.as_deref());
        found.push(Vpc { account, region: text("peerRegion").or(here), id });
    }
    if let Some(arn) = text("vpcArn").and_then(Arn::parse) {
        let id = arn.resource.rsplit('/').next().unwrap_or_default();
        found.push(Vpc { account: Some(arn.account), region: Some(arn.region), id });
    }
    for (key, value) in fields {
        let is_side =
            ["requesterVpcInfo", "accepterVpcInfo"].iter().any(|side| key.eq_ignore_ascii_case(side));
        let items = value.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(value));
        for fields in items.iter().filter_map(Value::as_object) {
            gather(event, fields, is_side, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shows;
    use super::super::sample::Sample;

    const OURS: &str = "vpc-0ours";

    fn sample(service: &str, name: &str, request: &str) -> Sample {
        Sample::new(&format!("{service}.amazonaws.com"), name).request(request)
    }

    fn is_path(sample: &Sample) -> bool {
        let shows = sample.change().map(|change| change.shows);
        assert!(matches!(shows, Some(Shows::Nothing | Shows::NetworkPath)), "{shows:?}");
        shows == Some(Shows::NetworkPath)
    }

    fn ec2(name: &str, request: &str) -> bool {
        is_path(&sample("ec2", name, request))
    }

    #[test]
    fn a_vpc_that_the_event_names_counts_if_it_is_approved() {
        for name in ["AttachInternetGateway", "CreateEgressOnlyInternetGateway", "AssociateRouteTable"] {
            assert!(ec2(name, &format!(r#"{{"vpcId":"{OURS}"}}"#)), "{name}");
            assert!(!ec2(name, r#"{"vpcId":"vpc-0other"}"#), "{name}");
            // Which it is, is not told.
            for untold in ["{}", "null", r#"{"vpcId":7}"#, r#"{"vpcId":{"vpcId":[]}}"#] {
                assert!(ec2(name, untold), "{name} {untold}");
            }
        }
    }

    #[test]
    fn a_vpc_is_known_by_region_too() {
        let request = format!(r#"{{"vpcId":"{OURS}"}}"#);
        let elsewhere = sample("ec2", "AttachInternetGateway", &request).field("awsRegion", "\"eu-west-2\"");
        assert!(!is_path(&elsewhere));
        assert!(!is_path(&sample("ec2", "CreateRoute", "{}").field("awsRegion", "\"eu-west-2\"")));
        assert!(is_path(&sample("ec2", "CreateRoute", "{}").field("awsRegion", "7")));
    }

    #[test]
    fn an_account_without_an_approved_vpc_has_no_way_to_one() {
        let elsewhere = |name: &str, request: &str| {
            sample("ec2", name, request).field("recipientAccountId", "\"222233334444\"")
        };
        for name in ["CreateRoute", "CreateVpnConnection", "CreateTransitGatewayRoute"] {
            assert!(!is_path(&elsewhere(name, "{}")), "{name}");
        }
        // Who shares the VPC names it all the same.
        assert!(is_path(&elsewhere("CreateNatGateway", &format!(r#"{{"vpcId":"{OURS}"}}"#))));
        let untold = elsewhere("CreateRoute", "{}").field("recipientAccountId", "null");
        assert!(is_path(&untold));
    }

    #[test]
    fn either_side_of_a_peering_may_be_ours() {
        let asked = |vpc: &str, peer: &str, owner: &str, region: &str| {
            let request = format!(
                r#"{{"vpcId":"{vpc}","peerVpcId":"{peer}","peerOwnerId":"{owner}","peerRegion":"{region}"}}"#
            );
            ec2("CreateVpcPeeringConnection", &request)
        };
        assert!(asked(OURS, "vpc-1", "777788889999", "us-east-1"));
        assert!(asked("vpc-1", OURS, "111122223333", "eu-west-1"));
        assert!(!asked("vpc-1", OURS, "777788889999", "eu-west-1"));
        assert!(!asked("vpc-1", OURS, "111122223333", "us-east-1"));
    }

    #[test]
    fn an_accepted_peering_is_told_by_its_answer() {
        let accepted = |requester: &str, accepter: &str| {
            let side = |key: &str, (account, vpc): (&str, &str)| {
                format!(r#""{key}":{{"ownerId":"{account}","vpcId":"{vpc}","region":"eu-west-1"}}"#)
            };
            let response = format!(
                r#"{{"vpcPeeringConnection":{{{},{}}}}}"#,
                side("requesterVpcInfo", ("777788889999", requester)),
                side("accepterVpcInfo", ("111122223333", accepter)),
            );
            let request = r#"{"vpcPeeringConnectionId":"pcx-1"}"#;
            is_path(&sample("ec2", "AcceptVpcPeeringConnection", request).response(&response))
        };
        assert!(accepted("vpc-1", OURS));
        assert!(!accepted("vpc-1", "vpc-2"));
        assert!(!accepted(OURS, "vpc-2"), "a stranger's VPC of that id");
        assert!(ec2("AcceptVpcPeeringConnection", r#"{"vpcPeeringConnectionId":"pcx-1"}"#));
    }

    #[test]
    fn what_leads_to_a_hub_reaches_more_than_it_names() {
        for name in ["CreateTransitGatewayVpcAttachment", "AttachVpnGateway", "CreateClientVpnEndpoint"] {
            assert!(ec2(name, r#"{"vpcId":"vpc-0other"}"#), "{name}");
        }
        let far =
            sample("ec2", "CreateTransitGatewayPeeringAttachment", "{}").field("awsRegion", "\"us-east-1\"");
        assert!(is_path(&far));
    }

    #[test]
    fn what_only_closes_a_way_opens_none() {
        for (name, request) in [
            ("DeleteRoute", "{}"),
            ("DeleteTransitGatewayRoute", "{}"),
            ("DeleteVpcEndpoints", "{}"),
            ("RejectVpcEndpointConnections", "{}"),
            ("DeleteVpcBlockPublicAccessExclusion", "{}"),
            ("CreateTransitGatewayRoute", r#"{"blackhole":true}"#),
            ("ModifyVpcBlockPublicAccessOptions", r#"{"internetGatewayBlockMode":"block-bidirectional"}"#),
            ("ModifySubnetAttribute", r#"{"mapPublicIpOnLaunch":{"value":false}}"#),
            ("ModifyManagedPrefixList", r#"{"removeEntry":[{"cidr":"10.0.0.0/8"}]}"#),
            ("AssociateVpcCidrBlock", "{}"),
            ("AssociateIamInstanceProfile", "{}"),
        ] {
            assert!(!ec2(name, request), "{name} {request}");
        }
        for (name, request) in [
            ("CreateTransitGatewayRoute", r#"{"blackhole":false}"#),
            ("ModifyVpcBlockPublicAccessOptions", r#"{"internetGatewayBlockMode":"off"}"#),
            ("ModifySubnetAttribute", r#"{"mapPublicIpOnLaunch":{"value":true}}"#),
            ("ModifyManagedPrefixList", r#"{"addEntry":[{"cidr":"10.0.0.0/8"}]}"#),
        ] {
            assert!(ec2(name, request), "{name} {request}");
        }
    }

    #[test]
    fn an_endpoint_is_reached_by_what_is_added_to_it() {
        let change = |id: &str, what: &str| {
            let request =
                format!(r#"{{"ModifyVpcEndpointRequest":{{"VpcEndpointId":"{id}","{what}":"x-1"}}}}"#);
            ec2("ModifyVpcEndpoint", &request)
        };
        assert!(change("vpce-0a", "AddSecurityGroupId") && change("vpce-0a", "AddSubnetId"));
        assert!(!change("vpce-0a", "RemoveSecurityGroupId") && !change("vpce-0a", "AddRouteTableId"));
        assert!(!change("vpce-0other", "AddSubnetId"));
        assert!(change("vpce-0new", "AddSubnetId"), "of a VPC that is not told");
        let create = |kind: &str, vpc: &str| {
            let request = format!(
                r#"{{"vpcId":"{vpc}","vpcEndpointType":"{kind}","serviceName":"com.amazonaws.eu-west-1.dynamodb"}}"#
            );
            ec2("CreateVpcEndpoint", &request)
        };
        assert!(create("Interface", OURS));
        assert!(!create("Gateway", OURS) && !create("Interface", "vpc-0other"));
    }

    #[test]
    fn a_share_counts_with_something_that_carries_and_somebody() {
        let share = |name: &str, request: &str| is_path(&sample("ram", name, request));
        let of = |kind: &str, who: &str| {
            let arn = format!("arn:aws:ec2:eu-west-1:111122223333:{kind}/x-1");
            share("CreateResourceShare", &format!(r#"{{"resourceArns":["{arn}"],"principals":[{who}]}}"#))
        };
        assert!(of("subnet", "\"444455556666\"") && of("transit-gateway", "\"444455556666\""));
        assert!(!of("subnet", "") && !of("prefix-list", "\"444455556666\""));
        assert!(share("AssociateResourceShare", r#"{"principals":["444455556666"]}"#));
        assert!(share("UpdateResourceShare", r#"{"allowExternalPrincipals":true}"#));
        assert!(!share("AcceptResourceShareInvitation", "{}"));
        assert!(share("CreateResourceShare", "null"));
    }

    #[test]
    fn direct_connect_and_cloud_wan_lead_on() {
        let arn = |id: &str| format!(r#"{{"vpcArn":"arn:aws:ec2:eu-west-1:111122223333:vpc/{id}"}}"#);
        let attached = |account: &str, id: &str| {
            let sample = sample("networkmanager", "CreateVpcAttachment", &arn(id));
            is_path(&sample.field("recipientAccountId", &format!("\"{account}\"")))
        };
        assert!(attached("111122223333", OURS) && attached("111122223333", "vpc-0other"));
        assert!(attached("222233334444", OURS) && !attached("222233334444", "vpc-0other"));
        assert!(!is_path(&sample("networkmanager", "PutCoreNetworkPolicy", "{}")));
        assert!(is_path(&sample("networkmanager", "ExecuteCoreNetworkChangeSet", "{}")));
        assert!(is_path(&sample("directconnect", "ConfirmPrivateVirtualInterface", "{}")));
        assert!(!is_path(&sample("directconnect", "AllocatePrivateVirtualInterface", "{}")));
    }

    #[test]
    fn a_call_that_failed_opened_nothing() {
        let failed =
            sample("ec2", "CreateRoute", "{}").field("errorCode", "\"InvalidRouteTableID.NotFound\"");
        assert!(!is_path(&failed));
    }
}

//! RAM, Direct Connect and Cloud WAN: the links through which others come into a network.

use serde_json::Value;

use super::event::{Event, lookup};
use super::{Draft, Kind, Needs, Ours, Shows, path};

/// Is an event of RAM, Direct Connect or Cloud WAN a change?
pub(super) fn is_change(service: &str, name: &str) -> bool {
    kind(service, name).is_some()
}

fn kind(service: &str, name: &str) -> Option<Kind> {
    use Needs::Nothing;
    Some(match (service, name) {
        ("ram", "CreateResourceShare") => (Nothing, "network shared with other accounts"),
        ("ram", "AssociateResourceShare") => (Nothing, "share of a network extended"),
        ("ram", "UpdateResourceShare") => (Nothing, "share {resourceShareArn} opened to other organizations"),
        ("ram", "AcceptResourceShareInvitation") => (Nothing, "share {resourceShareInvitationArn} accepted"),
        (
            "directconnect",
            "CreatePrivateVirtualInterface"
            | "CreateTransitVirtualInterface"
            | "AllocatePrivateVirtualInterface"
            | "AllocateTransitVirtualInterface"
            | "ConfirmPrivateVirtualInterface"
            | "ConfirmTransitVirtualInterface"
            | "AssociateVirtualInterface",
        ) => (Nothing, "Direct Connect interface {virtualInterfaceId} led into AWS"),
        (
            "directconnect",
            "CreateDirectConnectGatewayAssociation"
            | "UpdateDirectConnectGatewayAssociation"
            | "CreateDirectConnectGatewayAssociationProposal"
            | "AcceptDirectConnectGatewayAssociationProposal",
        ) => (Nothing, "Direct Connect gateway {directConnectGatewayId} associated"),
        (
            "networkmanager",
            "CreateVpcAttachment"
            | "UpdateVpcAttachment"
            | "CreateSiteToSiteVpnAttachment"
            | "CreateConnectAttachment"
            | "CreateDirectConnectGatewayAttachment"
            | "UpdateDirectConnectGatewayAttachment"
            | "CreateTransitGatewayPeering"
            | "CreateTransitGatewayRouteTableAttachment"
            | "AcceptAttachment",
        ) => (Nothing, "network attached to core network {coreNetworkId}"),
        ("networkmanager", "PutCoreNetworkPolicy" | "ExecuteCoreNetworkChangeSet") => {
            (Nothing, "routes of core network {coreNetworkId} changed")
        }
        _ => return None,
    })
}

/// Reads an event of RAM, Direct Connect or Cloud WAN. A share of anything but a network is no
/// change.
pub(super) fn change(service: &str, event: &Event<'_>, ours: &dyn Ours) -> Option<Draft> {
    let kind = kind(service, event.name)?;
    let shared = event.request().list("resourceArns");
    if !shared.is_empty() && !shared.iter().any(|arn| is_network(arn)) {
        return None;
    }
    let request = event.request();
    if event.name == "UpdateResourceShare" && !request.omitted && !request.is_true("allowExternalPrincipals")
    {
        return None;
    }
    let mut draft = Draft::new(event, kind);
    if path::opens(service, event, ours) {
        draft.shows = Shows::NetworkPath;
    }
    for arn in shared {
        draft.target(Some(arn.to_owned()));
    }
    for key in
        ["resourceShareArn", "vpcArn", "vpnConnectionArn", "transitGatewayArn", "directConnectGatewayArn"]
    {
        draft.target(lookup(&event.request().fields, key).and_then(Value::as_str).map(str::to_owned));
    }
    Some(draft)
}

/// Is this an ARN of something that carries traffic from elsewhere?
fn is_network(arn: &str) -> bool {
    [":subnet/", ":transit-gateway", ":core-network/", ":prefix-list/"].iter().any(|kind| arn.contains(kind))
}

#[cfg(test)]
mod tests {
    use super::super::sample::change_of;

    #[test]
    fn shares_count_where_a_network_is_shared() {
        let share = |request: &str| change_of("ram.amazonaws.com", "CreateResourceShare", request);
        assert!(
            share(&format!(
                r#"{{"resourceArns":["{}"]}}"#,
                "arn:aws:ec2:eu-west-1:111122223333:subnet/subnet-1"
            ))
            .is_some()
        );
        assert_eq!(share(r#"{"resourceArns":["arn:aws:rds:eu-west-1:111122223333:cluster:c"]}"#), None);
        assert!(share("null").is_some());
        let update = |request: &str| change_of("ram.amazonaws.com", "UpdateResourceShare", request);
        assert!(update(r#"{"allowExternalPrincipals":true}"#).is_some());
        assert!(update("null").is_some());
        assert_eq!(update(r#"{"name":"n"}"#), None);
        for (source, name) in [
            ("directconnect.amazonaws.com", "CreatePrivateVirtualInterface"),
            ("networkmanager.amazonaws.com", "CreateVpcAttachment"),
        ] {
            assert!(change_of(source, name, "{}").is_some(), "{name}");
        }
        assert_eq!(change_of("directconnect.amazonaws.com", "CreatePublicVirtualInterface", "{}"), None);
    }
}

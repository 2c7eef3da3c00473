//! Where a call came from, as far as its CloudTrail record can show.
//!
//! No record field names a VPC: `vpcEndpointId` is looked up in the inventory, and only an endpoint
//! that the inventory places in an approved VPC is inside. A private address without an endpoint
//! proves nothing, and neither does an endpoint's id that nobody has listed.
//!
//! Source: CloudTrail user guide, "CloudTrail record contents" (`vpcEndpointId`,
//! `vpcEndpointAccountId`, `sourceIPAddress`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::inventory::Inventory;
use super::{Perimeter, TransitMode};
use crate::cloudtrail::record::{Field, Key, Record};
use crate::ids::{self, VpcKey};

/// The kind of an [`Origin`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OriginKind {
    /// An approved endpoint of an approved VPC.
    ApprovedEndpoint,
    /// An approved endpoint, from an address outside the VPC's blocks.
    ApprovedTransit,
    /// A public address that is approved.
    TrustedAddress,
    /// An endpoint that is known, of a VPC that is not approved.
    UnapprovedVpc,
    /// An endpoint that is not known, of an account that owns no approved VPC.
    ForeignEndpoint,
    /// An endpoint that is not known, or of which the record says other than the inventory.
    UnknownEndpoint,
    /// A public address, and no endpoint.
    Public,
    /// A private address, and no endpoint.
    PrivateUnattributed,
    /// An AWS service.
    AwsService,
    /// AWS's own network.
    AwsInternal,
    /// The record does not tell.
    Unknown,
}

impl OriginKind {
    /// All, from what is approved to what is not known.
    pub const ALL: [OriginKind; 11] = [
        OriginKind::ApprovedEndpoint,
        OriginKind::ApprovedTransit,
        OriginKind::TrustedAddress,
        OriginKind::UnapprovedVpc,
        OriginKind::ForeignEndpoint,
        OriginKind::UnknownEndpoint,
        OriginKind::Public,
        OriginKind::PrivateUnattributed,
        OriginKind::AwsService,
        OriginKind::AwsInternal,
        OriginKind::Unknown,
    ];

    /// As it is written in every output.
    pub fn name(self) -> &'static str {
        match self {
            OriginKind::ApprovedEndpoint => "approved-endpoint",
            OriginKind::ApprovedTransit => "approved-transit",
            OriginKind::TrustedAddress => "trusted-address",
            OriginKind::UnapprovedVpc => "unapproved-vpc",
            OriginKind::ForeignEndpoint => "foreign-endpoint",
            OriginKind::UnknownEndpoint => "unknown-endpoint",
            OriginKind::Public => "public",
            OriginKind::PrivateUnattributed => "private-unattributed",
            OriginKind::AwsService => "aws-service",
            OriginKind::AwsInternal => "aws-internal",
            OriginKind::Unknown => "unknown",
        }
    }
}

/// Is a transit through an approved endpoint allowed, worth a finding, or outside?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Passage {
    /// From the VPC itself, or through an approved transit.
    Expected,
    /// From elsewhere.
    Unexpected(TransitMode),
    /// The record has no address that could be compared with those of the VPC.
    Untold(TransitMode),
}

/// The path of one call into AWS.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Origin {
    /// What the path is.
    pub kind: OriginKind,
    /// The endpoint's id, as recorded.
    pub endpoint: Option<String>,
    /// The VPC that the inventory places the endpoint in.
    pub vpc: Option<String>,
    /// The VPC's owner by the inventory, else the endpoint's owner as recorded.
    pub vpc_account: Option<String>,
    /// `sourceIPAddress`, as recorded: an address, a service's name, or what AWS writes there.
    pub ip: Option<String>,
}

impl Origin {
    /// Nothing is known.
    pub fn unknown() -> Self {
        Self { kind: OriginKind::Unknown, endpoint: None, vpc: None, vpc_account: None, ip: None }
    }

    /// The service that made the call, where the address names one.
    pub fn service(&self) -> Option<&str> {
        self.ip.as_deref().filter(|ip| is_service_host(ip))
    }
}

/// What `sourceIPAddress` holds.
enum Source {
    Address(IpAddr),
    Service,
    Internal,
    Unclear,
}

/// Tells where the call of a record came from. The second value says more of an approved endpoint.
pub fn origin(record: &Record<'_>, perimeter: &Perimeter, inventory: &Inventory) -> (Origin, Passage) {
    let source_field = record.get(Key::SourceIpAddress);
    let ip = source_field.shown();
    let source = match &ip {
        Some(text) if !source_field.is_unreadable() => source(text),
        _ => Source::Unclear,
    };
    let mut origin = Origin::unknown();
    origin.ip = ip.map(|ip| ip.into_owned());
    let passage = match endpoint(record.get(Key::VpcEndpointId)) {
        Recorded::Endpoint(id) => through(&mut origin, &id, record, &source, perimeter, inventory),
        Recorded::Unreadable(text) => {
            origin.endpoint = Some(text);
            return (origin, Passage::Expected);
        }
        Recorded::AwsOwn => {
            origin.kind = match source {
                Source::Unclear => OriginKind::AwsInternal,
                source => direct(&source, record, perimeter),
            };
            return (origin, Passage::Expected);
        }
        Recorded::Nothing => {
            origin.kind = direct(&source, record, perimeter);
            return (origin, Passage::Expected);
        }
    };
    (origin, passage)
}

/// What `vpcEndpointId` holds.
enum Recorded {
    Nothing,
    Endpoint(String),
    /// `AWS Internal` or a service's name: no endpoint.
    AwsOwn,
    Unreadable(String),
}

fn endpoint(field: Field<'_>) -> Recorded {
    match field {
        Field::Absent | Field::Null => Recorded::Nothing,
        Field::Text(_) | Field::Other(_) => match field.shown() {
            Some(text) if ids::is_endpoint(&text) => Recorded::Endpoint(text.into_owned()),
            Some(text) if text.is_empty() => Recorded::Nothing,
            Some(text) if is_internal(&text) || is_service_host(&text) => Recorded::AwsOwn,
            text => Recorded::Unreadable(text.map(|text| text.into_owned()).unwrap_or_default()),
        },
    }
}

/// Through an endpoint, known or not.
fn through(
    origin: &mut Origin,
    id: &str,
    record: &Record<'_>,
    source: &Source,
    perimeter: &Perimeter,
    inventory: &Inventory,
) -> Passage {
    origin.endpoint = Some(id.to_owned());
    let owner = record.get(Key::VpcEndpointAccountId).shown().filter(|owner| !owner.is_empty());
    let Some(vpc) = inventory.vpc_of(id) else {
        origin.kind = match (source, &owner) {
            (_, Some(owner)) if ids::is_account(owner) && !perimeter.owns_approved_vpc(owner) => {
                OriginKind::ForeignEndpoint
            }
            // Services reach each other through endpoints of AWS's own.
            (Source::Service, _) => OriginKind::AwsService,
            _ => OriginKind::UnknownEndpoint,
        };
        origin.vpc_account = owner.filter(|owner| ids::is_account(owner)).map(|owner| owner.into_owned());
        return Passage::Expected;
    };
    origin.vpc = Some(vpc.id.clone());
    origin.vpc_account = Some(vpc.account.to_string());
    if contradicts(vpc, owner.as_deref(), record) {
        origin.kind = OriginKind::UnknownEndpoint;
        return Passage::Expected;
    }
    let Some(cidrs) = perimeter.vpcs.get(vpc) else {
        origin.kind = OriginKind::UnapprovedVpc;
        return Passage::Expected;
    };
    let (kind, passage) = approved(cidrs, source, perimeter);
    origin.kind = kind;
    passage
}

/// Does the record say of the endpoint's owner or region other than the inventory?
fn contradicts(vpc: &VpcKey, owner: Option<&str>, record: &Record<'_>) -> bool {
    let region = record.get(Key::AwsRegion).shown();
    owner.is_some_and(|owner| owner != vpc.account.as_str())
        || region.is_some_and(|region| region != vpc.region)
}

/// Through an approved endpoint: from the VPC itself, or from elsewhere through it?
fn approved(cidrs: &[IpNet], source: &Source, perimeter: &Perimeter) -> (OriginKind, Passage) {
    match source {
        Source::Address(address) if !cidrs.is_empty() && !cidrs.iter().any(|cidr| cidr.contains(address)) => {
            let passage = if perimeter.is_transit(*address) {
                Passage::Expected
            } else {
                Passage::Unexpected(perimeter.rules.transit)
            };
            (OriginKind::ApprovedTransit, passage)
        }
        Source::Service | Source::Internal | Source::Unclear if !cidrs.is_empty() => {
            (OriginKind::ApprovedEndpoint, Passage::Untold(perimeter.rules.transit))
        }
        Source::Address(_) | Source::Service | Source::Internal | Source::Unclear => {
            (OriginKind::ApprovedEndpoint, Passage::Expected)
        }
    }
}

/// Without an endpoint.
fn direct(source: &Source, record: &Record<'_>, perimeter: &Perimeter) -> OriginKind {
    match source {
        Source::Address(address) if is_private(*address) => OriginKind::PrivateUnattributed,
        Source::Address(address)
            if !perimeter.trusted.is_empty() && perimeter.trusts(*address, event_time(record)) =>
        {
            OriginKind::TrustedAddress
        }
        Source::Address(_) => OriginKind::Public,
        Source::Service => OriginKind::AwsService,
        Source::Internal => OriginKind::AwsInternal,
        Source::Unclear => OriginKind::Unknown,
    }
}

/// `eventTime`, where it can be read.
pub fn event_time(record: &Record<'_>) -> Option<Timestamp> {
    record.get(Key::EventTime).text()?.parse().ok()
}

fn source(text: &str) -> Source {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Source::Address(address.to_canonical());
    }
    if is_internal(text) {
        Source::Internal
    } else if is_service_host(text) {
        Source::Service
    } else {
        Source::Unclear
    }
}

/// `AWS Internal`, or `AWS Internal/3`.
fn is_internal(text: &str) -> bool {
    text.strip_prefix("AWS Internal").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The name of an AWS service, as `lambda.amazonaws.com`.
pub fn is_service_host(text: &str) -> bool {
    let host = text.strip_suffix(".amazonaws.com").or(text.strip_suffix(".amazonaws.com.cn"));
    host.is_some_and(|name| {
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        name.split('.').all(is_label) && !name.split('.').skip(1).any(|label| CUSTOMERS.contains(&label))
    })
}

/// What stands in the names of hosts that are a customer's own and lie below AWS's domain: an instance's,
/// a load balancer's, a database's, an API's.
const CUSTOMERS: [&str; 5] = ["compute", "compute-1", "elb", "rds", "execute-api"];

/// RFC 1918, 100.64.0.0/10, loopback, link-local and fc00::/7; every other address is public,
/// those for documentation too.
pub fn is_private(address: IpAddr) -> bool {
    PRIVATE.iter().any(|cidr| cidr.contains(&address))
}

static PRIVATE: LazyLock<[IpNet; 9]> = LazyLock::new(|| {
    let v4 = |a, b, c, d, len| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), len));
    let v6 =
        |first, last, len| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last), len));
    [
        v4(10, 0, 0, 0, 8),
        v4(172, 16, 0, 0, 12),
        v4(192, 168, 0, 0, 16),
        v4(100, 64, 0, 0, 10),
        v4(127, 0, 0, 0, 8),
        v4(169, 254, 0, 0, 16),
        v6(0, 1, 128),
        v6(0xfe80, 0, 10),
        v6(0xfc00, 0, 7),
    ]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_is_what_interface_md_says() {
        for private in [
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "100.127.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "fd00::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in [
            "172.32.0.1",
            "100.128.0.1",
            "203.0.113.1",
            "198.51.100.7",
            "2001:db8::1",
            "2600::1",
            "8.8.8.8",
            "::2",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn services_are_told_by_their_whole_name() {
        assert!(is_service_host("dynamodb.application-autoscaling.amazonaws.com"));
        assert!(is_service_host("backup.amazonaws.com.cn"));
        assert!(is_service_host("rds.amazonaws.com") && is_service_host("states.eu-west-1.amazonaws.com"));
        for other in [
            ".amazonaws.com",
            "amazonaws.com",
            "a..amazonaws.com",
            "evil.example/amazonaws.com",
            "lambda.amazonaws.com.example",
            "ec2-203-0-113-7.eu-west-1.compute.amazonaws.com",
            "ec2-203-0-113-7.compute-1.amazonaws.com",
            "front-1234.eu-west-1.elb.amazonaws.com",
            "orders.abcd.eu-west-1.rds.amazonaws.com",
            "abcd.execute-api.eu-west-1.amazonaws.com",
        ] {
            assert!(!is_service_host(other), "{other}");
        }
        assert!(is_internal("AWS Internal/3") && !is_internal("AWS Internals"));
    }
}

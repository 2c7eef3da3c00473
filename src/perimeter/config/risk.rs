//! Settings that can be used and open more than their author may think, each judged by itself.
//!
//! These are warnings: whether a role's name is an ordinary one, or an office really has a /20, the
//! file cannot tell.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::diagnostic::quote;
use super::value::Complaint;
use crate::glob::has_wildcard;
use crate::ids::Arn;

/// Addresses that mean another machine in every network.
///
/// Source: interface, "Addresses": RFC 1918, 100.64.0.0/10, loopback, link-local and fc00::/7.
const PRIVATE: [IpNet; 9] = [
    v4(10, 0, 0, 8),
    v4(172, 16, 0, 12),
    v4(192, 168, 0, 16),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v6(Ipv6Addr::LOCALHOST, 128),
    v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
];

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix))
}

const fn v6(address: Ipv6Addr, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

/// A break-glass pattern that ordinary roles fit.
///
/// A wildcard in the account or in the path leaves the name whole; one in the name lets whoever may
/// create roles choose a name that fits. The roles of Identity Center alone must be written with
/// one, and no one but AWS creates roles under their path.
pub(super) fn broad_name(pattern: &str) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    let (class, rest) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    if has_wildcard(class) {
        let message = format!("{} covers every role and user", quote(pattern));
        return Some(Complaint::new(message).help("name the one role, as `role/emergency`"));
    }
    let (path, name) = rest.rsplit_once('/').unwrap_or(("", rest));
    if !has_wildcard(name) || class == "assumed-role" || (class == "role" && is_identity_center(path, name)) {
        return None;
    }
    let message = format!(
        "{} covers ordinary names too: whoever may create a {class} of a name that fits is exempt",
        quote(pattern)
    );
    Some(
        Complaint::new(message).help("write the whole name; wildcards may stand in the account and the path"),
    )
}

/// Is this the role of one permission set, with a wildcard for nothing but its random suffix?
///
/// Source: IAM Identity Center user guide, "Referencing permission sets in resource policies".
fn is_identity_center(path: &str, name: &str) -> bool {
    let set = name.strip_prefix("AWSReservedSSO_").map(|set| set.trim_end_matches(['*', '?']));
    let of_one_set = set.is_some_and(|set| set.len() > 1 && set.ends_with('_') && !has_wildcard(set));
    of_one_set
        && (path == "aws-reserved/sso.amazonaws.com" || path.starts_with("aws-reserved/sso.amazonaws.com/"))
}

/// A pattern of sessions, which nothing is matched with: `aws:PrincipalArn` has the role's ARN.
///
/// Source: IAM user guide, "AWS global condition context keys" (`aws:PrincipalArn`).
pub(super) fn never_matches(pattern: &str) -> Option<Complaint> {
    let arn = Arn::parse(pattern)?;
    let session = arn.resource.strip_prefix("assumed-role/")?;
    let role = session.split('/').next().unwrap_or(session);
    let message = format!("{} matches nothing: a session is known by its role's ARN", quote(pattern));
    let instead = format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account);
    Some(Complaint::new(message).help(format!("write the role, with its path: {}", quote(&instead))))
}

/// A trusted block that is private.
pub(super) fn private(block: &IpNet) -> Option<Complaint> {
    PRIVATE.iter().any(|private| private.contains(block)).then(|| {
        Complaint::new(format!("`{block}` is private: everybody has these addresses, so they prove nothing"))
            .help(
                "trust the public addresses that the network is seen by; addresses that come through an \
             endpoint belong to [[transit]]",
            )
    })
}

/// A trusted block that is wide.
pub(super) fn wide(block: &IpNet) -> Option<Complaint> {
    let limit = if block.addr().is_ipv4() { 24 } else { 48 };
    (block.prefix_len() < limit).then(|| {
        Complaint::new(format!(
            "`{block}` is wide: a trusted block of more than a /{limit} is seldom one's own"
        ))
        .help("list the blocks that are yours")
    })
}

/// A VPC's block that no VPC can have.
///
/// Source: VPC user guide, "IP addressing": /16 to /28, and /44 to /60.
pub(super) fn too_wide_for_a_vpc(block: &IpNet) -> Option<Complaint> {
    let limit = if block.addr().is_ipv4() { 16 } else { 44 };
    (block.prefix_len() < limit).then(|| {
        Complaint::new(format!("`{block}` is no VPC's block: none is wider than a /{limit}"))
            .help("list the VPC's own blocks; those of other networks belong to [[transit]]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> IpNet {
        text.parse().unwrap_or_default()
    }

    #[test]
    fn a_wildcard_in_the_name_is_broad() {
        for broad in [
            "role/*",
            "role/*admin*",
            "role/break-glass-*",
            "role/break-glass-?",
            "role/path/*",
            "role/*/bg-*",
            "user/*",
            "*",
            "r*/emergency",
            "role/AWSReservedSSO_BreakGlass_*",
            "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_*",
            "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_*_*",
            "role/aws-reserved/sso.amazonaws.com/*",
            "role/aws-reserved/sso.amazonaws.com.evil/AWSReservedSSO_BreakGlass_*",
        ] {
            assert!(broad_name(&format!("arn:aws:iam::111122223333:{broad}")).is_some(), "{broad}");
        }
        for narrow in [
            "role/emergency",
            "role/*/emergency",
            "user/emergency",
            "root",
            "role/security/emergency",
            "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_BreakGlass_*",
            "role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_BreakGlass_*",
            "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_BreakGlass_????????????????",
        ] {
            assert_eq!(broad_name(&format!("arn:aws:iam::*:{narrow}")), None, "{narrow}");
        }
    }

    #[test]
    fn sessions_match_nothing() {
        let complaint = never_matches("arn:aws:sts::111122223333:assumed-role/ops/*");
        assert_eq!(
            complaint.and_then(|complaint| complaint.help).unwrap_or_default(),
            "write the role, with its path: `arn:aws:iam::111122223333:role/ops`"
        );
        assert_eq!(never_matches("arn:aws:sts::111122223333:federated-user/ops"), None);
    }

    #[test]
    fn private_blocks_are_those_of_the_interface() {
        for private_block in [
            "10.0.0.0/8",
            "172.31.0.0/16",
            "192.168.1.0/24",
            "100.127.0.0/16",
            "127.0.0.1/32",
            "169.254.0.0/16",
            "::1/128",
            "fe80::/64",
            "fd00::/8",
        ] {
            assert!(private(&block(private_block)).is_some(), "{private_block}");
        }
        for public in [
            "11.0.0.0/24",
            "172.32.0.0/24",
            "198.51.100.0/24",
            "100.128.0.0/24",
            "2001:db8::/48",
            "0.0.0.0/0",
        ] {
            assert_eq!(private(&block(public)), None, "{public}");
        }
    }

    #[test]
    fn a_trusted_block_ends_at_24_and_48() {
        assert_eq!(wide(&block("198.51.100.0/24")), None);
        assert!(wide(&block("198.51.100.0/23")).is_some());
        assert_eq!(wide(&block("2001:db8::/48")), None);
        assert!(wide(&block("2001:db8::/47")).is_some());
    }

    #[test]
    fn a_vpcs_block_ends_at_16_and_44() {
        assert_eq!(too_wide_for_a_vpc(&block("10.0.0.0/16")), None);
        assert!(too_wide_for_a_vpc(&block("10.0.0.0/15")).is_some());
        assert_eq!(too_wide_for_a_vpc(&block("2001:db8::/44")), None);
        assert!(too_wide_for_a_vpc(&block("2001:db8::/43")).is_some());
    }
}

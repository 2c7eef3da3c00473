//! Blocks of addresses that hold more than their author may think.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::node::Place;
use super::super::value::Complaint;

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

/// A trusted block that is private.
pub(crate) fn private(block: &IpNet) -> Option<Complaint> {
    PRIVATE.iter().any(|private| private.contains(block)).then(|| {
        Complaint::new(format!("`{block}` is private: everybody has these addresses, so they prove nothing"))
            .help(
                "trust the public addresses that the network is seen by; addresses that come through an \
             endpoint belong to [[transit]]",
            )
    })
}

/// A trusted block that is wide.
pub(crate) fn wide(block: &IpNet) -> Option<Complaint> {
    let limit = if block.addr().is_ipv4() { 24 } else { 48 };
    let message = if block.prefix_len() == 0 {
        format!("`{block}` is every address: everybody is trusted")
    } else if is_vast(block) {
        format!("`{block}` is a large part of all addresses: the internet is trusted")
    } else if block.prefix_len() < limit {
        format!("`{block}` is wide: a trusted block of more than a /{limit} is seldom one's own")
    } else {
        return None;
    };
    Some(Complaint::new(message).help("list the blocks that are yours"))
}

/// A transit block that holds most of what there is.
pub(crate) fn vast(block: &IpNet) -> Option<Complaint> {
    let message = if block.prefix_len() == 0 {
        format!("`{block}` is every address: nothing would be transit any more")
    } else if is_vast(block) {
        format!("`{block}` is a large part of all addresses: little would be transit any more")
    } else {
        return None;
    };
    Some(Complaint::new(message).help("list the networks that are to come this way"))
}

/// More than a /8, the largest private block, or a /16 of IPv6.
fn is_vast(block: &IpNet) -> bool {
    block.prefix_len() < if block.addr().is_ipv4() { 8 } else { 16 }
}

/// Blocks that hold as much together and not one by one, each such union with the place of its first.
pub(crate) fn together<'a>(blocks: &[(IpNet, &'a Place)]) -> Vec<(Complaint, &'a Place)> {
    let union = IpNet::aggregate(&blocks.iter().map(|(block, _)| *block).collect());
    let vast = union.iter().filter(|whole| is_vast(whole));
    vast.filter_map(|whole| {
        let mut parts = blocks.iter().filter(|(block, _)| whole.contains(block));
        let (_, at) = parts.next()?;
        if blocks.iter().any(|(block, _)| whole.contains(block) && is_vast(block)) {
            return None;
        }
        let message = format!(
            "this block and {} more are `{whole}` together: a large part of all addresses",
            parts.count()
        );
        Some((Complaint::new(message).help("list the networks that are meant, and no more"), *at))
    })
    .collect()
}

/// A VPC's block that no VPC can have.
///
/// Source: VPC user guide, "IP addressing": /16 to /28, and /44 to /60.
pub(crate) fn too_wide_for_a_vpc(block: &IpNet) -> Option<Complaint> {
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

    #[test]
    fn a_transit_block_ends_at_8_and_16() {
        for (fits, vaster) in [("10.0.0.0/8", "10.0.0.0/7"), ("2001::/16", "2000::/15")] {
            assert_eq!(vast(&block(fits)), None, "{fits}");
            assert!(vast(&block(vaster)).is_some(), "{vaster}");
            assert!(wide(&block(vaster)).is_some_and(|said| said.message.contains("large part")), "{vaster}");
        }
    }

    #[test]
    fn blocks_are_vast_together_and_not_apart() {
        let judged = |texts: &[&str]| {
            let at = Place::default();
            let blocks: Vec<_> = texts.iter().map(|text| (block(text), &at)).collect();
            together(&blocks).into_iter().map(|(said, _)| said.message).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(judged(&["10.0.0.0/8", "11.0.0.0/8"]), @"this block and 1 more are `10.0.0.0/7` together: a large part of all addresses");
        insta::assert_snapshot!(judged(&["2001:8000::/17", "2000::/16", "2001::/17", "10.0.0.0/8"]), @"this block and 2 more are `2000::/15` together: a large part of all addresses");
        assert_eq!(judged(&["10.0.0.0/8", "12.0.0.0/8", "10.0.0.0/16"]), "");
        // Each of these is named by itself.
        assert_eq!(judged(&["0.0.0.0/1", "128.0.0.0/1"]), "");
        assert_eq!(judged(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]), "");
        let all: Vec<String> = (0..256).map(|first| format!("{first}.0.0.0/8")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        insta::assert_snapshot!(judged(&all), @"this block and 255 more are `0.0.0.0/0` together: a large part of all addresses");
    }
}

//! Which addresses may be downloaded from: those of the public internet, and the networks that the operator allows. A task must not reach
//! through the agent what it could not reach by itself, such as services that trust the machine they are on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether something at `address` may be asked.
pub(crate) fn permits(allowed: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    let public = match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    };
    public || allowed.iter().any(|network| network.contains(&address))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let reserved = first == 0 || first >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || shared
        || reserved)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // These hold an IPv4 address, which is not looked into.
    let translated = address.segments()[..2] == [0x64, 0xff9b] || address.segments()[0] == 0x2002;
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_multicast()
        || translated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_want_to_be_allowed() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ];
        for address in private {
            assert!(!permits(&[], address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(permits(&[], address.parse().unwrap()), "{address}");
        }
        let allowed: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (address, expected) in [("10.1.2.3", true), ("::ffff:10.0.0.1", true), ("::1", true), ("127.0.0.1", false)]
        {
            assert_eq!(permits(&allowed, address.parse().unwrap()), expected, "{address}");
        }
    }
}

//! Ranges of addresses: the agent's own, and those that the machine has routes to.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// What slices are cut from when nobody says which subnet to take: 256 of them, seldom in use elsewhere.
const POOL: Subnet = Subnet { base: u32::from_be_bytes([10, 212, 0, 0]), prefix: 14 };
/// Of a slice: room for a thousand containers.
const SLICE_PREFIX: u8 = 22;
/// A bridge needs an address, and there has to be one for a container.
const MAX_PREFIX: u8 = 30;

/// A range of IPv4 addresses, the first of which is a bridge's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

/// A text that is no subnet for a bridge.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no subnet for a bridge: one is `<address>/<prefix>` with a prefix of 8 to {MAX_PREFIX}, as 10.212.0.0/22"
)]
pub struct InvalidSubnet(String);

impl Subnet {
    /// What is left of `address` after `prefix` bits.
    fn of(address: Ipv4Addr, prefix: u8) -> Subnet {
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Subnet { base: u32::from(address) & mask, prefix }
    }

    fn size(self) -> u64 {
        1 << (32 - self.prefix)
    }

    pub(crate) fn prefix(self) -> u8 {
        self.prefix
    }

    /// The bridge's own address, the first.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1)
    }

    /// How many addresses there are for containers: all but the network's, the bridge's and the last one, which is for broadcasts.
    pub(crate) fn capacity(self) -> u32 {
        u32::try_from(self.size() - 3).unwrap_or(u32::MAX)
    }

    /// An address for a container.
    pub(crate) fn address(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 2 + index % self.capacity())
    }

    /// Which one of the addresses for containers this is.
    pub(crate) fn index(self, address: Ipv4Addr) -> Option<u32> {
        u32::from(address).checked_sub(self.base)?.checked_sub(2).filter(|index| *index < self.capacity())
    }

    fn overlaps(self, other: Subnet) -> bool {
        let (begin, end) = (u64::from(self.base), u64::from(self.base) + self.size());
        let (other_begin, other_end) = (u64::from(other.base), u64::from(other.base) + other.size());
        begin < other_end && other_begin < end
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let prefix = prefix.parse().ok().filter(|prefix| (8..=MAX_PREFIX).contains(prefix))?;
            Some(Subnet::of(address.parse().ok()?, prefix))
        };
        parse().ok_or_else(|| InvalidSubnet(text.to_owned()))
    }
}

/// A route of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) device: String,
    pub(crate) subnet: Subnet,
}

/// Reads `/proc/net/route`: a line per route, addresses as the machine has them in memory.
pub(crate) fn routes(text: &str) -> Vec<Route> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok().map(u32::swap_bytes);
        let (destination, mask) = (number(1)?, number(7)?);
        let prefix = u8::try_from(mask.leading_ones()).ok()?;
        Some(Route { device: (*fields.first()?).to_owned(), subnet: Subnet::of(destination.into(), prefix) })
    };
    text.lines().skip(1).filter_map(route).collect()
}

/// The subnet for the bridge called `bridge`: the one that it has already, or the one that is `wanted`, or the first slice, counted from one
/// that `seed` names, that no route leads to and that `claim` gets.
pub(crate) fn choose(
    bridge: &str,
    wanted: Option<Subnet>,
    routes: &[Route],
    seed: u32,
    mut claim: impl FnMut(Subnet) -> bool,
) -> Result<Subnet, String> {
    if let Some(own) = routes.iter().find(|route| route.device == bridge) {
        return match wanted {
            Some(wanted) if wanted != own.subnet => {
                Err(format!("the bridge {bridge} has the subnet {} already, not {wanted}", own.subnet))
            }
            Some(_) | None if claim(own.subnet) => Ok(own.subnet),
            Some(_) | None => Err(format!("another agent uses the subnet {}", own.subnet)),
        };
    }
    // All routes but the default one.
    let taken = |subnet: Subnet| routes.iter().find(|route| route.subnet.prefix > 0 && route.subnet.overlaps(subnet));
    if let Some(wanted) = wanted {
        return match taken(wanted) {
            Some(route) => {
                Err(format!("the route to {} by {} overlaps the subnet {wanted}", route.subnet, route.device))
            }
            None if claim(wanted) => Ok(wanted),
            None => Err(format!("another agent uses the subnet {wanted}")),
        };
    }
    let count = 1 << (SLICE_PREFIX - POOL.prefix);
    let slice = |index: u32| {
        let slice = Subnet { base: POOL.base, prefix: SLICE_PREFIX };
        Subnet { base: slice.base + (seed.wrapping_add(index) % count) * (1 << (32 - SLICE_PREFIX)), ..slice }
    };
    let free = (0..count).map(slice).find(|slice| taken(*slice).is_none() && claim(*slice));
    free.ok_or_else(|| format!("all of {POOL} is in use: --bridge-subnet can name another subnet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        tun0\t0000D40A\t00000000\t0001\t0\t0\t0\t0000FEFF\t0\t0\t0\n";

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn a_subnet_has_a_bridge_and_containers() {
        let small = subnet("192.168.7.77/29");
        assert_eq!(small.to_string(), "192.168.7.72/29");
        assert_eq!(small.gateway().to_string(), "192.168.7.73");
        let all: Vec<String> = (0..small.capacity()).map(|index| small.address(index).to_string()).collect();
        assert_eq!(all, ["192.168.7.74", "192.168.7.75", "192.168.7.76", "192.168.7.77", "192.168.7.78"]);
        for index in 0..small.capacity() {
            assert_eq!(small.index(small.address(index)), Some(index));
        }
        for other in ["192.168.7.71", "192.168.7.72", "192.168.7.73", "192.168.7.79", "10.0.0.1"] {
            assert_eq!(small.index(other.parse().unwrap()), None, "{other}");
        }
        for bad in ["", "10.0.0.0", "10.0.0.0/31", "10.0.0.0/7", "10.0.0/8", "::/64"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_slice_is_chosen_that_nobody_else_uses() {
        let routes = routes(ROUTES);
        assert_eq!(routes.iter().map(|route| route.subnet.prefix).collect::<Vec<_>>(), [0, 24, 15]);
        // The tunnel takes 10.212 and 10.213, another agent the first of 10.214.
        let claim = |slice: Subnet| slice != subnet("10.214.0.0/22");
        assert_eq!(choose("b", None, &routes, 3, claim), Ok(subnet("10.214.4.0/22")));
        assert_eq!(choose("b", None, &routes, 255, claim), Ok(subnet("10.215.252.0/22")));
        assert!(choose("b", None, &routes, 0, |_| false).unwrap_err().contains("in use"));
        assert_eq!(choose("b", Some(subnet("10.9.0.0/24")), &routes, 0, |_| true), Ok(subnet("10.9.0.0/24")));
        assert!(choose("b", Some(subnet("10.212.8.0/24")), &routes, 0, |_| true).unwrap_err().contains("by tun0"));
    }

    #[test]
    fn a_bridge_that_is_there_keeps_its_subnet() {
        let routes = routes(ROUTES);
        let own = subnet("10.212.0.0/15");
        assert_eq!(choose("tun0", None, &routes, 3, |_| true), Ok(own));
        assert_eq!(choose("tun0", Some(own), &routes, 3, |_| true), Ok(own));
        assert!(choose("tun0", Some(subnet("10.9.0.0/24")), &routes, 3, |_| true).is_err());
    }
}

//! The words in which `ip` and `nft` are told what to do.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::subnet::Subnet;
use super::{Mapping, Protocol};
use crate::launcher::protocol::ContainerId;

/// The bridge, and the names of all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bridge {
    pub(super) device: String,
    /// Of its rules.
    pub(super) table: String,
    /// Says whose the device is.
    pub(super) owner: String,
    /// Of devices that are about to be removed together.
    pub(super) group: u32,
    pub(super) subnet: Subnet,
    /// The longest packet that leaves the machine by its default route.
    pub(super) mtu: u32,
}

/// The machine's end of a container's pair of devices. Containers have random names.
pub(super) fn veth(container: &ContainerId) -> String {
    let hash = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, container.as_str().as_bytes());
    format!("at{}", &hash.simple().to_string()[..12])
}

impl Bridge {
    /// For `ip`: makes the bridge. Its own hardware address stays the same whatever is connected to it: containers remember it.
    pub(super) fn raise(&self) -> String {
        let Bridge { device, owner, subnet, mtu, .. } = self;
        let (gateway, prefix) = (subnet.gateway(), subnet.prefix());
        let [a, b, c, d] = gateway.octets();
        format!(
            "link add name {device} address 02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x} mtu {mtu} type bridge forward_delay 0\n\
             link set dev {device} alias {owner}\n\
             link set dev {device} addrgenmode none\n\
             address add {gateway}/{prefix} dev {device}\n\
             link set dev {device} up\n"
        )
    }

    /// For `ip`.
    pub(super) fn remove(&self) -> String {
        remove_device(&self.device)
    }

    /// For `ip`, within the namespace: devices, the address, the way out. The other end appears in the namespace of `pid`.
    pub(super) fn inside(&self, address: Ipv4Addr, veth: &str, pid: u32) -> String {
        let Bridge { subnet, mtu, .. } = self;
        let (gateway, prefix) = (subnet.gateway(), subnet.prefix());
        format!(
            "{LOOPBACK}\
             link add name eth0 mtu {mtu} type veth peer name {veth} mtu {mtu} netns {pid}\n\
             address add {address}/{prefix} broadcast + dev eth0\n\
             link set dev eth0 up\n\
             route add default via {gateway}\n"
        )
    }

    /// For `ip`: connects the machine's end. A container reaches itself by way of its mappings, too (`hairpin`).
    pub(super) fn connect(&self, veth: &str) -> String {
        let Bridge { device, .. } = self;
        format!(
            "link set dev {veth} addrgenmode none\n\
             link set dev {veth} master {device}\n\
             link set dev {veth} type bridge_slave hairpin on\n\
             link set dev {veth} up\n"
        )
    }

    /// For `ip`: removes these ends, and with them the others. All at once, since the kernel waits as long for many as for one.
    pub(super) fn disconnect(&self, veths: &[String]) -> String {
        let mut text = String::new();
        for veth in veths {
            let _infallible = writeln!(text, "link set dev {veth} group {}", self.group);
        }
        let _infallible = writeln!(text, "link delete group {}", self.group);
        text
    }

    /// For `nft`: all rules, with these mappings, in the place of those that are there.
    pub(super) fn rules(&self, mappings: &[(Ipv4Addr, Mapping)]) -> String {
        let Bridge { device, table, subnet, .. } = self;
        let elements = match mappings {
            [] => String::new(),
            _ => format!("elements = {{ {} }}", elements(mappings)),
        };
        format!(
            r#"table ip {table}
delete table ip {table}
table ip {table} {{
  map ports {{
    type inet_proto . inet_service : ipv4_addr . inet_service
    {elements}
  }}
  # The machine's loopback is not for containers. What belongs to a connection over a mapping has the bridge's address here.
  chain early {{
    type filter hook prerouting priority raw; policy accept;
    iifname "{device}" ip daddr 127.0.0.0/8 drop
  }}
  # From other machines and from containers.
  chain incoming {{
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local dnat ip to meta l4proto . th dport map @ports
  }}
  # From the machine itself.
  chain own {{
    type nat hook output priority -100; policy accept;
    fib daddr type local dnat ip to meta l4proto . th dport map @ports
  }}
  chain outgoing {{
    type nat hook postrouting priority srcnat; policy accept;
    # The answer has to come back by way of the machine.
    oifname "{device}" ip saddr {{ 127.0.0.0/8, {subnet} }} ct status dnat masquerade
    ip saddr {subnet} oifname != "{device}" masquerade
  }}
  # Into the bridge leads a mapping, or the way of an answer.
  chain passing {{
    type filter hook forward priority filter; policy accept;
    iifname != "{device}" oifname "{device}" ct status dnat accept
    iifname != "{device}" oifname "{device}" ct state established,related accept
    iifname != "{device}" oifname "{device}" drop
  }}
}}
"#
        )
    }

    /// For `nft`.
    pub(super) fn remove_rules(&self) -> String {
        remove_rules(&self.table)
    }

    /// For `nft`: adds these mappings.
    pub(super) fn map(&self, mappings: &[(Ipv4Addr, Mapping)]) -> String {
        format!("add element ip {} ports {{ {} }}\n", self.table, elements(mappings))
    }

    /// For `nft`: takes them away.
    pub(super) fn unmap(&self, mappings: &[(Ipv4Addr, Mapping)]) -> String {
        let key = |(_, mapping): &(Ipv4Addr, Mapping)| format!("{} . {}", mapping.protocol.name(), mapping.host_port);
        let keys = mappings.iter().map(key).collect::<Vec<_>>().join(", ");
        format!("delete element ip {} ports {{ {keys} }}\n", self.table)
    }
}

/// For `ip`.
pub(super) fn remove_device(device: &str) -> String {
    format!("link delete dev {device}\n")
}

/// For `nft`. A table that is not there is no error.
pub(super) fn remove_rules(table: &str) -> String {
    format!("table ip {table}\ndelete table ip {table}\n")
}

/// For `ip`, within a namespace.
pub(super) const LOOPBACK: &str = "link set dev lo up\n";

fn elements(mappings: &[(Ipv4Addr, Mapping)]) -> String {
    let element = |(address, mapping): &(Ipv4Addr, Mapping)| {
        let Mapping { protocol, host_port, container_port } = mapping;
        format!("{} . {host_port} : {address} . {container_port}", protocol.name())
    };
    mappings.iter().map(element).collect::<Vec<_>>().join(", ")
}

/// Arguments of `conntrack`, each a way to make the kernel forget where datagrams to newly mapped ports used to go: a sender that goes on
/// with the same port would never meet the mapping.
pub(super) fn forget_unmapped(mappings: &[Mapping]) -> Vec<Vec<String>> {
    let datagrams = mappings.iter().filter(|mapping| mapping.protocol == Protocol::Udp);
    let port = |mapping: &Mapping| {
        let port = mapping.host_port.to_string();
        ["-D", "-p", "udp", "--orig-port-dst", &port, "--reply-port-src", &port].map(str::to_owned).to_vec()
    };
    datagrams.map(port).collect()
}

/// As above, of the datagrams that went to this address, which nobody has any more.
pub(super) fn forget_address(address: Ipv4Addr) -> Vec<String> {
    ["-D", "-p", "udp", "--reply-src", &address.to_string()].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge() -> Bridge {
        Bridge {
            device: "attica-1a2b3c4d".to_owned(),
            table: "attica-1a2b3c4d".to_owned(),
            owner: "attica:1".to_owned(),
            group: 7,
            subnet: "10.212.4.0/22".parse().unwrap(),
            mtu: 1400,
        }
    }

    #[test]
    fn names_of_devices_fit_the_kernel() {
        let names = ["a", "b"].map(|name| veth(&ContainerId::new(name).unwrap()));
        assert!(names[0] != names[1] && names.iter().all(|name| name.len() < 16), "{names:?}");
    }

    #[test]
    fn a_container_is_connected_in_two_scripts() {
        let address = bridge().subnet.address(0);
        assert_eq!(
            bridge().inside(address, "at1", 77),
            "link set dev lo up\n\
             link add name eth0 mtu 1400 type veth peer name at1 mtu 1400 netns 77\n\
             address add 10.212.4.2/22 broadcast + dev eth0\n\
             link set dev eth0 up\n\
             route add default via 10.212.4.1\n"
        );
        assert!(bridge().connect("at1").contains("link set dev at1 master attica-1a2b3c4d\n"));
        assert_eq!(
            bridge().disconnect(&["at1".to_owned(), "at2".to_owned()]),
            "link set dev at1 group 7\nlink set dev at2 group 7\nlink delete group 7\n"
        );
    }

    #[test]
    fn mappings_are_elements_of_a_map() {
        let tcp = Mapping { protocol: Protocol::Tcp, host_port: 31_000, container_port: 80 };
        let udp = Mapping { protocol: Protocol::Udp, host_port: 31_001, container_port: 53 };
        let mappings = [tcp, udp].map(|mapping| (Ipv4Addr::new(10, 212, 4, 2), mapping));
        let elements = "{ tcp . 31000 : 10.212.4.2 . 80, udp . 31001 : 10.212.4.2 . 53 }";
        assert_eq!(bridge().map(&mappings), format!("add element ip attica-1a2b3c4d ports {elements}\n"));
        assert!(bridge().rules(&mappings).contains(&format!("elements = {elements}\n")));
        assert!(!bridge().rules(&[]).contains("elements"));
        assert_eq!(bridge().unmap(&mappings), "delete element ip attica-1a2b3c4d ports { tcp . 31000, udp . 31001 }\n");
        assert_eq!(forget_unmapped(&[tcp, udp]).len(), 1);
    }
}

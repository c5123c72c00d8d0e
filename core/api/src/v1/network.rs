//! Addresses and networks of containers.

use super::{Labels, Parameter};
use crate::message::{enumeration, message};

enumeration! {
    /// The version of the internet protocol.
    pub enum NetworkProtocol {
        /// Version 4.
        Ipv4 "IPv4" = 1,
        /// Version 6.
        Ipv6 "IPv6" = 2,
    }
}

message! {
    /// An address of a container.
    pub struct IpAddress {
        protocol: default NetworkProtocol = 1 (NetworkProtocol::Ipv4),
        ip_address: optional String = 2,
    }
    /// A port of the host that leads to one of the container.
    pub struct NetworkPortMapping {
        host_port: required u32 = 1,
        container_port: required u32 = 2,
        protocol: optional String = 3,
    }
    /// A network that a container is attached to.
    pub struct NetworkInfo {
        ip_addresses: repeated IpAddress = 5,
        name: optional String = 6,
        groups: repeated String = 3,
        labels: optional Labels = 4,
        port_mappings: repeated NetworkPortMapping = 7,
    }
    /// Where something listens.
    pub struct Address {
        hostname: optional String = 1,
        ip: optional String = 2,
        port: required i32 = 3,
    }
    /// A URL in its parts.
    pub struct Url {
        scheme: required String = 1,
        address: required Address = 2,
        path: optional String = 3,
        query: repeated Parameter = 4,
        fragment: optional String = 5,
    }
}

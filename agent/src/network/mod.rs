//! Networks of containers: a bridge of this agent's own, network namespaces, addresses, and ports of the machine that lead to
//! ports of containers.
//!
//! ```text
//!   outside, 127.0.0.1, the machine's addresses
//!        │  nftables: `ports` maps (protocol, host port) to (address, port); masquerade on the way out
//!   ┌────┴───────────────┐
//!   │ bridge, first      │  one per agent, made with the first network that wants it, gone with the agent's last container
//!   │ address of subnet  │
//!   └─┬───────┬──────────┘
//!    at…     at…            ends of veth pairs on the machine's side
//!   ┌─┴─────┐ ┌─┴─────┐
//!   │ eth0  │ │ eth0  │     namespaces, each bound to `<runtime_dir>/networks/<container>`: an executor's tasks share one
//!   └───────┘ └───────┘
//! ```
//!
//! What a container asks for ([`request`]), which addresses are free ([`addresses`], [`subnet`]) and which commands make a network
//! ([`script`]) is decided without IO; [`detect`] finds out at the start what the machine can do, and [`host`] acts, on a thread of its own.
//!
//! The kernel does all the work: packets never pass through this agent, so networks and mappings go on while it is dead. It is told by the
//! programs `ip` and `nft`, which take what they are to do as text: it can be read, and typed again by people, and a network takes
//! about 12 ms to make, most of it in the kernel; netlink libraries would save a third of that for three crates and a protocol of our own to
//! speak nftables. The text goes in by standard input, nothing passes through a shell.
//!
//! Of the machine itself two things are changed, when the bridge is made: `net.ipv4.ip_forward` is switched on, and stays on, since others may
//! rely on it by then; `route_localnet` is set on the bridge alone, so that mappings work over 127.0.0.1, and a rule drops what a
//! container sends to the machine's loopback itself. Rules are in one table per agent; they drop what is forwarded to the bridge without
//! a mapping, and touch no other traffic. A firewall of the machine's own that drops forwarded packets has to let the bridge pass.
//!
//! Durable: which container has which address and mappings is in the agent's checkpoints; what the kernel has is brought in line with
//! them at the start.

pub(crate) mod addresses;
pub(crate) mod detect;
pub(crate) mod dns;
mod files;
pub(crate) mod host;
mod namespace;
pub(crate) mod request;
mod script;
pub(crate) mod subnet;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use attica_core_api::v1::{IpAddress, NetworkInfo};
use serde::{Deserialize, Serialize};

pub(crate) use self::files::{Files, Names};
pub(crate) use self::namespace::{Place, Sockets};
use self::subnet::Subnet;
use crate::launcher::protocol::ContainerId;

/// What the supervisor has to know of networks.
#[derive(Clone, Debug)]
pub(crate) struct Networks {
    /// The name by which tasks ask for the bridge.
    pub(crate) name: String,
    /// Where namespaces are bound.
    pub(crate) directory: PathBuf,
    /// Where the files are that tell containers of their networks.
    pub(crate) files: Files,
    /// Which addresses containers get, or why they cannot have networks of their own.
    pub(crate) subnet: Result<Subnet, String>,
    /// Whether datagrams can be mapped, or why not.
    pub(crate) datagrams: Result<(), String>,
}

impl Networks {
    /// The file of a namespace.
    pub(crate) fn namespace(&self, owner: &ContainerId) -> PathBuf {
        self.directory.join(owner.as_str())
    }
}

/// A container's network, once it has its place in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// In the bridge; a container without one has its own loopback and nothing else.
    pub(crate) address: Option<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mappings: Vec<Mapping>,
    /// As it was asked for.
    pub(crate) info: NetworkInfo,
    /// The name that the container has in it; `None` is its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<String>,
}

impl Attachment {
    /// As a status tells of it.
    pub(crate) fn told(&self) -> NetworkInfo {
        let address = |address: Ipv4Addr| IpAddress { ip_address: Some(address.to_string()), ..IpAddress::default() };
        NetworkInfo { ip_addresses: self.address.into_iter().map(address).collect(), ..self.info.clone() }
    }
}

/// A port of the machine that leads to one of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) protocol: Protocol,
    pub(crate) host_port: u16,
    pub(crate) container_port: u16,
}

/// What is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

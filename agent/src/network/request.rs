//! What network a container asks for, by `network_infos` as Mesos's containers do, or by `docker.network` as Docker's.
//!
//! A container of Mesos's kind that names no network is in the machine's, and so is one of Docker's kind with `HOST`. The bridge is asked for by its
//! name, or by Docker's `BRIDGE`; Docker's `NONE` is a namespace with nothing but loopback.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use attica_core_api::v1::{ContainerInfo, DockerInfo, DockerNetwork, NetworkInfo, NetworkProtocol, Resource};

use super::{Mapping, Networks, Protocol};

/// What a container asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// The machine's own network.
    Host,
    /// A namespace with nothing but loopback.
    Loopback(NetworkInfo),
    /// A namespace in the agent's bridge.
    Bridge {
        /// The address it has to have, if it says so.
        address: Option<Ipv4Addr>,
        mappings: Vec<Mapping>,
        info: NetworkInfo,
    },
}

/// Why a container does not get the network that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("This agent does not support `container.{0}`")]
    Unsupported(&'static str),
    #[error("The agent has no network `{name}`: there is `{own}`, and the machine's own for containers that name none")]
    Unknown { name: String, own: String },
    #[error("The agent cannot give containers networks of their own: {0}")]
    Unavailable(String),
    #[error("Port mappings are only supported for bridge and user-defined networks")]
    NothingToMap,
    #[error("A container in a network that its user made has to name it in `container.network_infos`")]
    Nameless,
    #[error("The port mapping's `{0}` {1} is no port")]
    Port(&'static str, u32),
    #[error("The port mapping's protocol `{0}` is neither `tcp` nor `udp`")]
    Protocol(String),
    #[error("The agent cannot map UDP ports: {0}")]
    Datagrams(String),
    #[error("The port mapping's `host_port` {0} is not among the task's `ports`")]
    NotOwned(u16),
    #[error("The host port {0} is mapped twice")]
    Twice(u16),
    #[error("`{0}` is no address for a container in the network's subnet {1}")]
    Address(String, String),
    #[error("The address {0} is in use, or no container's")]
    Taken(Ipv4Addr),
    #[error("All addresses of the network's subnet are in use")]
    Exhausted,
    #[error("An executor in a network of its own cannot reach the agent at {0} (--ip)")]
    AgentOutOfReach(IpAddr),
}

/// What `container` asks for, with the resources of all that is to share its network.
pub(crate) fn requested<'a>(
    networks: &Networks,
    container: Option<&ContainerInfo>,
    resources: impl Iterator<Item = &'a Resource> + Clone,
) -> Result<Request, Refusal> {
    let Some(container) = container else { return Ok(Request::Host) };
    let infos = &container.network_infos;
    if infos.len() > 1 {
        return Err(Refusal::Unsupported("network_infos with more than one network"));
    }
    let info = infos.first().cloned().unwrap_or_default();
    let request = match &container.docker {
        Some(docker) => of_docker(networks, docker, info)?,
        None if info.name.is_some() => bridge(networks, info, Vec::new())?,
        None if !info.port_mappings.is_empty() => return Err(Refusal::NothingToMap),
        None => unconnected(&info).map(|()| Request::Host)?,
    };
    match (&request, &networks.subnet) {
        (Request::Host, _) => {}
        (Request::Loopback(_) | Request::Bridge { .. }, Err(why)) => return Err(Refusal::Unavailable(why.clone())),
        (Request::Loopback(_), Ok(_)) => {}
        (Request::Bridge { address, mappings, .. }, Ok(subnet)) => {
            if let Some(address) = address.filter(|address| subnet.index(*address).is_none()) {
                return Err(Refusal::Address(address.to_string(), subnet.to_string()));
            }
            check(networks, mappings, resources)?;
        }
    }
    Ok(request)
}

fn of_docker(networks: &Networks, docker: &DockerInfo, info: NetworkInfo) -> Result<Request, Refusal> {
    let mapping = |mapping: &attica_core_api::v1::DockerPortMapping| {
        self::mapping(mapping.host_port, mapping.container_port, mapping.protocol.as_deref())
    };
    let mappings = docker.port_mappings.iter().map(mapping).collect::<Result<Vec<_>, _>>()?;
    let (named, mapped) = (info.name.is_some(), !mappings.is_empty() || !info.port_mappings.is_empty());
    match docker.network {
        DockerNetwork::Host | DockerNetwork::None if mapped => Err(Refusal::NothingToMap),
        DockerNetwork::Host | DockerNetwork::None if named => {
            Err(Refusal::Unsupported("network_infos.name with a docker.network HOST or NONE"))
        }
        DockerNetwork::Host => unconnected(&info).map(|()| Request::Host),
        DockerNetwork::None => unconnected(&info).map(|()| Request::Loopback(info)),
        DockerNetwork::User if !named => Err(Refusal::Nameless),
        DockerNetwork::Bridge | DockerNetwork::User => bridge(networks, info, mappings),
    }
}

/// Whether it says nothing of a network, for a container that is in none of the agent's.
fn unconnected(info: &NetworkInfo) -> Result<(), Refusal> {
    if !info.groups.is_empty() {
        return Err(Refusal::Unsupported("network_infos.groups"));
    }
    // An entry that only asks for a kind of address is what some frameworks send for every container.
    match info.ip_addresses.iter().any(|wanted| wanted.ip_address.is_some()) {
        true => Err(Refusal::Unsupported("network_infos.ip_addresses.ip_address without a network of the agent's")),
        false => Ok(()),
    }
}

fn bridge(networks: &Networks, info: NetworkInfo, mut mappings: Vec<Mapping>) -> Result<Request, Refusal> {
    if let Some(name) = info.name.as_ref().filter(|name| **name != networks.name) {
        return Err(Refusal::Unknown { name: name.clone(), own: networks.name.clone() });
    }
    if !info.groups.is_empty() {
        return Err(Refusal::Unsupported("network_infos.groups"));
    }
    if info.ip_addresses.len() > 1 {
        return Err(Refusal::Unsupported("network_infos.ip_addresses with more than one address"));
    }
    let mut address = None;
    if let Some(wanted) = info.ip_addresses.first() {
        match wanted.protocol {
            NetworkProtocol::Ipv4 => {}
            NetworkProtocol::Ipv6 => return Err(Refusal::Unsupported("network_infos.ip_addresses.protocol IPv6")),
        }
        let parse = |text: &String| {
            let subnet = networks.subnet.as_ref().map(ToString::to_string).unwrap_or_default();
            text.parse().map_err(|_| Refusal::Address(text.clone(), subnet))
        };
        address = wanted.ip_address.as_ref().map(parse).transpose()?;
    }
    for told in &info.port_mappings {
        mappings.push(mapping(told.host_port, told.container_port, told.protocol.as_deref())?);
    }
    Ok(Request::Bridge { address, mappings, info })
}

pub(crate) fn mapping(host: u32, container: u32, protocol: Option<&str>) -> Result<Mapping, Refusal> {
    let port = |name, port: u32| u16::try_from(port).ok().filter(|port| *port > 0).ok_or(Refusal::Port(name, port));
    let protocol = match protocol.unwrap_or("tcp").to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => return Err(Refusal::Protocol(other.to_owned())),
    };
    let (host_port, container_port) = (port("host_port", host)?, port("container_port", container)?);
    Ok(Mapping { protocol, host_port, container_port })
}

fn check<'a>(
    networks: &Networks,
    mappings: &[Mapping],
    resources: impl Iterator<Item = &'a Resource> + Clone,
) -> Result<(), Refusal> {
    for mapping in mappings {
        match (mapping.protocol, &networks.datagrams) {
            (Protocol::Udp, Err(why)) => return Err(Refusal::Datagrams(why.clone())),
            (Protocol::Udp | Protocol::Tcp, _) => {}
        }
    }
    check_owned(mappings, resources)
}

/// Each port of the machine has to be the task's, and to lead to one place.
pub(crate) fn check_owned<'a>(
    mappings: &[Mapping],
    resources: impl Iterator<Item = &'a Resource> + Clone,
) -> Result<(), Refusal> {
    let owned = |port: u16| {
        let ranges = resources.clone().filter(|resource| resource.name == "ports");
        let mut ranges = ranges.filter_map(|resource| resource.ranges.as_ref()).flat_map(|ranges| &ranges.range);
        ranges.any(|range| (range.begin..=range.end).contains(&u64::from(port)))
    };
    let mut seen = BTreeSet::new();
    for mapping in mappings {
        if !owned(mapping.host_port) {
            return Err(Refusal::NotOwned(mapping.host_port));
        }
        if !seen.insert((mapping.protocol, mapping.host_port)) {
            return Err(Refusal::Twice(mapping.host_port));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use attica_core_api::v1::{
        ContainerType, DockerPortMapping, IpAddress, NetworkPortMapping, Range, Ranges, ValueType,
    };

    use super::*;
    use crate::network::{Files, Names};

    fn networks() -> Networks {
        Networks {
            name: "mesos-bridge".to_owned(),
            directory: "/run/networks".into(),
            files: Files::beneath("/run".as_ref(), Names::AsTheMachine),
            subnet: Ok("10.0.0.0/24".parse().unwrap()),
            datagrams: Ok(()),
        }
    }

    fn ports(begin: u64, end: u64) -> Vec<Resource> {
        let ranges = Some(Ranges { range: vec![Range { begin, end }] });
        vec![Resource { name: "ports".to_owned(), r#type: ValueType::Ranges, ranges, ..Resource::default() }]
    }

    fn named(change: impl FnOnce(&mut NetworkInfo)) -> ContainerInfo {
        let mut info = NetworkInfo { name: Some("mesos-bridge".to_owned()), ..NetworkInfo::default() };
        change(&mut info);
        ContainerInfo { r#type: ContainerType::Mesos, network_infos: vec![info], ..ContainerInfo::default() }
    }

    fn docker(network: DockerNetwork, host_ports: &[u32]) -> ContainerInfo {
        let mapping = |host_port: &u32| DockerPortMapping { host_port: *host_port, container_port: 80, protocol: None };
        let docker =
            DockerInfo { network, port_mappings: host_ports.iter().map(mapping).collect(), ..DockerInfo::default() };
        ContainerInfo { r#type: ContainerType::Docker, docker: Some(docker), ..ContainerInfo::default() }
    }

    fn mapped(host_port: u32, container_port: u32, protocol: &str) -> NetworkPortMapping {
        NetworkPortMapping { host_port, container_port, protocol: Some(protocol.to_owned()) }
    }

    fn ask(container: &ContainerInfo) -> Result<Request, Refusal> {
        requested(&networks(), Some(container), ports(31_000, 31_009).iter())
    }

    #[test]
    fn the_machines_network_is_what_is_not_named() {
        assert_eq!(requested(&networks(), None, [].iter()), Ok(Request::Host));
        assert_eq!(ask(&ContainerInfo::default()), Ok(Request::Host));
        assert_eq!(ask(&named(|info| info.name = None)), Ok(Request::Host));
        assert_eq!(ask(&docker(DockerNetwork::Host, &[])), Ok(Request::Host));
        assert_eq!(ask(&docker(DockerNetwork::None, &[])), Ok(Request::Loopback(NetworkInfo::default())));
    }

    #[test]
    fn mappings_of_either_kind_lead_to_the_bridge() {
        let tcp = Mapping { protocol: Protocol::Tcp, host_port: 31_001, container_port: 80 };
        let udp = Mapping { protocol: Protocol::Udp, host_port: 31_001, container_port: 53 };
        let of_mesos = named(|info| info.port_mappings = vec![mapped(31_001, 80, "tcp"), mapped(31_001, 53, "UDP")]);
        let Ok(Request::Bridge { address: None, mappings, info }) = ask(&of_mesos) else { panic!("refused") };
        assert_eq!(mappings, [tcp, udp]);
        assert_eq!(info, of_mesos.network_infos[0]);
        let Ok(Request::Bridge { mappings, .. }) = ask(&docker(DockerNetwork::Bridge, &[31_001])) else {
            panic!("refused")
        };
        assert_eq!(mappings, [tcp]);
        let user = ContainerInfo { network_infos: of_mesos.network_infos, ..docker(DockerNetwork::User, &[31_002]) };
        let Ok(Request::Bridge { mappings, .. }) = ask(&user) else { panic!("refused") };
        assert_eq!(mappings.len(), 3);
    }

    #[test]
    fn an_address_can_be_asked_for() {
        let asking = |protocol, address: Option<&str>| {
            named(|info| {
                info.ip_addresses = vec![IpAddress { protocol, ip_address: address.map(str::to_owned) }];
            })
        };
        let address = |container: &ContainerInfo| match ask(container) {
            Ok(Request::Bridge { address, .. }) => Ok(address),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.to_string()),
        };
        assert_eq!(address(&asking(NetworkProtocol::Ipv4, None)), Ok(None));
        let given = address(&asking(NetworkProtocol::Ipv4, Some("10.0.0.9")));
        assert_eq!(given, Ok(Some(Ipv4Addr::new(10, 0, 0, 9))));
        for bad in ["10.0.0.1", "10.0.1.9", "there"] {
            let refusal = address(&asking(NetworkProtocol::Ipv4, Some(bad))).unwrap_err();
            assert_eq!(refusal, format!("`{bad}` is no address for a container in the network's subnet 10.0.0.0/24"));
        }
        assert!(address(&asking(NetworkProtocol::Ipv6, None)).unwrap_err().contains("IPv6"));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let mappings = |mappings: Vec<NetworkPortMapping>| named(|info| info.port_mappings = mappings);
        let nameless = |change: fn(&mut NetworkInfo)| {
            named(|info| {
                info.name = None;
                change(info);
            })
        };
        let address = |info: &mut NetworkInfo| {
            let ip_address = Some("10.0.0.9".to_owned());
            info.ip_addresses = vec![IpAddress { protocol: NetworkProtocol::Ipv4, ip_address }];
        };
        let of_docker =
            |network| ContainerInfo { network_infos: nameless(address).network_infos, ..docker(network, &[]) };
        let cases = [
            (nameless(|info| info.groups.push("g".to_owned())), "`container.network_infos.groups`"),
            (nameless(|info| info.port_mappings = vec![mapped(31_000, 80, "tcp")]), "only supported for bridge"),
            (nameless(address), "`container.network_infos.ip_addresses.ip_address without a network"),
            (of_docker(DockerNetwork::Host), "ip_address without a network"),
            (of_docker(DockerNetwork::None), "ip_address without a network"),
            (named(|info| info.name = Some("dcos".to_owned())), "no network `dcos`: there is `mesos-bridge`"),
            (named(|info| info.groups.push("g".to_owned())), "`container.network_infos.groups`"),
            (mappings(vec![mapped(31_010, 80, "tcp")]), "`host_port` 31010 is not among the task's `ports`"),
            (mappings(vec![mapped(70_000, 80, "tcp")]), "`host_port` 70000 is no port"),
            (mappings(vec![mapped(31_000, 0, "tcp")]), "`container_port` 0 is no port"),
            (mappings(vec![mapped(31_000, 80, "sctp")]), "`sctp` is neither"),
            (mappings(vec![mapped(31_000, 80, "tcp"), mapped(31_000, 81, "tcp")]), "31000 is mapped twice"),
            (docker(DockerNetwork::Host, &[31_000]), "only supported for bridge"),
            (docker(DockerNetwork::User, &[]), "has to name it"),
        ];
        for (container, words) in cases {
            let refusal = ask(&container).unwrap_err().to_string();
            assert!(refusal.contains(words), "{refusal}");
        }
        let udp = mappings(vec![mapped(31_000, 53, "udp")]);
        let lacking = Networks { datagrams: Err("there is no `conntrack`".to_owned()), ..networks() };
        let refusal = requested(&lacking, Some(&udp), ports(31_000, 31_000).iter()).unwrap_err();
        assert!(refusal.to_string().contains("there is no `conntrack`"), "{refusal}");
        let lacking = Networks { subnet: Err("it does not run as root".to_owned()), ..networks() };
        let refusal = requested(&lacking, Some(&udp), ports(31_000, 31_000).iter()).unwrap_err();
        assert!(refusal.to_string().contains("it does not run as root"), "{refusal}");
        assert_eq!(requested(&lacking, Some(&ContainerInfo::default()), [].iter()), Ok(Request::Host));
    }
}

//! The ports of an instance.

use std::collections::BTreeSet;

use attica_paas_api::app::PortDefinition as Written;
use attica_paas_api::container::PortMapping as WrittenMapping;

use super::{Faults, limits, text};
use crate::model::{PortChoice, PortDefinition, PortMapping, Protocol};

pub(super) fn definitions(written: Option<Vec<Written>>, faults: &mut Faults) -> Option<Vec<PortDefinition>> {
    let written = written?;
    let path = "/portDefinitions";
    check_count(path, written.len(), faults);
    refuse_repeated(path, "Port names must be unique.", written.iter().filter_map(|port| port.name.as_deref()), faults);
    refuse_repeated(
        path,
        "Ports must be unique.",
        written.iter().map(|port| port.port).filter(|port| *port != 0),
        faults,
    );
    let definitions = written.into_iter().enumerate();
    Some(
        definitions
            .filter_map(|(index, port)| self::port(&format!("/portDefinitions({index})"), "port", port, faults))
            .collect(),
    )
}

pub(super) fn mappings(written: Vec<WrittenMapping>, faults: &mut Faults) -> Vec<PortDefinition> {
    let path = "/container/portMappings";
    check_count(path, written.len(), faults);
    refuse_repeated(path, "Port names must be unique.", written.iter().filter_map(|port| port.name.as_deref()), faults);
    let host_ports = written.iter().filter_map(|port| port.host_port).filter(|port| *port != 0);
    refuse_repeated(path, "Host ports must be unique.", host_ports, faults);
    let mappings = written.into_iter().enumerate();
    mappings.filter_map(|(index, port)| mapping(&format!("{path}({index})"), port, faults)).collect()
}

fn mapping(path: &str, written: WrittenMapping, faults: &mut Faults) -> Option<PortDefinition> {
    let container = number(&format!("{path}/containerPort"), written.container_port, faults);
    let host = written.host_port.map(|port| number(&format!("{path}/hostPort"), port, faults));
    for name in &written.network_names {
        text::check(&format!("{path}/networkNames"), name, limits::NAME_LENGTH_MAX, faults);
    }
    let port =
        Written { port: written.service_port, protocol: written.protocol, name: written.name, labels: written.labels };
    let definition = self::port(path, "servicePort", port, faults)?;
    let host = match host {
        None => None,
        Some(host) => Some(host?),
    };
    let mapping = PortMapping { container: container?, host, networks: written.network_names };
    Some(PortDefinition { mapping: Some(mapping), ..definition })
}

pub(super) fn number(path: &str, written: i64, faults: &mut Faults) -> Option<u16> {
    let number = u16::try_from(written).ok();
    if number.is_none() {
        faults.add(path, format!("got {written}, expected between 0 and 65535"));
    }
    number
}

fn check_count(path: &str, count: usize, faults: &mut Faults) {
    if count > limits::PORTS_MAX {
        faults.add(path, format!("must not have more than {} items", limits::PORTS_MAX));
    }
}

fn refuse_repeated<T: Ord>(path: &str, error: &str, mut values: impl Iterator<Item = T>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    if !values.all(|value| seen.insert(value)) {
        faults.add(path, error);
    }
}

fn port(path: &str, field: &str, written: Written, faults: &mut Faults) -> Option<PortDefinition> {
    let port = number(&format!("{path}/{field}"), written.port, faults);
    let protocol = protocol(&written.protocol);
    if protocol.is_none() {
        faults.add(format!("{path}/protocol"), "must be one of tcp, udp, 'udp,tcp'");
    }
    if let Some(name) = &written.name {
        check_name(&format!("{path}/name"), name, faults);
    }
    let labels = text::labels(&format!("{path}/labels"), Some(written.labels), faults);
    let choice = PortChoice::User;
    let (port, protocol, labels) = (port?, protocol?, labels?);
    Some(PortDefinition { port, choice, name: written.name, protocol, labels, mapping: None })
}

fn protocol(written: &str) -> Option<Protocol> {
    match written {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "udp,tcp" | "tcp,udp" => Some(Protocol::UdpTcp),
        _ => None,
    }
}

/// A name becomes part of a variable's name and of discovery records.
fn check_name(path: &str, name: &str, faults: &mut Faults) {
    text::check(path, name, limits::NAME_LENGTH_MAX, faults);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(allowed) {
        faults.add(path, "must be letters, digits, dashes, underscores and dots");
    }
}

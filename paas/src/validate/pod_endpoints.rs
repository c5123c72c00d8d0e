//! Where the containers of a pod answer.

use std::collections::BTreeSet;

use attica_paas_api::pod::{Endpoint as Written, PodContainer};

use super::{Faults, limits, ports, text};
use crate::model::{Networks, PodEndpoint, is_container_name};

/// What must not be there twice in a pod.
pub(super) fn check_unique(containers: &[PodContainer], networks: &Networks, faults: &mut Faults) {
    let endpoints = || containers.iter().flat_map(|container| &container.endpoints);
    let path = "/containers";
    if endpoints().count() > limits::PORTS_MAX {
        faults.add(path, format!("must not have more than {} endpoints together", limits::PORTS_MAX));
    }
    // The spelling is what clients know.
    let names = endpoints().map(|endpoint| endpoint.name.as_str());
    refuse_repeated(path, "endpoint names nust be unique across all containers", names, faults);
    if !networks.is_host() {
        let ports = endpoints().filter_map(|endpoint| endpoint.container_port).filter(|port| *port != 0);
        refuse_repeated(path, "container ports must be unique across all containers", ports, faults);
    }
    let ports = endpoints().filter_map(|endpoint| endpoint.host_port).filter(|port| *port != 0);
    refuse_repeated(path, "host ports must be unique across all containers", ports, faults);
}

fn refuse_repeated<T: Ord>(path: &str, error: &str, mut values: impl Iterator<Item = T>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    if !values.all(|value| seen.insert(value)) {
        faults.add(path, error);
    }
}

pub(super) fn endpoints(
    container: &str,
    written: Vec<Written>,
    networks: &Networks,
    faults: &mut Faults,
) -> Vec<PodEndpoint> {
    let endpoints = written.into_iter().enumerate();
    endpoints
        .filter_map(|(index, written)| endpoint(&format!("{container}/endpoints({index})"), written, networks, faults))
        .collect()
}

fn endpoint(path: &str, written: Written, networks: &Networks, faults: &mut Faults) -> Option<PodEndpoint> {
    if !is_container_name(&written.name) {
        let error = "must fully match regular expression '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', in 63 characters";
        faults.add(format!("{path}/name"), error);
    }
    match networks {
        Networks::Host => {
            if written.host_port.is_none() {
                faults.add(format!("{path}/hostPort"), "is required when using host-mode networking");
            }
            if written.container_port.is_some() {
                faults.add(format!("{path}/containerPort"), "is not allowed when using host-mode networking");
            }
        }
        Networks::Bridge { .. } | Networks::Container(_) => {
            if written.container_port.is_none() {
                faults.add(format!("{path}/containerPort"), "is required when using container-mode networking");
            }
        }
    }
    let mut protocols = BTreeSet::new();
    if !written.protocol.iter().all(|protocol| protocols.insert(protocol)) {
        let error = "Duplicate protocols within the same endpoint are not allowed";
        faults.add(format!("{path}/protocol"), error);
    }
    for protocol in &written.protocol {
        text::check(&format!("{path}/protocol"), protocol, limits::NAME_LENGTH_MAX, faults);
    }
    check_network_names(path, &written, networks, faults);
    let mut number =
        |name: &str, port: Option<i64>| port.map(|port| ports::number(&format!("{path}/{name}"), port, faults));
    let (container_port, host_port) =
        (number("containerPort", written.container_port), number("hostPort", written.host_port));
    Some(PodEndpoint {
        name: written.name,
        container_port: container_port.flatten(),
        host_port: host_port.flatten(),
        protocols: written.protocol,
        labels: text::labels(&format!("{path}/labels"), Some(written.labels), faults)?,
        networks: written.network_names,
    })
}

fn check_network_names(path: &str, written: &Written, networks: &Networks, faults: &mut Faults) {
    let known: Vec<&str> = match networks {
        Networks::Host | Networks::Bridge { .. } => Vec::new(),
        Networks::Container(networks) => networks.iter().map(|network| network.name.as_str()).collect(),
    };
    let path = format!("{path}/networkNames");
    if written.network_names.iter().any(|name| !known.contains(&name.as_str())) {
        faults.add(&path, "must name networks of this pod");
    }
    if written.host_port.is_some() && known.len() > 1 && written.network_names.len() != 1 {
        let error = "networkNames must be a single item list when hostPort is specified and more than 1 container \
                     network is defined";
        faults.add(path, error);
    }
}

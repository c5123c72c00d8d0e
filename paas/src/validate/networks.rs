//! The networks of an instance, in whichever of their spellings.

use std::collections::BTreeSet;

use attica_paas_api::app::Network;
use attica_paas_api::container::IpAddressRequest;

use super::{Faults, ROOT, Rules, limits, text};
use crate::model::{ContainerNetwork, Networks};

const MIXED: &str = "May specify a single host network, single bridge network, or else 1-to-n container networks";
const NAMELESS: &str = "Network name must be specified when container network is selected.";

/// How networks were written before `networks`: a word in `container.docker.network`, and `ipAddress`.
pub(super) struct Deprecated<'a> {
    pub(super) docker: Option<&'a str>,
    pub(super) ip_address: Option<&'a IpAddressRequest>,
}

/// The networks that are asked for, if any are.
pub(super) fn networks(
    written: Option<Vec<Network>>,
    deprecated: &Deprecated<'_>,
    rules: &Rules,
    faults: &mut Faults,
) -> Option<Networks> {
    // Some clients write an empty list for what nobody set.
    let Some(written) = written.filter(|written| !written.is_empty()) else {
        return translated(deprecated, rules, faults);
    };
    if deprecated.ip_address.is_some() {
        faults.add(ROOT, "must not specify both networks and ipAddress");
    } else if deprecated.docker.is_some() {
        faults.add(ROOT, "cannot mix deprecated and canonical network APIs");
    }
    canonical(written, rules, faults)
}

fn canonical(written: Vec<Network>, rules: &Rules, faults: &mut Faults) -> Option<Networks> {
    if written.len() > limits::NETWORKS_MAX {
        faults.add("/networks", format!("must not have more than {} items", limits::NETWORKS_MAX));
    }
    let alone = written.len() == 1;
    let mut found = None;
    let mut names = BTreeSet::new();
    for (index, network) in written.into_iter().enumerate() {
        let path = format!("/networks({index})");
        let labels = text::labels(&format!("{path}/labels"), Some(network.labels), faults).unwrap_or_default();
        match (network.mode.as_str(), network.name) {
            ("host" | "container/bridge", _) if !alone => {
                faults.add("/networks", MIXED);
                return None;
            }
            ("host", name) if name.is_some() || !labels.is_empty() => {
                faults.add(path, "Host networks may not have names or labels");
            }
            ("host", _) => found = Some(Networks::Host),
            ("container/bridge", Some(_)) => faults.add(path, "Bridge networks may not have names"),
            ("container/bridge", None) => found = Some(Networks::Bridge { labels }),
            ("container", name) => {
                let Some(name) = name.or_else(|| rules.network.clone()) else {
                    faults.add(path, NAMELESS);
                    continue;
                };
                check_name(&format!("{path}/name"), &name, faults);
                if !names.insert(name.clone()) {
                    faults.add("/networks", "Duplicate networks are not allowed");
                }
                let network = ContainerNetwork { name, labels };
                match &mut found {
                    Some(Networks::Container(networks)) => networks.push(network),
                    Some(Networks::Host | Networks::Bridge { .. }) | None => {
                        found = Some(Networks::Container(vec![network]));
                    }
                }
            }
            (_, _) => faults.add(path + "/mode", "must be one of host, container, container/bridge"),
        }
    }
    found
}

fn translated(deprecated: &Deprecated<'_>, rules: &Rules, faults: &mut Faults) -> Option<Networks> {
    let Deprecated { docker, ip_address } = deprecated;
    let labels = ip_address.map(|address| address.labels.clone()).unwrap_or_default();
    let name = ip_address.and_then(|address| address.network_name.clone()).or_else(|| rules.network.clone());
    match (*docker, ip_address) {
        (None, None) => None,
        (Some("HOST"), _) => Some(Networks::Host),
        (Some("BRIDGE"), _) => Some(Networks::Bridge { labels }),
        (Some("USER"), _) | (None, Some(_)) => match name {
            Some(name) => {
                check_name("/ipAddress/networkName", &name, faults);
                Some(Networks::Container(vec![ContainerNetwork { name, labels }]))
            }
            None => {
                faults.add(ROOT, NAMELESS);
                None
            }
        },
        (Some(unsupported), _) => {
            faults.add("/container/docker/network", format!("unsupported docker network type {unsupported}"));
            None
        }
    }
}

fn check_name(path: &str, name: &str, faults: &mut Faults) {
    text::check(path, name, limits::NAME_LENGTH_MAX, faults);
    if name.is_empty() {
        faults.add(path, "must not be empty");
    }
}

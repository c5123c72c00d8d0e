//! The ports of an instance.

use std::collections::BTreeSet;

use attica_paas_api::app::PortDefinition as Written;

use super::{Faults, limits, text};
use crate::model::{PortChoice, PortDefinition, Protocol};

pub(super) fn definitions(written: Option<Vec<Written>>, faults: &mut Faults) -> Option<Vec<PortDefinition>> {
    let written = written?;
    if written.len() > limits::PORTS_MAX {
        faults.add("/portDefinitions", format!("must not have more than {} items", limits::PORTS_MAX));
    }
    refuse_repeated("Port names must be unique.", written.iter().filter_map(|port| port.name.as_deref()), faults);
    refuse_repeated("Ports must be unique.", written.iter().map(|port| port.port).filter(|port| *port != 0), faults);
    let definitions = written.into_iter().enumerate();
    Some(
        definitions
            .filter_map(|(index, port)| definition(&format!("/portDefinitions({index})"), port, faults))
            .collect(),
    )
}

fn refuse_repeated<T: Ord>(error: &str, mut values: impl Iterator<Item = T>, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    if !values.all(|value| seen.insert(value)) {
        faults.add("/portDefinitions", error);
    }
}

fn definition(path: &str, written: Written, faults: &mut Faults) -> Option<PortDefinition> {
    let port = u16::try_from(written.port);
    if port.is_err() {
        faults.add(format!("{path}/port"), format!("got {}, expected between 0 and 65535", written.port));
    }
    let protocol = protocol(&written.protocol);
    if protocol.is_none() {
        faults.add(format!("{path}/protocol"), "must be one of tcp, udp, 'udp,tcp'");
    }
    if let Some(name) = &written.name {
        check_name(&format!("{path}/name"), name, faults);
    }
    let labels = text::labels(&format!("{path}/labels"), Some(written.labels), faults);
    let choice = PortChoice::User;
    Some(PortDefinition { port: port.ok()?, choice, name: written.name, protocol: protocol?, labels: labels? })
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

//! What follows from persistent volumes for the rest of a definition, and for changes of it. The messages are Marathon's.

use std::collections::BTreeSet;

use crate::engine::Violation;
use crate::model::{RunSpec, Shape, Unreachable};
use crate::placement::UNRESERVED;

const RESOURCES_CHANGED: &str = "Services with persistent volumes configured may not change resource requirements. If you need to make this \
                                 change, please create a new service.";
const HOST_PORTS_CHANGED: &str = "Services with persistent volumes configured may not change host ports. If you need to make this change, \
                                  please create a new service.";

/// Judges a whole definition.
pub(super) fn check(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let Some(_) = spec.residency else { return };
    let mut refuse = |path: &str, message: String| violations.push(Violation::new(path, message));
    if spec.persistent_volumes().is_empty() {
        return refuse("/residency", "an app without a persistent volume has nothing to stay with".to_owned());
    }
    let (singular, plural) = words(spec);
    if spec.role == UNRESERVED {
        refuse("/role", format!("Resident {plural} cannot have the role {UNRESERVED}"));
    }
    if spec.unreachable != Unreachable::Disabled {
        let whose = match spec.shape() {
            Shape::App => "resident tasks",
            Shape::Pod => "pods with persistent volumes",
        };
        refuse("/", format!("unreachableStrategy must be disabled for {whose}"));
    }
    if spec.upgrade.maximum_over_capacity != 0.0 {
        let path = match spec.shape() {
            Shape::App => "/upgradeStrategy/maximumOverCapacity",
            Shape::Pod => "/upgrade/maximumOverCapacity",
        };
        refuse(path, format!("got {:?}, expected 0.0", spec.upgrade.maximum_over_capacity));
    }
    let accepted = &spec.placement.accepted_resource_roles;
    if !accepted.is_empty() && accepted.iter().any(|role| role != UNRESERVED) {
        let message = format!(r#"A resident {singular} must have `acceptedResourceRoles = ["{UNRESERVED}"]`."#);
        refuse("/acceptedResourceRoles", message);
    }
}

/// Judges a change: what is reserved for instances stays as it is.
///
/// # Errors
/// Every rule that it breaks.
pub fn change(from: &RunSpec, to: &RunSpec) -> Result<(), Vec<Violation>> {
    if !from.is_resident() && !to.is_resident() {
        return Ok(());
    }
    let is_pod = to.shape() == Shape::Pod;
    let mut violations = Vec::new();
    let mut refuse = |path: &str, message: &str| violations.push(Violation::new(path, message));
    let sorted = |spec: &RunSpec| {
        let volumes = spec.persistent_volumes().into_iter().map(|(name, volume)| (name.to_owned(), volume.clone()));
        let mut volumes: Vec<_> = volumes.collect();
        volumes.sort_by(|one, other| one.0.cmp(&other.0));
        volumes
    };
    if sorted(from) != sorted(to) {
        refuse(
            "/",
            if is_pod { "persistent volumes cannot be updated" } else { "Persistent volumes can not be changed!" },
        );
    }
    let (old, new) = (&from.resources, &to.resources);
    let changed = [
        ("cpus", old.cpus != new.cpus),
        ("mem", old.mem != new.mem),
        ("disk", old.disk != new.disk),
        ("gpus", old.gpus != new.gpus),
    ];
    for (name, changed) in changed {
        match (changed, is_pod) {
            (true, true) => refuse("/", &format!("{name} cannot be updated if a pod has persistent volumes")),
            (true, false) => refuse(&format!("/{name}"), RESOURCES_CHANGED),
            (false, _) => {}
        }
    }
    if from.require_ports != to.require_ports {
        refuse("/requirePorts", RESOURCES_CHANGED);
    }
    if host_ports(from) != host_ports(to) || from.ports.len() != to.ports.len() {
        let message = "host ports cannot be updated if a pod has persistent volumes";
        refuse("/", if is_pod { message } else { HOST_PORTS_CHANGED });
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// The host ports that are named, 0 for any.
fn host_ports(spec: &RunSpec) -> BTreeSet<u16> {
    let ports = spec.ports.iter().filter_map(|port| match &port.mapping {
        Some(mapping) => mapping.host,
        None if spec.require_ports => Some(port.port),
        None => Some(0),
    });
    ports.collect()
}

fn words(spec: &RunSpec) -> (&'static str, &'static str) {
    match spec.shape() {
        Shape::App => ("app", "apps"),
        Shape::Pod => ("pod", "pods"),
    }
}

//! Rules that need the whole definition, after an update was merged into the current version.

use super::{executor, placement, resident, secrets};
use crate::engine::Violation;
use crate::model::{CheckedPort, CommandLine, ContainerKind, Limit, Networks, Question, RunSpec};

/// Marks an app of which two instances must never run side by side.
pub(super) const SINGLE_INSTANCE: &str = "MARATHON_SINGLE_INSTANCE_APP";

/// Judges a whole definition.
///
/// # Errors
/// Every rule that it breaks.
pub fn whole(spec: &RunSpec) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    placement::check_accepted(spec, &mut violations);
    resident::check(spec, &mut violations);
    secrets::check_references(spec, &mut violations);
    // A pod is written as a whole, and all else of it was judged so.
    if spec.pod().is_none() {
        check_app(spec, &mut violations);
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

fn check_app(spec: &RunSpec, violations: &mut Vec<Violation>) {
    check_port_indexes(spec, violations);
    check_port_names(spec, violations);
    check_limits(spec, violations);
    check_network_names(spec, violations);
    check_graph(spec, violations);
    check_gpus(spec, violations);
    executor::check(spec, violations);
    if is_single_instance(spec.labels.get(SINGLE_INSTANCE)) {
        check_single_instance(spec, violations);
    }
}

pub(super) fn is_single_instance(label: Option<&String>) -> bool {
    label.is_some_and(|value| value == "true")
}

fn check_port_indexes(spec: &RunSpec, violations: &mut Vec<Violation>) {
    for (index, check) in spec.health_checks.iter().enumerate() {
        match check.port {
            CheckedPort::Index(port) if (port as usize) < spec.ports.len() => {}
            CheckedPort::Index(_) => violations.push(Violation::new(
                format!("/healthChecks({index})/portIndex"),
                "Health check port indices must address an element of the ports array or container port mappings.",
            )),
            CheckedPort::Number(_) | CheckedPort::None => {}
        }
    }
    let asked = spec.check.as_ref().and_then(|check| match &check.question {
        Question::Http { port_index, .. } => Some(("/check/http/portIndex", *port_index)),
        Question::Tcp { port_index } => Some(("/check/tcp/portIndex", *port_index)),
        Question::Command(_) => None,
    });
    if let Some((path, _)) = asked.filter(|(_, index)| *index as usize >= spec.ports.len()) {
        violations.push(Violation::new(
            path,
            "Check port indices must address an element of the ports array or container port mappings.",
        ));
    }
}

fn check_port_names(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let Some(check) = &spec.readiness_check else { return };
    if !spec.ports.iter().any(|port| port.name.as_ref() == Some(&check.port_name)) {
        let error = format!("No port definition reference for portName {}", check.port_name);
        violations.push(Violation::new("/readinessChecks(0)/portName", error));
    }
}

fn check_limits(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let limits = [
        ("/resourceLimits/cpus", spec.limits.cpus, spec.resources.cpus),
        ("/resourceLimits/mem", spec.limits.mem, spec.resources.mem),
    ];
    for (path, limit, request) in limits {
        match limit {
            Some(Limit::Amount(amount)) if amount < request => {
                let error = format!(
                    "resource limit must be greater than or equal to requested resource ({})",
                    request.to_f64()
                );
                violations.push(Violation::new(path, error));
            }
            Some(Limit::Amount(_) | Limit::Unlimited) | None => {}
        }
    }
}

fn check_gpus(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let is_docker = spec.container.as_ref().is_some_and(|container| container.kind == ContainerKind::Docker);
    if is_docker && !spec.resources.gpus.is_zero() {
        violations.push(Violation::new("/", "GPU resources only work with the Mesos containerizer"));
    }
}

fn check_network_names(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let names: Vec<&str> = match &spec.networks {
        Networks::Host | Networks::Bridge { .. } => Vec::new(),
        Networks::Container(networks) => networks.iter().map(|network| network.name.as_str()).collect(),
    };
    let mappings = spec.ports.iter().enumerate().filter_map(|(index, port)| Some((index, port.mapping.as_ref()?)));
    for (index, mapping) in mappings {
        let path = format!("/container/portMappings({index})/networkNames");
        if mapping.networks.iter().any(|name| !names.contains(&name.as_str())) {
            violations.push(Violation::new(&path, "must name networks of this app"));
        }
        if mapping.host.is_some() && names.len() > 1 && mapping.networks.len() != 1 {
            let error = "networkNames must be a single item list when hostPort is specified and more than 1 container \
                         network is defined";
            violations.push(Violation::new(&path, error));
        }
    }
}

fn check_graph(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let CommandLine::Graph(graph) = &spec.command else { return };
    if spec.container.is_some() {
        violations.push(Violation::new("/processGraph", "is not supported yet together with a container"));
    }
    if graph.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.port_index as usize >= spec.ports.len()) {
        let path = "/processGraph/lifecycle/portIndex";
        violations.push(Violation::new(path, "has to be the index of one of the app's ports"));
    }
}

fn check_single_instance(spec: &RunSpec, violations: &mut Vec<Violation>) {
    if spec.instances > 1 {
        violations.push(Violation::new("/instances", "Single instance app may only have one instance"));
    }
    if spec.upgrade.minimum_health_capacity != 0.0 || spec.upgrade.maximum_over_capacity != 0.0 {
        violations.push(Violation::new(
            "/upgradeStrategy",
            "Single instance app: minimumHealthCapacity and maximumOverCapacity must be 0",
        ));
    }
}

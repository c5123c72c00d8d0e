//! Rules that need the whole definition, after an update was merged into the current version.

use crate::engine::Violation;
use crate::model::{CheckedPort, RunSpec};

/// Marks an app of which two instances must never run side by side.
pub(super) const SINGLE_INSTANCE: &str = "MARATHON_SINGLE_INSTANCE_APP";

/// Judges a whole definition.
///
/// # Errors
/// Every rule that it breaks.
pub fn whole(spec: &RunSpec) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    check_port_indexes(spec, &mut violations);
    if is_single_instance(spec.labels.get(SINGLE_INSTANCE)) {
        check_single_instance(spec, &mut violations);
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
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

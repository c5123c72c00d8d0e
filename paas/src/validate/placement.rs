//! Whose resources an instance takes.

use super::Faults;
use crate::engine::Violation;
use crate::model::{RunSpec, Shape};
use crate::placement::UNRESERVED;

pub(super) fn accepted_roles(path: &str, roles: Option<Vec<String>>, faults: &mut Faults) -> Option<Vec<String>> {
    let roles = roles?;
    if roles.is_empty() {
        faults.add(path, "must not be empty");
    }
    Some(roles)
}

/// Only what is reserved for its own role, or for nobody, is ever offered.
pub(super) fn check_accepted(spec: &RunSpec, violations: &mut Vec<Violation>) {
    let is_foreign = |role: &String| *role != UNRESERVED && *role != spec.role;
    if spec.placement.accepted_resource_roles.iter().any(is_foreign) {
        let path = match spec.shape() {
            Shape::App => "/acceptedResourceRoles",
            Shape::Pod => "/scheduling/placement/acceptedResourceRoles",
        };
        let own = if spec.role == UNRESERVED { String::new() } else { format!(" and {}", spec.role) };
        violations.push(Violation::new(path, format!("acceptedResourceRoles can only contain {UNRESERVED}{own}")));
    }
}

//! Roles.

use super::{Faults, Rules};

const UNRESERVED: &str = "*";

pub(super) fn role(role: Option<String>, rules: &Rules, faults: &mut Faults) -> Option<String> {
    let role = role?;
    if role != rules.role {
        faults.add("/role", format!("is not one of ({}): other roles are not supported yet", rules.role));
    }
    Some(role)
}

pub(super) fn accepted_roles(
    path: &str,
    roles: Option<Vec<String>>,
    rules: &Rules,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    let roles = roles?;
    if roles.is_empty() {
        faults.add(path, "must not be empty");
    }
    for (index, role) in roles.iter().enumerate().filter(|(_, role)| *role != UNRESERVED && **role != rules.role) {
        faults.add(
            format!("{path}({index})"),
            format!("'{role}' is not supported yet: resources reserved for other roles are not used"),
        );
    }
    Some(roles)
}

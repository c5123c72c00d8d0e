//! What an operation needs to be allowed: the actions and objects behind what frameworks and operators ask for.
//!
//! The rules themselves are [`attica_core_api::auth::Acls`]. The kernel judges the operations of frameworks, the routes the calls
//! of operators; both ask here what is to be judged, so that reserving needs the same from either.

mod needed;
#[cfg(test)]
mod tests;

use attica_core_api::auth::{Acls, Principal};
use attica_core_api::v1::{FrameworkInfo, TaskInfo};

pub use needed::Needed;

/// The principal that a framework has introduced itself with; a master that authenticates frameworks has made sure of it.
pub fn principal_of(framework: &FrameworkInfo) -> Option<Principal> {
    framework.principal.as_deref().filter(|name| !name.is_empty()).map(Principal::named)
}

/// The account that a task runs as: of its command, of its executor, or of its framework.
pub fn user_of<'a>(task: &'a TaskInfo, framework: &'a FrameworkInfo) -> &'a str {
    let command = task.command.as_ref().and_then(|command| command.user.as_deref());
    let executor = || task.executor.as_ref()?.command.as_ref()?.user.as_deref();
    command.or_else(executor).unwrap_or(&framework.user)
}

/// The roles of a framework.
pub fn roles_of(framework: &FrameworkInfo) -> Vec<&str> {
    use attica_core_api::v1::FrameworkCapabilityType::MultiRole;
    match framework.has_capability(MultiRole) {
        true => framework.roles.iter().map(String::as_str).collect(),
        false => vec![framework.role.as_deref().unwrap_or("*")],
    }
}

/// Whether a framework may register as it describes itself; the error is Mesos's text.
pub fn check_registration(acls: Option<&Acls>, framework: &FrameworkInfo) -> Result<(), String> {
    let roles = roles_of(framework);
    let may = |acls: &Acls| acls.allows_registration(principal_of(framework).as_ref(), roles.iter().copied());
    if acls.is_none_or(may) {
        return Ok(());
    }
    let id = framework.id.as_ref().map(|id| id.as_str()).unwrap_or_default();
    Err(format!("Not authorized to register framework {id} with roles {{ {} }}", roles.join(", ")))
}

/// Whether a principal may do all of this; the error is the first thing that it may not.
pub fn check<'n>(acls: Option<&Acls>, principal: Option<&Principal>, needed: &'n [Needed]) -> Result<(), &'n Needed> {
    let refused = needed.iter().find(|needed| !acls.is_none_or(|acls| needed.is_allowed(acls, principal)));
    refused.map_or(Ok(()), Err)
}

/// Whether a framework may do all of this; the error is Mesos's text.
pub fn check_operation(acls: Option<&Acls>, framework: &FrameworkInfo, needed: &[Needed]) -> Result<(), String> {
    check(acls, principal_of(framework).as_ref(), needed).map_err(|refused| {
        let principal = framework.principal.as_deref().unwrap_or_default();
        format!("Principal '{principal}' no authorized to {refused}")
    })
}

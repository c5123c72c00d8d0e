//! I7: what is given out adds up. Every kernel checks its own books after every turn
//! ([`assert_consistent`](attica_core::kernel::Kernel::assert_consistent)); here it is checked where it counts, among the processes.

use attica_allocator::{Resources, Role};
use attica_core_api::resources::{from_wire, parse};

use crate::agent::{Agent, RESOURCES};

/// The processes of an agent fit onto it, and no port is used twice.
pub(super) fn processes(agent: &Agent) -> Result<(), String> {
    let wire = parse(RESOURCES, &Role::any()).map_err(|error| error.to_string())?;
    let total = from_wire(&wire).map_err(|error| error.to_string())?;
    let mut used = Resources::new();
    for (name, task) in agent.disk.tasks.iter().filter(|(_, task)| task.alive) {
        let resources = from_wire(&task.info.resources).map_err(|error| error.to_string())?;
        if !used.is_disjoint(&resources) {
            return Err(format!("I7: {name:?} uses {resources}, but {used} is in use"));
        }
        used.add(&resources);
    }
    if total.contains(&used) { Ok(()) } else { Err(format!("I7: the processes use {used} of {total}")) }
}

//! I7: what is given out adds up. Every kernel checks its own books after every turn
//! ([`assert_consistent`](attica_core::kernel::Kernel::assert_consistent)); here it is checked where it counts, among the processes.

use std::collections::BTreeSet;

use attica_allocator::{Resources, Role};
use attica_core_api::resources::{from_wire, parse};
use attica_core_api::v1::Resource;

use crate::agent::{Agent, RESOURCES};

/// The processes of an agent fit onto it, and no port is used twice.
pub(super) fn processes(agent: &Agent) -> Result<(), String> {
    let wire = parse(RESOURCES, &Role::any()).map_err(|error| error.to_string())?;
    let total = from_wire(&wire).map_err(|error| error.to_string())?;
    let mut used = Resources::new();
    let mut executors = BTreeSet::new();
    for (name, task) in agent.disk.tasks.iter().filter(|(_, task)| task.alive) {
        let executor = task.executor().filter(|executor| executors.insert(executor.executor_id.clone()));
        let executor = executor.into_iter().flat_map(|executor| &executor.resources);
        let resources: Vec<Resource> = task.info.resources.iter().chain(executor).map(unmarked).collect();
        let resources = from_wire(&resources).map_err(|error| error.to_string())?;
        if !used.is_disjoint(&resources) {
            return Err(format!("I7: {name:?} uses {resources}, but {used} is in use"));
        }
        used.add(&resources);
    }
    if total.contains(&used) { Ok(()) } else { Err(format!("I7: the processes use {used} of {total}")) }
}

/// Whatever is reserved, or made a volume of, the machine has only once.
fn unmarked(resource: &Resource) -> Resource {
    let role = Some(Role::any().to_string());
    Resource {
        role,
        reservation: None,
        reservations: Vec::new(),
        disk: None,
        allocation_info: None,
        ..resource.clone()
    }
}

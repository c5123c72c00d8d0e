//! I12: every deployment ends, and its locks with it. And once the faults stop everything comes to what was asked for.

use std::collections::BTreeSet;

use attica_core_api::v1::TaskId;
use attica_paas::engine::{Effects, Input, Origin, Refusal, ReplyTo, Write};
use attica_paas::model::{Goal, Instance, Task};

use crate::agent::Agent;
use crate::paas::{Paas, Store, moment};

/// Long after the last fault.
pub(super) fn finally(now: u64, store: &Store, processes: &mut [Paas], agents: &[Agent]) -> Result<(), String> {
    if let Some(deployment) = store.snapshot.deployments.values().next() {
        return Err(format!("I12: a deployment goes on in the end: {deployment:?}"));
    }
    let mut wanted: BTreeSet<&TaskId> = BTreeSet::new();
    for (id, run_spec) in &store.snapshot.run_specs {
        let instances = run_spec.definition().map_or(0, |definition| definition.instances);
        let ready = run_spec.instances.values().filter(|one| one.is_ready()).count();
        // Those that rest beside their volumes are none of them, nor are those whose volumes went away with their machine.
        let counts = |one: &&Instance| match one.goal {
            Goal::Running => true,
            Goal::Stopped => one.task.is_some() && !is_away(one, agents),
            Goal::Decommissioned => !is_away(one, agents),
        };
        let there = run_spec.instances.values().filter(counts).count();
        if (ready, there) != (instances as usize, instances as usize) {
            let instances: Vec<&Instance> = run_spec.instances.values().collect();
            return Err(format!("I12: {id} has {ready} of {there} ready in the end: {instances:#?}"));
        }
        let counted = run_spec.instances.values().filter(counts);
        wanted.extend(counted.filter_map(|one| one.task.as_ref()).flat_map(Task::living));
    }
    let framework = store.snapshot.framework_id.as_ref().ok_or("I12: nobody ever subscribed")?;
    let tasks = agents.iter().flat_map(|agent| &agent.disk.tasks);
    let alive = tasks.filter(|((owner, _), task)| owner == framework && task.alive);
    let alive: BTreeSet<&TaskId> = alive.map(|((_, task), _)| task).collect();
    if let Some(task) = alive.symmetric_difference(&wanted).next() {
        return Err(format!("I12: {task} is either wanted or running in the end, but not both"));
    }
    locks(now, store, processes)
}

/// Whether what is kept for an instance is on a machine that is not there any more.
fn is_away(instance: &Instance, agents: &[Agent]) -> bool {
    let is_at = |agent: &Agent| agent.disk.id == instance.agent().map(|agent| agent.id.clone());
    instance.reservation.is_some() && !agents.iter().any(is_at)
}

/// Nothing is in the way of a write to anything.
fn locks(now: u64, store: &Store, processes: &mut [Paas]) -> Result<(), String> {
    let leader = processes.iter_mut().filter_map(Paas::leader_mut).find(|leader| leader.epoch == store.lead.epoch);
    let leader = leader.ok_or("I12: nobody leads the service layer in the end")?;
    for (id, run_spec) in &store.snapshot.run_specs {
        if run_spec.current.is_none() {
            // Its history is kept for the groups around it.
            continue;
        }
        let write = Write::Restart { id: id.clone(), force: false };
        let mut out = Effects::default();
        let reply = ReplyTo(u64::MAX);
        leader.engine.apply(
            moment(now),
            Input::Write { write, terms: Box::default(), origin: Origin::default(), reply },
            &mut out,
        );
        if let Some((_, Err(refusal @ Refusal::Locked { .. }))) = out.replies.first() {
            return Err(format!("I12: {id} is locked by nothing in the end: {refusal}"));
        }
    }
    Ok(())
}

//! I2: never more running instances than the plan and the unreachable policy allow.

use std::collections::BTreeMap;

use attica_core_api::v1::{FrameworkId, TaskId};
use attica_paas::engine::{Cause, Fact, RunSpecState, Snapshot};
use attica_paas::model::{
    ActionKind, Condition, Deployment, Goal, Instance, InstanceId, RunSpec, RunSpecId, TaskIdentity,
};

use crate::agent::Agent;

/// Where a run spec is to come now, by the deployment that holds it.
pub(super) enum Aim<'a> {
    /// So many of these, whatever they run.
    Keep(&'a RunSpec),
    /// All of this one.
    Replace(&'a RunSpec),
    Nothing,
}

/// The plan's aim for a run spec, read from the durable state alone.
pub(super) fn aim<'a>(state: &'a Snapshot, id: &RunSpecId) -> Aim<'a> {
    let Some(run_spec) = state.run_specs.get(id) else { return Aim::Nothing };
    let keep = |definition: Option<&'a RunSpec>| definition.map_or(Aim::Nothing, Aim::Keep);
    let holder = state.deployments.values().find(|deployment| deployment.changes.contains_key(id));
    let Some(deployment) = holder else { return keep(run_spec.definition().map(AsRef::as_ref)) };
    let change = deployment.changes[id];
    let version = |version| run_spec.versions.get(&version).map(AsRef::as_ref);
    match latest_action(deployment, id) {
        None => keep(change.from.and_then(version)),
        Some(ActionKind::Scale) => keep(change.to.and_then(version)),
        Some(ActionKind::Restart) => change.to.and_then(version).map_or(Aim::Nothing, Aim::Replace),
        Some(ActionKind::Start | ActionKind::Stop) => Aim::Nothing,
    }
}

fn latest_action(deployment: &Deployment, id: &RunSpecId) -> Option<ActionKind> {
    let begun = &deployment.steps[..=deployment.current_step.min(deployment.steps.len() - 1)];
    let mut actions = begun.iter().flat_map(|step| &step.actions);
    actions.rfind(|action| action.run_spec == *id).map(|action| action.kind)
}

/// A fact was committed that led to `after`.
pub(super) fn committed(fact: &Fact, after: &Snapshot) -> Result<(), String> {
    let Fact::InstanceChanged { instance, cause: Cause::Created } = fact else { return Ok(()) };
    let id = instance.run_spec();
    let Some(run_spec) = after.run_specs.get(id) else { return Ok(()) };
    let (there, allowed) = match aim(after, id) {
        Aim::Nothing => (1, 0),
        Aim::Keep(definition) => (count(run_spec, |one| one.goal == Goal::Running), definition.instances),
        Aim::Replace(definition) => (count(run_spec, |_| true), at_most(definition, run_spec)),
    };
    if there > allowed {
        return Err(format!("I2: {id} gets instance {there} where {allowed} are allowed"));
    }
    Ok(())
}

/// The instances that take a place: one that was given up for lost takes none, nor does one that rests beside its volumes, or is out of
/// contact with them.
fn count(run_spec: &RunSpecState, which: impl Fn(&Instance) -> bool) -> u32 {
    let takes_place = |one: &&Instance| match (one.goal, one.condition) {
        (_, Condition::UnreachableInactive) => false,
        (Goal::Stopped | Goal::Decommissioned, Condition::Scheduled | Condition::Unreachable) => false,
        _ => which(one),
    };
    u32::try_from(run_spec.instances.values().filter(takes_place).count()).expect("few")
}

/// The over-capacity; one more where nothing could move without.
fn at_most(definition: &RunSpec, run_spec: &RunSpecState) -> u32 {
    let instances = f64::from(definition.instances);
    let most = (instances * (1.0 + definition.upgrade.maximum_over_capacity)).floor() as u32;
    let least = (instances * definition.upgrade.minimum_health_capacity).ceil() as u32;
    most + u32::from(most == least && count(run_spec, Instance::is_ready) >= most)
}

/// An instance has one attempt at a time, and that each of its processes once, whatever was lost on the way. (One that is out of contact is
/// another instance's business: its own is not launched again.)
pub(super) fn processes(framework: &FrameworkId, agents: &[Agent]) -> Result<(), String> {
    let mut alive: BTreeMap<InstanceId, (&TaskId, TaskIdentity)> = BTreeMap::new();
    let tasks = agents.iter().flat_map(|agent| &agent.disk.tasks);
    for ((_, task), _) in tasks.filter(|((owner, _), task)| owner == framework && task.alive) {
        let identity = TaskIdentity::parse(task.as_str()).map_err(|error| format!("I2: {task}: {error}"))?;
        if let Some((other, beside)) = alive.insert(identity.instance.clone(), (task, identity.clone()))
            && (beside.incarnation != identity.incarnation || beside.container == identity.container)
        {
            return Err(format!("I2: {task} and {other} run at once"));
        }
    }
    Ok(())
}

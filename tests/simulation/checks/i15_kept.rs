//! I15: an instance that stays with its volumes comes back to them, and never gets others; what is in a volume is destroyed only when nobody
//! wants its instance any more. And a pod is launched whole, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::v1::FrameworkId;
use attica_paas::engine::{Cause, Fact, Snapshot};
use attica_paas::model::{Goal, Instance, InstanceId, Reservation, TaskIdentity};

use crate::agent::{Obeyed, TaskName};

/// A fact is about to change `before`.
pub(super) fn committed(fact: &Fact, before: &Snapshot) -> Result<(), String> {
    let Fact::InstanceChanged { instance, cause } = fact else { return Ok(()) };
    let id = &instance.id;
    let earlier = before.instance(id).and_then(|instance| instance.reservation.as_deref());
    if let (Some(earlier), Some(now)) = (earlier, instance.reservation.as_deref())
        && (earlier.agent.id != now.agent.id || earlier.volumes != now.volumes)
    {
        return Err(format!("I15: {id} had {earlier:?} and has {now:?} now"));
    }
    if *cause == Cause::Provisioned { placed(instance, before) } else { Ok(()) }
}

/// Who stays is launched where its volumes are, all of them.
fn placed(instance: &Instance, before: &Snapshot) -> Result<(), String> {
    let id = &instance.id;
    let versions = before.run_specs.get(&id.run_spec).map(|state| &state.versions);
    let definition = versions.and_then(|versions| versions.get(&instance.version));
    let Some(definition) = definition.filter(|definition| definition.is_resident()) else { return Ok(()) };
    let (task, kept) = (instance.task.as_ref(), instance.reservation.as_deref());
    let at_home = task.zip(kept).is_some_and(|(task, kept)| task.agent.id == kept.agent.id);
    let names = |kept: &Reservation| kept.volumes.iter().map(|volume| volume.name.clone()).collect::<BTreeSet<_>>();
    let wanted = definition.persistent_volumes().into_iter().map(|(name, _)| name.to_owned()).collect();
    if !at_home || kept.map(names) != Some(wanted) {
        return Err(format!("I15: {id} is launched without what it keeps: {instance:?}"));
    }
    Ok(())
}

/// An agent carried an order out.
pub(super) fn obeyed(framework: &FrameworkId, obeyed: &Obeyed, state: &Snapshot) -> Result<(), String> {
    for volume in &obeyed.destroyed {
        let is_missed = |instance: &&Instance| {
            let kept = instance.reservation.iter().flat_map(|kept| &kept.volumes);
            let mut ids = kept.map(|kept| kept.persistence_id(&instance.id.run_spec));
            instance.goal != Goal::Decommissioned && ids.any(|id| id == *volume)
        };
        let instances = state.run_specs.values().flat_map(|run_spec| run_spec.instances.values());
        if let Some(instance) = { instances }.find(is_missed) {
            return Err(format!("I15: {volume} is destroyed, which {instance:?} is to come back to"));
        }
    }
    whole(framework, &obeyed.started, state)
}

/// The containers of a pod begin together, and all of them do.
fn whole(framework: &FrameworkId, started: &[TaskName], state: &Snapshot) -> Result<(), String> {
    let mut groups: BTreeMap<(InstanceId, u32), BTreeSet<String>> = BTreeMap::new();
    for (_, task) in started.iter().filter(|(owner, _)| owner == framework) {
        let identity = TaskIdentity::parse(task.as_str()).map_err(|error| format!("I15: {task}: {error}"))?;
        if let Some(container) = identity.container {
            groups.entry((identity.instance, identity.incarnation)).or_default().insert(container);
        }
    }
    for ((id, incarnation), containers) in groups {
        // One that is given up already is killed as soon as that is heard.
        let Some(instance) = state.instance(&id).filter(|instance| instance.incarnation == incarnation) else {
            continue;
        };
        let task = instance.task.iter().flat_map(|task| &task.containers);
        let wanted: BTreeSet<String> = task.map(|container| container.name.clone()).collect();
        if !wanted.is_empty() && wanted != containers {
            return Err(format!("I15: of {id} only {containers:?} is started, not all of {wanted:?}"));
        }
    }
    Ok(())
}

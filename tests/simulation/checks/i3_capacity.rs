//! I3: never fewer healthy instances than `minimumHealthCapacity` by the engine's doing. That agents are lost, tasks fail, or people
//! have tasks killed is not its doing.

use attica_paas::engine::{Fact, Snapshot};
use attica_paas::model::{Instance, RunSpec};

use super::i2_plan::{Aim, aim};
use crate::paas::{CAPACITY_LABEL, Entry, Source};

/// A fact is about to change `before`.
pub(super) fn committed(entry: &Entry, before: &Snapshot) -> Result<(), String> {
    let id = match &entry.recorded.fact {
        Fact::InstanceChanged { instance, .. } if !instance.is_ready() => &instance.id,
        Fact::InstanceForgotten { id, .. } => id,
        _ => return Ok(()),
    };
    let was_ready = before.instance(id).is_some_and(Instance::is_ready);
    let decided = matches!(
        entry.recorded.fact,
        Fact::InstanceForgotten { .. } | Fact::InstanceChanged { cause: attica_paas::engine::Cause::Decided, .. }
    );
    if entry.source == Source::Write || !was_ready || !decided {
        return Ok(());
    }
    let (Aim::Keep(definition) | Aim::Replace(definition)) = aim(before, &id.run_spec) else { return Ok(()) };
    let ready = before.run_specs[&id.run_spec].instances.values().filter(|one| one.is_ready()).count();
    let least = (f64::from(definition.instances) * asked_capacity(definition)).ceil() as usize;
    // Its resources are its own: when all are to stay, one has to make room for itself.
    let least = least - usize::from(definition.is_resident() && least > 0 && least == definition.instances as usize);
    if ready <= least {
        return Err(format!("I3: {id} goes, one of {ready} healthy ones where {least} are to stay"));
    }
    Ok(())
}

/// What its author wanted, whatever became of it on the way.
fn asked_capacity(definition: &RunSpec) -> f64 {
    definition.labels.get(CAPACITY_LABEL).and_then(|text| text.parse().ok()).unwrap_or(1.0)
}

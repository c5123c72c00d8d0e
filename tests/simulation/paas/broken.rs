//! What broken rules do at the border of the engine: they change what it hears, and what it says.

use attica_core_api::scheduler::{Acknowledge, Call, CallType, Event};
use attica_core_api::v1::TaskStatus;
use attica_paas::engine::{Cause, Definition, Fact, Write};
use attica_paas::events::EventId;
use attica_paas::model::Upgrade;

use super::Entry;
use crate::random::Random;
use crate::rules::{Capacity, Ends, Groups, Instances, Resume, Rules, Volumes};

/// A write as the engine gets it.
pub(super) fn write(mut write: Write, rules: Rules) -> Write {
    if rules.capacity == Capacity::Ignored
        && let Write::Put { changes, .. } = &mut write
    {
        changes.iter_mut().for_each(|change| forget_capacity(&mut change.to));
    }
    write
}

/// What a planner sees that knows no minimum.
fn forget_capacity(definition: &mut Definition) {
    match definition {
        Definition::New(update)
        | Definition::Merged(update)
        | Definition::Patched(update)
        | Definition::Replaced(update) => {
            update.upgrade = Some(Upgrade { minimum_health_capacity: 0.0, maximum_over_capacity: 0.0 });
        }
        Definition::Stored(_)
        | Definition::Restored(_)
        | Definition::Scaled(_)
        | Definition::NewPod(_)
        | Definition::Pod(_)
        | Definition::Whole(_) => {}
    }
}

/// What the engine says.
pub(super) fn said(entries: &mut Vec<Entry>, random: &mut Random, rules: Rules) {
    if rules.instances == Instances::Twins {
        let twins: Vec<Entry> = entries.iter().filter_map(|entry| twin(entry, random)).collect();
        entries.extend(twins);
    }
    if rules.volumes == Volumes::Exchanged {
        entries.iter_mut().for_each(|entry| exchange(entry, random));
    }
}

fn exchange(entry: &mut Entry, random: &mut Random) {
    if let Fact::InstanceChanged { instance, cause: Cause::Provisioned } = &mut entry.recorded.fact
        && let Some(kept) = instance.reservation.as_mut().filter(|kept| kept.confirmed)
    {
        kept.volumes.iter_mut().for_each(|volume| volume.uuid = uuid::Uuid::from_u128(random.seed()));
    }
}

/// What the engine asks of the master.
pub(super) fn asked(calls: &mut [Call], rules: Rules) {
    if rules.groups == Groups::Whole {
        return;
    }
    let operations = calls.iter_mut().filter_map(|call| call.accept.as_mut()).flat_map(|accept| &mut accept.operations);
    for launch in operations.filter_map(|operation| operation.launch_group.as_mut()) {
        launch.task_group.tasks.pop();
    }
}

fn twin(entry: &Entry, random: &mut Random) -> Option<Entry> {
    let mut twin = entry.clone();
    match &mut twin.recorded.fact {
        Fact::InstanceChanged { instance, cause: Cause::Created } => {
            instance.id.uuid = uuid::Uuid::from_u128(random.seed());
            Some(twin)
        }
        _ => None,
    }
}

/// What becomes of an event on its way to the engine.
pub(super) enum Hearing {
    Heard(Event),
    /// The engine does not hear of it; the master gets this answer.
    Withheld(Option<Call>),
}

/// An event of the master.
pub(super) fn hear(event: Event, rules: Rules) -> Hearing {
    let Some(update) = &event.update else { return Hearing::Heard(event) };
    if rules.ends == Ends::Withheld && update.status.state.is_terminal() {
        return Hearing::Withheld(acknowledgement(&update.status));
    }
    Hearing::Heard(event)
}

fn acknowledgement(status: &TaskStatus) -> Option<Call> {
    let (agent_id, uuid) = (status.agent_id.clone()?, status.uuid.clone()?);
    let acknowledge = Some(Acknowledge { agent_id, task_id: status.task_id.clone(), uuid });
    Some(Call { r#type: Some(CallType::Acknowledge), acknowledge, ..Call::default() })
}

/// Where a stream goes on for a client that has everything up to `after`.
pub(super) fn resume(after: EventId, rules: Rules) -> EventId {
    match rules.resume {
        Resume::Exact => after,
        Resume::Repeating => EventId::end_of(after.facts_before()),
        Resume::Skipping => EventId::end_of(after.facts_before().after(2)),
    }
}

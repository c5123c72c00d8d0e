//! I1: an acknowledged write is never lost. Facts are never taken out of the store again, so what has to be shown is that nobody was
//! told anything before its fact was in there.

use attica_core::snapshot::FrameworkPresence;
use attica_core_api::link;
use attica_core_api::scheduler::Command;
use attica_core_api::v1::TaskState;

use super::i6_forward::{Forward, is_over};
use crate::agent::Obeyed;
use crate::scheduler::Asked;
use crate::store::Store;

/// An agent started tasks, or dropped a status because the master answers for it now.
pub(super) fn obeyed(event: &link::Event, obeyed: &Obeyed, forward: &Forward, store: &Store) -> Result<(), String> {
    for name in &obeyed.started {
        if !forward.is_launched(name) {
            return Err(format!("I1: an agent was told to run {name:?}, whose launch is not committed"));
        }
    }
    let Some(acknowledge) = &event.acknowledge else { return Ok(()) };
    let name = (acknowledge.framework_id.clone(), acknowledge.task_id.clone());
    // What concerns a removed framework is delivered to nobody, so it keeps no uuid.
    let framework = store.snapshot.frameworks.get(&name.0);
    let present = framework.filter(|framework| !matches!(framework.presence, FrameworkPresence::Removed { .. }));
    let wanted = present.and_then(|framework| framework.tasks.get(&name.1));
    let live = wanted.is_some_and(|task| !is_over(task.state) && task.completed_at.is_none());
    if live && !forward.is_reported(&name, &acknowledge.uuid) {
        return Err(format!("I1: an update of {name:?} was acknowledged to its agent, but it is not committed"));
    }
    Ok(())
}

/// A scheduler was told that its call was accepted.
pub(super) fn accepted(asked: &Asked, store: &Store) -> Result<(), String> {
    let Some(framework) = store.snapshot.frameworks.get(&asked.framework) else { return Ok(()) };
    match &asked.command {
        Command::Kill(kill) => {
            let task = framework.tasks.get(&kill.task_id);
            let lost = task.is_some_and(|task| {
                let elsewhere = kill.agent_id.as_ref().is_some_and(|agent| *agent != task.info.agent_id);
                // A kill that overtook the launch found nothing to kill.
                let overtaking = task.state == TaskState::Staging;
                task.kill.is_none() && !is_over(task.state) && !elsewhere && !overtaking
            });
            if lost { Err(format!("I1: the accepted kill of {} is not committed", kill.task_id)) } else { Ok(()) }
        }
        Command::Acknowledge(acknowledgement) => {
            let task = framework.tasks.get(&acknowledgement.task_id);
            let oldest = task.and_then(|task| task.outbox.front()).and_then(|status| status.uuid.clone());
            let lost = oldest.is_some_and(|uuid| uuid == acknowledgement.uuid.as_bytes().as_slice());
            if lost {
                Err(format!("I1: the accepted acknowledgement for {} is not committed", acknowledgement.task_id))
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

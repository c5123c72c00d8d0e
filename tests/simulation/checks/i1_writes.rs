//! I1 of the service layer: what was answered is committed, and so is what was asked of the master.

use std::collections::BTreeSet;

use attica_core_api::scheduler::Command;
use attica_core_api::v1::TaskId;
use attica_paas::engine::{Cause, Fact, Reply};
use attica_paas::model::DeploymentId;

use crate::paas::Answer;

/// What is committed.
#[derive(Default)]
pub(super) struct Written {
    started: BTreeSet<DeploymentId>,
    ended: BTreeSet<DeploymentId>,
    provisioned: BTreeSet<TaskId>,
    /// Tasks whose end was decided, or came.
    doomed: BTreeSet<TaskId>,
}

impl Written {
    pub(super) fn committed(&mut self, fact: &Fact) {
        match fact {
            Fact::DeploymentStarted { deployment } => drop(self.started.insert(deployment.id)),
            Fact::DeploymentEnded { id, .. } => drop(self.ended.insert(*id)),
            Fact::InstanceChanged { instance, cause } => {
                let Some(task) = &instance.task else { return };
                if *cause == Cause::Provisioned {
                    self.provisioned.insert(task.id.clone());
                    self.provisioned.extend(task.containers.iter().map(|container| container.id.clone()));
                }
                if instance.is_sentenced() {
                    self.doomed.insert(task.id.clone());
                }
            }
            Fact::TaskEnded { update, .. } => drop(self.doomed.insert(update.task.clone())),
            _ => {}
        }
    }

    /// A client got an answer.
    pub(super) fn answered(&self, answer: &Answer) -> Result<(), String> {
        use attica_paas::engine::Write;
        let lost = match (&answer.write, &answer.answer) {
            (_, Ok(Reply::Deployed { deployment, .. })) => !self.started.contains(deployment),
            (Write::Cancel { id, .. }, Ok(Reply::Cancelled)) => !self.ended.contains(id),
            (_, Ok(Reply::Killed(instances))) => {
                let reachable = instances.iter().filter_map(|one| one.task.as_ref());
                let reachable = reachable.filter(|task| task.unreachable_since.is_none());
                !reachable.map(|task| &task.id).all(|task| self.doomed.contains(task))
            }
            (_, Ok(Reply::Planned(_) | Reply::Cancelled | Reply::Done) | Err(_)) => false,
        };
        if lost { Err(format!("I1: an answered write is not committed: {:?}", answer.write)) } else { Ok(()) }
    }

    /// The service layer asks a master for something.
    pub(super) fn called(&self, command: &Command) -> Result<(), String> {
        let Command::Accept(accept) = command else { return Ok(()) };
        let alone = accept.operations.iter().filter_map(|operation| operation.launch.as_ref());
        let together = accept.operations.iter().filter_map(|operation| operation.launch_group.as_ref());
        let together = together.flat_map(|launch| &launch.task_group.tasks);
        for task in alone.flat_map(|launch| &launch.task_infos).chain(together) {
            if !self.provisioned.contains(&task.task_id) {
                return Err(format!("I1: {} is launched before that is committed", task.task_id));
            }
        }
        Ok(())
    }
}

//! A pod's instance is several tasks to the master. What is reported of each is kept, and what it means for all of them together follows
//! the rules of a single task.

use attica_core_api::Now;
use attica_core_api::v1::{TaskState, TaskStatus};

use super::super::{Cause, Effects, Engine, Fact, TaskUpdate};
use super::update::{self, Meaning, Progress, Verdict};
use crate::model::{Condition, ContainerTask, Instance, Task};

impl Engine {
    /// The master has reported on one container of a pod.
    pub(super) fn container_status(
        &mut self,
        now: Now,
        mut instance: Instance,
        status: &TaskStatus,
        out: &mut Effects,
    ) {
        let Some(task) = instance.task.as_mut() else { return };
        let Some(container) = task.containers.iter_mut().find(|container| container.id == status.task_id) else {
            return;
        };
        // The end of a task is final: what comes behind it was sent before.
        if container.is_over() {
            return;
        }
        let changed = take_in(container, status, now);
        match update::meaning(status.state) {
            Meaning::OutOfContact => self.out_of_contact(now, instance, status, out),
            Meaning::Alive(_) => {
                let (condition, state) = together(task);
                self.task_alive(now, instance, Progress { condition, state, changed }, status, out);
            }
            Meaning::Ended(_) => match verdict(task) {
                Some(verdict) => self.task_ended(now, &instance, verdict, status, out),
                None => {
                    let update = TaskUpdate::of(
                        task,
                        &status.task_id,
                        instance.version,
                        status.state,
                        status.message.clone().unwrap_or_default(),
                    );
                    let instance = Box::new(instance);
                    self.record(now, Fact::InstanceChanged { instance, cause: Cause::Updated(update) }, out);
                }
            },
        }
    }
}

/// Brings a container up to date. True when that changes anything.
fn take_in(container: &mut ContainerTask, status: &TaskStatus, now: Now) -> bool {
    let before = container.clone();
    if container.state != status.state {
        container.state = status.state;
        container.since = now.wall;
        container.message = status.message.clone().unwrap_or_default();
    }
    let id = status.container_status.as_ref().and_then(|status| status.container_id.as_ref());
    container.container_id = id.map(|id| id.value.clone()).or(container.container_id.take());
    container.answer = update::answer(status).or(container.answer);
    *container != before
}

/// How all containers that are not over stand together: as the one that has come least far; being killed, as soon as one is.
fn together(task: &Task) -> (Condition, TaskState) {
    let living = || task.containers.iter().filter(|container| !container.is_over());
    let any = |state: TaskState| living().any(|container| container.state == state);
    let of = [
        (TaskState::Killing, Condition::Killing),
        (TaskState::Staging, Condition::Staging),
        (TaskState::Starting, Condition::Starting),
    ];
    let found = of.into_iter().find(|(state, _)| any(*state));
    found.map_or((Condition::Running, TaskState::Running), |(state, condition)| (condition, state))
}

/// How an instance has ended, once all its containers have: as the first one that did neither finish nor was killed, for that is why
/// the others were; else killed, as soon as one was.
fn verdict(task: &Task) -> Option<Verdict> {
    if !task.containers.iter().all(ContainerTask::is_over) {
        return None;
    }
    let is_culprit = |container: &&ContainerTask| !matches!(container.state, TaskState::Finished | TaskState::Killed);
    let culprit = task.containers.iter().filter(is_culprit).min_by_key(|container| container.since);
    let killed = || task.containers.iter().find(|container| container.state == TaskState::Killed);
    let decisive = culprit.or_else(killed).or_else(|| task.containers.first())?;
    Some(Verdict {
        condition: update::ended_as(decisive.state),
        task: decisive.id.clone(),
        state: decisive.state,
        message: decisive.message.clone(),
    })
}

//! RECONCILE: what the master knows of tasks, said at once, never acknowledged.

use attica_core_api::scheduler::{self, Event};
use attica_core_api::v1::{AgentId, FrameworkId, TaskId, TaskState, TaskStatus, TaskStatusReason};

use super::agent::Contact;
use super::framework::Framework;
use super::status::from_master;
use super::task::Task;
use super::{Effects, Kernel, Now, Send};
use crate::snapshot::Reach;

impl Kernel {
    pub(super) fn reconcile(
        &mut self,
        now: Now,
        id: &FrameworkId,
        reconcile: &scheduler::Reconcile,
        out: &mut Effects,
    ) {
        if reconcile.tasks.is_empty() {
            let Some(framework) = self.frameworks.get(id) else { return };
            let statuses = framework.tasks.iter().map(|(task_id, task)| latest(now, framework, task_id, task));
            let Some(stream) = framework.stream() else { return };
            let send = |status| Send::scheduler(stream.clone(), Event::update(status));
            out.sends.extend(statuses.map(send));
            return;
        }
        for task in &reconcile.tasks {
            self.reconcile_task(now, id, &task.task_id, task.agent_id.as_ref(), out);
        }
    }

    /// Answers for one task, which need not exist. `agent` is where the framework believes it to be.
    pub(super) fn reconcile_task(
        &self,
        now: Now,
        id: &FrameworkId,
        task_id: &TaskId,
        agent: Option<&AgentId>,
        out: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(id) else { return };
        let Some(stream) = framework.stream() else { return };
        let status = match framework.tasks.get(task_id) {
            Some(task) => Some(latest(now, framework, task_id, task)),
            None => self.unknown(now, framework, task_id, agent),
        };
        out.sends.extend(status.map(|status| Send::scheduler(stream.clone(), Event::update(status))));
    }

    /// The answer for a task that is not there: none while an agent that may have it can still come back to this leader.
    fn unknown(
        &self,
        now: Now,
        framework: &Framework,
        task: &TaskId,
        agent_id: Option<&AgentId>,
    ) -> Option<TaskStatus> {
        let (state, message) = match agent_id.map(|id| self.agents.get(id)) {
            None if !self.recovering.is_empty() => return None,
            Some(Some(agent)) if self.recovering.contains(&agent.id) => return None,
            Some(Some(agent)) if agent.is_gone() => {
                (TaskState::GoneByOperator, "Reconciliation: Task is gone by operator")
            }
            Some(Some(agent)) if agent.contact == Contact::Unreachable => {
                (TaskState::Unreachable, "Reconciliation: Task is unreachable")
            }
            Some(Some(_)) => (TaskState::Gone, "Reconciliation: Task is unknown to the agent"),
            Some(None) | None => (TaskState::Unknown, "Reconciliation: Task is unknown"),
        };
        let reason = TaskStatusReason::Reconciliation;
        Some(from_master(now, task.clone(), agent_id.cloned(), framework.told(state), reason, message))
    }
}

/// The latest state of a known task.
fn latest(now: Now, framework: &Framework, id: &TaskId, task: &Task) -> TaskStatus {
    let state = match task.reach {
        Reach::Reachable => task.state,
        Reach::Unreachable => framework.told(TaskState::Unreachable),
    };
    let reason = TaskStatusReason::Reconciliation;
    let message = "Reconciliation: Latest task state";
    let mut status = from_master(now, id.clone(), Some(task.agent.clone()), state, reason, message);
    if let Some(details) = &task.details {
        details.fill(&mut status);
    }
    // The agent names one for a plain command as well; that one is its own affair.
    status.executor_id.clone_from(&task.executor);
    status
}

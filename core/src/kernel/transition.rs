//! A task's state changes: the one place where the task, its agent's digest and the allocator's books move together.

use attica_core_api::v1::{FrameworkId, TaskId, TaskState, TaskStatus};

use super::task::{Details, is_terminal};
use super::{Effects, Kernel, Now};
use crate::fact::Fact;
use crate::snapshot::{Reach, with_container};

impl Kernel {
    /// The task is now as `status` says. The framework is told and, unless it is gone, waited for. `sequence` is the agent's number
    /// of the update; `None` when the master ends the task itself.
    pub(super) fn update_task(
        &mut self,
        now: Now,
        framework: &FrameworkId,
        mut status: TaskStatus,
        sequence: Option<u64>,
        out: &mut Effects,
    ) {
        let id = status.task_id.clone();
        self.advance(framework, &id, status.state);
        let task = self.task_mut(framework, &id);
        task.reach = Reach::Reachable;
        task.sequence = sequence.unwrap_or(task.sequence);
        // An end that the agent tells of, not the executor, says nothing of the container any more.
        let container = match status.container_status {
            Some(_) => None,
            None => task.details.as_ref().and_then(Details::container),
        };
        task.details = Details::of(&with_container(&status, container.as_ref()));
        self.address(framework, &mut status);
        let fact = Fact::TaskUpdated {
            framework: framework.clone(),
            status: Box::new(status.clone()),
            sequence,
            container: container.map(Box::new),
        };
        self.publish(now, framework, status, fact, out);
    }

    /// The task's agent is out of reach, or back: what the task does is not known to have changed.
    pub(super) fn update_reach(
        &mut self,
        now: Now,
        framework: &FrameworkId,
        mut status: TaskStatus,
        reach: Reach,
        out: &mut Effects,
    ) {
        self.task_mut(framework, &status.task_id).reach = reach;
        self.address(framework, &mut status);
        let boxed = Box::new(status.clone());
        let fact = match reach {
            Reach::Reachable => Fact::TaskReachable { framework: framework.clone(), status: boxed },
            Reach::Unreachable => Fact::TaskUnreachable { framework: framework.clone(), status: boxed },
        };
        self.publish(now, framework, status, fact, out);
    }

    /// Gives a status a uuid so that the framework acknowledges it; none when there is no framework left to do so.
    fn address(&mut self, framework: &FrameworkId, status: &mut TaskStatus) {
        let entropy = &mut self.entropy;
        let Some(framework) = self.frameworks.get(framework) else { return };
        match framework.is_removed() {
            true => status.uuid = None,
            false => {
                status.uuid.get_or_insert_with(|| entropy.uuid().into_bytes().to_vec().into());
            }
        }
    }

    fn publish(&mut self, now: Now, framework: &FrameworkId, status: TaskStatus, fact: Fact, out: &mut Effects) {
        out.facts.push(fact);
        let id = status.task_id.clone();
        if status.uuid.is_some() {
            self.enqueue(now, framework, status, out);
        } else if self.task_mut(framework, &id).is_terminal() {
            self.complete(now, framework, &id, out);
            self.retire_framework(framework, out);
        }
    }

    fn advance(&mut self, framework: &FrameworkId, id: &TaskId, state: TaskState) {
        let key = self.framework_key(framework);
        let task = self.task_mut(framework, id);
        assert!(!task.is_terminal(), "a terminal state is final");
        let before = std::mem::replace(&mut task.state, state);
        task.staging = None;
        let agent_id = task.agent.clone();
        let over = is_terminal(state);
        let (role, resources) = (task.role.clone(), task.resources.clone());
        let agent = self.agent_mut(&agent_id);
        agent.digest.remove(framework, id, before);
        if !over {
            agent.digest.add(framework, id, state);
        } else if let Some(agent) = agent.key {
            self.allocator.release(key, &role, agent, &resources);
        }
    }
}

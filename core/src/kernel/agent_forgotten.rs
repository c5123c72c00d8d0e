//! An agent that has been unreachable for long enough is forgotten; so is the one that has been it for longest when there are too many
//! (Mesos's `--registry_max_agent_age` and `--registry_max_agent_count`). What ran on it counts as gone: should the agent come back after
//! all, it begins anew under its old id, and what still runs there is killed.

use attica_core_api::Tick;
use attica_core_api::v1::{AgentId, OperationState, TaskState, TaskStatusReason};

use super::agent_tasks::Ending;
use super::{Effects, Kernel, Now};
use crate::fact::Fact;

/// While a framework has not acknowledged how a task of the agent ended, the agent stays. It is looked at again so much later.
const RETRY_MS: u64 = 900_000;

impl Kernel {
    /// An agent is unreachable from now on, and is forgotten at `forget_at`.
    pub(super) fn forget_later(&mut self, forget_at: Tick, id: &AgentId) {
        self.agent_mut(id).forget_at = forget_at;
        self.unreachable.insert((forget_at, id.clone()));
    }

    /// An agent that may have been unreachable is back.
    pub(super) fn forget_no_more(&mut self, id: &AgentId) {
        let forget_at = self.agent_mut(id).forget_at;
        self.unreachable.remove(&(forget_at, id.clone()));
    }

    /// Forgets the agents whose time has come.
    pub(super) fn forget_old_agents(&mut self, now: Now, out: &mut Effects) {
        while self.unreachable.first().is_some_and(|(forget_at, _)| *forget_at <= now.tick) {
            self.forget_oldest(now, out);
        }
    }

    /// Makes room for one more unreachable agent.
    pub(super) fn bound_unreachable(&mut self, now: Now, out: &mut Effects) {
        if self.unreachable.len() > self.config.unreachable_agents_limit {
            self.forget_oldest(now, out);
        }
    }

    fn forget_oldest(&mut self, now: Now, out: &mut Effects) {
        let Some((_, id)) = self.unreachable.pop_first() else { return };
        for (framework, task) in self.agent_mut(&id).tasks.clone() {
            if self.task_mut(&framework, &task).is_terminal() {
                continue;
            }
            let ending = Ending {
                state: TaskState::Gone,
                reason: TaskStatusReason::AgentRemoved,
                message: "The agent was unreachable for too long",
            };
            self.end_task(now, &framework, &task, ending, out);
        }
        let executors: Vec<_> = self.agent_mut(&id).executors.keys().cloned().collect();
        for executor in executors {
            self.end_executor(&id, &executor, out);
        }
        self.abandon_operations(now, &id, OperationState::Dropped, "The agent was unreachable for too long", out);
        if self.agent_mut(&id).tasks.is_empty() {
            self.agents.remove(&id);
            out.facts.push(Fact::AgentForgotten { agent: id });
        } else {
            self.forget_later(now.tick.after(RETRY_MS), &id);
        }
    }
}

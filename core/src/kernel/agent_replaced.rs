//! An agent is not what it was and registers as a new one: of the one it was nothing runs any more.

use attica_core_api::v1::{AgentId, TaskState, TaskStatusReason};

use super::agent::Contact;
use super::agent_tasks::Ending;
use super::{CloseReason, Effects, Kernel, Now};

impl Kernel {
    /// Ends the tasks of the earlier agent. It stays as an unreachable one that has none.
    pub(super) fn replace_agent(&mut self, now: Now, earlier: &AgentId, out: &mut Effects) {
        let Some(agent) = self.agents.get(earlier) else { return };
        for (framework, task) in agent.tasks.clone() {
            if self.task_mut(&framework, &task).is_terminal() {
                continue;
            }
            let ending = Ending {
                state: TaskState::Gone,
                reason: TaskStatusReason::AgentRestarted,
                message: "The agent's machine was restarted, and the agent has registered as a new one",
            };
            self.end_task(now, &framework, &task, ending, out);
        }
        if self.agent_mut(earlier).contact != Contact::Unreachable {
            self.lose_agent(now, earlier, CloseReason::Replaced, out);
        }
    }
}

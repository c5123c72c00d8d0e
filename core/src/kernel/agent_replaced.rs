//! An agent is not what it was and registers as a new one: of the one it was nothing runs any more.

use attica_allocator::Resources;
use attica_core_api::resources::{self, ReservationFormat};
use attica_core_api::v1::{AgentId, OperationState, TaskState, TaskStatusReason};

use super::agent::Contact;
use super::agent_tasks::Ending;
use super::{CloseReason, Effects, Kernel, Now};
use crate::fact::Fact;

impl Kernel {
    /// Ends the tasks of the earlier agent. It stays as an unreachable one that has none; its reservations and volumes, which it
    /// hands on with its disk, are returned.
    pub(super) fn replace_agent(&mut self, now: Now, earlier: &AgentId, out: &mut Effects) -> Resources {
        let Some(agent) = self.agents.get(earlier) else { return Resources::new() };
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
        let executors: Vec<_> = self.agent_mut(earlier).executors.keys().cloned().collect();
        for executor in executors {
            self.end_executor(earlier, &executor, out);
        }
        self.abandon_operations(now, earlier, OperationState::Dropped, "The agent has registered as a new one", out);
        // It keeps them in the books: the answer may get lost, and then the next new agent is the heir.
        self.agent_mut(earlier).shaped.clone()
    }

    /// The new agent has what was made of the earlier one's resources.
    pub(super) fn inherit(&mut self, id: &AgentId, shaped: Resources, out: &mut Effects) {
        if shaped.is_empty() {
            return;
        }
        let resources = resources::to_wire(&shaped, None, ReservationFormat::Refined);
        self.agent_mut(id).shaped = shaped;
        out.facts.push(Fact::AgentShaped { agent: id.clone(), resources });
    }
}

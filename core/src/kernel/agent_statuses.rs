//! STATUSES: what became of tasks, in the agent's words.
//!
//! The acknowledgement means that the master has made the update durable and answers for its delivery from here on, so it waits for
//! the commit like everything that is sent. An update that says nothing new is acknowledged again: the last acknowledgement was lost.

use attica_core_api::link::{self, StatusUpdate};
use attica_core_api::v1::AgentId;

use super::task::{is_terminal, progress};
use super::{Effects, Kernel, LinkId, Now};

/// Statuses that may wait for one task's scheduler. A check that changes its mind all the time, and a scheduler that is away for days,
/// would fill the tables; the agent has a limit of its own.
const OUTBOX_LIMIT: usize = 256;

/// What an update is to the kernel.
enum News {
    /// Something that was not known.
    New,
    /// A repetition, or a step back.
    Old,
    /// Something new for which there is no room: the agent keeps it, and sends it again.
    Early,
    /// About a task that the agent should not have.
    Foreign,
}

impl Kernel {
    pub(super) fn statuses(
        &mut self,
        now: Now,
        agent: &AgentId,
        link: &LinkId,
        updates: Vec<StatusUpdate>,
        out: &mut Effects,
    ) {
        for StatusUpdate { framework_id, mut status, sequence } in updates {
            // Without a uuid there is nothing to acknowledge, and the agent keeps no such update.
            let Some(uuid) = status.uuid.clone() else { continue };
            let task_id = status.task_id.clone();
            match self.news(agent, &framework_id, &status, sequence) {
                News::New => {
                    self.explain_drain(agent, &framework_id, &mut status);
                    status.state = self.framework_mut(&framework_id).told(status.state);
                    status.agent_id = Some(agent.clone());
                    let sequence = sequence.max(self.task_mut(&framework_id, &task_id).sequence);
                    self.update_task(now, &framework_id, status, Some(sequence), out);
                }
                News::Old => {}
                News::Early => continue,
                News::Foreign if is_terminal(status.state) => {}
                News::Foreign => self.disown(agent, link, &framework_id, &task_id, out),
            }
            let acknowledge = link::Acknowledge { framework_id, task_id, uuid };
            self.tell(link, link::Event::acknowledge(self.config.epoch, acknowledge), out);
        }
    }

    fn news(
        &self,
        agent: &AgentId,
        framework: &attica_core_api::v1::FrameworkId,
        status: &attica_core_api::v1::TaskStatus,
        sequence: u64,
    ) -> News {
        let Some(task) = self.frameworks.get(framework).and_then(|framework| framework.tasks.get(&status.task_id))
        else {
            return News::Foreign;
        };
        if task.agent != *agent {
            return News::Foreign;
        }
        // An agent that lost a checkpoint (a full disk) and was restarted numbers anew. The end of a task is news all the same:
        // were it taken for a repetition, the task would count as running for ever.
        let is_end = is_terminal(status.state) && !task.is_terminal();
        if sequence <= task.sequence && !is_end {
            return News::Old;
        }
        match task.is_terminal() {
            true if is_terminal(status.state) => News::Old,
            true => News::Foreign,
            false if progress(status.state) < progress(task.state) => News::Old,
            false if !is_end && task.outbox.as_ref().is_some_and(|outbox| outbox.statuses.len() >= OUTBOX_LIMIT) => {
                News::Early
            }
            false => News::New,
        }
    }
}

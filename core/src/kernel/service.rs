//! Whether an operator lets an agent take part: DEACTIVATE_AGENT, DRAIN_AGENT, REACTIVATE_AGENT and MARK_AGENT_GONE.
//!
//! ```text
//!              DEACTIVATE             DRAIN                      nothing is left
//!   (active) ─────────────► deactivated ─────► draining ─────────────────────────► drained
//!      ▲  └───────────────────────────────────────┘ │                                │ at once, when asked for with the drain
//!      └── REACTIVATE from deactivated and drained  └──── MARK_AGENT_GONE (always) ──┴──► gone, for good
//! ```
//!
//! A drain goes on under the next leader, and when the agent comes back from being away: whatever runs there is killed again.

use attica_core_api::link;
use attica_core_api::v1::{
    AgentId, DrainConfig, FrameworkId, OperationState, TaskId, TaskState, TaskStatus, TaskStatusReason,
};

use super::agent::Contact;
use super::agent_tasks::Ending;
use super::framework::Partitions;
use super::{CloseReason, Effects, Kernel, LinkId, Now, Refusal, Send};
use crate::fact::Fact;
use crate::snapshot::Service;

impl Kernel {
    pub(super) fn deactivate_ordered(&mut self, id: &AgentId, out: &mut Effects) -> Result<(), Refusal> {
        match self.served(id)? {
            Service::Active => self.serve(id, Service::Deactivated, out),
            Service::Deactivated | Service::Draining { .. } | Service::Drained { .. } | Service::Gone { .. } => {}
        }
        Ok(())
    }

    /// Asked for again, a drain can have another grace period and another end.
    pub(super) fn drain_ordered(
        &mut self,
        now: Now,
        id: &AgentId,
        config: DrainConfig,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let since = match self.served(id)? {
            Service::Draining { since, .. } => *since,
            Service::Active | Service::Deactivated | Service::Drained { .. } | Service::Gone { .. } => now.wall,
        };
        self.serve(id, Service::Draining { config, since }, out);
        for (framework, task) in self.agent_mut(id).tasks.clone() {
            if !self.task_mut(&framework, &task).is_terminal() {
                self.send_kill(&framework, &task, out);
            }
        }
        self.perhaps_drained.insert(id.clone());
        Ok(())
    }

    pub(super) fn reactivate_ordered(&mut self, id: &AgentId, out: &mut Effects) -> Result<(), Refusal> {
        match self.served(id)? {
            Service::Active => return Err(Refusal::Invalid("Agent is not deactivated".to_owned())),
            Service::Draining { .. } => {
                return Err(Refusal::Invalid("Agent is still in the DRAINING state".to_owned()));
            }
            Service::Deactivated | Service::Drained { .. } | Service::Gone { .. } => {}
        }
        self.serve(id, Service::Active, out);
        let agent = self.agent_mut(id);
        if let (Contact::Connected(_), Some(key)) = (&agent.contact, agent.key) {
            self.allocator.activate_agent(key);
        }
        Ok(())
    }

    pub(super) fn gone_ordered(&mut self, now: Now, id: &AgentId, out: &mut Effects) -> Result<(), Refusal> {
        match self.agents.get(id).map(|agent| &agent.service) {
            None => return Err(Refusal::Missing(format!("Agent '{id}' not found"))),
            Some(Service::Gone { .. }) => {}
            Some(Service::Active | Service::Deactivated | Service::Draining { .. } | Service::Drained { .. }) => {
                self.mark_gone(now, id, out);
            }
        }
        Ok(())
    }

    /// Looks whether agents that drain have anything left. One that is away may have, whatever is known of it.
    pub(super) fn finish_drains(&mut self, now: Now, out: &mut Effects) {
        for id in std::mem::take(&mut self.perhaps_drained) {
            let Some(agent) = self.agents.get(&id) else { continue };
            let Service::Draining { config, since } = &agent.service else { continue };
            if !agent.tasks.is_empty() || !matches!(agent.contact, Contact::Connected(_)) {
                continue;
            }
            let (config, since) = (config.clone(), *since);
            let mark_gone = config.mark_gone;
            self.serve(&id, Service::Drained { config, since }, out);
            if mark_gone {
                self.mark_gone(now, &id, out);
            }
        }
    }

    /// A task was killed because its agent drains: its framework is told so.
    pub(super) fn explain_drain(&self, agent: &AgentId, framework: &FrameworkId, status: &mut TaskStatus) {
        let Some(Service::Draining { config, .. }) = self.agents.get(agent).map(|agent| &agent.service) else { return };
        let Some(framework) = self.frameworks.get(framework) else { return };
        let asked = framework.tasks.get(&status.task_id).is_some_and(|task| task.kill.is_some());
        if asked || !matches!(status.state, TaskState::Killing | TaskState::Killed) {
            return;
        }
        status.reason = Some(TaskStatusReason::AgentDraining);
        if config.mark_gone && status.state == TaskState::Killed && framework.partitions == Partitions::Aware {
            status.state = TaskState::GoneByOperator;
        }
    }

    /// What an agent is told that is not let in.
    pub(super) fn turn_away(&self, link: LinkId, why: &str, out: &mut Effects) {
        self.tell(&link, link::Event::shutdown(self.config.epoch, why), out);
        out.sends.push(Send::CloseAgent { link, reason: CloseReason::Unwanted(why.to_owned()) });
    }

    /// Ends what an agent has, as it will never be back to say how it went.
    pub(super) fn end_all(&mut self, now: Now, id: &AgentId, ending: &Ending, out: &mut Effects) {
        let tasks: Vec<(FrameworkId, TaskId)> = self.agent_mut(id).tasks.iter().cloned().collect();
        for (framework, task) in tasks {
            if !self.task_mut(&framework, &task).is_terminal() {
                self.end_task(now, &framework, &task, ending.clone(), out);
            }
        }
        let executors: Vec<_> = self.agent_mut(id).executors.keys().cloned().collect();
        for executor in executors {
            self.end_executor(id, &executor, out);
        }
    }

    fn mark_gone(&mut self, now: Now, id: &AgentId, out: &mut Effects) {
        self.serve(id, Service::Gone { at: now.wall }, out);
        let ending = Ending {
            state: TaskState::GoneByOperator,
            reason: TaskStatusReason::AgentRemovedByOperator,
            message: "Agent has been marked gone",
        };
        self.abandon_operations(now, id, OperationState::GoneByOperator, ending.message, out);
        self.dismiss(now, id, &ending, out);
    }

    /// An agent has to go: it is told, and what it has ends.
    pub(super) fn dismiss(&mut self, now: Now, id: &AgentId, ending: &Ending, out: &mut Effects) {
        if let Some(link) = self.agent_mut(id).link().cloned() {
            self.tell(&link, link::Event::shutdown(self.config.epoch, ending.message), out);
        }
        self.end_all(now, id, ending, out);
        if self.agent_mut(id).contact != Contact::Unreachable {
            self.lose_agent(now, id, CloseReason::Unwanted(ending.message.to_owned()), out);
        }
    }

    /// The service of an agent that an operator may still decide about.
    fn served(&self, id: &AgentId) -> Result<&Service, Refusal> {
        let known = self.agents.get(id).map(|agent| &agent.service);
        let known = known.filter(|service| !matches!(service, Service::Gone { .. }));
        known.ok_or_else(|| Refusal::Invalid("Unknown agent".to_owned()))
    }

    fn serve(&mut self, id: &AgentId, service: Service, out: &mut Effects) {
        self.agent_mut(id).service = service.clone();
        if service != Service::Active {
            self.withdraw_agent(id, out);
        }
        out.facts.push(Fact::AgentServiceChanged { agent: id.clone(), service });
    }
}

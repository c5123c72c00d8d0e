//! MESSAGE: data between a framework and its executors, delivered at most once and never remembered.

use attica_core_api::link;
use attica_core_api::scheduler::{self, Event};
use attica_core_api::v1::{AgentId, FrameworkId};

use super::agent::Contact;
use super::{Effects, Kernel, Send};

impl Kernel {
    /// To an executor; dropped when its agent is not here.
    pub(super) fn message_to_executor(&self, framework: &FrameworkId, message: scheduler::Message, out: &mut Effects) {
        let Some(agent) = self.agents.get(&message.agent_id) else { return };
        let Contact::Connected(link) = &agent.contact else { return };
        let message =
            link::Message { framework_id: framework.clone(), executor_id: message.executor_id, data: message.data };
        self.tell(link, link::Event::message(self.config.epoch, message), out);
    }

    /// From an executor; dropped when its framework is not here.
    pub(super) fn message_to_framework(&self, agent: &AgentId, message: link::Message, out: &mut Effects) {
        let framework = self.frameworks.get(&message.framework_id);
        let Some(stream) = framework.and_then(|framework| framework.stream()) else { return };
        let event = Event::message(agent.clone(), message.executor_id, message.data);
        out.sends.push(Send::scheduler(stream.clone(), event));
    }
}

//! Operations that are under way, and how their frameworks learn how they ended.
//!
//! ```text
//!             started                agent answers, or is gone          acknowledged
//!   (nobody) ─────────► under way ───────────────────────────► ended ─────────────────► (nobody)
//!                           │      and the framework wants to hear                          ▲
//!                           └───────────────────────────────────────────────────────────────┘
//!                                     nobody wants to hear of it
//! ```
//!
//! The agent is told of an operation until it answers, on every link anew; the framework is told how it ended until it acknowledges,
//! like a task's status: on every stream anew, and after 10 s, 20 s, … up to 10 min on the same one.

use attica_core_api::link;
use attica_core_api::scheduler::{self, Event, OperationAcknowledgement};
use attica_core_api::v1::{
    AgentId, FrameworkId, OfferOperation, OfferOperationType, OperationId, OperationState, OperationStatus,
    Uuid as WireUuid,
};
use uuid::Uuid;

use super::agent::Contact;
use super::task::Resend;
use super::timers::Timer;
use super::{Effects, Kernel, LinkId, Now, Send, View};
use crate::fact::Fact;
use crate::snapshot::Service;

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// Durable. Whose it is; `None` for an operator's.
    pub framework: Option<FrameworkId>,
    /// Durable. Where.
    pub agent: AgentId,
    /// Durable. What.
    pub info: OfferOperation,
    /// Durable. How it ended, as long as that is not acknowledged.
    pub status: Option<OperationStatus>,
    /// Not durable. When the status is sent again.
    pub resend: Option<Resend>,
}

impl Operation {
    /// One that has just started.
    pub fn new(framework: Option<FrameworkId>, agent: AgentId, info: OfferOperation) -> Self {
        Self { framework, agent, info, status: None, resend: None }
    }
}

impl Kernel {
    /// Enters an operation where it is looked for.
    pub(super) fn insert_operation(&mut self, uuid: Uuid, operation: Operation) {
        let owner = operation.framework.as_ref().and_then(|framework| self.frameworks.get_mut(framework));
        if let (Some(owner), Some(id)) = (owner, &operation.info.id)
            && !owner.is_removed()
        {
            owner.operations.insert(id.clone(), uuid);
        }
        self.operations.insert(uuid, operation);
    }

    /// OPERATION_STATUS: the agent has done its part, or could not.
    pub(super) fn operation_answered(
        &mut self,
        now: Now,
        agent: &AgentId,
        answer: link::OperationStatus,
        out: &mut Effects,
    ) {
        let Ok(uuid) = Uuid::from_slice(&answer.uuid) else { return };
        let under_way = |operation: &&Operation| operation.agent == *agent && operation.status.is_none();
        if self.operations.get(&uuid).filter(under_way).is_none() {
            return;
        }
        let state = match answer.state {
            OperationState::Finished => OperationState::Finished,
            OperationState::Unsupported
            | OperationState::Pending
            | OperationState::Failed
            | OperationState::Error
            | OperationState::Dropped
            | OperationState::Unreachable
            | OperationState::GoneByOperator
            | OperationState::Recovering
            | OperationState::Unknown => OperationState::Failed,
        };
        self.finish_operation(now, uuid, state, answer.message, out);
    }

    /// What an agent may not have heard of is said again.
    pub(super) fn send_operations(&mut self, agent: &AgentId, link: &LinkId, out: &mut Effects) {
        // Those made first come first: a volume stands on its reservation.
        for uuid in self.agent_mut(agent).operations.clone() {
            let Some(operation) = self.operations.get(&uuid) else { continue };
            let order = link::Operation { uuid: uuid.as_bytes().to_vec().into(), info: operation.info.clone() };
            self.tell(link, link::Event::operation(self.config.epoch, order), out);
        }
    }

    /// The agent will never answer: its operations end in this state.
    pub(super) fn abandon_operations(
        &mut self,
        now: Now,
        agent: &AgentId,
        state: OperationState,
        message: &str,
        out: &mut Effects,
    ) {
        for uuid in self.agent_mut(agent).operations.clone() {
            self.finish_operation(now, uuid, state, Some(message.to_owned()), out);
        }
    }

    /// The agent is out of reach: frameworks are told so, once.
    pub(super) fn lose_operations(&mut self, agent: &AgentId, out: &mut Effects) {
        for uuid in self.agent_mut(agent).operations.clone() {
            let Some(operation) = self.operations.get(&uuid) else { continue };
            let (Some(framework), Some(id)) = (&operation.framework, &operation.info.id) else { continue };
            let Some(stream) = self.frameworks.get(framework).and_then(|framework| framework.stream()) else {
                continue;
            };
            let status = said_once(
                id,
                Some(agent),
                OperationState::Unreachable,
                "Agent is unreachable: it missed its heartbeats",
            );
            out.sends.push(Send::scheduler(stream.clone(), Event::update_operation_status(status)));
        }
    }

    /// ACKNOWLEDGE_OPERATION_STATUS. Counts only for the status that was sent.
    pub(super) fn acknowledge_operation(
        &mut self,
        framework: &FrameworkId,
        acknowledge: &OperationAcknowledgement,
        out: &mut Effects,
    ) {
        let Some(uuid) = self.framework_mut(framework).operations.get(&acknowledge.operation_id).copied() else {
            return;
        };
        let sent = self.operations.get(&uuid).and_then(|operation| operation.status.as_ref()?.uuid.as_ref());
        if sent.is_some_and(|sent| sent.value.as_ref() == acknowledge.uuid.as_bytes()) {
            self.end_operation(uuid, out);
        }
    }

    /// RECONCILE_OPERATIONS: what the master knows of operations, said at once, never acknowledged.
    pub(super) fn reconcile_operations(
        &self,
        id: &FrameworkId,
        reconcile: &scheduler::ReconcileOperations,
        out: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(id) else { return };
        let Some(stream) = framework.stream() else { return };
        let known = |id: &OperationId| framework.operations.get(id).and_then(|uuid| self.operations.get(uuid));
        let mut say = |status| out.sends.push(Send::scheduler(stream.clone(), Event::update_operation_status(status)));
        if reconcile.operations.is_empty() {
            for id in framework.operations.keys() {
                known(id).into_iter().for_each(|operation| say(self.latest_of(id, operation)));
            }
            return;
        }
        for asked in &reconcile.operations {
            say(match known(&asked.operation_id) {
                Some(operation) => self.latest_of(&asked.operation_id, operation),
                None => self.unknown_operation(&asked.operation_id, asked.agent_id.as_ref()),
            });
        }
    }

    /// A new stream: every outcome that is not acknowledged is sent on it.
    pub(super) fn send_outcomes(&mut self, now: Now, framework: &FrameworkId, out: &mut Effects) {
        for uuid in self.outcomes_of(framework) {
            self.cancel_operation_resend(uuid);
            self.send_outcome(now, uuid, self.config.resend_first_ms, out);
        }
    }

    /// The stream is gone: nothing is repeated until there is another.
    pub(super) fn stop_outcomes(&mut self, framework: &FrameworkId) {
        for uuid in self.outcomes_of(framework) {
            self.cancel_operation_resend(uuid);
        }
    }

    /// The framework is gone: nobody waits for outcomes any more.
    pub(super) fn drop_outcomes(&mut self, framework: &FrameworkId, out: &mut Effects) {
        for uuid in self.outcomes_of(framework) {
            self.end_operation(uuid, out);
        }
        self.framework_mut(framework).operations.clear();
    }

    /// The wait for an acknowledgement is over.
    pub(super) fn operation_resend_due(&mut self, now: Now, uuid: Uuid, out: &mut Effects) {
        let waited = self.operations.get(&uuid).and_then(|operation| operation.resend);
        if let Some(Resend { at, wait_ms }) = waited
            && at <= now.tick
        {
            self.send_outcome(now, uuid, wait_ms.saturating_mul(2).min(self.config.resend_longest_ms), out);
        }
    }

    fn finish_operation(
        &mut self,
        now: Now,
        uuid: Uuid,
        state: OperationState,
        message: Option<String>,
        out: &mut Effects,
    ) {
        let acknowledgement = self.entropy.uuid();
        let Some(operation) = self.operations.get_mut(&uuid) else { return };
        let kind = operation.info.r#type.unwrap_or(OfferOperationType::Unknown);
        out.view.push(View::OperationOver { kind, state });
        let owner = operation.framework.as_ref().and_then(|framework| self.frameworks.get(framework));
        let wanted = owner.is_some_and(|framework| !framework.is_removed());
        let Some(id) = operation.info.id.clone().filter(|_| wanted) else {
            return self.end_operation(uuid, out);
        };
        let status = OperationStatus {
            operation_id: Some(id),
            state,
            message,
            uuid: Some(WireUuid { value: acknowledgement.as_bytes().to_vec().into() }),
            agent_id: Some(operation.agent.clone()),
            ..OperationStatus::default()
        };
        operation.status = Some(status.clone());
        let agent = operation.agent.clone();
        self.agent_mut(&agent).operations.remove(&uuid);
        out.facts.push(Fact::OperationUpdated { operation: uuid, status: Box::new(status) });
        self.send_outcome(now, uuid, self.config.resend_first_ms, out);
    }

    fn end_operation(&mut self, uuid: Uuid, out: &mut Effects) {
        self.cancel_operation_resend(uuid);
        let Some(operation) = self.operations.remove(&uuid) else { return };
        if let Some(agent) = self.agents.get_mut(&operation.agent) {
            agent.operations.remove(&uuid);
        }
        let owner = operation.framework.as_ref().and_then(|framework| self.frameworks.get_mut(framework));
        if let (Some(owner), Some(id)) = (owner, &operation.info.id) {
            owner.operations.remove(id);
        }
        out.facts.push(Fact::OperationEnded { operation: uuid });
    }

    fn outcomes_of(&mut self, framework: &FrameworkId) -> Vec<Uuid> {
        let operations = self.framework_mut(framework).operations.values().copied().collect::<Vec<_>>();
        let is_over = |uuid: &Uuid| self.operations.get(uuid).is_some_and(|operation| operation.status.is_some());
        operations.into_iter().filter(is_over).collect()
    }

    fn send_outcome(&mut self, now: Now, uuid: Uuid, wait_ms: u64, out: &mut Effects) {
        let Some(operation) = self.operations.get_mut(&uuid) else { return };
        let Some(status) = operation.status.clone() else { return };
        let owner = operation.framework.as_ref().and_then(|framework| self.frameworks.get(framework));
        let Some(stream) = owner.and_then(|framework| framework.stream()) else { return };
        let resend = Resend { at: now.tick.after(wait_ms), wait_ms };
        operation.resend = Some(resend);
        out.sends.push(Send::scheduler(stream.clone(), Event::update_operation_status(status)));
        self.timers.set(resend.at, Timer::ResendOperation(uuid));
    }

    fn cancel_operation_resend(&mut self, uuid: Uuid) {
        let resend = self.operations.get_mut(&uuid).and_then(|operation| operation.resend.take());
        if let Some(resend) = resend {
            self.timers.cancel(resend.at, Timer::ResendOperation(uuid));
        }
    }

    fn latest_of(&self, id: &OperationId, operation: &Operation) -> OperationStatus {
        let contact = self.agents.get(&operation.agent).map(|agent| &agent.contact);
        let state = match (&operation.status, contact) {
            (Some(status), _) => status.state,
            (None, Some(Contact::Unreachable)) => OperationState::Unreachable,
            (None, _) if self.recovering.contains(&operation.agent) => OperationState::Recovering,
            (None, _) => OperationState::Pending,
        };
        said_once(id, Some(&operation.agent), state, "Reconciliation: Latest operation state")
    }

    /// The answer for an operation that is not there.
    fn unknown_operation(&self, id: &OperationId, agent: Option<&AgentId>) -> OperationStatus {
        let (state, message) = match agent.and_then(|id| self.agents.get(id)) {
            Some(agent) if self.recovering.contains(&agent.id) => {
                (OperationState::Recovering, "Reconciliation: Agent is recovered but has not re-registered")
            }
            Some(agent) if matches!(agent.service, Service::Gone { .. }) => {
                (OperationState::GoneByOperator, "Reconciliation: Agent marked gone by operator")
            }
            Some(agent) if agent.contact == Contact::Unreachable => {
                (OperationState::Unreachable, "Reconciliation: Agent is unreachable")
            }
            Some(_) | None => (OperationState::Unknown, "Reconciliation: Operation is unknown"),
        };
        said_once(id, agent, state, message)
    }
}

fn said_once(id: &OperationId, agent: Option<&AgentId>, state: OperationState, message: &str) -> OperationStatus {
    OperationStatus {
        operation_id: Some(id.clone()),
        state,
        message: Some(message.to_owned()),
        agent_id: agent.cloned(),
        ..OperationStatus::default()
    }
}

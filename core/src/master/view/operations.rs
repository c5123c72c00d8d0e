//! Operations as GET_OPERATIONS shows them: those that are under way, and those whose end is not acknowledged.

use attica_core_api::v1::{
    AgentId, FrameworkId, OfferOperation, OfferOperationType, Operation, OperationState, OperationStatus, Uuid,
};

use super::agent::Contact;
use super::{Model, ReadModel};
use crate::master::metrics::OperationCounts;
use crate::snapshot::OperationRecord;

impl ReadModel {
    /// All of them.
    pub(in crate::master) fn operations(&self) -> Vec<Operation> {
        self.lock().operations.values().cloned().collect()
    }
}

impl ReadModel {
    /// How many are under way.
    pub(in crate::master) fn operation_counts(&self) -> OperationCounts {
        let model = self.lock();
        let mut counts = OperationCounts::new();
        let pending = |operation: &&Operation| operation.latest_status.state == OperationState::Pending;
        for operation in model.operations.values().filter(pending) {
            let agent = operation.agent_id.as_ref().and_then(|id| model.agents.get(id));
            let state = match agent.map(|agent| agent.contact) {
                Some(Contact::Unreachable) => OperationState::Unreachable,
                Some(Contact::Recovered) => OperationState::Recovering,
                Some(Contact::Connected | Contact::Disconnected) | None => OperationState::Pending,
            };
            let kind = operation.info.r#type.unwrap_or(OfferOperationType::Unknown);
            *counts.entry((kind, state)).or_default() += 1;
        }
        counts
    }
}

impl Model {
    pub(super) fn recover_operation(&mut self, id: uuid::Uuid, record: &OperationRecord) {
        self.start_operation(id, record.framework.as_ref(), &record.agent, &record.info);
        record.status.iter().for_each(|status| self.finish_operation(id, status));
    }

    pub(super) fn start_operation(
        &mut self,
        id: uuid::Uuid,
        framework: Option<&FrameworkId>,
        agent: &AgentId,
        info: &OfferOperation,
    ) {
        let pending = OperationStatus {
            operation_id: info.id.clone(),
            state: OperationState::Pending,
            agent_id: Some(agent.clone()),
            ..OperationStatus::default()
        };
        let operation = Operation {
            framework_id: framework.cloned(),
            agent_id: Some(agent.clone()),
            info: info.clone(),
            latest_status: pending,
            statuses: Vec::new(),
            uuid: Uuid { value: id.as_bytes().to_vec().into() },
        };
        self.operations.insert(id, operation);
    }

    pub(super) fn finish_operation(&mut self, id: uuid::Uuid, status: &OperationStatus) {
        if let Some(operation) = self.operations.get_mut(&id) {
            operation.latest_status = status.clone();
            operation.statuses.push(status.clone());
        }
    }
}

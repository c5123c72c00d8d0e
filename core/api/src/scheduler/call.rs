//! Calls as they travel.

use bytes::Bytes;

use super::OfferConstraints;
use crate::message::{enumeration, message};
use crate::v1::{
    AgentId, ExecutorId, Filters, FrameworkId, FrameworkInfo, KillPolicy, OfferId, OfferOperation, OperationId,
    OperationStatus, ResourceProviderId, TaskId,
};

enumeration! {
    /// What a framework wants.
    pub enum CallType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Open the stream of events.
        Subscribe "SUBSCRIBE" = 1,
        /// End the framework and its tasks.
        Teardown "TEARDOWN" = 2,
        /// Use offers.
        Accept "ACCEPT" = 3,
        /// Refuse offers.
        Decline "DECLINE" = 4,
        /// Agree to give resources back.
        AcceptInverseOffers "ACCEPT_INVERSE_OFFERS" = 13,
        /// Refuse to give resources back.
        DeclineInverseOffers "DECLINE_INVERSE_OFFERS" = 14,
        /// Ask for offers again.
        Revive "REVIVE" = 5,
        /// Kill a task.
        Kill "KILL" = 6,
        /// Shut an executor down.
        Shutdown "SHUTDOWN" = 7,
        /// Acknowledge a task's status.
        Acknowledge "ACKNOWLEDGE" = 8,
        /// Acknowledge an operation's status.
        AcknowledgeOperationStatus "ACKNOWLEDGE_OPERATION_STATUS" = 15,
        /// Ask how tasks stand.
        Reconcile "RECONCILE" = 9,
        /// Ask how operations stand.
        ReconcileOperations "RECONCILE_OPERATIONS" = 16,
        /// Send data to an executor.
        Message "MESSAGE" = 10,
        /// Wish for resources.
        Request "REQUEST" = 11,
        /// Ask for no more offers.
        Suppress "SUPPRESS" = 12,
        /// Change the framework's description.
        UpdateFramework "UPDATE_FRAMEWORK" = 17,
    }
    /// What a response holds.
    pub enum ResponseType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// How operations stand.
        ReconcileOperations "RECONCILE_OPERATIONS" = 1,
    }
}

message! {
    /// Open the stream of events.
    pub struct Subscribe {
        framework_info: required FrameworkInfo = 1,
        /// Roles that are not to be offered anything yet.
        suppressed_roles: repeated String = 2,
        offer_constraints: optional OfferConstraints = 3,
    }
    /// Use offers of one agent, all at once.
    pub struct Accept {
        offer_ids: repeated OfferId = 1,
        operations: repeated OfferOperation = 2,
        /// For what is left over.
        filters: optional Filters = 3,
    }
    /// Refuse offers.
    pub struct Decline {
        offer_ids: repeated OfferId = 1,
        filters: optional Filters = 2,
    }
    /// Agree to give resources back.
    pub struct AcceptInverseOffers {
        inverse_offer_ids: repeated OfferId = 1,
        filters: optional Filters = 2,
    }
    /// Refuse to give resources back.
    pub struct DeclineInverseOffers {
        inverse_offer_ids: repeated OfferId = 1,
        filters: optional Filters = 2,
    }
    /// Ask for offers again.
    pub struct Revive {
        /// None: all of the framework's.
        roles: repeated String = 1,
    }
    /// Kill a task.
    pub struct Kill {
        task_id: required TaskId = 1,
        agent_id: optional AgentId = 2,
        kill_policy: optional KillPolicy = 3,
    }
    /// Shut an executor down.
    pub struct Shutdown {
        executor_id: required ExecutorId = 1,
        agent_id: required AgentId = 2,
    }
    /// Acknowledge a task's status.
    pub struct Acknowledge {
        agent_id: required AgentId = 1,
        task_id: required TaskId = 2,
        uuid: required Bytes = 3,
    }
    /// Acknowledge an operation's status.
    pub struct AcknowledgeOperationStatus {
        agent_id: optional AgentId = 1,
        resource_provider_id: optional ResourceProviderId = 2,
        uuid: required Bytes = 3,
        operation_id: required OperationId = 4,
    }
    /// A task that is asked for.
    pub struct ReconcileTask {
        task_id: required TaskId = 1,
        agent_id: optional AgentId = 2,
    }
    /// Ask how tasks stand.
    pub struct Reconcile {
        /// None: all that the master knows.
        tasks: repeated ReconcileTask = 1,
    }
    /// An operation that is asked for.
    pub struct ReconcileOperation {
        operation_id: required OperationId = 1,
        agent_id: optional AgentId = 2,
        resource_provider_id: optional ResourceProviderId = 3,
    }
    /// Ask how operations stand.
    pub struct ReconcileOperations {
        /// None: all that the master knows.
        operations: repeated ReconcileOperation = 1,
    }
    /// Send data to an executor.
    pub struct Message {
        agent_id: required AgentId = 1,
        executor_id: required ExecutorId = 2,
        data: required Bytes = 3,
    }
    /// Wish for resources.
    pub struct Request {
        requests: repeated crate::v1::Request = 1,
    }
    /// Ask for no more offers.
    pub struct Suppress {
        /// None: all of the framework's.
        roles: repeated String = 1,
    }
    /// Change the framework's description.
    pub struct UpdateFramework {
        framework_info: required FrameworkInfo = 1,
        suppressed_roles: repeated String = 2,
        offer_constraints: optional OfferConstraints = 3,
    }
    /// What a framework sends: a type, and the member of that type.
    pub struct Call {
        framework_id: optional FrameworkId = 1,
        r#type: optional CallType = 2,
        subscribe: optional Subscribe = 3,
        accept: optional Accept = 4,
        decline: optional Decline = 5,
        accept_inverse_offers: optional AcceptInverseOffers = 13,
        decline_inverse_offers: optional DeclineInverseOffers = 14,
        revive: optional Revive = 15,
        kill: optional Kill = 6,
        shutdown: optional Shutdown = 7,
        acknowledge: optional Acknowledge = 8,
        acknowledge_operation_status: optional AcknowledgeOperationStatus = 17,
        reconcile: optional Reconcile = 9,
        reconcile_operations: optional ReconcileOperations = 18,
        message: optional Message = 10,
        request: optional Request = 11,
        suppress: optional Suppress = 16,
        update_framework: optional UpdateFramework = 19,
    }
    /// How the operations that were asked for stand.
    pub struct ResponseReconcileOperations {
        operation_statuses: repeated OperationStatus = 1,
    }
    /// The answer to a call that has one.
    pub struct Response {
        r#type: optional ResponseType = 1,
        reconcile_operations: optional ResponseReconcileOperations = 2,
    }
    /// The answer to a call, with its status.
    pub struct ApiResult {
        status_code: required u32 = 1,
        response: optional Response = 2,
        error: optional String = 3,
    }
}

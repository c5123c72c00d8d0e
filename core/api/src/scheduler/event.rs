//! What the master tells a framework.

use bytes::Bytes;

use crate::message::{enumeration, message};
use crate::v1::{
    AgentId, ExecutorId, FrameworkId, InverseOffer, MasterInfo, Offer, OfferId, OperationStatus, TaskStatus,
};

enumeration! {
    /// What has happened.
    pub enum EventType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The stream is open: always the first event.
        Subscribed "SUBSCRIBED" = 1,
        /// There are offers.
        Offers "OFFERS" = 2,
        /// Resources are asked back.
        InverseOffers "INVERSE_OFFERS" = 9,
        /// An offer is no longer valid.
        Rescind "RESCIND" = 3,
        /// Resources are no longer asked back.
        RescindInverseOffer "RESCIND_INVERSE_OFFER" = 10,
        /// A task has a new status.
        Update "UPDATE" = 4,
        /// An operation has a new status.
        UpdateOperationStatus "UPDATE_OPERATION_STATUS" = 11,
        /// An executor has sent data.
        Message "MESSAGE" = 5,
        /// An agent or an executor is lost.
        Failure "FAILURE" = 6,
        /// The framework is refused; the stream ends.
        Error "ERROR" = 7,
        /// Nothing has happened, and the connection is alive.
        Heartbeat "HEARTBEAT" = 8,
    }
}

message! {
    /// The stream is open.
    pub struct Subscribed {
        framework_id: required FrameworkId = 1,
        heartbeat_interval_seconds: optional f64 = 2,
        master_info: optional MasterInfo = 3,
    }
    /// There are offers.
    pub struct Offers {
        offers: repeated Offer = 1,
    }
    /// Resources are asked back.
    pub struct InverseOffers {
        inverse_offers: repeated InverseOffer = 1,
    }
    /// An offer is no longer valid.
    pub struct Rescind {
        offer_id: required OfferId = 1,
    }
    /// Resources are no longer asked back.
    pub struct RescindInverseOffer {
        inverse_offer_id: required OfferId = 1,
    }
    /// A task has a new status.
    pub struct Update {
        status: required TaskStatus = 1,
    }
    /// An operation has a new status.
    pub struct UpdateOperationStatus {
        status: required OperationStatus = 1,
    }
    /// An executor has sent data.
    pub struct MessageEvent {
        agent_id: required AgentId = 1,
        executor_id: required ExecutorId = 2,
        data: required Bytes = 3,
    }
    /// An agent, or with `executor_id` an executor, is lost.
    pub struct Failure {
        agent_id: optional AgentId = 1,
        executor_id: optional ExecutorId = 2,
        /// The executor's wait status, as `waitpid` gives it.
        status: optional i32 = 3,
    }
    /// The framework is refused.
    pub struct Error {
        message: required String = 1,
    }
    /// What the master sends: a type, and the member of that type.
    pub struct Event {
        r#type: optional EventType = 1,
        subscribed: optional Subscribed = 2,
        offers: optional Offers = 3,
        inverse_offers: optional InverseOffers = 9,
        rescind: optional Rescind = 4,
        rescind_inverse_offer: optional RescindInverseOffer = 10,
        update: optional Update = 5,
        update_operation_status: optional UpdateOperationStatus = 11,
        message: optional MessageEvent = 6,
        failure: optional Failure = 7,
        error: optional Error = 8,
    }
}

/// One constructor per type of event, so that type and member always agree.
impl Event {
    fn of(r#type: EventType) -> Self {
        Self { r#type: Some(r#type), ..Self::default() }
    }

    /// SUBSCRIBED.
    pub fn subscribed(framework_id: FrameworkId, heartbeat_interval_seconds: f64, master_info: MasterInfo) -> Self {
        let subscribed = Subscribed {
            framework_id,
            heartbeat_interval_seconds: Some(heartbeat_interval_seconds),
            master_info: Some(master_info),
        };
        Self { subscribed: Some(subscribed), ..Self::of(EventType::Subscribed) }
    }

    /// OFFERS.
    pub fn offers(offers: Vec<Offer>) -> Self {
        Self { offers: Some(Offers { offers }), ..Self::of(EventType::Offers) }
    }

    /// INVERSE_OFFERS.
    pub fn inverse_offers(inverse_offers: Vec<InverseOffer>) -> Self {
        Self { inverse_offers: Some(InverseOffers { inverse_offers }), ..Self::of(EventType::InverseOffers) }
    }

    /// RESCIND.
    pub fn rescind(offer_id: OfferId) -> Self {
        Self { rescind: Some(Rescind { offer_id }), ..Self::of(EventType::Rescind) }
    }

    /// RESCIND_INVERSE_OFFER.
    pub fn rescind_inverse_offer(inverse_offer_id: OfferId) -> Self {
        let rescind = RescindInverseOffer { inverse_offer_id };
        Self { rescind_inverse_offer: Some(rescind), ..Self::of(EventType::RescindInverseOffer) }
    }

    /// UPDATE.
    pub fn update(status: TaskStatus) -> Self {
        Self { update: Some(Update { status }), ..Self::of(EventType::Update) }
    }

    /// UPDATE_OPERATION_STATUS.
    pub fn update_operation_status(status: OperationStatus) -> Self {
        let update = UpdateOperationStatus { status };
        Self { update_operation_status: Some(update), ..Self::of(EventType::UpdateOperationStatus) }
    }

    /// MESSAGE.
    pub fn message(agent_id: AgentId, executor_id: ExecutorId, data: Bytes) -> Self {
        Self { message: Some(MessageEvent { agent_id, executor_id, data }), ..Self::of(EventType::Message) }
    }

    /// FAILURE of an agent.
    pub fn agent_lost(agent_id: AgentId) -> Self {
        let failure = Failure { agent_id: Some(agent_id), ..Failure::default() };
        Self { failure: Some(failure), ..Self::of(EventType::Failure) }
    }

    /// FAILURE of an executor, which ended with `wait_status`. There are clients that insist on both ids and the status.
    pub fn executor_lost(agent_id: AgentId, executor_id: ExecutorId, wait_status: i32) -> Self {
        let failure = Failure { agent_id: Some(agent_id), executor_id: Some(executor_id), status: Some(wait_status) };
        Self { failure: Some(failure), ..Self::of(EventType::Failure) }
    }

    /// ERROR.
    pub fn error(message: impl Into<String>) -> Self {
        Self { error: Some(Error { message: message.into() }), ..Self::of(EventType::Error) }
    }

    /// HEARTBEAT.
    pub fn heartbeat() -> Self {
        Self::of(EventType::Heartbeat)
    }
}

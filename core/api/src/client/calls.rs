//! Calls of a subscribed framework.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Backoff, STREAM_ID_HEADER};
use crate::http::{Client, ClientError, MediaType};
use crate::scheduler::{
    Accept, Acknowledge, AcknowledgeOperationStatus, Call, CallType, Decline, Kill, Message, Reconcile,
    ReconcileOperation, ReconcileOperations, ReconcileTask, Revive, Shutdown, Suppress,
};
use crate::v1::{
    AgentId, ExecutorId, Filters, FrameworkId, OfferId, OfferOperation, OperationStatus, TaskId, TaskStatus,
};
use crate::{encode_json, encode_proto};

pub(super) const PATH: &str = "/api/v1/scheduler";
/// As much of an error's text is kept.
pub(super) const MAX_TEXT_BYTES: usize = 16 << 10;

/// Sends calls on behalf of the current subscription. Cheap to clone.
#[derive(Clone)]
pub struct Calls {
    pub(super) client: Client,
    pub(super) media: MediaType,
    pub(super) timeout: Duration,
    pub(super) current: watch::Receiver<Option<Subscription>>,
}

/// What calls are bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) authority: String,
    pub(super) stream_id: HeaderValue,
    pub(super) framework_id: FrameworkId,
}

/// Why a call was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no subscription now; nothing was sent.
    #[error("the framework is not subscribed")]
    NotSubscribed,
    /// The master refuses the call; it had no effect.
    #[error("the master refuses the call ({status}): {text}")]
    Refused {
        /// 400, 403, …
        status: StatusCode,
        /// What the master says.
        text: String,
    },
    /// No master took the call before the time-out; it had no effect.
    #[error("the master does not take calls now: {text}")]
    Unavailable {
        /// What the master says, or why it cannot be reached.
        text: String,
    },
    /// The connection broke after the call may have been sent: whether it had an effect is unknown.
    #[error("it is unknown whether the call was received")]
    Unknown(#[source] ClientError),
}

impl Calls {
    /// The id that the master has given the framework, once there is a subscription.
    pub fn framework_id(&self) -> Option<FrameworkId> {
        self.current.borrow().as_ref().map(|subscription| subscription.framework_id.clone())
    }

    /// Sends any call but SUBSCRIBE; `framework_id` is filled in. A master that does not take calls is asked again until the
    /// time-out, as long as the subscription lasts.
    pub async fn send(&self, mut call: Call) -> Result<(), CallError> {
        let subscription = self.current.borrow().clone().ok_or(CallError::NotSubscribed)?;
        call.framework_id = Some(subscription.framework_id.clone());
        let body = Bytes::from(encode(&call, self.media));
        let deadline = Instant::now() + self.timeout;
        let mut failures = 0;
        loop {
            let error = match self.attempt(&subscription, body.clone()).await {
                Err(error @ CallError::Unavailable { .. }) => error,
                other => return other,
            };
            failures += 1;
            let wait = Backoff::default().after(failures);
            if Instant::now() + wait >= deadline || *self.current.borrow() != Some(subscription.clone()) {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, subscription: &Subscription, body: Bytes) -> Result<(), CallError> {
        let Some(uri) = self.client.uri(&subscription.authority, PATH) else {
            return Err(CallError::Unavailable { text: format!("{} is not an address", subscription.authority) });
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, self.media.header_value());
        headers.insert(header::ACCEPT, self.media.header_value());
        headers.insert(STREAM_ID_HEADER, subscription.stream_id.clone());
        let response = match self.client.post(&uri, headers, body).await {
            Ok(response) => response,
            Err(error) if error.is_unsent() => return Err(CallError::Unavailable { text: error.to_string() }),
            Err(error) => return Err(CallError::Unknown(error)),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text = self.client.text(response, MAX_TEXT_BYTES).await;
        // A master that redirects does not lead any more: the stream is about to break.
        if status == StatusCode::SERVICE_UNAVAILABLE || status.is_redirection() {
            return Err(CallError::Unavailable { text });
        }
        Err(CallError::Refused { status, text })
    }

    /// ACCEPT: uses offers of one agent.
    pub async fn accept(
        &self,
        offer_ids: Vec<OfferId>,
        operations: Vec<OfferOperation>,
        filters: Option<Filters>,
    ) -> Result<(), CallError> {
        let accept = Accept { offer_ids, operations, filters };
        self.send(Call { accept: Some(accept), ..of(CallType::Accept) }).await
    }

    /// DECLINE: refuses offers.
    pub async fn decline(&self, offer_ids: Vec<OfferId>, filters: Option<Filters>) -> Result<(), CallError> {
        let decline = Decline { offer_ids, filters };
        self.send(Call { decline: Some(decline), ..of(CallType::Decline) }).await
    }

    /// REVIVE: asks for offers again, for these roles or, when there are none, for all.
    pub async fn revive(&self, roles: Vec<String>) -> Result<(), CallError> {
        self.send(Call { revive: Some(Revive { roles }), ..of(CallType::Revive) }).await
    }

    /// SUPPRESS: wants no offers, for these roles or, when there are none, for all.
    pub async fn suppress(&self, roles: Vec<String>) -> Result<(), CallError> {
        self.send(Call { suppress: Some(Suppress { roles }), ..of(CallType::Suppress) }).await
    }

    /// KILL: ends a task.
    pub async fn kill(&self, task_id: TaskId, agent_id: Option<AgentId>) -> Result<(), CallError> {
        let kill = Kill { task_id, agent_id, ..Kill::default() };
        self.send(Call { kill: Some(kill), ..of(CallType::Kill) }).await
    }

    /// ACKNOWLEDGE: this status has been dealt with. Does nothing for one that needs no acknowledgement.
    pub async fn acknowledge(&self, status: &TaskStatus) -> Result<(), CallError> {
        let (Some(agent_id), Some(uuid)) = (status.agent_id.clone(), status.uuid.clone()) else { return Ok(()) };
        let acknowledge = Acknowledge { agent_id, task_id: status.task_id.clone(), uuid };
        self.send(Call { acknowledge: Some(acknowledge), ..of(CallType::Acknowledge) }).await
    }

    /// RECONCILE: asks for the state of these tasks or, when there are none, of all.
    pub async fn reconcile(&self, tasks: Vec<ReconcileTask>) -> Result<(), CallError> {
        self.send(Call { reconcile: Some(Reconcile { tasks }), ..of(CallType::Reconcile) }).await
    }

    /// ACKNOWLEDGE_OPERATION_STATUS: this status of an operation has been dealt with. Does nothing for one that needs no acknowledgement.
    pub async fn acknowledge_operation(&self, status: &OperationStatus) -> Result<(), CallError> {
        let (Some(operation_id), Some(uuid)) = (status.operation_id.clone(), status.uuid.clone()) else {
            return Ok(());
        };
        let acknowledge = AcknowledgeOperationStatus {
            agent_id: status.agent_id.clone(),
            resource_provider_id: status.resource_provider_id.clone(),
            uuid: uuid.value,
            operation_id,
        };
        let kind = CallType::AcknowledgeOperationStatus;
        self.send(Call { acknowledge_operation_status: Some(acknowledge), ..of(kind) }).await
    }

    /// RECONCILE_OPERATIONS: asks for the state of these operations or, when there are none, of all.
    pub async fn reconcile_operations(&self, operations: Vec<ReconcileOperation>) -> Result<(), CallError> {
        let reconcile = ReconcileOperations { operations };
        self.send(Call { reconcile_operations: Some(reconcile), ..of(CallType::ReconcileOperations) }).await
    }

    /// MESSAGE: data for an executor, once, at best effort.
    pub async fn message(
        &self,
        agent_id: AgentId,
        executor_id: ExecutorId,
        data: impl Into<Bytes>,
    ) -> Result<(), CallError> {
        let message = Message { agent_id, executor_id, data: data.into() };
        self.send(Call { message: Some(message), ..of(CallType::Message) }).await
    }

    /// SHUTDOWN: ends an executor and its tasks.
    pub async fn shutdown(&self, agent_id: AgentId, executor_id: ExecutorId) -> Result<(), CallError> {
        let shutdown = Shutdown { executor_id, agent_id };
        self.send(Call { shutdown: Some(shutdown), ..of(CallType::Shutdown) }).await
    }

    /// TEARDOWN: kills every task and ends the framework for good.
    pub async fn teardown(&self) -> Result<(), CallError> {
        self.send(of(CallType::Teardown)).await
    }
}

fn of(kind: CallType) -> Call {
    Call { r#type: Some(kind), ..Call::default() }
}

pub(super) fn encode(call: &Call, media: MediaType) -> Vec<u8> {
    match media {
        MediaType::Json => encode_json(call),
        MediaType::Protobuf => encode_proto(call),
    }
}

//! The link to the master: registers, passes events on, sends calls one after the other, keeps the heart beating.

use std::time::Duration;

use attica_core_api::client::{Backoff, Detection, Masters, Pause, Records, StreamError, authority};
use attica_core_api::encode_proto;
use attica_core_api::http::{Client, ClientError, MediaType, Protocol, Security};
use attica_core_api::link::{
    Call, Event, ExecutorExited, HEARTBEAT_DEFAULT_MS, MISSED_LIMIT_DEFAULT, Message as ExecutorMessage,
    OperationStatus, Registered, STREAM_ID_HEADER, StatusUpdate, TaskReport,
};
use attica_core_api::v1::AgentId;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::Message;
use crate::supervisor::Input;

const PATH: &str = "/api/v1/agent";
/// How long the master may take to answer a call.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a call is repeated that the master could not take.
const BUSY_PAUSE: Duration = Duration::from_millis(500);
/// Updates in one call.
const MAX_UPDATES: usize = 1_000;
/// As much of a refusal's text is kept.
const MAX_TEXT_BYTES: usize = 1_024;

/// What the supervisor wants sent on the current stream.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Updates(Vec<StatusUpdate>),
    Tasks(Vec<TaskReport>),
    Operation(OperationStatus),
    Message(Box<ExecutorMessage>),
    Exited(Box<ExecutorExited>),
    /// Give this stream up.
    Close {
        reason: String,
    },
}

/// Why a stream, or an attempt at one, ended.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no master answers")]
    Unreachable(#[from] ClientError),
    #[error("`{0}` is not the address of a master")]
    Address(String),
    #[error("the master at {authority} answers {status}: {text}")]
    Refused { authority: String, status: StatusCode, text: String },
    #[error("the master's answer lacks the header {STREAM_ID_HEADER}")]
    NoStreamId,
    #[error("the stream broke")]
    Stream(#[from] StreamError),
    #[error("the master closed the stream")]
    Closed,
    #[error("another master leads now")]
    Replaced,
    #[error("what comes over the stream is not to be obeyed: {0}")]
    Disobeyed(String),
    #[error("the agent is about to end")]
    Over,
}

impl Failure {
    /// Whether the master is there and only cannot write: its database is away, or slow. The heartbeats tell whether it is there.
    fn is_busy(&self) -> bool {
        match self {
            Failure::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Failure::Unreachable(ClientError::Timeout { .. }) => true,
            Failure::Unreachable(
                ClientError::Connect { .. } | ClientError::Broken { .. } | ClientError::Invalid(_),
            )
            | Failure::Address(_)
            | Failure::NoStreamId
            | Failure::Stream(_)
            | Failure::Closed
            | Failure::Replaced
            | Failure::Disobeyed(_)
            | Failure::Over => false,
        }
    }
}

enum Attempt {
    /// Another master leads; ask it at once.
    Redirected,
    Failed(Failure),
    /// It worked until now.
    Ended(Failure),
}

pub(super) struct MasterLink {
    client: Client,
    masters: Masters,
    messages: mpsc::Sender<Message>,
}

impl MasterLink {
    pub(super) fn new(masters: Detection, security: Security, messages: mpsc::Sender<Message>) -> MasterLink {
        let client = Client::secured(Protocol::Http1, TIMEOUT, security);
        MasterLink { client, masters: Masters::new(masters), messages }
    }

    /// Keeps the agent registered until it ends.
    pub(super) async fn run(mut self) {
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let wait = match self.attempt().await {
                Attempt::Ended(Failure::Over) | Attempt::Failed(Failure::Over) => return,
                Attempt::Redirected => Duration::ZERO,
                Attempt::Failed(failure) => {
                    failures += 1;
                    if failures == 1 || failures % 20 == 0 {
                        tracing::warn!(failures, error = &failure as &dyn std::error::Error, "not registered");
                    }
                    backoff.after(failures)
                }
                Attempt::Ended(failure) => {
                    failures = 1;
                    tracing::warn!(error = &failure as &dyn std::error::Error, "the link to the master ended");
                    backoff.after(failures)
                }
            };
            if self.messages.send(Message::Input(Input::LinkClosed)).await.is_err() {
                return;
            }
            if self.masters.pause(wait).await == Pause::CutShort {
                failures = 0;
            }
        }
    }

    async fn attempt(&mut self) -> Attempt {
        let leader = self.masters.current().unwrap_or_default().to_owned();
        let Some(address) = self.client.uri(&leader, PATH) else {
            self.masters.failed();
            return Attempt::Failed(Failure::Address(leader));
        };
        // A channel for each stream: what was meant for an earlier one is not sent on this one.
        let (calls, queue) = mpsc::unbounded_channel();
        let (answer, register) = oneshot::channel();
        if self.messages.send(Message::Register { master: host_of(&leader), calls, answer }).await.is_err() {
            return Attempt::Failed(Failure::Over);
        }
        let Ok(register) = register.await else { return Attempt::Failed(Failure::Over) };
        let body = Bytes::from(encode_proto(&Call::register(register)));
        let response = match self.client.post(&address, headers(None), body).await {
            Ok(response) => response,
            Err(error) => {
                self.masters.failed();
                return Attempt::Failed(error.into());
            }
        };
        if response.status() != StatusCode::OK {
            if response.status() == StatusCode::TEMPORARY_REDIRECT
                && let Some(leader) = authority(response.headers())
                && self.masters.redirected(leader)
            {
                return Attempt::Redirected;
            }
            self.masters.failed();
            let status = response.status();
            let text = self.client.text(response, MAX_TEXT_BYTES).await;
            return Attempt::Failed(Failure::Refused { authority: leader, status, text });
        }
        self.masters.leads();
        let Some(stream_id) = response.headers().get(STREAM_ID_HEADER).cloned() else {
            return Attempt::Failed(Failure::NoStreamId);
        };
        let stream = Stream { client: self.client.clone(), address, stream_id };
        let events = Records::new(response.into_body(), MediaType::Protobuf);
        let ended = tokio::select! {
            ended = stream.serve(events, queue, &self.messages) => ended,
            () = self.masters.replaced() => Err(Failure::Replaced),
        };
        match ended {
            Ok(never) => match never {},
            Err(failure) => Attempt::Ended(failure),
        }
    }
}

/// Without its port.
fn host_of(authority: &str) -> String {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned()
}

fn headers(stream_id: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, MediaType::Protobuf.header_value());
    headers.insert(header::ACCEPT, MediaType::Protobuf.header_value());
    if let Some(stream_id) = stream_id {
        headers.insert(STREAM_ID_HEADER, stream_id.clone());
    }
    headers
}

/// An open stream.
struct Stream {
    client: Client,
    address: http::Uri,
    stream_id: HeaderValue,
}

impl Stream {
    async fn serve(
        &self,
        mut events: Records<Event>,
        mut queue: mpsc::UnboundedReceiver<Outgoing>,
        messages: &mpsc::Sender<Message>,
    ) -> Result<std::convert::Infallible, Failure> {
        let silence =
            |heartbeat_ms: u64, missed: u32| Duration::from_millis(heartbeat_ms.saturating_mul(u64::from(missed)));
        let first = events.next(silence(HEARTBEAT_DEFAULT_MS, MISSED_LIMIT_DEFAULT)).await?.ok_or(Failure::Closed)?;
        let epoch = first.epoch;
        let Some(Registered { agent_id, heartbeat_ms, missed_limit, .. }) = first.registered.clone() else {
            return Err(Failure::Disobeyed("its first event is not REGISTERED".to_owned()));
        };
        tracing::info!(agent = %agent_id, epoch, master = %self.address, "registered");
        pass_on(messages, first).await?;
        let receive = async {
            let patience = silence(heartbeat_ms, missed_limit);
            loop {
                let event = events.next(patience).await?.ok_or(Failure::Closed)?;
                pass_on(messages, event).await?;
            }
        };
        tokio::select! {
            outcome = receive => outcome,
            outcome = self.send_calls(&agent_id, epoch, &mut queue) => outcome,
            outcome = self.beat(&agent_id, epoch, heartbeat_ms) => outcome,
        }
    }

    /// One call at a time: statuses of a task must not overtake each other.
    async fn send_calls(
        &self,
        agent_id: &AgentId,
        epoch: u64,
        queue: &mut mpsc::UnboundedReceiver<Outgoing>,
    ) -> Result<std::convert::Infallible, Failure> {
        let mut waiting = Vec::new();
        loop {
            if queue.recv_many(&mut waiting, MAX_UPDATES).await == 0 {
                return Err(Failure::Over);
            }
            let mut updates = Vec::new();
            for outgoing in waiting.drain(..) {
                match outgoing {
                    Outgoing::Updates(new) => updates.extend(new),
                    Outgoing::Tasks(tasks) => {
                        self.send_updates(agent_id, epoch, &mut updates).await?;
                        self.send_tasks(&Call::tasks(agent_id.clone(), epoch, tasks)).await?;
                    }
                    Outgoing::Operation(status) => {
                        self.send_updates(agent_id, epoch, &mut updates).await?;
                        self.send_patiently(&Call::operation_status(agent_id.clone(), epoch, status)).await?;
                    }
                    Outgoing::Message(message) => {
                        self.send_updates(agent_id, epoch, &mut updates).await?;
                        self.send_once(&Call::message(agent_id.clone(), epoch, *message)).await?;
                    }
                    Outgoing::Exited(exited) => {
                        self.send_updates(agent_id, epoch, &mut updates).await?;
                        self.send_once(&Call::executor_exited(agent_id.clone(), epoch, *exited)).await?;
                    }
                    Outgoing::Close { reason } => return Err(Failure::Disobeyed(reason)),
                }
            }
            self.send_updates(agent_id, epoch, &mut updates).await?;
        }
    }

    /// What is delivered at best effort. A stream that is not the current one is no use for anything else either.
    async fn send_once(&self, call: &Call) -> Result<(), Failure> {
        match self.call(call).await {
            Err(Failure::Refused { status, text, .. }) if status != StatusCode::CONFLICT => {
                tracing::warn!(%status, text, "the master does not take a {}", call.r#type.name());
                Ok(())
            }
            Err(failure) if failure.is_busy() => Ok(()),
            outcome => outcome,
        }
    }

    /// A master that cannot take the list asks for it again.
    async fn send_tasks(&self, tasks: &Call) -> Result<(), Failure> {
        match self.call(tasks).await {
            Err(failure) if failure.is_busy() => Ok(()),
            outcome => outcome,
        }
    }

    /// Waits for a busy master, with everything behind these updates waiting too, so that they stay in order. An agent that gave the
    /// stream up instead could not register before the master can write, and would count as unreachable with all its tasks.
    async fn send_updates(
        &self,
        agent_id: &AgentId,
        epoch: u64,
        updates: &mut Vec<StatusUpdate>,
    ) -> Result<(), Failure> {
        while !updates.is_empty() {
            let rest = updates.split_off(updates.len().min(MAX_UPDATES));
            let statuses = Call::statuses(agent_id.clone(), epoch, std::mem::replace(updates, rest));
            self.send_patiently(&statuses).await?;
        }
        Ok(())
    }

    /// Repeats a call until the master is no longer too busy for it.
    async fn send_patiently(&self, call: &Call) -> Result<(), Failure> {
        while let Err(failure) = self.call(call).await {
            if !failure.is_busy() {
                return Err(failure);
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        Ok(())
    }

    async fn beat(
        &self,
        agent_id: &AgentId,
        epoch: u64,
        heartbeat_ms: u64,
    ) -> Result<std::convert::Infallible, Failure> {
        let mut beat = tokio::time::interval(Duration::from_millis(heartbeat_ms.max(1)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            self.call(&Call::heartbeat(agent_id.clone(), epoch)).await?;
        }
    }

    async fn call(&self, call: &Call) -> Result<(), Failure> {
        let response =
            self.client.post(&self.address, headers(Some(&self.stream_id)), Bytes::from(encode_proto(call))).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text = self.client.text(response, MAX_TEXT_BYTES).await;
        let authority = self.address.authority().map(ToString::to_string).unwrap_or_default();
        Err(Failure::Refused { authority, status, text })
    }
}

async fn pass_on(messages: &mpsc::Sender<Message>, event: Event) -> Result<(), Failure> {
    messages.send(Message::Input(Input::Link(Box::new(event)))).await.map_err(|_| Failure::Over)
}

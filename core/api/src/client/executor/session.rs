//! Keeps an executor subscribed.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::calls::MAX_TEXT_BYTES;
use super::super::{Backoff, Records, signals};
use super::{Environment, Executor};
use crate::encode_proto;
use crate::executor::{Call, Event, EventType, Subscribed};
use crate::http::{Client, MediaType, Protocol};
use crate::v1::{KillPolicy, TaskId, TaskInfo};

const PATH: &str = "/api/v1/executor";
/// How long the agent may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Agents send a heartbeat every half hour: a silent stream means nothing before that. A dead machine takes its executors with it.
const SILENCE: Duration = Duration::from_secs(90 * 60);
/// Signals that wait to be picked up; when it is full the stream is not read any further.
const QUEUE_SIGNALS: usize = 1_024;

/// What happens to an executor.
#[derive(Debug)]
pub enum Signal {
    /// The stream is open, for the first time or again.
    Subscribed(Box<Subscribed>),
    /// Start a task.
    Launch(Box<TaskInfo>),
    /// Start tasks together.
    LaunchGroup(Vec<TaskInfo>),
    /// Kill a task.
    Kill {
        /// Which.
        task_id: TaskId,
        /// How, when it differs from the task's own policy.
        kill_policy: Option<KillPolicy>,
    },
    /// The framework has sent data.
    Message(Bytes),
    /// The stream is gone; tasks go on. Statuses are kept until the next [`Signal::Subscribed`].
    Disconnected,
    /// Kill everything and end: the agent says so, refuses this executor, or has not come back in time. The last signal.
    Shutdown {
        /// Why.
        reason: String,
    },
}

/// The signals of one executor, in order; [`Signal::Shutdown`] is the last. Dropping it ends the subscription.
pub type Signals = signals::Signals<Signal>;

pub(super) fn start(environment: Environment, executor: Executor, outgoing: mpsc::UnboundedReceiver<Call>) -> Signals {
    let (signals, queue) = mpsc::channel(QUEUE_SIGNALS);
    let security = match environment.security() {
        Ok(security) => security,
        Err(error) => {
            let reason = format!("the agent cannot be asked over TLS: {error}");
            let told = async move { drop(signals.send(Signal::Shutdown { reason }).await) };
            return Signals::new(queue, tokio::spawn(told));
        }
    };
    let client = Client::secured(Protocol::Http1, TIMEOUT, security);
    let session = Session { environment, executor, outgoing, signals, client };
    Signals::new(queue, tokio::spawn(session.run()))
}

struct Session {
    environment: Environment,
    executor: Executor,
    outgoing: mpsc::UnboundedReceiver<Call>,
    signals: mpsc::Sender<Signal>,
    client: Client,
}

/// How a stream, or an attempt at one, ended.
enum End {
    /// No agent, or none any more; whether there was one.
    Lost { was_subscribed: bool },
    /// There is nothing more to do here.
    Over { reason: String },
}

impl Session {
    async fn run(mut self) {
        let backoff = Backoff { first: Duration::from_millis(100), longest: self.environment.backoff_max };
        let mut failures = 0;
        let mut alone_since = Instant::now();
        let mut met = false;
        loop {
            match self.serve().await {
                End::Over { reason } => return self.shutdown(reason).await,
                End::Lost { was_subscribed } => {
                    if was_subscribed {
                        (failures, alone_since, met) = (0, Instant::now(), true);
                        if self.signals.send(Signal::Disconnected).await.is_err() {
                            return;
                        }
                    }
                }
            }
            // The agent that has just started this process is there; the first time it gets a moment in any case.
            let patience =
                if met { self.environment.recovery_timeout } else { self.environment.recovery_timeout.max(TIMEOUT) };
            if alone_since.elapsed() >= patience {
                return self.shutdown("the agent has not come back in time".to_owned()).await;
            }
            failures += 1;
            tokio::time::sleep(backoff.after(failures)).await;
        }
    }

    async fn shutdown(&self, reason: String) {
        // When nobody listens any more, nobody needs to know.
        let _ = self.signals.send(Signal::Shutdown { reason }).await;
    }

    /// Subscribes and serves one stream to its end.
    async fn serve(&mut self) -> End {
        let response = match self.post(&self.executor.subscribe()).await {
            Ok(response) => response,
            Err(()) => return End::Lost { was_subscribed: false },
        };
        let status = response.status();
        if status != StatusCode::OK {
            let text = self.client.text(response, MAX_TEXT_BYTES).await;
            // An agent that recovers says 503.
            return match status.is_client_error() {
                true => End::Over { reason: format!("the agent refuses this executor ({status}): {text}") },
                false => End::Lost { was_subscribed: false },
            };
        }
        // What waited was in SUBSCRIBE already, if it was a status; a message has lost its moment.
        while self.outgoing.try_recv().is_ok() {}
        let mut events = Records::<Event>::new(response.into_body(), MediaType::Protobuf);
        let mut was_subscribed = false;
        loop {
            tokio::select! {
                event = events.next(SILENCE) => {
                    let Ok(Some(event)) = event else { return End::Lost { was_subscribed } };
                    was_subscribed |= event.r#type == Some(EventType::Subscribed);
                    if let Err(end) = self.take(event).await {
                        return end;
                    }
                }
                call = self.outgoing.recv() => match call {
                    Some(call) => if self.post(&call).await.is_err() {
                        return End::Lost { was_subscribed };
                    },
                    None => unreachable!("this session holds a sender itself"),
                }
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<(), End> {
        let signal = match event {
            Event { subscribed: Some(subscribed), .. } => Signal::Subscribed(Box::new(subscribed)),
            Event { launch: Some(launch), .. } => {
                self.executor.launched(&launch.task);
                Signal::Launch(Box::new(launch.task))
            }
            Event { launch_group: Some(group), .. } => {
                let tasks = group.task_group.tasks;
                tasks.iter().for_each(|task| self.executor.launched(task));
                Signal::LaunchGroup(tasks)
            }
            Event { kill: Some(kill), .. } => Signal::Kill { task_id: kill.task_id, kill_policy: kill.kill_policy },
            Event { message: Some(message), .. } => Signal::Message(message.data),
            Event { acknowledged: Some(acknowledged), .. } => {
                self.executor.acknowledged(&acknowledged.task_id, &acknowledged.uuid);
                return Ok(());
            }
            Event { error: Some(error), .. } => return Err(End::Over { reason: error.message }),
            Event { r#type: Some(EventType::Shutdown), .. } => {
                return Err(End::Over { reason: "the agent asks for it".to_owned() });
            }
            // HEARTBEAT, or an event of a newer agent.
            Event { .. } => return Ok(()),
        };
        let gone = self.signals.send(signal).await.is_err();
        if gone { Err(End::Over { reason: "nobody listens".to_owned() }) } else { Ok(()) }
    }

    async fn post(&self, call: &Call) -> Result<http::Response<crate::http::ResponseBody>, ()> {
        let uri = self.client.uri(&self.environment.agent, PATH).ok_or(())?;
        let media = MediaType::Protobuf.header_value();
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, media.clone()), (header::ACCEPT, media)]);
        let bearer =
            self.environment.token.as_ref().map(|token| HeaderValue::try_from(format!("Bearer {}", token.expose())));
        if let Some(Ok(mut bearer)) = bearer {
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        let answer = self.client.post(&uri, headers, Bytes::from(encode_proto(call))).await;
        answer.map_err(|error| tracing::debug!(error = &error as &dyn std::error::Error, "the agent does not answer"))
    }
}

//! Sessions: programs that run within a container for as long as a connection lasts, with their input and output in the agent's hands.

mod ends;
mod pump;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attica_core_api::agent::{LaunchNestedContainerSession, ProcessIo};
use attica_core_api::auth::Viewer;
use attica_core_api::http::Connection;
use attica_core_api::http::stream::{self, StreamBody, StreamLimits, StreamSender};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::sync::watch;

pub(super) use self::ends::Input;
use self::ends::{Ends, Outputs};
use super::Rejection;
use super::streaming::Outgoing;
use crate::contained::{ContainerPath, Tenure};
use crate::http::Agent;
use crate::shell::Message;
use crate::supervisor::{self, ContainerLaunch, OperatorCall, OperatorReply};

/// A reader that takes nothing for so long is given up.
pub(super) const STREAM_LIMITS: StreamLimits =
    StreamLimits { max_pending_bytes: 8 << 20, max_stall: Duration::from_secs(300) };
/// How often a stream of output tells that it is there, in milliseconds; as in Mesos.
pub(super) const HEARTBEAT_MS: u64 = 30_000;

/// The sessions of this agent.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<ContainerPath, Arc<Session>>>);

/// A program and those who talk to it.
#[derive(Debug)]
pub(super) struct Session {
    /// Held by whoever writes to it. None once it has been closed.
    pub(super) input: tokio::sync::Mutex<Option<Input>>,
    readers: Mutex<Vec<Reader>>,
    /// Whether nothing of it is left.
    pub(super) over: watch::Sender<bool>,
}

#[derive(Clone)]
struct Reader {
    sender: StreamSender,
    outgoing: Outgoing,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reader").field("outgoing", &self.outgoing).finish_non_exhaustive()
    }
}

impl Sessions {
    pub(super) fn get(&self, path: &ContainerPath) -> Option<Arc<Session>> {
        self.lock().get(path).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ContainerPath, Arc<Session>>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn readers(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who listens.
    fn tell(&self, record: &ProcessIo) {
        self.readers().retain(|reader| reader.sender.send(reader.outgoing.record(record)).is_ok());
    }

    /// The most that a reader has not taken yet.
    fn pending_bytes(&self) -> usize {
        self.readers().iter().map(|reader| reader.sender.pending_bytes()).max().unwrap_or(0)
    }

    fn finish(&self) {
        self.readers().drain(..).for_each(|reader| reader.sender.finish());
        self.over.send_replace(true);
    }

    /// Another one who listens from now on.
    pub(super) fn join(&self, outgoing: Outgoing, connection: Option<Connection>) -> Response {
        let (sender, body) = stream::channel(STREAM_LIMITS, connection, |_| {});
        self.readers().push(Reader { sender: sender.clone(), outgoing });
        if *self.over.borrow() {
            sender.finish();
        }
        respond(outgoing, body)
    }
}

/// LAUNCH_NESTED_CONTAINER_SESSION. Not given up when the client is: whoever launches has to be there to end it.
pub(super) async fn launch(
    agent: &Agent,
    viewer: Viewer,
    call: LaunchNestedContainerSession,
    outgoing: Outgoing,
    connection: Option<Connection>,
) -> Result<Response, Rejection> {
    let agent = agent.clone();
    let launched = tokio::spawn(async move { start(&agent, viewer, call, outgoing, connection).await });
    launched.await.map_err(|_| Rejection::Ending)?
}

async fn start(
    agent: &Agent,
    viewer: Viewer,
    call: LaunchNestedContainerSession,
    outgoing: Outgoing,
    connection: Option<Connection>,
) -> Result<Response, Rejection> {
    let LaunchNestedContainerSession { container_id, command, container } = call;
    let path = ContainerPath::from(&container_id);
    let terminal = container.as_ref().and_then(|container| container.tty_info.as_ref());
    let view = agent.view().await?;
    let whole = path.parent().and_then(|parent| view.running.iter().find(|running| running.path == parent));
    let within = whole.and_then(|whole| whole.pid).filter(|pid| *pid > 0);
    let ends = Ends::make(&agent.runtime_dir.join("io"), terminal, within).map_err(Rejection::Streams)?;
    let launch = ContainerLaunch {
        path: path.clone(),
        tenure: Tenure::Session,
        command,
        container,
        resources: Vec::new(),
        limits: Default::default(),
        streams: ends.streams(),
    };
    match agent.ask(OperatorCall::Launch(Box::new(launch)), viewer).await? {
        OperatorReply::Launched => {}
        OperatorReply::AlreadyRunning => return Ok(StatusCode::ACCEPTED.into_response()),
        OperatorReply::Refused(refusal) => return Err(refusal.into()),
        OperatorReply::Done | OperatorReply::Ended(_) | OperatorReply::Attached(_) => return Err(Rejection::Ending),
    }
    let (input, outputs) = ends.taken().map_err(Rejection::Streams)?;
    let (sender, body) = {
        let (messages, path) = (agent.messages.clone(), path.clone());
        stream::channel(STREAM_LIMITS, connection, move |_| {
            // Called by whoever ends it, who must not wait; the loop may have ended as well.
            let closed = Message::Input(supervisor::Input::SessionClosed(path));
            tokio::spawn(async move { messages.send(closed).await });
        })
    };
    let session = Arc::new(Session {
        input: tokio::sync::Mutex::new(Some(input)),
        readers: Mutex::new(vec![Reader { sender, outgoing }]),
        over: watch::Sender::new(false),
    });
    agent.sessions.lock().insert(path.clone(), session.clone());
    tokio::spawn(serve(agent.clone(), path, session, outputs));
    Ok(respond(outgoing, body))
}

/// Until nothing of it is left.
async fn serve(agent: Agent, path: ContainerPath, session: Arc<Session>, outputs: Outputs) {
    let end = agent.ask(OperatorCall::Wait(path.clone()), Viewer::default());
    pump::run(&session, outputs, async {
        // However that was answered, there is nothing more to wait for.
        let _ended = end.await;
    })
    .await;
    agent.sessions.lock().remove(&path);
    session.finish();
}

pub(super) fn respond(outgoing: Outgoing, body: StreamBody) -> Response {
    let mut response = Response::new(Body::new(body));
    outgoing.describe(response.headers_mut());
    response
}

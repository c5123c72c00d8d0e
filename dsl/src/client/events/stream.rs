use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::header::{ACCEPT, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::decoder::Decoder;
use super::{EventId, Frame};
use crate::client::failure::Failure;
use crate::client::server::{Request, Server, encode};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The server says something every 10 s.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LAST: Duration = Duration::from_secs(5);
/// So long a cluster without a service layer is waited for.
const ABSENCE_MAX: Duration = Duration::from_secs(120);

/// What a subscription tells.
#[derive(Debug)]
pub(in crate::client) enum Step {
    Event(Frame),
    /// The connection broke. The next step is [`Step::Resumed`], or a failure.
    Lost {
        cause: String,
    },
    /// The stream goes on.
    Resumed(Continuity),
}

/// Whether anything was missed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Continuity {
    /// Nothing.
    Whole,
    /// Nobody knows: there was no position to resume from.
    Broken,
}

/// A subscription that resumes after the last event it has seen.
pub(in crate::client) struct EventStream {
    server: Rc<Server>,
    path: String,
    after: Option<EventId>,
    state: State,
}

enum State {
    Open {
        body: Incoming,
        decoder: Decoder,
        heard_at: Instant,
    },
    /// Since `lost_at`. Whoever waits may stop waiting and come back: the attempt goes on where it was.
    Lost {
        lost_at: Instant,
        pause: Duration,
        attempt: Attempt,
    },
}

/// A new subscription, after a pause.
type Attempt = Pin<Box<dyn Future<Output = Result<Incoming, Failure>>>>;

impl EventStream {
    /// Subscribes to events of these types, all when there are none, after an event or from now on. Nothing that happens after
    /// this returns is missed.
    pub(in crate::client) async fn open(
        server: &Rc<Server>,
        event_types: &[&str],
        after: Option<EventId>,
    ) -> Result<Self, Failure> {
        let query: Vec<String> = event_types.iter().map(|name| format!("event_type={}", encode(name))).collect();
        let separator = if query.is_empty() { "" } else { "?" };
        let path = format!("/v2/events{separator}{}", query.join("&"));
        let body = subscribe(server, &path, after).await?;
        Ok(Self { server: Rc::clone(server), path, after, state: State::open(body) })
    }

    /// What happens next. Cancelling it loses nothing.
    ///
    /// # Errors
    /// When the stream could not be resumed for two minutes, or the server refuses to.
    pub(in crate::client) async fn next(&mut self) -> Result<Step, Failure> {
        loop {
            match &mut self.state {
                State::Open { body, decoder, heard_at } => {
                    let cause = match decoder.next() {
                        Ok(Some(frame)) => {
                            self.after = frame.id.or(self.after);
                            return Ok(Step::Event(frame));
                        }
                        Ok(None) => match tokio::time::timeout_at(*heard_at + SILENCE_MAX, body.frame()).await {
                            Ok(Some(Ok(frame))) => {
                                *heard_at = Instant::now();
                                if let Some(bytes) = frame.data_ref() {
                                    decoder.push(bytes);
                                }
                                continue;
                            }
                            Ok(Some(Err(error))) => error.to_string(),
                            Ok(None) => "the server ended it".to_owned(),
                            Err(_elapsed) => format!("silent for {} seconds", SILENCE_MAX.as_secs()),
                        },
                        Err(_too_long) => "an event is too long".to_owned(),
                    };
                    self.state =
                        State::Lost { lost_at: Instant::now(), pause: RETRY_FIRST, attempt: self.attempt(RETRY_FIRST) };
                    return Ok(Step::Lost { cause });
                }
                State::Lost { lost_at, pause, attempt } => match attempt.await {
                    Ok(body) => {
                        self.state = State::open(body);
                        let continuity = if self.after.is_some() { Continuity::Whole } else { Continuity::Broken };
                        return Ok(Step::Resumed(continuity));
                    }
                    Err(failure) if lost_at.elapsed() > ABSENCE_MAX || !is_passing(&failure) => return Err(failure),
                    Err(_passing) => {
                        let (lost_at, pause) = (*lost_at, (*pause * 2).min(RETRY_LAST));
                        self.state = State::Lost { lost_at, pause, attempt: self.attempt(pause) };
                    }
                },
            }
        }
    }

    fn attempt(&self, pause: Duration) -> Attempt {
        let (server, path, after) = (Rc::clone(&self.server), self.path.clone(), self.after);
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            subscribe(&server, &path, after).await
        })
    }
}

impl State {
    fn open(body: Incoming) -> Self {
        Self::Open { body, decoder: Decoder::default(), heard_at: Instant::now() }
    }
}

async fn subscribe(server: &Server, path: &str, after: Option<EventId>) -> Result<Incoming, Failure> {
    let mut request = Request::get(path).with_header(ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(after) = after {
        request = request.with_header(LAST_EVENT_ID, HeaderValue::from(after.0));
    }
    Ok(server.open(&request).await?.into_body())
}

/// Whether the cluster may be on its way back.
fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } | Failure::NoAnswer { .. } => true,
        Failure::Refused { status, .. } => status.is_server_error(),
        Failure::Usage(_)
        | Failure::Failed { .. }
        | Failure::Unreadable { .. }
        | Failure::File { .. }
        | Failure::DeploymentFailed { .. }
        | Failure::Configuration(_)
        | Failure::Interrupted
        | Failure::Ended(_)
        | Failure::Output(_) => false,
    }
}

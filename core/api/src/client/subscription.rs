//! Keeps a framework subscribed.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use tokio::sync::{mpsc, watch};

use super::calls::{MAX_TEXT_BYTES, PATH, Subscription, encode};
use super::masters::{self, Masters, Pause};
use super::records::{Records, StreamError};
use super::{Calls, Config, STREAM_ID_HEADER, signals};
use crate::http::{Client, ClientError, Protocol, ResponseBody};
use crate::scheduler::{Call, CallType, Event, EventType, Subscribe, Subscribed};
use crate::v1::{FrameworkId, MasterInfo};

/// How long a master may take to answer SUBSCRIBE and to send the first event.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Assumed when the master does not say.
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(15);

/// However often the master says that it sends heartbeats.
const SILENCE_MIN: Duration = Duration::from_secs(5);

/// What happens to a framework.
#[derive(Debug)]
pub enum Signal {
    /// The stream is open. What was offered before is gone; statuses that were not acknowledged come again.
    Subscribed {
        /// The framework's id: the same as ever, or new for a new framework.
        framework_id: FrameworkId,
        /// The master that leads, when it says so.
        master: Option<Box<MasterInfo>>,
    },
    /// Any event but SUBSCRIBED, HEARTBEAT and ERROR.
    Event(Box<Event>),
    /// The stream is gone. Calls fail until the next [`Signal::Subscribed`].
    Disconnected(Disconnection),
    /// The master refuses the framework (another scheduler has taken its id, it was removed, its description is not valid):
    /// the last signal.
    Refused {
        /// What the master says.
        text: String,
    },
}

/// Why a subscription, or an attempt at one, ended.
#[derive(Debug, thiserror::Error)]
pub enum Disconnection {
    /// The master closed the stream.
    #[error("the master closed the stream")]
    Closed,
    /// The stream broke or fell silent.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// No master answers.
    #[error(transparent)]
    Unreachable(#[from] ClientError),
    /// The master does not lead, or not yet.
    #[error("the master does not take subscriptions now: {text}")]
    Unavailable {
        /// What it says.
        text: String,
    },
    /// Nobody leads, as far as ZooKeeper knows; or no master was configured.
    #[error("no master leads")]
    NoLeader,
    /// Another master leads, as ZooKeeper says.
    #[error("another master leads now")]
    Replaced,
    /// The answer is not one of a master.
    #[error("unexpected answer: {0}")]
    Protocol(&'static str),
}

/// The signals of one framework, in order; [`Signal::Refused`] is the last. Dropping it ends the subscription.
pub type Signals = signals::Signals<Signal>;

pub(super) fn start(config: Config) -> (Calls, Signals) {
    let (current, seen) = watch::channel(None);
    let (signals, queue) = mpsc::channel(config.queue_events.max(1));
    let calls = Calls {
        client: Client::secured(Protocol::Http1, config.call_timeout, config.security.clone()),
        media: config.media,
        timeout: config.call_timeout,
        current: seen,
    };
    let subscriber = Subscriber {
        masters: Masters::new(config.masters.clone()),
        client: Client::secured(Protocol::Http1, SUBSCRIBE_TIMEOUT, config.security.clone()),
        config,
        current,
        signals,
    };
    let task = tokio::spawn(subscriber.run());
    (calls, Signals::new(queue, task))
}

struct Subscriber {
    config: Config,
    masters: Masters,
    client: Client,
    current: watch::Sender<Option<Subscription>>,
    signals: mpsc::Sender<Signal>,
}

/// What an answer to SUBSCRIBE means.
enum Answer {
    Stream { response: Response<ResponseBody>, authority: String },
    Redirect { location: String },
    Refused { text: String },
}

/// How a stream ended.
enum End {
    Disconnected(Disconnection),
    Refused {
        text: String,
    },
    /// Nobody takes signals any more.
    Unwanted,
}

impl Subscriber {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            match self.ask().await {
                Ok(Answer::Stream { response, authority }) => {
                    self.masters.leads();
                    let mut subscribed = false;
                    let end = self.follow(response, &authority, &mut subscribed).await;
                    self.current.send_replace(None);
                    match end {
                        End::Disconnected(why) if subscribed => {
                            failures = 0;
                            if self.signals.send(Signal::Disconnected(why)).await.is_err() {
                                return;
                            }
                        }
                        End::Disconnected(why) => self.note_failure(&why),
                        End::Refused { text } => return self.refused(text).await,
                        End::Unwanted => return,
                    }
                }
                Ok(Answer::Redirect { location }) => {
                    if self.masters.redirected(location) {
                        continue;
                    }
                }
                Ok(Answer::Refused { text }) => return self.refused(text).await,
                Err(why) => self.note_failure(&why),
            }
            failures += 1;
            if self.masters.pause(self.config.backoff.after(failures)).await == Pause::CutShort {
                failures = 0;
            }
        }
    }

    async fn refused(&self, text: String) {
        // When nobody listens any more, nobody needs to know.
        let _ = self.signals.send(Signal::Refused { text }).await;
    }

    fn note_failure(&mut self, why: &Disconnection) {
        let master = self.masters.current();
        tracing::debug!(master, error = why as &dyn std::error::Error, "cannot subscribe");
        self.masters.failed();
    }

    /// Sends SUBSCRIBE to the master whose turn it is.
    async fn ask(&mut self) -> Result<Answer, Disconnection> {
        let authority = self.masters.current().ok_or(Disconnection::NoLeader)?.to_owned();
        let uri =
            self.client.uri(&authority, PATH).ok_or(Disconnection::Protocol("a master's address is not host:port"))?;
        let media = self.config.media;
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, media.header_value()),
            (header::ACCEPT, media.header_value()),
        ]);
        let body = Bytes::from(encode(&self.subscribe(), media));
        let response = self.client.post(&uri, headers, body).await?;
        match response.status() {
            StatusCode::OK => Ok(Answer::Stream { response, authority }),
            status if status.is_redirection() => {
                let location = masters::authority(response.headers());
                location
                    .map(|location| Answer::Redirect { location })
                    .ok_or(Disconnection::Protocol("a redirect to nowhere"))
            }
            status if status.is_server_error() => {
                Err(Disconnection::Unavailable { text: self.client.text(response, MAX_TEXT_BYTES).await })
            }
            _ => Ok(Answer::Refused { text: self.client.text(response, MAX_TEXT_BYTES).await }),
        }
    }

    fn subscribe(&self) -> Call {
        let framework_info = self.config.framework.clone();
        Call {
            framework_id: framework_info.id.clone(),
            r#type: Some(CallType::Subscribe),
            subscribe: Some(Subscribe {
                framework_info,
                suppressed_roles: self.config.suppressed_roles.clone(),
                ..Subscribe::default()
            }),
            ..Call::default()
        }
    }

    /// Reads a stream to its end.
    async fn follow(&mut self, response: Response<ResponseBody>, authority: &str, subscribed: &mut bool) -> End {
        let Some(stream_id) = response.headers().get(STREAM_ID_HEADER).cloned() else {
            return End::Disconnected(Disconnection::Protocol("a stream without Mesos-Stream-Id"));
        };
        let mut records = Records::<Event>::new(response.into_body(), self.config.media);
        let mut patience = SUBSCRIBE_TIMEOUT;
        loop {
            let next = tokio::select! {
                next = records.next(patience) => next,
                () = self.masters.replaced() => return End::Disconnected(Disconnection::Replaced),
            };
            let event = match next {
                Ok(Some(event)) => event,
                Ok(None) => return End::Disconnected(Disconnection::Closed),
                Err(error) => return End::Disconnected(error.into()),
            };
            let signal = match event.r#type {
                Some(EventType::Heartbeat) => continue,
                Some(EventType::Error) => {
                    let text = event.error.map(|error| error.message).unwrap_or_default();
                    return End::Refused { text };
                }
                Some(EventType::Subscribed) => {
                    let Some(details) = event.subscribed else {
                        return End::Disconnected(Disconnection::Protocol("SUBSCRIBED without details"));
                    };
                    *subscribed = true;
                    patience = silence_limit(&details);
                    let framework_id = details.framework_id.clone();
                    self.config.framework.id = Some(framework_id.clone());
                    let authority = authority.to_owned();
                    let stream_id = stream_id.clone();
                    self.current.send_replace(Some(Subscription {
                        authority,
                        stream_id,
                        framework_id: framework_id.clone(),
                    }));
                    Signal::Subscribed { framework_id, master: details.master_info.map(Box::new) }
                }
                Some(_) => Signal::Event(Box::new(event)),
                // An event of a newer master.
                None => continue,
            };
            if self.signals.send(signal).await.is_err() {
                return End::Unwanted;
            }
        }
    }
}

/// Two heartbeats may be missed, and short pauses of a busy machine mean nothing.
pub(super) fn silence_limit(subscribed: &Subscribed) -> Duration {
    let told = subscribed.heartbeat_interval_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    (told.unwrap_or(HEARTBEAT_DEFAULT).saturating_mul(5) / 2).max(SILENCE_MIN)
}

//! One subscriber: events in order, each until it is taken, or until nothing has been taken for too long.

use std::sync::Arc;
use std::time::Duration;

use attica_core_api::http::{Client, ClientError};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::sign::signature;
use crate::engine::{Origin, Terms, Write};
use crate::events::{
    EVENT_STREAM_RESET, EventFilter, EventId, Start, Subscription, SubscriptionError, WireFrame, wire_frames,
};
use crate::http::{Leading, Metrics, Pending, Posted};
use crate::model::{Callback, CallbackUrl};

/// The whole answer to a post may take so long.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// What a subscriber answers is not looked at beyond the status; it is read so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Between a post that was not taken and the next; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A subscriber that has taken nothing for so long misses what happened meanwhile, and goes on with what happens next.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How far the posts have come is made durable so often at most.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// Names the event, the same as in the stream: what comes again has the same.
const EVENT_ID: HeaderName = HeaderName::from_static("attica-event-id");
/// See [`signature`].
const SIGNATURE: HeaderName = HeaderName::from_static("attica-signature");

/// Posts events to one URL.
pub(super) struct Worker {
    url: CallbackUrl,
    leading: Arc<Leading>,
    client: Client,
    metrics: Arc<Metrics>,
    /// This event and all before it were taken, or are given up.
    reached: EventId,
    /// So much of that is on its way to the disk.
    noted: EventId,
    noted_at: Instant,
}

/// Why a post was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no answer")]
    Silent(#[from] ClientError),
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("it cannot be asked")]
    Invalid(#[from] http::Error),
}

/// How far a subscriber has got with what it was given.
enum Outcome {
    /// It has taken everything.
    Taken,
    /// It has taken nothing for too long.
    GivenUp,
    /// It is none any more.
    Gone,
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Worker {
    pub(super) fn new(url: CallbackUrl, leading: Arc<Leading>, client: Client, metrics: Arc<Metrics>) -> Self {
        let start = leading.callbacks.get(&url).and_then(|callback| EventId::from_number(callback.position));
        let start = start.unwrap_or(EventId::START);
        Self { url, leading, client, metrics, reached: start, noted: start, noted_at: Instant::now() }
    }

    /// Runs until the subscriber is none any more, or this process no longer leads.
    pub(super) async fn run(mut self) {
        let mut start = Start::After(self.reached);
        loop {
            let mut subscription = self.follow(start);
            start = match self.post_all(&mut subscription).await {
                Ok(Outcome::Gone | Outcome::Taken) => return,
                Ok(Outcome::GivenUp) => {
                    self.metrics.count_callback(Posted::GivenUp);
                    self.leading.callbacks.waits_for(&self.url, None);
                    tracing::warn!(url = %self.url, "a callback has taken no event for an hour: it misses those that it has not taken");
                    Start::Now
                }
                Err(error) => {
                    tracing::warn!(url = %self.url, error = &error as &dyn std::error::Error, "cannot read the events for a callback");
                    tokio::time::sleep(PAUSE_MAX).await;
                    Start::After(self.reached)
                }
            };
        }
    }

    fn follow(&self, start: Start) -> Subscription {
        let reached = EventId::end_of(self.leading.model.position());
        let (bus, history) = (Arc::clone(&self.leading.bus), self.leading.history.clone());
        Subscription::new(bus, history, EventFilter::default(), start, reached)
    }

    /// Posts what there is and what comes; taken, once nothing can come from this process any more.
    async fn post_all(&mut self, subscription: &mut Subscription) -> Result<Outcome, SubscriptionError> {
        loop {
            let is_noted = self.noted == self.reached;
            let frames = tokio::select! {
                frames = subscription.next() => frames?,
                () = tokio::time::sleep_until(self.noted_at + NOTE_INTERVAL), if !is_noted => {
                    self.note();
                    continue;
                }
            };
            let Some(frames) = frames else { return Ok(Outcome::Taken) };
            for frame in wire_frames(&frames) {
                self.leading.callbacks.waits_for(&self.url, Some(frame.id));
                match self.post_until_taken(&frame).await {
                    Outcome::Taken => self.reached = frame.id,
                    ended @ (Outcome::GivenUp | Outcome::Gone) => return Ok(ended),
                }
                if self.noted_at.elapsed() >= NOTE_INTERVAL {
                    self.note();
                }
            }
            self.leading.callbacks.waits_for(&self.url, None);
        }
    }

    async fn post_until_taken(&self, frame: &WireFrame<'_>) -> Outcome {
        if frame.event_type == EVENT_STREAM_RESET {
            self.metrics.count_callback(Posted::GivenUp);
            tracing::warn!(url = %self.url, "a callback misses events: they were forgotten before it took them");
            return Outcome::Taken;
        }
        let (begun, mut pause) = (Instant::now(), PAUSE_MIN);
        loop {
            let Some(callback) = self.leading.callbacks.get(&self.url) else { return Outcome::Gone };
            let refused = match self.post(&callback, frame).await {
                Ok(()) => {
                    self.metrics.count_callback(Posted::Taken);
                    return Outcome::Taken;
                }
                Err(refused) => refused,
            };
            self.metrics.count_callback(Posted::Refused);
            self.leading.callbacks.failed(&self.url, chain(&refused));
            if pause == PAUSE_MIN {
                let error = &refused as &dyn std::error::Error;
                tracing::warn!(url = %self.url, event = %frame.id, error, "a callback does not take an event; it is repeated");
            }
            if begun.elapsed() + pause > PATIENCE {
                return Outcome::GivenUp;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Redirects are not followed: an event goes where its subscriber said.
    async fn post(&self, callback: &Callback, frame: &WireFrame<'_>) -> Result<(), Refused> {
        let uri = Uri::try_from(self.url.as_str()).map_err(http::Error::from)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(EVENT_ID, HeaderValue::from(frame.id.number()));
        if let Some(secret) = &callback.secret {
            let signature = HeaderValue::try_from(signature(secret, frame.data)).map_err(http::Error::from)?;
            headers.insert(SIGNATURE, signature);
        }
        let response = self.client.post(&uri, headers, Bytes::copy_from_slice(frame.data)).await?;
        let (parts, body) = response.into_parts();
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect();
        // The status has told already whether it was taken.
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, whole).await;
        if parts.status.is_success() { Ok(()) } else { Err(Refused::Status(parts.status)) }
    }

    /// Has it made durable how far the posts have come. When that fails, the next time will do.
    fn note(&mut self) {
        self.noted_at = Instant::now();
        let write = Write::CallbackReached { url: self.url.clone(), position: self.reached.number() };
        let (reply, _nobody_waits) = oneshot::channel();
        let pending = Pending { write, terms: Terms::default(), origin: Origin::default(), reply };
        if self.leading.writes.try_send(pending).is_ok() {
            self.noted = self.reached;
        }
    }
}

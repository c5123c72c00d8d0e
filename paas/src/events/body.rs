//! The body of an event stream's response.

use std::time::{Duration, SystemTime};

use attica_core_api::Timestamp;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use tokio::time::Instant;

use super::filter::{Reader, write_frame};
use super::subscription::{Pace, Subscription, SubscriptionError};
use crate::model::rfc3339;

/// The shortest time between two writes to a subscriber that has caught up: at most 50 a second.
const WRITE_INTERVAL: Duration = Duration::from_millis(20);
/// The same for one who is waited for: those are few, and route requests by what they read.
const AWAITED_WRITE_INTERVAL: Duration = Duration::from_millis(2);
/// A silent stream gets a comment so often: proxies and clients close what says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const COMMENT: &[u8] = b":\n\n";

/// The frames of a subscription, one item per write. It is only asked for the next one when the socket can take it.
pub fn body(
    subscription: Subscription,
    remote_address: String,
) -> impl Stream<Item = Result<Bytes, SubscriptionError>> + Send {
    let state = Stage::Attached { subscription, remote_address };
    stream::unfold(state, |stage| async move {
        match stage.next().await {
            Ok(Some((bytes, stage))) => Some((Ok(bytes), stage)),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an event stream is cut");
                Some((Err(error), Stage::Ended))
            }
        }
    })
}

/// How far a response has come.
enum Stage {
    /// The subscription exists, the first frame is to be sent.
    Attached { subscription: Subscription, remote_address: String },
    /// Events follow.
    Streaming { subscription: Subscription, remote_address: String, last_write: Instant },
    /// Nothing follows.
    Ended,
}

impl Stage {
    async fn next(self) -> Result<Option<(Bytes, Self)>, SubscriptionError> {
        match self {
            Self::Attached { subscription, remote_address } => {
                let first = match subscription.filter().wants(ATTACHED) {
                    true => private_frame(ATTACHED, &remote_address),
                    false => Bytes::from_static(COMMENT),
                };
                let last_write = Instant::now();
                Ok(Some((first, Self::Streaming { subscription, remote_address, last_write })))
            }
            Self::Streaming { mut subscription, remote_address, last_write } => {
                match subscription.pace() {
                    // What comes meanwhile is written together.
                    Pace::Live => tokio::time::sleep_until(last_write + write_interval(&subscription)).await,
                    Pace::CatchingUp => {}
                }
                let bytes = match tokio::time::timeout_at(last_write + KEEP_ALIVE, subscription.next()).await {
                    Ok(next) => match next? {
                        Some(frames) => Bytes::from(frames),
                        None if subscription.filter().wants(DETACHED) => {
                            return Ok(Some((private_frame(DETACHED, &remote_address), Self::Ended)));
                        }
                        None => return Ok(None),
                    },
                    Err(_elapsed) => Bytes::from_static(COMMENT),
                };
                Ok(Some((bytes, Self::Streaming { subscription, remote_address, last_write: Instant::now() })))
            }
            Self::Ended => Ok(None),
        }
    }
}

fn write_interval(subscription: &Subscription) -> Duration {
    match subscription.filter().reader {
        Reader::Watching => WRITE_INTERVAL,
        Reader::Acknowledging => AWAITED_WRITE_INTERVAL,
    }
}

const ATTACHED: &str = "event_stream_attached";
const DETACHED: &str = "event_stream_detached";

/// A frame for this stream alone, which has no id and is not stored.
fn private_frame(event_type: &str, remote_address: &str) -> Bytes {
    let at = rfc3339(Timestamp::from(SystemTime::now()));
    let data = format!(r#"{{"remoteAddress":"{remote_address}","eventType":"{event_type}","timestamp":"{at}"}}"#);
    let mut out = Vec::new();
    write_frame(event_type, &data, None, &mut out);
    Bytes::from(out)
}

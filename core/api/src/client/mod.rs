//! The library for authors of frameworks: the scheduler API from a framework's side, and in [`executor`] the executor API.
//!
//! [`connect`] keeps a framework subscribed to whichever master leads: it follows redirects, tries the masters in turn,
//! waits longer after each failure, and subscribes again under the same id when a stream breaks or falls silent. What happens
//! comes as [`Signal`]s; [`Calls`] sends calls on connections of their own, bound to the current stream.
//!
//! What is left to the framework:
//!
//! * *Detection*: say where the masters are, by addresses or by ZooKeeper ([`Detection`]); the rest is done here.
//! * *Failover*: keep the id that [`Signal::Subscribed`] brings; a successor that sets it in `framework.id` takes over, and
//!   the master keeps the tasks meanwhile for `framework.failover_timeout` seconds, which are none unless they are set.
//! * *Acknowledgements*: [`Calls::acknowledge`] each status once it is dealt with. Until then it is delivered again and again.
//! * *Reconciliation*: statuses are never lost, but a framework that has lost its own memory asks: [`Reconciler`].
//! * *Calls of unknown effect* ([`CallError::Unknown`]): for a launch, wait for the task's status or reconcile; the rest may be repeated.
//!
//! ```text
//!   Seeking ──200──► Subscribed ──stream broke, silent, or ended──► Seeking      (Signal::Subscribed, …, Signal::Disconnected)
//!    │ ▲ 307, 503, no connection: next master, wait                    │
//!    └─┘ any other status, or ERROR on the stream ─────────────────────┴──────► Refused   (Signal::Refused, then the end)
//! ```
//!
//! ```no_run
//! # async fn example() -> Option<()> {
//! use attica_core_api::client::{self, Config, Signal};
//! use attica_core_api::v1::FrameworkInfo;
//!
//! let framework = FrameworkInfo { user: "root".into(), name: "hello".into(), ..FrameworkInfo::default() };
//! let (calls, mut signals) = client::connect(Config::new(vec!["127.0.0.1:5050".into()], framework));
//! while let Some(signal) = signals.next().await {
//!     if let Signal::Event(event) = signal {
//!         println!("{event:?}");
//!     }
//! }
//! # drop(calls); Some(()) }
//! ```

mod backoff;
mod calls;
pub mod executor;
mod masters;
mod reconciler;
mod records;
mod signals;
mod subscription;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use backoff::Backoff;
pub use calls::{CallError, Calls};
pub use masters::{Detection, InvalidDetection, Masters, Pause, authority};
pub use reconciler::Reconciler;
pub use records::{Records, StreamError};
pub use subscription::{Disconnection, Signal, Signals};

use crate::http::{MediaType, Security};
use crate::v1::FrameworkInfo;

/// The header that names a scheduler's stream.
pub const STREAM_ID_HEADER: &str = "Mesos-Stream-Id";

/// How a framework wants to be connected.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the masters are.
    pub masters: Detection,
    /// The framework. With an `id` it takes over from an earlier subscription of that id.
    pub framework: FrameworkInfo,
    /// Roles that are not to be offered anything at first.
    pub suppressed_roles: Vec<String>,
    /// The encoding of calls and events.
    pub media: MediaType,
    /// How long to wait between attempts to subscribe.
    pub backoff: Backoff,
    /// How long a call may take, retries included.
    pub call_timeout: Duration,
    /// What proves the framework's name to the master, and whether connections are encrypted.
    pub security: Security,
    /// Events that wait to be picked up; when it is full the stream is not read any further.
    pub queue_events: usize,
}

impl Config {
    /// Protobuf, and otherwise what suits most frameworks.
    pub fn new(masters: impl Into<Detection>, framework: FrameworkInfo) -> Config {
        Config {
            masters: masters.into(),
            framework,
            suppressed_roles: Vec::new(),
            media: MediaType::Protobuf,
            // There are few frameworks, and nothing moves while one waits.
            backoff: Backoff { longest: Duration::from_secs(1), ..Backoff::default() },
            call_timeout: Duration::from_secs(10),
            security: Security::default(),
            queue_events: 1024,
        }
    }
}

/// Starts subscribing, in the background of the current tokio runtime, until [`Signals`] is dropped or the master refuses the
/// framework for good.
pub fn connect(config: Config) -> (Calls, Signals) {
    subscription::start(config)
}

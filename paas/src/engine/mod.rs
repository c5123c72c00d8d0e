//! The decisions: a synchronous state machine over writes, scheduler events and time.

mod config;
mod effects;
mod fact;
mod input;
mod launch_queue;
mod refusal;
mod snapshot;

pub use config::{Border, Config};
pub use effects::{Effects, Frame, Recorded, Reply, View};
pub use fact::{Cause, Delay, Fact, Finding, TaskUpdate};
pub use input::{CancelMode, Definition, Input, KillMode, Origin, ReplyTo, RunSpecChange, TaskSelection, Write};
pub use launch_queue::{OfferSummary, QueueItem, UNUSED_OFFERS_MAX, UnusedOffer};
pub use refusal::{Refusal, Violation};
pub use snapshot::{RunSpecState, Snapshot};

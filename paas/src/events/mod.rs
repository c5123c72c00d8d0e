//! The event stream: frames that leave the journal, to whoever listens.
//!
//! A subscriber is a position and a socket buffer, never a queue. [`Bus`] keeps the newest events in memory, once for all; each
//! [`Subscription`] asks it for what comes after its own position when its socket can take more, and reads the journal in
//! Postgres where memory does not reach back far enough. Whoever stalls keeps nothing but its connection.
//!
//! States of a subscription:
//!
//! * *live*: its position is within the bus's memory; it waits for the bus to move on;
//! * *behind*: its position is older than that; it reads pages of the journal until it is live;
//! * *reset*: its position is older than the journal, or from another history; it is told so by one `event_stream_reset` frame and
//!   goes on from the oldest event there is (or from now).

mod body;
mod bus;
mod event;
mod filter;
mod subscription;

#[cfg(test)]
mod tests;

pub use body::body;
pub use bus::{Bus, Memory};
pub use event::{Event, EventId};
pub use filter::{EventFilter, Reader};
pub(crate) use filter::{WireFrame, wire_frames};
pub(crate) use subscription::EVENT_STREAM_RESET;
pub use subscription::{History, Start, Subscription, SubscriptionError};

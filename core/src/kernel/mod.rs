//! The state machine.
//!
//! Architecture invariant: no async, clock, randomness or IO in here. [`Kernel::apply`] takes one input and says what is to become
//! durable and what is to be sent; the shell around it does both, in this order. After the inputs that were waiting, the shell calls
//! [`Kernel::settle`] once: it lets deadlines that have passed take effect and turns what is free into offers.

mod config;
mod effects;
mod input;

pub use config::{Config, RateLimit};
pub use effects::{Effects, Refusal, Reply, Send, View};
pub use input::{Input, LinkId, Now, ReplyTo, StreamId};

use crate::snapshot::Snapshot;

/// The state machine of one leader.
pub struct Kernel {
    config: Config,
}

impl Kernel {
    /// The kernel of a new leader, with everything that the leaders before it made durable. Whoever was here then counts as
    /// disconnected until it comes back.
    pub fn recover(config: Config, snapshot: &Snapshot, now: Now) -> Self {
        let _ = (snapshot, now);
        Self { config }
    }

    /// Applies one input; the effects are added to `out`.
    pub fn apply(&mut self, now: Now, input: Input, out: &mut Effects) {
        let _ = (&self.config, now, input, out);
    }

    /// Lets what is due take effect, makes offers, and sets `out.wake`. To be called after each run of inputs and at `wake`.
    pub fn settle(&mut self, now: Now, out: &mut Effects) {
        let _ = (now, out);
    }
}

//! What is to be looked at again, and when.

use std::collections::BTreeSet;

use attica_core_api::Tick;
use attica_core_api::v1::{AgentId, FrameworkId, TaskId};
use uuid::Uuid;

/// Whose deadline it is. A timer is a reminder only: whoever it names is looked at, and looks at its own deadline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A framework that is away may have to be removed.
    FrameworkAway(FrameworkId),
    /// An agent may have been silent for too long.
    AgentSilent(AgentId),
    /// The rate limit lets another agent pass.
    UnreachablePermit,
    /// The oldest status of a task may have to be sent again.
    Resend(FrameworkId, TaskId),
    /// The outcome of an operation may have to be sent again.
    ResendOperation(Uuid),
    /// Frameworks that use an agent which is to go away may be asked again.
    AskToLeave(AgentId),
}

/// Timers in the order in which they are due.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Tick, Timer)>);

impl Timers {
    /// Remind of `timer` at `at`.
    pub fn set(&mut self, at: Tick, timer: Timer) {
        self.0.insert((at, timer));
    }

    /// Do not remind of `timer` at `at`.
    pub fn cancel(&mut self, at: Tick, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    /// Takes out the first timer that is due.
    pub fn pop_due(&mut self, now: Tick) -> Option<Timer> {
        let (at, _) = self.0.first()?;
        if *at > now { None } else { self.0.pop_first().map(|(_, timer)| timer) }
    }

    /// When the next timer is due.
    pub fn next(&self) -> Option<Tick> {
        self.0.first().map(|(at, _)| *at)
    }
}

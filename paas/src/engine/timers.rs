use std::collections::BTreeSet;

use attica_core_api::{Now, Tick, Timestamp};

use crate::model::{ConsumerName, DeploymentId, InstanceId, RunSpecId, TaskIdentity};

/// What is to be looked at again when its time has come. Looking too often does no harm, so nothing is ever taken back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A delay after failures may be over.
    Delay(RunSpecId),
    /// A task that was launched should be running.
    Launch(TaskIdentity),
    /// An instance may have been unreachable for too long.
    Unreachable(InstanceId),
    /// An instance may have waited for too long for what is kept for it.
    Reservation(InstanceId),
    /// Offers have been looked through for what is kept for nobody.
    Sweep,
    /// A kill should be confirmed.
    Kill(InstanceId),
    /// An instance may have been draining for long enough.
    Drain(InstanceId),
    /// A deployment may have made no progress for too long.
    Deadline(DeploymentId),
    /// A run spec may be able to go on.
    Look(RunSpecId),
    /// A consumer of the event stream may have fallen silent.
    Lease(ConsumerName),
    /// Tasks are compared with the master's.
    Reconcile,
    /// Launches that may have been lost are asked for again.
    Unconfirmed,
}

/// All timers, by time.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Tick, Timer)>);

impl Timers {
    pub(super) fn set(&mut self, at: Tick, timer: Timer) {
        self.0.insert((at, timer));
    }

    /// Sets a timer at a moment of the wall clock, which may have passed.
    pub(super) fn set_at(&mut self, now: Now, at: Timestamp, timer: Timer) {
        let delay_ms = u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or_default();
        self.set(now.tick.after(delay_ms), timer);
    }

    /// Takes a timer whose time has come.
    pub(super) fn due(&mut self, now: Tick) -> Option<Timer> {
        self.0.first().filter(|(at, _)| *at <= now)?;
        self.0.pop_first().map(|(_, timer)| timer)
    }

    pub(super) fn next(&self) -> Option<Tick> {
        self.0.first().map(|(at, _)| *at)
    }
}

//! Kills go out a limited number at a time, and again until they are confirmed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use attica_core_api::Now;
use attica_core_api::v1::TaskId;

use super::timers::Timer;
use super::{Effects, Engine, calls};
use crate::model::InstanceId;

/// The kills that were decided. Not durable: the sentences of tasks are.
#[derive(Debug, Default)]
pub(super) struct KillService {
    waiting: VecDeque<InstanceId>,
    /// With how often each was sent.
    in_flight: BTreeMap<InstanceId, u64>,
    /// Those of tasks that did not begin in time.
    overdue: BTreeSet<InstanceId>,
}

/// How the kills stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kills {
    /// Instances whose kill was sent and is not confirmed.
    pub in_flight: u64,
    /// How often those were sent, together.
    pub attempts: u64,
    /// Instances that did not begin in time, and have not ended yet.
    pub overdue: u64,
}

impl KillService {
    /// A task is to be killed now.
    pub(super) fn enqueue(&mut self, id: InstanceId) {
        self.waiting.push_back(id);
    }

    /// A task has ended, or is given up.
    pub(super) fn done(&mut self, id: &InstanceId) {
        self.in_flight.remove(id);
        self.overdue.remove(id);
    }

    /// A task did not begin in time, and is killed for that.
    pub(super) fn overdue(&mut self, id: InstanceId) {
        self.overdue.insert(id);
    }

    /// The connection broke: whatever was asked for may be lost.
    pub(super) fn forget_in_flight(&mut self) {
        self.waiting.extend(std::mem::take(&mut self.in_flight).into_keys());
    }
}

impl Engine {
    /// How the kills stand at this moment.
    #[must_use]
    pub fn kills(&self) -> Kills {
        let KillService { waiting: _, in_flight, overdue } = &self.kills;
        Kills { in_flight: in_flight.len() as u64, attempts: in_flight.values().sum(), overdue: overdue.len() as u64 }
    }

    /// Sends as many kills as may be in flight.
    pub(super) fn send_kills(&mut self, now: Now, out: &mut Effects) {
        while self.connected && self.kills.in_flight.len() < self.config.kills_in_flight_max {
            let Some(id) = self.kills.waiting.pop_front() else { break };
            if self.is_sentenced(&id) && self.kills.in_flight.insert(id.clone(), 0).is_none() {
                self.send_kill(now, &id, out);
            }
        }
    }

    /// A kill that should be confirmed by now is sent again.
    pub(super) fn repeat_kill(&mut self, now: Now, id: &InstanceId, out: &mut Effects) {
        if self.kills.in_flight.contains_key(id) && self.connected {
            self.send_kill(now, id, out);
        }
    }

    fn send_kill(&mut self, now: Now, id: &InstanceId, out: &mut Effects) {
        if let Some(task) = self.state.instance(id).and_then(|instance| instance.task.as_ref()) {
            let kill = |id: &TaskId| calls::kill(id.clone(), Some(task.agent.id.clone()));
            out.calls.extend(task.living().map(kill));
            self.kills.in_flight.entry(id.clone()).and_modify(|attempts| *attempts += 1);
            self.timers.set(now.tick.after(self.config.kill_retry_ms), Timer::Kill(id.clone()));
        }
    }

    /// The task of an instance has ended, or is given up: there is nothing to kill any more.
    pub(super) fn kill_over(&mut self, id: &InstanceId) {
        self.draining.forget(id);
        self.kills.done(id);
    }

    fn is_sentenced(&self, id: &InstanceId) -> bool {
        self.state.instance(id).is_some_and(crate::model::Instance::is_sentenced)
    }
}

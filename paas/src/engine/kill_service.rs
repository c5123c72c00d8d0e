//! Kills go out a limited number at a time, and again until they are confirmed.

use std::collections::{BTreeSet, VecDeque};

use attica_core_api::Now;
use attica_core_api::v1::TaskId;

use super::timers::Timer;
use super::{Effects, Engine, calls};
use crate::model::InstanceId;

/// The kills that were decided. Not durable: the sentences of tasks are.
#[derive(Debug, Default)]
pub(super) struct KillService {
    waiting: VecDeque<InstanceId>,
    in_flight: BTreeSet<InstanceId>,
}

impl KillService {
    /// A task is to be killed now.
    pub(super) fn enqueue(&mut self, id: InstanceId) {
        self.waiting.push_back(id);
    }

    /// A task has ended, or is given up.
    pub(super) fn done(&mut self, id: &InstanceId) {
        self.in_flight.remove(id);
    }

    /// The connection broke: whatever was asked for may be lost.
    pub(super) fn forget_in_flight(&mut self) {
        self.waiting.extend(std::mem::take(&mut self.in_flight));
    }
}

impl Engine {
    /// Sends as many kills as may be in flight.
    pub(super) fn send_kills(&mut self, now: Now, out: &mut Effects) {
        while self.connected && self.kills.in_flight.len() < self.config.kills_in_flight_max {
            let Some(id) = self.kills.waiting.pop_front() else { break };
            if self.is_sentenced(&id) && self.kills.in_flight.insert(id.clone()) {
                self.send_kill(now, &id, out);
            }
        }
    }

    /// A kill that should be confirmed by now is sent again.
    pub(super) fn repeat_kill(&mut self, now: Now, id: &InstanceId, out: &mut Effects) {
        if self.kills.in_flight.contains(id) && self.connected {
            self.send_kill(now, id, out);
        }
    }

    fn send_kill(&mut self, now: Now, id: &InstanceId, out: &mut Effects) {
        if let Some(task) = self.state.instance(id).and_then(|instance| instance.task.as_ref()) {
            let kill = |id: &TaskId| calls::kill(id.clone(), Some(task.agent.id.clone()));
            out.calls.extend(task.living().map(kill));
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

//! Before a kill: whoever routes requests to an instance lets go of it first.
//!
//! A consumer of the event stream can ask to be waited for. It acknowledges how far it has come, and each acknowledgement is a lease: a
//! consumer that falls silent is waited for no longer. The sentence of a task is the fact that tells them ([`INSTANCE_DRAINING`]); its
//! kill is sent
//!
//! * once every consumer has come past that fact, but not before the run spec's drain delay is over;
//! * or, whatever consumers do, once the run spec's drain timeout is over.
//!
//! So without consumers and without a drain delay there is nothing to wait for.
//!
//! The names of consumers are durable, how far they have come is not. A new leader takes each for one that has acknowledged nothing yet
//! and gives it one lease to come back: until then no kill is sent before the drain timeout. Drains that its predecessor began are
//! begun anew.
//!
//! [`INSTANCE_DRAINING`]: super::INSTANCE_DRAINING

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::{Now, Tick};

use super::timers::Timer;
use super::{Effects, Engine, Fact};
use crate::model::{Condition, ConsumerName, Instance, InstanceId, RunSpec};

/// How far a consumer has come, or at which place a fact is: the number of facts that this engine has recorded up to there. Facts of
/// its predecessors have places of 0 and below.
type Place = i64;

/// Who is waited for, and which kills wait.
#[derive(Debug, Default)]
pub(super) struct Draining {
    /// By the names in the durable state.
    consumers: BTreeMap<ConsumerName, Consumer>,
    /// When the kill of each draining instance is sent at the latest.
    drains: BTreeMap<InstanceId, Drain>,
    /// The draining instances that some consumer may not have let go of, by the place of the fact that tells it to.
    unacknowledged: BTreeSet<(Place, InstanceId)>,
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    seen: Place,
    lease_until: Tick,
}

#[derive(Clone, Copy, Debug)]
struct Drain {
    place: Place,
    not_before: Tick,
    at_the_latest: Tick,
}

impl Draining {
    /// A consumer has come so far. True when its name is new here.
    pub(super) fn heard(&mut self, name: ConsumerName, seen: Place, lease_until: Tick) -> bool {
        self.consumers.insert(name, Consumer { seen, lease_until }).is_none()
    }

    /// What every consumer has seen; everything, when there are none.
    fn seen_by_all(&self) -> Place {
        self.consumers.values().map(|consumer| consumer.seen).min().unwrap_or(Place::MAX)
    }

    fn begin(&mut self, id: InstanceId, drain: Drain) {
        self.unacknowledged.insert((drain.place, id.clone()));
        self.drains.insert(id, drain);
    }

    /// The task of an instance has ended, or its kill need not wait any longer.
    pub(super) fn forget(&mut self, id: &InstanceId) {
        if let Some(drain) = self.drains.remove(id) {
            self.unacknowledged.remove(&(drain.place, id.clone()));
        }
    }

    /// The instances that every consumer has let go of by now, each with the moment from which it may be killed.
    fn acknowledged(&mut self) -> Vec<(InstanceId, Tick)> {
        let seen = self.seen_by_all();
        let mut acknowledged = Vec::new();
        while let Some((place, id)) = self.unacknowledged.pop_first() {
            if place > seen {
                self.unacknowledged.insert((place, id));
                break;
            }
            if let Some(drain) = self.drains.get_mut(&id) {
                drain.at_the_latest = drain.not_before;
                acknowledged.push((id, drain.not_before));
            }
        }
        acknowledged
    }
}

impl Engine {
    /// A consumer says how far it has come, and is waited for from now on.
    pub(super) fn consumer_heard(&mut self, now: Now, name: ConsumerName, seen: Place) {
        let lease_until = now.tick.after(self.config.consumer_lease_ms);
        if self.draining.heard(name.clone(), seen, lease_until) {
            self.timers.set(lease_until, Timer::Lease(name));
        }
    }

    /// A consumer that has been silent for a whole lease is waited for no longer.
    pub(super) fn check_lease(&mut self, now: Now, name: ConsumerName, out: &mut Effects) {
        match self.draining.consumers.get(&name) {
            Some(consumer) if consumer.lease_until > now.tick => {
                self.timers.set(consumer.lease_until, Timer::Lease(name));
            }
            Some(_) => {
                self.draining.consumers.remove(&name);
                self.record(now, Fact::ConsumerLeft { name }, out);
            }
            None => {}
        }
    }

    /// The kill of this instance's task was decided by the latest fact: it is sent as soon as nobody routes requests to it any more.
    pub(super) fn drain(&mut self, now: Now, id: &InstanceId) {
        let Some(instance) = self.state.instance(id) else { return };
        let definition = self.running_definition(instance);
        let definition = definition.as_deref().filter(|_| may_serve(instance));
        let delay_ms = definition.and_then(|definition| definition.drain_delay_ms).unwrap_or_default();
        let timeout_ms = definition.map(RunSpec::drain_timeout_ms).unwrap_or_default();
        let not_before = now.tick.after(delay_ms);
        let at_the_latest = not_before.max(now.tick.after(timeout_ms));
        let place = self.recorded;
        let nobody_to_wait_for = definition.is_none() || self.draining.seen_by_all() >= place;
        if nobody_to_wait_for && delay_ms == 0 {
            return self.kills.enqueue(id.clone());
        }
        self.draining.begin(id.clone(), Drain { place, not_before, at_the_latest });
        self.timers.set(at_the_latest, Timer::Drain(id.clone()));
    }

    /// Lets the kills go that consumers need not be waited for any more.
    pub(super) fn release_acknowledged(&mut self, now: Now) {
        for (id, not_before) in self.draining.acknowledged() {
            if not_before <= now.tick {
                self.release(id);
            } else {
                self.timers.set(not_before, Timer::Drain(id));
            }
        }
    }

    /// A drain may have taken as long as it may.
    pub(super) fn check_drain(&mut self, now: Now, id: InstanceId) {
        if self.draining.drains.get(&id).is_some_and(|drain| drain.at_the_latest <= now.tick) {
            self.release(id);
        }
    }

    fn release(&mut self, id: InstanceId) {
        self.draining.forget(&id);
        self.kills.enqueue(id);
    }
}

/// False for an instance that nobody routes requests to: an unhealthy one, or one that is being killed already.
fn may_serve(instance: &Instance) -> bool {
    let is_up = matches!(
        instance.condition,
        Condition::Provisioned | Condition::Staging | Condition::Starting | Condition::Running
    );
    is_up && instance.healthy() != Some(false)
}

//! The decisions: a synchronous state machine over writes, scheduler events and time.
//!
//! [`Engine::apply`] takes one input and changes definitions, deployments and instances; [`Engine::settle`] follows a run of
//! inputs and does what has become possible: it starts and kills instances, matches those that wait with the offers that came,
//! advances deployments, and asks for offers or declines them.

mod calls;
mod config;
mod delay;
mod departed;
mod deployments;
mod draining;
mod effects;
mod events;
mod fact;
mod forecast;
mod frames;
mod input;
mod kill_service;
mod launch;
mod launch_queue;
mod progress;
mod pursuit;
mod record;
mod refusal;
mod resident;
mod roles;
mod service_ports;
mod snapshot;
#[cfg(test)]
mod tests;
mod timers;
mod tracker;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::v1::Offer;
use attica_core_api::{Entropy, Now, Tick, Timestamp};

pub use config::{Border, Config};
pub use effects::{
    Changes, Effects, Forecast, Frame, Misfit, PlannedChange, PlannedGroup, PlannedUser, Prospect, Recorded, Reply,
    View,
};
pub use fact::{Cause, Delay, Fact, Finding, TaskUpdate};
pub use frames::{DEPLOYMENT_GAVE_UP, DEPLOYMENT_PAUSED, DEPLOYMENT_RESUMED, INSTANCE_DRAINING, frames};
pub use input::{
    CancelMode, Definition, GroupDefinition, GroupUpdate, Input, KillMode, Origin, Others, ReplyTo, RunSpecChange,
    TaskSelection, Terms, Wanted, Write,
};
pub use launch_queue::{OfferSummary, QueueItem, UNUSED_OFFERS_MAX, UnusedOffer};
pub use refusal::{Refusal, Violation};
pub use roles::{AcceptedByDefault, EnforcedByDefault};
pub(crate) use service_ports::of_pool;
pub use snapshot::{RunSpecState, Snapshot};

use crate::model::{Condition, DeploymentId, InstanceId, RunSpecId, Shape};
use departed::Departed;
use draining::Draining;
use events::Unconfirmed;
use kill_service::KillService;
pub use kill_service::Kills;
use roles::Roles;
use service_ports::ServicePorts;
use timers::{Timer, Timers};
use tracker::Tracker;

/// A run spec's place in the queue: since when it waits, and which it is.
type QueueKey = (Timestamp, RunSpecId);

/// The service layer's leader.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    /// Durable; changed by [`Engine::record`] alone.
    state: Snapshot,
    /// Runtime only, as is everything below. It follows from `state`, but for the statistics of offers.
    trackers: BTreeMap<RunSpecId, Tracker>,
    service_ports: ServicePorts,
    /// How many apps there are.
    apps: usize,
    /// Run specs whose instances, definition or deployment changed since they were last looked at.
    dirty: BTreeSet<RunSpecId>,
    /// Deployments whose current step may be done.
    advancing: BTreeSet<DeploymentId>,
    /// Run specs whose place in the launch queue changed since it was last shown.
    queue_changed: BTreeSet<RunSpecId>,
    /// Run specs with waiting instances, the longest waiting first.
    queue: BTreeSet<QueueKey>,
    /// The instances of which nothing is left but what is kept for them, and that is to go.
    releasing: BTreeSet<InstanceId>,
    /// Offers are looked through until then for what is kept for nobody.
    sweeping_until: Option<Tick>,
    /// The first run spec in the queue that the last offers were not shown to.
    next_in_queue: Option<QueueKey>,
    timers: Timers,
    /// When the current step of each deployment began, or this engine did: a new leader counts deadlines anew.
    step_began: BTreeMap<DeploymentId, Timestamp>,
    /// The most instances that have served for long enough since then, and when there were so many for the first time.
    most_serving: BTreeMap<RunSpecId, (u32, Timestamp)>,
    draining: Draining,
    departed: Departed,
    kills: KillService,
    roles: Roles,
    unconfirmed: Unconfirmed,
    /// So many facts this engine has recorded: the place of the latest one.
    recorded: i64,
    entropy: Entropy,
    /// Offers that came and were not looked at yet.
    offers: Vec<Offer>,
    /// The region of the master that leads, if it has one.
    home_region: Option<String>,
    /// True while the scheduler's stream is up.
    connected: bool,
    /// True when declined offers might be of use again.
    revive_wanted: bool,
    revived_at: Option<Tick>,
}

impl Engine {
    /// An engine that goes on from `snapshot`. It is not connected; what it is to do, the first [`Engine::settle`] finds out.
    #[must_use]
    pub fn recover(config: Config, snapshot: Snapshot, entropy: Entropy, now: Now) -> Self {
        let service_ports = ServicePorts::new(config.service_port_first, config.service_port_last);
        let mut engine = Self {
            config,
            state: Snapshot::default(),
            trackers: BTreeMap::new(),
            service_ports,
            apps: 0,
            dirty: snapshot.run_specs.keys().cloned().collect(),
            advancing: snapshot.deployments.keys().copied().collect(),
            queue_changed: BTreeSet::new(),
            queue: BTreeSet::new(),
            releasing: BTreeSet::new(),
            sweeping_until: None,
            next_in_queue: None,
            timers: Timers::default(),
            step_began: BTreeMap::new(),
            most_serving: BTreeMap::new(),
            draining: Draining::default(),
            departed: Departed::of(&snapshot),
            kills: KillService::default(),
            roles: Roles::default(),
            unconfirmed: Unconfirmed::default(),
            recorded: 0,
            entropy,
            offers: Vec::new(),
            home_region: None,
            connected: false,
            revive_wanted: false,
            revived_at: None,
        };
        for (id, state) in &snapshot.run_specs {
            if let Some(definition) = state.definition() {
                engine.service_ports.add(definition);
                engine.apps += usize::from(definition.shape() == Shape::App);
                engine.roles.add(&definition.role);
            }
            state.instances.values().filter_map(roles::reserved_role).for_each(|role| engine.roles.add(role));
            engine.take_up(now, id, state);
        }
        for deployment in snapshot.deployments.values() {
            for id in deployment.changes.keys() {
                engine.trackers.entry(id.clone()).or_default().lock = Some(deployment.id);
            }
        }
        let deployments: Vec<DeploymentId> = snapshot.deployments.keys().copied().collect();
        engine.state = snapshot;
        deployments.into_iter().for_each(|id| engine.step_begins(now, id));
        engine.take_up_drains(now);
        engine
    }

    /// Everything durable, as of the last fact.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.state
    }

    /// Applies one input. What follows from it beyond definitions and statuses is left to [`Engine::settle`].
    pub fn apply(&mut self, now: Now, input: Input, out: &mut Effects) {
        match input {
            Input::Write { write, terms, origin, reply } => {
                let answer = self.write(now, write, &terms, &origin, out);
                out.replies.push((reply, answer));
            }
            Input::Scheduler(event) => self.scheduler_event(now, *event, out),
            Input::FrameworkRemoved => self.framework_removed(now, out),
            Input::Disconnected => self.disconnected(now, out),
        }
    }

    /// Does what has become possible, and sets [`Effects::wake`]. Called after each run of inputs, and when it is time.
    pub fn settle(&mut self, now: Now, out: &mut Effects) {
        while let Some(timer) = self.timers.due(now.tick) {
            self.timer(now, timer, out);
        }
        self.work_off(now, out);
        if !self.offers.is_empty() {
            self.match_offers(now, out);
            self.work_off(now, out);
        }
        self.release_acknowledged(now);
        self.send_kills(now, out);
        self.ask_for_offers(now, out);
        self.show_queue(out);
        out.wake = [self.timers.next(), self.revive_due(now)].into_iter().flatten().min();
    }

    /// Looks at everything that changed until nothing changes any more.
    fn work_off(&mut self, now: Now, out: &mut Effects) {
        loop {
            if let Some(id) = self.dirty.pop_first() {
                self.pursue(now, &id, out);
                self.advancing.extend(self.trackers.get(&id).and_then(|tracker| tracker.lock));
            } else if let Some(id) = self.advancing.pop_first() {
                self.advance(now, id, out);
            } else {
                break;
            }
        }
    }

    fn timer(&mut self, now: Now, timer: Timer, out: &mut Effects) {
        match timer {
            Timer::Delay(id) => self.delay_over(&id),
            Timer::Launch(task) => self.launch_overdue(now, &task, out),
            Timer::Unreachable(id) => self.check_unreachable(now, &id, out),
            Timer::Kill(id) => self.repeat_kill(now, &id, out),
            Timer::Drain(id) => self.check_drain(now, id),
            Timer::Reservation(id) => self.check_reservation(now, &id, out),
            // The time for which offers were wanted is over, which is looked at in any case.
            Timer::Sweep => {}
            Timer::Deadline(id) => self.check_deadline(now, id, out),
            Timer::Look(id) => self.look_again(now, &id, out),
            Timer::Lease(name) => self.check_lease(now, name, out),
            Timer::Reconcile => self.reconcile(now, out),
            Timer::Unconfirmed => self.ask_again(now, out),
        }
    }

    /// Takes up the timers of a run spec that was there before this engine.
    fn take_up(&mut self, now: Now, id: &RunSpecId, state: &RunSpecState) {
        let tracker = Tracker::of(state);
        self.queue.extend(tracker.waiting_since.map(|since| (since, id.clone())));
        self.queue_changed.insert(id.clone());
        self.trackers.insert(id.clone(), tracker);
        if let Some(delay) = state.delay {
            self.timers.set_at(now, delay.until, Timer::Delay(id.clone()));
        }
        for instance in state.instances.values() {
            if instance.reservation.is_some() {
                self.timers.set(now.tick, Timer::Reservation(instance.id.clone()));
            }
            if instance.is_to_be_released() {
                self.releasing.insert(instance.id.clone());
            }
            let Some(task) = &instance.task else { continue };
            if task.unreachable_since.is_some() {
                self.timers.set(now.tick, Timer::Unreachable(instance.id.clone()));
            }
            if matches!(instance.condition, Condition::Provisioned | Condition::Staging | Condition::Starting) {
                self.timers.set(now.tick.after(self.config.launch_timeout_ms), Timer::Launch(instance.task_identity()));
            }
        }
    }

    /// Takes up the kills that were decided before this engine, and gives the consumers of the event stream time to come back.
    fn take_up_drains(&mut self, now: Now) {
        for name in self.state.consumers.clone() {
            self.consumer_heard(now, name, i64::MIN);
        }
        let instances = self.state.run_specs.values().flat_map(|state| state.instances.values());
        let sentenced: Vec<InstanceId> =
            instances.filter(|instance| instance.is_sentenced()).map(|instance| instance.id.clone()).collect();
        sentenced.iter().for_each(|id| self.drain(now, id));
    }
}

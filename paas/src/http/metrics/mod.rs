//! Counts, gauges and durations, under the names that Marathon gave them.

mod counted;
mod report;
mod timer;
mod traffic;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use attica_core_api::scheduler::{Accept, CallType};
use attica_core_api::v1::{OfferOperationType, TaskState, TaskStatus, TaskStatusReason};
use axum::body::Body;
use axum::response::Response;
use http::{Method, header};

use self::report::Reading;
pub(super) use self::report::{Sample, json, prometheus};
pub(super) use self::traffic::Handling;
use self::traffic::Traffic;
use super::service::Leading;
use crate::engine::Kills;

/// What this process has counted since it began.
#[derive(Debug)]
pub struct Metrics {
    begun: Instant,
    traffic: Traffic,
    calls: [AtomicU64; CALLS.len()],
    operations: [AtomicU64; OPERATIONS.len()],
    tasks_launched: AtomicU64,
    offers_incoming: AtomicU64,
    task_updates: [AtomicU64; TaskState::ALL.len()],
    memory_limit_exceeded: AtomicU64,
    deployments: AtomicU64,
    deployments_dismissed: AtomicU64,
    kills_in_flight: AtomicU64,
    kill_attempts: AtomicU64,
    launches_overdue: AtomicU64,
    callbacks: [AtomicU64; CALLBACKS.len()],
}

const CALLS: [(&str, CallType); 7] = [
    ("mesos.offers.used.counter", CallType::Accept),
    ("mesos.offers.declined.counter", CallType::Decline),
    ("mesos.calls.revive.counter", CallType::Revive),
    ("mesos.calls.suppress.counter", CallType::Suppress),
    ("mesos.calls.kill.counter", CallType::Kill),
    ("mesos.calls.acknowledge.counter", CallType::Acknowledge),
    ("mesos.calls.reconcile.counter", CallType::Reconcile),
];

const OPERATIONS: [(&str, OfferOperationType); 3] = [
    ("mesos.offer-operations.launch.counter", OfferOperationType::Launch),
    ("mesos.offer-operations.launch-group.counter", OfferOperationType::LaunchGroup),
    ("mesos.offer-operations.reserve.counter", OfferOperationType::Reserve),
];

/// What became of events that were posted to URLs: taken, refused (and posted again), given up (each time a subscriber misses some).
const CALLBACKS: [&str; 3] = ["callbacks.taken.counter", "callbacks.refused.counter", "callbacks.given-up.counter"];

/// What became of a post.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Posted {
    /// The subscriber has taken the event.
    Taken,
    /// It has not, and gets it again.
    Refused,
    /// It misses events.
    GivenUp,
}

impl Default for Metrics {
    fn default() -> Self {
        let begun = Instant::now();
        Self {
            begun,
            traffic: Traffic::begin(begun),
            calls: Default::default(),
            operations: Default::default(),
            tasks_launched: AtomicU64::new(0),
            offers_incoming: AtomicU64::new(0),
            task_updates: Default::default(),
            memory_limit_exceeded: AtomicU64::new(0),
            deployments: AtomicU64::new(0),
            deployments_dismissed: AtomicU64::new(0),
            kills_in_flight: AtomicU64::new(0),
            kill_attempts: AtomicU64::new(0),
            launches_overdue: AtomicU64::new(0),
            callbacks: Default::default(),
        }
    }
}

impl Metrics {
    /// A request has come.
    pub(super) fn handling(&self, method: &Method) -> Handling<'_> {
        self.traffic.handling(method)
    }

    /// The body of a request, whose bytes count as they are read.
    pub(super) fn counted(&self, request: Body) -> Body {
        self.traffic.counted(request)
    }

    /// Where the bytes of events are counted that are sent to subscribers.
    pub(super) fn event_bytes(&self) -> Arc<AtomicU64> {
        self.traffic.event_bytes()
    }

    /// Counts a call to the master.
    pub fn count_call(&self, call: CallType, offers: usize) {
        if let Some(index) = CALLS.iter().position(|(_, counted)| *counted == call) {
            self.calls[index].fetch_add(offers.max(1) as u64, Ordering::Relaxed);
        }
    }

    /// Counts what is done with offers.
    pub fn count_operations(&self, accept: &Accept) {
        for operation in &accept.operations {
            let is = |counted: OfferOperationType| operation.r#type == Some(counted);
            if let Some(index) = OPERATIONS.iter().position(|(_, counted)| is(*counted)) {
                self.operations[index].fetch_add(1, Ordering::Relaxed);
            }
            let tasks = operation.launch.as_ref().map_or(0, |launch| launch.task_infos.len());
            let of_group = operation.launch_group.as_ref().map_or(0, |launch| launch.task_group.tasks.len());
            self.tasks_launched.fetch_add((tasks + of_group) as u64, Ordering::Relaxed);
        }
    }

    /// Counts offers that came.
    pub fn count_offers(&self, offers: usize) {
        self.offers_incoming.fetch_add(offers as u64, Ordering::Relaxed);
    }

    /// Counts a status update that came.
    pub fn count_task_update(&self, status: &TaskStatus) {
        if let Some(index) = TaskState::ALL.iter().position(|state| *state == status.state) {
            self.task_updates[index].fetch_add(1, Ordering::Relaxed);
        }
        if status.reason == Some(TaskStatusReason::ContainerLimitationMemory) {
            self.memory_limit_exceeded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a deployment that a write began.
    pub(super) fn count_deployment(&self) {
        self.deployments.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a deployment that was refused because too many run.
    pub(super) fn count_dismissed_deployment(&self) {
        self.deployments_dismissed.fetch_add(1, Ordering::Relaxed);
    }

    /// How the kills stand at this moment.
    pub(crate) fn set_kills(&self, Kills { in_flight, attempts, overdue }: Kills) {
        self.kills_in_flight.store(in_flight, Ordering::Relaxed);
        self.kill_attempts.store(attempts, Ordering::Relaxed);
        self.launches_overdue.store(overdue, Ordering::Relaxed);
    }

    /// Counts what became of an event that was posted to a URL.
    pub(crate) fn count_callback(&self, posted: Posted) {
        let index = match posted {
            Posted::Taken => 0,
            Posted::Refused => 1,
            Posted::GivenUp => 2,
        };
        self.callbacks[index].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sample(&self, leading: &Leading) -> Vec<Sample> {
        let totals = leading.model.totals();
        // Each is a subscriber of the bus as well.
        let callbacks = leading.callbacks.urls().len();
        let gauges = [
            ("apps.active.gauge", totals.apps as f64),
            ("pods.active.gauge", totals.pods as f64),
            ("groups.active.gauge", totals.groups as f64),
            ("deployments.active.gauge", totals.deployments as f64),
            ("instances.running.gauge", totals.running as f64),
            ("instances.staged.gauge", totals.staged as f64),
            ("instances.waiting.gauge", totals.waiting as f64),
            ("instances.inflight-kills.gauge", self.kills_in_flight.load(Ordering::Relaxed) as f64),
            ("instances.inflight-kill-attempts.gauge", self.kill_attempts.load(Ordering::Relaxed) as f64),
            ("instances.launch-overdue.gauge", self.launches_overdue.load(Ordering::Relaxed) as f64),
            ("mesos.connected.gauge", f64::from(u8::from(totals.connected))),
            ("uptime.gauge.seconds", self.begun.elapsed().as_secs_f64()),
            ("leadership.duration.gauge.seconds", leading.since.elapsed().as_secs_f64()),
            ("http.event-streams.active.gauge", leading.bus.subscribers().saturating_sub(callbacks) as f64),
            ("callbacks.active.gauge", callbacks as f64),
        ];
        let counters = [
            ("deployments.counter", &self.deployments),
            ("deployments.dismissed.counter", &self.deployments_dismissed),
            ("tasks.launched.counter", &self.tasks_launched),
            ("mesos.offers.incoming.counter", &self.offers_incoming),
            ("mesos.task.oom.memory-limit-exceeded.counter", &self.memory_limit_exceeded),
        ];
        let counters = counters
            .into_iter()
            .chain(CALLBACKS.into_iter().zip(&self.callbacks))
            .chain(CALLS.iter().zip(&self.calls).map(|((name, _), value)| (*name, value)))
            .chain(OPERATIONS.iter().zip(&self.operations).map(|((name, _), value)| (*name, value)));
        let count = |value: &AtomicU64| Reading::Counter(value.load(Ordering::Relaxed));
        let mut samples: Vec<Sample> = gauges
            .into_iter()
            .map(|(name, value)| Sample { name: name.into(), reading: Reading::Gauge(value) })
            .chain(counters.map(|(name, value)| Sample { name: name.into(), reading: count(value) }))
            .collect();
        samples.extend(TaskState::ALL.iter().zip(&self.task_updates).map(|(state, value)| {
            let state = state.name().to_lowercase().replace('_', "-");
            Sample { name: format!("mesos.task-updates.{state}.counter").into(), reading: count(value) }
        }));
        self.traffic.sample(&mut samples);
        samples
    }
}

fn is_event_stream(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|media| media == super::events::EVENT_STREAM)
}

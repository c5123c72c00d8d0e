//! Counts and gauges, under the names that Marathon gave them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use attica_core_api::scheduler::CallType;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::service::Leading;

/// What this process has counted since it began.
#[derive(Debug)]
pub struct Metrics {
    begun: Instant,
    requests: [AtomicU64; REQUESTS.len()],
    responses: [AtomicU64; RESPONSES.len()],
    calls: [AtomicU64; CALLS.len()],
    offers_incoming: AtomicU64,
    task_updates: AtomicU64,
    callbacks: [AtomicU64; CALLBACKS.len()],
}

const REQUESTS: [(&str, Option<Method>); 6] = [
    ("http.requests.get.counter", Some(Method::GET)),
    ("http.requests.post.counter", Some(Method::POST)),
    ("http.requests.put.counter", Some(Method::PUT)),
    ("http.requests.patch.counter", Some(Method::PATCH)),
    ("http.requests.delete.counter", Some(Method::DELETE)),
    ("http.requests.other.counter", None),
];

const RESPONSES: [&str; 5] = [
    "http.responses.1xx.counter",
    "http.responses.2xx.counter",
    "http.responses.3xx.counter",
    "http.responses.4xx.counter",
    "http.responses.5xx.counter",
];

const CALLS: [(&str, CallType); 7] = [
    ("mesos.offers.used.counter", CallType::Accept),
    ("mesos.offers.declined.counter", CallType::Decline),
    ("mesos.calls.revive.counter", CallType::Revive),
    ("mesos.calls.suppress.counter", CallType::Suppress),
    ("mesos.calls.kill.counter", CallType::Kill),
    ("mesos.calls.acknowledge.counter", CallType::Acknowledge),
    ("mesos.calls.reconcile.counter", CallType::Reconcile),
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

/// A value under its name, without the common prefix.
pub(super) struct Sample {
    name: &'static str,
    kind: Kind,
    value: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            requests: Default::default(),
            responses: Default::default(),
            calls: Default::default(),
            offers_incoming: AtomicU64::new(0),
            task_updates: AtomicU64::new(0),
            callbacks: Default::default(),
        }
    }
}

impl Metrics {
    pub(super) fn count_request(&self, method: &Method) {
        let index = REQUESTS.iter().position(|(_, counted)| counted.as_ref() == Some(method));
        self.requests[index.unwrap_or(REQUESTS.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_response(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, RESPONSES.len()) - 1;
        self.responses[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call to the master.
    pub fn count_call(&self, call: CallType, offers: usize) {
        if let Some(index) = CALLS.iter().position(|(_, counted)| *counted == call) {
            self.calls[index].fetch_add(offers.max(1) as u64, Ordering::Relaxed);
        }
    }

    /// Counts offers that came.
    pub fn count_offers(&self, offers: usize) {
        self.offers_incoming.fetch_add(offers as u64, Ordering::Relaxed);
    }

    /// Counts a status update that came.
    pub fn count_task_update(&self) {
        self.task_updates.fetch_add(1, Ordering::Relaxed);
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
        let gauge = |name, value: f64| Sample { name, kind: Kind::Gauge, value };
        let counter =
            |name, value: &AtomicU64| Sample { name, kind: Kind::Counter, value: value.load(Ordering::Relaxed) as f64 };
        // Each is a subscriber of the bus as well.
        let callbacks = leading.callbacks.urls().len();
        let mut samples = vec![
            gauge("apps.active.gauge", totals.apps as f64),
            gauge("pods.active.gauge", totals.pods as f64),
            gauge("groups.active.gauge", totals.groups as f64),
            gauge("deployments.active.gauge", totals.deployments as f64),
            gauge("instances.running.gauge", totals.running as f64),
            gauge("instances.staged.gauge", totals.staged as f64),
            gauge("instances.waiting.gauge", totals.waiting as f64),
            gauge("mesos.connected.gauge", f64::from(u8::from(totals.connected))),
            gauge("uptime.gauge.seconds", self.begun.elapsed().as_secs_f64()),
            gauge("leadership.duration.gauge.seconds", leading.since.elapsed().as_secs_f64()),
            gauge("http.event-streams.active.gauge", leading.bus.subscribers().saturating_sub(callbacks) as f64),
            gauge("callbacks.active.gauge", callbacks as f64),
            counter("mesos.offers.incoming.counter", &self.offers_incoming),
            counter("mesos.task-updates.counter", &self.task_updates),
        ];
        samples.extend(REQUESTS.iter().zip(&self.requests).map(|((name, _), value)| counter(name, value)));
        samples.extend(RESPONSES.iter().zip(&self.responses).map(|(name, value)| counter(name, value)));
        samples.extend(CALLBACKS.iter().zip(&self.callbacks).map(|(name, value)| counter(name, value)));
        samples.extend(CALLS.iter().zip(&self.calls).map(|((name, _), value)| counter(name, value)));
        samples
    }
}

/// The form of Marathon's own reporter.
pub(super) fn json(samples: &[Sample]) -> Value {
    let of = |kind: Kind, field: &str| -> Map<String, Value> {
        let samples = samples.iter().filter(|sample| sample.kind == kind);
        samples.map(|sample| (format!("marathon.{}", sample.name), json!({field: sample.value}))).collect()
    };
    json!({
        "version": "4.0.0",
        "counters": of(Kind::Counter, "count"),
        "gauges": of(Kind::Gauge, "value"),
        "histograms": {},
        "meters": {},
        "timers": {},
    })
}

/// The text format of Prometheus.
pub(super) fn prometheus(samples: &[Sample]) -> String {
    let mut text = String::new();
    for Sample { name, kind, value } in samples {
        let name = format!("marathon_{}", name.replace(['.', '-'], "_"));
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
    text
}

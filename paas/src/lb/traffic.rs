//! What goes through, counted by app.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::model::RunSpecId;

/// The counters of all apps that are routed to.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    apps: Mutex<BTreeMap<RunSpecId, Arc<AppTraffic>>>,
}

/// The counters of one app.
#[derive(Debug, Default)]
pub(crate) struct AppTraffic {
    pub(crate) requests: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) open: AtomicI64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    latencies: Latencies,
}

/// A request, or a connection where no requests are understood, until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    traffic: Arc<AppTraffic>,
    begun: Instant,
}

impl OpenRequest {
    pub(crate) fn new(traffic: &Arc<AppTraffic>) -> Self {
        traffic.requests.fetch_add(1, Ordering::Relaxed);
        traffic.open.fetch_add(1, Ordering::Relaxed);
        Self { traffic: Arc::clone(traffic), begun: Instant::now() }
    }

    pub(crate) fn traffic(&self) -> &AppTraffic {
        &self.traffic
    }

    /// The answer has begun.
    pub(crate) fn answered(&self) {
        self.traffic.latencies.add(self.begun.elapsed());
    }

    /// It ended with an error of the backend, or for want of one.
    pub(crate) fn failed(&self) {
        self.traffic.errors.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.traffic.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Traffic {
    /// The counters of an app.
    pub(crate) fn of(&self, app: &RunSpecId) -> Arc<AppTraffic> {
        Arc::clone(self.apps().entry(app.clone()).or_default())
    }

    /// Forgets all other apps.
    pub(crate) fn keep<'a>(&self, apps: impl Iterator<Item = &'a RunSpecId>) {
        let kept: HashSet<&RunSpecId> = apps.collect();
        self.apps().retain(|app, _| kept.contains(app));
    }

    /// All counters, by app.
    pub(crate) fn all(&self) -> Vec<(RunSpecId, Arc<AppTraffic>)> {
        self.apps().iter().map(|(app, traffic)| (app.clone(), Arc::clone(traffic))).collect()
    }

    fn apps(&self) -> MutexGuard<'_, BTreeMap<RunSpecId, Arc<AppTraffic>>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A histogram of durations with four steps per doubling, from 16 µs up.
#[derive(Debug)]
struct Latencies([AtomicU32; Latencies::STEPS]);

impl Default for Latencies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl Latencies {
    const STEPS: usize = 96;
    const SHORTEST_US: f64 = 16.0;
    const PER_DOUBLING: f64 = 4.0;

    fn add(&self, latency: Duration) {
        let steps = (latency.as_secs_f64() * 1e6 / Self::SHORTEST_US).max(1.0).log2() * Self::PER_DOUBLING;
        // Of the casts only saturation matters: the value is not negative.
        let step = (steps.ceil() as usize).min(Self::STEPS - 1);
        self.0[step].fetch_add(1, Ordering::Relaxed);
    }

    /// What was added since the last call.
    fn drain(&self) -> Window {
        Window(self.0.each_ref().map(|step| step.swap(0, Ordering::Relaxed)))
    }
}

/// Durations of some time.
struct Window([u32; Latencies::STEPS]);

impl Window {
    /// The duration, in milliseconds, that this share of all did not exceed; none without any.
    fn quantile_ms(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut left = (total as f64 * share).ceil();
        let step = self.0.iter().position(|count| {
            left -= f64::from(*count);
            left <= 0.0
        });
        let step = step.filter(|_| total > 0)?;
        Some(Latencies::SHORTEST_US * (step as f64 / Latencies::PER_DOUBLING).exp2() / 1e3)
    }
}

/// What `POST /v2/traffic` takes.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    name: &'a str,
    pub(crate) apps: BTreeMap<String, AppReport>,
}

/// One app in a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppReport {
    requests: u64,
    requests_per_second: f64,
    errors: u64,
    connections: i64,
    bytes_in: u64,
    bytes_out: u64,
    #[serde(rename = "p50Ms", skip_serializing_if = "Option::is_none")]
    p50_ms: Option<f64>,
    #[serde(rename = "p99Ms", skip_serializing_if = "Option::is_none")]
    p99_ms: Option<f64>,
}

/// Makes reports, each about what changed since the one before.
#[derive(Debug)]
pub(crate) struct Reporter {
    last: BTreeMap<RunSpecId, AppReport>,
    next: Next,
}

/// What the next report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Every app that was ever asked for: the other side knows nothing.
    Everything,
    /// What changed.
    Changes,
}

impl AppTraffic {
    /// What happened in the `elapsed` time since there were `before` requests.
    fn report(&self, before: u64, elapsed: Duration) -> AppReport {
        let window = self.latencies.drain();
        let requests = self.requests.load(Ordering::Relaxed);
        AppReport {
            requests,
            requests_per_second: requests.saturating_sub(before) as f64 / elapsed.as_secs_f64().max(0.001),
            errors: self.errors.load(Ordering::Relaxed),
            connections: self.open.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            p50_ms: window.quantile_ms(0.5),
            p99_ms: window.quantile_ms(0.99),
        }
    }
}

impl Reporter {
    /// Rates are counted from now on.
    pub(crate) fn new(traffic: &Traffic) -> Self {
        let now = |(app, traffic): (RunSpecId, Arc<AppTraffic>)| {
            let requests = traffic.requests.load(Ordering::Relaxed);
            (app, traffic.report(requests, Duration::ZERO))
        };
        Self { last: traffic.all().into_iter().map(now).collect(), next: Next::Everything }
    }

    /// The last report did not arrive.
    pub(crate) fn repeat(&mut self) {
        self.next = Next::Everything;
    }

    /// What changed in the `elapsed` time since the last report.
    pub(crate) fn report<'a>(&mut self, name: &'a str, traffic: &Traffic, elapsed: Duration) -> Report<'a> {
        let mut report = Report { name, apps: BTreeMap::new() };
        let mut now = BTreeMap::new();
        for (app, traffic) in traffic.all() {
            let last = self.last.get(&app);
            let this = traffic.report(last.map_or(0, |last| last.requests), elapsed);
            let is_news = match self.next {
                Next::Everything => this.requests > 0,
                Next::Changes => last.map_or(this.requests > 0, |last| *last != this),
            };
            if is_news {
                report.apps.insert(app.to_string(), this.clone());
            }
            now.insert(app, this);
        }
        self.last = now;
        self.next = Next::Changes;
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_about_what_changed() {
        let traffic = Traffic::default();
        let ids = ["/a", "/b"].map(|id| RunSpecId::parse(id).unwrap());
        let [a, _b] = ids.each_ref().map(|id| traffic.of(id));
        let mut reporter = Reporter::new(&traffic);
        let second = Duration::from_secs(1);
        assert!(reporter.report("lb", &traffic, second).apps.is_empty());

        for _ in 0..10 {
            OpenRequest::new(&a).answered();
        }
        let open = OpenRequest::new(&a);
        open.failed();
        let report = reporter.report("lb", &traffic, 2 * second);
        assert_eq!(report.apps.keys().collect::<Vec<_>>(), ["/a"]);
        let of_a = &report.apps["/a"];
        assert_eq!((of_a.requests, of_a.errors, of_a.connections, of_a.requests_per_second), (11, 1, 1, 5.5));

        drop(open);
        assert_eq!(reporter.report("lb", &traffic, second).apps["/a"].requests_per_second, 0.0);
        assert!(reporter.report("lb", &traffic, second).apps.is_empty());
        reporter.repeat();
        assert_eq!(reporter.report("lb", &traffic, second).apps["/a"].requests, 11);

        traffic.keep([&ids[1]].into_iter());
        assert_eq!(traffic.all().len(), 1);
    }

    #[test]
    fn quantiles_are_right_within_a_step() {
        let latencies = Latencies::default();
        assert_eq!(latencies.drain().quantile_ms(0.5), None);
        (1..=1_000).for_each(|ms| latencies.add(Duration::from_millis(ms)));
        let window = latencies.drain();
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let found = window.quantile_ms(share).unwrap();
            assert!((ms..ms * 1.19).contains(&found), "{share}: {found} ms, not {ms} ms");
        }
        latencies.add(Duration::from_secs(1_000_000));
        assert!(latencies.drain().quantile_ms(1.0).unwrap() > 100_000.0);
    }
}

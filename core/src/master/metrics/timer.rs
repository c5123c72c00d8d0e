//! How long something takes: the last time, how often, and the spread of the last thousand times.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Kind, Metric};

/// The times that the spread is taken of.
const KEPT: usize = 1_000;

/// What Mesos's timers tell of the spread, by the end of their names.
const PERCENTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)];

/// A measured time.
#[derive(Debug, Default)]
pub(in crate::master) struct Timer(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    last_ms: VecDeque<f64>,
    count: u64,
}

impl Timer {
    /// It took so long this time.
    pub(in crate::master) fn add(&self, took: Duration) {
        let mut times = self.lock();
        if times.last_ms.len() == KEPT {
            times.last_ms.pop_front();
        }
        times.last_ms.push_back(took.as_secs_f64() * 1_000.0);
        times.count += 1;
    }

    /// How often.
    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    /// The figures; none before the first time.
    pub(super) fn metrics(&self, name: &str) -> Vec<Metric> {
        let times = self.lock();
        let Some(last) = times.last_ms.back() else { return Vec::new() };
        let mut sorted: Vec<f64> = times.last_ms.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let gauge = |name: String, value| Metric { name, kind: Kind::Gauge, value };
        let mut metrics = vec![
            gauge(name.to_owned(), *last),
            Metric { name: format!("{name}/count"), kind: Kind::Counter, value: times.count as f64 },
            gauge(format!("{name}/min"), at(&sorted, 0.0)),
            gauge(format!("{name}/max"), at(&sorted, 1.0)),
        ];
        metrics.extend(PERCENTILES.map(|(end, part)| gauge(format!("{name}/{end}"), at(&sorted, part))));
        metrics
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value below which this part of the sorted ones lies, as Mesos takes it: between its neighbours.
fn at(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_the_last_times() {
        let timer = Timer::default();
        assert!(timer.metrics("t").is_empty());
        for milliseconds in 0..=1_000 {
            timer.add(Duration::from_millis(milliseconds));
        }
        let metrics = timer.metrics("t");
        let value = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
        assert_eq!((value("t"), value("t/count")), (Some(1_000.0), Some(1_001.0)));
        assert_eq!((value("t/min"), value("t/max")), (Some(1.0), Some(1_000.0)));
        assert_eq!(value("t/p50"), Some(500.5));
    }
}

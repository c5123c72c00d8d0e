//! Samples in the two forms in which Marathon tells them.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::timer::{Durations, QUANTILES, Rates};

/// A value under its name, without the common prefix.
pub(in crate::http) struct Sample {
    pub(super) name: Cow<'static, str>,
    pub(super) reading: Reading,
}

pub(super) enum Reading {
    Counter(u64),
    Gauge(f64),
    Meter(Rates),
    Timer(Durations),
}

/// The form of Marathon's own reporter.
pub(in crate::http) fn json(samples: &[Sample]) -> Value {
    let [mut counters, mut gauges, mut meters, mut timers] = std::array::from_fn(|_| Map::new());
    for Sample { name, reading } in samples {
        let (kind, told) = match reading {
            Reading::Counter(count) => (&mut counters, json!({"count": count})),
            Reading::Gauge(value) => (&mut gauges, json!({"value": value})),
            Reading::Meter(rates) => (&mut meters, with_rates(json!({"units": "events/second"}), rates)),
            Reading::Timer(durations) => (&mut timers, timed(durations)),
        };
        kind.insert(format!("marathon.{name}"), told);
    }
    json!({
        "version": "4.0.0",
        "counters": counters,
        "gauges": gauges,
        "histograms": {},
        "meters": meters,
        "timers": timers,
    })
}

fn timed(durations: &Durations) -> Value {
    let [p50, p75, p95, p98, p99, p999] = durations.quantiles;
    let told = json!({
        "min": durations.min,
        "mean": durations.mean,
        "max": durations.max,
        "p50": p50,
        "p75": p75,
        "p95": p95,
        "p98": p98,
        "p99": p99,
        "p999": p999,
        "stddev": durations.deviation,
        "duration_units": "seconds",
        "rate_units": "calls/second",
    });
    with_rates(told, &durations.rates)
}

fn with_rates(mut told: Value, Rates { count, mean, averages: [one, five, fifteen] }: &Rates) -> Value {
    told["count"] = json!(count);
    for (name, rate) in [("mean_rate", mean), ("m1_rate", one), ("m5_rate", five), ("m15_rate", fifteen)] {
        told[name] = json!(rate);
    }
    told
}

/// The text format of Prometheus.
pub(in crate::http) fn prometheus(samples: &[Sample]) -> String {
    let mut text = String::new();
    for Sample { name, reading } in samples {
        let name = format!("marathon_{}", name.replace(['.', '-'], "_"));
        match reading {
            Reading::Counter(count) => line(&mut text, &name, "counter", count),
            Reading::Gauge(value) => line(&mut text, &name, "gauge", value),
            Reading::Meter(rates) => {
                line(&mut text, &format!("{name}_count"), "gauge", rates.count);
                write_rates(&mut text, &name, rates);
            }
            Reading::Timer(durations) => write_durations(&mut text, &name, durations),
        }
    }
    text
}

fn write_durations(text: &mut String, name: &str, durations: &Durations) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# TYPE {name} summary");
    for (quantile, value) in QUANTILES.iter().zip(durations.quantiles) {
        let _ = writeln!(text, "{name}{{quantile=\"{quantile}\"}} {value}");
    }
    let _ = writeln!(text, "{name}_count {}", durations.rates.count);
    let parts =
        [("min", durations.min), ("mean", durations.mean), ("max", durations.max), ("stddev", durations.deviation)];
    for (part, value) in parts {
        line(text, &format!("{name}_{part}"), "gauge", value);
    }
    write_rates(text, name, &durations.rates);
}

fn write_rates(text: &mut String, name: &str, Rates { count: _, mean, averages: [one, five, fifteen] }: &Rates) {
    for (part, rate) in [("mean_rate", mean), ("m1_rate", one), ("m5_rate", five), ("m15_rate", fifteen)] {
        line(text, &format!("{name}_{part}"), "gauge", rate);
    }
}

fn line(text: &mut String, name: &str, kind: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
}

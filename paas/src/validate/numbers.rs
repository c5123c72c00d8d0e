//! Counts, quantities and delays.

use attica_core_api::Scalar;
use attica_paas_api::Number;
use attica_paas_api::container::{Limit as WrittenLimit, ResourceLimits};

use super::{Faults, limits};
use crate::model::{Limit, Limits};

/// A whole number from 0 to `most`.
pub(super) fn count(path: &str, value: Option<i64>, most: u32, faults: &mut Faults) -> Option<u32> {
    match u32::try_from(value?) {
        Ok(count) if count <= most => Some(count),
        Ok(count) => fault(faults, path, format!("got {count}, expected {most} or less")),
        Err(_) if value < Some(0) => fault(faults, path, format!("got {}, expected 0 or more", value?)),
        Err(_) => fault(faults, path, format!("got {}, expected {most} or less", value?)),
    }
}

/// A quantity of a resource.
pub(super) fn quantity(path: &str, value: Option<Number>, least: f64, faults: &mut Faults) -> Option<Scalar> {
    let value = at_least(path, value, least, faults)?;
    match Scalar::from_f64(value) {
        Ok(quantity) => Some(quantity),
        Err(_) => fault(faults, path, format!("got {value:e}, expected {} or less", Scalar::MAX)),
    }
}

/// A quantity of what cannot be divided.
pub(super) fn whole(path: &str, value: Option<Number>, faults: &mut Faults) -> Option<Scalar> {
    match value {
        Some(Number(parts)) if parts.fract() != 0.0 => {
            fault(faults, path, format!("got {parts}, expected a whole number"))
        }
        value => quantity(path, value, 0.0, faults),
    }
}

/// Bounds of resources.
pub(super) fn limits(path: &str, written: Option<ResourceLimits>, faults: &mut Faults) -> Option<Limits> {
    let ResourceLimits { cpus, mem } = written?;
    let mut limit = |name: &str, written: Option<WrittenLimit>| match written? {
        WrittenLimit::Unlimited => Some(Limit::Unlimited),
        WrittenLimit::Amount(amount) => {
            quantity(&format!("{path}/{name}"), Some(amount), 0.0, faults).map(Limit::Amount)
        }
    };
    Some(Limits { cpus: limit("cpus", cpus), mem: limit("mem", mem) })
}

/// A finite number not below `least`.
pub(super) fn at_least(path: &str, value: Option<Number>, least: f64, faults: &mut Faults) -> Option<f64> {
    let value = value?.0;
    if value.is_finite() && value >= least {
        return Some(value);
    }
    fault(faults, path, format!("got {value}, expected {least} or more"))
}

/// A share from 0 to 1.
pub(super) fn share(path: &str, value: Number, faults: &mut Faults) -> Option<f64> {
    if (0.0..=1.0).contains(&value.0) {
        return Some(value.0);
    }
    fault(faults, path, format!("got {}, expected between 0 and 1", value.0))
}

/// A delay in whole seconds, in milliseconds.
pub(super) fn seconds(path: &str, value: Option<i64>, faults: &mut Faults) -> Option<u64> {
    count(path, value, limits::SECONDS_MAX, faults).map(|seconds| u64::from(seconds) * 1000)
}

/// A time for draining in whole seconds, in milliseconds.
pub(super) fn drain_seconds(path: &str, value: Option<i64>, faults: &mut Faults) -> Option<u64> {
    count(path, value, limits::DRAIN_SECONDS_MAX, faults).map(|seconds| u64::from(seconds) * 1000)
}

/// A delay in seconds, possibly with a fraction, in milliseconds.
pub(super) fn milliseconds(path: &str, value: Option<Number>, faults: &mut Faults) -> Option<u64> {
    let seconds = at_least(path, value, 0.0, faults)?;
    if seconds > f64::from(limits::SECONDS_MAX) {
        return fault(faults, path, format!("got {seconds}, expected {} or less", limits::SECONDS_MAX));
    }
    Some((seconds * 1000.0).round() as u64)
}

fn fault<T>(faults: &mut Faults, path: &str, error: String) -> Option<T> {
    faults.add(path, error);
    None
}

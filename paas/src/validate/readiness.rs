//! What a new instance has to be before a deployment goes on.

use attica_paas_api::readiness::ReadinessCheck as Written;

use super::{Faults, health, limits, numbers, text};
use crate::model::{ReadinessCheck, Scheme};

const PATH: &str = "/readinessChecks";

/// The check that is asked for; an empty list asks for none.
pub(super) fn check(written: Option<Vec<Written>>, faults: &mut Faults) -> Option<Option<ReadinessCheck>> {
    let written = written?;
    if written.len() > 1 {
        faults.add(PATH, "at most one readiness check is allowed");
    }
    let first = written.into_iter().next();
    Some(first.and_then(|written| self::read(&format!("{PATH}(0)"), written, faults)))
}

fn read(path: &str, written: Written, faults: &mut Faults) -> Option<ReadinessCheck> {
    text::check(&format!("{path}/name"), &written.name, limits::NAME_LENGTH_MAX, faults);
    if written.name.is_empty() {
        faults.add(format!("{path}/name"), "must not be empty");
    }
    let scheme = match written.protocol.as_str() {
        "HTTP" => Some(Scheme::Http),
        "HTTPS" => Some(Scheme::Https),
        _ => {
            faults.add(format!("{path}/protocol"), "must be one of HTTP, HTTPS");
            None
        }
    };
    let interval = Some(written.interval_seconds);
    let interval_ms = numbers::seconds(&format!("{path}/intervalSeconds"), interval, faults);
    let timeout_ms = numbers::seconds(&format!("{path}/timeoutSeconds"), Some(written.timeout_seconds), faults);
    if timeout_ms.zip(interval_ms).is_some_and(|(timeout, interval)| timeout >= interval) {
        faults.add(format!("{path}/timeoutSeconds"), "must be less than intervalSeconds");
    }
    let statuses = statuses(&format!("{path}/httpStatusCodesForReady"), &written.http_status_codes_for_ready, faults);
    Some(ReadinessCheck {
        name: written.name,
        scheme: scheme?,
        path: health::request_path(path, written.path, faults)?,
        port_name: written.port_name,
        interval_ms: interval_ms?,
        timeout_ms: timeout_ms?,
        statuses: statuses?,
        keeps_response: written.preserve_last_response,
    })
}

fn statuses(path: &str, written: &[i64], faults: &mut Faults) -> Option<Vec<u16>> {
    if written.is_empty() {
        faults.add(path, "must not be empty");
    }
    let is_status = |status: i64| u16::try_from(status).ok().filter(|status| (100..600).contains(status));
    let statuses: Option<Vec<u16>> = written.iter().map(|status| is_status(*status)).collect();
    if statuses.is_none() {
        faults.add(path, "must be statuses from 100 to 599");
    }
    statuses
}

//! Health checks.

use attica_paas_api::health::{CheckCommand, HealthCheck as Written, HealthCheckProtocol};

use super::{Faults, limits, numbers, text};
use crate::model::{CheckKind, CheckedPort, Endpoint, HealthCheck, IpFamily, Scheme};

pub(super) fn checks(written: Option<Vec<Written>>, faults: &mut Faults) -> Option<Vec<HealthCheck>> {
    let written = written?;
    if written.len() > limits::HEALTH_CHECKS_MAX {
        faults.add("/healthChecks", format!("must not have more than {} items", limits::HEALTH_CHECKS_MAX));
    }
    let checks: Vec<HealthCheck> = written
        .into_iter()
        .enumerate()
        .filter_map(|(index, check)| self::check(&format!("/healthChecks({index})"), check, faults))
        .collect();
    if checks.iter().filter(|check| check.kind == CheckKind::Agent).count() > 1 {
        faults.add("/healthChecks", "AppDefinition can contain at most one Mesos health check");
    }
    Some(checks)
}

fn check(path: &str, written: Written, faults: &mut Faults) -> Option<HealthCheck> {
    if written.command.is_some() && written.protocol != HealthCheckProtocol::Command {
        faults.add(format!("{path}/command"), "only a COMMAND health check has a command");
    }
    let (kind, probe) = kind(written.protocol);
    let grace_period_ms =
        numbers::seconds(&format!("{path}/gracePeriodSeconds"), Some(written.grace_period_seconds), faults);
    let interval_ms = positive_seconds(&format!("{path}/intervalSeconds"), written.interval_seconds, faults);
    let timeout_ms = positive_seconds(&format!("{path}/timeoutSeconds"), written.timeout_seconds, faults);
    let delay_ms = numbers::seconds(&format!("{path}/delaySeconds"), Some(written.delay_seconds), faults);
    let max_consecutive_failures = numbers::count(
        &format!("{path}/maxConsecutiveFailures"),
        Some(written.max_consecutive_failures),
        u32::MAX,
        faults,
    );
    let family = family(path, written.ip_protocol.as_deref(), faults);
    let endpoint = match probe {
        Probe::Http(scheme) => Some(Endpoint::Http {
            scheme,
            path: written.path.and_then(|request| request_path(path, request, faults)),
            ignore_1xx: written.ignore_http_1xx.unwrap_or_default(),
        }),
        Probe::Tcp => Some(Endpoint::Tcp),
        Probe::Command => command(path, written.command, faults).map(Endpoint::Command),
    };
    let port = match probe {
        Probe::Http(_) | Probe::Tcp => port(path, written.port, written.port_index, faults),
        // As in Marathon, one that is named all the same means nothing.
        Probe::Command => Some(CheckedPort::None),
    };
    Some(HealthCheck {
        kind,
        endpoint: endpoint?,
        port: port?,
        family: family?,
        grace_period_ms: grace_period_ms?,
        interval_ms: interval_ms?,
        timeout_ms: timeout_ms?,
        max_consecutive_failures: max_consecutive_failures?,
        delay_ms: delay_ms?,
    })
}

fn family(path: &str, written: Option<&str>, faults: &mut Faults) -> Option<IpFamily> {
    match written {
        None | Some("IPv4") => Some(IpFamily::V4),
        Some("IPv6") => Some(IpFamily::V6),
        Some(_) => {
            faults.add(format!("{path}/ipProtocol"), "must be one of IPv4, IPv6");
            None
        }
    }
}

/// How a check asks.
#[derive(Clone, Copy)]
enum Probe {
    Http(Scheme),
    Tcp,
    Command,
}

/// Who takes the verdict, and how the check asks.
fn kind(protocol: HealthCheckProtocol) -> (CheckKind, Probe) {
    match protocol {
        HealthCheckProtocol::Http => (CheckKind::Service, Probe::Http(Scheme::Http)),
        HealthCheckProtocol::Https => (CheckKind::Service, Probe::Http(Scheme::Https)),
        HealthCheckProtocol::Tcp => (CheckKind::Service, Probe::Tcp),
        HealthCheckProtocol::Command => (CheckKind::Agent, Probe::Command),
        HealthCheckProtocol::MesosHttp => (CheckKind::Agent, Probe::Http(Scheme::Http)),
        HealthCheckProtocol::MesosHttps => (CheckKind::Agent, Probe::Http(Scheme::Https)),
        HealthCheckProtocol::MesosTcp => (CheckKind::Agent, Probe::Tcp),
    }
}

fn command(path: &str, written: Option<CheckCommand>, faults: &mut Faults) -> Option<String> {
    let path = format!("{path}/command");
    let Some(CheckCommand { value }) = written else {
        faults.add(path, "a COMMAND health check needs a command with a value");
        return None;
    };
    text::check(&format!("{path}/value"), &value, limits::COMMAND_LENGTH_MAX, faults);
    if value.trim().is_empty() {
        faults.add(format!("{path}/value"), "must not be empty");
    }
    Some(value)
}

fn port(path: &str, port: Option<i64>, index: Option<i64>, faults: &mut Faults) -> Option<CheckedPort> {
    match (port, index) {
        (Some(_), Some(_)) => {
            faults.add(path, "Health check must specify either a port or a portIndex");
            None
        }
        (Some(port), None) => match u16::try_from(port) {
            Ok(number) if number > 0 => Some(CheckedPort::Number(number)),
            _ => {
                faults.add(format!("{path}/port"), format!("got {port}, expected between 1 and 65535"));
                None
            }
        },
        (None, index) => numbers::count(&format!("{path}/portIndex"), Some(index.unwrap_or(0)), u32::MAX, faults)
            .map(CheckedPort::Index),
    }
}

fn positive_seconds(path: &str, value: i64, faults: &mut Faults) -> Option<u64> {
    match numbers::seconds(path, Some(value), faults) {
        Some(0) => {
            faults.add(path, "got 0, expected 1 or more");
            None
        }
        milliseconds => milliseconds,
    }
}

/// What the check asks for; a missing first slash is added.
pub(super) fn request_path(path: &str, request: String, faults: &mut Faults) -> Option<String> {
    let path = format!("{path}/path");
    text::check(&path, &request, limits::CHECK_PATH_LENGTH_MAX, faults);
    if request.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
        faults.add(path, "must not contain spaces, control characters or characters beyond ASCII: encode them as %XX");
        return None;
    }
    Some(if request.starts_with('/') { request } else { format!("/{request}") })
}

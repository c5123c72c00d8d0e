//! What is asked of the containers of a pod.

use attica_paas_api::check::ExecCommand;
use attica_paas_api::pod::{PodCheck, PodHealthCheck, PodHttpCheck, PodTcpCheck};

use super::{Faults, command, health, limits, numbers, text};
use crate::model::{Check, CheckKind, CheckedPort, CommandLine, Endpoint, HealthCheck, IpFamily, Question, Scheme};

const ONE_KIND: &str = "Only one of http, tcp, or command may be specified";

/// `endpoints` are the names of all endpoints of the pod, in their order.
pub(super) fn health_check(
    path: &str,
    written: PodHealthCheck,
    endpoints: &[String],
    faults: &mut Faults,
) -> Option<HealthCheck> {
    let mut seconds =
        |name: &str, value: i64| numbers::seconds(&format!("{path}/{name}"), Some(value), faults).unwrap_or_default();
    let grace_period_ms = seconds("gracePeriodSeconds", written.grace_period_seconds);
    let interval_ms = seconds("intervalSeconds", written.interval_seconds);
    let timeout_ms = seconds("timeoutSeconds", written.timeout_seconds);
    let delay_ms = seconds("delaySeconds", written.delay_seconds);
    let failures = Some(written.max_consecutive_failures);
    let max_consecutive_failures =
        numbers::count(&format!("{path}/maxConsecutiveFailures"), failures, u32::MAX, faults).unwrap_or_default();
    let (endpoint, port) = match (written.http, written.tcp, written.exec) {
        (Some(http), None, None) => {
            let path = format!("{path}/http");
            let port = index(&path, &http.endpoint, endpoints, faults);
            let scheme = scheme(&path, http.scheme.as_deref(), faults)?;
            let asked = http.path.and_then(|asked| health::request_path(&path, asked, faults));
            (Endpoint::Http { scheme, path: asked, ignore_1xx: false }, CheckedPort::Index(port?))
        }
        (None, Some(PodTcpCheck { endpoint }), None) => {
            (Endpoint::Tcp, CheckedPort::Index(index(&format!("{path}/tcp"), &endpoint, endpoints, faults)?))
        }
        (None, None, Some(exec)) => {
            let endpoint = match line(&format!("{path}/exec/command"), exec.command, faults)? {
                CommandLine::Shell(line) => Endpoint::Command(line),
                CommandLine::Exec(words) => Endpoint::Program(words),
                CommandLine::Image | CommandLine::Graph(_) | CommandLine::Pod(_) => return None,
            };
            (endpoint, CheckedPort::None)
        }
        (_, _, _) => {
            faults.add(path, ONE_KIND);
            return None;
        }
    };
    Some(HealthCheck {
        kind: CheckKind::Agent,
        endpoint,
        port,
        family: IpFamily::V4,
        grace_period_ms,
        interval_ms,
        timeout_ms,
        max_consecutive_failures,
        delay_ms,
    })
}

pub(super) fn check(path: &str, written: PodCheck, endpoints: &[String], faults: &mut Faults) -> Option<Check> {
    let mut seconds =
        |name: &str, value: i64| numbers::seconds(&format!("{path}/{name}"), Some(value), faults).unwrap_or_default();
    let interval_ms = seconds("intervalSeconds", written.interval_seconds);
    let timeout_ms = seconds("timeoutSeconds", written.timeout_seconds);
    let delay_ms = seconds("delaySeconds", written.delay_seconds);
    let question = match (written.http, written.tcp, written.exec) {
        (Some(PodHttpCheck { endpoint, path: asked, scheme }), None, None) => {
            let path = format!("{path}/http");
            if self::scheme(&path, scheme.as_deref(), faults)? == Scheme::Https {
                faults.add(format!("{path}/scheme"), "must be HTTP: agents ask in no other way");
            }
            let port_index = index(&path, &endpoint, endpoints, faults)?;
            let asked = asked.and_then(|asked| health::request_path(&path, asked, faults));
            Question::Http { port_index, path: asked }
        }
        (None, Some(PodTcpCheck { endpoint }), None) => {
            Question::Tcp { port_index: index(&format!("{path}/tcp"), &endpoint, endpoints, faults)? }
        }
        (None, None, Some(exec)) => Question::Command(line(&format!("{path}/exec/command"), exec.command, faults)?),
        (_, _, _) => {
            faults.add(path, ONE_KIND);
            return None;
        }
    };
    Some(Check { question, interval_ms, timeout_ms, delay_ms })
}

fn index(path: &str, name: &str, endpoints: &[String], faults: &mut Faults) -> Option<u32> {
    let found = endpoints.iter().position(|endpoint| endpoint == name);
    if found.is_none() {
        faults.add(format!("{path}/endpoint"), "contains a reference to an endpoint that does not exist");
    }
    found.and_then(|index| u32::try_from(index).ok())
}

fn scheme(path: &str, written: Option<&str>, faults: &mut Faults) -> Option<Scheme> {
    match written {
        None => Some(Scheme::Http),
        Some(scheme) if scheme.eq_ignore_ascii_case("HTTP") => Some(Scheme::Http),
        Some(scheme) if scheme.eq_ignore_ascii_case("HTTPS") => Some(Scheme::Https),
        Some(_) => {
            faults.add(format!("{path}/scheme"), "must be one of HTTP, HTTPS");
            None
        }
    }
}

/// A line for the shell, or a program with its arguments.
pub(super) fn line(path: &str, written: ExecCommand, faults: &mut Faults) -> Option<CommandLine> {
    match (written.shell, written.argv) {
        (Some(line), None) => {
            text::check(&format!("{path}/shell"), &line, limits::COMMAND_LENGTH_MAX, faults);
            if line.trim().is_empty() {
                faults.add(format!("{path}/shell"), "must not be empty");
            }
            Some(CommandLine::Shell(line))
        }
        (None, Some(words)) => {
            if words.is_empty() {
                faults.add(format!("{path}/argv"), "must not be empty");
            }
            command::check_words(&format!("{path}/argv"), &words, faults);
            Some(CommandLine::Exec(words))
        }
        (_, _) => {
            faults.add(path, "needs either shell or argv");
            None
        }
    }
}

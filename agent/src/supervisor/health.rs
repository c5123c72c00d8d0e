//! Health checks of a task: which there are, what they have found, what follows.
//!
//! Mesos's semantics for `TaskInfo.health_check`: failures within the grace period do not count before the first success;
//! each change and each failure is reported; after so many failures in a row the task is killed. `TaskInfo.health_checks` are
//! counted and reported the same way, but the framework draws the conclusion.

use attica_core_api::v1::{
    CommandInfo, HealthCheck, HealthCheckType, HealthResult, TaskInfo, TaskState, TaskStatus, TaskStatusReason,
};
use attica_core_api::{Now, Tick};

use super::task::{News, Phase};
use super::{Effect, Supervisor};
use crate::checkpoint::{CheckStanding, KillCause, TaskEntry};
use crate::launcher::protocol::ContainerId;

/// A time-out of zero means none, as in Mesos. This one lets a probe end nevertheless: each holds one of the prober's places.
const NO_TIMEOUT_MS: u64 = 600_000;

/// What a probe asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// A GET of `path`; healthy statuses, or none for 200 to 399.
    Http { port: u16, path: String, statuses: Vec<u32> },
    /// A connection.
    Tcp { port: u16 },
    /// A program that ends with status 0; the supervisor runs it.
    Command(Box<CommandInfo>),
}

/// One check for the prober.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProbeSpec {
    pub(crate) target: Target,
    /// Until the first probe.
    pub(crate) delay_ms: u64,
    /// From the beginning of one probe to the next.
    pub(crate) interval_ms: u64,
    pub(crate) timeout_ms: u64,
}

/// Why a check cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    #[error("a health check has no type")]
    NoType,
    #[error("a {0} health check lacks its `{1}` member")]
    NoMember(&'static str, &'static str),
    #[error("HTTPS health checks are not supported")]
    Https,
    #[error("health checks over IPv6 are not supported")]
    Ipv6,
    #[error("a health check's port {0} is not one")]
    Port(u32),
    #[error("a health check's `{0}` has to be a number of seconds, not negative")]
    Seconds(&'static str),
    #[error("a health check's path has to begin with `/` and be printable ASCII")]
    Path,
}

/// What follows from failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// After so many in a row the task is killed.
    Kill { failures: u32 },
    /// Its framework is told; the check's place in `health_checks`.
    Report { index: u32 },
}

#[derive(Clone, Debug)]
struct Check {
    spec: ProbeSpec,
    consequence: Consequence,
    grace_ms: u64,
    grace_until: Tick,
    /// Durable.
    standing: CheckStanding,
}

/// The checks of one task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    checks: Vec<Check>,
}

/// What a probe's result leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Conclusion {
    report: bool,
    kill: bool,
}

fn milliseconds(seconds: f64, name: &'static str) -> Result<u64, CheckError> {
    if !(0.0..=1e12).contains(&seconds) {
        return Err(CheckError::Seconds(name));
    }
    Ok((seconds * 1_000.0) as u64)
}

fn port(port: u32) -> Result<u16, CheckError> {
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or(CheckError::Port(port))
}

/// What to probe, or why that cannot be done.
pub(super) fn probe_spec(check: &HealthCheck) -> Result<ProbeSpec, CheckError> {
    use attica_core_api::v1::NetworkProtocol::{Ipv4, Ipv6};
    let target = match check.r#type {
        Some(HealthCheckType::Http) => {
            let http = check.http.as_ref().ok_or(CheckError::NoMember("HTTP", "http"))?;
            match http.protocol {
                Ipv4 => {}
                Ipv6 => return Err(CheckError::Ipv6),
            }
            if http.scheme.as_deref().is_some_and(|scheme| scheme != "http") {
                return Err(CheckError::Https);
            }
            let path = http.path.clone().unwrap_or_else(|| "/".to_owned());
            if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(CheckError::Path);
            }
            Target::Http { port: port(http.port)?, path, statuses: http.statuses.clone() }
        }
        Some(HealthCheckType::Tcp) => {
            let tcp = check.tcp.as_ref().ok_or(CheckError::NoMember("TCP", "tcp"))?;
            match tcp.protocol {
                Ipv4 => {}
                Ipv6 => return Err(CheckError::Ipv6),
            }
            Target::Tcp { port: port(tcp.port)? }
        }
        Some(HealthCheckType::Command) => {
            Target::Command(Box::new(check.command.clone().ok_or(CheckError::NoMember("COMMAND", "command"))?))
        }
        Some(HealthCheckType::Unknown) | None => return Err(CheckError::NoType),
    };
    milliseconds(check.grace_period_seconds, "grace_period_seconds")?;
    let timeout_ms = match milliseconds(check.timeout_seconds, "timeout_seconds")? {
        0 => NO_TIMEOUT_MS,
        timeout_ms => timeout_ms,
    };
    Ok(ProbeSpec {
        target,
        delay_ms: milliseconds(check.delay_seconds, "delay_seconds")?,
        interval_ms: milliseconds(check.interval_seconds, "interval_seconds")?,
        timeout_ms,
    })
}

impl Health {
    /// The checks of a task that begins now. Checks that cannot be made were refused before (see `accept`).
    pub(super) fn new(now: Now, task: &TaskInfo) -> Health {
        let killing = task
            .health_check
            .iter()
            .map(|check| (check, Consequence::Kill { failures: check.consecutive_failures.max(1) }));
        let reporting = task.health_checks.iter().zip(0..).map(|(check, index)| (check, Consequence::Report { index }));
        let check = |(check, consequence): (&HealthCheck, Consequence)| {
            let grace_ms = milliseconds(check.grace_period_seconds, "grace_period_seconds").ok()?;
            Some(Check {
                spec: probe_spec(check).ok()?,
                consequence,
                grace_ms,
                grace_until: now.tick.after(grace_ms),
                standing: CheckStanding { seconds: now.wall.seconds(), ..CheckStanding::default() },
            })
        };
        Health { checks: killing.chain(reporting).filter_map(check).collect() }
    }

    /// Takes over what an earlier status said.
    pub(super) fn restore(&mut self, status: &TaskStatus) {
        for Check { consequence, standing, .. } in &mut self.checks {
            match *consequence {
                Consequence::Kill { .. } => {
                    standing.healthy = status.healthy.or(standing.healthy);
                    standing.succeeded |= status.healthy == Some(true);
                    standing.failures = if status.healthy == Some(false) { standing.failures + 1 } else { 0 };
                }
                Consequence::Report { index } => {
                    if let Some(result) = status.health_results.iter().find(|result| result.index == index) {
                        standing.healthy = Some(result.healthy);
                        standing.succeeded |= result.healthy;
                        standing.failures = result.consecutive_failures;
                        standing.message = result.message.clone();
                        standing.seconds = result.timestamp;
                    }
                }
            }
        }
    }

    /// What each check has found so far.
    pub(super) fn standings(&self) -> Vec<CheckStanding> {
        self.checks.iter().map(|check| check.standing.clone()).collect()
    }

    /// Takes over what [`Health::standings`] said.
    pub(super) fn stand(&mut self, standings: Vec<CheckStanding>) {
        for (check, standing) in self.checks.iter_mut().zip(standings) {
            check.standing = standing;
        }
    }

    /// After a restart of the agent, `elapsed_seconds` after the task began: grace and delay count from then.
    pub(super) fn resume(&mut self, now: Now, elapsed_seconds: f64) {
        let elapsed_ms = (elapsed_seconds.max(0.0) * 1_000.0) as u64;
        for check in &mut self.checks {
            check.grace_until = now.tick.after(check.grace_ms.saturating_sub(elapsed_ms));
            check.spec.delay_ms = check.spec.delay_ms.saturating_sub(elapsed_ms);
        }
    }

    /// What is to be probed, in the order in which results name their check.
    pub(super) fn probes(&self) -> Vec<ProbeSpec> {
        self.checks.iter().map(|check| check.spec.clone()).collect()
    }

    /// `TaskStatus.healthy`: the verdict of the check that kills.
    pub(super) fn verdict(&self) -> Option<bool> {
        self.checks.iter().find(|check| matches!(check.consequence, Consequence::Kill { .. }))?.standing.healthy
    }

    /// `TaskStatus.health_results`: the latest of each check that has one.
    pub(super) fn results(&self) -> Vec<HealthResult> {
        let result = |check: &Check| match check.consequence {
            Consequence::Kill { .. } => None,
            Consequence::Report { index } => Some(HealthResult {
                index,
                healthy: check.standing.healthy?,
                consecutive_failures: check.standing.failures,
                message: check.standing.message.clone(),
                timestamp: check.standing.seconds,
            }),
        };
        self.checks.iter().filter_map(result).collect()
    }

    /// The task was killed for its health: its last status says so.
    pub(super) fn condemn(&mut self) {
        for check in &mut self.checks {
            match check.consequence {
                Consequence::Kill { .. } => check.standing.healthy = Some(false),
                Consequence::Report { .. } => {}
            }
        }
    }

    fn conclude(&mut self, now: Now, index: usize, outcome: Result<(), String>) -> Option<Conclusion> {
        let Check { consequence, grace_until, standing, .. } = self.checks.get_mut(index)?;
        let seconds = now.wall.seconds();
        match outcome {
            Ok(()) => {
                let report = standing.healthy != Some(true);
                *standing = CheckStanding { failures: 0, healthy: Some(true), succeeded: true, message: None, seconds };
                Some(Conclusion { report, kill: false })
            }
            Err(_) if !standing.succeeded && now.tick < *grace_until => Some(Conclusion { report: false, kill: false }),
            Err(message) => {
                standing.healthy = Some(false);
                standing.failures = standing.failures.saturating_add(1);
                standing.message = Some(message);
                standing.seconds = seconds;
                let kill = match *consequence {
                    Consequence::Kill { failures } => standing.failures >= failures,
                    Consequence::Report { .. } => false,
                };
                Some(Conclusion { report: true, kill })
            }
        }
    }
}

impl Supervisor {
    /// A probe of a task has a result.
    pub(super) fn probed(
        &mut self,
        now: Now,
        container: &ContainerId,
        check: usize,
        outcome: Result<(), String>,
        out: &mut Vec<Effect>,
    ) {
        let Some(key) = self.key_of(container) else { return };
        let Some(task) =
            self.tasks.get_mut(&key).filter(|task| matches!(task.phase, Phase::Running) && task.kill.is_none())
        else {
            return;
        };
        let message = outcome.as_ref().err().cloned();
        let Some(conclusion) = task.health.conclude(now, check, outcome) else { return };
        if conclusion.report {
            if task.updates.is_full() {
                // The newest is a health result as well: full queues hold little else.
                let superseded = task.updates.supersede().map(TaskEntry::Acknowledged);
                out.extend(superseded.map(|entry| Effect::AppendTask(container.clone(), entry)));
            }
            let reason = Some(TaskStatusReason::TaskHealthCheckStatusUpdated);
            self.update(now, &key, News { reason, message, ..News::of(TaskState::Running) }, out);
        }
        if conclusion.kill {
            self.kill_for(now, &key, KillCause::Unhealthy, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use attica_core_api::v1::TcpCheckInfo;

    use super::*;

    #[test]
    fn a_time_out_of_zero_is_none() {
        let timeout_ms = |timeout_seconds| {
            let tcp = Some(TcpCheckInfo { port: 1, ..TcpCheckInfo::default() });
            let check =
                HealthCheck { r#type: Some(HealthCheckType::Tcp), tcp, timeout_seconds, ..HealthCheck::default() };
            probe_spec(&check).unwrap().timeout_ms
        };
        assert_eq!([0.0, 0.5, 20.0].map(timeout_ms), [NO_TIMEOUT_MS, 500, 20_000]);
    }
}

//! Health checks of a task: which there are, what they have found, what follows.
//!
//! Mesos's semantics for `TaskInfo.health_check`: failures within the grace period do not count before the first success;
//! each change and each failure is reported; after so many failures in a row the task is killed. `TaskInfo.health_checks` are
//! counted and reported the same way, but the framework draws the conclusion. What `TaskInfo.check` finds is reported when it is another
//! thing than before, and once after a restart of the agent.

use attica_core_api::v1::{
    CheckInfo, CheckStatusInfo, CheckType, HealthCheck, HealthResult, TaskInfo, TaskState, TaskStatus, TaskStatusReason,
};
use attica_core_api::{Now, Tick};

use super::probe::{self, Finding, ProbeSpec, milliseconds};
use super::task::{News, Phase};
use super::{Effect, Supervisor};
use crate::checkpoint::{CheckStanding, KillCause, TaskEntry};
use crate::launcher::protocol::ContainerId;

/// What follows from failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// After so many in a row the task is killed.
    Kill { failures: u32 },
    /// Its framework is told; the check's place in `health_checks`.
    Report { index: u32 },
    /// Its framework is told what was found, which is neither good nor bad: `TaskInfo.check`.
    Tell(CheckType),
}

#[derive(Clone, Debug)]
struct Check {
    spec: ProbeSpec,
    consequence: Consequence,
    grace_ms: u64,
    grace_until: Tick,
    /// Durable.
    standing: CheckStanding,
    /// Whether what it found was told since the agent began.
    told: bool,
}

/// The checks of one task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    checks: Vec<Check>,
}

/// What a probe's result leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Conclusion {
    report: Option<TaskStatusReason>,
    kill: bool,
}

impl Check {
    fn new(now: Now, spec: ProbeSpec, consequence: Consequence, grace_ms: u64) -> Check {
        let standing = CheckStanding { seconds: now.wall.seconds(), ..CheckStanding::default() };
        let grace_until = now.tick.after(grace_ms);
        Check { spec, consequence, grace_ms, grace_until, standing, told: false }
    }

    fn conclude(&mut self, now: Now, finding: Finding) -> Conclusion {
        match self.consequence {
            Consequence::Kill { failures } => self.judge(now, finding, Some(failures)),
            Consequence::Report { .. } => self.judge(now, finding, None),
            Consequence::Tell(r#type) => self.tell(r#type, &finding),
        }
    }

    /// The task is killed after so many `failures` in a row.
    fn judge(&mut self, now: Now, finding: Finding, failures: Option<u32>) -> Conclusion {
        let Check { spec, grace_until, standing, .. } = self;
        let seconds = now.wall.seconds();
        let reason = TaskStatusReason::TaskHealthCheckStatusUpdated;
        if spec.ignores(&finding) {
            return Conclusion { report: None, kill: false };
        }
        let response = match &finding {
            Finding::Answered { answer, .. } => answer.clone(),
            Finding::Connected | Finding::NotConnected(_) | Finding::Exited(_) | Finding::Nothing(_) => None,
        };
        match spec.verdict(finding) {
            Ok(()) => {
                let report = (standing.healthy != Some(true)).then_some(reason);
                *standing = CheckStanding {
                    healthy: Some(true),
                    succeeded: true,
                    seconds,
                    response,
                    ..CheckStanding::default()
                };
                Conclusion { report, kill: false }
            }
            Err(_) if !standing.succeeded && now.tick < *grace_until => Conclusion { report: None, kill: false },
            Err(message) => {
                standing.healthy = Some(false);
                standing.failures = standing.failures.saturating_add(1);
                standing.message = Some(message);
                standing.seconds = seconds;
                standing.response = response;
                Conclusion { report: Some(reason), kill: failures.is_some_and(|limit| standing.failures >= limit) }
            }
        }
    }

    fn tell(&mut self, r#type: CheckType, finding: &Finding) -> Conclusion {
        let found = Some(probe::check_status(r#type, Some(finding)));
        let is_news = !std::mem::replace(&mut self.told, true) || self.standing.found != found;
        self.standing.found = found;
        Conclusion { report: is_news.then_some(TaskStatusReason::TaskCheckStatusUpdated), kill: false }
    }
}

impl Health {
    /// The checks of a task that begins now. Checks that cannot be made were refused before (see `accept`).
    pub(super) fn new(now: Now, task: &TaskInfo) -> Health {
        let killing = task
            .health_check
            .iter()
            .map(|check| (check, Consequence::Kill { failures: check.consecutive_failures.max(1) }));
        let reporting = task.health_checks.iter().zip(0..).map(|(check, index)| (check, Consequence::Report { index }));
        let of_health_check = |(check, consequence): (&HealthCheck, Consequence)| {
            let grace_ms = milliseconds(check.grace_period_seconds, "grace_period_seconds").ok()?;
            Some(Check::new(now, ProbeSpec::of_health_check(check).ok()?, consequence, grace_ms))
        };
        let of_check = |check: &CheckInfo| {
            let consequence = Consequence::Tell(check.r#type?);
            Some(Check::new(now, ProbeSpec::of_check(check).ok()?, consequence, 0))
        };
        let telling = task.check.iter().filter_map(of_check);
        Health { checks: killing.chain(reporting).filter_map(of_health_check).chain(telling).collect() }
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
                        standing.response = result.response.clone();
                    }
                }
                Consequence::Tell(_) => standing.found = status.check_status.clone().or(standing.found.take()),
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
            Consequence::Kill { .. } | Consequence::Tell(_) => None,
            Consequence::Report { index } => Some(HealthResult {
                index,
                healthy: check.standing.healthy?,
                consecutive_failures: check.standing.failures,
                message: check.standing.message.clone(),
                timestamp: check.standing.seconds,
                response: check.standing.response.clone(),
            }),
        };
        self.checks.iter().filter_map(result).collect()
    }

    /// The task was killed for its health: its last status says so.
    pub(super) fn condemn(&mut self) {
        for check in &mut self.checks {
            match check.consequence {
                Consequence::Kill { .. } => check.standing.healthy = Some(false),
                Consequence::Report { .. } | Consequence::Tell(_) => {}
            }
        }
    }

    /// `TaskStatus.check_status`: the latest of `TaskInfo.check`.
    pub(super) fn check_status(&self) -> Option<CheckStatusInfo> {
        self.checks.iter().find_map(|check| match check.consequence {
            Consequence::Kill { .. } | Consequence::Report { .. } => None,
            Consequence::Tell(r#type) => {
                Some(check.standing.found.clone().unwrap_or_else(|| probe::check_status(r#type, None)))
            }
        })
    }

    fn conclude(&mut self, now: Now, index: usize, finding: Finding) -> Option<Conclusion> {
        Some(self.checks.get_mut(index)?.conclude(now, finding))
    }

    /// Why a check is not healthy.
    fn message(&self, index: usize) -> Option<String> {
        self.checks.get(index)?.standing.message.clone()
    }
}

impl Supervisor {
    /// A probe of a task has a result.
    pub(super) fn probed(
        &mut self,
        now: Now,
        container: &ContainerId,
        check: usize,
        finding: Finding,
        out: &mut Vec<Effect>,
    ) {
        let Some(key) = self.key_of(container) else { return };
        let Some(task) =
            self.tasks.get_mut(&key).filter(|task| matches!(task.phase, Phase::Running) && task.kill.is_none())
        else {
            return;
        };
        let Some(conclusion) = task.health.conclude(now, check, finding) else { return };
        if conclusion.report.is_some() {
            if task.updates.is_full() {
                // The newest is a health result as well: full queues hold little else.
                let superseded = task.updates.supersede().map(TaskEntry::Acknowledged);
                out.extend(superseded.map(|entry| Effect::AppendTask(container.clone(), entry)));
            }
            let message = task.health.message(check);
            self.update(now, &key, News { reason: conclusion.report, message, ..News::of(TaskState::Running) }, out);
        }
        if conclusion.kill {
            self.kill_for(now, &key, KillCause::Unhealthy, out);
        }
    }
}

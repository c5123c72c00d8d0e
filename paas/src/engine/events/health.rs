use attica_core_api::v1::{HealthResult, HttpAnswer, TaskStatus};
use attica_core_api::{Now, Timestamp};

use super::super::{Cause, Effects, Engine, Fact, Finding, View};
use crate::model::{
    CheckKind, Condition, HealthCheck, HealthState, Instance, InstanceId, ReadinessResponse, RunSpec, RunSpecId, Task,
    TaskIdentity,
};

/// The status of an answer that there was not: a gateway's whose server does not answer in time.
const NO_ANSWER: u32 = 504;

/// One result of a probe.
struct Probe {
    healthy: bool,
    /// Failures since the last success, as the agent counts them.
    failures: u32,
    cause: Option<String>,
    at: Timestamp,
}

impl Engine {
    /// Takes in what a status says about health.
    pub(super) fn health(&mut self, now: Now, id: &InstanceId, status: &TaskStatus, out: &mut Effects) {
        let Some(definition) = self.state.instance(id).and_then(|instance| self.running_definition(instance)) else {
            return;
        };
        self.readiness(now, id, &definition, status, out);
        let checks = definition.checks_of_health();
        for (index, probe) in probes(&checks, status, now, self.reported(id)) {
            let Some((_, check)) = checks.get(index) else { continue };
            self.probe(now, id, check, index, probe, out);
        }
    }

    /// Takes in whether the task has become ready. The agent reports it behind the checks whose verdict is this service's.
    fn readiness(&mut self, now: Now, id: &InstanceId, definition: &RunSpec, status: &TaskStatus, out: &mut Effects) {
        let Some(check) = &definition.readiness_check else { return };
        let by_service = definition.health_checks.iter().filter(|check| check.kind == CheckKind::Service).count();
        let is_of_check = |result: &&HealthResult| usize::try_from(result.index) == Ok(by_service);
        let Some(result) = status.health_results.iter().find(is_of_check) else { return };
        let Some(mut instance) = self.state.instance(id).cloned().map(Box::new) else { return };
        let Some(task) = instance.task.as_mut() else { return };
        // Once a task is ready, what it says to the contrary is of no effect.
        if check.keeps_response && (result.healthy || task.readiness == Some(false)) {
            out.views.push(View::Responded { task: (id.clone(), task.id.clone()), response: response(result) });
        }
        if result.healthy && task.readiness == Some(false) {
            task.readiness = Some(true);
            self.record(now, Fact::InstanceChanged { instance, cause: Cause::Ready }, out);
        }
    }

    fn reported(&self, id: &InstanceId) -> Vec<HealthState> {
        self.state
            .instance(id)
            .and_then(|instance| instance.task.as_ref())
            .map_or_else(Vec::new, |task| task.health.clone())
    }

    fn probe(&mut self, now: Now, id: &InstanceId, check: &HealthCheck, index: usize, probe: Probe, out: &mut Effects) {
        let Some(mut instance) = self.state.instance(id).cloned().map(Box::new) else { return };
        let verdict_before = instance.healthy();
        let Some(task) = instance.task.as_mut() else { return };
        let in_grace = in_grace_period(task, check, now);
        let spared = task.spared;
        let Some(state) = task.health.get_mut(index) else { return };
        let finding = take_in(state, &probe, in_grace);
        let too_often = !probe.healthy && fails_too_often(check, spared, state);
        let reason = probe.cause.unwrap_or_default();
        let verdict = instance.healthy().filter(|verdict| Some(*verdict) != verdict_before);
        let doomed = too_often && instance.condition == Condition::Running && !instance.is_sentenced();
        let changed = Fact::InstanceChanged {
            instance: instance.clone(),
            cause: Cause::Health { check: index, finding, verdict },
        };
        self.record(now, changed, out);
        let policy = self.state.policy_of(id);
        if doomed && self.affordable(now, &id.run_spec, 1, policy) == 1 {
            self.sentence(now, instance, Cause::KilledAsUnhealthy { reason }, out);
        }
    }
}

impl Engine {
    /// Kills instances that are unhealthy for long enough, as many as may be killed by now.
    pub(in super::super) fn kill_put_off(&mut self, now: Now, id: &RunSpecId, out: &mut Effects) {
        let Some(state) = self.state.run_specs.get(id) else { return };
        let doomed = |instance: &&Instance| {
            let definition = state.versions.get(&instance.version);
            let checks = definition.into_iter().flat_map(|definition| definition.checks_of_health());
            let states = instance.task.iter().flat_map(|task| task.health.iter().map(|state| (task.spared, state)));
            let too_often =
                checks.zip(states).any(|((_, check), (spared, state))| fails_too_often(check, spared, state));
            too_often && instance.condition == Condition::Running && !instance.is_sentenced()
        };
        let doomed: Vec<Instance> = state.instances.values().filter(doomed).cloned().collect();
        for instance in doomed {
            let policy = self.state.policy_of(&instance.id);
            if self.affordable(now, id, 1, policy) == 0 {
                break;
            }
            let failures = instance.task.iter().flat_map(|task| &task.health);
            let reason = failures.filter_map(|state| state.last_failure_cause.clone()).next().unwrap_or_default();
            self.sentence(now, Box::new(instance), Cause::KilledAsUnhealthy { reason }, out);
        }
    }
}

/// Whether this service kills for so many failures. What agents check, they kill by themselves, save what they were told to spare.
fn fails_too_often(check: &HealthCheck, spared: bool, state: &HealthState) -> bool {
    let most = check.max_consecutive_failures;
    match check.kind {
        CheckKind::Service => most > 0 && state.consecutive_failures >= most,
        CheckKind::Agent => spared && state.consecutive_failures >= most.max(1),
    }
}

/// What was answered to a readiness check. Where nothing was, it is what Marathon says then.
fn response(result: &HealthResult) -> ReadinessResponse {
    match &result.response {
        Some(HttpAnswer { status, content_type, body }) => {
            ReadinessResponse { status: *status, content_type: content_type.clone(), body: body.clone() }
        }
        None => ReadinessResponse {
            status: NO_ANSWER,
            content_type: "text/plain".to_owned(),
            body: result.message.clone().unwrap_or_default(),
        },
    }
}

/// The results in a status that are new, each with the index of its check among those of the definition.
fn probes(
    checks: &[(Option<&str>, &HealthCheck)],
    status: &TaskStatus,
    now: Now,
    known: Vec<HealthState>,
) -> Vec<(usize, Probe)> {
    let container = TaskIdentity::parse(status.task_id.as_str()).ok().and_then(|identity| identity.container);
    let of_kind = |kind: CheckKind| {
        let checks = checks.iter().enumerate().filter(|(_, (of, _))| *of == container.as_deref());
        checks.filter(move |(_, (_, check))| check.kind == kind).map(|(index, _)| index)
    };
    let by_service: Vec<usize> = of_kind(CheckKind::Service).collect();
    let reported = status.health_results.iter().filter_map(|result| {
        let index = *by_service.get(usize::try_from(result.index).ok()?)?;
        let probe = Probe {
            healthy: result.healthy,
            failures: result.consecutive_failures,
            cause: result.message.clone(),
            at: Timestamp::from_seconds(result.timestamp),
        };
        Some((index, probe))
    });
    let own = of_kind(CheckKind::Agent).zip(status.healthy).map(|(index, healthy)| {
        let failures = known.get(index).map_or(0, |state| state.reported_failures);
        let failures = if healthy { 0 } else { failures + 1 };
        (index, Probe { healthy, failures, cause: status.message.clone(), at: now.wall })
    });
    let is_new =
        |(index, probe): &(usize, Probe)| known.get(*index).is_some_and(|state| says_something_new(state, probe));
    reported.chain(own).filter(is_new).collect()
}

/// A failure counts once, however often it is reported; of successes only the first in a row is told apart.
fn says_something_new(state: &HealthState, probe: &Probe) -> bool {
    match probe.healthy {
        true => state.alive != Some(true),
        false => probe.failures != state.reported_failures,
    }
}

fn in_grace_period(task: &Task, check: &HealthCheck, now: Now) -> bool {
    let since = task.started_at.unwrap_or(task.staged_at);
    now.wall.0.saturating_sub(since.0) < i64::try_from(check.grace_period_ms).unwrap_or(i64::MAX)
}

/// Brings the state up to date. Failures in the grace period do not count, until the first success.
fn take_in(state: &mut HealthState, probe: &Probe, in_grace: bool) -> Finding {
    let was_alive = state.alive == Some(true);
    let before = state.reported_failures;
    state.reported_failures = probe.failures;
    if probe.healthy {
        state.alive = Some(true);
        state.consecutive_failures = 0;
        state.first_success.get_or_insert(probe.at);
        state.last_success = Some(probe.at);
        return Finding::Revived;
    }
    if in_grace && state.first_success.is_none() {
        return Finding::Pardoned;
    }
    let new = if probe.failures > before { probe.failures - before } else { probe.failures };
    state.alive = Some(false);
    state.consecutive_failures = state.consecutive_failures.saturating_add(new);
    state.last_failure = Some(probe.at);
    state.last_failure_cause.clone_from(&probe.cause);
    if was_alive { Finding::Died } else { Finding::FailedAgain }
}

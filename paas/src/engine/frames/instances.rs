use attica_core_api::Timestamp;
use attica_core_api::v1::TaskId;

use super::super::{Border, Cause, Finding, Frame, Snapshot, TaskUpdate};
use super::INSTANCE_DRAINING;
use super::fields::Fields;
use crate::model::{Condition, Goal, HealthCheck, Instance, InstanceId};

/// An instance is new or has changed.
pub(super) fn changed(
    instance: &Instance,
    cause: &Cause,
    before: &Snapshot,
    at: Timestamp,
    border: &Border,
) -> Vec<Frame> {
    let app_id = instance.id.run_spec.as_str();
    match cause {
        Cause::Created | Cause::Inactive => vec![condition(instance, instance.condition, at)],
        Cause::Provisioned => {
            let staging = |task| TaskUpdate::staging(task, instance.version).into_iter();
            let staging = instance.task.iter().flat_map(staging).map(|update| status(app_id, &update, at));
            std::iter::once(condition(instance, instance.condition, at)).chain(staging).collect()
        }
        Cause::Updated(update) => {
            let known = before.instance(&instance.id).map(|before| before.condition);
            let moved = (known != Some(instance.condition)).then(|| condition(instance, instance.condition, at));
            std::iter::once(status(app_id, update, at)).chain(moved).collect()
        }
        Cause::Health { check, finding, verdict } => {
            let definition =
                before.run_specs.get(&instance.id.run_spec).and_then(|state| state.versions.get(&instance.version));
            // Marathon announces the checks of apps alone.
            let check = definition.and_then(|definition| definition.health_checks.get(*check));
            health(instance, check, *finding, *verdict, at, border)
        }
        Cause::Progressed | Cause::Ready => Vec::new(),
        Cause::Decided => draining(instance, before, at).into_iter().collect(),
        // Whoever acknowledges any frame of a fact must have seen the one that asks for it: it comes first.
        Cause::KilledAsUnhealthy { reason } => {
            draining(instance, before, at).into_iter().chain(killed_as_unhealthy(instance, reason, at)).collect()
        }
    }
}

/// A task has ended; its instance waits again, or is gone.
pub(super) fn task_ended(
    id: &InstanceId,
    ended_as: Condition,
    update: &TaskUpdate,
    next: Option<&Instance>,
    before: &Snapshot,
    at: Timestamp,
) -> Vec<Frame> {
    let ended = before.instance(id).map(|instance| condition(instance, ended_as, at));
    let next = next.filter(|next| next.goal == Goal::Running).map(|next| condition(next, next.condition, at));
    std::iter::once(status(id.run_spec.as_str(), update, at)).chain(ended).chain(next).collect()
}

/// An instance is gone without a word from its task.
pub(super) fn forgotten(id: &InstanceId, ended_as: Condition, before: &Snapshot, at: Timestamp) -> Vec<Frame> {
    before.instance(id).map(|instance| condition(instance, ended_as, at)).into_iter().collect()
}

fn condition(instance: &Instance, condition: Condition, at: Timestamp) -> Frame {
    let fields = Fields::new()
        .text("instanceId", &instance.id.to_string())
        .text("condition", condition.as_str())
        .text("runSpecId", instance.id.run_spec.as_str());
    let fields = match &instance.task {
        Some(task) => fields.text("agentId", task.agent.id.as_str()).text("host", &task.agent.hostname),
        None => fields,
    };
    fields.text("runSpecVersion", &instance.version.to_string()).frame("instance_changed_event", at)
}

fn status(app_id: &str, update: &TaskUpdate, at: Timestamp) -> Frame {
    let addresses = update
        .ip_addresses
        .iter()
        .map(|address| Fields::new().text("ipAddress", &address.address).text("protocol", &address.protocol).object());
    Fields::new()
        .text("slaveId", &update.agent_id)
        .text("taskId", update.task.as_str())
        .value("taskStatus", &update.state)
        .text("message", &update.message)
        .text("appId", app_id)
        .text("host", &update.host)
        .json("ipAddresses", &format!("[{}]", addresses.collect::<Vec<_>>().join(",")))
        .value("ports", &update.ports)
        .text("version", &update.version.to_string())
        .frame("status_update_event", at)
}

fn health(
    instance: &Instance,
    check: Option<&HealthCheck>,
    finding: Finding,
    verdict: Option<bool>,
    at: Timestamp,
    border: &Border,
) -> Vec<Frame> {
    let (id, version) = (instance.id.to_string(), instance.version.to_string());
    let app_id = instance.id.run_spec.as_str();
    let (failed, alive) = match finding {
        Finding::Revived => (false, Some(true)),
        Finding::Died => (true, Some(false)),
        Finding::FailedAgain => (true, None),
        Finding::Pardoned => (false, None),
    };
    // `taskId` really is the instance's id in this one.
    let failed = check.filter(|_| failed).map(|check| {
        let check = (border.render_health_check)(check);
        let fields = Fields::new().text("appId", app_id).text("taskId", &id).json("healthCheck", &check);
        fields.frame("failed_health_check_event", at)
    });
    let alive = alive.map(|alive| {
        let fields = Fields::new().text("appId", app_id).text("instanceId", &id).text("version", &version);
        fields.value("alive", &alive).frame("health_status_changed_event", at)
    });
    let verdict = verdict.map(|healthy| {
        let fields = Fields::new().text("instanceId", &id).text("runSpecVersion", &version).value("healthy", &healthy);
        fields.text("runSpecId", app_id).frame("instance_health_changed_event", at)
    });
    [failed, alive, verdict].into_iter().flatten().collect()
}

/// The kill of the instance's task has just been decided.
fn draining(instance: &Instance, before: &Snapshot, at: Timestamp) -> Option<Frame> {
    let task = instance.task.as_ref().filter(|task| task.sentenced_at.is_some())?;
    if before.instance(&instance.id).is_some_and(Instance::is_sentenced) {
        return None;
    }
    let run_spec = before.run_specs.get(&instance.id.run_spec)?.versions.get(&instance.version)?;
    let fields = Fields::new()
        .text("instanceId", &instance.id.to_string())
        .value("taskIds", &task.living().map(TaskId::as_str).collect::<Vec<_>>())
        .text("runSpecId", instance.id.run_spec.as_str())
        .value("drainTimeoutSeconds", &(run_spec.drain_timeout_ms() / 1_000));
    Some(fields.frame(INSTANCE_DRAINING, at))
}

fn killed_as_unhealthy(instance: &Instance, reason: &str, at: Timestamp) -> Option<Frame> {
    let task = instance.task.as_ref()?;
    let fields = Fields::new()
        .text("appId", instance.id.run_spec.as_str())
        .text("taskId", task.id.as_str())
        .text("instanceId", &instance.id.to_string())
        .text("version", &instance.version.to_string())
        .text("reason", reason)
        .text("host", &task.agent.hostname)
        .text("slaveId", task.agent.id.as_str());
    Some(fields.frame("unhealthy_instance_kill_event", at))
}

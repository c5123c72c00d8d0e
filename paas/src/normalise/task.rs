use attica_core_api::v1::TaskState;
use attica_paas_api::health::HealthCheckResult;
use attica_paas_api::task::{
    IpAddress, KeptGoal, KeptInstance, LocalVolume, Task as ReadTask, TaskFailure as ReadFailure,
};

use super::{check, process};
use crate::model::{Agent, FieldName, Goal, HealthState, Instance, Reservation, RunSpec, Task, TaskFailure, rfc3339};

/// The task of an instance as clients read it; none while the instance waits for an offer. `spec` is the version that it runs.
#[must_use]
pub fn task(instance: &Instance, spec: Option<&RunSpec>) -> Option<ReadTask> {
    // What pods run is shown with them.
    let task = instance.task.as_ref().filter(|task| task.containers.is_empty())?;
    let results = task.health.iter().filter(|health| health.alive.is_some());
    Some(ReadTask {
        id: task.id.to_string(),
        app_id: instance.id.run_spec.to_string(),
        host: task.agent.hostname.clone(),
        ports: task.ports.clone(),
        service_ports: spec.map(|spec| spec.ports.iter().map(|port| port.port).collect()).unwrap_or_default(),
        ip_addresses: task
            .ip_addresses
            .iter()
            .map(|address| IpAddress { ip_address: address.address.clone(), protocol: address.protocol.clone() })
            .collect(),
        slave_id: task.agent.id.to_string(),
        state: shown_state(task).name().to_owned(),
        staged_at: Some(rfc3339(task.staged_at)),
        started_at: task.started_at.map(rfc3339),
        version: instance.version.to_string(),
        health_check_results: results.map(|health| result(health, instance)).collect(),
        check_result: task.answer.map(check::result),
        local_volumes: local_volumes(instance),
        region: field(&task.agent, &FieldName::Region),
        zone: field(&task.agent, &FieldName::Zone),
        role: role(instance, spec),
        processes: task.processes.iter().map(process::report).collect(),
    })
}

/// The role that an instance runs in: what is reserved for it stays in the role that it was reserved for.
pub(super) fn role(instance: &Instance, spec: Option<&RunSpec>) -> String {
    let kept = instance.reservation.as_deref().and_then(Reservation::role);
    kept.or(spec.map(|spec| spec.role.as_str())).unwrap_or_default().to_owned()
}

/// An instance without a task as clients read it; none when nothing is kept of it.
#[must_use]
pub fn kept_instance(instance: &Instance) -> Option<KeptInstance> {
    let kept = instance.reservation.as_ref().filter(|_| instance.task.is_none())?;
    Some(KeptInstance {
        id: instance.id.to_string(),
        host: kept.agent.hostname.clone(),
        slave_id: kept.agent.id.to_string(),
        task_id: instance.task_identity().to_string(),
        goal: match instance.goal {
            Goal::Running => KeptGoal::Running,
            Goal::Stopped => KeptGoal::Stopped,
            Goal::Decommissioned => KeptGoal::Decommissioned,
        },
        local_volumes: local_volumes(instance),
    })
}

/// The persistent volumes of an instance as clients read them.
pub(super) fn local_volumes(instance: &Instance) -> Vec<LocalVolume> {
    let run_spec = instance.run_spec();
    let volumes = instance.reservation.iter().flat_map(|kept| &kept.volumes);
    let volume = |volume: &crate::model::LocalVolume| LocalVolume {
        run_spec_id: run_spec.to_string(),
        container_path: volume.name.clone(),
        uuid: volume.uuid.to_string(),
        persistence_id: volume.persistence_id(run_spec),
    };
    volumes.map(volume).collect()
}

/// The value of a field that constraints name.
pub(super) fn field(agent: &Agent, field: &FieldName) -> Option<String> {
    agent.field(field).map(str::to_owned)
}

/// A task whose kill was decided is shown as one that is being killed, also while load balancers let go of it: whoever reads it then
/// does not begin to route requests to it.
fn shown_state(task: &Task) -> TaskState {
    match task.state {
        TaskState::Staging | TaskState::Starting | TaskState::Running if task.sentenced_at.is_some() => {
            TaskState::Killing
        }
        state => state,
    }
}

fn result(health: &HealthState, instance: &Instance) -> HealthCheckResult {
    HealthCheckResult {
        alive: health.alive == Some(true),
        consecutive_failures: health.consecutive_failures,
        first_success: health.first_success.map(rfc3339),
        last_success: health.last_success.map(rfc3339),
        last_failure: health.last_failure.map(rfc3339),
        last_failure_cause: health.last_failure_cause.clone(),
        instance_id: instance.id.to_string(),
    }
}

/// The latest failure of a run spec as clients read it.
#[must_use]
pub fn last_failure(app_id: &str, failure: &TaskFailure) -> ReadFailure {
    ReadFailure {
        app_id: app_id.to_owned(),
        host: failure.agent.hostname.clone(),
        message: failure.message.clone(),
        state: failure.state.name().to_owned(),
        task_id: failure.task.to_string(),
        timestamp: rfc3339(failure.at),
        version: failure.version.to_string(),
        slave_id: Some(failure.agent.id.to_string()),
    }
}

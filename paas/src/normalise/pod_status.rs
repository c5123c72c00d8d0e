use attica_core_api::Timestamp;
use attica_core_api::v1::TaskState;
use attica_paas_api::pod::{
    ContainerStatus, ContainerTermination, EndpointStatus, NetworkStatus, PodInstance, PodInstanceState,
    StatusCondition, TerminationHistory, TerminationState,
};

use super::pod::resources;
use super::task::{field, local_volumes};
use crate::model::{
    CheckedPort, Condition, ContainerTask, FieldName, GivenPort, HealthState, Instance, Networks, Pod, PodContainer,
    RunSpec, Task, TaskFailure, TaskIdentity, rfc3339,
};

/// An instance of a pod as clients read it; `spec` is the version that it runs. None for an app's.
#[must_use]
pub fn pod_instance(instance: &Instance, spec: &RunSpec) -> Option<PodInstance> {
    let pod = spec.pod()?;
    let since = rfc3339(changed_at(instance));
    let task = instance.task.as_ref();
    let agent = instance.agent();
    Some(PodInstance {
        id: instance.id.to_string(),
        status: state(instance),
        status_since: since.clone(),
        message: None,
        conditions: instance.healthy().map(|healthy| self::healthy(healthy, &since, None)).into_iter().collect(),
        agent_hostname: agent.map(|agent| agent.hostname.clone()),
        agent_id: agent.map(|agent| agent.id.to_string()),
        agent_region: agent.and_then(|agent| field(agent, &FieldName::Region)),
        agent_zone: agent.and_then(|agent| field(agent, &FieldName::Zone)),
        resources: resources(&spec.resources),
        networks: task.map(|task| networks(task, &spec.networks)).unwrap_or_default(),
        containers: task.map(|task| containers(task, spec, pod)).unwrap_or_default(),
        spec_reference: format!("/v2/pods{}::versions/{}", spec.id, spec.version),
        local_volumes: local_volumes(instance),
        role: super::task::role(instance, Some(spec)),
        last_updated: since.clone(),
        last_changed: since,
    })
}

/// When an instance last changed.
pub(crate) fn changed_at(instance: &Instance) -> Timestamp {
    let Some(task) = &instance.task else { return instance.scheduled_at };
    let health = task.health.iter().flat_map(|health| [health.first_success, health.last_failure]);
    let known = [task.started_at, task.sentenced_at, task.unreachable_since].into_iter().chain(health).flatten();
    known.chain(task.containers.iter().map(|container| container.since)).fold(task.staged_at, Ord::max)
}

fn state(instance: &Instance) -> PodInstanceState {
    match instance.condition {
        Condition::Scheduled | Condition::Provisioned => PodInstanceState::Pending,
        Condition::Staging | Condition::Starting => PodInstanceState::Staging,
        Condition::Running if instance.is_ready() => PodInstanceState::Stable,
        Condition::Running | Condition::Killing | Condition::Unreachable | Condition::UnreachableInactive => {
            PodInstanceState::Degraded
        }
        Condition::Killed
        | Condition::Finished
        | Condition::Failed
        | Condition::Error
        | Condition::Gone
        | Condition::Dropped
        | Condition::Unknown => PodInstanceState::Terminal,
    }
}

fn healthy(healthy: bool, since: &str, reason: Option<String>) -> StatusCondition {
    StatusCondition {
        name: "healthy".to_owned(),
        value: healthy.to_string(),
        last_changed: since.to_owned(),
        last_updated: since.to_owned(),
        reason,
    }
}

fn networks(task: &Task, networks: &Networks) -> Vec<NetworkStatus> {
    if task.ip_addresses.is_empty() {
        return Vec::new();
    }
    let name = match networks {
        Networks::Host | Networks::Bridge { .. } => None,
        Networks::Container(networks) => networks.first().map(|network| network.name.clone()),
    };
    vec![NetworkStatus { name, addresses: task.ip_addresses.iter().map(|address| address.address.clone()).collect() }]
}

fn containers(task: &Task, spec: &RunSpec, pod: &Pod) -> Vec<ContainerStatus> {
    let given = spec.given_ports(&task.ports);
    let mut ports = given.as_slice();
    let mut first_port = 0;
    let mut health = task.health.iter();
    let mut containers = Vec::with_capacity(pod.containers.len());
    for (container, of) in pod.containers.iter().zip(&task.containers) {
        let (own, others) = ports.split_at(container.endpoints.len().min(ports.len()));
        let verdict = container.health_check.as_ref().and_then(|_| health.next());
        containers.push(status(container, of, own, first_port, verdict));
        ports = others;
        first_port += container.endpoints.len();
    }
    containers
}

fn status(
    container: &PodContainer,
    task: &ContainerTask,
    ports: &[GivenPort],
    first_port: usize,
    health: Option<&HealthState>,
) -> ContainerStatus {
    let since = rfc3339(task.since);
    let alive = health.and_then(|health| health.alive);
    let checked = container.health_check.as_ref().and_then(|check| match check.port {
        CheckedPort::Index(index) => usize::try_from(index).ok()?.checked_sub(first_port),
        CheckedPort::Number(_) | CheckedPort::None => None,
    });
    let endpoints = container.endpoints.iter().zip(ports).enumerate().map(|(index, (endpoint, port))| EndpointStatus {
        name: endpoint.name.clone(),
        allocated_host_port: port.host,
        healthy: alive.filter(|_| checked == Some(index)),
    });
    let condition = |alive: bool| {
        let last = health.and_then(|health| if alive { health.first_success } else { health.last_failure });
        let reason = health.filter(|_| !alive).and_then(|health| health.last_failure_cause.clone());
        healthy(alive, &last.map_or_else(|| since.clone(), rfc3339), reason)
    };
    let said = Some(task.message.clone()).filter(|message| !message.is_empty());
    ContainerStatus {
        name: container.name.clone(),
        status: task.state.name().to_owned(),
        status_since: since.clone(),
        message: said.clone(),
        conditions: alive.map(condition).into_iter().collect(),
        container_id: task.id.to_string(),
        endpoints: endpoints.collect(),
        resources: resources(&container.resources),
        termination: task.is_over().then(|| termination(task.state, said)),
        last_updated: since.clone(),
        last_changed: since,
    }
}

fn termination(state: TaskState, message: Option<String>) -> TerminationState {
    TerminationState { exit_code: (state == TaskState::Finished).then_some(0), message }
}

/// The latest failure of a pod as clients read it.
#[must_use]
pub fn pod_failure(failure: &TaskFailure) -> TerminationHistory {
    let instance = TaskIdentity::parse(failure.task.as_str()).map(|identity| identity.instance.to_string());
    let said = Some(failure.message.clone()).filter(|message| !message.is_empty());
    TerminationHistory {
        instance_id: instance.unwrap_or_else(|_| failure.task.to_string()),
        // Of failures that were noted when nobody asked, only their end is known.
        started_at: rfc3339(failure.began_at.unwrap_or(failure.at)),
        terminated_at: rfc3339(failure.at),
        message: failure.message.clone(),
        containers: vec![ContainerTermination {
            container_id: failure.task.to_string(),
            last_known_state: failure.state.name().to_owned(),
            termination: termination(failure.state, said),
        }],
    }
}

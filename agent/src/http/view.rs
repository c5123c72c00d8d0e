//! The agent's state as it is shown: rendered by the loop that owns it, served by the handlers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use attica_core_api::resources::{ReservationFormat, from_wire, to_wire};
use attica_core_api::v1::{
    AgentInfo, Attribute, ContainerStatus, ExecutorId, ExecutorInfo, ExecutorType, FrameworkId, FrameworkInfo, Range,
    Resource, TaskStatus,
};
use attica_core_api::{MESOS_VERSION, Timestamp};
use serde_json::{Map, Value, json};

use super::lists::Lists;
use super::metrics;
use super::running::{self, Running};
use crate::fetch::Fetcher;
use crate::launcher::protocol::{ContainerId, IsolationKind};
use crate::quota::ProjectQuotas;
use crate::supervisor::{Executor, Phase, Supervisor, Task};
use crate::usage::Removals;

/// What this agent can do, in Mesos's terms.
const CAPABILITIES: [&str; 6] = [
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "RESIZE_VOLUME",
    "AGENT_DRAINING",
    "TASK_RESOURCE_LIMITS",
];

/// What the agent is, for as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) info: AgentInfo,
    /// What the machine can do for tasks, rendered.
    pub(crate) abilities: Value,
    /// How the removal of old sandboxes goes.
    pub(crate) removals: Arc<Removals>,
    /// What is fetched, and kept of it.
    pub(crate) fetcher: Fetcher,
    /// How often what a container has written into its root could not be removed.
    pub(crate) roots_left: Arc<AtomicU64>,
    /// What the file system counts of sandboxes.
    pub(crate) quotas: Option<Arc<ProjectQuotas>>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(crate) started_at: Timestamp,
    pub(crate) work_dir: PathBuf,
    /// What it was started with, without secrets.
    pub(crate) flags: BTreeMap<String, String>,
    /// Checkpoints that could not be read.
    pub(crate) recovery_errors: usize,
    /// How long it took to read them, in seconds.
    pub(crate) recovery_seconds: f64,
}

/// Around the supervisor, at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) isolation: Option<IsolationKind>,
    /// The host of the master that it was last registered with.
    pub(crate) master: Option<&'a str>,
    /// How long sandboxes are kept.
    pub(crate) retention: Duration,
}

/// Everything that is shown.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) state: Value,
    pub(crate) metrics: Map<String, Value>,
    pub(crate) flags: BTreeMap<String, String>,
    pub(crate) info: AgentInfo,
    pub(crate) lists: Lists,
    pub(crate) running: Vec<Running>,
    /// Virtual path to real path of each sandbox.
    pub(crate) sandboxes: BTreeMap<String, String>,
    /// As which user an executor runs, by the ids of its framework and its own.
    pub(crate) owners: BTreeMap<(String, String), String>,
    /// The agent's id, when it has one.
    pub(crate) agent_id: Option<String>,
}

impl View {
    /// As which user an executor runs.
    pub(crate) fn owner(&self, framework: &str, executor: &str) -> Option<&str> {
        self.owners.get(&(framework.to_owned(), executor.to_owned())).map(String::as_str)
    }
}

/// Renders the state of `supervisor`.
pub(crate) fn render(supervisor: &Supervisor, description: &Description, moment: Moment<'_>) -> View {
    let work_dir = &description.work_dir;
    let of_tasks = supervisor
        .completed()
        .chain(supervisor.tasks())
        .map(|task| (&task.key.framework_id, task.executor_id(), task.run_directory(work_dir)));
    let of_executors = supervisor
        .executors()
        .map(|executor| (&executor.key.framework_id, executor.key.executor_id.clone(), executor.sandbox(work_dir)));
    let paths = of_tasks.chain(of_executors).flat_map(|(framework, executor, run)| paths(framework, &executor, &run));
    let owners = owners(supervisor);
    let info = AgentInfo { id: supervisor.agent_id().cloned(), ..description.info.clone() };
    View {
        state: state(supervisor, description, moment),
        metrics: metrics::collect(supervisor, description, moment),
        flags: description.flags.clone(),
        info,
        lists: Lists::of(supervisor, &owners),
        running: running::all(supervisor),
        sandboxes: paths.collect(),
        owners,
        agent_id: supervisor.agent_id().map(ToString::to_string),
    }
}

/// The names under which the latest run of an executor is shown, each with where it really is.
fn paths(framework: &FrameworkId, executor: &ExecutorId, run: &Path) -> [(String, String); 3] {
    let real = run.to_string_lossy().into_owned();
    let latest = run.with_file_name("latest").to_string_lossy().into_owned();
    let names = [format!("/frameworks/{framework}/executors/{executor}/runs/latest"), latest, real.clone()];
    names.map(|name| (name, real.clone()))
}

/// A command task runs as its own user; what names none is its framework's.
fn owners(supervisor: &Supervisor) -> BTreeMap<(String, String), String> {
    let of_tasks = supervisor.completed().chain(supervisor.tasks()).map(|task| {
        let of_executor = || task.info.executor.as_ref()?.command.as_ref()?.user.as_ref();
        let own = task.info.command.as_ref().and_then(|command| command.user.as_ref());
        let user = of_executor().or(own).unwrap_or(&task.framework.user);
        ((task.key.framework_id.to_string(), task.executor_id().to_string()), user.clone())
    });
    let of_executors = supervisor.executors().map(|executor| {
        let own = executor.info.command.as_ref().and_then(|command| command.user.as_ref());
        let user = own.unwrap_or(&executor.framework.user);
        ((executor.key.framework_id.to_string(), executor.key.executor_id.to_string()), user.clone())
    });
    of_tasks.chain(of_executors).collect()
}

pub(super) fn is_of(task: &Task, executor: &Executor) -> bool {
    task.executor.as_ref() == Some(&executor.container)
}

pub(super) fn scalar(resources: &[Resource], name: &str) -> f64 {
    resources
        .iter()
        .filter(|resource| resource.name == name)
        .filter_map(|resource| resource.scalar.as_ref())
        .map(|scalar| scalar.value)
        // The sum of nothing would be -0.0, which is written with its sign.
        .fold(0.0, |sum, value| sum + value)
}

/// The form of `resources` objects: the four usual scalars always, ranges and sets as text.
fn resources(resources: &[Resource]) -> Value {
    let mut object = Map::new();
    for name in ["disk", "mem", "gpus", "cpus"] {
        object.insert(name.to_owned(), json!(scalar(resources, name)));
    }
    for resource in resources {
        if let Some(ranges) = &resource.ranges {
            object.insert(resource.name.clone(), json!(ranges_text(&ranges.range)));
        } else if let Some(set) = &resource.set {
            object.insert(resource.name.clone(), json!(format!("{{{}}}", set.item.join(", "))));
        } else if !object.contains_key(&resource.name) {
            object.insert(resource.name.clone(), json!(scalar(resources, &resource.name)));
        }
    }
    Value::Object(object)
}

fn ranges_text(ranges: &[Range]) -> String {
    let ranges: Vec<String> = ranges.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
    format!("[{}]", ranges.join(", "))
}

fn attribute(attribute: &Attribute) -> Value {
    if let Some(text) = &attribute.text {
        json!(text.value)
    } else if let Some(scalar) = &attribute.scalar {
        json!(scalar.value)
    } else {
        json!(ranges_text(attribute.ranges.as_ref().map_or(&[], |ranges| &ranges.range)))
    }
}

/// The resources of executors and of all tasks that have not ended, as one sum. What has invalid ones was refused and uses nothing.
pub(super) fn allocated(supervisor: &Supervisor) -> Vec<Resource> {
    let tasks = supervisor.tasks().filter(|task| task.phase != Phase::Ended).map(|task| &task.info.resources);
    let all = tasks.chain(supervisor.executors().map(|executor| &executor.info.resources));
    let all: Vec<Resource> = all.filter(|resources| from_wire(resources).is_ok()).flatten().cloned().collect();
    from_wire(&all).map(|sum| to_wire(&sum, None, ReservationFormat::Refined)).unwrap_or_default()
}

fn wire<T: serde::Serialize>(message: &T) -> Value {
    serde_json::to_value(message).unwrap_or(Value::Null)
}

/// The executors of one framework, rendered.
struct Executors<'a> {
    framework: &'a FrameworkInfo,
    active: Vec<Value>,
    ended: Vec<Value>,
}

/// Those of every framework. A command task has an executor of its own, as in Mesos, only that there is none.
fn executors<'a>(supervisor: &'a Supervisor, work_dir: &Path) -> BTreeMap<&'a str, Executors<'a>> {
    let mut frameworks: BTreeMap<&str, Executors<'_>> = BTreeMap::new();
    let mut shared: BTreeMap<&ContainerId, Vec<&Task>> = BTreeMap::new();
    for executor in supervisor.executors() {
        let tasks: Vec<&Task> =
            supervisor.tasks().chain(supervisor.completed()).filter(|task| is_of(task, executor)).collect();
        let entry = frameworks.entry(executor.key.framework_id.as_str());
        let rendered = custom(&executor.info, &executor.container, &executor.sandbox(work_dir), &tasks);
        entry.or_insert_with(|| Executors::of(&executor.framework)).active.push(rendered);
    }
    let alive = |container: &ContainerId| supervisor.executors().any(|executor| executor.container == *container);
    for task in supervisor.tasks().chain(supervisor.completed()) {
        match task.executor_info() {
            None => {
                let entry = frameworks.entry(task.key.framework_id.as_str());
                let entry = entry.or_insert_with(|| Executors::of(&task.framework));
                match task.phase {
                    Phase::Launching | Phase::Running => entry.active.push(own(task, work_dir)),
                    Phase::Ended => entry.ended.push(own(task, work_dir)),
                }
            }
            Some(_) if alive(task.run()) => {}
            Some(_) => shared.entry(task.run()).or_default().push(task),
        }
    }
    for (run, tasks) in shared {
        let Some((task, info)) = tasks.first().and_then(|task| Some((*task, task.executor_info()?))) else { continue };
        let entry = frameworks.entry(task.key.framework_id.as_str());
        let entry = entry.or_insert_with(|| Executors::of(&task.framework));
        let rendered = custom(info, run, &task.run_directory(work_dir), &tasks);
        match tasks.iter().all(|task| task.phase == Phase::Ended) {
            true => entry.ended.push(rendered),
            false => entry.active.push(rendered),
        }
    }
    frameworks
}

impl Executors<'_> {
    fn of(framework: &FrameworkInfo) -> Executors<'_> {
        Executors { framework, active: Vec::new(), ended: Vec::new() }
    }
}

fn state(supervisor: &Supervisor, description: &Description, moment: Moment<'_>) -> Value {
    let Description { info, address, started_at, work_dir, flags, .. } = description;
    let total = resources(&info.resources);
    let allocated = allocated(supervisor);
    let (reserved, unreserved) = by_role(&info.resources);
    let (reserved_allocated, unreserved_allocated) = by_role(&allocated);
    let render = |(role, of_role): (&String, &Vec<Resource>)| (role.clone(), resources(of_role));
    // As in Mesos, in the older form, in which every resource names its role.
    let named = |role: &str, resource: &Resource| wire(&Resource { role: Some(role.to_owned()), ..resource.clone() });
    let full =
        |role: &str, of_role: &[Resource]| of_role.iter().map(|resource| named(role, resource)).collect::<Vec<_>>();
    let frameworks = executors(supervisor, work_dir);
    let (active, completed): (Vec<_>, Vec<_>) = frameworks.iter().partition(|(_, found)| !found.active.is_empty());
    let render_framework = |(id, found): (&&str, &Executors<'_>)| framework(id, found);
    let mut state = json!({
        "version": MESOS_VERSION,
        "attica_version": env!("CARGO_PKG_VERSION"),
        "start_time": started_at.seconds(),
        "id": supervisor.agent_id().map_or("", |id| id.as_str()),
        "pid": format!("slave(1)@{address}"),
        "hostname": info.hostname,
        "capabilities": CAPABILITIES,
        "resources": total,
        "reserved_resources": reserved.iter().map(render).collect::<Map<_, _>>(),
        "unreserved_resources": resources(&unreserved),
        "unreserved_resources_full": full("*", &unreserved),
        "reserved_resources_full":
            reserved.iter().map(|(role, of_role)| (role.clone(), json!(full(role, of_role)))).collect::<Map<_, _>>(),
        "reserved_resources_allocated": reserved_allocated.iter().map(render).collect::<Map<_, _>>(),
        "unreserved_resources_allocated": resources(&unreserved_allocated),
        "resource_providers": [],
        "attributes": info.attributes.iter().map(|one| (one.name.clone(), attribute(one))).collect::<Map<_, _>>(),
        "isolation": moment.isolation.map_or("", IsolationKind::as_str),
        "abilities": description.abilities,
        "flags": flags,
        "frameworks": active.into_iter().map(render_framework).collect::<Vec<_>>(),
        "completed_frameworks": completed.into_iter().map(render_framework).collect::<Vec<_>>(),
    });
    if let Some(domain) = &info.domain {
        state["domain"] = json!(domain);
    }
    if let Some(master) = moment.master.filter(|_| supervisor.is_registered()) {
        state["master_hostname"] = json!(master);
    }
    state
}

/// What is reserved, by role, and what is not.
fn by_role(resources: &[Resource]) -> (BTreeMap<String, Vec<Resource>>, Vec<Resource>) {
    let (mut reserved, mut unreserved) = (BTreeMap::<String, Vec<Resource>>::new(), Vec::new());
    for resource in resources {
        let refined = resource.reservations.last().and_then(|reservation| reservation.role.as_deref());
        match refined.or(resource.role.as_deref()).filter(|role| *role != "*") {
            Some(role) => reserved.entry(role.to_owned()).or_default().push(resource.clone()),
            None => unreserved.push(resource.clone()),
        }
    }
    (reserved, unreserved)
}

fn framework(id: &str, executors: &Executors<'_>) -> Value {
    let Executors { framework: info, active, ended } = executors;
    let roles = if info.roles.is_empty() {
        vec![info.role.clone().unwrap_or_else(|| "*".to_owned())]
    } else {
        info.roles.clone()
    };
    json!({
        "id": id,
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "hostname": info.hostname.clone().unwrap_or_default(),
        "roles": roles,
        "executors": active,
        "completed_executors": ended,
    })
}

fn custom(info: &ExecutorInfo, container: &ContainerId, sandbox: &Path, all: &[&Task]) -> Value {
    let tasks = |phase| all.iter().filter(|task| task.phase == phase).map(|task| describe(task)).collect::<Vec<_>>();
    json!({
        "id": info.executor_id.as_str(),
        "name": info.name.as_deref().unwrap_or_default(),
        "source": info.source.as_deref().unwrap_or_default(),
        "container": container.as_str(),
        "directory": sandbox.to_string_lossy(),
        "type": info.r#type.map_or("", ExecutorType::name),
        "resources": resources(&info.resources),
        "role": all.first().map_or_else(|| "*".to_owned(), |task| role(&info.resources, &task.framework)),
        "tasks": tasks(Phase::Running),
        "queued_tasks": tasks(Phase::Launching),
        "completed_tasks": tasks(Phase::Ended),
    })
}

fn own(task: &Task, work_dir: &Path) -> Value {
    let (tasks, queued, completed) = match task.phase {
        Phase::Launching => (vec![], vec![describe(task)], vec![]),
        Phase::Running => (vec![describe(task)], vec![], vec![]),
        Phase::Ended => (vec![], vec![], vec![describe(task)]),
    };
    json!({
        "id": task.key.task_id.as_str(),
        "name": executor_name(task),
        "source": task.key.task_id.as_str(),
        "container": task.container.as_str(),
        "directory": task.sandbox(work_dir).to_string_lossy(),
        "resources": resources(&task.info.resources),
        "role": role(&task.info.resources, &task.framework),
        "tasks": tasks,
        "queued_tasks": queued,
        "completed_tasks": completed,
    })
}

pub(super) fn executor_name(task: &Task) -> String {
    let command = task.info.command.as_ref().and_then(|command| command.value.as_deref()).unwrap_or_default();
    let short: String = command.chars().take(15).collect();
    let ellipsis = if short.len() < command.len() { "..." } else { "" };
    format!("Command Executor (Task: {}) (Command: sh -c '{short}{ellipsis}')", task.key.task_id)
}

fn describe(task: &Task) -> Value {
    let mut object = json!({
        "id": task.key.task_id.as_str(),
        "name": task.info.name,
        "framework_id": task.key.framework_id.as_str(),
        "executor_id": if task.executor.is_some() { task.executor_id().to_string() } else { String::new() },
        "slave_id": task.info.agent_id.as_str(),
        "state": task.state.name(),
        "resources": resources(&task.info.resources),
        "role": role(&task.info.resources, &task.framework),
        "statuses": task.statuses().map(|of| status(&of)).collect::<Vec<_>>(),
    });
    let user = task.info.command.as_ref().and_then(|command| command.user.as_ref());
    let optional = [
        ("user", user.map(wire)),
        ("labels", task.info.labels.as_ref().map(|labels| wire(labels)["labels"].clone())),
        ("discovery", task.info.discovery.as_ref().map(wire)),
        ("container", task.info.container.as_ref().map(wire)),
        ("health_check", task.info.health_check.as_ref().map(wire)),
        ("limits", (!task.info.limits.is_empty()).then(|| limits(task))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}

/// The role that has the resources.
fn role(resources: &[Resource], framework: &FrameworkInfo) -> String {
    let allocated = resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.clone());
    let own = || framework.roles.first().or(framework.role.as_ref()).cloned();
    allocated.or_else(own).unwrap_or_else(|| "*".to_owned())
}

fn limits(task: &Task) -> Value {
    let value = |limit: f64| if limit.is_finite() { json!(limit) } else { json!("Infinity") };
    task.info.limits.iter().map(|(name, limit)| (name.clone(), value(limit.value))).collect::<Map<_, _>>().into()
}

fn status(status: &TaskStatus) -> Value {
    let mut object = json!({ "state": status.state.name(), "timestamp": status.timestamp.unwrap_or_default() });
    let container = status.container_status.as_ref();
    let container = container.map(|container| wire(&ContainerStatus { executor_pid: None, ..container.clone() }));
    let optional = [
        ("container_status", container),
        ("healthy", status.healthy.map(Value::Bool)),
        ("labels", status.labels.as_ref().map(|labels| wire(labels)["labels"].clone())),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_sign() {
        assert!(scalar(&[], "gpus").is_sign_positive());
        assert_eq!(resources(&[]).to_string(), r#"{"disk":0.0,"mem":0.0,"gpus":0.0,"cpus":0.0}"#);
    }
}

//! The agent's state as it is shown: rendered by the loop that owns it, served by the handlers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use attica_core_api::Timestamp;
use attica_core_api::resources::{ReservationFormat, from_wire, to_wire};
use attica_core_api::v1::{AgentInfo, Attribute, FrameworkInfo, Range, Resource, TaskState};
use serde_json::{Map, Value, json};

use crate::launcher::protocol::{ContainerId, IsolationKind};
use crate::machine;
use crate::supervisor::{Phase, Supervisor, Task};

const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;

/// What the agent is.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) info: AgentInfo,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// A running task, as far as its use of the machine is concerned.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) task_id: String,
    pub(crate) framework_id: String,
    pub(crate) name: String,
    pub(crate) container: ContainerId,
    pub(crate) pid: i32,
    pub(crate) cpus: f64,
    pub(crate) memory_bytes: u64,
}

/// Everything that is shown.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) state: Value,
    pub(crate) metrics: Value,
    pub(crate) running: Vec<Running>,
    /// Virtual path to real path of each sandbox.
    pub(crate) sandboxes: BTreeMap<String, String>,
    /// The agent's id, when it has one.
    pub(crate) agent_id: Option<String>,
}

/// Renders the state of `supervisor`.
pub(crate) fn render(
    supervisor: &Supervisor,
    description: &Description,
    isolation: Option<IsolationKind>,
    started_at: Timestamp,
    work_dir: &Path,
) -> View {
    let running = supervisor.tasks().filter_map(running).collect();
    let sandboxes = supervisor.tasks().chain(supervisor.completed()).map(|task| {
        let virtual_path = format!("/framework/{}/executor/{}/latest", task.key.framework_id, task.key.task_id);
        (virtual_path, task.sandbox(work_dir).to_string_lossy().into_owned())
    });
    View {
        state: state(supervisor, description, isolation, started_at, work_dir),
        metrics: metrics(supervisor, description, started_at),
        running,
        sandboxes: sandboxes.collect(),
        agent_id: supervisor.agent_id().map(ToString::to_string),
    }
}

fn running(task: &Task) -> Option<Running> {
    let process = task.process.filter(|_| task.phase == Phase::Running)?;
    let (cpus, memory) = (scalar(&task.info.resources, "cpus"), scalar(&task.info.resources, "mem"));
    Some(Running {
        task_id: task.key.task_id.to_string(),
        framework_id: task.key.framework_id.to_string(),
        name: executor_name(task),
        container: task.container.clone(),
        pid: process.pid,
        cpus,
        memory_bytes: (memory * BYTES_PER_MEGABYTE) as u64,
    })
}

fn scalar(resources: &[Resource], name: &str) -> f64 {
    resources
        .iter()
        .filter(|resource| resource.name == name)
        .filter_map(|resource| resource.scalar.as_ref())
        .map(|scalar| scalar.value)
        .sum()
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

/// The resources of all tasks that have not ended, as one sum. A task with invalid resources was refused and uses nothing.
fn allocated<'a>(tasks: impl Iterator<Item = &'a Task>) -> Vec<Resource> {
    let valid = tasks.filter(|task| task.phase != Phase::Ended && from_wire(&task.info.resources).is_ok());
    let all: Vec<Resource> = valid.flat_map(|task| task.info.resources.iter().cloned()).collect();
    from_wire(&all).map(|sum| to_wire(&sum, None, ReservationFormat::Refined)).unwrap_or_default()
}

fn wire<T: serde::Serialize>(message: &T) -> Value {
    serde_json::to_value(message).unwrap_or(Value::Null)
}

/// The tasks of one framework.
struct Tasks<'a> {
    framework: &'a FrameworkInfo,
    active: Vec<&'a Task>,
    ended: Vec<&'a Task>,
}

fn state(
    supervisor: &Supervisor,
    description: &Description,
    isolation: Option<IsolationKind>,
    started_at: Timestamp,
    work_dir: &Path,
) -> Value {
    let Description { info, address } = description;
    let total = resources(&info.resources);
    let mut frameworks: BTreeMap<String, Tasks<'_>> = BTreeMap::new();
    for task in supervisor.tasks().chain(supervisor.completed()) {
        let entry = frameworks.entry(task.key.framework_id.to_string()).or_insert_with(|| Tasks {
            framework: &task.framework,
            active: Vec::new(),
            ended: Vec::new(),
        });
        match task.phase {
            Phase::Launching | Phase::Running => entry.active.push(task),
            Phase::Ended => entry.ended.push(task),
        }
    }
    let (active, completed): (Vec<_>, Vec<_>) = frameworks.iter().partition(|(_, tasks)| !tasks.active.is_empty());
    let render = |(id, tasks): (&String, &Tasks<'_>)| framework(id, tasks, work_dir);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "start_time": started_at.seconds(),
        "id": supervisor.agent_id().map_or("", |id| id.as_str()),
        "pid": format!("slave(1)@{address}"),
        "hostname": info.hostname,
        "capabilities": ["MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT"],
        "resources": total,
        "reserved_resources": {},
        "unreserved_resources": total,
        "unreserved_resources_full": info.resources.iter().map(wire).collect::<Vec<_>>(),
        "reserved_resources_full": {},
        "reserved_resources_allocated": {},
        "unreserved_resources_allocated": resources(&allocated(supervisor.tasks())),
        "attributes": info.attributes.iter().map(|one| (one.name.clone(), attribute(one))).collect::<Map<_, _>>(),
        "flags": { "work_dir": work_dir.to_string_lossy(), "isolation": isolation.map_or("", IsolationKind::as_str), "ip": address.ip().to_string(), "port": address.port().to_string() },
        "frameworks": active.into_iter().map(render).collect::<Vec<_>>(),
        "completed_frameworks": completed.into_iter().map(render).collect::<Vec<_>>(),
    })
}

fn framework(id: &str, tasks: &Tasks<'_>, work_dir: &Path) -> Value {
    let Tasks { framework: info, active, ended } = tasks;
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
        "executors": active.iter().map(|task| executor(task, work_dir)).collect::<Vec<_>>(),
        "completed_executors": ended.iter().map(|task| executor(task, work_dir)).collect::<Vec<_>>(),
    })
}

/// A command task has an executor of its own, as in Mesos, only that there is none.
fn executor(task: &Task, work_dir: &Path) -> Value {
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
        "tasks": tasks,
        "queued_tasks": queued,
        "completed_tasks": completed,
    })
}

fn executor_name(task: &Task) -> String {
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
        "executor_id": "",
        "slave_id": task.info.agent_id.as_str(),
        "state": task.state.name(),
        "resources": resources(&task.info.resources),
    });
    let optional = [
        ("labels", task.info.labels.as_ref().map(|labels| wire(labels)["labels"].clone())),
        ("discovery", task.info.discovery.as_ref().map(wire)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}

fn metrics(supervisor: &Supervisor, description: &Description, started_at: Timestamp) -> Value {
    let mut metrics = Map::new();
    let mut put = |name: &str, value: f64| metrics.insert(name.to_owned(), json!(value));
    let now = Timestamp::from(std::time::SystemTime::now());
    put("slave/registered", f64::from(u8::from(supervisor.is_registered())));
    put("slave/uptime_secs", now.seconds() - started_at.seconds());
    let count = |state: TaskState| supervisor.tasks().filter(|task| task.state == state).count() as f64;
    put("slave/tasks_staging", count(TaskState::Staging));
    put("slave/tasks_starting", count(TaskState::Starting));
    put("slave/tasks_running", count(TaskState::Running));
    put("slave/tasks_killing", count(TaskState::Killing));
    let allocated = allocated(supervisor.tasks());
    for name in ["cpus", "mem", "disk", "gpus"] {
        let (total, used) = (scalar(&description.info.resources, name), scalar(&allocated, name));
        put(&format!("slave/{name}_total"), total);
        put(&format!("slave/{name}_used"), used);
        put(&format!("slave/{name}_percent"), if total > 0.0 { used / total } else { 0.0 });
    }
    put("system/cpus_total", std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64));
    for (name, key) in [("system/mem_total_bytes", "MemTotal:"), ("system/mem_free_bytes", "MemAvailable:")] {
        if let Some(bytes) = machine::memory(key) {
            put(name, bytes as f64);
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    for (name, value) in
        ["system/load_1min", "system/load_5min", "system/load_15min"].into_iter().zip(load.split_ascii_whitespace())
    {
        if let Ok(value) = value.parse() {
            put(name, value);
        }
    }
    Value::Object(metrics)
}

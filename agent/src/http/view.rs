//! The agent's state as it is shown: rendered by the loop that owns it, served by the handlers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use attica_core_api::Timestamp;
use attica_core_api::resources::{ReservationFormat, from_wire, to_wire};
use attica_core_api::v1::{
    AgentInfo, Attribute, ExecutorInfo, ExecutorType, FrameworkId, FrameworkInfo, Range, Resource, TaskState,
};
use serde_json::{Map, Value, json};

use crate::launcher::protocol::{ContainerId, IsolationKind};
use crate::machine;
use crate::supervisor::{Executor, Phase, Standing, Supervisor, Task};

const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;

/// What the agent is.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) info: AgentInfo,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// A running container, as far as its use of the machine is concerned.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) executor_id: String,
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
pub(crate) fn render(
    supervisor: &Supervisor,
    description: &Description,
    isolation: Option<IsolationKind>,
    started_at: Timestamp,
    work_dir: &Path,
) -> View {
    let of_executors = supervisor.executors().filter_map(|executor| running_executor(supervisor, executor));
    let running = supervisor.tasks().filter_map(running).chain(of_executors).collect();
    let path = |framework: &FrameworkId, executor: &str| format!("/framework/{framework}/executor/{executor}/latest");
    let of_tasks = supervisor
        .completed()
        .chain(supervisor.tasks())
        .map(|task| (path(&task.key.framework_id, task.executor_id().as_str()), task.sandbox(work_dir)));
    let of_executors = supervisor.executors().map(|executor| {
        (path(&executor.key.framework_id, executor.key.executor_id.as_str()), executor.sandbox(work_dir))
    });
    let sandboxes = of_tasks.chain(of_executors);
    let sandboxes = sandboxes.map(|(virtual_path, path)| (virtual_path, path.to_string_lossy().into_owned()));
    View {
        state: state(supervisor, description, isolation, started_at, work_dir),
        metrics: metrics(supervisor, description, started_at),
        running,
        sandboxes: sandboxes.collect(),
        owners: owners(supervisor),
        agent_id: supervisor.agent_id().map(ToString::to_string),
    }
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

fn running(task: &Task) -> Option<Running> {
    let process = task.process.filter(|_| task.phase == Phase::Running)?;
    let (cpus, memory) = (scalar(&task.info.resources, "cpus"), scalar(&task.info.resources, "mem"));
    Some(Running {
        executor_id: task.key.task_id.to_string(),
        framework_id: task.key.framework_id.to_string(),
        name: executor_name(task),
        container: task.container.clone(),
        pid: process.pid,
        cpus,
        memory_bytes: (memory * BYTES_PER_MEGABYTE) as u64,
    })
}

fn running_executor(supervisor: &Supervisor, executor: &Executor) -> Option<Running> {
    let process = executor.process?;
    let tasks = supervisor.tasks().filter(|task| is_of(task, executor) && task.phase != Phase::Ended);
    let of_tasks = tasks.flat_map(|task| &task.info.resources);
    let resources: Vec<Resource> = executor.info.resources.iter().chain(of_tasks).cloned().collect();
    Some(Running {
        executor_id: executor.key.executor_id.to_string(),
        framework_id: executor.key.framework_id.to_string(),
        name: executor.info.name.clone().unwrap_or_default(),
        container: executor.container.clone(),
        pid: process.pid,
        cpus: scalar(&resources, "cpus"),
        memory_bytes: (scalar(&resources, "mem") * BYTES_PER_MEGABYTE) as u64,
    })
}

fn is_of(task: &Task, executor: &Executor) -> bool {
    task.executor.as_ref() == Some(&executor.container)
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

/// The resources of executors and of all tasks that have not ended, as one sum. What has invalid ones was refused and uses nothing.
fn allocated(supervisor: &Supervisor) -> Vec<Resource> {
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

fn state(
    supervisor: &Supervisor,
    description: &Description,
    isolation: Option<IsolationKind>,
    started_at: Timestamp,
    work_dir: &Path,
) -> Value {
    let Description { info, address } = description;
    let total = resources(&info.resources);
    let frameworks = executors(supervisor, work_dir);
    let (active, completed): (Vec<_>, Vec<_>) = frameworks.iter().partition(|(_, found)| !found.active.is_empty());
    let render = |(id, found): (&&str, &Executors<'_>)| framework(id, found);
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
        "unreserved_resources_allocated": resources(&allocated(supervisor)),
        "attributes": info.attributes.iter().map(|one| (one.name.clone(), attribute(one))).collect::<Map<_, _>>(),
        "flags": { "work_dir": work_dir.to_string_lossy(), "isolation": isolation.map_or("", IsolationKind::as_str), "ip": address.ip().to_string(), "port": address.port().to_string() },
        "frameworks": active.into_iter().map(render).collect::<Vec<_>>(),
        "completed_frameworks": completed.into_iter().map(render).collect::<Vec<_>>(),
    })
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
        "executor_id": if task.executor.is_some() { task.executor_id().to_string() } else { String::new() },
        "slave_id": task.info.agent_id.as_str(),
        "state": task.state.name(),
        "resources": resources(&task.info.resources),
    });
    let user = task.info.command.as_ref().and_then(|command| command.user.as_ref());
    let optional = [
        ("user", user.map(wire)),
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
    // A command's own executor, of which there is no process, is as far as its task.
    let tasks = |phase| supervisor.tasks().filter(|task| task.executor.is_none() && task.phase == phase).count();
    let executors = |standing| supervisor.executors().filter(|executor| executor.standing() == standing).count();
    put("slave/executors_registering", (executors(Standing::Registering) + tasks(Phase::Launching)) as f64);
    put("slave/executors_running", (executors(Standing::Running) + tasks(Phase::Running)) as f64);
    put("slave/executors_terminating", executors(Standing::Terminating) as f64);
    let allocated = allocated(supervisor);
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

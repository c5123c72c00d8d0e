//! The containers that run, as the agent's loop tells those who measure them.

use std::collections::BTreeMap;

use attica_core_api::v1::{ExecutorId, ExecutorInfo, FrameworkId, Resource};

use super::view::{executor_name, is_of, scalar};
use crate::contained::{ContainedRecord, ContainerPath, Progress};
use crate::daemon::Containerizer;
use crate::launcher::isolation::{Place, sum};
use crate::launcher::protocol::ContainerId;
use crate::supervisor::{Executor, Phase, Supervisor, Task, disk_bytes};

const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;

/// Whose a running container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Of {
    pub(crate) framework_id: FrameworkId,
    pub(crate) executor_id: ExecutorId,
    pub(crate) executor_name: String,
    /// As its framework calls what it came from.
    pub(crate) source: String,
}

/// What a container may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Allowance {
    pub(crate) cpus: f64,
    pub(crate) cpus_limit: Option<f64>,
    pub(crate) memory_bytes: u64,
    pub(crate) memory_limit_bytes: Option<u64>,
    /// Without what persistent volumes hold. None: it is not limited.
    pub(crate) disk_bytes: Option<u64>,
}

impl Allowance {
    /// What both may use together.
    fn and(self, other: Allowance) -> Allowance {
        let limited = |limit: fn(&Allowance) -> bool| limit(&self) || limit(&other);
        let cpus_limit = |of: Allowance| of.cpus_limit.unwrap_or(of.cpus);
        let memory_limit = |of: Allowance| of.memory_limit_bytes.unwrap_or(of.memory_bytes);
        let cpus_limited = limited(|of| of.cpus_limit.is_some());
        let memory_limited = limited(|of| of.memory_limit_bytes.is_some());
        Allowance {
            cpus: self.cpus + other.cpus,
            cpus_limit: cpus_limited.then(|| cpus_limit(self) + cpus_limit(other)),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            memory_limit_bytes: memory_limited.then(|| memory_limit(self).saturating_add(memory_limit(other))),
            disk_bytes: sum(self.disk_bytes, other.disk_bytes),
        }
    }
}

/// Where something of a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name for the launcher, within those of what it is within.
    pub(crate) place: Place,
    /// Its first process.
    pub(crate) pid: i32,
}

/// A running container, as far as its use of the machine is concerned.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// None: an operator's that stands alone.
    pub(crate) of: Option<Of>,
    /// As operators name it.
    pub(crate) path: ContainerPath,
    /// What runs of it. An executor of the agent's own consists of its tasks.
    pub(crate) parts: Vec<Part>,
    pub(crate) containerizer: Containerizer,
    /// As which user what it is within runs, for the rules.
    pub(crate) owner: String,
    pub(crate) whose: Whose,
    /// Its first process, if it has one of its own.
    pub(crate) pid: Option<i32>,
    /// None: not of its own, or not known.
    pub(crate) allowance: Option<Allowance>,
}

/// Whose a container is, as GET_CONTAINERS tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// An executor's, or that of a task which has one to itself.
    Executors,
    /// A task's of a group, or an operator's, within another one.
    Nested,
    /// An operator's, by itself.
    Standalone,
}

/// All of them.
pub(super) fn all(supervisor: &Supervisor) -> Vec<Running> {
    let of_tasks = supervisor.tasks().filter_map(of_task);
    let of_executors = supervisor.executors().filter_map(|executor| of_executor(supervisor, executor));
    let of_operators = supervisor.contained().filter_map(|record| of_operator(supervisor, record));
    of_own_executors(supervisor).into_iter().chain(of_tasks).chain(of_executors).chain(of_operators).collect()
}

fn of_task(task: &Task) -> Option<Running> {
    let part = part(task)?;
    let of = match task.executor_info() {
        Some(executor) => owned_by(&task.key.framework_id, executor),
        None => Of {
            framework_id: task.key.framework_id.clone(),
            executor_id: task.executor_id(),
            executor_name: executor_name(task),
            source: task.key.task_id.to_string(),
        },
    };
    let own = task.info.command.as_ref().and_then(|command| command.user.clone());
    Some(Running {
        of: Some(of),
        whose: if task.path().parent().is_some() { Whose::Nested } else { Whose::Executors },
        path: task.path(),
        pid: Some(part.pid),
        parts: vec![part],
        containerizer: task.containerizer,
        owner: own.unwrap_or_else(|| task.framework.user.clone()),
        allowance: Some(allowance_of(task)),
    })
}

fn part(task: &Task) -> Option<Part> {
    let process = task.process.filter(|_| task.phase == Phase::Running)?;
    Some(Part { place: Place::of(&task.container), pid: process.pid })
}

fn owned_by(framework_id: &FrameworkId, executor: &ExecutorInfo) -> Of {
    Of {
        framework_id: framework_id.clone(),
        executor_id: executor.executor_id.clone(),
        executor_name: executor.name.clone().unwrap_or_default(),
        source: executor.source.clone().unwrap_or_default(),
    }
}

/// The executors of the agent's own that run, each what its tasks are together.
fn of_own_executors(supervisor: &Supervisor) -> Vec<Running> {
    let mut runs: BTreeMap<&ContainerId, Vec<&Task>> = BTreeMap::new();
    for task in supervisor.tasks().filter(|task| task.phase != Phase::Ended) {
        if let Some(run) = task.own_run() {
            runs.entry(run).or_default().push(task);
        }
    }
    let whole = |(run, tasks): (&ContainerId, Vec<&Task>)| {
        let parts: Vec<Part> = tasks.iter().filter_map(|task| part(task)).collect();
        let first = tasks.first().filter(|_| !parts.is_empty())?;
        let executor = first.executor_info()?;
        let of_tasks = tasks.iter().map(|task| allowance_of(task));
        let user = executor.command.as_ref().and_then(|command| command.user.clone());
        Some(Running {
            of: Some(owned_by(&first.key.framework_id, executor)),
            whose: Whose::Executors,
            path: ContainerPath::root(run.as_str()),
            parts,
            containerizer: Containerizer::Launcher,
            owner: user.unwrap_or_else(|| first.framework.user.clone()),
            pid: None,
            allowance: Some(of_tasks.fold(allowance(&executor.resources), Allowance::and)),
        })
    };
    runs.into_iter().filter_map(whole).collect()
}

fn of_executor(supervisor: &Supervisor, executor: &Executor) -> Option<Running> {
    let process = executor.process?;
    let tasks = supervisor.tasks().filter(|task| is_of(task, executor) && task.phase != Phase::Ended);
    let of_tasks = tasks.flat_map(|task| &task.info.resources);
    let resources: Vec<Resource> = executor.info.resources.iter().chain(of_tasks).cloned().collect();
    let own = executor.info.command.as_ref().and_then(|command| command.user.clone());
    Some(Running {
        of: Some(owned_by(&executor.key.framework_id, &executor.info)),
        whose: Whose::Executors,
        path: ContainerPath::root(executor.container.as_str()),
        parts: vec![Part { place: Place::of(&executor.container), pid: process.pid }],
        containerizer: Containerizer::Launcher,
        owner: own.unwrap_or_else(|| executor.framework.user.clone()),
        pid: Some(process.pid),
        allowance: Some(allowance(&resources)),
    })
}

fn of_operator(supervisor: &Supervisor, record: &ContainedRecord) -> Option<Running> {
    let Progress::Running(process) = record.progress else { return None };
    let of = record.of.clone().map(|(framework_id, executor_id)| Of {
        framework_id,
        executor_id,
        executor_name: String::new(),
        source: String::new(),
    });
    let names = supervisor.launchers_names(&record.path);
    let (outermost, within) = names.split_first()?;
    let place = within.iter().fold(Place::of(outermost), |place, name| place.part(name));
    Some(Running {
        of,
        whose: if record.path.parent().is_some() { Whose::Nested } else { Whose::Standalone },
        path: record.path.clone(),
        parts: vec![Part { place, pid: process.pid }],
        containerizer: Containerizer::Launcher,
        owner: record.owner.clone(),
        pid: Some(process.pid),
        allowance: None,
    })
}

fn allowance_of(task: &Task) -> Allowance {
    let limit = |name: &str| task.info.limits.get(name).map(|limit| limit.value).filter(|limit| limit.is_finite());
    Allowance {
        cpus_limit: limit("cpus"),
        memory_limit_bytes: limit("mem").map(bytes),
        ..allowance(&task.info.resources)
    }
}

fn allowance(resources: &[Resource]) -> Allowance {
    Allowance {
        cpus: scalar(resources, "cpus"),
        cpus_limit: None,
        memory_bytes: bytes(scalar(resources, "mem")),
        memory_limit_bytes: None,
        disk_bytes: disk_bytes(resources),
    }
}

fn bytes(megabytes: f64) -> u64 {
    (megabytes * BYTES_PER_MEGABYTE) as u64
}

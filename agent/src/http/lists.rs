//! The agent's frameworks, executors and tasks as messages, and what of them a caller may see.

use std::collections::BTreeMap;

use attica_core_api::agent::{Executor, Framework, GetExecutors, GetFrameworks, GetState, GetTasks};
use attica_core_api::auth::Viewer;
use attica_core_api::v1::{ExecutorInfo, FrameworkId, FrameworkInfo, Task as TaskMessage, TaskStatus};

use super::view::executor_name;
use crate::launcher::protocol::ContainerId;
use crate::supervisor::{Phase, Supervisor, Task};

/// How far a task has come, as GET_TASKS tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Queued,
    Launched,
    Terminated,
    Completed,
}

#[derive(Clone, Debug)]
struct ListedTask {
    message: TaskMessage,
    place: Place,
    /// As which it runs.
    user: String,
}

#[derive(Clone, Debug)]
struct ListedExecutor {
    info: ExecutorInfo,
    /// As which it runs.
    user: String,
    alive: bool,
}

#[derive(Clone, Debug)]
struct ListedFramework {
    info: FrameworkInfo,
    /// Whether an executor of it lives.
    alive: bool,
}

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    frameworks: Vec<ListedFramework>,
    executors: Vec<ListedExecutor>,
    tasks: Vec<ListedTask>,
}

impl Lists {
    /// Those of `supervisor`.
    pub(super) fn of(supervisor: &Supervisor, owners: &BTreeMap<(String, String), String>) -> Lists {
        let executors = executors(supervisor, owners);
        let mut frameworks: BTreeMap<FrameworkId, ListedFramework> = BTreeMap::new();
        let of_executors =
            supervisor.executors().map(|executor| (&executor.key.framework_id, executor.framework.as_ref()));
        let of_tasks = all(supervisor).map(|task| (&task.key.framework_id, task.framework.as_ref()));
        for (id, info) in of_executors.chain(of_tasks) {
            frameworks.entry(id.clone()).or_insert_with(|| {
                let lives =
                    |executor: &ListedExecutor| executor.alive && executor.info.framework_id.as_ref() == Some(id);
                ListedFramework { info: info.clone(), alive: executors.iter().any(lives) }
            });
        }
        let completed = supervisor.completed().map(|task| listed(task, Place::Completed));
        let others = supervisor.tasks().map(|task| {
            let place = match task.phase {
                Phase::Launching => Place::Queued,
                Phase::Running => Place::Launched,
                Phase::Ended => Place::Terminated,
            };
            listed(task, place)
        });
        Lists { frameworks: frameworks.into_values().collect(), executors, tasks: others.chain(completed).collect() }
    }

    /// GET_FRAMEWORKS
    pub(super) fn frameworks(&self, viewer: &Viewer) -> GetFrameworks {
        let seen = |alive: bool| {
            let seen = self.frameworks.iter().filter(|framework| viewer.sees_framework(&framework.info.user));
            let these = seen.filter(|framework| framework.alive == alive);
            these.map(|framework| Framework { framework_info: framework.info.clone() }).collect()
        };
        GetFrameworks { frameworks: seen(true), completed_frameworks: seen(false) }
    }

    /// GET_EXECUTORS
    pub(super) fn executors(&self, viewer: &Viewer) -> GetExecutors {
        let seen = |alive: bool| {
            let seen = self.executors.iter().filter(|executor| viewer.sees_executor(&executor.user));
            let these = seen.filter(|executor| executor.alive == alive);
            these.map(|executor| Executor { executor_info: executor.info.clone() }).collect()
        };
        GetExecutors { executors: seen(true), completed_executors: seen(false) }
    }

    /// GET_TASKS. None is pending: what is needed to look at a task is there when it comes.
    pub(super) fn tasks(&self, viewer: &Viewer) -> GetTasks {
        let seen = |place: Place| {
            let seen = self.tasks.iter().filter(|task| viewer.sees_task(&task.user));
            seen.filter(|task| task.place == place).map(|task| task.message.clone()).collect()
        };
        GetTasks {
            pending_tasks: Vec::new(),
            queued_tasks: seen(Place::Queued),
            launched_tasks: seen(Place::Launched),
            terminated_tasks: seen(Place::Terminated),
            completed_tasks: seen(Place::Completed),
        }
    }

    /// GET_STATE
    pub(super) fn state(&self, viewer: &Viewer) -> GetState {
        GetState {
            get_tasks: Some(self.tasks(viewer)),
            get_executors: Some(self.executors(viewer)),
            get_frameworks: Some(self.frameworks(viewer)),
        }
    }
}

fn all(supervisor: &Supervisor) -> impl Iterator<Item = &Task> {
    supervisor.tasks().chain(supervisor.completed())
}

/// Those that live, and those of which a task is remembered. A command task has an executor of its own, as in Mesos, only that there is
/// no process of it.
fn executors(supervisor: &Supervisor, owners: &BTreeMap<(String, String), String>) -> Vec<ListedExecutor> {
    let mut found: BTreeMap<&ContainerId, (ExecutorInfo, bool)> = BTreeMap::new();
    for executor in supervisor.executors() {
        let framework_id = Some(executor.key.framework_id.clone());
        found.insert(&executor.container, (ExecutorInfo { framework_id, ..executor.info.as_ref().clone() }, true));
    }
    for task in all(supervisor) {
        let (_, alive) = found.entry(task.run()).or_insert_with(|| (executor_info(task), false));
        *alive |= task.executor.is_none() && task.phase != Phase::Ended;
    }
    let listed = |(info, alive): (ExecutorInfo, bool)| {
        let framework = info.framework_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let user = owners.get(&(framework, info.executor_id.to_string())).cloned().unwrap_or_default();
        ListedExecutor { info, user, alive }
    };
    found.into_values().map(listed).collect()
}

fn executor_info(task: &Task) -> ExecutorInfo {
    let framework_id = Some(task.key.framework_id.clone());
    match task.executor_info() {
        Some(info) => ExecutorInfo { framework_id, ..info.clone() },
        None => ExecutorInfo {
            executor_id: task.executor_id(),
            framework_id,
            name: Some(executor_name(task)),
            source: Some(task.key.task_id.to_string()),
            ..ExecutorInfo::default()
        },
    }
}

fn listed(task: &Task, place: Place) -> ListedTask {
    let user = task.info.command.as_ref().and_then(|command| command.user.clone());
    let statuses: Vec<TaskStatus> = task.statuses().collect();
    let latest = statuses.last();
    let message = TaskMessage {
        name: task.info.name.clone(),
        task_id: task.key.task_id.clone(),
        framework_id: task.key.framework_id.clone(),
        executor_id: task.executor_info().map(|executor| executor.executor_id.clone()),
        agent_id: task.info.agent_id.clone(),
        state: task.state,
        resources: task.info.resources.clone(),
        status_update_state: latest.map(|status| status.state),
        status_update_uuid: latest.and_then(|status| status.uuid.clone()),
        statuses,
        labels: task.info.labels.clone(),
        discovery: task.info.discovery.clone(),
        container: task.info.container.clone(),
        health_check: task.info.health_check.clone(),
        kill_policy: task.info.kill_policy.clone(),
        user: user.clone(),
        limits: task.info.limits.clone(),
    };
    ListedTask { message, place, user: user.unwrap_or_else(|| task.framework.user.clone()) }
}

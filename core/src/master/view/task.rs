//! One task as `/tasks`, `/state` and `/frameworks` show it.

use std::ops::Range;
use std::sync::Arc;

use attica_allocator::{Resources, Role};
use attica_core_api::v1::{
    AgentId, ContainerInfo, ContainerStatus, DiscoveryInfo, FrameworkId, HealthCheck, Label, Task, TaskId, TaskInfo,
    TaskState, TaskStatus,
};
use attica_core_api::{decode_proto, encode_json, encode_proto};
use bytes::Bytes;
use serde::Serialize;

use super::parts;
use super::resources::Summary;
use crate::snapshot::Reach;

/// How many statuses of a task operators are shown: a task on an agent that comes and goes has ever more.
const STATUSES_MAX: usize = 32;

/// What is needed of a task to show, count and find it. The rendered JSON is the only copy of most of it: an update
/// replaces the state and appends a status in place.
pub(super) struct TaskView {
    pub(super) framework: FrameworkId,
    pub(super) id: TaskId,
    pub(super) agent: AgentId,
    pub(super) role: Role,
    pub(super) resources: Resources,
    /// The state that everybody is told.
    state: TaskState,
    /// The state that the agent reported last, or in which the master ended it.
    reported: TaskState,
    reach: Reach,
    is_history: bool,
    fragment: Fragment,
    /// The same for operators: a `Task` in protobuf.
    wire: Bytes,
}

/// In which of its framework's lists a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// `tasks`: not yet history.
    Tasks,
    /// `unreachable_tasks`
    Unreachable,
    /// `completed_tasks`: over, and all that was to say about it acknowledged.
    Completed,
}

impl TaskView {
    pub(super) fn new(framework: &FrameworkId, role: &Role, info: &TaskInfo, resources: Resources) -> TaskView {
        TaskView {
            framework: framework.clone(),
            id: info.task_id.clone(),
            agent: info.agent_id.clone(),
            role: role.clone(),
            fragment: Fragment::new(framework, role, info, &resources),
            wire: encode_proto(&wire_task(framework, info)).into_boxed_slice().into(),
            resources,
            state: TaskState::Staging,
            reported: TaskState::Staging,
            reach: Reach::Reachable,
            is_history: false,
        }
    }

    pub(super) fn state(&self) -> TaskState {
        self.state
    }

    pub(super) fn reported(&self) -> TaskState {
        self.reported
    }

    pub(super) fn fragment(&self) -> Arc<str> {
        self.fragment.text.clone()
    }

    /// The task as a message.
    pub(super) fn message(&self) -> Task {
        kept(&self.wire)
    }

    /// The task as operators are shown it.
    pub(super) fn wire(&self) -> parts::Fragment {
        parts::Fragment::kept::<Task>(self.wire.clone())
    }

    pub(super) fn section(&self) -> Section {
        match (self.is_history, self.reach) {
            (true, _) => Section::Completed,
            (false, Reach::Unreachable) => Section::Unreachable,
            (false, Reach::Reachable) => Section::Tasks,
        }
    }

    /// Whether its resources count as used: it is not over and its agent is there.
    pub(super) fn holds_resources(&self) -> bool {
        self.reach == Reach::Reachable && !is_over(self.reported)
    }

    pub(super) fn update(&mut self, status: &TaskStatus, reported: TaskState, reach: Reach) {
        let same_state = self.state == status.state;
        self.fragment.update(status, same_state);
        self.wire = updated(&self.wire, status, same_state);
        self.state = status.state;
        self.reported = reported;
        self.reach = reach;
    }

    pub(super) fn complete(&mut self) {
        self.is_history = true;
    }
}

fn wire_task(framework: &FrameworkId, info: &TaskInfo) -> Task {
    Task {
        name: info.name.clone(),
        task_id: info.task_id.clone(),
        framework_id: framework.clone(),
        executor_id: info.executor.as_ref().map(|executor| executor.executor_id.clone()),
        agent_id: info.agent_id.clone(),
        state: TaskState::Staging,
        resources: info.resources.clone(),
        labels: info.labels.clone(),
        discovery: info.discovery.clone(),
        container: info.container.clone(),
        health_check: info.health_check.clone(),
        kill_policy: info.kill_policy.clone(),
        user: info.command.as_ref().and_then(|command| command.user.clone()),
        limits: info.limits.clone(),
        ..Task::default()
    }
}

fn kept(wire: &[u8]) -> Task {
    match decode_proto(wire) {
        Ok(task) => task,
        Err(error) => unreachable!("what was encoded here can be decoded: {error}"),
    }
}

/// The task with one more status, or with another in place of the last one.
fn updated(wire: &[u8], status: &TaskStatus, same_state: bool) -> Bytes {
    let mut task = kept(wire);
    if same_state || task.statuses.len() >= STATUSES_MAX {
        task.statuses.pop();
    }
    // What was to be said with the end of a task has been said; it may be large.
    task.statuses.push(TaskStatus { data: None, ..status.clone() });
    task.state = status.state;
    task.status_update_state = Some(status.state);
    task.status_update_uuid.clone_from(&status.uuid);
    encode_proto(&task).into_boxed_slice().into()
}

/// Final for the kernel: that a task is merely out of reach is kept apart from its state.
fn is_over(state: TaskState) -> bool {
    state.is_terminal() || matches!(state, TaskState::Lost | TaskState::GoneByOperator)
}

/// The JSON of a task, and where in it the parts that change are.
struct Fragment {
    text: Arc<str>,
    /// The name of the state.
    state: Range<usize>,
    /// The last element of `statuses`; empty while there is none.
    last_status: Range<usize>,
}

/// The members before `state`.
#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    name: &'a str,
    framework_id: &'a str,
    executor_id: &'a str,
    slave_id: &'a str,
}

/// The members between `state` and `statuses`.
#[derive(Serialize)]
struct Middle<'a> {
    resources: Summary<'a>,
    role: &'a str,
}

/// The members after `statuses`.
#[derive(Serialize)]
struct Tail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<&'a Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery: Option<&'a DiscoveryInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a ContainerInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check: Option<&'a HealthCheck>,
}

/// An element of `statuses`.
#[derive(Serialize)]
struct Status<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<&'a Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_status: Option<&'a ContainerStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy: Option<bool>,
}

impl Fragment {
    fn new(framework: &FrameworkId, role: &Role, info: &TaskInfo, resources: &Resources) -> Fragment {
        let executor = info.executor.as_ref();
        let head = members(&Head {
            id: info.task_id.as_str(),
            name: &info.name,
            framework_id: framework.as_str(),
            executor_id: executor.map_or("", |executor| executor.executor_id.as_str()),
            slave_id: info.agent_id.as_str(),
        });
        let middle = members(&Middle { resources: Summary(resources), role: role.as_str() });
        let user = info.command.as_ref().and_then(|command| command.user.as_deref());
        let tail = members(&Tail {
            user,
            labels: info.labels.as_ref().map(|labels| labels.labels.iter().collect()),
            discovery: info.discovery.as_ref(),
            container: info.container.as_deref(),
            health_check: info.health_check.as_ref(),
        });
        let mut text = format!("{{{head},\"state\":\"");
        let state_start = text.len();
        text.push_str(TaskState::Staging.name());
        let state = state_start..text.len();
        text.push_str("\",");
        text.push_str(&middle);
        text.push_str(",\"statuses\":[");
        let last_status = text.len()..text.len();
        text.push(']');
        if !tail.is_empty() {
            text.push(',');
            text.push_str(&tail);
        }
        text.push('}');
        Fragment { text: text.into(), state, last_status }
    }

    /// Writes the new state, and the status over the last one when that told of the same state, else behind it.
    fn update(&mut self, status: &TaskStatus, same_state: bool) {
        let written = encoded(&Status {
            state: status.state.name(),
            timestamp: status.timestamp,
            labels: status.labels.as_ref().map(|labels| labels.labels.iter().collect()),
            container_status: status.container_status.as_ref(),
            healthy: status.healthy,
        });
        let state = status.state.name();
        let (kept, separator) = match (self.last_status.is_empty(), same_state) {
            (true, _) => (self.last_status.start, ""),
            (false, true) => (self.last_status.start, ""),
            (false, false) => (self.last_status.end, ","),
        };
        let mut text = String::with_capacity(self.text.len() + written.len() + 8);
        text.push_str(&self.text[..self.state.start]);
        text.push_str(state);
        text.push_str(&self.text[self.state.end..kept]);
        text.push_str(separator);
        let start = text.len();
        text.push_str(&written);
        let last_status = start..text.len();
        text.push_str(&self.text[self.last_status.end..]);
        *self = Fragment { text: text.into(), state: self.state.start..self.state.start + state.len(), last_status };
    }
}

/// A JSON document as text.
pub(super) fn encoded(value: &impl Serialize) -> String {
    match String::from_utf8(encode_json(value)) {
        Ok(text) => text,
        Err(error) => unreachable!("JSON is written in ASCII: {error}"),
    }
}

/// The members of an object, without its braces.
pub(in crate::master) fn members(value: &impl Serialize) -> String {
    let mut text = encoded(value);
    text.pop();
    text.remove(0);
    text
}

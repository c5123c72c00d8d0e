//! Instances as they are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::CheckResult;
use crate::health::HealthCheckResult;
use crate::process::ProcessStatus;

/// One running (or starting, or ending) instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The task id on the master.
    pub id: String,
    /// The app.
    pub app_id: String,
    /// Name or address of the agent's machine.
    pub host: String,
    /// Host ports, in the order of the app's port definitions.
    pub ports: Vec<u16>,
    /// Service ports, in the same order.
    pub service_ports: Vec<u16>,
    /// Addresses at which the ports answer.
    pub ip_addresses: Vec<IpAddress>,
    /// The agent.
    pub slave_id: String,
    /// `TASK_STAGING`, `TASK_RUNNING`, …
    pub state: String,
    /// When it was launched, RFC 3339 with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged_at: Option<String>,
    /// When it began to run, RFC 3339 with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// The app version that it runs.
    pub version: String,
    /// What its checks said last; a check that has not answered yet is absent.
    pub health_check_results: Vec<HealthCheckResult>,
    /// What the app's `check` found last; absent before it has found anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_result: Option<CheckResult>,
    /// Its persistent volumes.
    pub local_volumes: Vec<LocalVolume>,
    /// Region of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Zone of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The role that pays for it.
    pub role: String,
    /// How the processes of an app with a `processGraph` fare; absent for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessStatus>,
}

/// The tasks of an app in numbers, by the version that they run. A group that nobody is in is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatsByVersion {
    /// Those of the version in which the app was last scaled, or of a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_after_last_scaling: Option<Stats>,
    /// Those of the present configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_latest_config: Option<Stats>,
    /// Those of an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_outdated_config: Option<Stats>,
    /// All.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_summary: Option<Stats>,
}

/// Some tasks in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// The numbers.
    pub stats: TaskStats,
}

/// Some tasks in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStats {
    /// How many.
    pub counts: TaskCounts,
    /// How long they have been running; absent while none has begun to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_time: Option<TaskLifeTime>,
}

/// How many of some tasks are in which state. Those that end, or are out of contact, are in none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCounts {
    /// Launched, and not running yet.
    pub staged: u32,
    /// Running.
    pub running: u32,
    /// Running, and all checks pass.
    pub healthy: u32,
    /// Running, and a check fails.
    pub unhealthy: u32,
}

/// How long some tasks have been running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskLifeTime {
    /// Seconds.
    pub average_seconds: f64,
    /// Seconds; of an even number of tasks the upper one of the two in the middle.
    pub median_seconds: f64,
}

/// A persistent volume of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalVolume {
    /// The app or pod.
    pub run_spec_id: String,
    /// Its name within the sandbox; of a pod: what the pod calls it.
    pub container_path: String,
    /// Its own part of its id.
    pub uuid: String,
    /// Its id on the agent.
    pub persistence_id: String,
}

/// An instance without a task of which something is kept: its persistent volumes, and the resources beside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptInstance {
    /// The instance.
    pub id: String,
    /// Name or address of the agent's machine.
    pub host: String,
    /// The agent.
    pub slave_id: String,
    /// The id of its latest task, by which it can be wiped.
    pub task_id: String,
    /// What becomes of it.
    pub goal: KeptGoal,
    /// Its persistent volumes.
    pub local_volumes: Vec<LocalVolume>,
}

/// What becomes of an instance without a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeptGoal {
    /// It waits to be launched where its volumes are.
    Running,
    /// It rests until it is wanted again.
    Stopped,
    /// Its volumes are being destroyed.
    Decommissioned,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IpAddress {
    /// The address.
    pub ip_address: String,
    /// `IPv4` or `IPv6`.
    pub protocol: String,
}

/// Answer to the calls that list tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskList {
    /// The tasks.
    pub tasks: Vec<Task>,
}

/// Answer to `DELETE /v2/apps/{id}/tasks/{task}` without `scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskWrapper {
    /// The task that is being killed.
    pub task: Task,
}

/// The failure last seen of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskFailure {
    /// The app.
    pub app_id: String,
    /// Name or address of the agent's machine.
    pub host: String,
    /// What the agent or master said.
    pub message: String,
    /// `TASK_FAILED`, `TASK_LOST`, …
    pub state: String,
    /// The task.
    pub task_id: String,
    /// When, RFC 3339 with milliseconds.
    pub timestamp: String,
    /// The app version that it ran.
    pub version: String,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slave_id: Option<String>,
}

/// Answer to `GET /v2/tasks/{task}/log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogPiece {
    /// The piece; bytes that are not UTF-8 are replaced. Empty at the end of the file.
    pub data: String,
    /// Where in the file it begins; for a request of offset -1, the size of the file.
    pub offset: u64,
}

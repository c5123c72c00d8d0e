//! How pods and their instances stand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pod, PodResources};
use crate::task::{KeptInstance, LocalVolume};

/// A pod and its instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// Absolute path.
    pub id: String,
    /// Its definition.
    pub spec: Pod,
    /// How it stands.
    pub status: PodState,
    /// Since when it does, RFC 3339 with milliseconds.
    pub status_since: String,
    /// More about that, if there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its instances.
    pub instances: Vec<PodInstance>,
    /// Those without a task, of which volumes are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_instances: Vec<KeptInstance>,
    /// The latest failure.
    pub termination_history: Vec<TerminationHistory>,
    /// When something about it was last looked at, RFC 3339 with milliseconds.
    pub last_updated: String,
    /// When something about it last changed, RFC 3339 with milliseconds.
    pub last_changed: String,
}

/// How a pod stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PodState {
    /// Instances are missing or not well.
    Degraded,
    /// As many instances as wanted are well.
    Stable,
    /// It is being removed.
    Terminal,
}

/// An instance that has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TerminationHistory {
    /// The instance.
    #[serde(rename = "instanceID")]
    pub instance_id: String,
    /// When it began to run, or was launched if it never did; RFC 3339 with milliseconds.
    pub started_at: String,
    /// When it ended, RFC 3339 with milliseconds.
    pub terminated_at: String,
    /// Why.
    pub message: String,
    /// The container at fault.
    pub containers: Vec<ContainerTermination>,
}

/// How a container of a failed instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerTermination {
    /// Its task's id.
    pub container_id: String,
    /// Its last state, `TASK_…`.
    pub last_known_state: String,
    /// How it ended.
    pub termination: TerminationState,
}

/// One instance of a pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodInstance {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub status: PodInstanceState,
    /// Since when it does, RFC 3339 with milliseconds.
    pub status_since: String,
    /// More about that, if there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What is known of it beside its status.
    pub conditions: Vec<StatusCondition>,
    /// The agent's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_hostname: Option<String>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Where the agent is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_region: Option<String>,
    /// Where in its region the agent is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_zone: Option<String>,
    /// What it uses, its executor's part included.
    pub resources: PodResources,
    /// Its networks and addresses.
    pub networks: Vec<NetworkStatus>,
    /// Its containers.
    pub containers: Vec<ContainerStatus>,
    /// The version that it runs: `/v2/pods/web::versions/…`.
    pub spec_reference: String,
    /// Its persistent volumes.
    pub local_volumes: Vec<LocalVolume>,
    /// The role that pays.
    pub role: String,
    /// When something about it was last looked at, RFC 3339 with milliseconds.
    pub last_updated: String,
    /// When something about it last changed, RFC 3339 with milliseconds.
    pub last_changed: String,
}

/// How an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PodInstanceState {
    /// It waits for an offer, or its launch is on its way.
    Pending,
    /// It is being started.
    Staging,
    /// It runs and is well.
    Stable,
    /// It runs and is not well, is out of contact, or is being ended.
    Degraded,
    /// It has ended.
    Terminal,
}

/// Something known about an instance or a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusCondition {
    /// What: `healthy`.
    pub name: String,
    /// `true` or `false`.
    pub value: String,
    /// Since when, RFC 3339 with milliseconds.
    pub last_changed: String,
    /// When it was last looked at, RFC 3339 with milliseconds.
    pub last_updated: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A network of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkStatus {
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The addresses there.
    pub addresses: Vec<String>,
}

/// One container of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// `TASK_RUNNING` and the like.
    pub status: String,
    /// Since when, RFC 3339 with milliseconds.
    pub status_since: String,
    /// What the agent said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What is known of it beside its status.
    pub conditions: Vec<StatusCondition>,
    /// Its task's id.
    pub container_id: String,
    /// Where it answers.
    pub endpoints: Vec<EndpointStatus>,
    /// What it uses.
    pub resources: PodResources,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<TerminationState>,
    /// When something about it was last looked at, RFC 3339 with milliseconds.
    pub last_updated: String,
    /// When something about it last changed, RFC 3339 with milliseconds.
    pub last_changed: String,
}

/// Where a container of an instance answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatus {
    /// Its name.
    pub name: String,
    /// The port of the host that leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_host_port: Option<u16>,
    /// What the container's health check says about it, if it asks there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TerminationState {
    /// 0 when it ended well; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the agent said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

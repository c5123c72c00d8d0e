//! Deployments as they are read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::number::Number;
use crate::readiness::ReadinessCheckResult;

/// A running deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// A uuid.
    pub id: String,
    /// The version that it brings.
    pub version: String,
    /// Apps that it touches.
    pub affected_apps: Vec<String>,
    /// Pods that it touches.
    pub affected_pods: Vec<String>,
    /// All its steps.
    pub steps: Vec<Step>,
    /// What the current step does.
    pub current_actions: Vec<CurrentAction>,
    /// Counted from 1.
    pub current_step: u32,
    /// How many there are.
    pub total_steps: u32,
    /// Since when it does nothing; absent: it is not paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_since: Option<String>,
    /// Why it is paused; absent: somebody wanted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_because: Option<String>,
    /// The apps that it no longer waits for, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub given_up: BTreeMap<String, String>,
    /// The failed deployment that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// How far the apps and pods of the current step are; only with `embed=progress`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Vec<ActionProgress>>,
}

/// How far an app or pod is that the current step is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionProgress {
    /// The app. Either this or `pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// So many instances it is to have.
    pub wanted: u32,
    /// So many of what the deployment brings serve: they run, and are healthy and ready as far as it is asked.
    pub serving: u32,
    /// All that there are, old and new.
    pub instances: Vec<InstanceProgress>,
}

/// How far an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceProgress {
    /// Its id, as in events.
    pub id: String,
    /// The version that it was started with.
    pub version: String,
    /// Whether it is what the deployment brings.
    pub is_new: bool,
    /// Its state, as `instance_changed_event` has it.
    pub condition: String,
    /// What comes next; absent: nothing, it serves and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// When it last changed, RFC 3339 with milliseconds.
    pub since: String,
}

/// What an instance waits for while it is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WaitsFor {
    /// Resources, or the end of a pause after failures: the queue says which.
    Offer,
    /// Its task was launched and does not run yet.
    Start,
    /// It runs, and its health checks have not all succeeded.
    Health,
    /// It runs, and its readiness check has not succeeded.
    Readiness,
    /// Its agent cannot be reached.
    Agent,
    /// It is old, and runs until it may be killed.
    Turn,
    /// It was told to end.
    End,
}

/// A deployment that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndedDeployment {
    /// A uuid.
    pub id: String,
    /// The version that it was to bring.
    pub version: String,
    /// Apps that it touched.
    pub affected_apps: Vec<String>,
    /// Pods that it touched.
    pub affected_pods: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, unless it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The deployment that took its place or undoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// So many of its steps were done.
    pub steps_done: u32,
    /// So many there were.
    pub total_steps: u32,
    /// RFC 3339 with milliseconds.
    pub began_at: String,
    /// RFC 3339 with milliseconds.
    pub ended_at: String,
}

/// How a deployment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every step was done.
    Done,
    /// It failed, and was left as it stood.
    Failed,
    /// It failed, and another deployment undoes it.
    RolledBack,
    /// Somebody stopped it, or another deployment took its place.
    Cancelled,
}

/// Actions that run side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its actions.
    pub actions: Vec<Action>,
}

/// One change of one app or pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// What is done.
    pub action: ActionKind,
    /// The app. Either this or `pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
}

impl Action {
    /// The app or pod that it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.app.as_deref().or(self.pod.as_deref()).unwrap_or_default()
    }
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ActionKind {
    /// Makes the app known, without instances.
    StartApplication,
    /// Ends all instances and forgets the app.
    StopApplication,
    /// Brings the number of instances to what is wanted.
    ScaleApplication,
    /// Replaces instances by those of the new version.
    RestartApplication,
    /// Makes the pod known, without instances.
    StartPod,
    /// Ends all instances and forgets the pod.
    StopPod,
    /// Brings the number of instances to what is wanted.
    ScalePod,
    /// Replaces instances by those of the new version.
    RestartPod,
}

/// An action of the current step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurrentAction {
    /// What is done.
    pub action: ActionKind,
    /// The app. Either this or `pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// What the readiness checks of new instances have found.
    pub readiness_check_results: Vec<ReadinessCheckResult>,
}

impl CurrentAction {
    /// The app or pod that it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.app.as_deref().or(self.pod.as_deref()).unwrap_or_default()
    }
}

/// Names a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentReference {
    /// A uuid.
    pub id: String,
}

/// Answer to a write that started a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentResult {
    /// The version that the write made.
    pub version: String,
    /// The deployment that brings it.
    pub deployment_id: String,
}

/// Answer to a write with `dryRun=true`: what would follow. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// The version that the write would make.
    pub version: String,
    /// The steps of the deployment.
    pub steps: Vec<Step>,
    /// The groups that would change themselves, and the apps, pods and users that would; what else comes back from a backup.
    pub changes: Vec<PlannedChange>,
    /// Where the instances would go that the deployment would start, in the order of its steps, on what the agents have free now and what
    /// it frees on the way. Absent when no master answers, or there is too much to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Vec<Prospect>>,
}

/// One app, pod, group, user, secret or callback before and after a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedChange {
    /// The app. One of the six.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The group: what is said of it, not what lies in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The user. Its password is only said to be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The secret; its value is never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The URL that events are posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
    /// What becomes of it.
    pub change: ChangeKind,
    /// Where the definitions differ; empty for what is removed, and for an app or pod that is created.
    pub differences: Vec<Difference>,
}

impl PlannedChange {
    /// The id of what changes.
    #[must_use]
    pub fn subject(&self) -> &str {
        let names = [&self.app, &self.pod, &self.group, &self.user, &self.secret, &self.callback];
        names.into_iter().flatten().next().map(String::as_str).unwrap_or_default()
    }
}

/// What would become of the instances of one app or pod that a write would start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prospect {
    /// The app. Either this or `pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// How many there are.
    pub wanted: u32,
    /// How many of them would wait, because no agent has room.
    pub missing: u32,
    /// Where the others would go.
    pub places: Vec<Room>,
    /// Agents without room for those that are missing, the nearest fit first, at most ten.
    pub misfits: Vec<Misfit>,
}

impl Prospect {
    /// The app or pod that it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.app.as_deref().or(self.pod.as_deref()).unwrap_or_default()
    }
}

/// An agent that has room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// The agent.
    pub agent_id: String,
    /// Its machine.
    pub hostname: String,
    /// For how many instances.
    pub instances: u32,
}

/// An agent that has no room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Misfit {
    /// The agent.
    pub agent_id: String,
    /// Its machine.
    pub hostname: String,
    /// Everything that speaks against it, by the names that the queue has for it.
    pub reasons: Vec<String>,
    /// What such an instance would find free there.
    pub free: Free,
}

/// What is free on an agent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Free {
    /// Cores.
    pub cpus: Number,
    /// MiB.
    pub mem: Number,
    /// MiB.
    pub disk: Number,
}

/// What becomes of an app, a pod or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It is new.
    Create,
    /// It is there before and after.
    Update,
    /// It is gone.
    Remove,
}

/// One place at which two definitions differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Slash separated: `/upgradeStrategy/maximumOverCapacity`.
    pub path: String,
    /// What is there before; null: nothing.
    pub from: Value,
    /// What is there after; null: nothing.
    pub to: Value,
}

/// A deployment in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// A uuid.
    pub id: String,
    /// All its steps.
    pub steps: Vec<Step>,
    /// The version that it brings.
    pub version: String,
}

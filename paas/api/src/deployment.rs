//! Deployments as they are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A running deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// A uuid.
    pub id: String,
    /// The version that it brings.
    pub version: String,
    /// Apps that it touches.
    pub affected_apps: Vec<String>,
    /// Pods that it touches: none, pods are not built yet.
    pub affected_pods: Vec<String>,
    /// All its steps.
    pub steps: Vec<Step>,
    /// What the current step does.
    pub current_actions: Vec<CurrentAction>,
    /// Counted from 1.
    pub current_step: u32,
    /// How many there are.
    pub total_steps: u32,
}

/// Actions that run side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its actions.
    pub actions: Vec<Action>,
}

/// One change of one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// What is done.
    pub action: ActionKind,
    /// The app.
    pub app: String,
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
}

/// An action of the current step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurrentAction {
    /// What is done.
    pub action: ActionKind,
    /// The app.
    pub app: String,
    /// Always empty: readiness checks are not built yet.
    pub readiness_check_results: [(); 0],
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

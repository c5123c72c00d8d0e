//! Deployments as they are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

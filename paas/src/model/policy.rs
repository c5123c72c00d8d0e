use serde::{Deserialize, Serialize};

/// How deployments of a run spec go about it, and when they have failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentPolicy {
    /// A step that makes no progress for so long has failed; none: it may take for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline_ms: Option<u64>,
    /// What follows from a failure.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// A new instance counts once it has served for so long without a break.
    #[serde(default)]
    pub minimum_healthy_ms: u64,
    /// So many instances that may serve are killed in any minute; none: as many as the upgrade strategy allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kills_per_minute: Option<u32>,
    /// An instance is killed only when its replacement serves, whatever the upgrade strategy allows.
    #[serde(default)]
    pub replace_before_kill: bool,
}

/// What follows when a deployment has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// Another deployment undoes it.
    #[default]
    RollBack,
    /// It stops where it stands, until somebody resumes or cancels it.
    Pause,
    /// It gives the run spec up, goes on with the others, and ends as failed.
    Continue,
}

use serde::{Deserialize, Serialize};

use super::RunSpec;

/// How deployments of a run spec go about it, and when they have failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentPolicy {
    /// A step that makes no progress for so long has failed; none: it may take for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline_ms: Option<u64>,
    /// What follows from a failure.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// A new instance counts once it has served for so long without a break; none: see [`settles_ms`](Self::settles_ms).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_healthy_ms: Option<u64>,
    /// So many instances that may serve are killed in any minute; none: as many as the upgrade strategy allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kills_per_minute: Option<u32>,
    /// An instance is killed only when its replacement serves, whatever the upgrade strategy allows.
    #[serde(default)]
    pub replace_before_kill: bool,
}

/// How long what nothing checks has to run before it counts, where a deployment is to fail at all: a command that ends at once would
/// count otherwise.
const UNCHECKED_MS: u64 = 5_000;

impl DeploymentPolicy {
    /// How long an instance has to serve before it counts.
    #[must_use]
    pub fn settles_ms(&self, definition: &RunSpec) -> u64 {
        let is_checked = definition.readiness_check.is_some() || !definition.checks_of_health().is_empty();
        match (self.minimum_healthy_ms, self.progress_deadline_ms) {
            (Some(told), _) => told,
            (None, Some(deadline)) if !is_checked => UNCHECKED_MS.min(deadline / 2),
            (None, _) => 0,
        }
    }
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

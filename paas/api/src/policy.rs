//! What is asked of deployments beyond their order and their capacities.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How deployments go about an app, or about what lies in a group and does not say so itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentPolicy {
    /// A deployment in which no further instance has come to serve for so many seconds has failed; absent: it may take for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<i64>,
    /// What follows from that.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// A new instance counts once it has served for so many seconds without a break; 0: as soon as it runs, and is healthy and ready as far
    /// as it is asked. Absent: 0, but 5 (at most half the deadline) for what nothing checks, where there is a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_healthy_time_seconds: Option<i64>,
    /// So many instances are killed in any minute, because they are old, too many or unhealthy; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_kills_per_minute: Option<i64>,
    /// An old instance is killed only when a new one serves in its place, whatever `minimumHealthCapacity` allows.
    #[serde(default)]
    pub replace_before_kill: bool,
}

/// What follows when a deployment has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// Another deployment undoes it.
    #[default]
    Rollback,
    /// It stops where it stands, until it is resumed or cancelled.
    Pause,
    /// It no longer waits for the app, goes on with the others, and ends as failed.
    Continue,
}

use attica_paas_api::policy::{DeploymentPolicy as ReadPolicy, OnFailure as ReadFailure};

use super::app::whole_seconds;
use crate::model::{DeploymentPolicy, OnFailure};

/// How deployments go about it, as clients read it.
#[must_use]
pub fn policy(policy: DeploymentPolicy) -> ReadPolicy {
    ReadPolicy {
        progress_deadline_seconds: policy.progress_deadline_ms.map(whole_seconds),
        on_failure: match policy.on_failure {
            OnFailure::RollBack => ReadFailure::Rollback,
            OnFailure::Pause => ReadFailure::Pause,
            OnFailure::Continue => ReadFailure::Continue,
        },
        minimum_healthy_time_seconds: policy.minimum_healthy_ms.map(whole_seconds),
        max_kills_per_minute: policy.kills_per_minute.map(i64::from),
        replace_before_kill: policy.replace_before_kill,
    }
}

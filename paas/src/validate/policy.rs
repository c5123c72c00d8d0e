//! How deployments go about it.

use attica_paas_api::policy::{DeploymentPolicy as Written, OnFailure as WrittenFailure};

use super::{Faults, limits, numbers};
use crate::model::{DeploymentPolicy, OnFailure};

pub(super) fn policy(written: Option<Written>, place: &str, faults: &mut Faults) -> Option<DeploymentPolicy> {
    let written = written?;
    let mut found = Faults::default();
    let deadline =
        numbers::seconds("/deployment/progressDeadlineSeconds", written.progress_deadline_seconds, &mut found);
    if deadline == Some(0) {
        found.add("/deployment/progressDeadlineSeconds", "must be at least 1");
    }
    let settled =
        numbers::seconds("/deployment/minimumHealthyTimeSeconds", written.minimum_healthy_time_seconds, &mut found);
    if let (Some(deadline), Some(settled)) = (deadline, settled)
        && settled >= deadline
    {
        let text = "must be shorter than progressDeadlineSeconds, or no instance could ever come to count";
        found.add("/deployment/minimumHealthyTimeSeconds", text);
    }
    let kills = numbers::count(
        "/deployment/maxKillsPerMinute",
        written.max_kills_per_minute,
        limits::INSTANCES_MAX,
        &mut found,
    );
    if kills == Some(0) {
        found.add("/deployment/maxKillsPerMinute", "must be at least 1");
    }
    faults.append(found.below(place));
    Some(DeploymentPolicy {
        progress_deadline_ms: deadline,
        on_failure: match written.on_failure {
            WrittenFailure::Rollback => OnFailure::RollBack,
            WrittenFailure::Pause => OnFailure::Pause,
            WrittenFailure::Continue => OnFailure::Continue,
        },
        minimum_healthy_ms: settled,
        kills_per_minute: kills,
        replace_before_kill: written.replace_before_kill,
    })
}

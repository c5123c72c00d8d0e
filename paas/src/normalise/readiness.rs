use std::collections::BTreeMap;

use attica_paas_api::readiness::{ReadinessCheck as ReadCheck, ReadinessCheckResponse, ReadinessCheckResult};

use crate::engine::RunSpecState;
use crate::model::{Instance, InstanceId, ReadinessCheck, ReadinessResponse, RunSpec, Scheme};

/// What instances answered last to their readiness checks, where that is shown.
pub type Responses = BTreeMap<InstanceId, ReadinessResponse>;

/// A readiness check as clients read it.
pub(super) fn readiness_check(check: &ReadinessCheck) -> ReadCheck {
    let whole_seconds = |milliseconds: u64| i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX);
    ReadCheck {
        name: check.name.clone(),
        protocol: match check.scheme {
            Scheme::Http => "HTTP".to_owned(),
            Scheme::Https => "HTTPS".to_owned(),
        },
        path: check.path.clone(),
        port_name: check.port_name.clone(),
        interval_seconds: whole_seconds(check.interval_ms),
        timeout_seconds: whole_seconds(check.timeout_ms),
        http_status_codes_for_ready: check.statuses.iter().map(|status| i64::from(*status)).collect(),
        preserve_last_response: check.keeps_response,
    }
}

/// What the readiness check of an instance has found, if there is one; `spec` is the version that it runs.
#[must_use]
pub fn readiness_result(instance: &Instance, spec: &RunSpec, responses: &Responses) -> Option<ReadinessCheckResult> {
    let task = instance.task.as_ref()?;
    let name = spec.readiness_check.as_ref()?.name.clone();
    let last_response = responses.get(&instance.id).map(|response| ReadinessCheckResponse {
        status: response.status,
        content_type: response.content_type.clone(),
        body: response.body.clone(),
    });
    Some(ReadinessCheckResult { name, task_id: task.id.to_string(), ready: task.readiness?, last_response })
}

/// What the readiness checks of a run spec's instances have found.
pub(super) fn readiness_results(state: &RunSpecState, responses: &Responses) -> Vec<ReadinessCheckResult> {
    let result = |instance: &Instance| readiness_result(instance, state.versions.get(&instance.version)?, responses);
    state.instances.values().filter_map(result).collect()
}

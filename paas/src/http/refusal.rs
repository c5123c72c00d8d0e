//! The engine's refusals, and what is missing, as answers.

use attica_paas_api::ErrorBody;
use attica_paas_api::deployment::DeploymentReference;
use axum::response::Response;
use http::StatusCode;

use super::answer;
use crate::engine::Refusal;
use crate::read_model::Missing;
use crate::validate::Faults;

/// A refused write.
pub(super) fn refused(refusal: Refusal) -> Response {
    let text = refusal.to_string();
    match refusal {
        Refusal::Missing(_)
        | Refusal::GroupMissing(_)
        | Refusal::PodMissing(_)
        | Refusal::VersionMissing { .. }
        | Refusal::TaskMissing(_)
        | Refusal::DeploymentMissing(_)
        | Refusal::SecretMissing(_)
        | Refusal::UserMissing(_)
        | Refusal::TokenMissing(_)
        | Refusal::GrantMissing(_)
        | Refusal::NotQueued(_) => answer::message(StatusCode::NOT_FOUND, text),
        Refusal::GroupVersionMissing { .. } | Refusal::TooManySecrets { .. } | Refusal::TooMany { .. } => {
            answer::message(StatusCode::UNPROCESSABLE_ENTITY, text)
        }
        Refusal::Precondition { .. } => answer::message(StatusCode::PRECONDITION_FAILED, text),
        Refusal::NoPrecondition => answer::message(StatusCode::BAD_REQUEST, text),
        Refusal::Exists(_)
        | Refusal::PodExists(_)
        | Refusal::GroupExists(_)
        | Refusal::PathTaken(_)
        | Refusal::SecretChanged(_)
        | Refusal::SecretUsed { .. } => answer::message(StatusCode::CONFLICT, text),
        Refusal::Locked { deployments } => {
            let deployments = deployments.iter().map(|id| DeploymentReference { id: id.to_string() }).collect();
            let body = ErrorBody { message: text, details: None, deployments: Some(deployments) };
            answer::document(StatusCode::CONFLICT, &body)
        }
        Refusal::Invalid(violations) => {
            let mut faults = Faults::default();
            violations.into_iter().for_each(|violation| faults.add(violation.path, violation.message));
            invalid(faults)
        }
        Refusal::TooManyConsumers { .. } | Refusal::TooManyCallbacks { .. } => answer::unavailable(text),
        Refusal::TooManyDeployments { .. } | Refusal::Forbidden(_) => answer::message(StatusCode::FORBIDDEN, text),
    }
}

/// A document that breaks rules.
pub(super) fn invalid(faults: Faults) -> Response {
    answer::document(StatusCode::UNPROCESSABLE_ENTITY, &faults.into_body())
}

/// Something that is not there.
pub(super) fn missing(missing: &Missing) -> Response {
    answer::message(StatusCode::NOT_FOUND, missing.to_string())
}

//! Requests that change groups.

use attica_core_api::secrets::SealingKey;
use attica_paas_api::group::{GroupPatch, GroupUpdate};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, header};

use super::answer::deployed;
use super::service::{Leading, Service};
use super::writes::{Asked, answer, deployment_result, unexpected};
use super::{body, refusal};
use crate::engine::{GroupDefinition, Reply, Write};
use crate::model::GroupId;
use crate::placement::Needs;
use crate::validate::{self, Faults, GroupIntent};

/// POST of a group, which may name itself below the group of the path.
pub(super) async fn create(service: &Service, leading: &Leading, request: Request<Body>, around: &GroupId) -> Response {
    let asked = Asked::of(&request);
    let (id, to) = match read(service, leading, request, around).await {
        Ok((id, GroupIntent::Update(update))) => (id, GroupDefinition::New(Box::new(update))),
        Ok((_, GroupIntent::Rollback(_) | GroupIntent::Scale(_))) => {
            return refusal::invalid(Faults::one("/", "a new group has no version to return to, and nothing to scale"));
        }
        Err(refused) => return refused,
    };
    let write = Write::PutGroup { id: id.clone(), to, force: asked.force() };
    answer(service.write(leading, write, asked).await, |reply| match reply {
        Reply::Deployed { version, deployment, .. } => {
            let mut response = deployed(StatusCode::CREATED, version, deployment);
            if let Ok(location) = HeaderValue::from_str(&format!("/v2/groups{id}")) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    })
}

/// PUT of a group.
pub(super) async fn put(service: &Service, leading: &Leading, request: Request<Body>, around: &GroupId) -> Response {
    let asked = Asked::of(&request);
    let (id, to) = match read(service, leading, request, around).await {
        Ok((id, GroupIntent::Update(update))) => (id, GroupDefinition::Updated(Box::new(update))),
        Ok((id, GroupIntent::Rollback(version))) => (id, GroupDefinition::Stored(version)),
        Ok((id, GroupIntent::Scale(factor))) => (id, GroupDefinition::Scaled(factor)),
        Err(refused) => return refused,
    };
    let write = Write::PutGroup { id, to, force: asked.force() };
    answer(service.write(leading, write, asked).await, deployment_result)
}

async fn read(
    service: &Service,
    leading: &Leading,
    request: Request<Body>,
    around: &GroupId,
) -> Result<(GroupId, GroupIntent), Response> {
    let written: GroupUpdate = body::document(request.into_body()).await?;
    let (id, intent) = validate::group(written, around, &service.rules).map_err(refusal::invalid)?;
    match &intent {
        GroupIntent::Update(update) => {
            let asked = Needs::of_group(update, "", &|id| leading.model.definition(id));
            let key = service.secrets_key.as_ref().map(SealingKey::id);
            service.agents.check(asked, key).await.map_err(refusal::invalid)?;
        }
        GroupIntent::Rollback(_) | GroupIntent::Scale(_) => {}
    }
    Ok((id, intent))
}

/// PATCH of a group: whether it enforces its role.
pub(super) async fn patch(service: &Service, leading: &Leading, request: Request<Body>, group: GroupId) -> Response {
    let asked = Asked::of(&request);
    let GroupPatch { enforce_role } = match body::document(request.into_body()).await {
        Ok(patch) => patch,
        Err(refused) => return refused,
    };
    if !group.is_top_level() {
        let text = format!("enforceRole can only be set for top-level groups, and {group} is not top-level");
        return refusal::invalid(Faults::one("/enforceRole", text));
    }
    let write = Write::EnforceRole { group, enforced: enforce_role };
    answer(service.write(leading, write, asked).await, |reply| match reply {
        Reply::Done => StatusCode::OK.into_response(),
        Reply::Deployed { .. } | Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled => unexpected(),
    })
}

/// DELETE of a group.
pub(super) async fn delete(service: &Service, leading: &Leading, asked: Asked, id: GroupId) -> Response {
    let write = Write::DeleteGroup { id, force: asked.force() };
    answer(service.write(leading, write, asked).await, deployment_result)
}

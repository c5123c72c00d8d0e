//! Requests that change pods.

use attica_paas_api::pod::{Pod, PodInstance};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, header};

use super::answer::{self, document, rendered, with_deployment};
use super::service::{Leading, Service};
use super::writes::{self, Asked, unexpected};
use super::{body, refusal};
use crate::access::Sight;
use crate::engine::{Definition, KillMode, Reply, RunSpecChange, TaskSelection, Write};
use crate::model::{DeploymentId, Instance, InstanceId, RunSpecId};
use crate::normalise;
use crate::validate::{self, Faults, limits};

/// POST of a pod.
pub(super) async fn create(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let asked = Asked::of(&request);
    let pod: Pod = match body::document(request.into_body()).await {
        Ok(pod) => pod,
        Err(refused) => return refused,
    };
    let id = match RunSpecId::parse(&pod.id) {
        Ok(id) => id,
        Err(error) => return refusal::invalid(Faults::one("/id", error.to_string())),
    };
    put_definition(service, leading, asked, id, pod, Definition::NewPod).await
}

/// PUT of a pod.
pub(super) async fn put(service: &Service, leading: &Leading, request: Request<Body>, id: RunSpecId) -> Response {
    let asked = Asked::of(&request);
    let pod: Pod = match body::document(request.into_body()).await {
        Ok(pod) => pod,
        Err(refused) => return refused,
    };
    if RunSpecId::parse(&pod.id).ok().as_ref() != Some(&id) {
        let text = format!("'{id}' does not match definition's id ('{}')", pod.id);
        return answer::message(StatusCode::BAD_REQUEST, text);
    }
    put_definition(service, leading, asked, id, pod, Definition::Pod).await
}

async fn put_definition(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    id: RunSpecId,
    pod: Pod,
    definition: fn(Box<crate::model::RunSpec>) -> Definition,
) -> Response {
    let to = match validate::pod(pod, &id, &service.rules) {
        Ok(run_spec) => definition(Box::new(run_spec)),
        Err(faults) => return refusal::invalid(faults),
    };
    let is_new = matches!(to, Definition::NewPod(_));
    let changes = vec![RunSpecChange { id: id.clone(), to }];
    let places = changes.iter().map(|change| (String::new(), change)).collect();
    if let Err(faults) = writes::possible(service, leading, places).await {
        return refusal::invalid(faults);
    }
    let write = Write::Put { changes, force: asked.force() };
    writes::answer(service.write(leading, write, asked).await, |reply| match reply {
        Reply::Deployed { deployment, .. } => {
            let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
            // The answer to a write comes when what it did can be read.
            let Ok(shown) = leading.model.seen_by(Sight::Everything).pod(&id).body else { return unexpected() };
            let response = with_deployment(rendered(status, shown), deployment);
            if is_new { with_location(response, &format!("/v2/pods{id}")) } else { response }
        }
        Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    })
}

fn with_location(mut response: Response, location: &str) -> Response {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// DELETE of a pod.
pub(super) async fn delete(service: &Service, leading: &Leading, asked: Asked, id: RunSpecId) -> Response {
    let write = Write::DeletePod { id, force: asked.force() };
    let accepted = |deployment: DeploymentId| {
        let response = with_deployment(StatusCode::ACCEPTED.into_response(), deployment);
        with_location(response, &deployment.to_string())
    };
    writes::answer(service.write(leading, write, asked).await, |reply| match reply {
        Reply::Deployed { deployment, .. } => accepted(deployment),
        Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    })
}

/// What the ids of instances look like to Marathon.
const INSTANCE_ID: &str = r"^(.+)\.(instance-|marathon-)([^\.]+)$";

/// DELETE of instances of a pod: those named in the body.
pub(super) async fn kill(service: &Service, leading: &Leading, request: Request<Body>, id: RunSpecId) -> Response {
    let asked = Asked::of(&request);
    let named: Vec<String> = match body::document(request.into_body()).await {
        Ok(named) => named,
        Err(refused) => return refused,
    };
    if named.len() > limits::TASKS_MAX {
        return refusal::invalid(Faults::one("/", format!("must not have more than {} items", limits::TASKS_MAX)));
    }
    let mut faults = Faults::default();
    for (index, _) in named.iter().enumerate().filter(|(_, id)| !is_instance_id(id)) {
        faults.add(format!("/({index})"), format!("must fully match regular expression '{INSTANCE_ID}'"));
    }
    if !faults.is_empty() {
        return refusal::invalid(faults);
    }
    // What is no id of ours is the id of no instance.
    let instances = named.iter().filter_map(|id| InstanceId::parse(id).ok()).collect();
    let killed = kill_instances(service, leading, asked, id, instances).await;
    killed.map_or_else(|refused| refused, |instances| document(StatusCode::OK, &instances))
}

fn is_instance_id(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(path, rest)| {
        let unique = rest.strip_prefix("instance-").or_else(|| rest.strip_prefix("marathon-"));
        !path.is_empty() && unique.is_some_and(|unique| !unique.is_empty())
    })
}

/// DELETE of one instance of a pod.
pub(super) async fn kill_one(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    id: RunSpecId,
    written: &str,
) -> Response {
    let missing = || answer::message(StatusCode::NOT_FOUND, format!("Task '{written}' does not exist"));
    if !is_instance_id(written) {
        return refusal::invalid(Faults::one("/", format!("must fully match regular expression '{INSTANCE_ID}'")));
    }
    let Ok(instance) = InstanceId::parse(written) else { return missing() };
    match kill_instances(service, leading, asked, id, vec![instance]).await {
        Ok(killed) => killed.first().map_or_else(missing, |instance| document(StatusCode::OK, instance)),
        Err(refused) => refused,
    }
}

async fn kill_instances(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    run_spec: RunSpecId,
    instances: Vec<InstanceId>,
) -> Result<Vec<PodInstance>, Response> {
    let mode = if asked.query.flag("wipe", false) { KillMode::Wipe } else { KillMode::Replace };
    let write = Write::Kill { tasks: TaskSelection::OfPod { run_spec, instances }, mode, force: false };
    let shown = |instance: &Instance| normalise::pod_instance(instance, leading.model.spec(instance).as_deref()?);
    match service.write(leading, write, asked).await {
        Ok(Ok(Reply::Killed(instances))) => Ok(instances.iter().filter_map(shown).collect()),
        Ok(Ok(Reply::Deployed { .. } | Reply::Planned(_) | Reply::Cancelled | Reply::Done)) => Err(unexpected()),
        Ok(Err(refused)) => Err(refusal::refused(refused)),
        Err(response) => Err(response),
    }
}

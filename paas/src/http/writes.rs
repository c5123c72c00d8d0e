//! Requests that change something.

use attica_core_api::http::PeerAddress;
use attica_core_api::secrets::SealingKey;
use attica_core_api::v1::TaskId;
use attica_paas_api::app::AppInfo;
use attica_paas_api::deployment::DeploymentReference;
use attica_paas_api::task::{Task, TaskList, TaskWrapper};
use attica_paas_api::update::DeleteTasks;
use attica_paas_api::{AppUpdate, ErrorBody};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, StatusCode, header};

use super::answer::{self, deployed, document, with_deployment};
use super::guard::ForwardedFor;
use super::query::Query;
use super::service::{Leading, Service};
use super::{body, guard, refusal};
use crate::access::Caller;
use crate::engine::{
    CancelMode, Definition, KillMode, Origin, Refusal, Reply, RunSpecChange, TaskSelection, Terms, Wanted, Write,
};
use crate::model::{DeploymentId, Instance, RunSpec, RunSpecId, TaskIdentity, Version};
use crate::normalise;
use crate::placement::Needs;
use crate::validate::{self, Faults, Intent, limits};

/// Which apps a write may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// Existing and new ones (PUT).
    OrNew,
    /// Existing ones (PATCH).
    Only,
}

/// The address of the client, for events.
pub(super) fn client_ip(request: &Request<Body>) -> String {
    request.extensions().get::<PeerAddress>().map_or_else(|| "unknown".to_owned(), |peer| peer.0.ip().to_string())
}

/// A request without its body.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) origin: Origin,
    pub(super) query: Query,
    pub(super) terms: Terms,
}

impl Asked {
    pub(super) fn of(request: &Request<Body>) -> Self {
        let forwarded_for = request.extensions().get::<ForwardedFor>().map(|address| address.0.clone());
        let origin = Origin {
            client_ip: client_ip(request),
            uri: request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned(),
            method: request.method().to_string(),
            forwarded_for,
            caller: guard::proven(request).caller,
        };
        let query = Query::of(request.uri());
        let if_match = request.headers().get(header::IF_MATCH).map(wanted);
        let terms = Terms { dry_run: query.flag("dryRun", false), room: None, if_match };
        Self { origin, query, terms }
    }

    /// The same, asked by somebody who has just said who he is.
    pub(super) fn by(mut self, caller: Caller) -> Self {
        self.origin.caller = caller;
        self
    }

    /// Whether running deployments that are in the way give way.
    pub(super) fn force(&self) -> bool {
        self.query.flag("force", false)
    }
}

/// The versions that an `If-Match` names, in the tags that reads carry or alone. Those that are none match nothing. However the bytes
/// of a read were packed, the version is what its author has seen.
fn wanted(written: &HeaderValue) -> Wanted {
    let written = written.to_str().unwrap_or_default();
    if written.trim() == "*" {
        return Wanted::Any;
    }
    let version = |tag: &str| {
        let tag = tag.trim().trim_start_matches("W/").strip_prefix('"')?.strip_suffix('"')?;
        Version::parse(tag.split('+').next().unwrap_or(tag))
    };
    Wanted::These(written.split(',').filter_map(version).collect())
}

/// POST of one app.
pub(super) async fn create(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let asked = Asked::of(&request);
    let app: AppUpdate = match body::document(request.into_body()).await {
        Ok(app) => app,
        Err(refused) => return refused,
    };
    if app.id.is_none() {
        return body::missing("/id");
    }
    let change = named_id(&app).and_then(|id| {
        let update = validate::update(app, &id, &service.rules)?;
        Ok(RunSpecChange { id, to: Definition::New(Box::new(update)) })
    });
    let change = match change {
        Ok(change) => change,
        Err(faults) => return refusal::invalid(faults),
    };
    if let Err(faults) = possible(service, leading, vec![(String::new(), &change)]).await {
        return refusal::invalid(faults);
    }
    let write = Write::Put { changes: vec![change], force: asked.force() };
    answer(service.write(leading, write, asked).await, |reply| match reply {
        Reply::Deployed { deployment, created, .. } => match created.first() {
            Some(spec) => created_app(service, spec, deployment),
            None => unexpected(),
        },
        Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    })
}

fn created_app(service: &Service, spec: &RunSpec, deployment: DeploymentId) -> Response {
    let ports = || spec.ports.iter().map(|port| port.port).collect();
    let info = AppInfo {
        app: normalise::app(spec),
        ports: service.configuration.emit_legacy_ports.then(ports),
        tasks_staged: Some(0),
        tasks_running: Some(0),
        tasks_healthy: Some(0),
        tasks_unhealthy: Some(0),
        deployments: Some(vec![DeploymentReference { id: deployment.to_string() }]),
        tasks: Some(Vec::new()),
        kept_instances: Vec::new(),
        readiness_check_results: None,
        task_stats: None,
        last_task_failure: None,
    };
    with_location(with_deployment(document(StatusCode::CREATED, &info), deployment), &spec.id)
}

fn with_location(mut response: Response, id: &RunSpecId) -> Response {
    if let Ok(location) = HeaderValue::from_str(&format!("/v2/apps{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// PUT or PATCH of one app.
pub(super) async fn put(
    service: &Service,
    leading: &Leading,
    request: Request<Body>,
    id: RunSpecId,
    existing: Existing,
) -> Response {
    let asked = Asked::of(&request);
    let app: AppUpdate = match body::document(request.into_body()).await {
        Ok(app) => app,
        Err(refused) => return refused,
    };
    let partial = existing == Existing::Only || asked.query.flag("partialUpdate", true);
    // What is written to is what the path names: one file serves for several places.
    let change = match change(service, AppUpdate { id: None, ..app }, id.clone(), existing, partial) {
        Ok(change) => change,
        Err(faults) => return refusal::invalid(faults),
    };
    if let Err(faults) = possible(service, leading, vec![(String::new(), &change)]).await {
        return refusal::invalid(faults);
    }
    let write = Write::Put { changes: vec![change], force: asked.force() };
    answer(service.write(leading, write, asked).await, |reply| match reply {
        Reply::Deployed { version, deployment, created } if created.is_empty() => {
            deployed(StatusCode::OK, version, deployment)
        }
        Reply::Deployed { version, deployment, .. } => {
            with_location(deployed(StatusCode::CREATED, version, deployment), &id)
        }
        Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    })
}

/// PUT or PATCH of several apps.
pub(super) async fn put_all(
    service: &Service,
    leading: &Leading,
    request: Request<Body>,
    existing: Existing,
) -> Response {
    let asked = Asked::of(&request);
    let apps: Vec<AppUpdate> = match body::document(request.into_body()).await {
        Ok(apps) => apps,
        Err(refused) => return refused,
    };
    let partial = existing == Existing::Only || asked.query.flag("partialUpdate", true);
    let changes = match changes(service, apps, existing, partial) {
        Ok(changes) => changes,
        Err(faults) => return refusal::invalid(faults),
    };
    let elements = changes.iter().enumerate().map(|(index, change)| (format!("/({index})"), change));
    if let Err(faults) = possible(service, leading, elements.collect()).await {
        return refusal::invalid(faults);
    }
    let write = Write::Put { changes, force: asked.force() };
    answer(service.write(leading, write, asked).await, deployment_result)
}

/// Whether there are agents that can do what each of these changes, at its place in a document, adds to what is there. What was taken once,
/// and comes back, is not looked at.
pub(super) async fn possible(
    service: &Service,
    leading: &Leading,
    changes: Vec<(String, &RunSpecChange)>,
) -> Result<(), Faults> {
    let needs = |change: &RunSpecChange| {
        let current = leading.model.definition(&change.id);
        match &change.to {
            Definition::New(update)
            | Definition::Merged(update)
            | Definition::Patched(update)
            | Definition::Replaced(update) => Needs::of_update(update, current.as_deref()),
            Definition::NewPod(pod) | Definition::Pod(pod) => Needs::of_pod(pod, current.as_deref()),
            Definition::Stored(_) | Definition::Restored(_) | Definition::Scaled(_) | Definition::Whole(_) => {
                Needs::default()
            }
        }
    };
    let asked = changes.into_iter().map(|(place, change)| (place, needs(change))).collect();
    service.agents.check(asked, service.secrets_key.as_ref().map(SealingKey::id)).await
}

fn changes(
    service: &Service,
    apps: Vec<AppUpdate>,
    existing: Existing,
    partial: bool,
) -> Result<Vec<RunSpecChange>, Faults> {
    let mut faults = Faults::default();
    if apps.is_empty() || apps.len() > limits::APPS_MAX {
        faults.add(validate::ROOT, format!("must have between 1 and {} items", limits::APPS_MAX));
        return Err(faults);
    }
    let mut changes: Vec<RunSpecChange> = Vec::with_capacity(apps.len());
    let mut seen = std::collections::BTreeSet::new();
    for (index, app) in apps.into_iter().enumerate() {
        match named_id(&app).and_then(|id| change(service, app, id, existing, partial)) {
            Ok(change) if seen.insert(change.id.clone()) => changes.push(change),
            Ok(_) => faults.add(format!("/({index})/id"), "is there twice"),
            Err(more) => faults.append(more.within_element(index)),
        }
    }
    faults.into_result(changes)
}

fn change(
    service: &Service,
    app: AppUpdate,
    id: RunSpecId,
    existing: Existing,
    partial: bool,
) -> Result<RunSpecChange, Faults> {
    let to = match (validate::intent(app, &id, &service.rules)?, existing, partial) {
        (Intent::Rollback(version), _, _) => Definition::Stored(version),
        (Intent::Update(update), Existing::Only, _) => Definition::Patched(update),
        (Intent::Update(update), Existing::OrNew, true) => Definition::Merged(update),
        (Intent::Update(update), Existing::OrNew, false) => Definition::Replaced(update),
    };
    Ok(RunSpecChange { id, to })
}

fn named_id(app: &AppUpdate) -> Result<RunSpecId, Faults> {
    let written = app.id.as_deref().ok_or_else(|| Faults::one("/id", "error.path.missing"))?;
    RunSpecId::parse(written).map_err(|error| Faults::one("/id", error.to_string()))
}

/// DELETE of an app. It takes precedence over running deployments unless told otherwise.
pub(super) async fn delete(service: &Service, leading: &Leading, asked: Asked, id: RunSpecId) -> Response {
    let write = Write::Delete { id, force: asked.query.flag("force", true) };
    answer(service.write(leading, write, asked).await, deployment_result)
}

/// POST of a restart.
pub(super) async fn restart(service: &Service, leading: &Leading, asked: Asked, id: RunSpecId) -> Response {
    let write = Write::Restart { id, force: asked.force() };
    answer(service.write(leading, write, asked).await, deployment_result)
}

/// DELETE of an app's tasks, all or those on one host.
pub(super) async fn kill_of_app(service: &Service, leading: &Leading, asked: Asked, id: RunSpecId) -> Response {
    let tasks = match asked.query.first("host") {
        Some(host) => TaskSelection::OnHost { run_spec: id, host: host.to_owned() },
        None => TaskSelection::All { run_spec: id },
    };
    kill(service, leading, asked, tasks, many).await
}

/// DELETE of one task.
pub(super) async fn kill_one(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    id: RunSpecId,
    task: &str,
) -> Response {
    let tasks = TaskSelection::One { run_spec: id, task: TaskId::new(task) };
    let written = task.to_owned();
    kill(service, leading, asked, tasks, move |killed| match killed.into_iter().next() {
        Some(task) => document(StatusCode::OK, &TaskWrapper { task }),
        None => refusal::refused(Refusal::TaskMissing(TaskId::new(written.as_str()))),
    })
    .await
}

/// POST of a list of tasks.
pub(super) async fn kill_these(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let asked = Asked::of(&request);
    let DeleteTasks { ids } = match body::document(request.into_body()).await {
        Ok(ids) => ids,
        Err(refused) => return refused,
    };
    if ids.len() > limits::TASKS_MAX {
        return refusal::invalid(Faults::one("/ids", format!("must not have more than {} items", limits::TASKS_MAX)));
    }
    for id in &ids {
        if let Err(error) = TaskIdentity::parse(id) {
            return answer::message(StatusCode::BAD_REQUEST, format!("Invalid task id '{id}'. [{error}]"));
        }
    }
    let tasks = TaskSelection::These(ids.into_iter().map(TaskId::from).collect());
    kill(service, leading, asked, tasks, many).await
}

fn many(tasks: Vec<Task>) -> Response {
    document(StatusCode::OK, &TaskList { tasks })
}

async fn kill(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    tasks: TaskSelection,
    killed: impl FnOnce(Vec<Task>) -> Response,
) -> Response {
    let mode = match (asked.query.flag("scale", false), asked.query.flag("wipe", false)) {
        (true, true) => {
            return answer::message(StatusCode::BAD_REQUEST, "You cannot use scale and wipe at the same time.");
        }
        (true, false) => KillMode::Scale,
        (false, true) => KillMode::Wipe,
        (false, false) => KillMode::Replace,
    };
    let write = Write::Kill { tasks, mode, force: asked.force() };
    answer(service.write(leading, write, asked).await, |reply| match reply {
        Reply::Killed(instances) => {
            killed(instances.iter().filter_map(|instance| read_task(leading, instance)).collect())
        }
        Reply::Deployed { version, deployment, .. } => deployed(StatusCode::OK, version, deployment),
        Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    })
}

fn read_task(leading: &Leading, instance: &Instance) -> Option<Task> {
    normalise::task(instance, leading.model.spec(instance).as_deref())
}

/// DELETE of a deployment.
pub(super) async fn cancel(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    written: &str,
    id: Option<DeploymentId>,
) -> Response {
    let Some(id) = id else {
        return answer::message(StatusCode::NOT_FOUND, format!("DeploymentPlan {written} does not exist"));
    };
    let mode = match asked.force() {
        true => CancelMode::Leave,
        false => CancelMode::RollBack,
    };
    answer(service.write(leading, Write::Cancel { id, mode }, asked).await, |reply| match reply {
        Reply::Cancelled => StatusCode::ACCEPTED.into_response(),
        Reply::Deployed { version, deployment, .. } => deployed(StatusCode::OK, version, deployment),
        Reply::Killed(_) | Reply::Planned(_) | Reply::Done => unexpected(),
    })
}

/// POST of a pause of a deployment, or of its end.
pub(super) async fn hold(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    written: &str,
    id: Option<DeploymentId>,
    paused: bool,
) -> Response {
    let Some(id) = id else {
        return answer::message(StatusCode::NOT_FOUND, format!("DeploymentPlan {written} does not exist"));
    };
    answer(service.write(leading, Write::Hold { id, paused }, asked).await, deployment_result)
}

/// DELETE of a delay after failures.
pub(super) async fn reset_delay(service: &Service, leading: &Leading, asked: Asked, id: RunSpecId) -> Response {
    answer(service.write(leading, Write::ResetDelay { id }, asked).await, |reply| match reply {
        Reply::Done => StatusCode::NO_CONTENT.into_response(),
        Reply::Deployed { .. } | Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled => unexpected(),
    })
}

pub(super) fn deployment_result(reply: Reply) -> Response {
    match reply {
        Reply::Deployed { version, deployment, .. } => deployed(StatusCode::OK, version, deployment),
        Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    }
}

pub(super) fn answer(outcome: Result<super::WriteOutcome, Response>, done: impl FnOnce(Reply) -> Response) -> Response {
    match outcome {
        Ok(Ok(Reply::Planned(forecast))) => document(StatusCode::OK, &normalise::forecast(&forecast)),
        Ok(Ok(reply)) => done(reply),
        Ok(Err(refusal)) => refusal::refused(refusal),
        Err(response) => response,
    }
}

/// The engine answered another question: a defect of ours, which the log and the client both get to see.
pub(super) fn unexpected() -> Response {
    tracing::error!("a write was answered with the reply to another kind of write");
    let body = ErrorBody::message("The change was made, but its outcome cannot be shown");
    document(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

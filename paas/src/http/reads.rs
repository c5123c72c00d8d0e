//! Answers from the read model.

use std::time::SystemTime;

use attica_core_api::Timestamp;
use attica_core_store::Position;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, header};

use super::answer::{EVENT_ID, is_known, rendered};
use super::query::Query;
use super::service::Service;
use super::{answer, refusal};
use crate::events::EventId;
use crate::model::{GroupId, RunSpecId, Version};
use crate::normalise::QueueParts;
use crate::read_model::{Answer, AppFilter, AppParts, GroupParts, LabelSelector, Reader, TaskFilter};

/// An answer from the read model, with its tag.
pub(super) fn read(answer: Answer) -> Response {
    let tag = answer.tag.clone();
    let is_there = answer.body.is_ok();
    let response = read_untagged(answer);
    if is_there { with_tag(response, &tag) } else { response }
}

/// The running deployments.
pub(super) fn deployments(model: &Reader<'_>, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    read(model.deployments(query.all("embed").any(|part| part == "progress")))
}

/// The same for an answer that tells more than what the read model knows.
fn read_untagged(answer: Answer) -> Response {
    let response = match answer.body {
        Ok(body) => rendered(StatusCode::OK, body),
        Err(missing) => refusal::missing(&missing),
    };
    with_event_id(response, answer.position)
}

/// Says how far the stream of events had come when an answer was taken from the read model: whoever follows the stream from there
/// misses nothing and sees nothing twice.
fn with_event_id(mut response: Response, position: Position) -> Response {
    if let Ok(id) = HeaderValue::from_str(&EventId::end_of(position).to_string()) {
        response.headers_mut().insert(EVENT_ID, id);
    }
    response
}

/// The list of apps. It is large: what the client has already is not even put together.
pub(super) fn apps(service: &Service, model: &Reader<'_>, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let label = match query.first("label").map(LabelSelector::parse).transpose() {
        Ok(label) => label,
        Err(error) => return answer::message(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    };
    let part = |name| query.first(name).map(str::to_owned);
    let filter = AppFilter { cmd: part("cmd"), id: part("id"), label };
    let shown = listed(service, &query);
    if shown.task_stats.is_none() && request.headers().contains_key(header::IF_NONE_MATCH) {
        let state = model.state();
        if is_known(request.headers(), &state.tag) {
            return with_tag(with_event_id(StatusCode::NOT_MODIFIED.into_response(), state.position), &state.tag);
        }
    }
    read_apps(model.apps(&filter, shown), shown)
}

/// Some apps. For how long their tasks have been running changes with time alone, and no state has a name for that.
fn read_apps(answer: Answer, shown: AppParts) -> Response {
    match shown.task_stats {
        Some(_) => read_untagged(answer),
        None => read(answer),
    }
}

/// One app. Its tag is also a digest of the whole answer.
pub(super) fn app(service: &Service, model: &Reader<'_>, app: &RunSpecId, request: &Request<Body>) -> Response {
    let shown = AppParts::single(Query::of(request.uri()).all("embed"), now());
    read(model.app(app, shown.with_legacy_ports(service.configuration.emit_legacy_ports)))
}

/// What is shown of each app in a list.
fn listed(service: &Service, query: &Query) -> AppParts {
    AppParts::list(query.all("embed"), now()).with_legacy_ports(service.configuration.emit_legacy_ports)
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

pub(super) fn apps_of_group(service: &Service, model: &Reader<'_>, group: &str, request: &Request<Body>) -> Response {
    let shown = listed(service, &Query::of(request.uri()));
    read_apps(model.apps_of_group(group, shown), shown)
}

pub(super) fn app_list_of_group(
    service: &Service,
    model: &Reader<'_>,
    group: &GroupId,
    request: &Request<Body>,
) -> Response {
    let shown = listed(service, &Query::of(request.uri()));
    read_apps(model.app_list_of_group(group.as_str(), shown), shown)
}

pub(super) fn group(service: &Service, model: &Reader<'_>, group: &GroupId, request: &Request<Body>) -> Response {
    let shown = GroupParts::new(Query::of(request.uri()).all("embed"), now());
    read(model.group(group, shown.with_legacy_ports(service.configuration.emit_legacy_ports)))
}

pub(super) fn group_version(model: &Reader<'_>, group: &GroupId, written: &str) -> Response {
    read(model.group_version(group, Version::parse(written), written))
}

pub(super) fn version(model: &Reader<'_>, app: &RunSpecId, written: &str) -> Response {
    read(model.version(app, Version::parse(written), written))
}

pub(super) fn tasks(model: &Reader<'_>, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let wanted: Vec<&str> = query.all("status").chain(query.all("status[]")).collect();
    let filter = match (wanted.contains(&"running"), wanted.contains(&"staging")) {
        (true, false) => TaskFilter::Running,
        (false, true) => TaskFilter::Staging,
        (true, true) | (false, false) => TaskFilter::All,
    };
    read(model.tasks(filter))
}

pub(super) fn queue(model: &Reader<'_>, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let asked_for = |part| query.all("embed").any(|value| value == part);
    let parts = QueueParts {
        unused_offers: asked_for("lastUnusedOffers"),
        conditions: asked_for("conditions"),
        nearest_fits: asked_for("nearestFits"),
    };
    // How long a delay still lasts changes with time alone.
    read_untagged(model.queue(parts, now()))
}

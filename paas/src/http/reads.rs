//! Answers from the read model.

use std::time::SystemTime;

use attica_core_api::Timestamp;
use attica_core_store::Position;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};

use super::answer::rendered;
use super::query::Query;
use super::{answer, refusal};
use crate::events::EventId;
use crate::model::{GroupId, RunSpecId, Version};
use crate::normalise::UnusedOffers;
use crate::read_model::{Answer, AppFilter, AppParts, GroupParts, LabelSelector, ReadModel, TaskFilter};

/// How far the stream of events had come when an answer was taken from the read model: whoever follows the stream from here misses
/// nothing and sees nothing twice.
const EVENT_ID: HeaderName = HeaderName::from_static("attica-event-id");

/// An answer from the read model.
pub(super) fn read(answer: Answer) -> Response {
    let response = match answer.body {
        Ok(body) => rendered(StatusCode::OK, body),
        Err(missing) => refusal::missing(&missing),
    };
    with_event_id(response, answer.position)
}

fn with_event_id(mut response: Response, position: Position) -> Response {
    if let Ok(id) = HeaderValue::from_str(&EventId::end_of(position).to_string()) {
        response.headers_mut().insert(EVENT_ID, id);
    }
    response
}

/// The same, with the version of what was read as its tag.
pub(super) fn read_tagged(answer: Answer) -> Response {
    match answer.body {
        Ok(_) => {
            let tag = answer.tag.clone();
            with_tag(read(answer), &tag)
        }
        Err(_) => read(answer),
    }
}

/// The list of apps; unchanged since the client last asked (`If-None-Match`), 304.
pub(super) fn apps(model: &ReadModel, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let label = match query.first("label").map(LabelSelector::parse).transpose() {
        Ok(label) => label,
        Err(error) => return answer::message(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    };
    let part = |name| query.first(name).map(str::to_owned);
    let filter = AppFilter { cmd: part("cmd"), id: part("id"), label };
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    if let Some(known) = known {
        let state = model.state();
        if known == state.tag {
            return with_tag(with_event_id(StatusCode::NOT_MODIFIED.into_response(), state.position), known);
        }
    }
    let answer = model.apps(&filter, AppParts::list(query.all("embed")));
    let tag = answer.tag.clone();
    with_tag(read(answer), &tag)
}

fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

pub(super) fn apps_of_group(model: &ReadModel, group: &str, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    read(model.apps_of_group(group, AppParts::list(query.all("embed"))))
}

pub(super) fn app_list_of_group(model: &ReadModel, group: &GroupId, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    read(model.app_list_of_group(group.as_str(), AppParts::list(query.all("embed"))))
}

pub(super) fn group(model: &ReadModel, group: &GroupId, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    read_tagged(model.group(group, GroupParts::new(query.all("embed"))))
}

pub(super) fn group_version(model: &ReadModel, group: &GroupId, written: &str) -> Response {
    read(model.group_version(group, Version::parse(written), written))
}

pub(super) fn version(model: &ReadModel, app: &RunSpecId, written: &str) -> Response {
    read(model.version(app, Version::parse(written), written))
}

pub(super) fn tasks(model: &ReadModel, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let wanted: Vec<&str> = query.all("status").chain(query.all("status[]")).collect();
    let filter = match (wanted.contains(&"running"), wanted.contains(&"staging")) {
        (true, false) => TaskFilter::Running,
        (false, true) => TaskFilter::Staging,
        (true, true) | (false, false) => TaskFilter::All,
    };
    read(model.tasks(filter))
}

pub(super) fn queue(model: &ReadModel, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let shown = query.all("embed").any(|value| value == "lastUnusedOffers");
    let unused = if shown { UnusedOffers::Shown } else { UnusedOffers::Hidden };
    read(model.queue(unused, Timestamp::from(SystemTime::now())))
}

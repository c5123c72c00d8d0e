//! Answers from the read model.

use std::time::SystemTime;

use attica_core_api::Timestamp;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};

use super::answer::rendered;
use super::query::Query;
use super::{answer, refusal};
use crate::model::{RunSpecId, Version};
use crate::normalise::UnusedOffers;
use crate::read_model::{AppFilter, AppParts, GroupParts, LabelSelector, Missing, ReadModel, TaskFilter};

pub(super) fn result(body: Result<Bytes, Missing>) -> Response {
    match body {
        Ok(body) => rendered(StatusCode::OK, body),
        Err(missing) => refusal::missing(&missing),
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
    if known.is_some_and(|known| known == model.tag()) {
        return with_tag(StatusCode::NOT_MODIFIED.into_response(), known.unwrap_or_default());
    }
    let (tag, body) = model.apps(&filter, AppParts::list(query.all("embed")));
    with_tag(rendered(StatusCode::OK, body), &tag)
}

fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

pub(super) fn apps_of_group(model: &ReadModel, group: &str, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    result(model.apps_of_group(group, AppParts::list(query.all("embed"))))
}

pub(super) fn app_list_of_group(model: &ReadModel, group: &str, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    result(model.app_list_of_group(group, AppParts::list(query.all("embed"))))
}

pub(super) fn group(model: &ReadModel, group: &str, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    result(model.group(group, GroupParts::new(query.all("embed"))))
}

pub(super) fn version(model: &ReadModel, app: &RunSpecId, written: &str) -> Response {
    result(model.version(app, Version::parse(written), written))
}

pub(super) fn tasks(model: &ReadModel, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let wanted: Vec<&str> = query.all("status").chain(query.all("status[]")).collect();
    let filter = match (wanted.contains(&"running"), wanted.contains(&"staging")) {
        (true, false) => TaskFilter::Running,
        (false, true) => TaskFilter::Staging,
        (true, true) | (false, false) => TaskFilter::All,
    };
    rendered(StatusCode::OK, model.tasks(filter))
}

pub(super) fn queue(model: &ReadModel, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let shown = query.all("embed").any(|value| value == "lastUnusedOffers");
    let unused = if shown { UnusedOffers::Shown } else { UnusedOffers::Hidden };
    rendered(StatusCode::OK, model.queue(unused, Timestamp::from(SystemTime::now())))
}

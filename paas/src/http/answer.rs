//! Answers and their headers.

use attica_paas_api::ErrorBody;
use attica_paas_api::deployment::DeploymentResult;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::model::{DeploymentId, Version};
use crate::normalise;
use crate::read_model::Document;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Names the deployment that a write started.
const DEPLOYMENT_ID: HeaderName = HeaderName::from_static("marathon-deployment-id");
/// Names the leader, as a URL.
const LEADER: HeaderName = HeaderName::from_static("x-marathon-leader");

/// Names the event that an answer contains, and all before it.
pub(super) const EVENT_ID: HeaderName = HeaderName::from_static("attica-event-id");

/// Rendered JSON.
pub(super) fn rendered(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], body.into()).into_response()
}

impl From<Document> for Body {
    fn from(document: Document) -> Self {
        Self::new(document)
    }
}

/// A document of the API.
pub(super) fn document(status: StatusCode, value: &impl Serialize) -> Response {
    rendered(status, normalise::json(value))
}

/// A refusal that is one sentence.
pub(super) fn message(status: StatusCode, message: impl Into<String>) -> Response {
    document(status, &ErrorBody::message(message))
}

/// What is asked for is at another address of this server.
pub(super) fn elsewhere(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(address) => (StatusCode::FOUND, [(header::LOCATION, address)]).into_response(),
        // What no header can hold is the address of nothing.
        Err(_) => message(StatusCode::NOT_FOUND, "URI not found"),
    }
}

/// What may be done at an address, to somebody who asks just that.
pub(super) fn allows(methods: &str) -> Response {
    let mut response = StatusCode::OK.into_response();
    if let Ok(methods) = HeaderValue::from_str(&format!("{methods}, OPTIONS")) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// A refusal because nothing can be made durable at this moment.
pub(super) fn unavailable(text: impl Into<String>) -> Response {
    let mut response = message(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A write that started a deployment.
pub(super) fn deployed(status: StatusCode, version: Version, deployment: DeploymentId) -> Response {
    let result = DeploymentResult { version: version.to_string(), deployment_id: deployment.to_string() };
    with_deployment(document(status, &result), deployment)
}

/// The same answer, naming the deployment.
pub(super) fn with_deployment(mut response: Response, deployment: DeploymentId) -> Response {
    if let Ok(id) = HeaderValue::from_str(&deployment.to_string()) {
        response.headers_mut().insert(DEPLOYMENT_ID, id);
    }
    response
}

/// The tag without the promise that the bytes are the same.
pub(super) fn weak(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.to_str().ok().filter(|tag| !tag.starts_with("W/"))?;
    HeaderValue::from_str(&format!("W/{tag}")).ok()
}

/// Whether the client knows what has this tag: its `If-None-Match` names it, or anything.
pub(super) fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let lists = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    lists.flat_map(|list| list.split(',')).any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

/// The answer to a read, or 304 where the client has it already.
pub(super) fn unless_known(known: &HeaderMap, response: Response) -> Response {
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    if response.status() != StatusCode::OK || !tag.is_some_and(|tag| is_known(known, tag)) {
        return response;
    }
    let mut unchanged = StatusCode::NOT_MODIFIED.into_response();
    for name in [header::ETAG, EVENT_ID] {
        if let Some(value) = response.headers().get(&name) {
            unchanged.headers_mut().insert(name, value.clone());
        }
    }
    unchanged
}

/// Tell browsers what not to do with an answer.
const GUARDING: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_XSS_PROTECTION, "1; mode=block"),
];
/// Tell everybody not to keep an answer.
const FLEETING: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
    (header::PRAGMA, "no-cache"),
    (header::EXPIRES, "0"),
];

/// The headers that every answer carries, unless it says otherwise itself.
pub(super) fn add_standard_headers(headers: &mut HeaderMap) {
    add(headers, GUARDING);
    add(headers, FLEETING);
}

/// The same for what the console answers, whose files may be kept.
pub(super) fn add_console_headers(headers: &mut HeaderMap) {
    add(headers, GUARDING);
    if !headers.contains_key(header::CACHE_CONTROL) {
        add(headers, FLEETING);
    }
}

fn add(headers: &mut HeaderMap, standard: [(HeaderName, &'static str); 3]) {
    for (name, value) in standard {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Names the leader.
pub(super) fn name_leader(headers: &mut HeaderMap, scheme: &str, address: &str) {
    if let Ok(url) = HeaderValue::from_str(&format!("{scheme}://{address}")) {
        headers.insert(LEADER, url);
    }
}

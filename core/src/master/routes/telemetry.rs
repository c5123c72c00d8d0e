//! `/health`, `/version`, `/metrics/snapshot`, `/metrics`: what every master says about itself.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode};

use super::answer::{Query, empty, json, with};
use crate::master::identity::{Identity, version_members};
use crate::master::leader::Leader;
use crate::master::metrics::{self, Metric};
use crate::master::view::Document;

pub(super) fn health() -> Response {
    empty(StatusCode::OK)
}

pub(super) fn version(request: &Request) -> Response {
    let mut document = Document::new();
    document.members(version_members());
    json(&Query::of(request), document)
}

/// Flat JSON, with Mesos's names.
pub(super) fn snapshot(identity: &Identity, leader: Option<&Leader>, request: &Request) -> Response {
    let mut document = Document::new();
    for Metric { name, value, .. } in metrics::collect(identity, leader) {
        document.members(format!("\"{name}\":{value:?}"));
    }
    json(&Query::of(request), document)
}

/// Prometheus's text format.
pub(super) fn prometheus(identity: &Identity, leader: Option<&Leader>) -> Response {
    let text = metrics::prometheus_text(&metrics::collect(identity, leader));
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    with(StatusCode::OK, content_type, Body::from(text))
}

//! `/health`, `/version`, `/flags`, `/metrics/snapshot`, `/metrics`, `/system/stats.json`, `/help`: what every master says about
//! itself.

use std::fmt::Write as _;
use std::sync::Arc;

use attica_core_api::auth::Realm;
use attica_core_api::logging::Logging;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode};

use super::answer::{Query, empty, json, plain, with};
use super::table::{Endpoint, ROUTES};
use crate::master::duration::parse_duration;
use crate::master::identity::{Identity, version_members};
use crate::master::leader::Leader;
use crate::master::metrics::{self, Metric};
use crate::master::system;
use crate::master::view::Document;

pub(super) fn health() -> Response {
    empty(StatusCode::OK)
}

pub(super) fn version(query: &Query) -> Response {
    let mut document = Document::new();
    document.members(version_members());
    json(query, document)
}

/// Flat JSON, with Mesos's names. All of it is at hand: no `timeout` is ever exceeded.
pub(super) fn snapshot(identity: &Identity, leader: Option<&Leader>, query: &Query) -> Response {
    if let Some(timeout) = query.get("timeout")
        && let Err(error) = attica_core_api::parse_duration(timeout)
    {
        return plain(StatusCode::BAD_REQUEST, format!("Invalid timeout '{timeout}': {error}.\n"));
    }
    let mut document = Document::new();
    for Metric { name, value, .. } in metrics::collect(identity, leader) {
        document.members(format!("\"{name}\":{value:?}"));
    }
    json(query, document)
}

/// Prometheus's text format.
pub(super) fn prometheus(identity: &Identity, leader: Option<&Leader>) -> Response {
    let text = metrics::prometheus_text(&metrics::collect(identity, leader));
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    with(StatusCode::OK, content_type, Body::from(text))
}

/// What this master was started with.
pub(super) fn flags(identity: &Identity, query: &Query) -> Response {
    let mut document = Document::new();
    document.members(identity.flag_members());
    json(query, document)
}

/// How much is logged; `?level=1&duration=10mins` logs more for a while.
pub(super) fn toggle_logging(logging: &Arc<Logging>, query: &Query) -> Response {
    let refused = |text: &str| plain(StatusCode::BAD_REQUEST, format!("{text}\n"));
    let (level, duration) = match (query.get("level"), query.get("duration")) {
        (None, None) => return plain(StatusCode::OK, format!("{}\n", logging.level())),
        (None, Some(_)) => return refused("Expecting 'level=value' in query."),
        (Some(_), None) => return refused("Expecting 'duration=value' in query."),
        (Some(level), Some(duration)) => (level, duration),
    };
    let Ok(level) = level.parse::<u32>() else { return refused(&format!("Failed to parse level '{level}'.")) };
    let Ok(duration) = parse_duration(duration) else {
        return refused(&format!("Failed to parse duration '{duration}'."));
    };
    match logging.set(level, duration.duration()) {
        Ok(()) => empty(StatusCode::OK),
        Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

/// The machine that this master runs on. Not a name of Mesos's metrics: the same figures in another form.
pub(super) fn system(query: &Query) -> Response {
    let mut document = Document::new();
    document.members(system::members_now());
    json(query, document)
}

/// Everything there is, for people who look around.
pub(super) fn help() -> Response {
    let mut page = "<!DOCTYPE html><html lang=\"en\"><head><title>Help</title></head><body><h1>Endpoints</h1><table>\n\
        <tr><th>path</th><th>methods</th><th>answered by</th><th>realm</th></tr>\n"
        .to_owned();
    for route in ROUTES {
        let methods: Vec<&str> = route.methods.iter().map(http::Method::as_str).collect();
        let methods = if methods.is_empty() { "GET".to_owned() } else { methods.join(", ") };
        let audience = match route.endpoint {
            Endpoint::Every(_) => "every master",
            Endpoint::Leader(_) => "the leader",
        };
        let realm = route.needs.realm().map_or("none", Realm::name);
        let path = route.pattern();
        // Writing to a string cannot fail.
        let _ = writeln!(page, "<tr><td>{path}</td><td>{methods}</td><td>{audience}</td><td>{realm}</td></tr>");
    }
    page.push_str("</table></body></html>\n");
    with(StatusCode::OK, HeaderValue::from_static("text/html"), Body::from(page))
}

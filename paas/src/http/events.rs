//! `GET /v2/events`.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, Request, StatusCode, header};

use super::answer;
use super::query::Query;
use super::service::Leading;
use super::writes::client_ip;
use crate::events::{EventFilter, EventId, Start, Subscription, body};

/// Streams that one leader serves; each costs a connection and a socket buffer.
const STREAMS_MAX: usize = 10_000;

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells proxies to pass on what comes when it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(super) fn stream(leading: &Arc<Leading>, request: &Request<Body>) -> Response {
    if !accepts_events(request.headers()) {
        return answer::message(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("Events are only sent as {EVENT_STREAM}: accept that"),
        );
    }
    if leading.bus.subscribers() >= STREAMS_MAX {
        return answer::unavailable(format!("{STREAMS_MAX} event streams are open already"));
    }
    let query = Query::of(request.uri());
    let filter = EventFilter { event_types: query.all("event_type").map(str::to_owned).collect() };
    let reached = EventId::end_of(leading.model.position());
    let start = start(request.headers(), &query);
    let subscription =
        Subscription::new(Arc::clone(&leading.bus), leading.history.clone(), filter, start, reached);
    let headers = [(header::CONTENT_TYPE, EVENT_STREAM), (header::CACHE_CONTROL, "no-cache"), (ACCEL_BUFFERING, "no")];
    (headers, Body::from_stream(body(subscription, client_ip(request)))).into_response()
}

/// Where the client wants to go on: the header that browsers send on their own, or the parameter.
fn start(headers: &HeaderMap, query: &Query) -> Start {
    let header = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    match header.or_else(|| query.first("lastEventId")).map(str::trim) {
        None | Some("") => Start::Now,
        Some(id) => EventId::parse(id).map_or(Start::Unknown, Start::After),
    }
}

/// Whether the Accept header allows an event stream. None, and any wildcard that covers it, do.
fn accepts_events(headers: &HeaderMap) -> bool {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .peekable();
    ranges.peek().is_none()
        || ranges.any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let refused =
                parts.any(|parameter| parameter.strip_prefix("q=").is_some_and(|quality| quality.parse() == Ok(0.0)));
            !refused && ["*/*", "text/*", EVENT_STREAM, ""].iter().any(|accepted| media.eq_ignore_ascii_case(accepted))
        })
}

//! `/v2/events`: streams, and what their consumers acknowledge.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use attica_paas_api::consumer::Acknowledgement;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, Request, StatusCode, header};

use super::query::Query;
use super::service::{Leading, Service, WriteOutcome};
use super::writes::{Asked, client_ip};
use super::{answer, body, full_plans, guard, refusal};
use crate::access::Permission;
use crate::engine::Write;
use crate::events::{self, EventFilter, EventId, Reader, Start, Subscription};
use crate::model::ConsumerName;
use crate::validate::Faults;

/// Streams that one leader serves; each costs a connection and a socket buffer.
const STREAMS_MAX: usize = 10_000;

pub(super) const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells proxies to pass on what comes when it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An event stream. With `?ack=<name>` it begins only once kills wait for that consumer: whatever it reads then shows every kill that
/// did not.
pub(super) async fn stream(service: &Arc<Service>, leading: &Arc<Leading>, request: Request<Body>) -> Response {
    if !accepts_events(request.headers()) {
        return answer::message(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("Events are only sent as {EVENT_STREAM}: accept that"),
        );
    }
    if leading.bus.subscribers() >= STREAMS_MAX {
        return answer::unavailable(format!("{STREAMS_MAX} event streams are open already"));
    }
    let asked = Asked::of(&request);
    let query = &asked.query;
    let consumer = match query.first("ack").map(ConsumerName::parse).transpose() {
        Ok(consumer) => consumer,
        Err(error) => return refusal::invalid(Faults::one("/ack", error.to_string())),
    };
    let proven = guard::proven(&request);
    // Kills wait for such a one, whosever they are.
    if consumer.is_some()
        && let Err(lacking) = proven.caller.need(Permission::View, "/")
    {
        return guard::lacking(&lacking);
    }
    let sight = proven.caller.sight();
    let full = full_plans::wanted(query).then(|| (Arc::clone(&leading.model), sight.clone()));
    let reader = if consumer.is_some() { Reader::Acknowledging } else { Reader::Watching };
    let filter = EventFilter { event_types: query.all("event_type").map(str::to_owned).collect(), reader, sight };
    let start = start(request.headers(), query);
    let reached = EventId::end_of(leading.model.position());
    let subscription = Subscription::new(Arc::clone(&leading.bus), leading.history.clone(), filter, start, reached);
    if let Some(consumer) = consumer
        && let Some(refused) = join(service, leading, asked, consumer, subscription.position()).await
    {
        return refused;
    }
    let headers = [(header::CONTENT_TYPE, EVENT_STREAM), (header::CACHE_CONTROL, "no-cache"), (ACCEL_BUFFERING, "no")];
    // Whoever may read something else from now on comes again.
    let changed = {
        let (service, model) = (Arc::clone(service), Arc::clone(&leading.model));
        async move { service.sign_in.changed(model, proven).await }
    };
    let sent = service.metrics.event_bytes();
    let events = events::body(subscription, client_ip(&request)).take_until(Box::pin(changed));
    let events = events.map_ok(move |frames| match &full {
        Some((model, sight)) => full_plans::in_full(&model.seen_by(sight.clone()), frames),
        None => frames,
    });
    let events = events.inspect_ok(move |bytes| {
        sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    });
    (headers, Body::from_stream(events)).into_response()
}

/// How far a consumer has come.
pub(super) async fn acknowledge(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let asked = Asked::of(&request);
    let Acknowledgement { name, position } = match body::document(request.into_body()).await {
        Ok(acknowledgement) => acknowledgement,
        Err(refused) => return refused,
    };
    let reached = EventId::end_of(leading.model.position());
    let mut faults = Faults::default();
    let consumer = ConsumerName::parse(&name).map_err(|error| faults.add("/name", error.to_string())).ok();
    let position = EventId::from_number(position).filter(|position| *position <= reached);
    if position.is_none() {
        faults.add("/position", format!("must be the id of an event: from 0 to {reached} at this moment"));
    }
    match consumer.zip(position) {
        Some((consumer, position)) => {
            let outcome = service.write(leading, acknowledgement(leading, consumer, position), asked).await;
            refused(outcome).unwrap_or_else(|| StatusCode::NO_CONTENT.into_response())
        }
        None => refusal::invalid(faults),
    }
}

/// Has kills wait for a consumer, from the next one on.
async fn join(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    consumer: ConsumerName,
    position: EventId,
) -> Option<Response> {
    refused(service.write(leading, acknowledgement(leading, consumer, position), asked).await)
}

/// The engine counts its own facts; the first of them came after the position at which it began.
fn acknowledgement(leading: &Leading, consumer: ConsumerName, position: EventId) -> Write {
    Write::Acknowledge { consumer, seen: position.fact().0 - leading.began_at.0 }
}

fn refused(outcome: Result<WriteOutcome, Response>) -> Option<Response> {
    match outcome {
        Ok(Ok(_done)) => None,
        Ok(Err(refused)) => Some(refusal::refused(refused)),
        Err(response) => Some(response),
    }
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

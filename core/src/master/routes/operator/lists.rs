//! The large answers: from the read model, in pieces; and SUBSCRIBE, which begins with all of them. For a caller under rules they are
//! put together as messages first, and what is not for him is taken out.

use std::sync::Arc;

use attica_core_api::auth::Viewer;
use attica_core_api::http::{Connection, MediaType};
use attica_core_api::operator::{Event, EventType, Response as Answer};
use attica_core_api::{decode_proto, encode_json, encode_proto, recordio};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;

use super::encoded;
use crate::master::leader::Leader;
use crate::master::routes::answer::{Rejection, plain, with};
use crate::master::view::{Concealment, Content, Listing, Member, Parts};

/// Answers with a list. It is put together on a thread where that holds nobody up, and only for as many readers at a time as there is
/// memory for.
pub(super) async fn list(leader: &Arc<Leader>, listing: Listing, media: MediaType, viewer: Viewer) -> Response {
    let Ok(permit) = leader.readers.clone().acquire_owned().await else {
        unreachable!("the semaphore is never closed");
    };
    let model = leader.model.clone();
    let built = tokio::task::spawn_blocking(move || {
        if viewer.is_unrestricted() {
            let body = Parts::of(model.listing(listing), media).body(permit);
            return with(StatusCode::OK, media.header_value(), Body::new(body));
        }
        let mut answer: Answer = message(model.listing(listing));
        Concealment::new(&viewer, model.as_ref()).answer(&mut answer);
        encoded(media, &answer)
    });
    match built.await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, ?listing, "cannot build a list");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
        }
    }
}

/// Opens a stream: the state, and what happens from then on.
pub(super) async fn subscribe(
    leader: &Arc<Leader>,
    media: MediaType,
    connection: Option<Connection>,
    viewer: Viewer,
) -> Result<Response, Rejection> {
    let Ok(_permit) = leader.readers.clone().acquire_owned().await else {
        unreachable!("the semaphore is never closed");
    };
    let model = leader.model.clone();
    let interval_seconds = leader.streams.operator_interval().as_secs_f64();
    let written = tokio::task::spawn_blocking(move || {
        let (state, place) = model.watch(media, &viewer);
        let event = subscribed(state, interval_seconds);
        if viewer.is_unrestricted() {
            return (recordio::encode(&Parts::of(event, media).bytes()), place);
        }
        let event: Event = message(event);
        let event = Concealment::new(&viewer, model.as_ref()).event(&event).unwrap_or_default();
        let written = match media {
            MediaType::Json => encode_json(&event),
            MediaType::Protobuf => encode_proto(&event),
        };
        (recordio::encode(&written), place)
    });
    let busy = || Rejection::Invalid {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "Too much happens at the moment; try again".to_owned(),
    };
    let (first, place) = written.await.map_err(|_| busy())?;
    let heartbeat = leader.streams.operator_heartbeat(media);
    let (sender, body) = place.open(vec![first, heartbeat], connection).ok_or_else(busy)?;
    leader.streams.keep_operator(sender, media);
    Ok(with(StatusCode::OK, media.header_value(), Body::new(body)))
}

/// Parts as the message that they are the encoding of.
fn message<M: attica_core_api::message::Message>(parts: Vec<Member>) -> M {
    match decode_proto(&Parts::of(parts, MediaType::Protobuf).bytes()) {
        Ok(message) => message,
        Err(error) => unreachable!("what was encoded here can be decoded: {error}"),
    }
}

/// The event SUBSCRIBED.
fn subscribed(state: Vec<Member>, interval_seconds: f64) -> Vec<Member> {
    let kind = EventType::Subscribed;
    let kind = Content::Enum(kind.name(), kind.number().unsigned_abs());
    let members = vec![
        Member::parts("get_state", 1, state),
        Member { name: "heartbeat_interval_seconds", tag: 2, content: Content::Double(interval_seconds) },
    ];
    vec![Member { name: "type", tag: 1, content: kind }, Member::parts("subscribed", 2, members)]
}

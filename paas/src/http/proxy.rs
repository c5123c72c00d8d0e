//! A process that does not lead hands requests on to the one that does.

use std::sync::Arc;
use std::time::Duration;

use attica_core_api::http::{BodyPatience, read_body};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};

use super::route::{Route, route};
use super::service::Service;
use super::writes::client_ip;
use super::{answer, same_origin};

/// How long a request waits for a leader to be known.
const LEADER_TIMEOUT: Duration = Duration::from_millis(2500);
/// Named by Marathon: every process that a request went through, to detect loops.
const VIA: HeaderName = HeaderName::from_static("x-marathon-via");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Headers that concern one connection only.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    HeaderName::from_static("keep-alive"),
];

/// Answers in the leader's name, once it is known; events by a redirect.
pub(super) async fn hand_on(service: &Arc<Service>, request: Request<Body>) -> Response {
    let address = match leader_address(service).await {
        Somebody::Here(leading) => return service.serve(&leading, request).await,
        Somebody::At(address) => address,
        Somebody::Nobody => {
            return answer::message(StatusCode::BAD_GATEWAY, "Could not determine the current leader");
        }
    };
    let Some(uri) = uri(service, &address, &request) else {
        return answer::message(StatusCode::BAD_GATEWAY, format!("The leader's address '{address}' is not one"));
    };
    if route(request.method(), request.uri().path()) == Ok(Route::Events) {
        let location = uri.to_string();
        return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    }
    let own_via = format!("1.1 {}", service.address);
    if request.headers().get_all(VIA).iter().any(|via| *via == own_via) {
        return answer::message(StatusCode::BAD_GATEWAY, "Detected proxying loop.");
    }
    forward(service, &uri, &own_via, request).await
}

enum Somebody {
    /// This process, by now.
    Here(Arc<super::Leading>),
    /// Another one.
    At(String),
    /// It did not become known in time.
    Nobody,
}

async fn leader_address(service: &Service) -> Somebody {
    let (mut leading, mut leader) = (service.leading.clone(), service.leader.clone());
    let known = async {
        loop {
            if let Some(leading) = leading.borrow_and_update().clone() {
                return Somebody::Here(leading);
            }
            let address = leader.borrow_and_update().as_ref().map(|leader| leader.address.clone());
            // Our own address means that we have won and do not serve yet.
            if let Some(address) = address.filter(|address| *address != service.address) {
                return Somebody::At(address);
            }
            let changed = tokio::select! {
                changed = leading.changed() => changed,
                changed = leader.changed() => changed,
            };
            if changed.is_err() {
                return Somebody::Nobody;
            }
        }
    };
    tokio::time::timeout(LEADER_TIMEOUT, known).await.unwrap_or(Somebody::Nobody)
}

fn uri(service: &Service, address: &str, request: &Request<Body>) -> Option<Uri> {
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    service.client.uri(address, path)
}

async fn forward(service: &Service, uri: &Uri, own_via: &str, request: Request<Body>) -> Response {
    let client_ip = client_ip(&request);
    let (parts, body) = request.into_parts();
    let mut headers = end_to_end(parts.headers);
    // They are about the address of this process, and were looked at here.
    for name in [header::ORIGIN, same_origin::FETCH_SITE] {
        headers.remove(name);
    }
    for (name, value) in [(VIA, own_via), (FORWARDED_FOR, client_ip.as_str())] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(name, value);
        }
    }
    let route = route(&parts.method, parts.uri.path());
    // A program takes what is written to it when it likes, and a backup takes as long as it is large.
    let client = match route {
        Ok(Route::SessionInput { .. } | Route::AttachInput(_) | Route::Restore) => &service.sessions.client,
        _ => &service.client,
    };
    let answered = match (route, parts.extensions.get::<BodyPatience>()) {
        (Ok(Route::Restore), Some(patience)) => {
            patience.lift();
            client.pass(parts.method, uri, headers, body).await
        }
        (_, _) => match read_body(body).await {
            Ok(body) => client.request(parts.method, uri, headers, body).await,
            Err(error) => return answer::message(error.status(), error.to_string()),
        },
    };
    match answered {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            parts.headers = end_to_end(parts.headers);
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot hand a request on");
            answer::message(StatusCode::BAD_GATEWAY, format!("Cannot reach the leader: {error}"))
        }
    }
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    HOP_BY_HOP.iter().for_each(|name| {
        headers.remove(name);
    });
    headers
}

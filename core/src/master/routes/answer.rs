//! The forms of answers.

use std::borrow::Cow;
use std::collections::HashMap;

use attica_core_api::http::{BodyError, jsonp, media::MediaError};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};

use crate::kernel::Refusal;
use crate::master::leader::Unavailable;
use crate::master::view::Document;

/// How long a client should wait before it tries again while writes do not get through.
const RETRY_AFTER_SECONDS: &str = "1";

/// A text: all errors are.
pub(super) fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    with(status, HeaderValue::from_static("text/plain; charset=utf-8"), Body::from(text.into()))
}

/// No body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A body of some type.
pub(super) fn with(status: StatusCode, content_type: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// 307 to another master; protocol-relative, as clients of Mesos expect it.
pub(super) fn redirect(authority: &str, path: &str) -> Response {
    match HeaderValue::try_from(format!("//{authority}{path}")) {
        Ok(location) => {
            let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "No leader elected"),
    }
}

/// 404
pub(super) fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 Not Found.")
}

/// 405
pub(super) fn method_not_allowed(allowed: &[Method], found: &Method) -> Response {
    let names: Vec<String> = allowed.iter().map(|method| format!("'{method}'")).collect();
    let text = format!("405 Method Not Allowed. Expecting one of {{ {} }}, but received '{found}'.", names.join(", "));
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    if let Ok(allowed) = HeaderValue::try_from(names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// A call that is not taken; nothing has been changed by it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Decode(#[from] attica_core_api::DecodeError),
    #[error("{text}")]
    Invalid { status: StatusCode, text: String },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Rejection {
    /// 400
    pub(super) fn bad(text: impl Into<String>) -> Rejection {
        Rejection::Invalid { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    pub(super) fn into_response(self) -> Response {
        let status = match &self {
            Rejection::Media(error) => error.status(),
            Rejection::Body(error) => error.status(),
            Rejection::Decode(_) => StatusCode::BAD_REQUEST,
            Rejection::Invalid { status, .. } => *status,
            Rejection::Refused(refusal) => {
                StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Rejection::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = plain(status, self.to_string());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body may still come: it must not be taken for the next request.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The parameters of a query string. Unknown ones pass; of a repeated one the last counts.
pub(super) struct Query(HashMap<String, String>);

impl Query {
    pub(super) fn of(request: &Request) -> Query {
        Query::parse(request.uri().query().unwrap_or_default())
    }

    /// Also the form of a body (`application/x-www-form-urlencoded`).
    pub(super) fn parse(text: &str) -> Query {
        let decoded = |part: &str| -> String {
            let spaced: Cow<'_, str> = if part.contains('+') { part.replace('+', " ").into() } else { part.into() };
            percent_decoded(&spaced)
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Query(pairs.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Replaces `%41` by `A`; what is not such an escape stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let escape = |hex: &[u8]| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok();
        let byte = (*first == b'%').then(|| rest.get(..2).and_then(escape)).flatten();
        bytes = if byte.is_some() { &rest[2..] } else { rest };
        decoded.push(byte.unwrap_or(*first));
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A JSON document, as `application/json` or, for `?jsonp=name`, as a script that calls that function.
pub(super) fn json(query: &Query, document: Document) -> Response {
    match query.get("jsonp") {
        None => with(StatusCode::OK, HeaderValue::from_static("application/json"), Body::new(document.finish(None))),
        Some(function) if jsonp::is_function_name(function) => with(
            StatusCode::OK,
            HeaderValue::from_static(jsonp::MEDIA_TYPE),
            Body::new(document.finish(Some(function))),
        ),
        Some(_) => plain(StatusCode::BAD_REQUEST, jsonp::NO_FUNCTION),
    }
}

/// A header's value as text.
pub(super) fn header_text(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let request = Request::builder()
            .uri("/tasks?limit=5&order=asc&task_id=a%2Fb%20c+d&bad=%zz&limit=7&&x")
            .body(Body::empty());
        let query = Query::of(&request.unwrap());
        for (name, value) in [("limit", "7"), ("order", "asc"), ("task_id", "a/b c d"), ("bad", "%zz"), ("x", "")] {
            assert_eq!(query.get(name), Some(value), "{name}");
        }
        assert_eq!(query.get("offset"), None);
    }
}

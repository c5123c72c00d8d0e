//! Documents that come with a request.

use attica_core_api::http::read_body;
use attica_paas_api::access::{Grant, NewToken, SignIn, UserUpdate};
use attica_paas_api::callback::CallbackSettings;
use attica_paas_api::consumer::Acknowledgement;
use attica_paas_api::error::{Details, Fault};
use attica_paas_api::group::{GroupPatch, GroupUpdate};
use attica_paas_api::logging::LoggerChange;
use attica_paas_api::pod::Pod;
use attica_paas_api::session::{Exec, SessionInput};
use attica_paas_api::traffic::LoadBalancer;
use attica_paas_api::update::DeleteTasks;
use attica_paas_api::{AppUpdate, ErrorBody};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::nulls::WithoutNulls;
use super::{answer, misshapen};
use crate::validate::limits;

pub(super) const INVALID: &str = "Invalid JSON";

/// Reads a document of the API.
///
/// # Errors
/// The answer: 413 or 408 for a body that is too large or too slow, 400 for one that is not JSON, 422 for one of another shape,
/// with the path.
pub(super) async fn document<T: Shape>(body: Body) -> Result<T, Response> {
    let bytes = read_body(body).await.map_err(|error| answer::message(error.status(), error.to_string()))?;
    if bytes.len() > limits::BODY_BYTES_MAX {
        // It was read to its end nevertheless, so that clients which write before they read get to see the answer.
        let text = format!("The request body is larger than {} bytes", limits::BODY_BYTES_MAX);
        return Err(answer::message(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    decode(&bytes).map_err(|(status, body)| answer::document(status, &body))
}

/// The same, where there need not be one.
///
/// # Errors
/// As for one that there is.
pub(super) async fn optional<T: Shape>(body: Body) -> Result<Option<T>, Response> {
    let bytes = read_body(body).await.map_err(|error| answer::message(error.status(), error.to_string()))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    document(Body::from(bytes)).await.map(Some)
}

pub(crate) fn decode<T: Shape>(bytes: &[u8]) -> Result<T, (StatusCode, ErrorBody)> {
    // What is not JSON at all is told first, wherever in the text it breaks off.
    let value = parse(bytes)?;
    // An array would do for an object, member by member: not here.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|first| b"{[".contains(first) && *first != T::BEGINS_WITH) {
        let fault = Fault { path: "/".to_owned(), errors: vec![format!("expected {}", T::NAME)] };
        return Err((StatusCode::UNPROCESSABLE_ENTITY, ErrorBody::faults(INVALID, vec![fault])));
    }
    T::deserialize(value).or_else(|_| {
        let (message, faults) = misshapen::faults::<T>(parse(bytes)?);
        Err((StatusCode::UNPROCESSABLE_ENTITY, ErrorBody::faults(message, faults)))
    })
}

/// The answer to a document in which something is not there.
pub(super) fn missing(path: &str) -> Response {
    let fault = Fault { path: path.to_owned(), errors: vec![misshapen::MISSING.to_owned()] };
    answer::document(StatusCode::UNPROCESSABLE_ENTITY, &ErrorBody::faults(INVALID, vec![fault]))
}

fn parse(bytes: &[u8]) -> Result<Value, (StatusCode, ErrorBody)> {
    serde_json::from_slice(bytes).map(|WithoutNulls(value)| value).map_err(|error| {
        if error.is_data() {
            let (message, fault) = misshapen::fault("/".to_owned(), &error);
            return (StatusCode::UNPROCESSABLE_ENTITY, ErrorBody::faults(message, vec![fault]));
        }
        let details = Some(Details::Text(error.to_string()));
        (StatusCode::BAD_REQUEST, ErrorBody { message: INVALID.to_owned(), details, deployments: None })
    })
}

/// What a whole document looks like from outside.
pub(crate) trait Shape: DeserializeOwned {
    /// Its first character.
    const BEGINS_WITH: u8;
    /// Its name.
    const NAME: &str;
}

impl Shape for AppUpdate {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for GroupUpdate {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for GroupPatch {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for LoggerChange {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for Pod {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for Vec<String> {
    const BEGINS_WITH: u8 = b'[';
    const NAME: &str = "an array";
}

impl Shape for DeleteTasks {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for Acknowledgement {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for CallbackSettings {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for LoadBalancer {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for Exec {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for SessionInput {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for SignIn {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for UserUpdate {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for Grant {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for NewToken {
    const BEGINS_WITH: u8 = b'{';
    const NAME: &str = "an object";
}

impl Shape for Vec<AppUpdate> {
    const BEGINS_WITH: u8 = b'[';
    const NAME: &str = "an array";
}

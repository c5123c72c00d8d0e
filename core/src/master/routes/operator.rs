//! `POST /api/v1`: operator calls. None is built yet; a call is checked for its form and refused by name.

use attica_core_api::http::{MediaType, media, read_body};
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use super::answer::{Rejection, plain};

/// Refuses one call.
pub(super) async fn call(request: Request) -> Response {
    match take(request).await {
        Ok(text) => plain(StatusCode::NOT_IMPLEMENTED, text),
        Err(rejection) => rejection.into_response(),
    }
}

async fn take(request: Request) -> Result<String, Rejection> {
    let media = media::of_request(request.headers())?;
    let body = read_body(request.into_body()).await?;
    let name = match media {
        MediaType::Json => type_of(&body)?,
        // The type is a number whose names we do not list before any of them is built.
        MediaType::Protobuf => "This operator call".to_owned(),
    };
    Ok(format!(
        "{name} is not supported yet; nothing was changed. GET /state, /slaves, /frameworks and /tasks show the cluster"
    ))
}

/// The `type` of a call in JSON.
fn type_of(body: &[u8]) -> Result<String, Rejection> {
    let bad = |text: String| Rejection::Invalid { status: StatusCode::BAD_REQUEST, text };
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) => {
            // The same words as for any other call: they come from decoding any message.
            let error = attica_core_api::decode_json::<attica_core_api::scheduler::Call>(body).err();
            return Err(error.map_or_else(|| bad("Failed to parse body into JSON".to_owned()), Rejection::from));
        }
    };
    let object = value
        .as_object()
        .ok_or_else(|| bad("Failed to convert JSON into Call protobuf: Expecting a JSON object".to_owned()))?;
    let name = object.get("type").and_then(Value::as_str).filter(|name| CALLS.contains(name));
    name.map(str::to_owned)
        .ok_or_else(|| bad("Failed to validate master::Call: Expecting 'type' to be present".to_owned()))
}

/// The operator calls of Mesos.
const CALLS: [&str; 39] = [
    "GET_HEALTH",
    "GET_FLAGS",
    "GET_VERSION",
    "GET_METRICS",
    "GET_LOGGING_LEVEL",
    "SET_LOGGING_LEVEL",
    "LIST_FILES",
    "READ_FILE",
    "GET_STATE",
    "GET_AGENTS",
    "GET_FRAMEWORKS",
    "GET_EXECUTORS",
    "GET_OPERATIONS",
    "GET_TASKS",
    "GET_ROLES",
    "GET_WEIGHTS",
    "UPDATE_WEIGHTS",
    "GET_MASTER",
    "SUBSCRIBE",
    "RESERVE_RESOURCES",
    "UNRESERVE_RESOURCES",
    "CREATE_VOLUMES",
    "DESTROY_VOLUMES",
    "GROW_VOLUME",
    "SHRINK_VOLUME",
    "GET_MAINTENANCE_STATUS",
    "GET_MAINTENANCE_SCHEDULE",
    "UPDATE_MAINTENANCE_SCHEDULE",
    "START_MAINTENANCE",
    "STOP_MAINTENANCE",
    "DRAIN_AGENT",
    "DEACTIVATE_AGENT",
    "REACTIVATE_AGENT",
    "MARK_AGENT_GONE",
    "GET_QUOTA",
    "UPDATE_QUOTA",
    "TEARDOWN",
    "SET_QUOTA",
    "REMOVE_QUOTA",
];

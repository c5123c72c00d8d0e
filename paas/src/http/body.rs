//! Documents that come with a request.

use attica_core_api::http::read_body;
use attica_paas_api::ErrorBody;
use attica_paas_api::error::{Details, Fault};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::answer;

/// Reads a document of the API.
///
/// # Errors
/// The answer: 413 or 408 for a body that is too large or too slow, 400 for one that is not JSON, 422 for one of another shape,
/// with the path.
pub(super) async fn document<T: DeserializeOwned>(body: Body) -> Result<T, Response> {
    let bytes = read_body(body)
        .await
        .map_err(|error| answer::message(error.status(), error.to_string()))?;
    decode(&bytes).map_err(|(status, body)| answer::document(status, &body))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, (StatusCode, ErrorBody)> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = marathon_path(error.path());
        describe(path, error.into_inner())
    })?;
    deserializer.end().map_err(|error| describe("/".to_owned(), error))?;
    Ok(value)
}

fn describe(path: String, error: serde_json::Error) -> (StatusCode, ErrorBody) {
    const MESSAGE: &str = "Invalid JSON";
    if !error.is_data() {
        let details = Some(Details::Text(error.to_string()));
        return (
            StatusCode::BAD_REQUEST,
            ErrorBody { message: MESSAGE.to_owned(), details, deployments: None },
        );
    }
    let text = without_place(&error.to_string());
    if let Some(field) = quoted_after(&text, "unknown field `") {
        // The path already ends with the field.
        let fault = Fault { path, errors: vec![format!("'{field}' is not a known field")] };
        return (
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorBody::faults("Object is not valid", vec![fault]),
        );
    }
    let (path, text) = match quoted_after(&text, "missing field `") {
        Some(field) => {
            (format!("{}/{field}", path.trim_end_matches('/')), "error.path.missing".to_owned())
        }
        None => (path, text),
    };
    let fault = Fault { path, errors: vec![text] };
    (StatusCode::UNPROCESSABLE_ENTITY, ErrorBody::faults(MESSAGE, vec![fault]))
}

/// The parser's sentence without line and column, which the path makes superfluous.
fn without_place(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(sentence, _)| sentence).to_owned()
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.split('`').next()
}

/// `/healthChecks(1)/portIndex`
fn marathon_path(path: &Path) -> String {
    let mut written = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } if written.is_empty() => {
                written.push_str(&format!("/({index})"))
            }
            Segment::Seq { index } => written.push_str(&format!("({index})")),
            Segment::Map { key } => written.push_str(&format!("/{key}")),
            Segment::Enum { variant } => written.push_str(&format!("/{variant}")),
            Segment::Unknown => {}
        }
    }
    if written.is_empty() { "/".to_owned() } else { written }
}

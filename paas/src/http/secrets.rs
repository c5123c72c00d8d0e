//! Secrets: their values come in, and never go out.
//!
//! A value is sealed before anything else is done with it, and no sentence about a body quotes from it.

use std::time::SystemTime;

use attica_core_api::Timestamp;
use attica_core_api::http::read_body;
use attica_core_api::secrets::{ClearText, Purpose, SealError, SealingKey, VALUE_BYTES_MAX};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::service::{Leading, Service};
use super::writes::{self, Asked};
use super::{answer, reads, refusal};
use crate::engine::{Refusal, Reply, Write};
use crate::model::{KeptSecret, SecretPath, Version};
use crate::normalise;
use crate::read_model::Reader;
use crate::validate::{Faults, limits};

/// How often a secret is sealed anew because somebody else wrote it meanwhile.
const ATTEMPTS: usize = 3;

/// The list of secrets.
pub(super) fn list(service: &Service, model: &Reader<'_>) -> Response {
    match &service.secrets_key {
        Some(_) => reads::read(model.secrets()),
        None => no_key(),
    }
}

/// One secret.
pub(super) fn show(service: &Service, model: &Reader<'_>, path: &SecretPath) -> Response {
    match &service.secrets_key {
        Some(_) => reads::read(model.secret(path)),
        None => no_key(),
    }
}

/// PUT of a value.
pub(super) async fn put(service: &Service, leading: &Leading, request: Request<Body>, path: SecretPath) -> Response {
    let Some(key) = &service.secrets_key else { return no_key() };
    let asked = Asked::of(&request);
    let value = match read_value(request.into_body()).await {
        Ok(value) => value,
        Err(refused) => return refused,
    };
    let mut attempt = 1;
    loop {
        let former = leading.model.secret_version(&path);
        let secret = match sealed(key, &path, former, &value) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a secret cannot be sealed");
                return answer::unavailable("The secret cannot be sealed now: nothing was changed");
            }
        };
        let version = secret.version;
        let write = Write::KeepSecret { path: path.clone(), secret, former };
        match service.write(leading, write, asked.clone()).await {
            Ok(Err(Refusal::SecretChanged(_))) if attempt < ATTEMPTS => attempt += 1,
            outcome => {
                let status = if former.is_some() { StatusCode::OK } else { StatusCode::CREATED };
                return writes::answer(outcome, |reply| match reply {
                    Reply::Done => {
                        let shown = leading.model.seen_by(asked.origin.caller.sight()).secret(&path);
                        let shown = shown.body.is_ok().then(|| reads::read(shown));
                        // A dry run, or gone again already.
                        let shown = shown.unwrap_or_else(|| {
                            answer::document(status, &normalise::secret(&path, version, std::iter::empty()))
                        });
                        (status, shown).into_response()
                    }
                    Reply::Deployed { .. } | Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled => {
                        writes::unexpected()
                    }
                });
            }
        }
    }
}

/// DELETE of a secret.
pub(super) async fn delete(service: &Service, leading: &Leading, asked: Asked, path: SecretPath) -> Response {
    if service.secrets_key.is_none() {
        return no_key();
    }
    writes::answer(service.write(leading, Write::RemoveSecret { path }, asked).await, |reply| match reply {
        Reply::Done => StatusCode::NO_CONTENT.into_response(),
        Reply::Deployed { .. } | Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled => writes::unexpected(),
    })
}

fn no_key() -> Response {
    let text = "There are no secrets here: `attica paas` was started without --secrets-key-file";
    answer::message(StatusCode::NOT_IMPLEMENTED, text)
}

/// A version later than `former` of the value.
fn sealed(
    key: &SealingKey,
    path: &SecretPath,
    former: Option<Version>,
    value: &ClearText,
) -> Result<KeptSecret, SealError> {
    let now = Timestamp::from(SystemTime::now());
    let version = former.map_or(Version(now), |former| former.next(now));
    let purpose = Purpose::Keeping { path: path.as_str(), version: version.0.0 };
    Ok(KeptSecret { version, sealed: key.seal(value, purpose)? })
}

/// `{"value": "…"}`, or `{"data": "…"}` in base64.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    value: Option<Zeroizing<String>>,
    data: Option<Zeroizing<String>>,
}

async fn read_value(body: Body) -> Result<ClearText, Response> {
    let bytes = read_body(body).await.map_err(|error| answer::message(error.status(), error.to_string()))?;
    let bytes = Zeroizing::new(Vec::from(bytes));
    if bytes.len() > limits::BODY_BYTES_MAX {
        let text = format!("The request body is larger than {} bytes", limits::BODY_BYTES_MAX);
        return Err(answer::message(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    value_of(&bytes).map_err(refusal::invalid)
}

fn value_of(body: &[u8]) -> Result<ClearText, Faults> {
    let shape = || Faults::one("/", "expected {\"value\": \"…\"}, or {\"data\": \"…\"} with the value in base64");
    // What the parser has to say would quote what it found.
    let written: Written = serde_json::from_slice(body).map_err(|_| shape())?;
    let (path, value) = match (written.value, written.data) {
        (Some(text), None) => ("/value", text.as_bytes().to_vec()),
        (None, Some(text)) => {
            let decoded = STANDARD.decode(text.as_bytes()).map_err(|_| Faults::one("/data", "is not base64"))?;
            ("/data", decoded)
        }
        (Some(_), Some(_)) | (None, None) => return Err(shape()),
    };
    let value = ClearText::new(value);
    if value.expose().len() > VALUE_BYTES_MAX {
        return Err(Faults::one(path, format!("must not be longer than {VALUE_BYTES_MAX} bytes")));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_text_or_base64_and_no_complaint_quotes_them() {
        let read = |body: &str| value_of(body.as_bytes()).map(|value| value.expose().to_vec());
        assert_eq!(read(r#"{"value": "pä\n"}"#).unwrap(), "pä\n".as_bytes());
        assert_eq!(read(r#"{"data": "AP8="}"#).unwrap(), [0, 255]);
        assert_eq!(read(r#"{"value": ""}"#).unwrap(), b"");
        let long = format!("{{\"value\": \"{}\"}}", "x".repeat(VALUE_BYTES_MAX + 1));
        for body in [
            "",
            "hunter2",
            "\"hunter2\"",
            "{}",
            "[]",
            r#"{"value": 4711}"#,
            r#"{"value": "hunter2", "data": ""}"#,
            r#"{"value": "hunter2", "hunter2": 1}"#,
            r#"{"data": "hunter2!"}"#,
            r#"{"value": "hunter2"#,
            &long,
        ] {
            let told = format!("{:?}", read(body).unwrap_err().into_body());
            assert!(!told.contains("hunter2") && !told.contains("4711") && !told.contains("xxx"), "{told}");
        }
    }
}

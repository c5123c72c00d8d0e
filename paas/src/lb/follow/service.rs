//! Requests to the service layer.

use std::time::Duration;

use attica_core_api::http::{Client, ClientError, Protocol, ResponseBody, Security};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;

use super::sse::TooLarge;
use super::wire::{EVENT_TYPES, ForeignApp, List, Single};
use crate::events::EventId;
use crate::lb::table::App;
use crate::model::RunSpecId;

/// The service layer has so long to begin an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer may take so long altogether.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// An answer may be so large: some hundred thousand instances.
const BODY_BYTES_MAX: usize = 512 << 20;
const EVENT_ID: HeaderName = HeaderName::from_static("attica-event-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Why the service layer cannot be followed now.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    #[error(transparent)]
    Request(#[from] ClientError),
    #[error("the service layer answers {status} to {path}")]
    Status { status: StatusCode, path: String },
    #[error("the answer breaks off")]
    Body(#[source] attica_core_api::http::BoxError),
    #[error("the answer takes more than {} seconds", BODY_TIMEOUT.as_secs())]
    SlowBody,
    #[error("the answer cannot be read")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    ForeignApp(#[from] ForeignApp),
    #[error("the answer does not tell its place in the event stream (Attica-Event-Id)")]
    NoPosition,
    #[error("the event stream was silent for too long")]
    Silent,
    #[error("the event stream ended")]
    Ended,
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// One address of the service layer.
#[derive(Clone)]
pub(super) struct ServiceLayer {
    client: Client,
    /// `http://host:port` or `https://host:port`
    base: String,
}

#[derive(Serialize)]
struct Acknowledgement<'a> {
    name: &'a str,
    position: i64,
}

impl ServiceLayer {
    pub(super) fn new(base: &str, security: Security) -> Self {
        Self {
            client: Client::secured(Protocol::Http1, ANSWER_TIMEOUT, security),
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// All apps, and the event as of which they are.
    pub(super) async fn apps(&self) -> Result<(EventId, Vec<App>), FollowError> {
        let (response, path) = self.get("/v2/apps?embed=apps.tasks".to_owned()).await?;
        let position = position(&response)?;
        let list: List = serde_json::from_slice(&body(expect_ok(response, path)?).await?)?;
        let apps = list.apps.into_iter().map(super::wire::WireApp::into_app);
        Ok((position, apps.collect::<Result<_, _>>()?))
    }

    /// One app, none if there is no such app, and the event as of which that is so.
    pub(super) async fn app(&self, id: &RunSpecId) -> Result<(EventId, Option<App>), FollowError> {
        let (response, path) = self.get(format!("/v2/apps/{id}")).await?;
        let position = position(&response)?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok((position, None));
        }
        let single: Single = serde_json::from_slice(&body(expect_ok(response, path)?).await?)?;
        Ok((position, Some(single.app.into_app()?)))
    }

    /// The event stream, as a consumer that is waited for, after an event or from now on; and where it was found.
    pub(super) async fn events(
        &self,
        name: &str,
        after: Option<EventId>,
    ) -> Result<(ResponseBody, ServiceLayer), FollowError> {
        let types: Vec<String> = EVENT_TYPES.iter().map(|name| format!("event_type={name}")).collect();
        let path = format!("/v2/events?plan-format=light&ack={name}&{}", types.join("&"));
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/event-stream"))]);
        if let Some(after) = after {
            headers.insert(LAST_EVENT_ID, HeaderValue::from(after.number()));
        }
        let response = self.request(&path, headers.clone()).await?;
        // Who does not lead says where the leader is.
        let leader = response.headers().get(LOCATION).and_then(|location| origin(location.to_str().ok()?));
        match leader {
            Some(base) if response.status().is_redirection() => {
                let leader = ServiceLayer { client: self.client.clone(), base };
                let response = leader.request(&path, headers).await?;
                Ok((expect_ok(response, path)?.into_body(), leader))
            }
            Some(_) | None => Ok((expect_ok(response, path)?.into_body(), self.clone())),
        }
    }

    /// Tells how far the stream was taken in.
    pub(super) async fn acknowledge(&self, name: &str, position: EventId) -> Result<(), FollowError> {
        self.post("/v2/events/ack", &Acknowledgement { name, position: position.number() }).await
    }

    /// POSTs a document.
    pub(super) async fn post(&self, path: &str, document: &impl Serialize) -> Result<(), FollowError> {
        let body = Bytes::from(serde_json::to_vec(document)?);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let response = self.client.post(&self.uri(path)?, headers, body).await?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(FollowError::Status { status: response.status(), path: path.to_owned() })
    }

    async fn get(&self, path: String) -> Result<(Response<ResponseBody>, String), FollowError> {
        Ok((self.request(&path, HeaderMap::new()).await?, path))
    }

    async fn request(&self, path: &str, headers: HeaderMap) -> Result<Response<ResponseBody>, FollowError> {
        Ok(self.client.get(&self.uri(path)?, headers).await?)
    }

    fn uri(&self, path: &str) -> Result<Uri, ClientError> {
        format!("{}{path}", self.base).parse().map_err(|error: http::uri::InvalidUri| http::Error::from(error).into())
    }
}

/// `http://host:port` (or `https:`) of an absolute address.
fn origin(location: &str) -> Option<String> {
    let uri: Uri = location.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

fn position(response: &Response<ResponseBody>) -> Result<EventId, FollowError> {
    let header = response.headers().get(EVENT_ID).and_then(|id| id.to_str().ok());
    match header.and_then(EventId::parse) {
        Some(position) => Ok(position),
        None if response.status().is_success() => Err(FollowError::NoPosition),
        None => Err(FollowError::Status { status: response.status(), path: "/v2/apps".to_owned() }),
    }
}

fn expect_ok(response: Response<ResponseBody>, path: String) -> Result<Response<ResponseBody>, FollowError> {
    match response.status() {
        StatusCode::OK => Ok(response),
        status => Err(FollowError::Status { status, path }),
    }
}

async fn body(response: Response<ResponseBody>) -> Result<Bytes, FollowError> {
    let whole = Limited::new(response.into_body(), BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(whole) => Ok(whole.map_err(FollowError::Body)?.to_bytes()),
        Err(_elapsed) => Err(FollowError::SlowBody),
    }
}

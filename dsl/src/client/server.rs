//! Requests to the service layer: several addresses, redirects, refusals.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::{Method, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;

use super::config::Target;
use super::events::EventId;
use super::failure::{Failure, in_words};
use super::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The server gives up on a write after 10 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A body that comes slowly is waited for so long in all.
const BODY_TIMEOUT: Duration = Duration::from_secs(120);
const BODY_BYTES_MAX: usize = 512 << 20;
const REDIRECTS_MAX: usize = 5;
const DEPLOYMENT_ID: HeaderName = HeaderName::from_static("marathon-deployment-id");
/// How far the read model was when the answer was read from it.
const EVENT_ID: HeaderName = HeaderName::from_static("attica-event-id");

/// The service layer of one cluster.
pub(super) struct Server {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    target: Target,
    /// Index of the address that answered last.
    current: AtomicUsize,
}

/// A request as a command makes it. It is not printed: its document may hold a secret.
#[derive(Clone)]
pub(super) struct Request {
    method: Method,
    path: String,
    body: Option<Bytes>,
    headers: HeaderMap,
    /// How long an answer is waited for.
    patience: Duration,
}

/// A successful answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    request: String,
    pub(super) body: Bytes,
    /// The last event that the answer contains; none when the server does not say.
    pub(super) position: Option<EventId>,
    /// The deployment that a write began.
    pub(super) deployment: Option<String>,
    /// The version of what was read, for a write that is only meant for that one.
    pub(super) tag: Option<HeaderValue>,
}

impl Request {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, headers: HeaderMap::new(), patience: ANSWER_TIMEOUT }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// The same request with a JSON document.
    pub(super) fn with_document(mut self, document: &serde_json::Value) -> Self {
        self.body = Some(Bytes::from(document.to_string()));
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// The same request with a body that is no JSON.
    pub(super) fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.body = Some(Bytes::copy_from_slice(bytes));
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same request, whose answer may take as long as it likes.
    pub(super) fn with_patience(mut self) -> Self {
        self.patience = Duration::MAX;
        self
    }

    /// For messages: `GET /v2/apps`.
    fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    fn at(&self, uri: Uri) -> Result<http::Request<Full<Bytes>>, http::Error> {
        let body = Full::new(self.body.clone().unwrap_or_default());
        let mut request = http::Request::builder().method(self.method.clone()).uri(uri).body(body)?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        Ok(request)
    }
}

impl Answer {
    /// The document in it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|source| Failure::Unreadable { request: self.request.clone(), source })
    }
}

/// Why one address gave no answer.
enum Silence {
    /// No connection: nothing was asked.
    Unreachable(String),
    /// Something was sent; whether it had an effect is not known.
    Broken(String),
}

impl Server {
    /// # Errors
    /// [`Failure::Usage`] when the target's authorities cannot be read.
    pub(super) fn new(target: Target) -> Result<Self, Failure> {
        assert!(!target.addresses.is_empty(), "a target has an address");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = tls::connector(connector, target.ca_file.as_deref())?;
        let client = legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { client, target, current: AtomicUsize::new(0) })
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// [`Failure::Refused`] for any status but success; the other ones when there is no answer.
    pub(super) async fn call(&self, request: &Request) -> Result<Answer, Failure> {
        let response = self.open(request).await?;
        let position = EventId::of_header(response.headers().get(EVENT_ID));
        let deployment = response.headers().get(DEPLOYMENT_ID).and_then(|id| Some(id.to_str().ok()?.to_owned()));
        let tag = response.headers().get(ETAG).cloned();
        let body = self.whole(request, response).await?;
        Ok(Answer { request: request.shown(), body, position, deployment, tag })
    }

    /// Reads a document.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(&Request::get(path)).await?.read()
    }

    /// Asks, and returns as soon as the answer begins.
    ///
    /// # Errors
    /// As [`Server::call`].
    pub(super) async fn open(&self, request: &Request) -> Result<Response<Incoming>, Failure> {
        let addresses = &self.target.addresses;
        let first = self.current.load(Ordering::Relaxed);
        let mut tried = Vec::new();
        for step in 0..addresses.len() {
            let index = (first + step) % addresses.len();
            let (address, is_last) = (&addresses[index], step + 1 == addresses.len());
            let uri = address.join(&request.path).map_err(|_| invalid(request))?;
            match self.follow(request, uri).await? {
                // Another address may know of a leader. A write may have had an effect and is not repeated.
                Ok(response) if request.is_read() && !is_last && has_no_leader(response.status()) => {}
                Ok(response) => {
                    self.current.store(index, Ordering::Relaxed);
                    return self.accepted(request, response).await;
                }
                Err(Silence::Unreachable(cause)) => tried.push((address.to_string(), cause)),
                Err(Silence::Broken(_)) if request.is_read() && !is_last => {}
                Err(Silence::Broken(cause)) => return Err(no_answer(request, address.to_string(), cause)),
            }
        }
        Err(Failure::Unreachable { tried, origin: self.target.origin.clone(), file: self.target.file.clone() })
    }

    /// Sends the request and goes where redirects lead: to the leader.
    async fn follow(&self, request: &Request, mut uri: Uri) -> Result<Result<Response<Incoming>, Silence>, Failure> {
        for _ in 0..=REDIRECTS_MAX {
            let mut built = request.at(uri.clone()).map_err(|_| invalid(request))?;
            if let Some(proof) = &self.target.proof {
                built.headers_mut().insert(AUTHORIZATION, proof.clone());
            }
            let response = match tokio::time::timeout(request.patience, self.client.request(built)).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) if error.is_connect() => return Ok(Err(Silence::Unreachable(cause(&error)))),
                Ok(Err(error)) => return Ok(Err(Silence::Broken(cause(&error)))),
                Err(_elapsed) => {
                    return Ok(Err(Silence::Broken(format!("silent for {} seconds", request.patience.as_secs()))));
                }
            };
            match redirect(request, &uri, &response) {
                Some(next) => uri = next,
                None => return Ok(Ok(response)),
            }
        }
        Err(Failure::failed(format!("{}: more than {REDIRECTS_MAX} redirects", request.shown())))
    }

    /// The response, if it is a success.
    async fn accepted(&self, request: &Request, response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = self.whole(request, response).await.unwrap_or_default();
        let body = serde_json::from_slice(&bytes).ok();
        Err(Failure::Refused { request: request.shown(), status, body, hint: None })
    }

    async fn whole(&self, request: &Request, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect();
        match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => Err(self.broken_off(request, error.as_ref())),
            Err(_elapsed) => {
                let cause = format!("the answer is not complete after {} seconds", BODY_TIMEOUT.as_secs());
                Err(no_answer(request, self.address(), cause))
            }
        }
    }

    /// What is said of an answer that has begun and does not end.
    pub(super) fn broken_off(&self, request: &Request, error: &dyn std::error::Error) -> Failure {
        no_answer(request, self.address(), format!("the answer broke off: {error}"))
    }

    /// The address that is being talked to.
    pub(super) fn address(&self) -> String {
        self.target.addresses[self.current.load(Ordering::Relaxed)].to_string()
    }
}

fn has_no_leader(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// Where a redirect leads. Reads follow each; writes only those that keep method and body.
fn redirect(request: &Request, from: &Uri, response: &Response<Incoming>) -> Option<Uri> {
    let follows = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => request.is_read(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => false,
    };
    let location = response.headers().get(LOCATION).filter(|_| follows)?.to_str().ok()?;
    let uri: Uri = match location.starts_with('/') {
        true => format!("{}://{}{location}", from.scheme_str()?, from.authority()?).parse().ok()?,
        false => location.parse().ok()?,
    };
    // Not from TLS to where there is none, and nobody else is told what proves who asks.
    let allowed = matches!((from.scheme_str(), uri.scheme_str()), (_, Some("https")) | (Some("http"), Some("http")));
    let keeps_secret = from.authority() == uri.authority() || !request.headers.contains_key(AUTHORIZATION);
    (allowed && keeps_secret).then_some(uri)
}

/// The innermost cause, without the operating system's number for it.
fn cause(error: &legacy::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    in_words(innermost)
}

fn no_answer(request: &Request, address: String, cause: String) -> Failure {
    let hint = (!request.is_read()).then(|| "whether it was done is not known: look before you repeat it".to_owned());
    Failure::NoAnswer { address, request: request.shown(), cause, hint }
}

fn invalid(request: &Request) -> Failure {
    Failure::Usage(format!("'{}' cannot be asked for", request.path))
}

/// One segment of a path, or one value of a query, with every special character encoded.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

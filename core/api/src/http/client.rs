//! A small HTTP client: calls with a whole body each way, and responses that stream.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::tls::Connector;
use super::{BoxError, Security};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Half the server's patience with idle connections would do; most proxies close them after a minute.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(45);
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// Shared by all streams of an HTTP/2 connection, so that one slow reader does not hold up the others.
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How a [`Client`] talks to its servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A connection per request in flight, kept and used again.
    Http1,
    /// HTTP/2, known beforehand: one connection for everything, streams included.
    Http2,
}

/// The body of a response: read it frame by frame, or give it to [`Client::text`].
pub type ResponseBody = Incoming;

/// What is sent: all at once, or as it comes.
type Sent = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BoxError>>;

/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<Connector, Sent>,
    timeout: Duration,
    security: Security,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection: the request was certainly not handled.
    #[error("cannot connect to {authority}")]
    Connect {
        /// `host:port`
        authority: String,
        /// What the connector says.
        #[source]
        source: BoxError,
    },
    /// The connection broke after the request may have been sent: whether it was handled is unknown.
    #[error("the connection to {authority} broke")]
    Broken {
        /// `host:port`
        authority: String,
        /// What broke.
        #[source]
        source: BoxError,
    },
    /// No response head in time: whether the request was handled is unknown.
    #[error("no answer from {authority} within {} seconds", limit.as_secs_f64())]
    Timeout {
        /// `host:port`
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// The request could not be built: an invalid address or header.
    #[error("invalid request")]
    Invalid(#[from] http::Error),
}

impl ClientError {
    /// True when the request cannot have had an effect.
    pub fn is_unsent(&self) -> bool {
        match self {
            ClientError::Connect { .. } | ClientError::Invalid(_) => true,
            ClientError::Broken { .. } | ClientError::Timeout { .. } => false,
        }
    }
}

impl Client {
    /// A client whose requests wait at most `timeout` for the head of a response; bodies may stream for ever.
    pub fn new(protocol: Protocol, timeout: Duration) -> Client {
        Client::secured(protocol, timeout, Security::default())
    }

    /// The same, with what proves its name and lets it encrypt.
    pub fn secured(protocol: Protocol, timeout: Duration, security: Security) -> Client {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(POOL_IDLE_TIMEOUT);
        match protocol {
            Protocol::Http1 => {}
            Protocol::Http2 => {
                builder
                    .http2_only(true)
                    .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
                    .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                    .http2_keep_alive_interval(PING_INTERVAL);
            }
        }
        let connector = Connector::new(connector, security.tls.clone(), protocol);
        Client { inner: builder.build(connector), timeout, security }
    }

    /// The address of a path at `host:port`, which this client asks with or without TLS; `None` when there can be no such address.
    pub fn uri(&self, authority: &str, path: &str) -> Option<Uri> {
        Uri::builder().scheme(self.security.scheme()).authority(authority).path_and_query(path).build().ok()
    }

    /// POSTs `body`. Any status is a response; redirects are not followed.
    pub async fn post(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<ResponseBody>, ClientError> {
        self.request(Method::POST, uri, headers, body).await
    }

    /// GETs. Any status is a response; redirects are not followed.
    pub async fn get(&self, uri: &Uri, headers: HeaderMap) -> Result<Response<ResponseBody>, ClientError> {
        self.request(Method::GET, uri, headers, Bytes::new()).await
    }

    /// Sends any request. Any status is a response; redirects are not followed.
    pub async fn request(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<ResponseBody>, ClientError> {
        self.send(method, uri, headers, Either::Left(Full::new(body))).await
    }

    /// The same with a body that is sent as it comes, within the client's time-out.
    pub async fn pass<B>(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: B,
    ) -> Result<Response<ResponseBody>, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.send(method, uri, headers, Either::Right(body.map_err(Into::into).boxed_unsync())).await
    }

    async fn send(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Sent,
    ) -> Result<Response<ResponseBody>, ClientError> {
        let mut request = Request::builder().method(method).uri(uri.clone()).body(body)?;
        *request.headers_mut() = headers;
        // Derived from the body; a copied header could contradict it.
        request.headers_mut().remove(CONTENT_LENGTH);
        if let Some(authorization) = self.security.authorization() {
            request.headers_mut().entry(AUTHORIZATION).or_insert(authorization);
        }
        let authority = || uri.authority().map(ToString::to_string).unwrap_or_default();
        match tokio::time::timeout(self.timeout, self.inner.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                Err(ClientError::Connect { authority: authority(), source: error.into() })
            }
            Ok(Err(error)) => Err(ClientError::Broken { authority: authority(), source: error.into() }),
            Err(_) => Err(ClientError::Timeout { authority: authority(), limit: self.timeout }),
        }
    }

    /// The text of a response's body, at most `limit_bytes` of it and no longer than the client's time-out; what cannot be
    /// read is left out. For messages to people and logs.
    pub async fn text(&self, response: Response<ResponseBody>, limit_bytes: usize) -> String {
        let body = Limited::new(response.into_body(), limit_bytes).collect();
        match tokio::time::timeout(self.timeout, body).await {
            Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Ok(Err(_)) | Err(_) => String::new(),
        }
    }
}

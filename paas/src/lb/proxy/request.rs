//! One request: from its head to the head of its answer.
//!
//! States of a request: *admitted* to an upstream (it counts as in progress there, and a drain waits for it), *sent* on a connection,
//! *answered*. It goes back to being admitted elsewhere when no backend can have acted on it: no connection came about, or nothing was
//! written to it; or when acting twice is harmless: a request without a body, of a method that says so, whose connection closed
//! before any byte of an answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;

use super::answer::Refusal;
use super::balance::Chooser;
use super::body::{RequestBody, ResponseBody};
use super::head::{self, Framing, Protocol};
use super::live::{Live, LiveService, Switch};
use super::upstream::{Age, Connection, Permit, Upstream};
use super::{Entrance, cookie, tunnel};
use crate::lb::table::{ServiceIndex, Session};
use crate::lb::traffic::OpenRequest;

/// Backends that one request is tried on in a row.
const BACKENDS_MAX: usize = 16;
/// A request that may be repeated is, so often: one that makes backends break should not reach all of them.
const REPEATS_MAX: usize = 3;
/// As long as there are backends but none can be connected to, a request waits so long for one: a program that has just started may
/// not listen yet.
const PATIENCE: Duration = Duration::from_secs(2);
/// While it waits, they are tried again so often.
const PATIENCE_INTERVAL: Duration = Duration::from_millis(50);
/// A backend has so long to begin its answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a request came from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) client: IpAddr,
    pub(super) entrance: Entrance,
    /// The port that it came in by.
    pub(super) port: u16,
}

/// Answers a request.
pub(super) async fn handle(switch: &Switch, origin: Origin, request: Request<Incoming>) -> Response<ResponseBody> {
    let framing = head::framing(request.headers());
    let mut response = match routed(switch, origin, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    if framing == Framing::Chunked {
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    response
}

async fn routed(
    switch: &Switch,
    origin: Origin,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Refusal> {
    let (mut parts, incoming) = request.into_parts();
    let host = head::host(&parts)?;
    let live = switch.current().ok_or_else(not_ready)?;
    let index = service_index(&live, origin.entrance, host.as_deref(), parts.uri.path())?;
    let service = live.service(index);
    let open = OpenRequest::new(&service.traffic);
    if let Some(why) = service.service.withheld {
        open.failed();
        return Err(unavailable(why));
    }
    let body = RequestBody::of(incoming, &service.traffic);
    let wanted = match service.service.session {
        Session::Sticky => cookie::take(&mut parts.headers),
        Session::Free => None,
    };
    let upgrading = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let protocol = head::forwarded(&mut parts, &body, origin.client, origin.port);
    let journey = Journey {
        switch,
        origin,
        host: host.as_deref(),
        path: parts.uri.clone(),
        wanted,
        begun: Instant::now(),
        tried: Vec::new(),
        age: Age::Used,
        repeats: 0,
    };
    let sent = journey.send(Arc::clone(service), Request::from_parts(parts, body)).await;
    let Sent { response, connection, permit } = sent.inspect_err(|_| open.failed())?;
    open.answered();
    if response.status().is_server_error() {
        open.failed();
    }
    let mark = permit.upstream().mark;
    let session = service.service.session;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return match (protocol, upgrading) {
            (Protocol::Upgraded, Some(client)) => Ok(tunnel::begin(client, response, permit, open)),
            (Protocol::Upgraded | Protocol::Http, _) => {
                open.failed();
                Err(Refusal::new(StatusCode::BAD_GATEWAY, "The instance changed to a protocol that nobody asked for"))
            }
        };
    }
    let (mut parts, incoming) = response.into_parts();
    head::take_off_hop_by_hop(&mut parts.headers);
    parts.headers.remove(http::header::TRANSFER_ENCODING);
    parts.version = Version::HTTP_11;
    if session == Session::Sticky && wanted != Some(mark) {
        cookie::set(&mut parts.headers, mark);
    }
    Ok(Response::from_parts(parts, ResponseBody::of(incoming, connection.sender, permit, open)))
}

fn service_index(live: &Live, entrance: Entrance, host: Option<&str>, path: &str) -> Result<ServiceIndex, Refusal> {
    let found = match entrance {
        Entrance::Names => host.and_then(|host| live.routes.by_name(host, path)),
        Entrance::Port(port) => live.routes.by_port(port).map(|route| route.service),
    };
    found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "No app is served by this host and path"))
}

fn not_ready() -> Refusal {
    unavailable("This load balancer does not know any apps yet: it has not reached the service layer")
}

fn unavailable(why: &'static str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

/// A request that was answered.
struct Sent {
    response: Response<Incoming>,
    connection: Connection,
    permit: Permit,
}

/// A request on its way.
struct Journey<'a> {
    switch: &'a Switch,
    origin: Origin,
    host: Option<&'a str>,
    path: Uri,
    /// The upstream that a cookie names.
    wanted: Option<u64>,
    begun: Instant,
    /// Where it was tried since it last waited.
    tried: Vec<Arc<Upstream>>,
    /// Which connections are used: once one of the used ones turned out to be closed, others may be as well.
    age: Age,
    /// How often it was sent again without knowing what became of it.
    repeats: usize,
}

/// Enough to send a request a second time.
struct Copy {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Copy {
    /// A copy of a request that may be acted on twice.
    fn of(request: &Request<RequestBody>) -> Option<Self> {
        let is_harmless = request.method().is_idempotent() && request.body().is_end_stream();
        is_harmless.then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// What came of sending a request on one connection.
enum Outcome {
    Answered(Box<Response<Incoming>>),
    /// No backend has seen it.
    Unsent(Box<Request<RequestBody>>),
    /// A backend may have acted on it, and another one may do so again.
    Repeatable(Box<Request<RequestBody>>),
    /// A backend may have acted on it.
    Lost,
    /// The backend took too long.
    Late,
}

impl Journey<'_> {
    async fn send(mut self, mut service: Arc<LiveService>, mut request: Request<RequestBody>) -> Result<Sent, Refusal> {
        loop {
            let Some(upstream) = self.next(&service) else {
                self.wait().await?;
                service = self.service_now()?;
                continue;
            };
            let Some(permit) = upstream.admit() else {
                // It was retired since the table was taken: there is another table.
                service = self.service_now()?;
                continue;
            };
            let Some(mut connection) = self.connection(&upstream).await else { continue };
            upstream.count.requests.fetch_add(1, Ordering::Relaxed);
            request.body_mut().goes_to(&upstream);
            request = match outcome(&mut connection, request).await {
                Outcome::Answered(response) => return Ok(Sent { response: *response, connection, permit }),
                Outcome::Unsent(request) => *request,
                Outcome::Repeatable(request) if self.repeats < REPEATS_MAX => {
                    self.repeats += 1;
                    *request
                }
                Outcome::Repeatable(_) | Outcome::Lost => {
                    let sentence = "The instance closed the connection before it answered";
                    return Err(Refusal::new(StatusCode::BAD_GATEWAY, sentence));
                }
                Outcome::Late => {
                    return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "The instance did not answer in time"));
                }
            };
            match connection.age {
                Age::Used => self.age = Age::New,
                Age::New => self.tried.push(upstream),
            }
        }
    }

    /// Where it is tried next.
    fn next(&self, service: &LiveService) -> Option<Arc<Upstream>> {
        let chooser = Chooser { client: self.origin.client, wanted: self.wanted, tried: &self.tried };
        chooser.choose(service).filter(|_| self.tried.len() < BACKENDS_MAX).map(Arc::clone)
    }

    /// Waits a moment after all backends were tried in vain.
    async fn wait(&mut self) -> Result<(), Refusal> {
        if self.tried.is_empty() {
            return Err(unavailable("No instance of this app can take requests now"));
        }
        if self.begun.elapsed() > PATIENCE {
            return Err(unavailable("No instance of this app can be reached now"));
        }
        tokio::time::sleep(PATIENCE_INTERVAL).await;
        self.tried.clear();
        Ok(())
    }

    /// A connection, unless the upstream is one more that was tried in vain.
    async fn connection(&mut self, upstream: &Arc<Upstream>) -> Option<Connection> {
        let idle = match self.age {
            Age::Used => upstream.idle_connection(),
            Age::New => None,
        };
        if idle.is_some() {
            return idle;
        }
        upstream
            .new_connection()
            .await
            .inspect_err(|error| {
                tracing::debug!(error = error as &dyn std::error::Error, task = %upstream.backend.task, "no connection");
                self.tried.push(Arc::clone(upstream));
            })
            .ok()
    }

    /// The service as the table of this moment has it.
    fn service_now(&self) -> Result<Arc<LiveService>, Refusal> {
        let live = self.switch.current().ok_or_else(not_ready)?;
        let index = service_index(&live, self.origin.entrance, self.host, self.path.path())?;
        Ok(Arc::clone(live.service(index)))
    }
}

async fn outcome(connection: &mut Connection, request: Request<RequestBody>) -> Outcome {
    let copy = Copy::of(&request);
    let sending = connection.sender.try_send_request(request);
    match tokio::time::timeout(RESPONSE_TIMEOUT, sending).await {
        Ok(Ok(response)) => Outcome::Answered(Box::new(response)),
        Ok(Err(mut error)) => match (error.take_message(), copy) {
            (Some(unsent), _) => Outcome::Unsent(Box::new(unsent)),
            // After a part of an answer that makes no sense the next backend's would not either.
            (None, Some(copy)) if !error.error().is_parse() => Outcome::Repeatable(Box::new(copy.into_request())),
            (None, _) => Outcome::Lost,
        },
        Err(_elapsed) => Outcome::Late,
    }
}

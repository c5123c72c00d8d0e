//! The listener: accepts, counts, times and ends connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tower::{Service, ServiceExt};

use super::tls::{ClientName, ServerTls, Wire};
use super::{BodyPatience, BoxError, Limits, RequestBody};

/// After a failed accept (out of files, mostly): long enough not to spin, short enough to recover at once.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// How long a peer may leave what was sent, or a question whether it is there, without an answer.
const PEER_TIMEOUT_MS: u32 = 60_000;

/// A bound listener that is not yet serving.
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    tls: Option<ServerTls>,
}

/// The HTTP/1.1 connection a request came on, found in its extensions. HTTP/2 requests carry none: their connection
/// belongs to others as well.
#[derive(Clone)]
pub struct Connection(Arc<Notify>);

impl Connection {
    /// Closes the connection at once, whatever is being written to it.
    pub fn abort(&self) {
        self.0.notify_one();
    }
}

/// The other end of the connection a request came on, found in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

impl Server {
    /// Binds `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Server> {
        let listener = TcpListener::bind(address).await?;
        set_options(&listener)?;
        Ok(Server { listener, limits, tls: None })
    }

    /// Encrypts its connections, or does not (`None`).
    pub fn with_tls(self, tls: Option<ServerTls>) -> Server {
        Server { tls, ..self }
    }

    /// Where it listens, with the real port.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` resolves; then accepts nothing more, lets requests in flight finish for
    /// [`Limits::shutdown_grace`] and closes the rest.
    pub async fn serve<S, B>(self, service: S, shutdown: impl Future<Output = ()>)
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Server { listener, limits, tls } = self;
        let builder = connection_builder(&limits);
        let slots = Arc::new(Semaphore::new(limits.max_connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&listener, &slots) => accepted,
            };
            let Some((stream, peer, slot)) = accepted else { continue };
            let (builder, service, tls, watcher) = (builder.clone(), service.clone(), tls.clone(), graceful.watcher());
            connections.spawn(async move {
                let Some((stream, client)) = greet(stream, tls, &limits).await else { return };
                let aborted = Arc::new(Notify::new());
                let seen_request = Arc::new(AtomicBool::new(false));
                let caller = Caller { peer, client, aborted: aborted.clone(), seen_request: seen_request.clone() };
                let handler = service_fn(handler(service, limits, caller));
                let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), handler).into_owned());
                tokio::select! {
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(error, "connection ended");
                    },
                    () = aborted.notified() => {}
                    () = silence(limits.first_request_timeout, &seen_request) => {
                        tracing::debug!("connection closed: no complete request in time");
                    }
                }
                drop(slot);
            });
        }
        drop(listener);
        if tokio::time::timeout(limits.shutdown_grace, graceful.shutdown()).await.is_err() {
            tracing::debug!(connections = connections.len(), "closing connections that are still in use");
        }
    }
}

/// Options that Linux hands on from a listener to the connections it accepts: small writes go out at once, and a peer whose
/// machine has vanished is given up after a minute, whether something is being sent to it or not.
fn set_options(listener: &TcpListener) -> io::Result<()> {
    setsockopt(listener, sockopt::TcpNoDelay, &true)?;
    setsockopt(listener, sockopt::TcpUserTimeout, &PEER_TIMEOUT_MS)?;
    setsockopt(listener, sockopt::KeepAlive, &true)?;
    setsockopt(listener, sockopt::TcpKeepIdle, &(PEER_TIMEOUT_MS / 2_000))?;
    setsockopt(listener, sockopt::TcpKeepInterval, &(PEER_TIMEOUT_MS / 12_000))?;
    setsockopt(listener, sockopt::TcpKeepCount, &6)?;
    Ok(())
}

fn connection_builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // See `Limits::first_request_timeout`: hyper's own timer would also cut idle connections.
        .header_read_timeout(None)
        // Clients exist that look for `Mesos-Stream-Id` in just this spelling.
        .title_case_headers(true)
        .max_buf_size(limits.max_head_bytes.max(8192))
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.max_streams_per_connection)
        .keep_alive_interval(Some(Duration::from_secs(15)));
    builder
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, PeerAddress, tokio::sync::OwnedSemaphorePermit)> {
    // The semaphore is never closed, so this fails never; a connection without a slot is not accepted.
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Events are small and urgent. A socket that refuses the option is about to fail anyway.
            let _ = stream.set_nodelay(true);
            Some((stream, PeerAddress(peer), slot))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            None
        }
    }
}

/// The connection as requests are read from it: decrypted, if there is a certificate.
async fn greet(stream: TcpStream, tls: Option<ServerTls>, limits: &Limits) -> Option<(Wire, Option<ClientName>)> {
    let Some(tls) = tls else { return Some((Wire::Plain(stream), None)) };
    match tls.accept(stream, limits.first_request_timeout).await {
        Ok(greeted) => Some(greeted),
        Err(error) => {
            tracing::debug!(%error, "connection ended: no TLS handshake");
            None
        }
    }
}

/// Whose requests come on a connection.
struct Caller {
    peer: PeerAddress,
    client: Option<ClientName>,
    aborted: Arc<Notify>,
    seen_request: Arc<AtomicBool>,
}

/// The hyper service of one connection: notes the first request, limits bodies, names the connection and who is behind it.
fn handler<S>(
    service: S,
    limits: Limits,
    caller: Caller,
) -> impl Fn(Request<Incoming>) -> tower::util::Oneshot<S, Request<RequestBody>>
where
    S: Service<Request<RequestBody>> + Clone,
{
    move |request| {
        caller.seen_request.store(true, Ordering::Relaxed);
        let patience = BodyPatience::default();
        let mut request = request.map(|body| RequestBody::new(body, limits, patience.clone()));
        let version = request.version();
        let extensions = request.extensions_mut();
        extensions.insert(caller.peer);
        extensions.insert(patience);
        if let Some(client) = &caller.client {
            extensions.insert(client.clone());
        }
        if version < Version::HTTP_2 {
            extensions.insert(Connection(caller.aborted.clone()));
        }
        service.clone().oneshot(request)
    }
}

/// Resolves when no request was seen within `limit`.
async fn silence(limit: Duration, seen_request: &AtomicBool) {
    tokio::time::sleep(limit).await;
    if seen_request.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

//! Listeners: they accept, limit, time and end connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::live::Switch;
use super::request::{self, Origin};
use super::{Entrance, tunnel};
use crate::lb::table::Mode;

/// A head has to be complete so long after its connection was opened, or after the answer before: this ends clients that send slowly,
/// and those that send nothing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The head of a request may be so large, ...
const HEAD_BYTES_MAX: usize = 64 << 10;
/// ... with so many lines.
const HEADERS_MAX: usize = 128;
/// After a failed accept (out of files, mostly): long enough not to spin, short enough to recover at once.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
/// How long a client may leave what was sent without taking it.
const PEER_TIMEOUT_MS: u32 = 60_000;

/// What all listeners share.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    pub(super) switch: Arc<Switch>,
    slots: Arc<Semaphore>,
    /// All connections.
    pub(super) connections: TaskTracker,
}

impl Doors {
    /// So many clients may be connected at once, over all ports.
    pub(crate) fn new(switch: Arc<Switch>, clients_max: usize) -> Self {
        Self { switch, slots: Arc::new(Semaphore::new(clients_max)), connections: TaskTracker::new() }
    }

    /// Resolves when all connections have ended. Nothing may be accepted any more.
    pub(crate) async fn closed(&self) {
        self.connections.close();
        self.connections.wait().await;
    }

    /// Accepts connections until `stop`, which also asks those that are open to end after their request.
    pub(crate) async fn serve(self, listener: TcpListener, entrance: Entrance, mode: Mode, stop: CancellationToken) {
        let port = listener.local_addr().map_or(0, |address| address.port());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = accept(&listener, &self.slots) => accepted,
            };
            let Some((stream, peer, slot)) = accepted else { continue };
            let switch = Arc::clone(&self.switch);
            let stop = stop.clone();
            self.connections.spawn(async move {
                match mode {
                    Mode::Http => serve_http(&switch, stream, peer, entrance, port, &stop).await,
                    Mode::Tcp => tunnel::serve(&switch, port, stream, peer).await,
                }
                drop(slot);
            });
        }
    }
}

/// Binds `address`, with options that Linux hands on to the connections: small writes go out at once, and a client that has vanished,
/// or takes nothing, is given up after a minute.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    setsockopt(&listener, sockopt::TcpNoDelay, &true)?;
    setsockopt(&listener, sockopt::TcpUserTimeout, &PEER_TIMEOUT_MS)?;
    setsockopt(&listener, sockopt::KeepAlive, &true)?;
    setsockopt(&listener, sockopt::TcpKeepIdle, &(PEER_TIMEOUT_MS / 2_000))?;
    setsockopt(&listener, sockopt::TcpKeepInterval, &(PEER_TIMEOUT_MS / 12_000))?;
    setsockopt(&listener, sockopt::TcpKeepCount, &6)?;
    Ok(listener)
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // The semaphore is never closed, so this fails never; a connection without a slot is not accepted.
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, slot)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            None
        }
    }
}

async fn serve_http(
    switch: &Arc<Switch>,
    stream: TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
    port: u16,
    stop: &CancellationToken,
) {
    let origin = Origin { client: peer.ip().to_canonical(), entrance, port };
    let service = service_fn(|request| async { Ok::<_, Infallible>(request::handle(switch, origin, request).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, %peer, "a client's connection ended");
    }
}

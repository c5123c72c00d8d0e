//! A backend in use: its connections, its requests in progress, and whether it may get more.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::RequestBody;
use crate::lb::table::Backend;
use crate::model::InstanceId;

/// A machine that does not answer within this time is out of reach: everything is in one network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A backend that could not be connected to is left alone for so long, while others can be used.
const SUSPENSION: Duration = Duration::from_secs(2);
/// Connections to one backend that wait for use.
const IDLE_MAX: usize = 128;
/// Connections that wait for use are closed after this time: before most servers close them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// A response's head may be so large.
const RESPONSE_HEAD_BYTES_MAX: usize = 256 << 10;

/// The use that is made of one backend. It is *open* from its creation until it is *retired*, which is for good: an instance that
/// returns is another upstream.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) backend: Arc<Backend>,
    /// Stands for the backend in cookies and hashes. The same in every load balancer.
    pub(super) mark: u64,
    retired: AtomicBool,
    in_progress: AtomicUsize,
    /// In milliseconds after `epoch`.
    suspended_until_ms: AtomicU64,
    epoch: Instant,
    idle: Mutex<Vec<Idle>>,
    idle_slots: Arc<Semaphore>,
    pub(crate) count: Count,
}

/// What an upstream has done so far.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) requests: AtomicU64,
    pub(crate) connect_failures: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

/// A connection that waits for use.
#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
    _slot: OwnedSemaphorePermit,
}

/// A connection that is to carry one request.
pub(super) struct Connection {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) age: Age,
}

/// Whether a connection has carried a request before: its server may be closing it this moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    New,
    Used,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("cannot connect")]
    Connect(#[from] io::Error),
    #[error("no connection within {} seconds", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    #[error("the connection is not usable")]
    Handshake(#[from] hyper::Error),
}

impl Upstream {
    /// A connection that waits for use takes one of the slots.
    pub(super) fn new(backend: Arc<Backend>, idle_slots: Arc<Semaphore>) -> Self {
        Self {
            mark: mark(&backend.task.to_string()),
            backend,
            retired: AtomicBool::new(false),
            in_progress: AtomicUsize::new(0),
            suspended_until_ms: AtomicU64::new(0),
            epoch: Instant::now(),
            idle: Mutex::default(),
            idle_slots,
            count: Count::default(),
        }
    }

    /// Lets a request in, unless the upstream is retired: what was let in before is in progress, and nothing is let in after.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Permit> {
        // The count comes first, and the look at `retired` second; retiring does both the other way round. Whatever the order in
        // which they meet, either the request is refused or the one who retires sees it in progress.
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        let permit = Permit(Arc::clone(self));
        (!self.retired.load(Ordering::SeqCst)).then_some(permit)
    }

    /// Lets no further request in, and closes the connections that carry none.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.idle().clear();
    }

    pub(crate) fn in_progress(&self) -> usize {
        self.in_progress.load(Ordering::SeqCst)
    }

    pub(super) fn is_of(&self, instance: &InstanceId) -> bool {
        self.backend.task.instance == *instance
    }

    /// Whether the latest attempt to connect failed a moment ago.
    pub(crate) fn is_suspended(&self) -> bool {
        let until = self.suspended_until_ms.load(Ordering::Relaxed);
        until > 0 && until > self.elapsed_ms()
    }

    fn suspend(&self) {
        let suspension_ms = u64::try_from(SUSPENSION.as_millis()).unwrap_or(u64::MAX);
        self.suspended_until_ms.store(self.elapsed_ms().saturating_add(suspension_ms), Ordering::Relaxed);
        self.count.connect_failures.fetch_add(1, Ordering::Relaxed);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A connection that was used before and can be used at once, the latest first.
    pub(super) fn idle_connection(&self) -> Option<Connection> {
        let mut idle = self.idle();
        let mut at = idle.len();
        while at > 0 {
            at -= 1;
            if idle[at].sender.is_closed() {
                idle.swap_remove(at);
            } else if idle[at].sender.is_ready() {
                let sender = idle.swap_remove(at).sender;
                return Some(Connection { sender, age: Age::Used });
            }
        }
        None
    }

    /// A connection of its own for one request.
    pub(super) async fn new_connection(&self) -> Result<Connection, ConnectError> {
        let stream = self.connect().await?;
        let (sender, connection) =
            http1::Builder::new().max_buf_size(RESPONSE_HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Whoever has a request on it gets the error as well.
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection to a backend ended");
            }
        });
        Ok(Connection { sender, age: Age::New })
    }

    /// A bare connection.
    pub(super) async fn connect(&self) -> Result<TcpStream, ConnectError> {
        let connecting = TcpStream::connect((&*self.backend.host, self.backend.port));
        let connected = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected.map_err(ConnectError::Connect),
            Err(_elapsed) => Err(ConnectError::Timeout),
        };
        let stream = connected.inspect_err(|_| self.suspend())?;
        // A socket that refuses this is about to fail anyway.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Takes back a connection whose response was read to its end.
    pub(super) fn keep(&self, sender: SendRequest<RequestBody>) {
        let Ok(slot) = Arc::clone(&self.idle_slots).try_acquire_owned() else { return };
        let mut idle = self.idle();
        // Under the lock: whoever retires it empties the list afterwards.
        if !self.retired.load(Ordering::SeqCst) && !sender.is_closed() && idle.len() < IDLE_MAX {
            idle.push(Idle { sender, since: Instant::now(), _slot: slot });
        }
    }

    /// Closes connections that have waited for too long.
    pub(super) fn close_idle(&self) {
        self.idle().retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < IDLE_TIMEOUT);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Upstream>);

impl Permit {
    pub(super) fn upstream(&self) -> &Arc<Upstream> {
        &self.0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

/// FNV-1a, finished with a mixing step: stable between processes and programs.
pub(super) fn mark(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    mixed(hash)
}

/// Spreads the difference of two numbers over all bits.
pub(super) fn mixed(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

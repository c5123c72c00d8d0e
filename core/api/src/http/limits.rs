//! Every limit that protects a server from its clients, in one place.

use std::time::Duration;

/// What one server takes from its clients. [`Limits::default`] is what the roles run with; tests tighten it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; further ones wait in the listen queue. Below the usual 20,000 open files of a process.
    pub max_connections: usize,
    /// A connection that has not sent a complete first request head after this long is closed. Later requests on a kept
    /// connection may take any time: clients exist that keep one idle for hours and fail when it is gone.
    pub first_request_timeout: Duration,
    /// The whole body of a request has to arrive within this time.
    pub body_timeout: Duration,
    /// The largest body of a request, in bytes. An ACCEPT that launches some ten thousand tasks fits.
    pub max_body_bytes: usize,
    /// The most bytes of a request's head, also of one header list in HTTP/2.
    pub max_head_bytes: usize,
    /// Streams that one HTTP/2 connection may have open: many agents may share a connection.
    pub max_streams_per_connection: u32,
    /// After a request to stop, how long requests in flight may take. Event streams never end by themselves, so this
    /// is also how long they live on.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_connections: 16_384,
            first_request_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            max_body_bytes: 32 << 20,
            max_head_bytes: 64 << 10,
            max_streams_per_connection: 65_536,
            shutdown_grace: Duration::from_secs(1),
        }
    }
}

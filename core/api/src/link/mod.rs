//! The agent link: what an agent and the master say to each other, in protobuf.
//!
//! An agent opens the link with REGISTER (`POST /api/v1/agent`); the response is a RecordIO stream of [`Event`]s with the header
//! [`STREAM_ID_HEADER`]. Its other calls are requests of their own with that header: 202, or 409 when the stream is not the
//! agent's current one. Every message carries the leader's `epoch`; an agent keeps the highest it has seen and refuses lower
//! ones, so that a deposed master commands nothing.

mod call;
mod digest;
mod event;

pub use call::*;
pub use digest::TaskDigest;
pub use event::*;

/// The header that names an agent's stream.
pub const STREAM_ID_HEADER: &str = "Attica-Stream-Id";

/// How often an agent sends HEARTBEAT unless REGISTERED says otherwise.
pub const HEARTBEAT_DEFAULT_MS: u64 = 2_000;

/// After as many missed heartbeats an agent is unreachable, unless the master is told otherwise.
pub const MISSED_LIMIT_DEFAULT: u32 = 5;

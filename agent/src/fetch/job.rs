//! What the agent and its helper say to each other: one JSON document on the helper's standard input, one on its output. When the input
//! ends the helper does, too: that is how it is stopped, and it does not outlive the agent.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::unpack::format::Format;

/// The longest document, in bytes.
pub(super) const DOCUMENT_MAX_BYTES: u64 = 16 << 20;

/// What the helper is to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Job {
    Download(Download),
    /// Unpack the layer of an image into an empty directory.
    Unpack {
        layer: PathBuf,
        directory: PathBuf,
    },
}

/// Files to be brought into a directory, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Download {
    /// Empty, and nobody else's way leads there.
    pub(crate) directory: PathBuf,
    /// As whom files of this machine are opened; `None`: as the helper is started.
    pub(crate) user: Option<String>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) allowed_networks: Vec<IpNet>,
    /// So much may be downloaded altogether; `None`: as much as files may have.
    pub(crate) bytes_max: Option<u64>,
    /// Ends after so many milliseconds without a byte.
    pub(crate) stall_timeout_ms: u64,
    /// Further authorities for https.
    pub(crate) authorities: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// For people.
    pub(crate) uri: String,
    pub(crate) source: Source,
    pub(crate) name: PathBuf,
    pub(crate) extract: Option<Format>,
    pub(crate) executable: bool,
}

/// Where the bytes are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// A file that the task's user has to be allowed to read.
    File(PathBuf),
    Http(String),
    /// The agent's own copy, which was fetched for the same user.
    Cached(PathBuf),
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Done,
    Failed(String),
}

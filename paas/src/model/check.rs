use serde::{Deserialize, Serialize};

use super::CommandLine;

/// What is asked of an instance without a consequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// How.
    pub question: Question,
    /// The time between two checks.
    pub interval_ms: u64,
    /// A check without an answer for so long has none.
    pub timeout_ms: u64,
    /// The agent waits so long before the first one.
    pub delay_ms: u64,
}

/// How an instance is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// A GET; its status is the answer.
    Http {
        /// Of the port with this index.
        port_index: u32,
        /// The path and query; none: `/`.
        path: Option<String>,
    },
    /// A connection; whether it is accepted is the answer.
    Tcp {
        /// Of the port with this index.
        port_index: u32,
    },
    /// A command; its exit status is the answer.
    Command(CommandLine),
}

/// What a check found last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A status.
    Http(u32),
    /// Whether a connection was accepted.
    Tcp(bool),
    /// An exit status.
    Command(i32),
}

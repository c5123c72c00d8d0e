use serde::{Deserialize, Serialize};

use super::Scheme;

/// What is asked of a new instance until it says that it is ready; a deployment waits for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessCheck {
    /// Its name in results.
    pub name: String,
    /// Plain or encrypted.
    pub scheme: Scheme,
    /// The path and query.
    pub path: String,
    /// The name of the port.
    pub port_name: String,
    /// From one question to the next.
    pub interval_ms: u64,
    /// A question without an answer is given up after so long; less than the interval.
    pub timeout_ms: u64,
    /// An answer with one of these statuses says that it is ready; at least one.
    pub statuses: Vec<u16>,
    /// Whether what was answered last is shown.
    #[serde(default)]
    pub keeps_response: bool,
}

/// What an instance answered last to its readiness check. Not durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadinessResponse {
    /// The status; 504 when there was no answer.
    pub status: u32,
    /// Its media type; empty when none was named.
    pub content_type: String,
    /// The beginning of what was answered, or why there was no answer.
    pub body: String,
}

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
}

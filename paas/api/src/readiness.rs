//! Readiness: what a new instance has to be before a deployment goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked of a new instance until it says that it is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadinessCheck {
    /// Its name in results.
    #[serde(default = "name")]
    pub name: String,
    /// `HTTP` or `HTTPS`.
    #[serde(default = "protocol")]
    pub protocol: String,
    /// What is asked for.
    #[serde(default = "path")]
    pub path: String,
    /// At which of the app's ports, by its name.
    #[serde(default = "port_name")]
    pub port_name: String,
    /// Seconds between two checks.
    #[serde(default = "interval")]
    pub interval_seconds: i64,
    /// Seconds after which a check without an answer has failed; less than there are between two.
    #[serde(default = "timeout")]
    pub timeout_seconds: i64,
    /// An answer with one of these statuses says that it is ready.
    #[serde(default = "statuses")]
    pub http_status_codes_for_ready: Vec<i64>,
    /// Whether what was answered last is shown.
    #[serde(default)]
    pub preserve_last_response: bool,
}

fn name() -> String {
    "readinessCheck".to_owned()
}

fn protocol() -> String {
    "HTTP".to_owned()
}

fn path() -> String {
    "/".to_owned()
}

fn port_name() -> String {
    "http-api".to_owned()
}

fn interval() -> i64 {
    30
}

fn timeout() -> i64 {
    10
}

fn statuses() -> Vec<i64> {
    vec![200]
}

/// What a readiness check has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessCheckResult {
    /// The name of the check.
    pub name: String,
    /// The task that was asked.
    pub task_id: String,
    /// Whether it has said that it is ready.
    pub ready: bool,
    /// What was answered last, where the check says that it is to be shown; absent before the first answer, and after a change of the
    /// leader until the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_response: Option<ReadinessCheckResponse>,
}

/// What a readiness check was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessCheckResponse {
    /// The status; 504 when there was no answer.
    pub status: u32,
    /// Its media type; empty when none was named.
    pub content_type: String,
    /// The beginning of what was answered, at most 4096 bytes; why there was no answer when there was none.
    pub body: String,
}

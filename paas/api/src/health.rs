//! Health checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One check of every instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// What is done.
    #[serde(default)]
    pub protocol: HealthCheckProtocol,
    /// What an HTTP check asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Index into the app's ports. Either this or `port`; 0 when neither is given. A COMMAND check has no port, and this means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_index: Option<i64>,
    /// A fixed port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// The command of a COMMAND check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CheckCommand>,
    /// Failures within so many seconds after the start do not count, until the first success.
    #[serde(default = "grace_period")]
    pub grace_period_seconds: i64,
    /// Seconds between two checks.
    #[serde(default = "interval")]
    pub interval_seconds: i64,
    /// Seconds after which a check without an answer has failed.
    #[serde(default = "timeout")]
    pub timeout_seconds: i64,
    /// So many failures in a row end the instance; 0: never for HTTP and TCP.
    #[serde(default = "failures")]
    pub max_consecutive_failures: i64,
    /// Seconds before the first check, for the kinds that the agent decides.
    #[serde(default = "delay")]
    pub delay_seconds: i64,
    /// Whether an answer 100–199 leaves the verdict as it was.
    #[serde(default, rename = "ignoreHttp1xx", skip_serializing_if = "Option::is_none")]
    pub ignore_http_1xx: Option<bool>,
    /// Over which version of the internet protocol: `IPv4`, as when it is absent, or `IPv6`.
    #[serde(default, rename = "ipProtocol", skip_serializing_if = "Option::is_none")]
    pub ip_protocol: Option<String>,
}

/// What a COMMAND check runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckCommand {
    /// For the shell, in the environment and the sandbox of the instance.
    pub value: String,
}

fn grace_period() -> i64 {
    300
}
fn interval() -> i64 {
    60
}
fn timeout() -> i64 {
    20
}
fn failures() -> i64 {
    3
}
fn delay() -> i64 {
    15
}

/// What a check does and who acts on its verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HealthCheckProtocol {
    /// HTTP GET, 200–399 is healthy; the service layer ends unhealthy instances.
    #[default]
    Http,
    /// The same over TLS. Refused for now.
    Https,
    /// A connection is enough; the service layer ends unhealthy instances.
    Tcp,
    /// A command's exit status, 0 is healthy; the agent ends unhealthy instances.
    Command,
    /// HTTP GET; the agent ends unhealthy instances.
    MesosHttp,
    /// The same over TLS. Refused for now.
    MesosHttps,
    /// A connection is enough; the agent ends unhealthy instances.
    MesosTcp,
}

/// What a check said of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckResult {
    /// The verdict.
    pub alive: bool,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// RFC 3339 with milliseconds, or null.
    pub first_success: Option<String>,
    /// RFC 3339 with milliseconds, or null.
    pub last_success: Option<String>,
    /// RFC 3339 with milliseconds, or null.
    pub last_failure: Option<String>,
    /// Why the last check failed, or null.
    pub last_failure_cause: Option<String>,
    /// The instance.
    pub instance_id: String,
}

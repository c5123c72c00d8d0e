use attica_core_api::Timestamp;
use serde::{Deserialize, Serialize};

use super::serial;

/// How to find out whether a task serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Who takes the verdict.
    pub kind: CheckKind,
    /// What is probed.
    pub endpoint: Endpoint,
    /// The port that is probed.
    pub port: CheckedPort,
    /// With which version of the internet protocol.
    #[serde(default)]
    pub family: IpFamily,
    /// Failures do not count for so long after the start of the task, unless it was healthy before.
    pub grace_period_ms: u64,
    /// The time between two probes.
    pub interval_ms: u64,
    /// A probe without an answer for so long has failed.
    pub timeout_ms: u64,
    /// The task is killed at so many failures in a row. 0 with [`CheckKind::Service`]: never.
    pub max_consecutive_failures: u32,
    /// The agent waits so long before its first probe. Only for [`CheckKind::Agent`].
    pub delay_ms: u64,
}

/// A version of the internet protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpFamily {
    /// `IPv4`
    #[default]
    V4,
    /// `IPv6`
    V6,
}

/// Who decides that an unhealthy task is killed. The agent probes in both cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckKind {
    /// This service does (`HTTP`, `HTTPS`, `TCP`): the agent reports.
    Service,
    /// The agent does (`COMMAND`, `MESOS_HTTP`, `MESOS_HTTPS`, `MESOS_TCP`). At most one per run spec.
    Agent,
}

/// What is probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endpoint {
    /// A GET that must be answered with 200 to 399.
    Http {
        /// Plain or encrypted.
        scheme: Scheme,
        /// The path and query. None: `/`.
        path: Option<String>,
        /// `ignoreHttp1xx`: an answer 1xx with none behind it leaves the task's health as it is; otherwise that is a failure.
        ignore_1xx: bool,
    },
    /// A connection that must come about.
    Tcp,
    /// A line for the shell that must end with status 0.
    Command(String),
    /// A program with its arguments that must end with status 0; of pods only.
    Program(Vec<String>),
}

/// The scheme of an HTTP probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// The port of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckedPort {
    /// The task's port with this index.
    Index(u32),
    /// This very port.
    Number(u16),
    /// None: a command is run.
    None,
}

/// What is known about one task by one health check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthState {
    /// The verdict. None before the first result that counts.
    pub alive: Option<bool>,
    /// Failures since the last success that count: those in the grace period do not.
    pub consecutive_failures: u32,
    /// Failures since the last success as the agent counts them, so that one that is reported twice counts once.
    pub reported_failures: u32,
    /// The first success.
    #[serde(with = "serial::milliseconds::optional")]
    pub first_success: Option<Timestamp>,
    /// The latest success.
    #[serde(with = "serial::milliseconds::optional")]
    pub last_success: Option<Timestamp>,
    /// The latest failure.
    #[serde(with = "serial::milliseconds::optional")]
    pub last_failure: Option<Timestamp>,
    /// What the latest failure was.
    pub last_failure_cause: Option<String>,
}

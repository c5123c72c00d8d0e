//! Checks and health checks, how to kill, and what checks found.

use super::{CommandInfo, DurationInfo, NetworkProtocol};
use crate::message::{enumeration, message};

enumeration! {
    /// How a check is made.
    pub enum CheckType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Its exit code.
        Command "COMMAND" = 1,
        /// The status code of a GET.
        Http "HTTP" = 2,
        /// Whether a connection is accepted.
        Tcp "TCP" = 3,
    }
    /// How a health check is made.
    pub enum HealthCheckType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Healthy when it exits with 0.
        Command "COMMAND" = 1,
        /// Healthy when a GET is answered with a good status.
        Http "HTTP" = 2,
        /// Healthy when a connection is accepted.
        Tcp "TCP" = 3,
    }
}

message! {
    /// Runs a command and reports its exit code.
    pub struct CheckCommand {
        command: required CommandInfo = 1,
    }
    /// Sends a GET and reports the status code.
    pub struct CheckHttp {
        port: required u32 = 1,
        path: optional String = 2,
    }
    /// Connects and reports whether that worked.
    pub struct CheckTcp {
        port: required u32 = 1,
    }
    /// A check whose results are reported and nothing else.
    pub struct CheckInfo {
        r#type: optional CheckType = 1,
        command: optional CheckCommand = 2,
        http: optional CheckHttp = 3,
        tcp: optional CheckTcp = 7,
        delay_seconds: default f64 = 4 (15.0),
        interval_seconds: default f64 = 5 (10.0),
        timeout_seconds: default f64 = 6 (20.0),
    }
    /// A GET as health check.
    pub struct HttpCheckInfo {
        protocol: default NetworkProtocol = 5 (NetworkProtocol::Ipv4),
        /// `http` (which unset means) or `https`.
        scheme: optional String = 3,
        port: required u32 = 1,
        path: optional String = 2,
        /// Status codes that mean healthy; none given: 200 to 399.
        statuses: repeated u32 = 4,
        /// Ours: an answer 1xx with none behind it says nothing, neither good nor bad.
        ignore_1xx: optional bool = 1001,
        /// Ours: what is answered is told with the result.
        keep_response: optional bool = 1002,
    }
    /// A connection as health check.
    pub struct TcpCheckInfo {
        protocol: default NetworkProtocol = 2 (NetworkProtocol::Ipv4),
        port: required u32 = 1,
    }
    /// A check that decides whether a task is healthy.
    pub struct HealthCheck {
        delay_seconds: default f64 = 2 (15.0),
        interval_seconds: default f64 = 3 (10.0),
        timeout_seconds: default f64 = 4 (20.0),
        consecutive_failures: default u32 = 5 (3),
        grace_period_seconds: default f64 = 6 (10.0),
        r#type: optional HealthCheckType = 8,
        command: optional CommandInfo = 7,
        http: optional HttpCheckInfo = 1,
        tcp: optional TcpCheckInfo = 9,
    }
    /// How a task is killed.
    pub struct KillPolicy {
        /// Between SIGTERM and SIGKILL.
        grace_period: optional DurationInfo = 1,
    }
    /// Exit code of a checking command.
    pub struct CheckStatusCommand {
        exit_code: optional i32 = 1,
    }
    /// Status code of a checking GET.
    pub struct CheckStatusHttp {
        status_code: optional u32 = 1,
    }
    /// Whether a checking connection was accepted.
    pub struct CheckStatusTcp {
        succeeded: optional bool = 1,
    }
    /// What a check found; the member of its type is there from the start and empty until the first result.
    pub struct CheckStatusInfo {
        r#type: optional CheckType = 1,
        command: optional CheckStatusCommand = 2,
        http: optional CheckStatusHttp = 3,
        tcp: optional CheckStatusTcp = 4,
    }
    /// What an HTTP health check was answered; ours.
    pub struct HttpAnswer {
        status: required u32 = 1,
        /// The media type alone; empty when none is named.
        content_type: required String = 2,
        /// Its beginning, at most 4096 bytes; what is no UTF-8 in it is replaced.
        body: required String = 3,
    }
    /// What the agent found in one of `TaskInfo.health_checks`; ours.
    pub struct HealthResult {
        /// Which check, counted from 0 in `TaskInfo.health_checks`.
        index: required u32 = 1,
        healthy: required bool = 2,
        /// Failures since the last success.
        consecutive_failures: required u32 = 3,
        /// What went wrong.
        message: optional String = 4,
        /// Seconds since 1970.
        timestamp: required f64 = 5,
        /// What was answered, where the check says that it is to be told; none when nothing was.
        response: optional HttpAnswer = 6,
    }
}

//! What a check asks, and what its answer means: to a health check, whether the task is healthy; to a check, nothing but itself.

use attica_core_api::v1::{
    CheckInfo, CheckStatusCommand, CheckStatusHttp, CheckStatusInfo, CheckStatusTcp, CheckType, CommandInfo,
    HealthCheck, HealthCheckType, HttpAnswer, NetworkProtocol,
};

use super::ending;
use crate::launcher::protocol::Exit;

/// A time-out of zero means none, as in Mesos. This one lets a probe end nevertheless: each holds one of the prober's places.
const NO_TIMEOUT_MS: u64 = 600_000;
/// The longest time that a check can name, in seconds.
const MAX_SECONDS: f64 = 1e12;

/// Where a task is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

/// How a task is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    /// Whoever answers is believed to be the task, whatever its certificate says, as in Mesos.
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// A GET.
    Http(Box<Question>),
    /// A connection.
    Tcp { family: Family, port: u16 },
    /// A program that ends with status 0; the supervisor runs it.
    Command(Box<CommandInfo>),
}

/// What a GET asks, and which answers are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) scheme: Scheme,
    pub(crate) family: Family,
    pub(crate) port: u16,
    pub(crate) path: String,
    /// Healthy ones; none given: 200 to 399.
    pub(crate) statuses: Vec<u32>,
    /// An answer 1xx is as good as no probe.
    pub(crate) ignores_1xx: bool,
    /// The answer is told, not only what it means.
    pub(crate) keeps_answer: bool,
}

/// One check for the prober.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProbeSpec {
    pub(crate) target: Target,
    /// Until the first probe.
    pub(crate) delay_ms: u64,
    /// From the beginning of one probe to the next.
    pub(crate) interval_ms: u64,
    pub(crate) timeout_ms: u64,
}

/// What a probe has found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Finding {
    /// The request, in words, was answered with this status, and with this where that is to be told.
    Answered { request: String, status: u16, answer: Option<HttpAnswer> },
    /// Somebody listens.
    Connected,
    /// Nobody does, and why.
    NotConnected(String),
    /// The command has ended.
    Exited(Exit),
    /// There is no answer, and why.
    Nothing(String),
}

/// Why a check cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    #[error("a check has no type")]
    NoType,
    #[error("a {0} check lacks its `{1}` member")]
    NoMember(&'static str, &'static str),
    #[error("a check's scheme has to be `http` or `https`, not `{0}`")]
    Scheme(String),
    #[error("a check's port {0} is not one")]
    Port(u32),
    #[error("a check's `{0}` has to be a number of seconds between 0 and {MAX_SECONDS}")]
    Seconds(&'static str),
    #[error("a check's path has to begin with `/` and be printable ASCII")]
    Path,
}

impl From<NetworkProtocol> for Family {
    fn from(protocol: NetworkProtocol) -> Family {
        match protocol {
            NetworkProtocol::Ipv4 => Family::Ipv4,
            NetworkProtocol::Ipv6 => Family::Ipv6,
        }
    }
}

impl ProbeSpec {
    /// What to probe for a health check, or why that cannot be done.
    pub(super) fn of_health_check(check: &HealthCheck) -> Result<ProbeSpec, CheckError> {
        let target = match check.r#type {
            Some(HealthCheckType::Http) => {
                let http = check.http.as_ref().ok_or(CheckError::NoMember("HTTP", "http"))?;
                Target::Http(Box::new(Question {
                    scheme: scheme(http.scheme.as_deref())?,
                    family: http.protocol.into(),
                    port: port(http.port)?,
                    path: path(http.path.as_deref())?,
                    statuses: http.statuses.clone(),
                    ignores_1xx: http.ignore_1xx == Some(true),
                    keeps_answer: http.keep_response == Some(true),
                }))
            }
            Some(HealthCheckType::Tcp) => {
                let tcp = check.tcp.as_ref().ok_or(CheckError::NoMember("TCP", "tcp"))?;
                Target::Tcp { family: tcp.protocol.into(), port: port(tcp.port)? }
            }
            Some(HealthCheckType::Command) => {
                Target::Command(Box::new(check.command.clone().ok_or(CheckError::NoMember("COMMAND", "command"))?))
            }
            Some(HealthCheckType::Unknown) | None => return Err(CheckError::NoType),
        };
        ProbeSpec::of(target, [check.delay_seconds, check.interval_seconds, check.timeout_seconds])
    }

    /// What to probe for a check, or why that cannot be done.
    pub(super) fn of_check(check: &CheckInfo) -> Result<ProbeSpec, CheckError> {
        let target = match check.r#type {
            Some(CheckType::Http) => {
                let http = check.http.as_ref().ok_or(CheckError::NoMember("HTTP", "http"))?;
                Target::Http(Box::new(Question {
                    scheme: Scheme::Http,
                    family: Family::Ipv4,
                    port: port(http.port)?,
                    path: path(http.path.as_deref())?,
                    statuses: Vec::new(),
                    ignores_1xx: false,
                    keeps_answer: false,
                }))
            }
            Some(CheckType::Tcp) => {
                let tcp = check.tcp.as_ref().ok_or(CheckError::NoMember("TCP", "tcp"))?;
                Target::Tcp { family: Family::Ipv4, port: port(tcp.port)? }
            }
            Some(CheckType::Command) => {
                let command = check.command.as_ref().ok_or(CheckError::NoMember("COMMAND", "command"))?;
                Target::Command(Box::new(command.command.clone()))
            }
            Some(CheckType::Unknown) | None => return Err(CheckError::NoType),
        };
        ProbeSpec::of(target, [check.delay_seconds, check.interval_seconds, check.timeout_seconds])
    }

    fn of(target: Target, [delay, interval, timeout]: [f64; 3]) -> Result<ProbeSpec, CheckError> {
        let timeout_ms = match milliseconds(timeout, "timeout_seconds")? {
            0 => NO_TIMEOUT_MS,
            timeout_ms => timeout_ms,
        };
        Ok(ProbeSpec {
            target,
            delay_ms: milliseconds(delay, "delay_seconds")?,
            interval_ms: milliseconds(interval, "interval_seconds")?,
            timeout_ms,
        })
    }

    /// Whether this says nothing about health.
    pub(super) fn ignores(&self, finding: &Finding) -> bool {
        match (&self.target, finding) {
            (Target::Http(question), Finding::Answered { status, .. }) => {
                question.ignores_1xx && (100..200).contains(status)
            }
            (Target::Http(_) | Target::Tcp { .. } | Target::Command(_), _) => false,
        }
    }

    /// Whether this is healthy, or why not.
    pub(super) fn verdict(&self, finding: Finding) -> Result<(), String> {
        match finding {
            Finding::Answered { request, status, answer: _ } => match self.is_healthy(status) {
                true => Ok(()),
                false => Err(format!("{request} was answered with status {status}")),
            },
            Finding::Connected | Finding::Exited(Exit::Code(0)) => Ok(()),
            Finding::Exited(exit) => Err(ending::describe(exit)),
            Finding::NotConnected(reason) | Finding::Nothing(reason) => Err(reason),
        }
    }

    fn is_healthy(&self, status: u16) -> bool {
        match &self.target {
            Target::Http(question) if !question.statuses.is_empty() => question.statuses.contains(&u32::from(status)),
            Target::Http(_) | Target::Tcp { .. } | Target::Command(_) => (200..400).contains(&status),
        }
    }
}

/// What a check of this type has to tell: of nothing, its type alone.
pub(super) fn check_status(r#type: CheckType, finding: Option<&Finding>) -> CheckStatusInfo {
    let (mut command, mut http, mut tcp) = (None, None, None);
    match r#type {
        CheckType::Command => {
            let exit_code = match finding {
                Some(Finding::Exited(Exit::Code(code))) => Some(*code),
                _ => None,
            };
            command = Some(CheckStatusCommand { exit_code });
        }
        CheckType::Http => {
            let status_code = match finding {
                Some(Finding::Answered { status, .. }) => Some(u32::from(*status)),
                _ => None,
            };
            http = Some(CheckStatusHttp { status_code });
        }
        CheckType::Tcp => {
            let succeeded = match finding {
                Some(Finding::Connected) => Some(true),
                Some(Finding::NotConnected(_)) => Some(false),
                _ => None,
            };
            tcp = Some(CheckStatusTcp { succeeded });
        }
        CheckType::Unknown => {}
    }
    CheckStatusInfo { r#type: Some(r#type), command, http, tcp }
}

pub(super) fn milliseconds(seconds: f64, name: &'static str) -> Result<u64, CheckError> {
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(CheckError::Seconds(name));
    }
    Ok((seconds * 1_000.0) as u64)
}

fn port(port: u32) -> Result<u16, CheckError> {
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or(CheckError::Port(port))
}

fn scheme(scheme: Option<&str>) -> Result<Scheme, CheckError> {
    match scheme {
        None | Some("http") => Ok(Scheme::Http),
        Some("https") => Ok(Scheme::Https),
        Some(other) => Err(CheckError::Scheme(other.to_owned())),
    }
}

fn path(path: Option<&str>) -> Result<String, CheckError> {
    let path = path.unwrap_or("/");
    let legal = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    legal.then(|| path.to_owned()).ok_or(CheckError::Path)
}

#[cfg(test)]
mod tests {
    use attica_core_api::v1::{CheckHttp, HttpCheckInfo, TcpCheckInfo};

    use super::*;

    #[test]
    fn a_time_out_of_zero_is_none() {
        let timeout_ms = |timeout_seconds| {
            let tcp = Some(TcpCheckInfo { port: 1, ..TcpCheckInfo::default() });
            let check =
                HealthCheck { r#type: Some(HealthCheckType::Tcp), tcp, timeout_seconds, ..HealthCheck::default() };
            ProbeSpec::of_health_check(&check).unwrap().timeout_ms
        };
        assert_eq!([0.0, 0.5, 20.0].map(timeout_ms), [NO_TIMEOUT_MS, 500, 20_000]);
    }

    #[test]
    fn a_check_is_made_as_mesos_does_when_nothing_is_said() {
        let http = Some(CheckHttp { port: 80, path: None });
        let check = CheckInfo { r#type: Some(CheckType::Http), http, ..CheckInfo::default() };
        let spec = ProbeSpec::of_check(&check).unwrap();
        assert_eq!((spec.delay_ms, spec.interval_ms, spec.timeout_ms), (15_000, 10_000, 20_000));
        let Target::Http(question) = spec.target else { panic!("{spec:?}") };
        assert_eq!((question.scheme, question.port, question.path.as_str()), (Scheme::Http, 80, "/"));
    }

    #[test]
    fn what_is_no_check_is_refused() {
        let of = |http: HttpCheckInfo| HealthCheck {
            r#type: Some(HealthCheckType::Http),
            http: Some(http),
            ..HealthCheck::default()
        };
        let port = HttpCheckInfo { port: 80, ..HttpCheckInfo::default() };
        let cases = [
            (of(HttpCheckInfo { scheme: Some("ftp".to_owned()), ..port.clone() }), "scheme"),
            (of(HttpCheckInfo { path: Some("x".to_owned()), ..port.clone() }), "path"),
            (of(HttpCheckInfo { port: 65_536, ..port.clone() }), "65536"),
            (HealthCheck { delay_seconds: -1.0, ..of(port.clone()) }, "delay_seconds"),
            (HealthCheck { http: None, ..of(port) }, "lacks its `http`"),
            (HealthCheck::default(), "no type"),
        ];
        for (check, says) in cases {
            let error = ProbeSpec::of_health_check(&check).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}

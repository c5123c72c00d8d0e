//! What an agent tells an executor before it is there.

use std::path::PathBuf;
use std::time::Duration;

use crate::auth::SecretText;
use crate::http::Security;
use crate::http::tls::{ClientCertificateUse, Plaintext, Tls, TlsError, TlsFiles};
use crate::parse_duration;
use crate::v1::{ExecutorId, FrameworkId};

/// How an executor reaches its agent, who it is, and how long it may be alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `MESOS_AGENT_ENDPOINT`: the agent's `host:port`.
    pub agent: String,
    /// `MESOS_EXECUTOR_ID`
    pub executor_id: ExecutorId,
    /// `MESOS_FRAMEWORK_ID`
    pub framework_id: FrameworkId,
    /// `MESOS_EXECUTOR_AUTHENTICATION_TOKEN`, sent as a bearer token with every call.
    pub token: Option<SecretText>,
    /// `LIBPROCESS_SSL_CA_FILE`, when `LIBPROCESS_SSL_ENABLED` is set: the agent is asked over TLS, and believed when one of these
    /// authorities has signed its certificate.
    pub authority: Option<PathBuf>,
    /// `MESOS_RECOVERY_TIMEOUT`, when `MESOS_CHECKPOINT` is set: how long the agent may be away. Otherwise it may not be.
    pub recovery_timeout: Duration,
    /// `MESOS_SUBSCRIPTION_BACKOFF_MAX`: the longest wait between two attempts to subscribe.
    pub backoff_max: Duration,
    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`: what is left of the executor so long after SHUTDOWN is killed.
    pub shutdown_grace: Duration,
}

/// Why this process is no executor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnvironment {
    /// A variable that every agent sets.
    #[error("the environment lacks {0}: an executor is started by an agent")]
    Absent(&'static str),
    /// A variable that holds something else than it should.
    #[error("{name} is not a duration: {value}")]
    Duration {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

impl Environment {
    /// From the variables of this process.
    pub fn of_process() -> Result<Environment, InvalidEnvironment> {
        Environment::read(|name| std::env::var(name).ok())
    }

    /// From variables that `lookup` knows.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Environment, InvalidEnvironment> {
        let needed = |name: &'static str| lookup(name).ok_or(InvalidEnvironment::Absent(name));
        let time = |name: &'static str, default: Duration| match lookup(name) {
            None => Ok(default),
            Some(value) => parse_duration(&value).map_err(|_| InvalidEnvironment::Duration { name, value }),
        };
        let is_set = |name| lookup(name).is_some_and(|value| value == "1" || value == "true");
        let checkpoints = is_set("MESOS_CHECKPOINT");
        let authority = match is_set("LIBPROCESS_SSL_ENABLED") {
            true => Some(PathBuf::from(needed("LIBPROCESS_SSL_CA_FILE")?)),
            false => None,
        };
        let recovery_timeout = time("MESOS_RECOVERY_TIMEOUT", Duration::from_secs(15 * 60))?;
        Ok(Environment {
            agent: needed("MESOS_AGENT_ENDPOINT")?,
            executor_id: ExecutorId::new(needed("MESOS_EXECUTOR_ID")?),
            framework_id: FrameworkId::new(needed("MESOS_FRAMEWORK_ID")?),
            token: lookup("MESOS_EXECUTOR_AUTHENTICATION_TOKEN").map(SecretText::new),
            authority,
            recovery_timeout: if checkpoints { recovery_timeout } else { Duration::ZERO },
            backoff_max: time("MESOS_SUBSCRIPTION_BACKOFF_MAX", Duration::from_secs(2))?,
            shutdown_grace: time("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", Duration::from_secs(5))?,
        })
    }

    /// Whom to believe.
    pub(super) fn security(&self) -> Result<Security, TlsError> {
        let Some(authority) = &self.authority else { return Ok(Security::default()) };
        let files = TlsFiles {
            certificate: None,
            key: None,
            authority: Some(authority.clone()),
            client_certificates: ClientCertificateUse::None,
        };
        Ok(Tls::start(files, Plaintext::Refused)?.security())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, InvalidEnvironment> {
        let given =
            |name: &str| variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
        Environment::read(given)
    }

    #[test]
    fn an_agents_environment_is_understood() {
        let given = [
            ("MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"),
            ("MESOS_EXECUTOR_ID", "custom"),
            ("MESOS_FRAMEWORK_ID", "f-0000"),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_RECOVERY_TIMEOUT", "1.5mins"),
            ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "500ms"),
        ];
        let environment = read(&given).unwrap();
        assert_eq!(environment.agent, "127.0.0.1:5051");
        assert_eq!(environment.recovery_timeout, Duration::from_secs(90));
        assert_eq!(environment.backoff_max, Duration::from_millis(500));
        assert_eq!(environment.shutdown_grace, Duration::from_secs(5));
        // Without checkpoints an agent that goes does not come back to this executor.
        assert_eq!(read(&given[..4]).unwrap().recovery_timeout, Duration::ZERO);
        assert_eq!(environment.authority, None);
        let mut secured = given.to_vec();
        secured.push(("LIBPROCESS_SSL_ENABLED", "1"));
        assert_eq!(read(&secured), Err(InvalidEnvironment::Absent("LIBPROCESS_SSL_CA_FILE")));
        secured.push(("LIBPROCESS_SSL_CA_FILE", "/ca.pem"));
        assert_eq!(read(&secured).unwrap().authority, Some(PathBuf::from("/ca.pem")));
    }

    #[test]
    fn another_process_is_told_what_it_lacks() {
        assert_eq!(read(&[]), Err(InvalidEnvironment::Absent("MESOS_AGENT_ENDPOINT")));
        let wrong = read(&[("MESOS_RECOVERY_TIMEOUT", "soon")]).unwrap_err();
        assert!(wrong.to_string().contains("MESOS_RECOVERY_TIMEOUT"), "{wrong}");
    }
}

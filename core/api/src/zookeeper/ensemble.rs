//! `zk://user:pass@host1:port,host2/path`.

use std::fmt;
use std::str::FromStr;

/// The port of a server that is named without one.
const PORT_DEFAULT: u16 = 2181;

/// The servers of one ZooKeeper, the path below which a role keeps its znodes, and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// `host:port`, separated by commas.
    servers: String,
    path: String,
    /// `user:password`, for the scheme `digest`.
    credentials: Option<String>,
}

/// Why a text is not the address of a ZooKeeper.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnsemble {
    /// It begins with something else.
    #[error("expected zk://host1:port,host2:port/path")]
    Scheme,
    /// There is no path, or it is the root, where nobody should put anything.
    #[error("expected a path behind the servers, like /mesos ('/' is not supported)")]
    Path,
    /// Not `host` or `host:port`.
    #[error("`{0}` is not a server: expected HOST or HOST:PORT")]
    Server(String),
    /// Not `user:password`.
    #[error("expected user:password before the @")]
    Credentials,
}

impl Ensemble {
    /// The same servers and credentials, another path.
    pub fn at(&self, path: &str) -> Result<Ensemble, InvalidEnsemble> {
        if !is_path(path) {
            return Err(InvalidEnsemble::Path);
        }
        Ok(Ensemble { path: path.to_owned(), ..self.clone() })
    }

    /// `host:port`, separated by commas.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Where the znodes are.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn credentials(&self) -> Option<&str> {
        self.credentials.as_deref()
    }
}

impl FromStr for Ensemble {
    type Err = InvalidEnsemble;

    fn from_str(text: &str) -> Result<Ensemble, InvalidEnsemble> {
        let rest = text.strip_prefix("zk://").ok_or(InvalidEnsemble::Scheme)?;
        let slash = rest.rfind('@').unwrap_or(0);
        let slash = slash + rest[slash..].find('/').ok_or(InvalidEnsemble::Path)?;
        let (authority, path) = rest.split_at(slash);
        let (credentials, servers) = match authority.rsplit_once('@') {
            Some((credentials, servers)) => (Some(credentials), servers),
            None => (None, authority),
        };
        if credentials.is_some_and(|credentials| !credentials.contains(':')) {
            return Err(InvalidEnsemble::Credentials);
        }
        let path = path.trim_end_matches('/');
        if !is_path(path) {
            return Err(InvalidEnsemble::Path);
        }
        let servers: Result<Vec<String>, InvalidEnsemble> = servers.split(',').map(server).collect();
        let credentials = credentials.map(str::to_owned);
        Ok(Ensemble { servers: servers?.join(","), path: path.to_owned(), credentials })
    }
}

/// A server with its port.
fn server(text: &str) -> Result<String, InvalidEnsemble> {
    let invalid = || InvalidEnsemble::Server(text.to_owned());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| invalid())?),
        None => (text, PORT_DEFAULT),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || !host.chars().all(plain) {
        return Err(invalid());
    }
    Ok(format!("{host}:{port}"))
}

fn is_path(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.chars().any(char::is_control);
    path.strip_prefix('/').is_some_and(|path| path.split('/').all(plain))
}

impl fmt::Display for Ensemble {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("zk://")?;
        if let Some((user, _)) = self.credentials.as_deref().and_then(|credentials| credentials.split_once(':')) {
            write!(formatter, "{user}:…@")?;
        }
        write!(formatter, "{}{}", self.servers, self.path)
    }
}

impl fmt::Debug for Ensemble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_password() {
        for (text, shown) in [
            ("zk://a:2181,b:2182/mesos", "zk://a:2181,b:2182/mesos"),
            ("zk://a,b/x/y/", "zk://a:2181,b:2181/x/y"),
            ("zk://me:sec@/ret@a/mesos", "zk://me:…@a:2181/mesos"),
            ("zk://127.0.0.1:1/m", "zk://127.0.0.1:1/m"),
        ] {
            let ensemble: Ensemble = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(ensemble.to_string(), shown);
            assert!(!format!("{ensemble:?}").contains("sec"));
        }
        let credentials = "zk://me:sec@/ret@a/mesos".parse::<Ensemble>().map(|ensemble| ensemble.credentials);
        assert_eq!(credentials, Ok(Some("me:sec@/ret".to_owned())));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, error) in [
            ("", InvalidEnsemble::Scheme),
            ("a:2181/mesos", InvalidEnsemble::Scheme),
            ("zk://a:2181", InvalidEnsemble::Path),
            ("zk://a:2181/", InvalidEnsemble::Path),
            ("zk://a//b", InvalidEnsemble::Path),
            ("zk://a/../b", InvalidEnsemble::Path),
            ("zk://me@a/mesos", InvalidEnsemble::Credentials),
            ("zk:///mesos", InvalidEnsemble::Server(String::new())),
            ("zk://a,,b/mesos", InvalidEnsemble::Server(String::new())),
            ("zk://a:x/mesos", InvalidEnsemble::Server("a:x".to_owned())),
            ("zk://a b/mesos", InvalidEnsemble::Server("a b".to_owned())),
        ] {
            assert_eq!(text.parse::<Ensemble>(), Err(error), "{text}");
        }
    }
}

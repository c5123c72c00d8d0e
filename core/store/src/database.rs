//! Where Postgres is, and how every connection to it is made.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, NoTls};

/// A connection attempt that has not succeeded by then has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that does not acknowledge for so long is gone: a silent network ends a connection as surely as a closed one.
const PEER_TIMEOUT: Duration = Duration::from_secs(10);

/// The address of a database: one server (TCP or unix socket), user, password, database name.
#[derive(Clone)]
pub struct Database {
    config: tokio_postgres::Config,
}

/// Why a string does not say where the database is.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDatabase {
    /// Neither a URL nor a key/value string that libpq would understand.
    #[error("not a Postgres address (postgresql://user@host:5432/name, or host=/run/postgresql user=attica)")]
    Syntax(#[source] tokio_postgres::Error),
    /// Failing over between servers is not built.
    #[error("a Postgres address names exactly one host, this one names {0}")]
    Hosts(usize),
    /// Connections are not encrypted.
    #[error("connections to Postgres are not encrypted yet: sslmode may be disable or prefer")]
    Encryption,
    /// The one who connects is not known.
    #[error("a Postgres address names the user (postgresql://user@host/name)")]
    NoUser,
    /// The password is not text.
    #[error("the Postgres password is not UTF-8")]
    Password,
}

impl FromStr for Database {
    type Err = InvalidDatabase;

    /// Parses libpq's URL or key/value syntax; a unix socket is `postgresql:///name?host=/directory&user=…`.
    fn from_str(text: &str) -> Result<Self, InvalidDatabase> {
        let mut config: tokio_postgres::Config = text.parse().map_err(InvalidDatabase::Syntax)?;
        if config.get_hosts().len() != 1 || config.get_ports().len() > 1 {
            return Err(InvalidDatabase::Hosts(config.get_hosts().len()));
        }
        match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => config.ssl_mode(SslMode::Disable),
            _ => return Err(InvalidDatabase::Encryption),
        };
        if config.get_user().is_none() {
            return Err(InvalidDatabase::NoUser);
        }
        if config.get_password().is_some_and(|password| std::str::from_utf8(password).is_err()) {
            return Err(InvalidDatabase::Password);
        }
        config
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(PEER_TIMEOUT)
            .keepalives_idle(PEER_TIMEOUT / 2)
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(5);
        Ok(Database { config })
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(formatter) // hides the password
    }
}

impl Database {
    /// How `sqlx` reaches this database; `application` shows in `pg_stat_activity`.
    pub fn options(&self, application: &str) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .application_name(application)
            .ssl_mode(PgSslMode::Disable)
            .port(self.config.get_ports().first().copied().unwrap_or(5432));
        for host in self.config.get_hosts() {
            options = match host {
                Host::Tcp(name) => options.host(name),
                Host::Unix(directory) => options.socket(directory),
            };
        }
        if let Some(user) = self.config.get_user() {
            options = options.username(user);
        }
        if let Some(name) = self.config.get_dbname().or(self.config.get_user()) {
            options = options.database(name);
        }
        if let Some(password) = self.config.get_password().and_then(|password| std::str::from_utf8(password).ok()) {
            options = options.password(password);
        }
        options
    }

    /// A pool for reads and everything that is not the hot path; it connects when it is first used.
    pub fn pool(&self, application: &str, max_connections: u32) -> sqlx::PgPool {
        PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(self.options(application))
    }

    /// Opens one connection whose statements can be pipelined.
    pub(crate) async fn connect(&self, application: &str) -> Result<Connection, tokio_postgres::Error> {
        let (client, driver) = self.config.clone().application_name(application).connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to Postgres ended");
            }
        });
        Ok(Connection { client, driver })
    }
}

/// One connection; dropping it closes the socket at once, whatever is in flight.
pub(crate) struct Connection {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_server_and_a_user() {
        let refused = |text: &str| text.parse::<Database>().expect_err(text).to_string();
        assert!("postgresql://me@localhost:5433/attica".parse::<Database>().is_ok());
        assert!("postgresql:///attica?host=/run/postgresql&user=me".parse::<Database>().is_ok());
        assert!("host=/run/postgresql user=me".parse::<Database>().is_ok());
        assert!(refused("postgresql://me@a,b/attica").contains("names 2"));
        assert!(refused("user=me").contains("names 0"));
        assert!(refused("host=/run/postgresql").contains("names the user"));
        assert!(refused("postgresql://me@a/attica?sslmode=require").contains("not encrypted"));
        assert!(refused("postgresql://me@a:port/attica").starts_with("not a Postgres address"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let database: Database = "postgresql://me:secret@localhost/attica".parse().expect("valid");
        assert!(!format!("{database:?}").contains("secret"));
    }
}

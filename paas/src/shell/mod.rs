//! The role: the engine's shell.
//!
//! It campaigns for the lead; while it leads, it feeds the engine from HTTP and from the master, commits what the engine decides,
//! and then, and only then, shows, answers and calls ([`leader`] has the picture). While it does not lead, it hands requests on.
//!
//! A leader that was deposed, or asked to abdicate, does not go back to waiting: the process ends with an error, and whoever
//! supervises it starts it again, as a standby. A graceful stop writes what is decided, hands the lead over, and exits with success.

mod args;
mod candidacy;
mod delivery;
mod driver;
mod leader;
mod link;
mod outgoing;
mod sealing;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use attica_core_api::http::tls::TlsError;
use attica_core_api::http::{Client, CredentialFileError, Limits, Protocol, ReadyFileError, Server, write_ready_file};
use attica_core_api::secrets::{KeyFileError, SealingKey};
use attica_core_api::zookeeper::InvalidEnsemble;
use attica_core_store::Database;
use attica_core_store::election::{self, Election, ElectionError};
use attica_core_store::migrations::{self, MigrationError};
use axum::Router;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub use args::Args;
pub use leader::LeaderError;

use crate::http::{AdminError, Agents, AllowedOrigins, Leading, Loggers, Metrics, Service, Sessions, SignIn, router};
use crate::validate::Rules;
use leader::Reign;

/// A leader that a standby hands a request to has so long to answer: longer than a write may take there.
const PROXY_TIMEOUT: Duration = Duration::from_secs(30);
/// Between the answer to the one who asked for it and the end of the leader.
const ABDICATION_DELAY: Duration = Duration::from_millis(500);

/// Why the role ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pool of service ports is empty.
    #[error("--local-port-min {min} is above --local-port-max {max}: no service port can be assigned")]
    PortRange {
        /// The lowest port.
        min: u16,
        /// The highest port.
        max: u16,
    },
    /// The certificates cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// What proves who this is cannot be used.
    #[error("--master-credential-file cannot be used")]
    Credential(#[from] CredentialFileError),
    /// Secrets cannot be sealed.
    #[error("--secrets-key-file cannot be used")]
    SecretsKey(#[from] KeyFileError),
    /// The admin's credential cannot be used.
    #[error("--admin-file cannot be used")]
    Admin(#[from] AdminError),
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Whoever waits for this role would wait in vain.
    #[error(transparent)]
    ReadyFile(#[from] ReadyFileError),
    /// The database is not one that this program can use.
    #[error("cannot use the database")]
    Migration(#[source] MigrationError),
    /// Nobody can stand for election there.
    #[error("--zk cannot be used")]
    ZooKeeper(#[from] InvalidEnsemble),
    /// This process can never lead.
    #[error(transparent)]
    Election(#[from] ElectionError),
    /// This process led and cannot go on. Start it again.
    #[error("this process led the service layer, and had to stop")]
    Leader(#[from] LeaderError),
    /// A client asked the leader to step down. Start it again.
    #[error("leadership was abdicated, as a client asked")]
    Abdicated,
    /// The listener ended by itself.
    #[error("the listener ended")]
    ServerEnded,
}

/// Runs the service layer until `shutdown` resolves (success) or it cannot go on (an error). It answers under `console`'s routes with
/// what they say, and under all others itself.
///
/// # Errors
/// See [`Error`].
pub async fn run(args: Args, console: Router, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    if args.local_port_min > args.local_port_max {
        return Err(Error::PortRange { min: args.local_port_min, max: args.local_port_max });
    }
    let listen_error = |source| Error::Listen { address: args.listen, source };
    let tls = args.tls.start()?;
    let security = match &args.master_credential_file {
        Some(path) => tls.security().with_credential_file(path)?,
        None => tls.security(),
    };
    let secrets_key = args.secrets_key_file.as_deref().map(SealingKey::read).transpose()?;
    let server = Server::bind(args.listen, Limits::default()).await.map_err(listen_error)?.with_tls(tls.server.clone());
    let bound = server.local_address().map_err(listen_error)?;
    let address = args.address(bound);
    let mut candidate = candidacy::election(&args, address.clone())?;
    let (leading, leading_seen) = watch::channel(None);
    let service = Arc::new(Service {
        configuration: args.configuration(bound, tls.scheme(), security.scheme()),
        rules: Rules { network: args.default_network_name.clone() },
        secrets_key,
        leading: leading_seen.clone(),
        leader: candidate.leader(),
        scheme: tls.scheme(),
        compresses: args.http_compression,
        client: Client::secured(Protocol::Http1, PROXY_TIMEOUT, tls.security()),
        agents: Agents::new(args.master.clone(), security.clone()),
        agent_client: Client::secured(Protocol::Http1, PROXY_TIMEOUT, security.clone()),
        sessions: Sessions::new(&security),
        callback_security: tls.security(),
        security,
        sign_in: SignIn::start(
            args.require_sign_in,
            args.http_realm.clone(),
            args.admin(),
            tls.server.is_some() && !args.tls.tls_serve_plaintext,
        )?,
        names: args.names(bound, &address),
        allowed_origins: AllowedOrigins::of(&args.allowed_origins()),
        trusted_proxies: args.trusted_proxy.clone(),
        metrics: Arc::new(Metrics::default()),
        loggers: Loggers::new(args.log_control.clone()),
        backup_directory: args.backup_directory.clone(),
        abdication: Arc::new(Notify::new()),
        address,
    });
    tracing::info!(%bound, advertise = %service.address, "service layer listens");

    let stop_serving = CancellationToken::new();
    let _stop_on_error = stop_serving.clone().drop_guard();
    let mut serving = tokio::spawn({
        let (stop, service) = (stop_serving.clone(), Arc::clone(&service));
        async move { server.serve(router(service, console), stop.cancelled()).await }
    });
    let mut shutdown = pin!(shutdown);
    let elected = candidate.leader();
    let role = async {
        tokio::select! {
            outcome = reign(&args, &service, &mut candidate, &leading, &mut shutdown) => outcome,
            failed = announce(args.ready_file.as_deref(), bound, &service.address, leading_seen, elected) => Err(failed),
        }
    };
    tokio::select! {
        outcome = role => outcome?,
        _ = &mut serving => return Err(Error::ServerEnded),
    }
    stop_serving.cancel();
    // Whatever the server still had to say, its end is the end.
    let _ = serving.await;
    Ok(())
}

/// Campaigns and leads; returns without an error only after `shutdown`.
async fn reign(
    args: &Args,
    service: &Service,
    candidate: &mut impl Election,
    leading: &watch::Sender<Option<Arc<Leading>>>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<(), Error> {
    let leadership = tokio::select! {
        () = &mut *shutdown => return Ok(()),
        won = win(&args.postgres_url, candidate) => won?,
    };
    tracing::info!(epoch = %leadership.lead().epoch, "this process leads the service layer");
    let mut reign = Reign::begin(args, service, leadership).await?;
    leading.send_replace(Some(Arc::clone(&reign.leading)));
    let ended = tokio::select! {
        () = &mut *shutdown => Ok(()),
        why = reign.ended() => Err(Error::Leader(why)),
        () = service.abdication.notified() => {
            tokio::time::sleep(ABDICATION_DELAY).await;
            Err(Error::Abdicated)
        }
    };
    leading.send_replace(None);
    match ended {
        Ok(()) | Err(Error::Abdicated) => reign.resign().await,
        Err(_) => reign.abandon(),
    }
    ended
}

/// Waits for the database, brings its schema up to date, and waits for the lead.
async fn win(database: &Database, candidate: &mut impl Election) -> Result<election::Leadership, Error> {
    migrations::migrate_when_reachable(database).await.map_err(Error::Migration)?;
    Ok(candidate.campaign().await?)
}

/// Writes the ready file once this process answers: it leads, or knows who else does. Returns only with an error.
async fn announce(
    path: Option<&Path>,
    bound: SocketAddr,
    here: &str,
    mut leading: watch::Receiver<Option<Arc<Leading>>>,
    mut elected: watch::Receiver<Option<election::Leader>>,
) -> Error {
    if let Some(path) = path {
        let leads = leading.wait_for(Option::is_some);
        let follows = elected.wait_for(|leader| leader.as_ref().is_some_and(|leader| leader.address != here));
        // Neither fails: both senders live as long as this.
        tokio::select! {
            _ = leads => {}
            _ = follows => {}
        }
        if let Err(error) = write_ready_file(path, bound).await {
            return error.into();
        }
    }
    std::future::pending().await
}

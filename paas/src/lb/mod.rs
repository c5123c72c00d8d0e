//! The load balancer: a follower of the event stream that routes requests to healthy instances.
//!
//! It knows of the service layer only what any client of it can see. [`table`] is the pure core: apps, tasks, health and drains in, an
//! immutable route table out. [`follow`] feeds it from the event stream, and acknowledges a position only once no request is routed any
//! more to what that position takes away. [`proxy`] carries the requests; [`stats`] shows what it does. While the service
//! layer is away the latest table stays in use.

mod args;
mod files;
#[cfg(test)]
mod fixtures;
mod follow;
mod proxy;
mod stats;
pub mod table;
mod traffic;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use attica_core_api::http::tls::TlsError;
use attica_core_api::http::{CredentialFileError, Limits, ReadyFileError, Server, write_ready_file};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use args::Args;
pub use follow::{EVENT_TYPES, app, meaning};

use files::Shares;
use follow::Follower;
use proxy::{Doors, Entrance, Ports, Switch, bind};
use table::{Groups, Mode};

/// After a request to stop, requests in progress may take so long.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// Connections to backends that nobody uses are looked for so often.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);

/// Why the load balancer ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The certificates cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// What proves who this is cannot be used.
    #[error("--paas-token-file cannot be used")]
    Credential(#[from] CredentialFileError),
    /// Whoever waits for this role would wait in vain.
    #[error(transparent)]
    ReadyFile(#[from] ReadyFileError),
    /// A part of it ended by itself.
    #[error("a part of the load balancer ended")]
    PartEnded,
}

/// Balances until `shutdown` resolves (success) or it cannot go on (an error).
///
/// # Errors
/// See [`Error`].
pub async fn run(args: Args, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let tls = args.tls.start()?;
    let security = match &args.paas_token_file {
        Some(path) => tls.security().with_credential_file(path)?,
        None => tls.security(),
    };
    let (listener, bound) = listen(SocketAddr::new(args.listen, args.http_port)).await?;
    let stats_address = SocketAddr::new(args.listen, args.stats_port);
    let listen_error = |source| Error::Listen { address: stats_address, source };
    let stats =
        Server::bind(stats_address, Limits::default()).await.map_err(listen_error)?.with_tls(tls.server.clone());
    let stats_bound = stats.local_address().map_err(listen_error)?;
    let name = args.name(bound.port());
    tracing::info!(%bound, stats = %stats_bound, name, "load balancer listens");

    let stop = CancellationToken::new();
    let _stop_on_return = stop.clone().drop_guard();
    let shares = Shares::take();
    let switch = Arc::new(Switch::new(shares.idle));
    let doors = Doors::new(Arc::clone(&switch), shares.clients);
    let ports = Ports::new(doors.clone(), args.listen, vec![bound.port(), stats_bound.port()], stop.clone());
    let follower = Follower::new(&args.paas_url, security, &name, Groups::of(&args.group), Arc::clone(&switch), ports);
    let loaded = follower.loaded();

    let mut serving = tokio::spawn(doors.clone().serve(listener, Entrance::Names, Mode::Http, stop.clone()));
    let mut showing = tokio::spawn({
        let stop = stop.clone();
        let router = stats::router(Arc::clone(&switch));
        async move { stats.serve(router, stop.cancelled()).await }
    });
    let mut following = tokio::spawn(follower.run());
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        failed = announce(args.ready_file.as_deref(), bound, loaded) => Err(failed),
        () = tidy(&switch) => Err(Error::PartEnded),
        _ = &mut serving => Err(Error::PartEnded),
        _ = &mut showing => Err(Error::PartEnded),
        _ = &mut following => Err(Error::PartEnded),
    };
    following.abort();
    stop.cancel();
    if tokio::time::timeout(SHUTDOWN_GRACE, doors.closed()).await.is_err() {
        tracing::info!("closing connections that are still in use");
    }
    outcome
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let error = |source| Error::Listen { address, source };
    let listener = bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}

/// Writes the ready file once there is a route table. Returns only with an error.
async fn announce(path: Option<&Path>, bound: SocketAddr, mut loaded: watch::Receiver<bool>) -> Error {
    if loaded.wait_for(|loaded| *loaded).await.is_err() {
        return Error::PartEnded;
    }
    tracing::info!("the first routes are in use");
    if let Some(path) = path
        && let Err(error) = write_ready_file(path, bound).await
    {
        return error.into();
    }
    std::future::pending().await
}

/// Closes what nobody uses, for ever.
async fn tidy(switch: &Switch) {
    loop {
        tokio::time::sleep(IDLE_INTERVAL).await;
        switch.close_idle();
    }
}

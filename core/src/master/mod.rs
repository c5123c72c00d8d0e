//! The master role: the kernel's shell.
//!
//! It campaigns for the lead; while it leads, it feeds the kernel from HTTP, commits what the kernel decides, and then, and only
//! then, shows, sends and answers (`leader` has the picture). While it does not, it redirects to whoever leads.
//!
//! Code map: `args` what an operator sets; `candidacy` how it comes to lead, `standby` what it knows before; `routes` what is served;
//! `inbox`, `driver`, `store_contact`,
//! `delivery`, `streams`, `waiting` the way of an input through kernel and writer and back; `view` the read model; `metrics` what is counted.
//!
//! A master that was deposed does not go back to waiting: its memory may hold what was never written, its sockets what was
//! never true. The process ends with an error, and whoever supervises it starts it again, as a standby. A graceful stop writes what is
//! decided, hands the lead over, and exits with success.

mod args;
mod candidacy;
mod delivery;
mod driver;
mod duration;
mod identity;
mod inbox;
mod leader;
mod metrics;
mod routes;
mod security;
mod standby;
mod store_contact;
mod streams;
mod system;
#[cfg(test)]
mod tests;
mod view;
mod waiting;
mod watchers;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use attica_core_api::Timestamp;
use attica_core_api::http::guard::{Guard, GuardError};
use attica_core_api::http::tls::TlsError;
use attica_core_api::http::{Limits, ReadyFileError, Server, write_ready_file};
use attica_core_api::logging::Logging;
use attica_core_store::Database;
use attica_core_store::election::{self, AnyElection, Election, ElectionError, Leadership};
use attica_core_store::migrations::{self, MigrationError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use attica_core_api::logging::LogControl;

pub use args::{Advertise, AllocatorPolicy, Args, Rate, Registry};
pub use duration::Milliseconds;
pub use identity::MESOS_VERSION;
pub use leader::LeaderError;
pub use security::SecurityArgs;
pub use standby::FollowError;

use crate::kernel::{Config, RateLimit};
use identity::Identity;
use leader::{Durable, Reign, Setup};
use routes::files::Files;
use routes::{Master, Standing};
use standby::Standby;
use streams::Heartbeats;

/// How long a graceful stop waits for the database and the election: a master that is asked to end is gone within a second.
const RESIGN_TIMEOUT: Duration = Duration::from_millis(500);
/// And then for requests in flight, of which no event stream is one: those have been ended.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(200);

/// Why a master ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// The credentials or rules cannot be used.
    #[error("cannot tell who may come in")]
    Guard(#[from] GuardError),
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Others cannot be told to come to every address.
    #[error(
        "listening on {address}, every address of this machine, needs --advertise HOST:PORT: where others reach it"
    )]
    NoAdvertise {
        /// The address.
        address: SocketAddr,
    },
    /// Nothing says where what must not be forgotten is kept.
    #[error(
        "a master needs --postgres-url (or ATTICA_POSTGRES_URL), where everything durable is kept; or --registry=in_memory, which keeps nothing"
    )]
    NoDatabase,
    /// An election among masters that have nothing in common.
    #[error("--registry=in_memory is for one master alone: it cannot be elected with --zk; leave one of them out")]
    ElectionInMemory,
    /// Whoever waits for this role would wait in vain.
    #[error(transparent)]
    ReadyFile(#[from] ReadyFileError),
    /// The database is not one that this program can use.
    #[error("cannot use the database")]
    Migration(#[source] MigrationError),
    /// This master can never lead.
    #[error(transparent)]
    Election(#[from] ElectionError),
    /// This master led and cannot go on. Start it again.
    #[error("this master led, and had to stop")]
    Leader(#[from] LeaderError),
    /// The listener ended by itself.
    #[error("the listener ended")]
    ServerEnded,
}

/// Runs a master until `shutdown` resolves (success) or it cannot go on (an error).
pub async fn run(args: Args, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    if args.listen.ip().is_unspecified() && args.advertise.is_none() {
        return Err(Error::NoAdvertise { address: args.listen });
    }
    let database = candidacy::database(&args)?;
    let listen_error = |source| Error::Listen { address: args.listen, source };
    let tls = args.security.tls.start()?;
    let guard = args.security.guard(&tls)?;
    let limits = Limits { shutdown_grace: SHUTDOWN_GRACE, ..Limits::default() };
    let server = Server::bind(args.listen, limits).await.map_err(listen_error)?.with_tls(tls.server);
    let bound = server.local_address().map_err(listen_error)?;
    let identity = Arc::new(Identity::new(&args, bound).await);
    let address = identity.advertise.to_string();
    let election = candidacy::election(&args, database.as_ref(), &identity);
    let (standing, standing_seen) = watch::channel(Standing::Standby);
    let master = Master {
        identity: identity.clone(),
        logging: Arc::new(Logging::new(args.log_control.clone())),
        files: Files::of(args.external_log_file.clone()),
        standing: standing_seen.clone(),
        elected: election.leader(),
        guard: guard.clone(),
    };
    tracing::info!(%bound, advertise = %address, "master listens");

    let stop_serving = CancellationToken::new();
    let _stop_on_error = stop_serving.clone().drop_guard();
    let stopped = stop_serving.clone();
    let mut serving = tokio::spawn(async move { server.serve(routes::router(master), stopped.cancelled()).await });
    let announcement = Announcement {
        path: args.ready_file.clone(),
        bound,
        here: address,
        standing: standing_seen,
        elected: election.leader(),
    };
    let candidate = Candidate { args, identity, guard, database, election, standing };
    let shutdown = pin!(shutdown);
    tokio::select! {
        outcome = candidate.reign(shutdown) => outcome?,
        error = announcement.make() => return Err(error),
        _ = &mut serving => return Err(Error::ServerEnded),
    }
    stop_serving.cancel();
    // Whatever the server still had to say, its end is the end.
    let _ = serving.await;
    Ok(())
}

/// A master that wants to lead.
struct Candidate {
    args: Args,
    identity: Arc<Identity>,
    guard: Guard,
    database: Option<Database>,
    election: AnyElection,
    standing: watch::Sender<Standing>,
}

impl Candidate {
    /// Campaigns and leads; returns without an error only after `shutdown`.
    async fn reign(mut self, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> Result<(), Error> {
        let (leadership, durable) = tokio::select! {
            () = &mut shutdown => return Ok(()),
            won = self.win() => won?,
        };
        tracing::info!(epoch = %leadership.lead().epoch, "this master leads");
        self.standing.send_replace(Standing::Recovering);
        let setup = setup(&self.args, &self.identity, &self.guard, &leadership, durable);
        let mut reign = Reign::begin(setup, leadership).await?;
        self.standing.send_replace(Standing::Leading(reign.leader.clone()));
        let ended = tokio::select! {
            () = &mut shutdown => None,
            why = reign.ended() => Some(why),
        };
        self.standing.send_replace(Standing::Standby);
        match ended {
            None => {
                // What is not written by then was promised to nobody.
                if tokio::time::timeout(RESIGN_TIMEOUT, reign.resign()).await.is_err() {
                    tracing::warn!("the database does not take what was decided last; stopping without it");
                }
                Ok(())
            }
            Some(why) => Err(why.into()),
        }
    }

    /// Waits for the database, brings its schema up to date, and waits for the lead, with an eye on what the leader does.
    async fn win(&mut self) -> Result<(Leadership, Option<Durable>), Error> {
        let Some(database) = self.database.clone() else { return Ok((self.election.campaign().await?, None)) };
        migrations::migrate_when_reachable(&database).await.map_err(Error::Migration)?;
        let standby = Standby::start(&database);
        let leadership = self.election.campaign().await?;
        Ok((leadership, Some(Durable { database, standby })))
    }
}

/// What the winner of this election is told.
fn setup(args: &Args, identity: &Identity, guard: &Guard, leadership: &Leadership, durable: Option<Durable>) -> Setup {
    // Epochs count up from 1.
    let epoch = leadership.lead().epoch.0.unsigned_abs();
    let rate = args.agent_removal_rate_limit;
    let lease = leadership.lease();
    let config = Config {
        agent_heartbeat_ms: args.agent_ping_timeout.0,
        agent_missed_limit: args.max_agent_ping_timeouts,
        reregister_ms: args.agent_reregister_timeout.0,
        unreachable_limit: RateLimit {
            burst: rate.count,
            interval_ms: (rate.interval.0 / u64::from(rate.count)).max(1),
        },
        forget_unreachable_ms: args.registry_max_agent_age.0,
        unreachable_agents_limit: args.registry_max_agent_count as usize,
        offer_timeout_ms: Some(args.offer_timeout.0),
        allocation: allocation(args, epoch),
        roles: args.roles.0.clone(),
        require_agent_domain: args.require_agent_domain,
        scheduler_heartbeat_ms: args.scheduler_heartbeat.0,
        completed_tasks_limit: args.max_completed_tasks_per_framework as usize,
        completed_frameworks_limit: args.max_completed_frameworks as usize,
        ..Config::new(identity.master_info(), epoch)
    };
    Setup {
        durable,
        watchers_limit: args.max_operator_event_stream_subscribers as usize,
        measures_frameworks: args.publish_per_framework_metrics,
        guard: guard.clone(),
        heartbeats: Heartbeats {
            scheduler: args.scheduler_heartbeat.duration(),
            link: args.agent_ping_timeout.duration(),
            epoch,
            leads: Arc::new(move || lease.is_current()),
        },
        config,
        elected_at: Timestamp::from(SystemTime::now()),
        first_weights: args.weights.0.clone(),
    }
}

/// By which rules resources are offered.
fn allocation(args: &Args, epoch: u64) -> attica_allocator::Config {
    let (roles, frameworks) = args.allocator_policy.sorting(epoch);
    let excluded = args.fair_sharing_excluded_resource_names.iter().map(|name| name.trim());
    attica_allocator::Config {
        roles,
        frameworks,
        min_allocatable: args.min_allocatable_resources.0.clone(),
        unshared: excluded.filter(|name| !name.is_empty()).map(Into::into).collect(),
        gpus_for_capable_only: args.filter_gpu_resources,
        ..attica_allocator::Config::default()
    }
}

/// The ready file, and what has to be so before it is written.
struct Announcement {
    path: Option<PathBuf>,
    bound: SocketAddr,
    here: String,
    standing: watch::Receiver<Standing>,
    elected: watch::Receiver<Option<election::Leader>>,
}

impl Announcement {
    /// Writes the ready file once this master answers: it leads, or knows who else does. Returns only with an error.
    async fn make(mut self) -> Error {
        let Some(path) = self.path else { return std::future::pending().await };
        let leads = self.standing.wait_for(|standing| matches!(standing, Standing::Leading(_)));
        let follows = self.elected.wait_for(|leader| leader.as_ref().is_some_and(|leader| leader.address != self.here));
        // Neither fails: both senders live as long as this.
        tokio::select! {
            _ = leads => {}
            _ = follows => {}
        }
        match write_ready_file(&path, self.bound).await {
            Ok(()) => std::future::pending().await,
            Err(error) => error.into(),
        }
    }
}

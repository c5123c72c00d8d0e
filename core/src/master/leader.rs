//! What a master is made of while it leads.
//!
//! ```text
//!  routes ──inputs──► kernel thread ──batches──► writer ──committed batches──► delivery ──► read model, streams, replies
//! ```
//!
//! Nothing flows back from the read model, and nothing reaches it that is not durable.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use attica_core_api::http::guard::Guard;
use attica_core_api::v1::{MasterInfo, WeightInfo};
use attica_core_api::{Entropy, Timestamp};
use attica_core_store::election::Leadership;
use attica_core_store::journal::{Journal, Retention};
use attica_core_store::writer::{WriterError, WriterLimits, WriterState};
use attica_core_store::{Database, LeaderRole, Writer};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::delivery::Delivery;
use super::driver::{self, Clock};
use super::inbox::{Inbox, inbox};
use super::metrics::Counters;
use super::standby::{FollowError, Standby};
use super::streams::{Heartbeats, Streams};
use super::view::ReadModel;
use super::waiting::Waiting;
use super::watchers::Watchers;
use crate::kernel::{Config, Input, Kernel, Reply, ReplyTo};
use crate::snapshot::Snapshot;
use crate::tables::KernelTables;

/// Lists that are read at the same time; further readers wait. One of 200,000 tasks takes some 15 MB while it is read.
const MAX_LIST_READERS: usize = 64;

/// How much of the past standbys may lack before they have to read the tables.
const RETENTION: Retention = Retention { entries: 1_000_000, age: Duration::from_secs(7 * 24 * 3600) };

/// A leading master, as the routes use it.
pub(super) struct Leader {
    pub(super) master_info: Arc<MasterInfo>,
    pub(super) elected_at: Timestamp,
    pub(super) model: Arc<ReadModel>,
    pub(super) streams: Arc<Streams>,
    pub(super) counters: Arc<Counters>,
    /// Room for lists that are being read.
    pub(super) readers: Arc<Semaphore>,
    /// Whether the metrics tell of each framework.
    pub(super) measures_frameworks: bool,
    waiting: Arc<Waiting>,
    inbox: Inbox,
    writer: watch::Receiver<WriterState>,
}

/// Why a call was not even shown to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unavailable {
    /// Postgres does not take writes.
    #[error("The database does not take writes at the moment; nothing was changed, try again")]
    WritesStalled,
    /// The leader is ending.
    #[error("This master is stopping; nothing was changed, try again")]
    Ending,
}

/// Why a leader could not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// What the predecessors left cannot be read.
    #[error("cannot read the state of the cluster from Postgres")]
    Load(#[source] FollowError),
    /// The kernel's thread could not be started.
    #[error("cannot start the kernel's thread")]
    Thread(#[source] std::io::Error),
    /// The writer ended: deposed, or its facts were refused.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// The lease was lost.
    #[error("deposed: another master leads now")]
    Deposed,
    /// The kernel found itself in a state that must not be, and stopped. The next leader starts from the tables.
    #[error("the kernel stopped unexpectedly; its last words are in the log")]
    KernelEnded,
    /// Delivery broke.
    #[error("the delivery of committed batches stopped unexpectedly; its last words are in the log")]
    DeliveryEnded,
}

/// A leader with everything that runs for it. Dropping it stops the kernel.
pub(super) struct Reign {
    pub(super) leader: Arc<Leader>,
    leadership: Leadership,
    kernel: tokio::sync::oneshot::Receiver<()>,
    delivery: JoinHandle<Result<(), WriterError>>,
    forgetting: JoinHandle<std::convert::Infallible>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// Where what a leader decides is kept, with the copy that this master has made of it while it was a standby.
pub(super) struct Durable {
    pub(super) database: Database,
    pub(super) standby: Standby,
}

/// What a leader is told about itself.
pub(super) struct Setup {
    /// Nothing: what is decided ends with this process.
    pub(super) durable: Option<Durable>,
    /// Who may do what.
    pub(super) guard: Guard,
    pub(super) config: Config,
    pub(super) heartbeats: Heartbeats,
    /// How many operators may watch.
    pub(super) watchers_limit: usize,
    /// Whether the metrics tell of each framework.
    pub(super) measures_frameworks: bool,
    pub(super) elected_at: Timestamp,
    /// They count when none was ever set.
    pub(super) first_weights: Vec<WeightInfo>,
}

impl Reign {
    /// Reads what the predecessors left, and starts everything.
    pub(super) async fn begin(setup: Setup, leadership: Leadership) -> Result<Reign, LeaderError> {
        let Setup {
            durable,
            guard,
            config,
            heartbeats,
            watchers_limit,
            measures_frameworks,
            elected_at,
            first_weights,
        } = setup;
        let (lead, lease) = (leadership.lead(), leadership.lease());
        let begun = Instant::now();
        let (database, snapshot) = match durable {
            Some(Durable { database, standby }) => {
                (Some(database), standby.promote(lead.seq).await.map_err(LeaderError::Load)?)
            }
            None => (None, Snapshot::default()),
        };
        let fetched = begun.elapsed();
        let clock = Clock::start();
        let master_info = config.master_info.clone();
        let (kernel, model) = std::thread::scope(|scope| {
            let entropy = Entropy::new(Uuid::new_v4().as_u128());
            let kernel = scope.spawn(|| Kernel::recover(config, entropy, &snapshot, clock.now()));
            let model = Arc::new(ReadModel::of(&snapshot, Watchers::new(watchers_limit)));
            (kernel.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), model)
        });
        // Of a large cluster that takes longer than it may be waited for.
        tokio::task::spawn_blocking(move || drop(snapshot));
        let limits = WriterLimits::default();
        let (writer, committed) = match &database {
            Some(database) => Writer::spawn(database.clone(), lead, lease, KernelTables, limits),
            None => Writer::spawn_volatile(lead, lease, limits),
        };
        let writer_state = writer.watch();
        let (inbox, inputs) = inbox();
        // The first input: nobody is judged before the rules are known.
        inbox.notice(Input::Rules { acls: guard.acls() });
        if !first_weights.is_empty() {
            inbox.notice(Input::FirstWeights { weights: first_weights });
        }
        tokio::spawn(tell_rules(guard, inbox.clone(), model.watchers.clone()));
        let streams = Arc::new(Streams::new(inbox.clone(), heartbeats));
        let waiting = Arc::new(Waiting::default());
        let counters = Arc::new(Counters::default());
        counters.fetched(fetched);
        let delivery = Delivery {
            model: model.clone(),
            streams: streams.clone(),
            waiting: waiting.clone(),
            counters: counters.clone(),
        };
        let delivery = tokio::spawn(delivery.run(committed));
        let stop = CancellationToken::new();
        let kernel = driver::spawn(
            kernel,
            inputs,
            writer,
            leadership.lease(),
            streams.clone(),
            counters.clone(),
            clock,
            stop.clone(),
        )
        .map_err(LeaderError::Thread)?;
        let journal = database.map(|database| Journal::new(database.pool("attica master", 1), LeaderRole::Master));
        let forgetting = tokio::spawn(async move {
            match journal {
                Some(journal) => journal.keep_short(lead.epoch, RETENTION).await,
                None => std::future::pending().await,
            }
        });
        let leader = Arc::new(Leader {
            master_info,
            elected_at,
            model,
            streams,
            counters,
            readers: Arc::new(Semaphore::new(MAX_LIST_READERS)),
            measures_frameworks,
            waiting,
            inbox,
            writer: writer_state,
        });
        Ok(Reign { leader, leadership, kernel, delivery, forgetting, _stop_on_drop: stop.clone().drop_guard(), stop })
    }

    /// Returns when the leader must end, with the reason.
    pub(super) async fn ended(&mut self) -> LeaderError {
        let lease = self.leadership.lease();
        tokio::select! {
            biased;
            delivered = &mut self.delivery => match delivered {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) | Err(_) => LeaderError::DeliveryEnded,
            },
            () = lease.lost() => LeaderError::Deposed,
            _ = &mut self.kernel => LeaderError::KernelEnded,
        }
    }

    /// Ends in order: no more inputs, what was decided is written and delivered, the lead is handed over, and everybody who
    /// listens is let go to look for the next leader.
    pub(super) async fn resign(self) {
        self.stop.cancel();
        self.forgetting.abort();
        let _ = self.kernel.await; // the thread has ended, one way or the other
        match self.delivery.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not write everything before the end")
            }
            Err(error) => tracing::error!(%error, "delivery failed"),
        }
        self.leadership.resign().await;
        self.leader.streams.finish_all();
        self.leader.model.watchers.finish_all();
    }
}

/// Tells the kernel whenever the rules have changed, until it has ended, and lets go who watches by the old ones.
async fn tell_rules(mut guard: Guard, inbox: Inbox, watchers: Arc<Watchers>) {
    loop {
        tokio::select! {
            () = guard.changed() => {
                inbox.notice(Input::Rules { acls: guard.acls() });
                watchers.finish_all();
            }
            () = inbox.ended() => return,
        }
    }
}

impl Leader {
    /// An error while writes do not get through: then nothing new is begun.
    pub(super) fn check_writes(&self) -> Result<(), Unavailable> {
        match *self.writer.borrow() {
            WriterState::Healthy => Ok(()),
            WriterState::Stalled { .. } => Err(Unavailable::WritesStalled),
            WriterState::Ended => Err(Unavailable::Ending),
        }
    }

    /// How many requests wait for the kernel.
    pub(super) fn waiting_inputs(&self) -> usize {
        self.inbox.waiting()
    }

    /// Hands an input to the kernel that is not answered.
    pub(super) async fn tell(&self, input: Input) -> Result<(), Unavailable> {
        self.inbox.request(input).await.map_err(|_| Unavailable::Ending)
    }

    /// Hands an input to the kernel and waits until its effects are durable. When the leader ends meanwhile nobody knows whether they
    /// are: then this waits until the connection is closed, which says exactly that.
    pub(super) async fn ask(&self, input: impl FnOnce(ReplyTo) -> Input) -> Result<Reply, Unavailable> {
        self.check_writes()?;
        let mut ticket = self.waiting.ticket();
        self.tell(input(ticket.reply_to())).await?;
        match ticket.reply().await {
            Some(reply) => Ok(reply),
            None => std::future::pending().await,
        }
    }
}

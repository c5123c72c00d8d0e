//! What a master is made of while it leads.
//!
//! ```text
//!  routes ──inputs──► kernel thread ──batches──► writer ──committed batches──► delivery ──► read model, streams, replies
//! ```
//!
//! Nothing flows back from the read model, and nothing reaches it that is not durable.

use std::sync::Arc;

use attica_core_api::v1::MasterInfo;
use attica_core_api::{Entropy, Timestamp};
use attica_core_store::election::Leadership;
use attica_core_store::writer::{WriterError, WriterLimits, WriterState};
use attica_core_store::{Database, Writer};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::delivery::Delivery;
use super::driver::{self, Clock};
use super::inbox::{Inbox, inbox};
use super::metrics::Counters;
use super::streams::{Heartbeats, Streams};
use super::view::ReadModel;
use super::waiting::Waiting;
use crate::kernel::{Config, Input, Kernel, Reply, ReplyTo};
use crate::tables::{self, KernelTables};

/// Lists that are read at the same time; further readers wait. One of 200,000 tasks takes some 15 MB while it is read.
const MAX_LIST_READERS: usize = 64;

/// A leading master, as the routes use it.
pub(super) struct Leader {
    pub(super) master_info: Arc<MasterInfo>,
    pub(super) elected_at: Timestamp,
    pub(super) model: Arc<ReadModel>,
    pub(super) streams: Arc<Streams>,
    pub(super) counters: Arc<Counters>,
    /// Room for lists that are being read.
    pub(super) readers: Arc<Semaphore>,
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
    Load(#[source] tables::LoadError),
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
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// What a leader is told about itself.
pub(super) struct Setup {
    pub(super) database: Database,
    pub(super) config: Config,
    pub(super) heartbeats: Heartbeats,
    pub(super) elected_at: Timestamp,
}

impl Reign {
    /// Reads what the predecessors left, and starts everything.
    pub(super) async fn begin(setup: Setup, leadership: Leadership) -> Result<Reign, LeaderError> {
        let Setup { database, config, heartbeats, elected_at } = setup;
        let pool = database.pool("attica master recovery", 1);
        let snapshot = tables::load(&pool).await.map_err(LeaderError::Load)?;
        pool.close().await;
        let clock = Clock::start();
        let master_info = config.master_info.clone();
        let kernel = Kernel::recover(config, Entropy::new(Uuid::new_v4().as_u128()), &snapshot, clock.now());
        let model = Arc::new(ReadModel::of(&snapshot));
        drop(snapshot);
        let (writer, committed) =
            Writer::spawn(database, leadership.lead(), leadership.lease(), KernelTables, WriterLimits::default());
        let writer_state = writer.watch();
        let (inbox, inputs) = inbox();
        let streams = Arc::new(Streams::new(inbox.clone(), heartbeats));
        let waiting = Arc::new(Waiting::default());
        let counters = Arc::new(Counters::default());
        let delivery = Delivery {
            model: model.clone(),
            streams: streams.clone(),
            waiting: waiting.clone(),
            counters: counters.clone(),
        };
        let delivery = tokio::spawn(delivery.run(committed));
        let stop = CancellationToken::new();
        let kernel = driver::spawn(kernel, inputs, writer, leadership.lease(), streams.clone(), clock, stop.clone())
            .map_err(LeaderError::Thread)?;
        let leader = Arc::new(Leader {
            master_info,
            elected_at,
            model,
            streams,
            counters,
            readers: Arc::new(Semaphore::new(MAX_LIST_READERS)),
            waiting,
            inbox,
            writer: writer_state,
        });
        Ok(Reign { leader, leadership, kernel, delivery, _stop_on_drop: stop.clone().drop_guard(), stop })
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

    /// Ends in order: no more inputs, what was decided is written and delivered, the lead is handed over.
    pub(super) async fn resign(self) {
        self.stop.cancel();
        let _ = self.kernel.await; // the thread has ended, one way or the other
        match self.delivery.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not write everything before the end")
            }
            Err(error) => tracing::error!(%error, "delivery failed"),
        }
        self.leadership.resign().await;
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

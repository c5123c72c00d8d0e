//! The writer: the one place through which a leader's decisions become durable.
//!
//! A core's shell submits [`Batch`]es and gets them back, in the same order, once they are committed. The writer owns one
//! connection and keeps one transaction in flight; whatever is submitted meanwhile is the next transaction (group commit
//! without tuning). `begin`, the fence, the statements of the tables, the journal and `commit` travel in one round trip.
//!
//! States, as seen in [`WriterState`]:
//!
//! * *healthy*: the last commit succeeded, the one in flight is young;
//! * *stalled*: a commit takes long, or the connection is lost. What was in flight may or may not be in: the writer connects
//!   again, reads the `lead` row `for update` (which waits until the old backend has ended), and knows. Epoch changed:
//!   deposed. Position moved: the transaction is in. Else it is repeated, exactly as it was;
//! * *ended*: deposed, or a commit was refused for good. The core's memory is worthless then.
//!
//! A batch without facts needs no commit, but it keeps its place. No batch is handed back while the lease is in doubt: a leader
//! that was paused says nothing before it knows that it still leads.

mod commit;
mod group;
mod queue;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_postgres::Client;

use crate::election::Lease;
use crate::{Database, Lead, Position};
use commit::Committer;
use queue::{Queue, Submission};
pub use transaction::{Parameter, Transaction};

/// Something that a core has decided and that must not be forgotten. Tables, journal and read model are folds of facts.
pub trait Fact: Send + Sync + 'static {
    /// Names the kind of fact in the journal.
    fn kind(&self) -> &'static str;
    /// The version of this kind's encoding.
    fn version(&self) -> i16;
    /// The payload from which this fact can be read back.
    fn encode(&self) -> Vec<u8>;
    /// What event subscribers are sent for this fact, rendered, if they are sent anything; opaque to the store.
    fn frames(&self) -> Option<Vec<u8>> {
        None
    }
}

/// The tables of a core, as a fold of its facts.
pub trait Tables<F>: Send + Sync + 'static {
    /// The prepared statements of one connection.
    type Statements: Send + Sync;

    /// Prepares every statement that [`Tables::write`] executes, once per connection.
    fn prepare(&self, client: &Client) -> impl Future<Output = Result<Self::Statements, tokio_postgres::Error>> + Send;

    /// Issues the statements (multi-row, by `unnest`) that bring the tables up to date with `facts`, of which the first has the
    /// position `first`. It cannot wait for a result, so that everything stays in one round trip; it may be called again
    /// with the same facts when a transaction has to be repeated.
    fn write<'a>(
        &'a self,
        transaction: &mut Transaction<'a>,
        statements: &'a Self::Statements,
        first: Position,
        facts: &'a [F],
    );
}

/// What one turn of a core decided.
#[derive(Debug)]
pub struct Batch<F, A> {
    /// What must be durable; may be empty.
    pub facts: Vec<F>,
    /// Sends, replies and wake-ups, which wait until `facts` and every earlier batch are durable.
    pub after: A,
}

/// A batch that is durable.
#[derive(Debug)]
pub struct Committed<F, A> {
    /// The position of the first of `facts`; of the next fact, when there are none.
    pub first: Position,
    /// The facts of the batch, for the read model to fold.
    pub facts: Vec<F>,
    /// What waited for them.
    pub after: A,
}

/// The bounds of the queue and of a transaction. A batch is never divided: one that is larger than a bound travels alone.
#[derive(Clone, Copy, Debug)]
pub struct WriterLimits {
    /// Batches that wait to be written, and batches that wait to be picked up afterwards.
    pub queue_batches: usize,
    /// Bytes of encoded facts that wait to be written.
    pub queue_bytes: u32,
    /// Facts in one transaction.
    pub transaction_facts: usize,
    /// A commit that takes longer is shown as a stall.
    pub stall_after: Duration,
}

impl Default for WriterLimits {
    fn default() -> Self {
        WriterLimits {
            queue_batches: 8_192,
            queue_bytes: 64 << 20,
            transaction_facts: 16_384,
            stall_after: Duration::from_secs(2),
        }
    }
}

/// Whether writes get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterState {
    /// Commits succeed.
    Healthy,
    /// Nothing has been committed since then although something waits; the writer keeps trying.
    Stalled {
        /// When the stall was noticed.
        since: Instant,
    },
    /// Nothing will be written any more.
    Ended,
}

/// Why a writer ended before its queue was empty. Everything uncommitted is lost, and with it the core's memory.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// Another leader has taken over.
    #[error("deposed: another leader of {} took over after epoch {}", lead.role, lead.epoch)]
    Deposed {
        /// What this writer held.
        lead: Lead,
    },
    /// Postgres refused a transaction in a way that repeating cannot cure: a broken rule of ours, or a missing migration.
    #[error("Postgres refused what {role} wrote")]
    Refused {
        /// Whose facts.
        role: crate::LeaderRole,
        /// The first statement's error.
        #[source]
        source: tokio_postgres::Error,
    },
}

/// The writer is gone; its reason is the last thing that [`CommittedBatches`] yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the writer has ended")]
pub struct WriterEnded;

/// Starts writers.
pub struct Writer;

impl Writer {
    /// Starts writing after `lead.seq`; connects in the background. Ends when every handle is dropped and everything
    /// submitted is committed, or with a [`WriterError`].
    pub fn spawn<F: Fact, A: Send + 'static>(
        database: Database,
        lead: Lead,
        lease: Lease,
        tables: impl Tables<F>,
        limits: WriterLimits,
    ) -> (WriterHandle<F, A>, CommittedBatches<F, A>) {
        let (submissions, waiting) = mpsc::channel(limits.queue_batches);
        let (committed, batches) = mpsc::channel(limits.queue_batches);
        let (state, state_seen) = watch::channel(WriterState::Healthy);
        let room = Arc::new(Semaphore::new(limits.queue_bytes as usize));
        let committer = Committer::new(database, lead, tables, limits.stall_after, state);
        let queue = Queue::new(waiting, limits.transaction_facts);
        tokio::spawn(write_all(queue, committer, lease, committed));
        (
            WriterHandle { submissions, room, room_bytes: limits.queue_bytes, state: state_seen },
            CommittedBatches { batches },
        )
    }
}

impl Writer {
    /// Starts a writer that writes nothing: every batch counts as durable as soon as its turn has come. For a leader whose state
    /// ends with its process, as its operator wishes.
    pub fn spawn_volatile<F: Fact, A: Send + 'static>(
        lead: Lead,
        lease: Lease,
        limits: WriterLimits,
    ) -> (WriterHandle<F, A>, CommittedBatches<F, A>) {
        let (submissions, waiting) = mpsc::channel(limits.queue_batches);
        let (committed, batches) = mpsc::channel(limits.queue_batches);
        let (state, state_seen) = watch::channel(WriterState::Healthy);
        let room = Arc::new(Semaphore::new(limits.queue_bytes as usize));
        let queue = Queue::new(waiting, limits.transaction_facts);
        tokio::spawn(async move {
            pass_all(queue, lead, lease, committed).await;
            state.send_replace(WriterState::Ended);
        });
        (
            WriterHandle { submissions, room, room_bytes: limits.queue_bytes, state: state_seen },
            CommittedBatches { batches },
        )
    }
}

/// Submits batches to a writer.
pub struct WriterHandle<F, A> {
    submissions: mpsc::Sender<Submission<F, A>>,
    room: Arc<Semaphore>,
    room_bytes: u32,
    state: watch::Receiver<WriterState>,
}

impl<F: Fact, A> WriterHandle<F, A> {
    /// Queues a batch behind all earlier ones; waits while the queue is full. The task that submits must therefore not be the
    /// one that drains [`CommittedBatches`].
    pub async fn submit(&self, batch: Batch<F, A>) -> Result<(), WriterEnded> {
        let mut submission = Submission::encode(batch);
        let bytes = u32::try_from(submission.bytes()).unwrap_or(u32::MAX).min(self.room_bytes);
        if bytes > 0 {
            let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
            submission.room = Some(room.map_err(|_| WriterEnded)?);
        }
        self.submissions.send(submission).await.map_err(|_| WriterEnded)
    }

    /// Whether writes get through at this moment; a shell answers 503 with Retry-After while they do not.
    pub fn state(&self) -> WriterState {
        *self.state.borrow()
    }

    /// Follows [`WriterHandle::state`].
    pub fn watch(&self) -> watch::Receiver<WriterState> {
        self.state.clone()
    }
}

impl<F, A> Clone for WriterHandle<F, A> {
    fn clone(&self) -> Self {
        WriterHandle {
            submissions: self.submissions.clone(),
            room: Arc::clone(&self.room),
            room_bytes: self.room_bytes,
            state: self.state.clone(),
        }
    }
}

/// The batches as they become durable, in the order in which they were submitted.
pub struct CommittedBatches<F, A> {
    batches: mpsc::Receiver<Result<Committed<F, A>, WriterError>>,
}

impl<F, A> CommittedBatches<F, A> {
    /// The next durable batch. After an error, or when all handles are dropped and everything is committed: `None`.
    pub async fn recv(&mut self) -> Option<Result<Committed<F, A>, WriterError>> {
        self.batches.recv().await
    }
}

/// Hands every batch back in its turn.
async fn pass_all<F: Fact, A: Send>(
    mut queue: Queue<F, A>,
    lead: Lead,
    lease: Lease,
    committed: mpsc::Sender<Result<Committed<F, A>, WriterError>>,
) {
    let mut at = lead.seq;
    loop {
        let group = tokio::select! {
            biased;
            () = lease.lost() => {
                let _ = committed.send(Err(WriterError::Deposed { lead })).await; // nobody may want to know any more
                return;
            }
            group = queue.next() => group,
        };
        let Some(group) = group else { return };
        let first = at.after(1);
        at = at.after(group.rows.facts.len());
        for batch in group.into_committed(first) {
            if committed.send(Ok(batch)).await.is_err() {
                return; // nobody waits for the answers: the leader is gone
            }
        }
    }
}

async fn write_all<F: Fact, A: Send, T: Tables<F>>(
    mut queue: Queue<F, A>,
    mut committer: Committer<T, T::Statements>,
    lease: Lease,
    committed: mpsc::Sender<Result<Committed<F, A>, WriterError>>,
) {
    loop {
        let lead = committer.lead();
        let next = tokio::select! {
            biased;
            () = lease.lost() => Err(WriterError::Deposed { lead }),
            group = queue.next() => Ok(group),
        };
        let written = match next {
            Ok(None) => return,
            Ok(Some(group)) => committer.write(&group.rows, &lease).await.map(|()| group),
            Err(error) => Err(error),
        };
        match written {
            Ok(group) => {
                for batch in group.into_committed(lead.seq.after(1)) {
                    if committed.send(Ok(batch)).await.is_err() {
                        return; // nobody waits for the answers: the leader is gone
                    }
                }
            }
            Err(error) => {
                let _ = committed.send(Err(error)).await; // nobody may want to know any more
                return;
            }
        }
    }
}

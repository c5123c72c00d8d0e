//! What a master knows while another one leads: a copy of everything durable, kept up by following the journal.
//!
//! ```text
//!  no copy ──tables and position in one transaction──► copy ──facts of the journal, again and again──► copy ──promoted──► snapshot
//!     ▲                                                 │
//!     └── a gap, a fact of a newer version, damage ─────┘
//! ```
//!
//! A master that wins reads only what its copy lacks, which is what the last leader wrote in its last moments. Nothing of the copy is
//! shown to anybody: whoever asks a standby is sent to the leader.

use std::time::Duration;

use attica_core_store::journal::{Entry, Journal, JournalError, head_within};
use attica_core_store::{Database, Fact as _, LeaderRole, Position};
use sqlx::Connection as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fact::Fact;
use crate::snapshot::Snapshot;
use crate::tables::{self, LoadError};

/// How often a standby looks for new facts.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Before a database that does not answer is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Facts that are read at once.
const PAGE: u32 = 5_000;

/// A copy that is kept up in the background; dropping it ends that.
pub(super) struct Standby {
    promotion: watch::Sender<Option<Position>>,
    following: JoinHandle<Result<Snapshot, FollowError>>,
}

/// Why there is no copy, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The tables cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No connection, or it broke.
    #[error("cannot read from Postgres")]
    Database(#[from] sqlx::Error),
    /// The oldest facts that are missing here are no longer there.
    #[error("the facts after position {0} are no longer kept")]
    Gap(Position),
    /// A fact that this program does not know.
    #[error("the fact at position {position} ({kind}, version {version}) is not known here")]
    Unknown {
        /// Where.
        position: Position,
        /// What it calls itself.
        kind: String,
        /// Its encoding.
        version: i16,
    },
    /// The task that follows has failed.
    #[error("following the journal stopped unexpectedly; its last words are in the log")]
    Ended,
}

/// The fold of all facts up to a position.
struct Copy {
    snapshot: Snapshot,
    position: Position,
}

impl Standby {
    /// Starts following. The database must be migrated.
    pub(super) fn start(database: &Database) -> Standby {
        let (promotion, promoted) = watch::channel(None);
        let following = tokio::spawn(follow(database.clone(), promoted));
        Standby { promotion, following }
    }

    /// Everything up to the position at which the lead was won: nobody else can add to it.
    pub(super) async fn promote(mut self, won_at: Position) -> Result<Snapshot, FollowError> {
        // The task that listens ends with a result only.
        let _ = self.promotion.send(Some(won_at));
        (&mut self.following).await.unwrap_or(Err(FollowError::Ended))
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(database: Database, mut promoted: watch::Receiver<Option<Position>>) -> Result<Snapshot, FollowError> {
    let journal = Journal::new(database.pool("attica master standby", 1), LeaderRole::Master);
    let mut copy: Option<Copy> = None;
    loop {
        let won_at = *promoted.borrow_and_update();
        let from_nothing = copy.is_none();
        let pause = match advance(&database, &journal, copy.take(), won_at).await {
            Ok((advanced, _)) if won_at.is_some_and(|won_at| advanced.position >= won_at) => {
                return Ok(advanced.snapshot);
            }
            Ok((advanced, more)) => {
                copy = Some(advanced);
                if more { Duration::ZERO } else { LOOK_EVERY }
            }
            // A winner tries once from nothing; a standby has time.
            Err(error) if won_at.is_some() && from_nothing => return Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot follow the leader's journal");
                if won_at.is_some() { Duration::ZERO } else { RETRY_PAUSE }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // An error means that nobody wants the copy any more, and this task is about to be ended.
            _ = promoted.changed() => {}
        }
    }
}

/// One step: a first copy, or the next page of facts, which there must be up to where the lead was won. Also tells whether there is
/// more to read.
async fn advance(
    database: &Database,
    journal: &Journal,
    copy: Option<Copy>,
    won_at: Option<Position>,
) -> Result<(Copy, bool), FollowError> {
    let Some(mut copy) = copy else { return Ok((load(database).await?, true)) };
    let entries = journal.page(copy.position, PAGE).await?;
    if entries.is_empty() && won_at.is_some_and(|won_at| copy.position < won_at) {
        return Err(FollowError::Gap(copy.position));
    }
    let more = entries.len() == PAGE as usize;
    for entry in entries {
        let next = copy.position.after(1);
        if entry.position != next {
            return Err(FollowError::Gap(copy.position));
        }
        copy.snapshot.apply(&fact(entry)?);
        copy.position = next;
    }
    Ok((copy, more))
}

/// Tables and position as they were at one moment.
async fn load(database: &Database) -> Result<Copy, FollowError> {
    let mut connection = sqlx::PgConnection::connect_with(&database.options("attica master recovery")).await?;
    let mut transaction = connection.begin_with("begin isolation level repeatable read read only").await?;
    let position = head_within(&mut transaction, LeaderRole::Master).await?;
    let snapshot = tables::load(&mut transaction).await?;
    transaction.rollback().await?;
    connection.close().await?;
    Ok(Copy { snapshot, position })
}

fn fact(entry: Entry) -> Result<Fact, FollowError> {
    let Entry { position, kind, version, payload, .. } = entry;
    let known = serde_json::from_slice::<Fact>(&payload).ok().filter(|fact| version <= fact.version());
    known.ok_or(FollowError::Unknown { position, kind, version })
}

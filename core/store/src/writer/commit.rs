//! Commits one group at a time, through lost connections and unknown outcomes.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_postgres::{Error, Statement};

use super::group::Rows;
use super::transaction::Transaction;
use super::{Fact, Tables, WriterError, WriterState};
use crate::database::{Connection, Database};
use crate::election::Lease;
use crate::{Epoch, Lead, Position};

/// Waits between attempts start here and double up to [`BACKOFF_LAST`].
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LAST: Duration = Duration::from_secs(1);
/// A session that is not ready by then is given up.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Whatever the server's defaults: a commit waits for the disk, and a leader that is paused in the middle of a transaction
/// does not keep the `lead` row locked, because the server ends such a session.
const SESSION: &str = "
    set synchronous_commit = on;
    set idle_in_transaction_session_timeout = '2s';
    set statement_timeout = 0;
    set lock_timeout = 0";
const FENCE: &str = "select fence($1, $2, $3, $4)";
const JOURNAL: &str = "
    insert into journal (role, seq, kind, version, payload, frames)
    select $1, $2 + place - 1, kind, version, payload, frames
    from unnest($3::text[], $4::smallint[], $5::bytea[], $6::bytea[])
        with ordinality as facts (kind, version, payload, frames, place)";
const RESOLVE: &str = "select epoch, seq from lead where role = $1 for update";

/// Classes of SQLSTATE that repeating cannot cure: what was written breaks a rule, or does not fit the schema. Everything else
/// (connections, resources, disk, shutdown, conflicts) passes with time.
const FINAL_CLASSES: [&str; 9] = ["0A", "21", "22", "23", "26", "42", "44", "54", "P0"];

/// `S` is what the tables prepare for each connection.
pub(super) struct Committer<T, S> {
    database: Database,
    lead: Lead,
    tables: T,
    stall_after: Duration,
    state: watch::Sender<WriterState>,
    session: Option<Session<S>>,
    /// Failed attempts since the last success.
    failures: u32,
}

struct Session<S> {
    connection: Connection,
    fence: Statement,
    journal: Statement,
    tables: S,
}

impl<T, S> Committer<T, S> {
    pub(super) fn new(
        database: Database,
        lead: Lead,
        tables: T,
        stall_after: Duration,
        state: watch::Sender<WriterState>,
    ) -> Self {
        Committer { database, lead, tables, stall_after, state, session: None, failures: 0 }
    }

    /// Where the writer is: everything up to `seq` is in.
    pub(super) fn lead(&self) -> Lead {
        self.lead
    }

    /// Returns when the rows, if there are any, are durable and no other leader can exist, however long that takes.
    pub(super) async fn write<F: Fact>(&mut self, rows: &Rows<F>, lease: &Lease) -> Result<(), WriterError>
    where
        T: Tables<F, Statements = S>,
    {
        let last = self.lead.seq.after(rows.facts.len());
        while last != self.lead.seq && !self.is_in(rows, last).await? {
            self.failures = self.failures.saturating_add(1);
        }
        self.lead.seq = last;
        self.failures = 0;
        if !lease.is_current() {
            tracing::warn!(role = %self.lead.role, "the lease is in doubt");
            self.stalled();
            if !lease.confirmed().await {
                return Err(WriterError::Deposed { lead: self.lead });
            }
        }
        self.state.send_if_modified(|state| std::mem::replace(state, WriterState::Healthy) != WriterState::Healthy);
        Ok(())
    }

    /// One attempt; when its outcome is unknown, a new session that finds it out. `false`: the rows are not in (or that
    /// session was lost as well).
    async fn is_in<F: Fact>(&mut self, rows: &Rows<F>, last: Position) -> Result<bool, WriterError>
    where
        T: Tables<F, Statements = S>,
    {
        if let Some(session) = self.session.take() {
            match self.attempt(&session, rows, last).await {
                Ok(()) => {
                    self.session = Some(session);
                    return Ok(true);
                }
                Err(error) if is_final(&error) => return Err(self.refused(error)),
                Err(error) => self.failed("a commit has an unknown outcome", &error),
            }
        }
        tokio::time::sleep(backoff(self.failures)).await;
        let Some((session, epoch, seq)) = self.reopen().await? else {
            return Ok(false);
        };
        self.session = Some(session);
        if epoch == self.lead.epoch && seq == last {
            Ok(true)
        } else if epoch == self.lead.epoch && seq == self.lead.seq {
            Ok(false)
        } else {
            // A position that is neither says that somebody else writes with our epoch, which is no better than a new one.
            Err(WriterError::Deposed { lead: self.lead })
        }
    }

    /// A new session, and where the lead is once every older transaction of ours has ended. `None`: try again.
    async fn reopen<F: Fact>(&self) -> Result<Option<(Session<S>, Epoch, Position)>, WriterError>
    where
        T: Tables<F, Statements = S>,
    {
        let session = match tokio::time::timeout(OPEN_TIMEOUT, self.open()).await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) if is_final(&error) && error.code().is_some() => {
                return Err(self.refused(error));
            }
            Ok(Err(error)) => {
                self.failed("cannot connect to Postgres", &error);
                return Ok(None);
            }
            Err(elapsed) => {
                self.failed("Postgres does not answer", &elapsed);
                return Ok(None);
            }
        };
        let role = self.lead.role.as_str();
        match session.connection.client.query_one(RESOLVE, &[&role]).await {
            Ok(row) => Ok(Some((session, Epoch(row.get(0)), Position(row.get(1))))),
            Err(error) => {
                self.failed("cannot read the lead", &error);
                Ok(None)
            }
        }
    }

    /// Sends the whole transaction and waits for its end; shows a stall when that takes long.
    async fn attempt<F: Fact>(&self, session: &Session<S>, rows: &Rows<F>, last: Position) -> Result<(), Error>
    where
        T: Tables<F, Statements = S>,
    {
        let Lead { role, epoch, seq } = self.lead;
        let first = seq.after(1);
        let mut transaction = Transaction::begin(&session.connection.client);
        let fence = [Box::new(role.as_str()) as _, Box::new(epoch.0) as _, Box::new(seq.0) as _, Box::new(last.0) as _];
        transaction.execute(&session.fence, fence);
        self.tables.write(&mut transaction, &session.tables, first, &rows.facts);
        let columns = [
            Box::new(role.as_str()) as _,
            Box::new(first.0) as _,
            Box::new(&rows.kinds) as _,
            Box::new(&rows.versions) as _,
            Box::new(&rows.payloads) as _,
            Box::new(&rows.frames) as _,
        ];
        transaction.execute(&session.journal, columns);
        let mut end = std::pin::pin!(transaction.commit());
        match tokio::time::timeout(self.stall_after, end.as_mut()).await {
            Ok(outcome) => outcome,
            Err(elapsed) => {
                self.failed("a commit takes long", &elapsed);
                end.await
            }
        }
    }

    async fn open<F: Fact>(&self) -> Result<Session<S>, Error>
    where
        T: Tables<F, Statements = S>,
    {
        let connection = self.database.connect(&format!("attica {} writer", self.lead.role)).await?;
        let client = &connection.client;
        client.batch_execute(SESSION).await?;
        let (fence, journal, tables) =
            tokio::try_join!(client.prepare(FENCE), client.prepare(JOURNAL), self.tables.prepare(client))?;
        Ok(Session { connection, fence, journal, tables })
    }

    fn refused(&self, source: Error) -> WriterError {
        WriterError::Refused { role: self.lead.role, source }
    }

    fn failed(&self, what: &str, error: &(dyn std::error::Error + 'static)) {
        tracing::warn!(role = %self.lead.role, failures = self.failures, error, "{what}");
        self.stalled();
    }

    fn stalled(&self) {
        self.state.send_if_modified(|state| {
            let healthy = *state == WriterState::Healthy;
            if healthy {
                *state = WriterState::Stalled { since: Instant::now() };
            }
            healthy
        });
    }
}

impl<T, S> Drop for Committer<T, S> {
    fn drop(&mut self) {
        self.state.send_replace(WriterState::Ended);
    }
}

fn backoff(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        _ => BACKOFF_FIRST.saturating_mul(1 << failures.min(10)).min(BACKOFF_LAST),
    }
}

/// Whether the same transaction would fail again. Without a SQLSTATE an error is either a lost connection or a parameter
/// that does not fit its statement.
fn is_final(error: &Error) -> bool {
    match error.code() {
        Some(code) => FINAL_CLASSES.iter().any(|class| code.code().starts_with(class)),
        None => !error.is_closed(),
    }
}

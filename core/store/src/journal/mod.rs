//! Reading the facts back, and forgetting the oldest.

#[cfg(test)]
mod tests;

use std::time::Duration;

use attica_core_api::Timestamp;
use sqlx::{PgConnection, PgPool};

use crate::{Epoch, LeaderRole, Position};

/// The journal of one role; reads over a pool that others may share.
#[derive(Clone, Debug)]
pub struct Journal {
    pool: PgPool,
    role: LeaderRole,
}

/// One fact as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// What [`crate::Fact::kind`] said.
    pub kind: String,
    /// What [`crate::Fact::version`] said.
    pub version: i16,
    /// What [`crate::Fact::encode`] said.
    pub payload: Vec<u8>,
    /// What [`crate::Fact::frames`] said.
    pub frames: Option<Vec<u8>>,
    /// When it was written, by the database's clock.
    pub at: Timestamp,
}

/// Which part of the history is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest entry that is kept is the one after this position: reading from here on misses nothing.
    pub tail: Position,
    /// The position of the newest entry.
    pub head: Position,
}

/// How much history is kept: an entry goes when either bound is passed.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// The newest entries to keep.
    pub entries: u64,
    /// The age up to which entries are kept.
    pub age: Duration,
}

/// The journal could not be read or shortened.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the journal of {role}")]
pub struct JournalError {
    what: &'static str,
    role: LeaderRole,
    #[source]
    source: sqlx::Error,
}

/// How often [`Journal::keep_short`] forgets.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);
/// One deletion stays short, so that it holds no lock and makes no replica wait for long.
const DELETE_AT_ONCE: i64 = 10_000;

/// Up to where the facts of `role` go in the transaction of this connection: what its tables hold in a repeatable read is
/// the fold of the facts up to there.
pub async fn head_within(connection: &mut PgConnection, role: LeaderRole) -> Result<Position, JournalError> {
    let row = sqlx::query!("select seq from lead where role = $1", role.as_str());
    let row = row.fetch_one(connection).await;
    row.map(|row| Position(row.seq)).map_err(|source| JournalError { what: "find the end of", role, source })
}

impl Journal {
    /// The journal of `role`.
    pub fn new(pool: PgPool, role: LeaderRole) -> Self {
        Journal { pool, role }
    }

    /// The entries after a position, oldest first, at most `limit`; fewer than `limit` means: that is all at this moment.
    ///
    /// Whoever follows compares the first position with the one it asked for: a gap means that the tail has moved past it.
    pub async fn page(&self, after: Position, limit: u32) -> Result<Vec<Entry>, JournalError> {
        let rows = sqlx::query!(
            r#"select seq, kind, version, payload, frames,
                   (extract(epoch from at) * 1000)::bigint as "at_ms!"
               from journal where role = $1 and seq > $2 order by seq limit $3"#,
            self.role.as_str(),
            after.0,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(self.failed("read"))?;
        let entries = rows.into_iter().map(|row| Entry {
            position: Position(row.seq),
            kind: row.kind,
            version: row.version,
            payload: row.payload,
            frames: row.frames,
            at: Timestamp(row.at_ms),
        });
        Ok(entries.collect())
    }

    /// Where the journal begins and ends at this moment.
    pub async fn bounds(&self) -> Result<Bounds, JournalError> {
        let row = sqlx::query!(
            r#"select seq, coalesce((select min(seq) - 1 from journal where role = $1), seq) as "tail!"
               from lead where role = $1"#,
            self.role.as_str(),
        )
        .fetch_one(&self.pool)
        .await
        .map_err(self.failed("read"))?;
        Ok(Bounds { tail: Position(row.tail), head: Position(row.seq) })
    }

    /// Forgets what `retention` does not keep, while `epoch` leads; returns how many entries went. The leader calls it now and
    /// then; it takes many short statements, and dropping the future between them does no harm. What is left has no gap,
    /// even if the database's clock jumped.
    pub async fn forget(&self, epoch: Epoch, retention: Retention) -> Result<u64, JournalError> {
        let entries = i64::try_from(retention.entries).unwrap_or(i64::MAX);
        let mut forgotten = 0;
        loop {
            let deleted = sqlx::query!(
                "with oldest as (
                     select seq, at from journal where role = $1 order by seq limit $5
                 ), cut as (
                     select max(oldest.seq) as seq from oldest, lead
                     where lead.role = $1 and lead.epoch = $2
                         and (oldest.seq <= lead.seq - $3 or oldest.at < now() - make_interval(secs => $4))
                 )
                 delete from journal using cut where journal.role = $1 and journal.seq <= cut.seq",
                self.role.as_str(),
                epoch.0,
                entries,
                retention.age.as_secs_f64(),
                DELETE_AT_ONCE,
            )
            .execute(&self.pool)
            .await
            .map_err(self.failed("shorten"))?
            .rows_affected();
            forgotten += deleted;
            if deleted == 0 {
                return Ok(forgotten);
            }
        }
    }

    /// Shortens the journal now and then while `epoch` leads; never returns. Dropping the future ends it.
    pub async fn keep_short(&self, epoch: Epoch, retention: Retention) -> ! {
        loop {
            tokio::time::sleep(FORGET_INTERVAL).await;
            match self.forget(epoch, retention).await {
                Ok(0) => {}
                Ok(entries) => tracing::debug!(entries, role = %self.role, "forgot the oldest facts"),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot forget the oldest facts");
                }
            }
        }
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(sqlx::Error) -> JournalError {
        let role = self.role;
        move |source| JournalError { what, role, source }
    }
}

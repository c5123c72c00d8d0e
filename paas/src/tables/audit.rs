//! The log of who did what. It is written with the facts, and read by nobody but people.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use attica_core_api::Timestamp;
use sqlx::PgPool;

use super::LoadError;
use super::load::document;
use crate::access::AuditEntry;
use crate::model::GroupId;

/// Old entries are looked for so often.
const FORGETTING_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Which entries are wanted.
#[derive(Clone, Debug)]
pub struct AuditFilter {
    /// Those that touched nothing outside this group.
    pub path: GroupId,
    /// What this user did.
    pub user: Option<String>,
    /// What happened from then on.
    pub since: Timestamp,
    /// The latest ones, so many at most.
    pub limit: u32,
}

/// The log, for reading.
#[derive(Clone, Debug)]
pub struct AuditLog {
    pool: PgPool,
}

impl AuditLog {
    /// The log in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Entries, the latest first, with when they were written.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn read(&self, filter: &AuditFilter) -> Result<Vec<(Timestamp, AuditEntry)>, LoadError> {
        let rows = sqlx::query!(
            r#"select at, entry::text as "entry!" from paas_audit
               where at >= $1 and ($2::text is null or who = $2)
                 and ($3 = '/' or not exists (
                     select 1 from unnest(touched) as t (path) where path <> $3 and not starts_with(path, $3 || '/')))
               order by id desc limit $4"#,
            filter.since.0,
            filter.user,
            filter.path.as_str(),
            i64::from(filter.limit),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        rows.into_iter().map(|row| Ok((Timestamp(row.at), document("paas_audit", &row.entry)?))).collect()
    }

    /// Forgets what is older than `age`, for ever.
    pub async fn keep_short(self, age: Duration) -> Infallible {
        loop {
            let before = Timestamp::from(SystemTime::now()).0 - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            match sqlx::query!("delete from paas_audit where at < $1", before).execute(&self.pool).await {
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot forget old entries of the audit log"),
            }
            tokio::time::sleep(FORGETTING_INTERVAL).await;
        }
    }
}

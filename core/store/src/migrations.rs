//! The schema: forward-only SQL files of all rooms, embedded, applied in order by whichever role starts first.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};

use crate::Database;

/// Between two attempts to reach a database that is not there yet.
const RETRY_DELAY: Duration = Duration::from_millis(500);

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// The number of the last migration that this program knows.
pub fn latest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database cannot be reached.
    #[error("cannot connect to Postgres")]
    Connect(#[source] sqlx::Error),
    /// A newer program was here. Migrations only go forward.
    #[error("the database was migrated by a newer version of this program (migration {0} is unknown here)")]
    Newer(i64),
    /// A migration failed; each is a transaction of its own, so that nothing of it is left.
    #[error("cannot migrate the database")]
    Migrate(#[source] MigrateError),
}

/// Waits for a database that is not there yet, and applies what is missing.
///
/// # Errors
/// Those that time does not cure: never [`MigrationError::Connect`].
pub async fn migrate_when_reachable(database: &Database) -> Result<(), MigrationError> {
    loop {
        match migrate(database).await {
            Err(MigrationError::Connect(error)) => {
                tracing::warn!(%error, "waiting for Postgres");
                tokio::time::sleep(RETRY_DELAY).await;
            }
            outcome @ (Ok(()) | Err(MigrationError::Newer(_) | MigrationError::Migrate(_))) => return outcome,
        }
    }
}

/// Applies what is missing. Roles that start together wait for each other.
pub async fn migrate(database: &Database) -> Result<(), MigrationError> {
    let pool = database.pool("attica migrations", 1);
    // Connects, to tell a database that is not there from one that cannot be migrated; the pool keeps the connection.
    drop(pool.acquire().await.map_err(MigrationError::Connect)?);
    let outcome = MIGRATOR.run(&pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => MigrationError::Newer(version),
        error => MigrationError::Migrate(error),
    });
    pool.close().await;
    outcome
}

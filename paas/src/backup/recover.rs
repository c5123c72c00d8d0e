//! `attica recover`: everything that a backup holds, in a database where nothing is yet.

use std::fs::File;
use std::path::PathBuf;

use attica_core_store::{Database, Position, migrations};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::sections::{Content, Epochs};
use super::{BackupError, file};

/// More leaders than there were since the backup: agents follow none that is older than one they have seen.
const LATER: i64 = 1_000;

/// Put a backup into a database where nothing is yet, as if nothing had happened since.
///
/// For when the database is lost. `attica restore` brings back what was defined in a cluster that goes on.
#[derive(Clone, Debug, clap::Args)]
pub struct RecoverArgs {
    /// What `attica backup` has written
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Where everything is going to be: a libpq URL or key/value string; unix sockets work
    #[arg(long, env = "ATTICA_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    pub postgres_url: Database,
}

/// Puts everything back, or nothing, and returns up to which fact the history goes. Leaders that are elected from then on begin with it.
///
/// # Errors
/// See [`BackupError`]; [`BackupError::Taken`] where the service layer has done anything yet.
pub async fn recover(args: &RecoverArgs) -> Result<Position, BackupError> {
    let path = args.file.display().to_string();
    let opened = File::open(&args.file);
    let opened = opened.map_err(|source| BackupError::Io { what: "read", path: path.clone(), source })?;
    let mut content = Content::new(file::open(opened, &path)?, &path);
    let header = content.header()?;
    migrations::migrate(&args.postgres_url).await?;
    let mut connection = args.postgres_url.options("attica recover").connect().await?;
    let mut transaction = connection.begin().await?;
    if !lead(&mut transaction, header.position, &header.epochs).await? {
        return Err(BackupError::Taken);
    }
    content.copy_all(&mut transaction).await?;
    sqlx::query!(
        r#"select setval(pg_get_serial_sequence('paas_audit', 'id'), coalesce(max(id), 0) + 1, false) as "next!" from paas_audit"#
    )
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(Position(header.position))
}

/// Moves the service layer to a position, if it has none yet. Whoever leads at the moment does so no longer.
async fn lead(connection: &mut PgConnection, position: i64, epochs: &Epochs) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query!(
        "update lead set seq = $1, epoch = greatest(epoch, $2) + 1, holder = null, expires_at = '-infinity'
         where role = 'paas' and seq = 0",
        position,
        epochs.paas.saturating_add(LATER)
    );
    if moved.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let later = epochs.master.saturating_add(LATER);
    sqlx::query!("update lead set epoch = $1 where role = 'master' and epoch < $1", later).execute(connection).await?;
    Ok(true)
}

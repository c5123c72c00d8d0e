//! Backups: what the service layer knows, at one position of its history, in a file that can be put back.
//!
//! A backup holds the rows of all tables of the service layer but the sessions of browsers, and the facts that are kept of its history,
//! all of them read in one transaction, so that the tables are the fold of the facts up to the position that it names. Secrets are in it
//! as they are kept, sealed, users with what proves their names.
//!
//! It is put back in one of two ways. [`definitions`] are what a cluster that goes on restores: what runs, and what is known of it, is
//! another thing by then, and to restore is a deployment from what is defined now to what was defined. Like any other it can be tried dry,
//! follows dependencies, is one version of the root, and can be rolled back. What the backup knows nothing of stays, unless its end is
//! asked for. Secrets, users and callbacks that are gone come back; those that have another value by now keep it, for the world outside has
//! it, too. Callbacks that come back are posted what happens from then on. [`recover`] puts everything into a database where nothing is
//! yet, as it was: earlier versions, ended deployments, who did what, and the events from where anybody has left off.
//!
//! [`file`](mod@file) is the envelope, [`sections`] what is in it, table by table; [`place`](mod@place) says which files an operator lets
//! clients name.

mod file;
pub mod place;
mod recover;
mod sections;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use attica_core_store::migrations::MigrationError;
use sqlx::PgPool;

use crate::access::User;
use crate::engine::Snapshot;
use crate::model::{CallbackSecret, CallbackUrl, Group, GroupId, KeptSecret, RunSpec, SecretPath};

pub use recover::{RecoverArgs, recover};

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be written or read.
    #[error("cannot {what} {path}")]
    Io {
        /// `write`, `read`
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("{path} is not a backup of Attica's")]
    Foreign {
        /// The file.
        path: String,
    },
    /// A program of another time wrote it.
    #[error("{path} has format {format}, and this program reads format {ours}")]
    Format {
        /// The file.
        path: String,
        /// Its format.
        format: u32,
        /// That of this program.
        ours: u32,
    },
    /// Its tables have been changed since this program was made.
    #[error(
        "{path} was written by a newer program: its tables are those of migration {migration}, the last one here is {ours}"
    )]
    Newer {
        /// The file.
        path: String,
        /// The last migration that its tables had seen.
        migration: i64,
        /// That of this program.
        ours: i64,
    },
    /// Not all of it is there, or not as it was written.
    #[error("{path} is damaged: its checksum is not that of what it holds")]
    Torn {
        /// The file.
        path: String,
    },
    /// It is whole, and says what makes no sense.
    #[error("{path} holds what is no backup")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database does not answer.
    #[error("cannot ask the database")]
    Database(#[from] sqlx::Error),
    /// The database could not be made ready.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// There is something that would be lost.
    #[error("the database has a service layer already: everything is put back only where nothing is yet")]
    Taken,
}

/// What people have defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// The definitions of apps and pods.
    pub run_specs: Vec<Arc<RunSpec>>,
    /// What is said of groups.
    pub groups: BTreeMap<GroupId, Group>,
    /// The secrets. Nobody reads them without the key.
    pub secrets: BTreeMap<SecretPath, KeptSecret>,
    /// The users.
    pub users: Vec<Arc<User>>,
    /// Where events are posted to, and what signs them.
    pub callbacks: BTreeMap<CallbackUrl, Option<CallbackSecret>>,
}

impl Backup {
    fn of(snapshot: Snapshot) -> Self {
        let run_specs = snapshot.run_specs.values().filter_map(|state| state.definition().cloned());
        let groups = snapshot.groups.iter().filter_map(|(id, state)| Some((id.clone(), state.current()?.clone())));
        let callbacks = snapshot.callbacks.into_iter();
        Self {
            run_specs: run_specs.collect(),
            groups: groups.collect(),
            users: snapshot.accounts.users().cloned().collect(),
            callbacks: callbacks.map(|(url, callback)| (url, callback.secret)).collect(),
            secrets: snapshot.secrets,
        }
    }
}

/// Writes a backup; the file is there as a whole or, if anything goes wrong, as it was before.
///
/// # Errors
/// [`BackupError::Io`], [`BackupError::Database`].
pub fn write(pool: &PgPool, path: &Path) -> Result<(), BackupError> {
    file::replace(path, |file| fill(pool, file, &path.display().to_string()))
}

/// A backup in a file that has no name, at its beginning.
///
/// # Errors
/// As [`write`].
pub fn make(pool: &PgPool) -> Result<File, BackupError> {
    let path = std::env::temp_dir().display().to_string();
    let file = tempfile::tempfile().map_err(|source| BackupError::Io { what: "write", path: path.clone(), source })?;
    fill(pool, file, &path)
}

fn fill(pool: &PgPool, file: File, path: &str) -> Result<File, BackupError> {
    let failed = |source| BackupError::Io { what: "write", path: path.to_owned(), source };
    let mut writer = file::Writer::begin(file).map_err(failed)?;
    tokio::runtime::Handle::current().block_on(sections::write(pool, &mut writer, path))?;
    writer.finish().map_err(failed)
}

/// What the backup in a file has defined; the file is called `path` in what is said about it. The database of the pool helps to read
/// it, and keeps nothing of it.
///
/// # Errors
/// See [`BackupError`].
pub fn definitions(pool: &PgPool, file: File, path: &str) -> Result<Backup, BackupError> {
    let content = file::open(file, path)?;
    let database = pool.connect_options();
    let read = sections::definitions(&database, content, path);
    tokio::runtime::Handle::current().block_on(read).map(Backup::of)
}

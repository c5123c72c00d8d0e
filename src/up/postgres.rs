//! The private Postgres as a child that is kept running.

use std::path::PathBuf;
use std::time::Duration;

use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresError, PrivatePostgresOptions};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The pause before another attempt to bring a server back that does not start.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The server of a cluster, and who keeps it.
pub enum Database {
    /// Somebody else's, given with `--postgres-url`.
    Given { url: String },
    /// Ours: started again when it dies, stopped last.
    Private { url: String, stop: oneshot::Sender<()>, keeper: JoinHandle<()> },
}

impl Database {
    pub async fn start_private(directory: PathBuf) -> Result<Database, PrivatePostgresError> {
        let options = PrivatePostgresOptions::new(directory);
        let server = PrivatePostgres::start(&options).await?;
        let url = server.url().to_owned();
        let (stop, stopped) = oneshot::channel();
        Ok(Database::Private { url, stop, keeper: tokio::spawn(keep(server, options, stopped)) })
    }

    pub fn url(&self) -> &str {
        match self {
            Database::Given { url } | Database::Private { url, .. } => url,
        }
    }

    pub async fn stop(self) {
        match self {
            Database::Given { .. } => {}
            Database::Private { stop, keeper, .. } => {
                // Neither can fail: the keeper ends only after it was told to.
                let _ = stop.send(());
                let _ = keeper.await;
            }
        }
    }
}

async fn keep(mut server: PrivatePostgres, options: PrivatePostgresOptions, mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            status = server.ended() => match status {
                Ok(status) => tracing::warn!("Postgres ended with {status}; starting it again"),
                Err(error) => tracing::error!(%error, "cannot wait for Postgres; starting it again"),
            },
            _ = &mut stopped => return server.stop().await,
        }
        server = loop {
            match PrivatePostgres::start(&options).await {
                Ok(server) => break server,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot start Postgres; trying again")
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_PAUSE) => {}
                _ = &mut stopped => return,
            }
        };
    }
}

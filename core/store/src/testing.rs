//! What the tests of this crate share: a server of their own, and a leader.

use sqlx::PgPool;
use tempfile::TempDir;

use crate::election::{Election, Leadership, LeaseTime, PostgresElection};
use crate::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use crate::{Database, LeaderRole, migrations};

/// A migrated server; ends, and leaves nothing behind, when it is dropped.
pub(crate) struct TestServer {
    pub(crate) postgres: PrivatePostgres,
    pub(crate) pool: PgPool,
    pub(crate) directory: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let options = PrivatePostgresOptions::for_test(directory.path());
        let postgres = PrivatePostgres::start(&options).await.expect("Postgres starts");
        migrations::migrate(postgres.database()).await.expect("the migrations apply");
        let pool = postgres.database().pool("attica test", 4);
        TestServer { postgres, pool, directory }
    }

    pub(crate) fn database(&self) -> Database {
        self.postgres.database().clone()
    }

    pub(crate) fn candidate(&self, address: &str, time: LeaseTime) -> PostgresElection {
        PostgresElection::new(self.database(), LeaderRole::Master, address.to_owned(), time)
    }

    pub(crate) async fn win(&self) -> Leadership {
        self.candidate("here", LeaseTime::default()).campaign().await.expect("nobody else campaigns")
    }
}

//! A standby's copy of what the leader writes.

use attica_core_api::Timestamp;
use attica_core_api::v1::{AgentId, AgentInfo};
use attica_core_store::election::{Election, Leadership, LeaseTime, PostgresElection};
use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use attica_core_store::writer::{CommittedBatches, WriterLimits};
use attica_core_store::{Batch, LeaderRole, Position, Writer, WriterHandle, migrations};
use sqlx::PgPool;

use super::harness::{eventually, soon};
use crate::fact::Fact;
use crate::master::standby::Standby;
use crate::snapshot::Snapshot;
use crate::tables::KernelTables;

/// A leader that writes, without anything else of a master.
struct Leader {
    postgres: PrivatePostgres,
    pool: PgPool,
    leadership: Leadership,
    writer: WriterHandle<Fact, ()>,
    committed: CommittedBatches<Fact, ()>,
    /// What its facts add up to.
    snapshot: Snapshot,
    position: Position,
    _directory: tempfile::TempDir,
}

impl Leader {
    async fn start() -> Leader {
        let directory = tempfile::tempdir().unwrap();
        let postgres = PrivatePostgres::start(&PrivatePostgresOptions::for_test(directory.path())).await.unwrap();
        let database = postgres.database().clone();
        migrations::migrate(&database).await.unwrap();
        let time = LeaseTime::default();
        let mut election = PostgresElection::new(database.clone(), LeaderRole::Master, "here".to_owned(), time);
        let leadership = election.campaign().await.unwrap();
        let (lead, lease) = (leadership.lead(), leadership.lease());
        let (writer, committed) = Writer::spawn(database.clone(), lead, lease, KernelTables, WriterLimits::default());
        let pool = database.pool("test", 2);
        let (snapshot, position) = (Snapshot::default(), Position::START);
        Leader { postgres, pool, leadership, writer, committed, snapshot, position, _directory: directory }
    }

    async fn register(&mut self, numbers: std::ops::Range<u32>) {
        let facts: Vec<Fact> = numbers
            .map(|number| {
                let id = Some(AgentId::new(format!("agent-{number}")));
                let info = Box::new(AgentInfo { id, hostname: "h".to_owned(), ..AgentInfo::default() });
                Fact::AgentRegistered { info, version: "1".to_owned(), boot_id: "b".to_owned(), at: Timestamp(5) }
            })
            .collect();
        facts.iter().for_each(|fact| self.snapshot.apply(fact));
        self.position = self.position.after(facts.len());
        self.writer.submit(Batch { facts, after: () }).await.unwrap();
        soon(self.committed.recv()).await.unwrap().unwrap();
    }

    /// Returns once the standby reads the journal: it has a copy then.
    async fn until_followed(&self) {
        let asks = "select count(*) from pg_stat_activity where application_name = 'attica master standby' and query like '%from journal%'";
        eventually(async || {
            let count: i64 = sqlx::query_scalar(asks).fetch_one(&self.pool).await.unwrap();
            (count > 0).then_some(())
        })
        .await;
    }

    async fn stop(self) {
        drop(self.writer);
        self.leadership.resign().await;
        self.pool.close().await;
        self.postgres.stop().await;
    }
}

#[tokio::test]
async fn a_winner_reads_only_what_its_copy_lacks() {
    let mut leader = Leader::start().await;
    leader.register(0..10).await;
    let standby = Standby::start(leader.postgres.database());
    leader.until_followed().await;
    leader.register(10..20_000).await;
    // Whoever looked into the tables now would find nothing.
    sqlx::raw_sql("truncate agent").execute(&leader.pool).await.unwrap();
    let snapshot = soon(standby.promote(leader.position)).await.unwrap();
    assert_eq!(snapshot, leader.snapshot);
    leader.stop().await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_kept_up_is_made_anew() {
    let mut leader = Leader::start().await;
    leader.register(0..10).await;
    let standby = Standby::start(leader.postgres.database());
    leader.until_followed().await;
    // A fact of a newer program, and then one that is no longer kept.
    sqlx::raw_sql("update lead set seq = seq + 1 where role = 'master'; insert into journal (role, seq, kind, version, payload) values ('master', 11, 'newer', 9, '{}')")
        .execute(&leader.pool)
        .await
        .unwrap();
    let snapshot = soon(standby.promote(Position(11))).await.unwrap();
    assert_eq!(snapshot, leader.snapshot, "the tables hold what a newer program made of its fact");
    let standby = Standby::start(leader.postgres.database());
    leader.until_followed().await;
    sqlx::raw_sql("update lead set seq = seq + 2 where role = 'master'; delete from journal")
        .execute(&leader.pool)
        .await
        .unwrap();
    assert_eq!(soon(standby.promote(Position(13))).await.unwrap(), leader.snapshot);
    leader.stop().await;
}

//! The writer against a real server, through lost connections, killed backends and killed servers.

mod faults;
mod numbered;
mod paused;
mod proxy;

use std::time::Duration;

use super::{Batch, CommittedBatches, Writer, WriterError, WriterHandle, WriterLimits, WriterState};
use crate::testing::TestServer;
use crate::{Database, Position};
use numbered::{Numbered, NumberedTable};

type Handle = WriterHandle<Numbered, &'static str>;
type Batches = CommittedBatches<Numbered, &'static str>;

async fn writer(server: &TestServer, through: Database, limits: WriterLimits) -> (Handle, Batches) {
    NumberedTable::create(&server.pool).await;
    let leadership = server.win().await;
    let (lead, lease) = (leadership.lead(), leadership.lease());
    tokio::spawn(async move {
        let _kept = leadership; // until the test's runtime ends
        std::future::pending::<()>().await;
    });
    Writer::spawn(through, lead, lease, NumberedTable, limits)
}

fn batch(facts: impl IntoIterator<Item = i64>) -> Batch<Numbered, &'static str> {
    Batch { facts: facts.into_iter().map(Numbered).collect(), after: "sent" }
}

#[tokio::test]
async fn batches_come_back_in_order_and_are_in_journal_and_tables() {
    let server = TestServer::start().await;
    let (handle, mut batches) = writer(&server, server.database(), WriterLimits::default()).await;
    // Sizes 0, 1, 2, 3, 0, 1, …: batches without facts keep their place.
    let mut submitted = Vec::new();
    for size in (0..400_i64).map(|index| index % 4) {
        let first = i64::try_from(submitted.len()).expect("small") + 1;
        submitted.extend(first..first + size);
        handle.submit(batch(first..first + size)).await.expect("the writer runs");
    }
    drop(handle);
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    while let Some(committed) = batches.recv().await {
        let committed = committed.expect("nothing fails");
        assert_eq!(committed.first, Position::START.after(seen.len() + 1));
        sizes.push(committed.facts.len() % 4);
        seen.extend(committed.facts.iter().map(|fact| fact.0));
    }
    assert_eq!(seen, submitted);
    assert_eq!(sizes, (0..400).map(|index| index % 4).collect::<Vec<_>>());
    assert_eq!(NumberedTable::rows(&server.pool).await, submitted);
    assert_eq!(numbered::journal(&server.pool).await, submitted);
}

#[tokio::test]
async fn what_waits_shares_a_transaction() {
    let server = TestServer::start().await;
    let (handle, mut batches) = writer(&server, server.database(), WriterLimits::default()).await;
    // While somebody else holds the row of the lead, the first transaction waits and the others pile up behind it.
    let mut blocker = server.pool.begin().await.expect("begin");
    sqlx::query("select from lead where role = 'master' for update").execute(&mut *blocker).await.expect("lock");
    for value in 1..=100 {
        handle.submit(batch([value])).await.expect("the writer runs");
    }
    blocker.rollback().await.expect("rollback");
    for _ in 0..100 {
        batches.recv().await.expect("a batch").expect("committed");
    }
    let transactions: i64 = sqlx::query_scalar("select count(distinct xmin::text) from journal")
        .fetch_one(&server.pool)
        .await
        .expect("count");
    assert!(transactions <= 3, "100 batches took {transactions} transactions");
}

#[tokio::test]
async fn a_full_queue_makes_the_core_wait() {
    let server = TestServer::start().await;
    let limits = WriterLimits { queue_bytes: 80, ..WriterLimits::default() }; // ten facts of eight bytes
    let (handle, mut batches) = writer(&server, server.database(), limits).await;
    let mut blocker = server.pool.begin().await.expect("begin");
    sqlx::query("select from lead where role = 'master' for update").execute(&mut *blocker).await.expect("lock");
    for value in 1..=10 {
        handle.submit(batch([value])).await.expect("the writer runs");
    }
    let mut eleventh = std::pin::pin!(handle.submit(batch([11])));
    let refused = tokio::time::timeout(Duration::from_millis(100), eleventh.as_mut()).await;
    assert!(refused.is_err(), "the eleventh fact does not fit");
    blocker.rollback().await.expect("rollback");
    eleventh.await.expect("there is room again");
    // One that can never fit travels alone instead of waiting for ever.
    let draining = tokio::spawn(async move {
        let mut facts = 0;
        while facts < 61 {
            facts += batches.recv().await.expect("a batch").expect("committed").facts.len();
        }
    });
    handle.submit(batch(12..=61)).await.expect("the writer runs");
    draining.await.expect("everything is committed");
}

#[tokio::test]
async fn a_deposed_writer_writes_nothing() {
    let server = TestServer::start().await;
    let (handle, mut batches) = writer(&server, server.database(), WriterLimits::default()).await;
    handle.submit(batch([1])).await.expect("the writer runs");
    batches.recv().await.expect("a batch").expect("committed");
    sqlx::query("update lead set epoch = epoch + 1 where role = 'master'")
        .execute(&server.pool)
        .await
        .expect("takeover");
    handle.submit(batch([2])).await.expect("it does not know yet");
    let error = batches.recv().await.expect("an answer").expect_err("deposed");
    assert!(matches!(error, WriterError::Deposed { .. }), "{error}");
    assert!(batches.recv().await.is_none(), "an error is the end");
    assert_eq!(handle.state(), WriterState::Ended);
    assert_eq!(numbered::journal(&server.pool).await, [1]);
    assert_eq!(NumberedTable::rows(&server.pool).await, [1]);
    handle.submit(batch([3])).await.expect_err("nobody would write it");
}

#[tokio::test]
async fn a_refused_statement_ends_the_writer_and_leaves_nothing() {
    let server = TestServer::start().await;
    let (handle, mut batches) = writer(&server, server.database(), WriterLimits::default()).await;
    handle.submit(batch([1])).await.expect("the writer runs");
    batches.recv().await.expect("a batch").expect("committed");
    handle.submit(batch([2, 1])).await.expect("the writer runs"); // the table's values are unique
    let error = batches.recv().await.expect("an answer").expect_err("refused");
    assert!(matches!(error, WriterError::Refused { .. }), "{error}");
    assert_eq!(numbered::journal(&server.pool).await, [1]);
}

#[tokio::test]
async fn without_its_tables_a_writer_is_refused_at_once() {
    let server = TestServer::start().await;
    let (handle, mut batches) = writer(&server, server.database(), WriterLimits::default()).await;
    sqlx::query("drop table numbered").execute(&server.pool).await.expect("drop");
    handle.submit(batch([1])).await.expect("the writer runs");
    let error = batches.recv().await.expect("an answer").expect_err("refused");
    assert!(matches!(error, WriterError::Refused { .. }), "{error}");
}

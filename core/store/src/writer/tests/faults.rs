//! Connections lost at every point of a transaction, backends and servers killed: nothing is lost, nothing is in twice.

use std::time::Duration;

use super::numbered::{self, Numbered, NumberedTable};
use super::proxy::{Cut, Proxy};
use super::{Batches, batch, writer};
use crate::election::{Election, LeaseTime};
use crate::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use crate::testing::TestServer;
use crate::writer::{Writer, WriterLimits, WriterState};

/// One fact per transaction, so that each cut hits the transaction it was planned for.
fn one_by_one() -> WriterLimits {
    WriterLimits { transaction_facts: 1, ..WriterLimits::default() }
}

/// The next `count` facts come back in order, one per batch.
async fn expect(batches: &mut Batches, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        let committed = batches.recv().await.expect("a batch").expect("committed");
        assert_eq!(committed.facts.iter().map(|fact| fact.0).collect::<Vec<_>>(), [number]);
        assert_eq!(committed.first.0, number);
    }
}

async fn assert_written(server: &TestServer, numbers: std::ops::RangeInclusive<i64>) {
    let expected: Vec<i64> = numbers.collect();
    assert_eq!(numbered::journal(&server.pool).await, expected);
    assert_eq!(NumberedTable::rows(&server.pool).await, expected);
}

#[tokio::test]
async fn a_connection_lost_anywhere_loses_and_repeats_nothing() {
    let server = TestServer::start().await;
    let cuts = [Cut::BeforeBegin, Cut::BeforeFence, Cut::BeforeCommit, Cut::AfterCommit];
    // Every cut, every pair of cuts in a row, and a transaction that passes between them.
    let pairs = cuts.iter().flat_map(|first| cuts.iter().flat_map(move |second| [*first, *second, Cut::None]));
    let plan: Vec<Cut> = cuts.into_iter().chain(pairs).collect();
    let count = i64::try_from(plan.len()).expect("small");
    let proxy = Proxy::start(server.postgres.socket_directory(), plan);
    let (handle, mut batches) = writer(&server, proxy.database.clone(), one_by_one()).await;
    for number in 1..=count {
        handle.submit(batch([number])).await.expect("the writer runs");
    }
    expect(&mut batches, 1..=count).await;
    assert!(proxy.is_done(), "every cut was made");
    assert_eq!(handle.state(), WriterState::Healthy);
    assert_written(&server, 1..=count).await;
}

#[tokio::test]
async fn a_transaction_that_arrives_after_its_repetition_is_fenced_off() {
    let server = TestServer::start().await;
    let proxy = Proxy::start(server.postgres.socket_directory(), [Cut::None, Cut::Late]);
    let (handle, mut batches) = writer(&server, proxy.database.clone(), one_by_one()).await;
    for number in 1..=2 {
        handle.submit(batch([number])).await.expect("the writer runs");
    }
    expect(&mut batches, 1..=2).await;
    proxy.deliver().await;
    handle.submit(batch([3])).await.expect("the writer runs");
    expect(&mut batches, [3]).await;
    assert_written(&server, 1..=3).await;
}

#[tokio::test]
async fn a_transaction_that_overtakes_its_repetition_is_recognised() {
    let server = TestServer::start().await;
    let proxy = Proxy::start(server.postgres.socket_directory(), [Cut::None, Cut::Late, Cut::Overtaken]);
    let (handle, mut batches) = writer(&server, proxy.database.clone(), one_by_one()).await;
    for number in 1..=3 {
        handle.submit(batch([number])).await.expect("the writer runs");
    }
    expect(&mut batches, 1..=3).await;
    assert!(proxy.is_done(), "every cut was made");
    assert_written(&server, 1..=3).await;
}

#[tokio::test]
async fn a_killed_backend_loses_and_repeats_nothing() {
    let server = TestServer::start().await;
    let (handle, mut batches) = writer(&server, server.database(), one_by_one()).await;
    let submitting = tokio::spawn(async move {
        for number in 1..=150 {
            handle.submit(batch([number])).await.expect("the writer runs");
        }
    });
    // The writer has long begun something else when the kill arrives, so that it hits any moment of a transaction.
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'attica master writer'";
    for first in (1..=150).step_by(3) {
        expect(&mut batches, first..first + 3).await;
        sqlx::query(kill).execute(&server.pool).await.expect("kill");
    }
    submitting.await.expect("submitted");
    assert_written(&server, 1..=150).await;
}

#[tokio::test]
async fn a_killed_server_stalls_the_writer_until_it_is_back() {
    let mut server = TestServer::start().await;
    let (handle, mut batches) = writer(&server, server.database(), one_by_one()).await;
    let submitting = {
        let handle = handle.clone();
        tokio::spawn(async move {
            for number in 1..=2000 {
                handle.submit(batch([number])).await.expect("the writer runs");
            }
        })
    };
    expect(&mut batches, 1..=50).await;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(server.postgres.process()), nix::sys::signal::Signal::SIGKILL)
        .expect("kill the server");
    server.postgres.ended().await.expect("it has ended");
    let mut state = handle.watch();
    let draining = tokio::spawn(async move {
        expect(&mut batches, 51..=2000).await;
    });
    state.wait_for(|state| matches!(state, WriterState::Stalled { .. })).await.expect("the writer runs");
    let options = PrivatePostgresOptions::for_test(server.directory.path());
    server.postgres = PrivatePostgres::start(&options).await.expect("the server recovers");
    draining.await.expect("everything is committed");
    submitting.await.expect("submitted");
    assert_eq!(handle.state(), WriterState::Healthy);
    assert_written(&server, 1..=2000).await;
}

#[tokio::test]
async fn a_leader_in_doubt_says_nothing() {
    let mut server = TestServer::start().await;
    let short = LeaseTime { ttl: Duration::from_millis(300), poll: Duration::from_millis(20) };
    let leadership = server.candidate("here", short).campaign().await.expect("nobody else campaigns");
    let (handle, mut batches) = Writer::spawn::<Numbered, _>(
        server.database(),
        leadership.lead(),
        leadership.lease(),
        NumberedTable,
        WriterLimits::default(),
    );
    server.postgres.stop().await;
    while leadership.lease().is_current() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    handle.submit(batch([])).await.expect("the writer runs");
    let mut state = handle.watch();
    state.wait_for(|state| matches!(state, WriterState::Stalled { .. })).await.expect("the writer runs");
    assert!(tokio::time::timeout(Duration::from_millis(300), batches.recv()).await.is_err(), "it said something");
    let options = PrivatePostgresOptions::for_test(server.directory.path());
    server.postgres = PrivatePostgres::start(&options).await.expect("the server starts again");
    batches.recv().await.expect("a batch").expect("nobody took over");
    assert_eq!(handle.state(), WriterState::Healthy);
}

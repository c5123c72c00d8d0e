//! Candidates against a real server, with short leases.

use std::time::{Duration, Instant};

use super::{Election, ElectionError, Leader, LeaseTime};
use crate::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use crate::testing::TestServer;
use crate::{Epoch, Position};

const SHORT: LeaseTime = LeaseTime { ttl: Duration::from_millis(600), poll: Duration::from_millis(20) };

#[tokio::test]
async fn one_leads_and_the_other_knows_where() {
    let server = TestServer::start().await;
    let mut first = server.candidate("first", SHORT);
    let leadership = first.campaign().await.expect("wins");
    assert_eq!((leadership.lead().epoch, leadership.lead().seq), (Epoch(1), Position::START));
    let mut second = server.candidate("second", SHORT);
    let mut seen = second.leader();
    // Three times the lease: the leader renews, the other one waits.
    let waited = tokio::time::timeout(SHORT.ttl * 3, second.campaign()).await;
    assert!(waited.is_err(), "two leaders");
    assert_eq!(*seen.borrow_and_update(), Some(Leader { address: "first".to_owned() }));
    assert!(leadership.lease().is_current());

    leadership.resign().await;
    let leadership = second.campaign().await.expect("wins");
    assert_eq!(leadership.lead().epoch, Epoch(2));
    assert_eq!(*second.leader().borrow(), Some(Leader { address: "second".to_owned() }));
}

#[tokio::test]
async fn who_has_resigned_lets_others_go_first() {
    let server = TestServer::start().await;
    server.candidate("first", SHORT).campaign().await.expect("wins").resign().await;
    let leadership = server.candidate("first", SHORT).campaign().await.expect("nobody else wants to");
    assert_eq!(leadership.lead().epoch, Epoch(2));
    leadership.resign().await;

    // Who waited for a lease or for this candidate's next look would wait in vain.
    let slow = LeaseTime { ttl: Duration::from_secs(3600), poll: Duration::from_secs(3600) };
    let leadership = server.candidate("second", slow).campaign().await.expect("it is free for others at once");
    leadership.resign().await;
    let mut again = server.candidate("second", slow);
    let again = tokio::spawn(async move { again.campaign().await });
    let leadership = server.candidate("third", slow).campaign().await.expect("it is free for others at once");
    assert_eq!(leadership.lead().epoch, Epoch(4));
    assert!(!again.is_finished(), "the one before waits");
    again.abort();
}

#[tokio::test]
async fn many_candidates_have_one_winner() {
    let server = TestServer::start().await;
    let mut campaigns = tokio::task::JoinSet::new();
    for index in 0..10 {
        let mut candidate = server.candidate(&index.to_string(), LeaseTime { ttl: Duration::from_secs(60), ..SHORT });
        campaigns.spawn(async move { candidate.campaign().await.expect("wins") });
    }
    let winner = campaigns.join_next().await.expect("ten run").expect("one wins");
    assert_eq!(winner.lead().epoch, Epoch(1));
    let another = tokio::time::timeout(Duration::from_millis(500), campaigns.join_next()).await;
    assert!(another.is_err(), "two leaders");
}

#[tokio::test]
async fn a_leader_that_vanishes_is_followed_when_its_lease_has_run_out() {
    let server = TestServer::start().await;
    let started = Instant::now();
    drop(server.candidate("first", SHORT).campaign().await.expect("wins"));
    let leadership = server.candidate("second", SHORT).campaign().await.expect("wins");
    assert!(started.elapsed() >= SHORT.ttl, "the database's clock decides");
    assert_eq!(leadership.lead().epoch, Epoch(2));
}

#[tokio::test]
async fn a_leader_learns_that_another_one_leads() {
    let server = TestServer::start().await;
    let leadership = server.candidate("first", SHORT).campaign().await.expect("wins");
    sqlx::query("update lead set epoch = epoch + 1 where role = 'master'")
        .execute(&server.pool)
        .await
        .expect("takeover");
    leadership.lease().lost().await;
    assert!(!leadership.lease().is_current());
    assert!(!leadership.lease().confirmed().await);
}

#[tokio::test]
async fn a_database_that_is_down_is_doubt_and_ends_well() {
    let mut server = TestServer::start().await;
    let leadership = server.candidate("first", SHORT).campaign().await.expect("wins");
    let lease = leadership.lease();
    server.postgres.stop().await;
    while lease.is_current() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let doubtful = tokio::time::timeout(SHORT.ttl, lease.confirmed()).await;
    assert!(doubtful.is_err(), "nobody can know who leads");
    let options = PrivatePostgresOptions::for_test(server.directory.path());
    server.postgres = PrivatePostgres::start(&options).await.expect("Postgres starts again");
    assert!(lease.confirmed().await, "nobody took over meanwhile");
    assert_eq!(leadership.lead().epoch, Epoch(1));
}

#[tokio::test]
async fn without_migrations_there_is_no_election() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let postgres =
        PrivatePostgres::start(&PrivatePostgresOptions::for_test(directory.path())).await.expect("Postgres starts");
    let database = postgres.database().clone();
    let mut candidate = super::PostgresElection::new(database, crate::LeaderRole::Paas, "here".to_owned(), SHORT);
    let ElectionError::Refused { .. } = candidate.campaign().await.expect_err("there is no table");
}

//! A leader that is stopped, and goes on when another one leads.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::batch;
use super::numbered::{self, Numbered, NumberedTable};
use crate::election::{Election, LeaseTime, PostgresElection};
use crate::testing::TestServer;
use crate::writer::{Writer, WriterError, WriterLimits};
use crate::{Database, LeaderRole};

const URL: &str = "ATTICA_TEST_POSTGRES_URL";
const SHORT: LeaseTime = LeaseTime { ttl: Duration::from_millis(600), poll: Duration::from_millis(20) };

/// Leads and writes the number 1 over and over, until it finds itself deposed.
#[tokio::test]
#[ignore = "the child process of a_paused_leader_finds_itself_deposed"]
async fn child() {
    let database: Database = std::env::var(URL).expect("started by its parent").parse().expect("valid");
    let mut candidate = PostgresElection::new(database.clone(), LeaderRole::Master, "child".to_owned(), SHORT);
    let leadership = candidate.campaign().await.expect("nobody else campaigns yet");
    let (handle, mut batches) = Writer::spawn::<Numbered, _>(
        database,
        leadership.lead(),
        leadership.lease(),
        NumberedTable,
        WriterLimits::default(),
    );
    tokio::spawn(async move { while handle.submit(batch([1])).await.is_ok() {} });
    let mut written = 0_u64;
    loop {
        match batches.recv().await.expect("an error comes before the end") {
            Ok(_committed) => written += 1,
            Err(WriterError::Deposed { .. }) => break,
            Err(error) => panic!("{error}"),
        }
        if written == 10 {
            println!("writing");
        }
    }
    leadership.lease().lost().await;
    println!("deposed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_leader_finds_itself_deposed() {
    let server = TestServer::start().await;
    sqlx::query("create table numbered (seq bigint primary key, value bigint not null)")
        .execute(&server.pool)
        .await
        .expect("create table");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "writer::tests::paused::child", "--ignored", "--nocapture"])
        .env(URL, server.postgres.url())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut wait_for =
        |word: &str| assert!(lines.by_ref().any(|line| line.is_ok_and(|line| line.contains(word))), "{word}");
    tokio::task::block_in_place(|| wait_for("writing"));

    let process = Pid::from_raw(child.id().try_into().expect("a process id"));
    kill(process, Signal::SIGSTOP).expect("the child can be stopped");
    let mut candidate = server.candidate("heir", SHORT);
    let leadership = candidate.campaign().await.expect("the lease of a stopped leader runs out");
    let before = numbered::journal(&server.pool).await;
    assert_eq!(leadership.lead().seq.0, i64::try_from(before.len()).expect("small"));

    kill(process, Signal::SIGCONT).expect("the child goes on");
    tokio::task::block_in_place(|| wait_for("deposed"));
    assert!(child.wait().expect("the child ends").success());
    assert_eq!(numbered::journal(&server.pool).await.len(), before.len(), "nothing after the new epoch began");
}

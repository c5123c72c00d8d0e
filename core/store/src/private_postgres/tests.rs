//! A server of our own: fresh, left behind, killed, broken, in awkward places.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::Connection as _;

use super::{PrivatePostgres, PrivatePostgresError, PrivatePostgresOptions};

async fn start(directory: &Path) -> PrivatePostgres {
    PrivatePostgres::start(&PrivatePostgresOptions::for_test(directory)).await.expect("Postgres starts")
}

async fn query(postgres: &PrivatePostgres, sql: &'static str) -> String {
    let mut connection =
        sqlx::PgConnection::connect_with(&postgres.database().options("attica test")).await.expect("connect");
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect(sql)
}

async fn note(postgres: &PrivatePostgres, sql: &'static str) {
    let mut connection =
        sqlx::PgConnection::connect_with(&postgres.database().options("attica test")).await.expect("connect");
    sqlx::query(sql).execute(&mut connection).await.expect(sql);
}

fn is_alive(process: i32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

#[tokio::test]
async fn a_server_is_as_it_should_be_and_keeps_its_data() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let options = PrivatePostgresOptions::new(directory.path().join("made on demand"));
    let postgres = PrivatePostgres::start(&options).await.expect("Postgres starts");
    for (setting, value) in [
        ("show server_encoding", "UTF8"),
        ("show lc_collate", "C"),
        ("show data_checksums", "on"),
        ("show fsync", "on"),
        ("show synchronous_commit", "on"),
        ("show listen_addresses", ""),
    ] {
        assert_eq!(query(&postgres, setting).await, value, "{setting}");
    }
    note(&postgres, "create table kept as select 1").await;
    let process = postgres.process();
    postgres.stop().await;
    assert!(!is_alive(process));
    let postgres = PrivatePostgres::start(&options).await.expect("Postgres starts again");
    assert_eq!(query(&postgres, "select count(*)::text from kept").await, "1");
    let process = postgres.process();
    drop(postgres);
    assert!(!is_alive(process), "a dropped server ends");
}

#[tokio::test]
async fn a_server_left_behind_is_ended_by_the_next_start() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let mut first = start(directory.path()).await;
    note(&first, "create table kept as select 1").await;
    // The same directory, while the first one still runs: as after its owner was killed.
    let mut second = start(directory.path()).await;
    assert!(first.ended().await.expect("it has ended").success(), "it was asked to shut down");
    assert_eq!(query(&second, "select count(*)::text from kept").await, "1");
    // And after its main process was killed, with children that are slower to notice.
    kill(Pid::from_raw(second.process()), Signal::SIGKILL).expect("kill");
    second.ended().await.expect("it has ended");
    let third = start(directory.path()).await;
    assert_eq!(query(&third, "select count(*)::text from kept").await, "1");
}

#[tokio::test]
async fn a_process_that_only_has_the_number_of_an_old_server_is_left_alone() {
    let directory = tempfile::tempdir().expect("temporary directory");
    start(directory.path()).await.stop().await;
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
    std::fs::write(directory.path().join("data/postmaster.pid"), format!("{}\n", stranger.id())).expect("write");
    super::leftover::end(&directory.path().join("data")).await.expect("nothing to end");
    assert!(stranger.try_wait().expect("wait").is_none(), "the stranger lives");
    stranger.kill().and_then(|()| stranger.wait()).expect("end");
}

#[tokio::test]
async fn an_early_end_is_reported_with_its_reason() {
    let directory = tempfile::tempdir().expect("temporary directory");
    start(directory.path()).await.stop().await;
    std::fs::write(directory.path().join("data/postgresql.conf"), "no_such_setting = 1\n").expect("write");
    let options = PrivatePostgresOptions::for_test(directory.path());
    let error = PrivatePostgres::start(&options).await.expect_err("it cannot start");
    assert!(matches!(error, PrivatePostgresError::Ended { .. }));
    assert!(error.to_string().contains("FATAL:  configuration file"), "{error}");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_works() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let long = directory.path().join("x".repeat(120)).join("with space & ümlaut");
    let mut postgres = start(&long).await;
    assert_eq!(query(&postgres, "select 'here'").await, "here");
    // The address stays the same when the server comes back.
    let url = postgres.url().to_owned();
    kill(Pid::from_raw(postgres.process()), Signal::SIGKILL).expect("kill");
    postgres.ended().await.expect("it has ended");
    postgres = start(&long).await;
    assert_eq!(postgres.url(), url);
    assert_eq!(query(&postgres, "select 'here'").await, "here");
    let socket_directory = postgres.socket_directory().to_owned();
    assert!(!socket_directory.starts_with(directory.path()));
    postgres.stop().await;
    assert!(!socket_directory.exists(), "nothing is left behind");
}

#[tokio::test]
async fn a_socket_directory_of_somebody_else_is_refused() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let long = directory.path().join("x".repeat(120));
    let postgres = start(&long).await;
    let socket_directory = postgres.socket_directory().to_owned();
    postgres.stop().await;
    // Anybody may have put a link there meanwhile.
    std::os::unix::fs::symlink(directory.path(), &socket_directory).expect("link");
    let outcome = PrivatePostgres::start(&PrivatePostgresOptions::for_test(&long)).await;
    std::fs::remove_file(&socket_directory).expect("the link is still there");
    assert!(matches!(outcome, Err(PrivatePostgresError::Directory { .. })));
}

#[tokio::test]
async fn a_path_with_odd_characters_works() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let postgres = start(&directory.path().join("a b&c=ü?%41")).await;
    assert_eq!(query(&postgres, "select 'here'").await, "here");
}

#[tokio::test]
async fn a_directory_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    let error =
        PrivatePostgres::start(&PrivatePostgresOptions::for_test(file.path())).await.expect_err("not a directory");
    assert!(matches!(error, PrivatePostgresError::Directory { .. }), "{error}");
}

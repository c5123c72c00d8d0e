//! The roles as processes of a benchmark: the real programs over a real, durable Postgres.

#![allow(dead_code, reason = "every benchmark uses a part of it")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};

use crate::fsync::Disk;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// A Postgres and the directory of a benchmark's run; both go when it is dropped.
pub(crate) struct Site<'a> {
    postgres: PrivatePostgres,
    directory: &'a Path,
}

impl Site<'_> {
    /// A durable Postgres in `directory`, on this disk.
    pub(crate) async fn new<'a>(directory: &'a Path, disk: &Disk) -> Site<'a> {
        let mut options = PrivatePostgresOptions::new(directory.join("postgres"));
        options.environment.extend(disk.environment());
        let postgres = PrivatePostgres::start(&options).await.expect("Postgres starts");
        Site { postgres, directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory
    }

    /// Has Postgres do something.
    pub(crate) async fn execute(&self, statement: &str) {
        let (client, connection) =
            tokio_postgres::connect(self.postgres.url(), tokio_postgres::NoTls).await.expect("a connection");
        let connection = tokio::spawn(connection);
        client.batch_execute(statement).await.expect("it is done");
        drop(client);
        connection.await.expect("no panic").expect("the connection ends well");
    }

    /// Starts a role that listens on a free port; returns once it answers.
    pub(crate) fn start(&self, role: &str, name: &str, args: &[&str]) -> Role {
        let ready = self.directory.join(format!("{name}.ready"));
        // One of the same name may have been killed.
        let _not_there = fs::remove_file(&ready);
        let log = fs::File::create(self.directory.join(format!("{name}.log"))).expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_attica"))
            .arg(role)
            .args(args)
            .arg("--ready-file")
            .arg(&ready)
            .env("ATTICA_POSTGRES_URL", self.postgres.url())
            .env("ATTICA_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("attica starts");
        let mut role = Role { child, address: String::new() };
        role.address = role.until_ready(&ready);
        role
    }
}

/// A directory for the run, on the disk of the build and not in a memory file system.
///
/// An ext4 without a journal looks at every inode that was deleted in the last minutes before it makes a file near it. What the run
/// before has deleted, or a build, is no part of what is measured: the runs' directories are marked as unrelated, which puts each where
/// it is quiet.
pub(crate) fn directory() -> tempfile::TempDir {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&parent).expect("a directory for the runs");
    // Other file systems have no such mark, and need none.
    let _unmarked = Command::new("chattr").arg("+T").arg(&parent).stderr(Stdio::null()).status();
    tempfile::tempdir_in(parent).expect("a directory")
}

/// A running role; killed when dropped.
pub(crate) struct Role {
    child: Child,
    /// `ip:port`
    pub(crate) address: String,
}

impl Role {
    fn until_ready(&mut self, file: &Path) -> String {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match fs::read_to_string(file) {
                Ok(text) if text.ends_with('\n') => return text.trim_end().to_owned(),
                Ok(_) | Err(_) => {}
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("a role ended with {status}; see the log beside {}", file.display());
            }
            assert!(Instant::now() < deadline, "no {} in time", file.display());
            std::thread::sleep(POLL);
        }
    }

    /// The memory that the process holds, in KiB.
    pub(crate) fn memory_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the role runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident set");
        line.split_ascii_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.kill();
    }
}

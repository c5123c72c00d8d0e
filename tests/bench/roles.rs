//! The roles as processes of a benchmark: the real programs over a real, durable Postgres.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attica_core_store::{PrivatePostgres, PrivatePostgresOptions};

use crate::slow_disk::SlowDisk;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// A Postgres and the directory of a benchmark's run; both go when it is dropped.
pub struct Site {
    pub postgres: PrivatePostgres,
    pub directory: tempfile::TempDir,
    _disk: SlowDisk,
}

impl Site {
    /// `BENCH_FSYNC_MS` slows every fdatasync of Postgres down to as many milliseconds.
    pub async fn new() -> Site {
        let directory = tempfile::Builder::new().prefix("attica-bench-").tempdir_in(target()).expect("a directory");
        let disk = SlowDisk::from_environment(directory.path());
        let mut options = PrivatePostgresOptions::new(directory.path().join("postgres"));
        options.environment.extend(disk.environment());
        let postgres = PrivatePostgres::start(&options).await.expect("Postgres starts");
        Site { postgres, directory, _disk: disk }
    }

    /// Starts a role that listens on a free port; returns once it answers.
    pub fn start(&self, role: &str, name: &str, args: &[&str]) -> Role {
        let ready = self.directory.path().join(format!("{name}.ready"));
        let log = fs::File::create(self.directory.path().join(format!("{name}.log"))).expect("a log file");
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

/// On the disk that is measured, not in a memory file system.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

/// A running role; killed when dropped.
pub struct Role {
    pub child: Child,
    /// `ip:port`
    pub address: String,
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

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.kill();
    }
}

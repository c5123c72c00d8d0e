//! The data directory: its lock, its layout, and the children that an earlier, killed `up` left behind.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use thiserror::Error;
use tokio::time::Instant;

const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(5);
const LEFTOVER_POLL: Duration = Duration::from_millis(20);

#[derive(Debug, Error)]
pub enum DataDirError {
    #[error("cannot write to {}; choose another directory with --data-dir", .0.display())]
    Unwritable(PathBuf, #[source] io::Error),
    #[error("{} is in use by another `attica up`; stop that one or choose another directory with --data-dir", .0.display())]
    InUse(PathBuf),
}

pub struct DataDir {
    root: PathBuf,
    /// Held, never read. It goes with the process, and with this value: a child that was just forked and still holds the file
    /// does not keep it.
    _lock: Flock<File>,
}

impl DataDir {
    /// Creates what is missing and takes the lock.
    pub fn open(path: &Path) -> Result<DataDir, DataDirError> {
        let unwritable = |error| DataDirError::Unwritable(path.to_owned(), error);
        fs::create_dir_all(path.join("run")).map_err(unwritable)?;
        let root = path.canonicalize().map_err(unwritable)?;
        let lock = File::create(root.join("lock")).map_err(unwritable)?;
        match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(DataDir { root, _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(DataDirError::InUse(root)),
            Err((_, error)) => Err(DataDirError::Unwritable(root, error.into())),
        }
    }

    pub fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// What secrets are sealed with.
    pub fn secrets_key(&self) -> PathBuf {
        self.root.join("secrets.key")
    }

    pub fn zookeeper(&self) -> PathBuf {
        self.root.join("zookeeper")
    }

    /// The work directory of the agent with this number (from 1).
    pub fn agent(&self, number: usize) -> PathBuf {
        self.root.join("agents").join(number.to_string())
    }

    fn pid_file(&self, child: &str) -> PathBuf {
        self.root.join("run").join(format!("{child}.pid"))
    }

    /// Notes a child down, so that the next `up` can find it if this one is killed.
    pub fn remember(&self, child: &str, pid: u32) -> io::Result<()> {
        let Some(identity) = Process::running(pid) else {
            return Ok(());
        };
        // Whoever reads it, also after this `up` was killed, finds the former child or this one.
        let new = self.root.join(format!("{child}.new"));
        fs::write(&new, format!("{} {}", identity.pid, identity.started))?;
        fs::rename(new, self.pid_file(child))
    }

    pub fn forget(&self, child: &str) {
        let _ = fs::remove_file(self.pid_file(child));
    }

    /// What each agent offered when an earlier `up` was asked the same. An agent that offers something else, because the disk has filled
    /// since, is another agent: it would lose its volumes, and its tasks if `up` was killed.
    pub fn remembered_shares(&self, request: &str) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.root.join("shares")).ok()?;
        let (asked, shares) = text.split_once('\n')?;
        (asked == request).then(|| shares.lines().map(str::to_owned).collect())
    }

    pub fn remember_shares(&self, request: &str, shares: &[String]) -> io::Result<()> {
        fs::write(self.root.join("shares"), format!("{request}\n{}\n", shares.join("\n")))
    }

    /// Ends the roles of an `up` that was killed. Tasks and their launchers are left alone: the agents that are started next adopt
    /// them. Postgres is taken over by its own room.
    pub async fn end_leftovers(&self) -> Result<(), DataDirError> {
        let unwritable = |error| DataDirError::Unwritable(self.root.clone(), error);
        for entry in fs::read_dir(self.root.join("run")).map_err(unwritable)? {
            let path = entry.map_err(unwritable)?.path();
            if path.extension().is_none_or(|extension| extension != "pid") {
                continue;
            }
            if let Some(process) = fs::read_to_string(&path).ok().and_then(|text| Process::parse(&text)) {
                process.end().await;
            }
            fs::remove_file(&path).map_err(unwritable)?;
        }
        Ok(())
    }
}

/// A process told apart from a later one with the same pid by when it started.
struct Process {
    pid: u32,
    /// Clock ticks since boot (`/proc/PID/stat`, field 22).
    started: u64,
}

impl Process {
    fn running(pid: u32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the command's name in brackets and may hold anything; the third follows the last bracket.
        let after_name = stat.get(stat.rfind(')')? + 1..)?;
        let mut fields = after_name.split_ascii_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (state != "Z").then_some(Process { pid, started })
    }

    fn parse(text: &str) -> Option<Process> {
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Process { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    fn is_alive(&self) -> bool {
        Process::running(self.pid).is_some_and(|now| now.started == self.started)
    }

    async fn end(&self) {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let deadline = Instant::now() + LEFTOVER_TIMEOUT;
            if self.is_alive() {
                tracing::info!(pid = self.pid, "ending a process that an earlier `up` left behind");
                let _ = kill(Pid::from_raw(self.pid.cast_signed()), signal);
            }
            while self.is_alive() && Instant::now() < deadline {
                tokio::time::sleep(LEFTOVER_POLL).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recognised_by_its_start() {
        let me = Process::running(std::process::id()).expect("this process runs");
        assert!(me.is_alive());
        let impostor = Process { started: me.started + 1, ..me };
        assert!(!impostor.is_alive());
    }

    #[test]
    fn one_up_per_directory() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let first = DataDir::open(dir.path()).expect("free");
        assert!(matches!(DataDir::open(dir.path()), Err(DataDirError::InUse(_))));
        drop(first);
        DataDir::open(dir.path()).expect("free again");
    }

    #[tokio::test]
    async fn leftovers_are_ended_and_forgotten() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = DataDir::open(dir.path()).expect("free");
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep starts");
        data_dir.remember("master", child.id()).expect("written");
        data_dir.end_leftovers().await.expect("ended");
        child.wait().expect("it is gone");
        assert!(!data_dir.pid_file("master").exists());
    }
}

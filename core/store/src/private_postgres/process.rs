//! Runs `initdb` and the server as a user that Postgres accepts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tokio::process::{Child, Command};

use super::{Binaries, DATABASE, Durability, PrivatePostgresError, PrivatePostgresOptions, USER};
use crate::Database;

/// Recovery after a crash may take a while; a server that is not ready by then will not be.
const READY_LIMIT: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long the end of all connections and the last checkpoint may take before the server is ended the hard way.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long a dropped server may take to notice.
const DROP_LIMIT: Duration = Duration::from_secs(5);
/// A log that is larger at a start is put aside, and the one put aside before is forgotten.
const LOG_LIMIT_BYTES: u64 = 16 << 20;
/// As much of the log's end as is searched for a reason.
const REASON_BYTES: u64 = 8 << 10;

/// Whom the server runs as.
#[derive(Debug)]
pub(super) enum Account {
    /// Who we are, which is not root.
    Own,
    /// An ordinary user in a namespace, who is root outside.
    Namespace,
    /// The account `postgres`, because we are root and may not make a namespace.
    Postgres(User),
}

impl Account {
    pub(super) async fn choose(directory: &Path) -> Result<Self, PrivatePostgresError> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Account::Own);
        }
        let allowed = Account::Namespace.command(Path::new("true")).stderr(Stdio::null()).status().await;
        if allowed.is_ok_and(|status| status.success()) {
            return Ok(Account::Namespace);
        }
        let account = User::from_name("postgres").ok().flatten().ok_or(PrivatePostgresError::NoAccount)?;
        let account = Account::Postgres(account);
        account.own(directory)?;
        Ok(account)
    }

    /// Gives a directory to the account.
    pub(super) fn own(&self, directory: &Path) -> Result<(), PrivatePostgresError> {
        match self {
            Account::Own | Account::Namespace => Ok(()),
            Account::Postgres(user) => nix::unistd::chown(directory, Some(user.uid), Some(user.gid)).map_err(|error| {
                PrivatePostgresError::Directory { what: "give away", path: directory.to_owned(), source: error.into() }
            }),
        }
    }

    /// Whether a directory is a real one that nobody but the account can enter.
    pub(super) fn owns_alone(&self, directory: &Path) -> bool {
        let owner = match self {
            Account::Own | Account::Namespace => nix::unistd::geteuid(),
            Account::Postgres(user) => user.uid,
        };
        std::fs::symlink_metadata(directory)
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == owner.as_raw() && metadata.mode() & 0o077 == 0)
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Account::Own => Command::new(program),
            Account::Namespace => {
                let mut command = Command::new("unshare"); // executes the program in its own place: same process id
                command.args(["--user", "--map-user=1000", "--map-group=1000", "--"]).arg(program);
                command
            }
            Account::Postgres(user) => {
                let mut command = Command::new(program);
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
                command
            }
        }
    }
}

/// Makes a new cluster; what an interrupted attempt has left is thrown away.
pub(super) async fn initialise(
    binaries: &Binaries,
    account: &Account,
    directory: &Path,
    options: &PrivatePostgresOptions,
) -> Result<(), PrivatePostgresError> {
    let unfinished = directory.join("data.unfinished");
    let data = directory.join("data");
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| PrivatePostgresError::Directory { what, path, source }
    };
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(failed("clear", &unfinished))?;
    }
    let mut command = account.command(&binaries.initdb);
    command
        .args(["--encoding=UTF8", "--locale=C", "--data-checksums", "--auth=trust"])
        .arg(format!("--username={USER}"))
        .arg("--pgdata")
        .arg(&unfinished)
        .current_dir("/"); // which everybody can enter: ours the account `postgres` may not
    match options.durability {
        Durability::Disk => {}
        Durability::Memory => {
            command.arg("--no-sync");
        }
    }
    let run = |source| PrivatePostgresError::Run { program: binaries.initdb.clone(), source };
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(run)?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(PrivatePostgresError::Initdb { directory: directory.to_owned(), output });
    }
    std::fs::rename(&unfinished, &data).map_err(failed("rename", &unfinished))?;
    let sync = || File::open(directory)?.sync_all();
    sync().map_err(failed("write to", directory))
}

/// The main process of a server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    process: i32,
    log: PathBuf,
    /// Where this start's part of the log begins.
    log_start: u64,
}

impl Server {
    pub(super) fn spawn(
        binaries: &Binaries,
        account: &Account,
        data: &Path,
        socket_directory: &Path,
        log: &Path,
        options: &PrivatePostgresOptions,
    ) -> Result<Self, PrivatePostgresError> {
        let failed = |source| PrivatePostgresError::Directory { what: "write to", path: log.to_owned(), source };
        let (log_file, log_start) = open_log(log).map_err(failed)?;
        let also_log = log_file.try_clone().map_err(failed)?;
        let mut command = account.command(&binaries.postgres);
        command.arg("-D").arg(data).arg("-k").arg(socket_directory).args([
            "-c",
            "listen_addresses=",
            "-c",
            "port=5432",
            "-c",
            "unix_socket_permissions=0700",
        ]);
        match options.durability {
            Durability::Disk => command.args(["-c", "fsync=on", "-c", "synchronous_commit=on"]),
            Durability::Memory => command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]),
        };
        command.envs(options.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log_file).stderr(also_log).process_group(0);
        let run = |source| PrivatePostgresError::Run { program: binaries.postgres.clone(), source };
        let child = command.spawn().map_err(run)?;
        let Some(process) = child.id().and_then(|id| i32::try_from(id).ok()) else {
            unreachable!("a child that nobody waited for has a process id");
        };
        Ok(Server { child, process, log: log.to_owned(), log_start })
    }

    /// Returns when a connection was accepted; an error when the server ends before.
    pub(super) async fn wait_until_ready(&mut self, database: &Database) -> Result<(), PrivatePostgresError> {
        let until = Instant::now() + READY_LIMIT;
        while database.connect("attica start").await.is_err() {
            let status = self
                .child
                .try_wait()
                .map_err(|source| PrivatePostgresError::Run { program: PathBuf::from("postgres"), source })?;
            if let Some(status) = status {
                let last_line = last_reason(&self.log, self.log_start);
                return Err(PrivatePostgresError::Ended { status, last_line, log: self.log.clone() });
            }
            if Instant::now() > until {
                return Err(PrivatePostgresError::NotReady { limit: READY_LIMIT, log: self.log.clone() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        tracing::debug!(database = DATABASE, process = self.process, "Postgres is ready");
        Ok(())
    }

    pub(super) fn process(&self) -> i32 {
        self.process
    }

    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    pub(super) async fn stop(&mut self) {
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
            self.signal(signal);
            if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_ok() {
                return;
            }
            tracing::warn!(process = self.process, %signal, "Postgres does not end");
        }
    }

    /// An immediate shutdown of a server that still runs; `false`: it had ended. It is waited for, so that whoever removes the
    /// directory next finds nobody in it.
    pub(super) fn end_now(&mut self) -> bool {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return false;
        }
        self.signal(Signal::SIGQUIT);
        let until = Instant::now() + DROP_LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }

    fn signal(&self, signal: Signal) {
        if self.child.id().is_some() {
            let _ = kill(Pid::from_raw(self.process), signal); // still ours: nobody has waited for it yet
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end_now();
    }
}

/// Opens the log at its end; puts a large one aside.
fn open_log(log: &Path) -> io::Result<(File, u64)> {
    if std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > LOG_LIMIT_BYTES) {
        std::fs::rename(log, log.with_extension("log.old"))?;
    }
    let file = OpenOptions::new().create(true).append(true).open(log)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// The last line since `start` that gives a reason, else the last line.
fn last_reason(log: &Path, start: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(REASON_BYTES))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let reason = lines().find(|line| line.contains("FATAL:") || line.contains("PANIC:")).or_else(|| lines().next());
    reason.unwrap_or("it said nothing").to_owned()
}

//! The launcher: a small process that starts tasks, waits for them and writes down how they ended.
//!
//! It has a session of its own and outlives the agent that started it, so tasks go on and no exit status is lost while an
//! agent is killed, upgraded and restarted. If it dies itself, the next one adopts what it finds in the records: living
//! processes are told from strangers by their start time and waited for through a pidfd.
//!
//! What one plain launch costs in system calls, on cgroups v1 with four hierarchies (on v2 there is one):
//!
//! | who | what | calls |
//! |---|---|---|
//! | the thread that makes room | a cgroup in each hierarchy: mkdirat | 4 |
//! | | three limits: openat, write, close each | 9 |
//! | | stdout and stderr: openat, statx each | 4 |
//! | | the doors of the cgroups: openat | 4 |
//! | the launcher | the journal: openat | 1 |
//! | | getpid, clone, and close of all that was opened | 9 |
//! | the child | dies with the launcher, session, signals: prctl, getppid, rt_sigprocmask, rt_sigaction, setsid | 5 |
//! | | umask, its output, the doors: umask, 2 × dup2, 4 × write | 7 |
//! | | lets go of the launcher, and is on record: prctl, write | 2 |
//! | | chdir, execve | 2 |
//!
//! That is 47; the program's own start comes to about 30 more. Of a launcher's time nine tenths are within `clone`, which returns when the
//! child has executed its program: there execve takes about as long as the four doors together, and all else less than either. The thread
//! works meanwhile. Other users, roots, namespaces and controllers cost more, and only those who ask for them.
//!
//! Architecture invariants: a task's record exists before its program runs, and says that it does, wherever its launcher is killed: what has
//! none never ran and may be started; a record says how the task ended before the agent hears of it; a container has ended only when no process is left in it; orphans of tasks become children of the
//! launcher (it is a subreaper) and are reaped at once.

mod child;
pub mod controls;
pub mod hidden;
pub(crate) mod isolation;
pub(crate) mod log;
mod privileges;
pub(crate) mod process;
pub mod protocol;
mod records;
mod seccomp_profile;
mod server;
mod streams;
mod surroundings;
pub(crate) mod sys;
pub(crate) mod terminal;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

/// How often the lock of the directory is tried for, and the pause in between.
const LOCK_ATTEMPTS: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// How the launcher is called. Agents call it; people have no need to.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Directory of the launcher's socket and records
    #[arg(long, value_name = "DIRECTORY")]
    pub dir: PathBuf,
    /// The cgroup, relative to each hierarchy's root, beneath which tasks get theirs
    #[arg(long, value_name = "PATH")]
    pub cgroup_parent: PathBuf,
    /// Ends after so many milliseconds with neither a task nor an agent
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 10_000)]
    pub linger_ms: u64,
}

/// Why the launcher cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory, its records or its socket cannot be used.
    #[error("cannot use the launcher directory {directory}")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Another launcher owns the directory.
    #[error("another launcher works in {directory} already")]
    Occupied {
        /// The directory.
        directory: PathBuf,
    },
    /// The system refuses something basic.
    #[error("the launcher cannot {action}")]
    System {
        /// What it tried.
        action: &'static str,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// Runs the launcher until it has nothing to do any more. Must be called by a process with a single thread, which decides everything;
/// the one other there is at times only makes room for tasks.
pub fn run(args: &Args) -> Result<(), Error> {
    let directory = |source| Error::Directory { directory: args.dir.clone(), source };
    sys::close_inherited().map_err(|source| Error::System { action: "close what it was left", source })?;
    std::fs::create_dir_all(&args.dir).map_err(directory)?;
    // Whoever can connect can start processes.
    std::fs::set_permissions(&args.dir, Permissions::from_mode(0o700)).map_err(directory)?;
    // Already a session leader when it was started by hand: that is as good.
    let _leader_already = nix::unistd::setsid();
    // The socket is bound by its bare name: a path may be longer than an address holds.
    std::env::set_current_dir(&args.dir).map_err(directory)?;
    let lock = std::fs::OpenOptions::new().create(true).append(true).open("launcher.lock").map_err(directory)?;
    let _lock = locked(lock).ok_or_else(|| Error::Occupied { directory: args.dir.clone() })?;
    let nothing =
        std::fs::File::open("/dev/null").map_err(|source| Error::System { action: "open /dev/null", source })?;
    nix::unistd::dup2_stdin(nothing).map_err(|error| Error::System { action: "read nothing", source: error.into() })?;
    sys::assert_single_thread().map_err(|source| Error::System { action: "count its threads", source })?;
    sys::reset_signals();
    nix::sys::prctl::set_child_subreaper(true)
        .map_err(|error| Error::System { action: "adopt orphans", source: error.into() })?;
    let isolation = isolation::detect(&args.cgroup_parent);
    let boot_id =
        crate::machine::boot_id().map_err(|source| Error::System { action: "read the machine's boot id", source })?;
    let (records, found) = records::Records::open("containers.journal".into(), boot_id).map_err(directory)?;
    let mut server = server::Server::start(isolation, records, found, args.linger_ms)?;
    let outcome = server.serve();
    server.close();
    outcome
}

/// What a killed launcher was about to start has its lock until it executes its program, or ends: whoever has the lock knows that what is not
/// on record by then never will be.
fn locked(mut file: std::fs::File) -> Option<Flock<std::fs::File>> {
    for _ in 0..LOCK_ATTEMPTS {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Some(lock),
            Err((unlocked, _)) => file = unlocked,
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    None
}

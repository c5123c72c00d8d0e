//! What a container sees of the machine, when that is less than everything.
//!
//! A process of the container, the *holder*, makes its namespaces and mounts, tells when they are ready, and stays: it is the first process
//! of the pid namespace, where it reaps what others leave, and what a program joins, be it the container's first or that of a part. It is a
//! copy of the launcher without its descriptors. Programs are the launcher's own children all the same, and no namespace's first process:
//! signals mean to them what they mean everywhere, and how they end is told by the kernel itself.
//!
//! Nothing is mounted where the machine sees it: all of it goes when the last process of the container does. Until the container is about
//! to be put on record the holder ends with the launcher.

mod files;
mod secrets;
mod user;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};

use super::isolation::Door;
use super::protocol::{LaunchSpec, Process, SANDBOX, Surroundings};
use super::{process, sys};

pub(super) use self::user::User;

/// How long mounting may take: the launcher waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the holder says when everything is ready; anything else is why it is not.
const READY: u8 = 0;
/// How many bytes of a reason are read.
const MAX_REASON_BYTES: u64 = 4 << 10;

/// Why a container's surroundings were not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SurroundingsError {
    #[error("the launcher cannot {action}")]
    System {
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot enter the network namespace {path}")]
    Network {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the files that the container is to see cannot be arranged: {0}")]
    Files(String),
    #[error(
        "this machine's tasks are found by their sessions only: it needs root and cgroups to make surroundings of their own"
    )]
    NoCgroups,
    #[error("a part without a root of its own has the mounts, the namespaces and the network of the whole")]
    OfPart,
    #[error("what the container is a part of has lost the process that holds its namespaces")]
    HolderGone,
}

impl SurroundingsError {
    pub(super) fn system(action: &'static str) -> impl FnOnce(io::Error) -> SurroundingsError {
        move |source| SurroundingsError::System { action, source }
    }
}

/// The process that holds a container's namespaces, as the records tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) process: Process,
    /// Whether the container has a root of its own.
    pub(crate) rooted: bool,
}

/// Whether there have to be namespaces for them.
pub(super) fn need_holder(surroundings: &Surroundings) -> bool {
    let Surroundings { root, mounts, namespaces, network, privileges: _, working_directory: _, user: _ } = surroundings;
    let of_namespaces = namespaces.pid || namespaces.ipc.is_some() || namespaces.hostname.is_some();
    root.is_some() || !mounts.is_empty() || of_namespaces || network.is_some()
}

/// Whether it has a root of its own.
pub(super) fn is_rooted(spec: &LaunchSpec) -> bool {
    spec.surroundings.as_deref().is_some_and(|surroundings| surroundings.root.is_some())
}

/// A holder that a program joins.
#[derive(Debug)]
pub(crate) struct Joint {
    pub(crate) holder: Holder,
    pidfd: OwnedFd,
    /// To a holder that nobody has joined yet: it ends when this is closed without a word.
    control: Option<UnixStream>,
}

impl Joint {
    /// To what holds the namespaces of a container that runs.
    pub(super) fn with(holder: Holder) -> Result<Joint, SurroundingsError> {
        let pidfd = sys::pidfd_open(holder.process.pid).map_err(|_| SurroundingsError::HolderGone)?;
        if !process::exists(holder.process) {
            return Err(SurroundingsError::HolderGone);
        }
        Ok(Joint { holder, pidfd, control: None })
    }

    /// Makes what a new container is to see, which has a terminal if there is a `console`; `doors` lead to its cgroups. What is its user's
    /// alone becomes `owner`'s.
    pub(super) fn make(
        surroundings: &Surroundings,
        sandbox: &Path,
        console: Option<&Path>,
        doors: &[Door],
        owner: Option<(Uid, Gid)>,
    ) -> Result<Joint, SurroundingsError> {
        let network = match &surroundings.network {
            None => None,
            Some(path) => {
                let wrong = |source| SurroundingsError::Network { path: path.clone(), source };
                Some(File::open(path).map_err(wrong)?)
            }
        };
        let (mut control, theirs) = UnixStream::pair().map_err(SurroundingsError::system("make a pair of sockets"))?;
        let pid = within_pid_namespace(surroundings.namespaces.pid.then_some(Pids::New), || {
            let arrange = |last: Door| arrange(surroundings, sandbox, console, &last, owner);
            sys::fork(|| hold(&theirs, doors, network.as_ref(), arrange))
        })?
        .map_err(SurroundingsError::system("make a process that holds namespaces"))?;
        drop(theirs);
        let outcome = outcome(&mut control).and_then(|()| {
            let pidfd = sys::pidfd_open(pid).map_err(SurroundingsError::system("hold on to a process"))?;
            let start_ticks = process::stat(pid).ok_or(SurroundingsError::HolderGone)?.start_ticks;
            let holder = Holder { process: Process { pid, start_ticks }, rooted: surroundings.root.is_some() };
            Ok((holder, pidfd))
        });
        match outcome {
            Ok((holder, pidfd)) => Ok(Joint { holder, pidfd, control: Some(control) }),
            Err(error) => {
                // Reaped like any other child.
                let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
                Err(error)
            }
        }
    }

    /// Calls `spawn`, whose child is in the container's pid namespace.
    pub(super) fn spawning<T>(&self, spawn: impl FnOnce() -> T) -> Result<T, SurroundingsError> {
        within_pid_namespace(Some(Pids::Of(&self.pidfd)), spawn)
    }

    /// In the child, which is not on record yet: enters what the holder has made.
    pub(super) fn enter(&self) -> io::Result<()> {
        let all = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWCGROUP;
        setns(self.pidfd.as_fd(), all)?;
        self.stay()
    }

    /// From now on the holder stays, whatever becomes of the launcher.
    pub(super) fn stay(&self) -> io::Result<()> {
        let Some(mut control) = self.control.as_ref() else { return Ok(()) };
        control.write_all(&[READY])?;
        control.read_exact(&mut [READY])
    }
}

/// Where a child begins that has not been told: in a root of its own the sandbox is not where the machine has it.
pub(super) fn sandbox_of(joint: Option<&Joint>, directory: &Path) -> PathBuf {
    match joint.is_some_and(|joint| joint.holder.rooted) {
        true => PathBuf::from(SANDBOX),
        false => directory.to_owned(),
    }
}

/// Which process ids the launcher's next child has.
enum Pids<'a> {
    /// Its own: it has the first one.
    New,
    /// Those of this process.
    Of(&'a OwnedFd),
}

/// Calls `spawn`, whose child has these process ids. The launcher itself keeps its own.
fn within_pid_namespace<T>(pids: Option<Pids<'_>>, spawn: impl FnOnce() -> T) -> Result<T, SurroundingsError> {
    let Some(pids) = pids else { return Ok(spawn()) };
    let own = File::open("/proc/self/ns/pid").map_err(SurroundingsError::system("find its pid namespace"))?;
    match pids {
        Pids::New => unshare(CloneFlags::CLONE_NEWPID),
        Pids::Of(pidfd) => setns(pidfd, CloneFlags::CLONE_NEWPID),
    }
    .map_err(|error| SurroundingsError::system("choose a pid namespace")(error.into()))?;
    let spawned = spawn();
    if let Err(error) = setns(own, CloneFlags::CLONE_NEWPID) {
        // All that comes next would be in there.
        tracing::error!(%error, "cannot come back from a pid namespace; the next launcher goes on");
        std::process::abort();
    }
    Ok(spawned)
}

/// What the holder says.
fn outcome(control: &mut UnixStream) -> Result<(), SurroundingsError> {
    let mut listen = || -> io::Result<Vec<u8>> {
        control.set_read_timeout(Some(PATIENCE))?;
        let mut first = [READY];
        control.read_exact(&mut first)?;
        let mut said = first.to_vec();
        if first != [READY] {
            control.take(MAX_REASON_BYTES).read_to_end(&mut said)?;
        }
        Ok(said)
    };
    match listen().map_err(SurroundingsError::system("learn whether the container's files are ready"))? {
        ready if ready == [READY] => Ok(()),
        reason => Err(SurroundingsError::Files(String::from_utf8_lossy(&reason).into_owned())),
    }
}

/// The whole life of the holder. The last of the doors is left for when most of the work is done: behind it is the container's part of the
/// processor, which may be a small one.
fn hold(
    control: &UnixStream,
    doors: &[Door],
    network: Option<&File>,
    arrange: impl FnOnce(Door) -> Result<(), String>,
) -> io::Result<()> {
    // Whatever is sent to all of the container's processes is not for this one, except SIGKILL.
    SigSet::all().thread_set_mask()?;
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    nix::unistd::setsid()?;
    let (last, first) = doors.split_last().ok_or(io::ErrorKind::InvalidInput)?;
    let entered = enter(first, network);
    // Nothing of the launcher's stays open: neither its lock nor its socket.
    let [control, file] = sys::keep_only([control.as_fd(), last.file.as_fd()])?;
    let last = Door { file: file.into(), path: last.path.clone() };
    let mut control = UnixStream::from(control);
    match entered.and_then(|()| arrange(last)) {
        Ok(()) => control.write_all(&[READY])?,
        Err(reason) => return control.write_all(reason.as_bytes()),
    }
    // Whoever could look into this process would see what the launcher knew.
    nix::sys::prctl::set_dumpable(false)?;
    nix::sys::prctl::set_name(c"attica-holder")?;
    control.read_exact(&mut [READY])?;
    nix::sys::prctl::set_pdeathsig(None)?;
    control.write_all(&[READY])?;
    drop(control);
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    loop {
        while nix::sys::wait::waitpid(None, None).is_ok() {}
        children.wait()?;
    }
}

/// In the holder: what it is let into.
fn enter(doors: &[Door], network: Option<&File>) -> Result<(), String> {
    doors.iter().try_for_each(Door::enter).map_err(|error| error.to_string())?;
    let entered = network.map_or(Ok(()), |network| setns(network, CloneFlags::CLONE_NEWNET));
    entered.map_err(|error| format!("cannot enter the network namespace: {error}"))
}

/// In the holder: what it makes.
fn arrange(
    surroundings: &Surroundings,
    sandbox: &Path,
    console: Option<&Path>,
    last: &Door,
    owner: Option<(Uid, Gid)>,
) -> Result<(), String> {
    let failed = |what: &'static str| move |error: nix::Error| format!("cannot {what}: {error}");
    let mut own = CloneFlags::CLONE_NEWNS;
    if surroundings.namespaces.ipc.is_some() {
        own |= CloneFlags::CLONE_NEWIPC;
    }
    if surroundings.namespaces.hostname.is_some() {
        own |= CloneFlags::CLONE_NEWUTS;
    }
    unshare(own).map_err(failed("make namespaces"))?;
    if let Some(hostname) = &surroundings.namespaces.hostname {
        nix::unistd::sethostname(hostname).map_err(failed("set the host name"))?;
    }
    let confined = || {
        last.enter()?;
        let cgroups = files::Cgroups::of_this_process();
        unshare(CloneFlags::CLONE_NEWCGROUP)?;
        Ok(cgroups)
    };
    files::arrange(surroundings, sandbox, console, confined, owner).map_err(|error| crate::error_chain(&error))
}

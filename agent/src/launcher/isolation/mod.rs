//! How the processes of a container are limited, found again and ended: one trait, three ways.
//!
//! `cgroups-rs` finds the hierarchies and sets the controllers. Making, killing and removing cgroups is done by hand:
//! its `kill` knows v2 only, and a cgroup here must cost microseconds.

mod block_io;
mod device_program;
mod optional;
mod place;
mod posix;
mod processors;
mod settings;
mod v1;
mod v2;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use attica_core_api::v1::BlkioStatistics;

pub(crate) use self::place::Place;
use super::controls::{Controller, Controls};
use super::protocol::{IsolationKind, Limits, MemoryVerdict};

/// One container as an isolation sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// Where its cgroups are.
    pub(crate) place: &'a Place,
    /// Its first process, which leads its session; `None` when it never ran.
    pub(crate) leader: Option<i32>,
}

/// What confines a new process before it executes its program.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// The cgroups to enter.
    pub(crate) doors: Vec<Door>,
    /// Resource limits to set: resource, value (soft and hard).
    pub(crate) limits: Vec<(nix::sys::resource::Resource, u64)>,
}

/// A file that takes a process into a cgroup when it writes `0`, itself, to it.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

impl Door {
    /// Takes this process in: it moves itself, see the isolation for why that is quick.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let entered = (&self.file).write_all(b"0");
        entered
            .map_err(|error| io::Error::other(format!("cannot enter the cgroup by {}: {error}", self.path.display())))
    }
}

/// What a container has used so far; `None` where this isolation cannot tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Cpu time in user mode, in microseconds.
    pub(crate) cpu_user_us: Option<u64>,
    /// Cpu time in kernel mode, in microseconds.
    pub(crate) cpu_system_us: Option<u64>,
    /// What its quota of cpu time did; without a quota nothing.
    pub(crate) throttling: Option<Throttling>,
    pub(crate) memory: Memory,
    /// Processes and threads.
    pub(crate) pids: Option<u64>,
}

/// How a quota of cpu time held a container back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Throttling {
    /// In which it wanted to run.
    pub(crate) periods: u64,
    /// Those of them in which it had to wait.
    pub(crate) throttled: u64,
    /// How long it waited, in microseconds.
    pub(crate) throttled_us: u64,
}

/// Memory in use, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// All that counts towards the limit.
    pub(crate) total: Option<u64>,
    /// Of programs; of files only that which a program could not be without.
    pub(crate) anonymous: Option<u64>,
    /// Pages of files, those in memory alone among them.
    pub(crate) cache: Option<u64>,
    /// The part of those that programs have mapped.
    pub(crate) mapped: Option<u64>,
    /// What was moved out of memory.
    pub(crate) swap: Option<u64>,
    /// What cannot be moved out.
    pub(crate) unevictable: Option<u64>,
    pub(crate) kernel: Option<u64>,
    /// Of TCP's buffers.
    pub(crate) sockets: Option<u64>,
}

impl Usage {
    /// What both use together, as far as it is known.
    pub(crate) fn and(self, other: Usage) -> Usage {
        let throttling = self.throttling.into_iter().chain(other.throttling).reduce(|one, other| Throttling {
            periods: one.periods.saturating_add(other.periods),
            throttled: one.throttled.saturating_add(other.throttled),
            throttled_us: one.throttled_us.saturating_add(other.throttled_us),
        });
        Usage {
            cpu_user_us: sum(self.cpu_user_us, other.cpu_user_us),
            cpu_system_us: sum(self.cpu_system_us, other.cpu_system_us),
            throttling,
            memory: self.memory.and(other.memory),
            pids: sum(self.pids, other.pids),
        }
    }
}

impl Memory {
    fn and(self, other: Memory) -> Memory {
        Memory {
            total: sum(self.total, other.total),
            anonymous: sum(self.anonymous, other.anonymous),
            cache: sum(self.cache, other.cache),
            mapped: sum(self.mapped, other.mapped),
            swap: sum(self.swap, other.swap),
            unevictable: sum(self.unevictable, other.unevictable),
            kernel: sum(self.kernel, other.kernel),
            sockets: sum(self.sockets, other.sockets),
        }
    }
}

/// Of what is known; nothing where neither is.
pub(crate) fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).reduce(u64::saturating_add)
}

/// Whether a container's cgroups are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// They are.
    Removed,
    /// Processes are left in them.
    Occupied,
}

/// A step of isolating a container that did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IsolationError {
    #[error("cannot {action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("this machine's cgroups do not control {}", .0.as_str())]
    Lacking(Controller),
    #[error("this machine has no huge pages of the size {0}")]
    NoSuchPages(String),
    #[error("cannot set the container's {what} limit")]
    Controller {
        what: &'static str,
        #[source]
        source: cgroups_rs::error::Error,
    },
}

impl IsolationError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IsolationError {
        move |source| IsolationError::File { action, path: path.to_owned(), source }
    }

    fn controller(what: &'static str) -> impl FnOnce(cgroups_rs::error::Error) -> IsolationError {
        move |source| IsolationError::Controller { what, source }
    }
}

/// One way to isolate containers.
pub(crate) trait Isolation: Send + Sync {
    /// Which way it is.
    fn kind(&self) -> IsolationKind;

    /// Makes room for a container with these limits, or with nothing but those that it is beneath.
    fn create(&self, place: &Place, limits: Option<&Limits>, controls: Option<&Controls>)
    -> Result<(), IsolationError>;

    /// Gives a container other limits, and changes what else is controlled of it already. The limit of its memory is only raised, as in
    /// Mesos: below what is in use it would kill.
    fn resize(&self, place: &Place, limits: &Limits, controls: Option<&Controls>) -> Result<(), IsolationError>;

    /// How a process gets in.
    fn entry(&self, place: &Place, limits: Option<&Limits>) -> Result<Entry, IsolationError>;

    /// From now on, until [`Isolation::end_round`], one look at the machine's processes may do for all containers that are asked about.
    fn begin_round(&self) {}

    /// Whoever asks looks again.
    fn end_round(&self) {}

    /// Every process of the container and its parts, except those that cannot be told from others (see the implementations).
    fn processes(&self, subject: Subject<'_>) -> Vec<i32>;

    /// One round of SIGKILL over the whole container, with nothing able to fork away meanwhile where the kernel allows.
    fn kill(&self, subject: Subject<'_>);

    /// Removes what [`Isolation::create`] made if no process is left.
    fn remove(&self, subject: Subject<'_>) -> Result<Removal, IsolationError>;

    /// Whether the memory limit struck. To be asked before [`Isolation::remove`].
    fn memory_verdict(&self, place: &Place) -> MemoryVerdict;

    /// What the container uses.
    fn usage(&self, subject: Subject<'_>) -> Usage;

    /// What it did with devices of blocks; nothing where that is not counted.
    fn block_io(&self, _place: &Place) -> Option<BlkioStatistics> {
        None
    }

    /// How many processes are in it, for whoever looks at all containers.
    fn process_count(&self, subject: Subject<'_>) -> usize {
        self.processes(subject).len()
    }

    /// Every container that has something here, whoever made it; those that others are parts of come before these.
    fn containers(&self) -> Vec<Place>;

    /// Removes what was made for all containers together, if none is left.
    fn close(&self);
}

/// Finds how this machine isolates: cgroups when they can be made, else resource limits and sessions.
///
/// `parent` is the relative path of the cgroup that holds those of the containers, `root/instance`.
pub(crate) fn detect(parent: &Path) -> Box<dyn Isolation> {
    if !nix::unistd::geteuid().is_root() {
        return Box::<posix::Posix>::default();
    }
    let found: Result<Option<Box<dyn Isolation>>, IsolationError> =
        if cgroups_rs::hierarchies::is_cgroup2_unified_mode() {
            v2::CgroupsV2::prepare(Path::new(cgroups_rs::hierarchies::UNIFIED_MOUNTPOINT), parent)
                .map(|found| found.map(|cgroups| Box::new(cgroups) as _))
        } else {
            v1::CgroupsV1::prepare(parent).map(|found| found.map(|cgroups| Box::new(cgroups) as _))
        };
    match found {
        Ok(Some(isolation)) => isolation,
        Ok(None) => {
            tracing::warn!("cpu, memory and pids cgroups are not all there: tasks get resource limits only");
            Box::<posix::Posix>::default()
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cgroups cannot be made: tasks get resource limits only"
            );
            Box::<posix::Posix>::default()
        }
    }
}

/// What this machine's cgroups can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub(crate) kind: IsolationKind,
    /// Beyond cpu time, memory and processes.
    pub(crate) controllers: BTreeSet<Controller>,
}

/// Looks what [`detect`] will find, and makes nothing.
pub(crate) fn abilities() -> Abilities {
    let root = nix::unistd::geteuid().is_root();
    let found = match cgroups_rs::hierarchies::is_cgroup2_unified_mode() {
        _ if !root => None,
        true => v2::controllers(Path::new(cgroups_rs::hierarchies::UNIFIED_MOUNTPOINT))
            .map(|controllers| (IsolationKind::CgroupsV2, controllers)),
        false => v1::controllers().map(|controllers| (IsolationKind::CgroupsV1, controllers)),
    };
    let (kind, controllers) = found.unwrap_or((IsolationKind::Posix, BTreeSet::new()));
    Abilities { kind, controllers }
}

/// In which a quota of cpu time is measured, as in Mesos.
const PERIOD_US: u64 = 100_000;

/// Makes a directory that may be there already.
fn make_directory(path: &Path) -> Result<(), IsolationError> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(IsolationError::file("make", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes a cgroup and those that its processes have made beneath it; a missing one counts as removed.
fn remove_cgroup(path: &Path) -> Result<Removal, IsolationError> {
    match remove_one(path)? {
        Removal::Occupied if inner_cgroups(path).is_empty() => return Ok(Removal::Occupied),
        Removal::Occupied => {}
        Removal::Removed => return Ok(Removal::Removed),
    }
    for cgroup in cgroup_tree(path).iter().rev() {
        if remove_one(cgroup)? == Removal::Occupied {
            return Ok(Removal::Occupied);
        }
    }
    Ok(Removal::Removed)
}

fn remove_one(path: &Path) -> Result<Removal, IsolationError> {
    match std::fs::remove_dir(path) {
        Ok(()) => Ok(Removal::Removed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Removal::Removed),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(Removal::Occupied),
        Err(error) => Err(IsolationError::file("remove", path)(error)),
    }
}

/// The cgroup and all beneath it, which a task that runs as root can make; outer ones first.
fn cgroup_tree(path: &Path) -> Vec<PathBuf> {
    let mut tree = vec![path.to_owned()];
    let mut looked_into = 0;
    while let Some(cgroup) = tree.get(looked_into) {
        let inner = inner_cgroups(cgroup);
        tree.extend(inner);
        looked_into += 1;
    }
    tree
}

fn inner_cgroups(path: &Path) -> Vec<PathBuf> {
    // A directory without directories has two links, its name and its `.`: that costs less to ask than its many files.
    if std::fs::metadata(path).map_or(true, |metadata| metadata.nlink() == 2) {
        return Vec::new();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// The processes of a cgroup and of those beneath it.
fn pids_in(cgroup: &Path) -> Vec<i32> {
    let procs = |cgroup: PathBuf| std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let pids = |text: String| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>();
    cgroup_tree(cgroup).into_iter().map(procs).flat_map(pids).collect()
}

fn read_number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind `key` in a file of `key value` lines.
fn read_key(path: &Path, key: &str) -> Option<u64> {
    value_of(&std::fs::read_to_string(path).ok()?, key)
}

fn value_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The throttling that `cpu.stat` tells of; the time is under another name, and in another unit, in each version of cgroups.
fn throttling(text: &str, throttled_us: Option<u64>) -> Option<Throttling> {
    let (periods, throttled) = (value_of(text, "nr_periods")?, value_of(text, "nr_throttled")?);
    Some(Throttling { periods, throttled, throttled_us: throttled_us? })
}

/// The containers whose cgroups are in the directory of all, and their parts.
fn containers_in(directory: &Path) -> Vec<Place> {
    let names = |path: &Path| {
        let names = inner_cgroups(path).into_iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        names.collect::<Vec<_>>()
    };
    let mut found: Vec<Place> = names(directory).iter().filter_map(|name| Place::parse(name)).collect();
    let mut looked_into = 0;
    while let Some(place) = found.get(looked_into) {
        let beneath = names(&directory.join(place.as_str()));
        let parts: Vec<Place> =
            beneath.iter().filter_map(|name| Place::parse(&format!("{}/{name}", place.as_str()))).collect();
        found.extend(parts);
        looked_into += 1;
    }
    found
}

fn send_signal(pids: &[i32], signal: nix::sys::signal::Signal) {
    for pid in pids {
        // A process that ended meanwhile is no error: that is what was wanted.
        let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), signal);
    }
}

/// Sends SIGTERM to every process of the container.
pub(crate) fn terminate(isolation: &dyn Isolation, subject: Subject<'_>) {
    send_signal(&isolation.processes(subject), nix::sys::signal::Signal::SIGTERM);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_whole_words_only() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(value_of(text, "oom_kill"), Some(3));
        assert_eq!(value_of(text, "oom"), None);
        assert_eq!(value_of("oom_kill many\n", "oom_kill"), None);
    }
}

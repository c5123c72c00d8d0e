//! Starting one task: room for it, the new process, what that does to itself, the exec.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use attica_core_api::v1::{RLimit, RLimitType};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::unistd::{Gid, Uid, User};

use super::isolation::{Door, Entry, Isolation, IsolationError, Place};
use super::protocol::{ContainerId, LaunchSpec, Process, Streams};
use super::records::Records;
use super::{process, sys};

/// How long what the system tells of a user is taken for true.
const IDENTITY_AGE: Duration = Duration::from_secs(1);

/// Why a task was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("the command has no program")]
    NoProgram,
    #[error("the container {0} does not run, so nothing can become a part of it")]
    NoParent(ContainerId),
    #[error("a container that is no part of another needs limits")]
    NoLimits,
    #[error("this launcher does not make `{0}`")]
    Unsupported(&'static str),
    #[error("there is no user `{0}` on this machine")]
    UnknownUser(String),
    #[error("cannot look up the user `{user}`")]
    UserLookup { user: String, source: nix::Error },
    #[error("the task cannot be isolated")]
    Isolation(#[from] IsolationError),
    #[error("cannot open {path}")]
    Output { path: PathBuf, source: io::Error },
    #[error("the command cannot be told to the system")]
    Words(#[source] io::Error),
    #[error("cannot execute the program")]
    Execute(#[source] io::Error),
    #[error("the new process did not get as far as its record")]
    Vanished,
}

/// Whom a child becomes.
#[derive(Clone, Debug)]
struct Identity {
    user: Uid,
    group: Gid,
    supplementary: Vec<Gid>,
}

/// Users, as the system told of them a moment ago: it reads files, or asks the network, for each answer.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    told: BTreeMap<String, (Instant, Identity)>,
}

impl Identities {
    fn of(&mut self, user: &str) -> Result<Identity, LaunchError> {
        self.told.retain(|_, (told, _)| told.elapsed() < IDENTITY_AGE);
        if let Some((_, identity)) = self.told.get(user) {
            return Ok(identity.clone());
        }
        let identity = identity_of(user)?;
        self.told.insert(user.to_owned(), (Instant::now(), identity.clone()));
        Ok(identity)
    }
}

/// What cannot be had is not left out.
fn refuse(spec: &LaunchSpec) -> Result<(), LaunchError> {
    if spec.limits.is_none() && spec.parent.is_none() {
        return Err(LaunchError::NoLimits);
    }
    if spec.surroundings.is_some() {
        return Err(LaunchError::Unsupported("surroundings"));
    }
    match spec.streams {
        Streams::Sandbox => Ok(()),
        Streams::Terminal(_) => Err(LaunchError::Unsupported("streams.terminal")),
        Streams::Files { .. } => Err(LaunchError::Unsupported("streams.files")),
    }
}

/// What a task needs before there can be a process of it.
#[derive(Debug)]
pub(crate) struct Room {
    identity: Option<Identity>,
    entry: Entry,
    output: Output,
}

/// Makes room for `spec`. After an error its cgroups may be left.
pub(crate) fn make_room(
    isolation: &dyn Isolation,
    identities: &mut Identities,
    spec: &LaunchSpec,
    place: &Place,
) -> Result<Room, LaunchError> {
    refuse(spec)?;
    let identity = spec.user.as_deref().map(|user| identities.of(user)).transpose()?;
    isolation.create(place, spec.limits.as_ref())?;
    let output = Output::open(&spec.directory, identity.as_ref())?;
    let entry = isolation.entry(place, spec.limits.as_ref())?;
    Ok(Room { identity, entry, output })
}

/// Starts `spec` in its room: when this returns, its program runs, its first process is on record. After an error its cgroups and its
/// record may be left.
pub(crate) fn start(
    records: &mut Records,
    spawner: &mut sys::Spawner,
    spec: &LaunchSpec,
    place: &Place,
    room: &Room,
) -> Result<Process, LaunchError> {
    let mut programs = programs(spec)?;
    let earliest = process::clock_ticks();
    let mut begun = None;
    let mut child = || {
        let mut prepare = || {
            begun = Some(record(records, spec, place, earliest)?);
            confine(&room.entry, &room.output)?;
            sys::detach()?;
            spec.rlimits.iter().try_for_each(limit)?;
            room.identity.as_ref().map_or(Ok(()), become_user)?;
            std::env::set_current_dir(&spec.directory)
        };
        let execute = |()| programs.iter_mut().map(sys::Program::execute).last();
        prepare().map_or_else(Some, execute).unwrap_or_else(|| io::ErrorKind::InvalidInput.into())
    };
    spawner.spawn(&mut child).map_err(LaunchError::Execute)?;
    begun.ok_or(LaunchError::Vanished)
}

/// What is to be executed: the first that can be.
fn programs(spec: &LaunchSpec) -> Result<Vec<sys::Program>, LaunchError> {
    let mut programs = Vec::new();
    if let Some(words) = &spec.shortcut {
        let program = words.first().ok_or(LaunchError::NoProgram)?;
        let mut environment = spec.environment.clone();
        if environment.iter().all(|(name, _)| name != "PWD") {
            // As the shell would.
            environment.push(("PWD".to_owned(), spec.directory.to_string_lossy().into_owned()));
        }
        programs.push(sys::Program::new(program, words, &environment).map_err(LaunchError::Words)?);
    }
    if spec.argv.is_empty() {
        return Err(LaunchError::NoProgram);
    }
    programs.push(sys::Program::new(&spec.program, &spec.argv, &spec.environment).map_err(LaunchError::Words)?);
    Ok(programs)
}

/// Where the task's output goes.
#[derive(Debug)]
struct Output {
    out: File,
    err: File,
}

impl Output {
    fn open(directory: &Path, identity: Option<&Identity>) -> Result<Output, LaunchError> {
        Ok(Output {
            out: open_output(directory, "stdout", identity)?,
            err: open_output(directory, "stderr", identity)?,
        })
    }
}

/// In the child: puts itself on record.
fn record(records: &mut Records, spec: &LaunchSpec, place: &Place, earliest: u64) -> io::Result<Process> {
    let pid = nix::unistd::getpid().as_raw();
    // Reading in /proc costs more than all else here.
    let start_ticks = match process::clock_ticks() {
        latest if latest == earliest => latest,
        _between => process::stat(pid).ok_or(io::ErrorKind::NotFound)?.start_ticks,
    };
    let process = Process { pid, start_ticks };
    records.begin(&spec.container, place, process)?;
    Ok(process)
}

/// In the child: its output, its cgroups, its limits. Its input is the launcher's. From here on it has the task's part of the processor.
fn confine(entry: &Entry, output: &Output) -> io::Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    nix::unistd::dup2_stdout(&output.out)?;
    nix::unistd::dup2_stderr(&output.err)?;
    entry.doors.iter().try_for_each(enter)?;
    for (resource, value) in &entry.limits {
        setrlimit(*resource, *value, *value)?;
    }
    Ok(())
}

/// In the child.
fn limit(limit: &RLimit) -> io::Result<()> {
    let resource = match limit.r#type.unwrap_or_default() {
        RLimitType::Unknown => return Err(io::ErrorKind::InvalidInput.into()),
        RLimitType::As => Resource::RLIMIT_AS,
        RLimitType::Core => Resource::RLIMIT_CORE,
        RLimitType::Cpu => Resource::RLIMIT_CPU,
        RLimitType::Data => Resource::RLIMIT_DATA,
        RLimitType::Fsize => Resource::RLIMIT_FSIZE,
        RLimitType::Locks => Resource::RLIMIT_LOCKS,
        RLimitType::Memlock => Resource::RLIMIT_MEMLOCK,
        RLimitType::Msgqueue => Resource::RLIMIT_MSGQUEUE,
        RLimitType::Nice => Resource::RLIMIT_NICE,
        RLimitType::Nofile => Resource::RLIMIT_NOFILE,
        RLimitType::Nproc => Resource::RLIMIT_NPROC,
        RLimitType::Rss => Resource::RLIMIT_RSS,
        RLimitType::Rtprio => Resource::RLIMIT_RTPRIO,
        RLimitType::Rttime => Resource::RLIMIT_RTTIME,
        RLimitType::Sigpending => Resource::RLIMIT_SIGPENDING,
        RLimitType::Stack => Resource::RLIMIT_STACK,
    };
    let (soft, hard) = (limit.soft.unwrap_or(RLIM_INFINITY), limit.hard.unwrap_or(RLIM_INFINITY));
    let failed =
        |error: nix::Error| io::Error::other(format!("cannot set {resource:?} to {soft}, at most {hard}: {error}"));
    setrlimit(resource, soft, hard).map_err(failed)
}

/// In the child, which moves itself: see the isolation for why that is quick.
fn enter(Door { file, path }: &Door) -> io::Result<()> {
    let entered = (&*file).write_all(b"0");
    entered.map_err(|error| io::Error::other(format!("cannot enter the cgroup by {}: {error}", path.display())))
}

/// The sandbox may belong to the task's user. A link that is planted there is not followed, a pipe not waited for, and a second name
/// of somebody else's file not given away.
fn open_output(directory: &Path, name: &str, identity: Option<&Identity>) -> Result<File, LaunchError> {
    let path = directory.join(name);
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let open = || OpenOptions::new().create(true).append(true).mode(0o644).custom_flags(flags).open(&path);
    let check = |file: File| {
        let metadata = file.metadata()?;
        let plain = metadata.is_file() && metadata.nlink() == 1;
        plain.then_some(file).ok_or_else(|| io::Error::other("it is not a file of this sandbox alone"))
    };
    // The task's own, so that it can also open them by way of /dev/stdout.
    let give = |file: File| {
        if let Some(Identity { user, group, .. }) = identity.filter(|identity| !identity.user.is_root()) {
            nix::unistd::fchown(&file, Some(*user), Some(*group))?;
        }
        Ok(file)
    };
    open().and_then(check).and_then(give).map_err(|source| LaunchError::Output { path, source })
}

/// In the child, last: no way back to the launcher's privileges.
fn become_user(identity: &Identity) -> io::Result<()> {
    nix::unistd::setgroups(&identity.supplementary)?;
    nix::unistd::setgid(identity.group)?;
    nix::unistd::setuid(identity.user)?;
    Ok(())
}

fn identity_of(user: &str) -> Result<Identity, LaunchError> {
    let lookup = |source| LaunchError::UserLookup { user: user.to_owned(), source };
    let found = User::from_name(user).map_err(lookup)?.ok_or_else(|| LaunchError::UnknownUser(user.to_owned()))?;
    let name = CString::new(user).map_err(|_| LaunchError::UnknownUser(user.to_owned()))?;
    let supplementary = nix::unistd::getgrouplist(&name, found.gid).map_err(lookup)?;
    Ok(Identity { user: found.uid, group: found.gid, supplementary })
}

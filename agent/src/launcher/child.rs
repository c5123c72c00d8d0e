//! Starting one task: room for it, the new process, what that does to itself, the exec.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use attica_core_api::secrets::ClearText;
use attica_core_api::v1::{RLimit, RLimitType};
use nix::fcntl::OFlag;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::unistd::{Gid, Uid};
use seccompiler::BpfProgram;

use super::hidden::HiddenError;
use super::isolation::{Door, Entry, Isolation, IsolationError, Place};
use super::protocol::{ContainerId, IsolationKind, LaunchSpec, Privileges, Process, SecretVariable};
use super::records::{Record, Records};
use super::streams::{Open, open_real};
use super::surroundings::{self, Holder, Joint, SurroundingsError, User};
use super::{privileges, process, sys};

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
    #[error("it cannot have surroundings of its own")]
    Surroundings(#[from] SurroundingsError),
    #[error("the filters of its system calls cannot be made: {0}")]
    Filters(String),
    #[error("cannot open its sandbox")]
    Sandbox(#[source] io::Error),
    #[error("the container cannot be put on record")]
    Record(#[source] io::Error),
    #[error("there is no user `{0}` on this machine")]
    UnknownUser(String),
    #[error("cannot look up the user `{user}`")]
    UserLookup { user: String, source: nix::Error },
    #[error("the task cannot be isolated")]
    Isolation(#[from] IsolationError),
    #[error("cannot open {path}")]
    Stream { path: PathBuf, source: io::Error },
    #[error("it cannot have a terminal")]
    Terminal(#[source] io::Error),
    #[error("the command cannot be told to the system")]
    Words(#[source] io::Error),
    #[error("cannot set {0}")]
    Limit(String, #[source] io::Error),
    #[error("the secret for the variable `{name}` cannot be had")]
    Secret { name: String, source: HiddenError },
    #[error("cannot begin in the directory {}", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    #[error("cannot execute the program")]
    Execute(#[source] io::Error),
    #[error("the new process did not get as far as its record")]
    Vanished,
}

/// Whom a child becomes.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) user: Uid,
    pub(crate) group: Gid,
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

    /// Leaves it to the container's own files who its user is, if this machine does not know.
    pub(super) fn or_of_root(&mut self, mut spec: LaunchSpec) -> LaunchSpec {
        let unknown = |user: &&String| matches!(self.of(user), Err(LaunchError::UnknownUser(_)));
        if let Some(user) = spec.user.as_ref().filter(unknown) {
            spec.surroundings.get_or_insert_default().user = Some(user.clone());
        }
        spec
    }
}

/// What cannot be had is not left out.
fn check(isolation: &dyn Isolation, spec: &LaunchSpec) -> Result<(), LaunchError> {
    if spec.limits.is_none() && spec.parent.is_none() {
        return Err(LaunchError::NoLimits);
    }
    if spec.surroundings.as_deref().is_none_or(|surroundings| !surroundings::need_holder(surroundings)) {
        return Ok(());
    }
    match isolation.kind() {
        // What has the machine's root, where the whole may have another, would see more than that.
        _ if spec.parent.is_some() && !surroundings::is_rooted(spec) => Err(SurroundingsError::OfPart.into()),
        IsolationKind::Posix => Err(SurroundingsError::NoCgroups.into()),
        IsolationKind::CgroupsV1 | IsolationKind::CgroupsV2 => Ok(()),
    }
}

/// What a task needs before there can be a process of it.
#[derive(Debug)]
pub(crate) struct Room {
    identity: Option<Identity>,
    entry: Entry,
    streams: Open,
    /// Of system calls.
    filters: Cow<'static, [BpfProgram]>,
    /// Where it is to be given to a user that only the container's own files tell of.
    sandbox: Option<File>,
}

/// What runs now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) holder: Option<Holder>,
}

/// Makes room for `spec`. After an error its cgroups may be left.
pub(crate) fn make_room(
    isolation: &dyn Isolation,
    identities: &mut Identities,
    spec: &LaunchSpec,
    place: &Place,
) -> Result<Room, LaunchError> {
    check(isolation, spec)?;
    let surroundings = spec.surroundings.as_deref();
    // Whom an image's user is, only its own files tell.
    let named = surroundings.and_then(|surroundings| surroundings.user.as_deref());
    let of_machine = spec.user.as_deref().filter(|_| named.is_none());
    let identity = of_machine.map(|user| identities.of(user)).transpose()?;
    isolation.create(place, spec.limits.as_ref(), spec.controls.as_deref())?;
    let streams = Open::of(spec, identity.as_ref())?;
    let is_root = || match (named, &identity) {
        (Some(user), _) => matches!(user.split(':').next(), Some("root" | "0")),
        (None, Some(identity)) => identity.user.is_root(),
        (None, None) => nix::unistd::geteuid().is_root(),
    };
    let filters = surroundings.map_or(Ok(Cow::Borrowed(&[][..])), |surroundings| {
        privileges::filters(&surroundings.privileges, is_root()).map_err(LaunchError::Filters)
    })?;
    let has_user = surroundings.is_some_and(|surroundings| surroundings.user.is_some());
    let sandbox =
        has_user.then(|| open_real(&spec.directory, OFlag::O_RDONLY)).transpose().map_err(LaunchError::Sandbox)?;
    let entry = isolation.entry(place, spec.limits.as_ref())?;
    Ok(Room { identity, entry, streams, filters, sandbox })
}

/// Starts `spec` in its room, among what `holder` holds where it is a part without a root of its own: when this returns, its program runs,
/// if it has one, and its first process is on record. After an error its cgroups and its record may be left.
pub(crate) fn start(
    records: &mut Records,
    spawner: &mut sys::Spawner,
    spec: &LaunchSpec,
    place: &Place,
    room: &Room,
    holder: Option<Holder>,
) -> Result<Started, LaunchError> {
    let surroundings = spec.surroundings.as_deref();
    let console = room.streams.keep(&spec.container)?;
    let joint = match (holder, surroundings) {
        (Some(holder), _) => Some(Joint::with(holder)?),
        (None, Some(surroundings)) if surroundings::need_holder(surroundings) => {
            let owner = room.identity.as_ref().map(|identity| (identity.user, identity.group));
            Some(Joint::make(surroundings, &spec.directory, console, &room.entry.doors, owner)?)
        }
        (None, Some(_) | None) => None,
    };
    let begins_in = surroundings.and_then(|surroundings| surroundings.working_directory.clone());
    let begins_in = begins_in.unwrap_or_else(|| surroundings::sandbox_of(joint.as_ref(), &spec.directory));
    let holder = joint.as_ref().map(|joint| joint.holder);
    if spec.argv.is_empty() {
        joint
            .as_ref()
            .map_or(Ok(()), Joint::stay)
            .map_err(SurroundingsError::system("let a process hold namespaces"))?;
        let process = Process::NONE;
        let record = Record { place: place.clone(), process, holder, ending: None };
        records.begin(&spec.container, record).map_err(LaunchError::Record)?;
        return Ok(Started { process, holder });
    }
    let mut programs = programs(spec, &begins_in)?;
    let named = CString::new(begins_in.as_os_str().as_bytes());
    let named = named.map_err(|error| LaunchError::Words(error.into()))?;
    let mut entry = records.entry(&spec.container).map_err(LaunchError::Record)?;
    let mut refused = None;
    let mut astray = false;
    let earliest = process::clock_ticks();
    let mut child = |pid| {
        let mut own = None;
        let mut prepare = || {
            let process = Process { pid, start_ticks: start_ticks(pid, earliest)? };
            entry.draft(Record { place: place.clone(), process, holder, ending: None })?;
            confine(&room.entry, &room.streams)?;
            joint.as_ref().map_or(Ok(()), Joint::enter)?;
            if spec.parent.is_none() && holder.is_some_and(|holder| holder.rooted) {
                room.streams.take_console()?;
            }
            let own_user = surroundings.and_then(|surroundings| surroundings.user.as_deref());
            own = own_user.map(|user| own_identity(user, spec.user.is_some(), room)).transpose()?;
            // An image may name a directory that none of its layers has.
            if holder.is_some_and(|holder| holder.rooted) {
                std::fs::create_dir_all(&begins_in).inspect_err(|_| astray = true)?;
            }
            sys::detach()
        };
        if let Err(error) = prepare() {
            return error;
        }
        // Whether or not the launcher lives. If not, a thread of it may have died within the allocator: nothing here asks for memory. And
        // the record is written before the limits, which may be on what this process can write.
        let mut change = || {
            entry.write()?;
            spec.rlimits.iter().try_for_each(|limit| set_limit(limit).inspect_err(|_| refused = Some(limit)))?;
            let identity = own.as_ref().or(room.identity.as_ref());
            match surroundings {
                None => identity.map_or(Ok(()), become_user)?,
                Some(surroundings) => become_less(&surroundings.privileges, &room.filters, identity)?,
            }
            Ok(nix::unistd::chdir(named.as_c_str()).inspect_err(|_| astray = true)?)
        };
        let execute = |()| programs.iter_mut().map(sys::Program::execute).last();
        let error = change().map_or_else(Some, execute).unwrap_or_else(|| io::ErrorKind::InvalidInput.into());
        entry.take_back();
        error
    };
    let spawned = match &joint {
        None => Ok(spawner.spawn(&mut child)),
        Some(joint) => joint.spawning(|| spawner.spawn(&mut child)),
    };
    let record = records.take(entry);
    spawned?.map_err(|error| match refused {
        None if astray => LaunchError::Directory(begins_in, error),
        None => LaunchError::Execute(error),
        Some(limit) => LaunchError::Limit(describe(limit), error),
    })?;
    let Record { process, holder, .. } = record.ok_or(LaunchError::Vanished)?;
    Ok(Started { process, holder })
}

/// What is to be executed: the first that can be.
fn programs(spec: &LaunchSpec, begins_in: &Path) -> Result<Vec<sys::Program>, LaunchError> {
    let mut programs = Vec::new();
    let secrets = spec.secrets.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    if let Some(words) = &spec.shortcut {
        let program = words.first().ok_or(LaunchError::NoProgram)?;
        let mut environment = spec.environment.clone();
        if environment.iter().all(|(name, _)| name != "PWD") {
            // As the shell would.
            environment.push(("PWD".to_owned(), begins_in.to_string_lossy().into_owned()));
        }
        programs.push(sys::Program::new(program, words, &environment, &secrets).map_err(LaunchError::Words)?);
    }
    let program = sys::Program::new(&spec.program, &spec.argv, &spec.environment, &secrets);
    programs.push(program.map_err(LaunchError::Words)?);
    Ok(programs)
}

fn open(variable: &SecretVariable) -> Result<(&str, ClearText), LaunchError> {
    let SecretVariable { name, value } = variable;
    let failed = |source| LaunchError::Secret { name: name.clone(), source };
    Ok((name, value.open().map_err(failed)?))
}

/// In the child: when it came to life.
fn start_ticks(pid: i32, earliest: u64) -> io::Result<u64> {
    // Reading in /proc costs more than all else here.
    match process::clock_ticks() {
        latest if latest == earliest => Ok(latest),
        _between => Ok(process::stat(pid).ok_or(io::ErrorKind::NotFound)?.start_ticks),
    }
}

/// In the child, in its own root: whom it becomes, and to whom its sandbox and its output belong. One that was `asked` for by another name
/// than root's is not root: who may run as whom is judged by names.
fn own_identity(user: &str, asked: bool, room: &Room) -> io::Result<Identity> {
    let User { uid, gid, supplementary } = User::find(user).map_err(io::Error::other)?;
    if asked && uid == 0 {
        return Err(io::Error::other(format!("the container's /etc/passwd makes `{user}` root")));
    }
    let supplementary = supplementary.into_iter().map(Gid::from_raw).collect();
    let identity = Identity { user: Uid::from_raw(uid), group: Gid::from_raw(gid), supplementary };
    let files = room.streams.own().into_iter().chain(room.sandbox.as_ref());
    files.into_iter().try_for_each(|file| nix::unistd::fchown(file, Some(identity.user), Some(identity.group)))?;
    Ok(identity)
}

/// In the child: its user, and less than that one may usually do.
fn become_less(privileges: &Privileges, filters: &[BpfProgram], identity: Option<&Identity>) -> io::Result<()> {
    let is_root = identity.map_or_else(|| nix::unistd::geteuid().is_root(), |identity| identity.user.is_root());
    privileges::limit(privileges, filters, is_root)?;
    identity.map_or(Ok(()), become_user)?;
    privileges::keep(privileges, is_root)
}

/// In the child: its output, its cgroups, its limits. Its input is the launcher's. From here on it has the task's part of the processor.
fn confine(entry: &Entry, streams: &Open) -> io::Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    streams.take()?;
    entry.doors.iter().try_for_each(Door::enter)?;
    for (resource, value) in &entry.limits {
        setrlimit(*resource, *value, *value)?;
    }
    Ok(())
}

/// In the child.
fn set_limit(limit: &RLimit) -> io::Result<()> {
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
    let (soft, hard) = bounds(limit);
    Ok(setrlimit(resource, soft, hard)?)
}

fn bounds(limit: &RLimit) -> (u64, u64) {
    (limit.soft.unwrap_or(RLIM_INFINITY), limit.hard.unwrap_or(RLIM_INFINITY))
}

fn describe(limit: &RLimit) -> String {
    let (soft, hard) = bounds(limit);
    format!("{} to {soft}, at most {hard}", limit.r#type.unwrap_or_default().name())
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
    let found =
        nix::unistd::User::from_name(user).map_err(lookup)?.ok_or_else(|| LaunchError::UnknownUser(user.to_owned()))?;
    let name = CString::new(user).map_err(|_| LaunchError::UnknownUser(user.to_owned()))?;
    let supplementary = nix::unistd::getgrouplist(&name, found.gid).map_err(lookup)?;
    Ok(Identity { user: found.uid, group: found.gid, supplementary })
}

//! Starting one task: room for it, the fork, what the child does to itself, the exec.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Uid, User};

use super::isolation::{Entry, Isolation, IsolationError};
use super::protocol::{LaunchSpec, Process};
use super::records::Records;
use super::{process, sys};

/// How long what the system tells of a user is taken for true.
const IDENTITY_AGE: Duration = Duration::from_secs(1);

/// Why a task was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("the command has no program")]
    NoProgram,
    #[error("there is no user `{0}` on this machine")]
    UnknownUser(String),
    #[error("cannot look up the user `{user}`")]
    UserLookup { user: String, source: nix::Error },
    #[error("the task cannot be isolated")]
    Isolation(#[from] IsolationError),
    #[error("cannot open {path}")]
    Output { path: PathBuf, source: io::Error },
    #[error("cannot make a process")]
    Fork(#[source] io::Error),
    #[error("cannot write the container's record")]
    Record(#[source] io::Error),
    #[error("the new process cannot be found in /proc")]
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

/// A task between fork and exec.
#[derive(Debug)]
pub(crate) struct Beginning {
    /// Its first process.
    pub(crate) process: Process,
    /// See [`sys::Forked::outcome`].
    pub(crate) outcome: File,
}

/// Begins to start `spec`: when this returns, the process is on record, and about to enter its cgroups and execute the program.
/// After an error its cgroups and its record may be left.
pub(crate) fn begin(
    isolation: &dyn Isolation,
    records: &mut Records,
    identities: &mut Identities,
    spec: &LaunchSpec,
) -> Result<Beginning, LaunchError> {
    let identity = spec.user.as_deref().map(|user| identities.of(user)).transpose()?;
    isolation.create(&spec.container, &spec.limits)?;
    let output = Output::open(&spec.directory, identity.as_ref())?;
    let mut commands = Vec::new();
    if let Some(words) = &spec.shortcut {
        let program = words.first().ok_or(LaunchError::NoProgram)?;
        let mut shortcut = command(program, words, spec)?;
        if spec.environment.iter().all(|(name, _)| name != "PWD") {
            // As the shell would.
            shortcut.env("PWD", &spec.directory);
        }
        commands.push(shortcut);
    }
    commands.push(command(&spec.program, &spec.argv, spec)?);
    let entry = isolation.entry(&spec.container, &spec.limits);
    let earliest = process::clock_ticks();
    let become_task = || become_task(&spec.directory, output, commands, &entry, identity.as_ref());
    let forked = sys::fork(become_task).map_err(LaunchError::Fork)?;
    admit(records, spec, forked, earliest)
}

/// Where the task's output goes.
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

fn command(program: &str, argv: &[String], spec: &LaunchSpec) -> Result<Command, LaunchError> {
    let (first, arguments) = argv.split_first().ok_or(LaunchError::NoProgram)?;
    let mut command = Command::new(program);
    let environment = spec.environment.iter().map(|(name, value)| (name, value));
    command.arg0(first).args(arguments).env_clear().envs(environment);
    Ok(command)
}

/// Puts the waiting child on record, then lets it go on.
fn admit(
    records: &mut Records,
    spec: &LaunchSpec,
    forked: sys::Forked,
    earliest: u64,
) -> Result<Beginning, LaunchError> {
    // Nobody but this process waits for the child, so it is in /proc, at least as a zombie. Reading there costs more than all else here.
    let start_ticks = match process::clock_ticks() {
        latest if latest == earliest => latest,
        _between => process::stat(forked.pid).ok_or(LaunchError::Vanished)?.start_ticks,
    };
    let process = Process { pid: forked.pid, start_ticks };
    records.begin(&spec.container, process).map_err(LaunchError::Record)?;
    Ok(Beginning { process, outcome: forked.release().map_err(LaunchError::Fork)? })
}

/// In the child; returns only if it fails.
fn become_task(
    directory: &Path,
    output: Output,
    commands: Vec<Command>,
    entry: &Entry,
    identity: Option<&Identity>,
) -> io::Error {
    let prepare = || {
        entry.membership.iter().try_for_each(|path| enter(path))?;
        for (resource, value) in &entry.limits {
            nix::sys::resource::setrlimit(*resource, *value, *value)?;
        }
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
        nix::unistd::dup2_stdout(output.out)?;
        nix::unistd::dup2_stderr(output.err)?;
        identity.map_or(Ok(()), become_user)?;
        std::env::set_current_dir(directory)
    };
    let execute = |()| commands.into_iter().map(|mut command| command.exec()).last();
    prepare().map_or_else(Some, execute).unwrap_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// In the child, which moves itself: see the isolation for why that is quick.
fn enter(cgroup: &Path) -> io::Result<()> {
    let join = |mut file: File| file.write_all(b"0");
    let entered = OpenOptions::new().write(true).open(cgroup).and_then(join);
    entered.map_err(|error| io::Error::other(format!("cannot enter the cgroup {}: {error}", cgroup.display())))
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

//! Starting one task: room for it, the fork, what the child does to itself, the exec.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid, User};

use super::isolation::{Entry, Isolation, IsolationError, Subject};
use super::protocol::{ContainerId, LaunchSpec, Process};
use super::records::{Record, Records};
use super::{process, sys};

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
    #[error("cannot execute `{program}` in {directory}")]
    Execute { program: String, directory: PathBuf, source: io::Error },
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

/// Starts `spec`. After an error nothing of it is left.
pub(crate) fn launch(isolation: &dyn Isolation, records: &Records, spec: &LaunchSpec) -> Result<Process, LaunchError> {
    let identity = spec.user.as_deref().map(identity_of).transpose()?;
    isolation
        .create(&spec.container, &spec.limits)
        .map_err(LaunchError::from)
        .and_then(|()| execute(isolation, records, spec, identity))
        .inspect_err(|_| {
            discard(isolation, records, &spec.container);
        })
}

fn discard(isolation: &dyn Isolation, records: &Records, container: &ContainerId) {
    if let Err(error) = isolation.remove(Subject { container, leader: None }) {
        tracing::warn!(%container, error = &error as &dyn std::error::Error, "a failed launch leaves a cgroup behind");
    }
    if let Err(error) = records.remove(container) {
        tracing::warn!(%container, %error, "a failed launch leaves a record behind");
    }
}

fn execute(
    isolation: &dyn Isolation,
    records: &Records,
    spec: &LaunchSpec,
    identity: Option<Identity>,
) -> Result<Process, LaunchError> {
    let (first, arguments) = spec.argv.split_first().ok_or(LaunchError::NoProgram)?;
    let mut command = Command::new(&spec.program);
    command
        .arg0(first)
        .args(arguments)
        .env_clear()
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&spec.directory)
        .stdin(Stdio::null())
        .stdout(open_output(&spec.directory, "stdout")?)
        .stderr(open_output(&spec.directory, "stderr")?);
    let entry = isolation.entry(&spec.container, &spec.limits);
    let (records, container) = (records.clone(), spec.container.clone());
    let prepare = move || {
        register_birth(&records, &container)?;
        enter(&entry)?;
        identity.as_ref().map_or(Ok(()), become_user)
    };
    let child = sys::spawn(&mut command, prepare).map_err(|source| LaunchError::Execute {
        program: spec.program.clone(),
        directory: spec.directory.clone(),
        source,
    })?;
    let pid = i32::try_from(child.id()).map_err(|_| LaunchError::Vanished)?;
    // Nobody but this process waits for the child, so it is in /proc, at least as a zombie.
    let stat = process::stat(pid).ok_or(LaunchError::Vanished)?;
    Ok(Process { pid, start_ticks: stat.start_ticks })
}

/// The sandbox may belong to the task's user: a link that is planted there is not followed.
fn open_output(directory: &Path, name: &str) -> Result<File, LaunchError> {
    let path = directory.join(name);
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(|source| LaunchError::Output { path, source })
}

/// In the child: see [`super::records`].
fn register_birth(records: &Records, container: &ContainerId) -> io::Result<()> {
    let pid = nix::unistd::getpid().as_raw();
    let start_ticks = process::stat(pid).ok_or_else(|| io::Error::other("this process is not in /proc"))?.start_ticks;
    records.write(&Record { container: container.clone(), process: Process { pid, start_ticks }, ending: None })
}

/// In the child: into the cgroups, under the limits.
fn enter(entry: &Entry) -> io::Result<()> {
    for file in &entry.membership {
        OpenOptions::new().write(true).open(file).and_then(|mut file| io::Write::write_all(&mut file, b"0"))?;
    }
    for (resource, value) in &entry.limits {
        nix::sys::resource::setrlimit(*resource, *value, *value)?;
    }
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    Ok(())
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

//! What a program reads from and writes to.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, FcntlArg, OFlag, OpenHow, ResolveFlag, fcntl, openat2};
use nix::sys::stat::Mode;

use super::child::{Identity, LaunchError};
use super::protocol::{ContainerId, LaunchSpec, Streams};
use super::sys;
use super::terminal::Pair;

/// Where a container that has both a root and a terminal of its own sees that.
pub(super) const CONSOLE: &str = "/dev/console";

/// Streams that are open.
#[derive(Debug)]
pub(super) enum Open {
    /// It reads what the launcher does, which is nothing.
    Sandbox {
        output: File,
        error: File,
    },
    Terminal(File),
    /// One of its own, which is kept.
    Kept {
        terminal: Pair,
        output: File,
    },
    Files {
        input: File,
        output: File,
        error: File,
    },
}

impl Open {
    pub(super) fn of(spec: &LaunchSpec, identity: Option<&Identity>) -> Result<Open, LaunchError> {
        let open = |path: &Path, options: &mut OpenOptions| {
            let opened = options.open(path).and_then(wait_from_now_on);
            opened.map_err(|source| LaunchError::Stream { path: path.to_owned(), source })
        };
        let reading = || OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).clone();
        let writing = || OpenOptions::new().append(true).custom_flags(libc::O_NONBLOCK).clone();
        match &spec.streams {
            Streams::Sandbox => Ok(Open::Sandbox {
                output: open_output(&spec.directory, "stdout", identity)?,
                error: open_output(&spec.directory, "stderr", identity)?,
            }),
            Streams::Terminal(path) => {
                let terminal = open(path, reading().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY))?;
                give(terminal, identity)
                    .map(Open::Terminal)
                    .map_err(|source| LaunchError::Stream { path: path.clone(), source })
            }
            Streams::Kept(size) => {
                let mut terminal = Pair::open(*size).map_err(LaunchError::Terminal)?;
                terminal.slave = give(terminal.slave, identity).map_err(LaunchError::Terminal)?;
                let output = open_output(&spec.directory, "stdout", identity)?;
                // Nothing is written there, and people look for it all the same.
                let _empty = open_output(&spec.directory, "stderr", identity)?;
                Ok(Open::Kept { terminal, output })
            }
            Streams::Files { input, output, error } => Ok(Open::Files {
                input: open(input, &mut reading())?,
                output: open(output, &mut writing())?,
                error: open(error, &mut writing())?,
            }),
        }
    }

    /// In the child: they are its standard three now.
    pub(super) fn take(&self) -> io::Result<()> {
        let (output, error) = match self {
            Open::Sandbox { output, error } => (output, error),
            Open::Terminal(terminal) | Open::Kept { terminal: Pair { slave: terminal, .. }, .. } => {
                nix::unistd::dup2_stdin(terminal)?;
                sys::take_terminal(std::os::fd::AsFd::as_fd(terminal))?;
                (terminal, terminal)
            }
            Open::Files { input, output, error } => {
                nix::unistd::dup2_stdin(input)?;
                (output, error)
            }
        };
        nix::unistd::dup2_stdout(output)?;
        nix::unistd::dup2_stderr(error)?;
        Ok(())
    }

    /// In the child, within a root of its own: its terminal has no name there but this one, and is opened by it so that programs find that.
    pub(super) fn take_console(&self) -> io::Result<()> {
        let Open::Kept { .. } = self else { return Ok(()) };
        let console = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(CONSOLE)?;
        nix::unistd::dup2_stdin(&console)?;
        nix::unistd::dup2_stdout(&console)?;
        Ok(nix::unistd::dup2_stderr(&console)?)
    }

    /// Begins to keep what has to be, and returns the name of the terminal that is.
    pub(super) fn keep(&self, container: &ContainerId) -> Result<Option<&Path>, LaunchError> {
        match self {
            Open::Sandbox { .. } | Open::Terminal(_) | Open::Files { .. } => Ok(None),
            Open::Kept { terminal, output } => {
                terminal.keep(container, output).map_err(LaunchError::Terminal)?;
                Ok(Some(&terminal.path))
            }
        }
    }

    /// Those that are the program's user's.
    pub(super) fn own(&self) -> Vec<&File> {
        match self {
            Open::Sandbox { output, error } => vec![output, error],
            Open::Terminal(terminal) => vec![terminal],
            Open::Kept { terminal, output } => vec![&terminal.slave, output],
            Open::Files { .. } => Vec::new(),
        }
    }
}

/// It was not to be waited for when it was opened; programs expect to wait when they use it.
fn wait_from_now_on(file: File) -> io::Result<File> {
    let flags = OFlag::from_bits_truncate(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags & !OFlag::O_NONBLOCK))?;
    Ok(file)
}

/// The task's own, so that it can also open them by way of /dev/stdout.
fn give(file: File, identity: Option<&Identity>) -> io::Result<File> {
    if let Some(Identity { user, group, .. }) = identity.filter(|identity| !identity.user.is_root()) {
        nix::unistd::fchown(&file, Some(*user), Some(*group))?;
    }
    Ok(file)
}

/// The sandbox may belong to the task's user. A link that is planted there is not followed, not on the way to it either: a sandbox can be
/// within that of another task. A pipe is not waited for, and a second name of somebody else's file not given away.
fn open_output(directory: &Path, name: &str, identity: Option<&Identity>) -> Result<File, LaunchError> {
    let path = directory.join(name);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NONBLOCK;
    let check = |file: File| {
        let metadata = file.metadata()?;
        let plain = metadata.is_file() && metadata.nlink() == 1;
        plain.then_some(file).ok_or_else(|| io::Error::other("it is not a file of this sandbox alone"))
    };
    let opened = open_real(&path, flags).and_then(check).and_then(|file| give(file, identity));
    opened.map_err(|source| LaunchError::Stream { path, source })
}

/// Opens what has this path without any link in it.
pub(super) fn open_real(path: &Path, flags: OFlag) -> io::Result<File> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let how = if flags.contains(OFlag::O_CREAT) { how.mode(Mode::from_bits_truncate(0o644)) } else { how };
    Ok(openat2(AT_FDCWD, path, how)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_made_where_no_link_leads() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (sandbox, elsewhere) = (root.join("sandbox"), root.join("elsewhere"));
        std::fs::create_dir_all(sandbox.join("containers/c")).unwrap();
        std::fs::create_dir_all(elsewhere.join("c")).unwrap();
        let nested = sandbox.join("containers/c");
        assert!(open_output(&nested, "stdout", None).is_ok() && nested.join("stdout").is_file());

        // What the task whose sandbox it is could do in any moment.
        std::fs::remove_dir_all(sandbox.join("containers")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, sandbox.join("containers")).unwrap();
        assert!(open_output(&nested, "stdout", None).is_err());
        assert!(open_real(&nested, OFlag::O_RDONLY).is_err());
        assert!(!elsewhere.join("c/stdout").exists(), "nothing is made elsewhere");
        std::os::unix::fs::symlink(elsewhere.join("c/file"), sandbox.join("stdout")).unwrap();
        assert!(open_output(&sandbox, "stdout", None).is_err() && !elsewhere.join("c/file").exists());
        std::fs::write(elsewhere.join("c/secret"), "").unwrap();
        std::fs::hard_link(elsewhere.join("c/secret"), sandbox.join("stderr")).unwrap();
        assert!(open_output(&sandbox, "stderr", None).is_err());
    }
}

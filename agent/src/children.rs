//! Programs that the agent runs for itself, beside a reaper that waits for everything else that becomes its child.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

/// Those that somebody waits for.
static AWAITED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A program that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("cannot run {program}")]
    Run {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{program} ended with {status}: {said}")]
    Failed { program: PathBuf, status: ExitStatus, said: String },
}

/// Runs a program to its end, with `input` to read and an environment of nothing but a `PATH`.
pub(crate) fn run(program: &Path, arguments: &[&str], input: &str) -> Result<(), ProgramError> {
    let failed = |source| ProgramError::Run { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut awaited = lock();
    let mut child = command.spawn().map_err(failed)?;
    awaited.insert(child.id());
    drop(awaited);
    let id = child.id();
    // One that does not read all of it says why.
    let _unread = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output();
    lock().remove(&id);
    // Others may have ended behind this one.
    reap();
    let output = output.map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(ProgramError::Failed { program: program.to_owned(), status: output.status, said })
}

fn lock() -> MutexGuard<'static, BTreeSet<u32>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for every child that has ended and that nobody else waits for.
pub(crate) fn reap() {
    let awaited = lock();
    let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::All, peek) {
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) => {
                // Who waits for it calls this again.
                if u32::try_from(pid.as_raw()).is_ok_and(|pid| awaited.contains(&pid)) {
                    return;
                }
                let _reaped = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
            }
            Ok(_) | Err(Errno::ECHILD) => return,
            Err(Errno::EINTR) => {}
            Err(error) => return tracing::warn!(%error, "cannot wait for children"),
        }
    }
}

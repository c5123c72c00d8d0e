//! Waits for orphans. The agent is a subreaper: when a launcher dies, its tasks become the agent's children, and their exit
//! status can be had through a pidfd as soon as the agent has waited for them.

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use tokio::signal::unix::{SignalKind, signal};

/// Makes this process a subreaper and reaps until it ends. The process must have no children that others wait for.
pub(super) fn start() -> std::io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut children = signal(SignalKind::child())?;
    tokio::spawn(async move {
        while children.recv().await.is_some() {
            reap();
        }
    });
    Ok(())
}

fn reap() {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return tracing::warn!(%error, "cannot wait for children"),
        }
    }
}

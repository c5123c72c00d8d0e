//! Waits for orphans. The agent is a subreaper: when a launcher dies, its tasks become the agent's children, and their exit
//! status can be had through a pidfd as soon as the agent has waited for them.

use crate::children;
use tokio::signal::unix::{SignalKind, signal};

/// Makes this process a subreaper and reaps until it ends. Children that others wait for are begun by [`children::run`].
pub(super) fn start() -> std::io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut children = signal(SignalKind::child())?;
    tokio::spawn(async move {
        while children.recv().await.is_some() {
            children::reap();
        }
    });
    Ok(())
}

//! Who writes to the terminals of containers: one at a time.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::session::Input;
use super::{Agent, Rejection};
use crate::launcher::protocol::ContainerId;
use crate::launcher::terminal::Visit;

/// The containers whose terminals somebody writes to.
#[derive(Debug, Default)]
pub(crate) struct Keyboards(Mutex<BTreeSet<ContainerId>>);

impl Keyboards {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<ContainerId>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose turn it is to write to a terminal, until this is dropped.
pub(super) struct Turn {
    keyboards: Arc<Keyboards>,
    container: ContainerId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.keyboards.lock().remove(&self.container);
    }
}

/// The terminal of a container, to write to.
pub(super) async fn take(agent: &Agent, container: ContainerId) -> Result<(Turn, Input), Rejection> {
    if !agent.keyboards.lock().insert(container.clone()) {
        return Err(Rejection::Attached);
    }
    let turn = Turn { keyboards: agent.keyboards.clone(), container: container.clone() };
    let visit = visit(agent.runtime_dir.clone(), container).await.map_err(Rejection::Streams)?;
    Ok((turn, Input::Terminal(Arc::new(visit.master))))
}

/// The keeper of a container's terminal.
pub(super) async fn visit(directory: PathBuf, container: ContainerId) -> io::Result<Visit> {
    let visited = tokio::task::spawn_blocking(move || Visit::pay(&directory, &container));
    visited.await.map_err(io::Error::other)?
}

//! Without root or cgroups: resource limits per process, and the session to find a task's processes again.
//!
//! Weaker in two ways, which is why the agent says so in its attributes: the memory limit holds for each process by
//! itself, and a process that begins a session of its own is out of reach.

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use super::{Entry, Isolation, IsolationError, Removal, Subject, Usage, send_signal};
use crate::launcher::process;
use crate::launcher::protocol::{ContainerId, IsolationKind, Limits, MemoryVerdict};

/// Resource limits and sessions.
#[derive(Debug)]
pub(crate) struct Posix;

impl Isolation for Posix {
    fn kind(&self) -> IsolationKind {
        IsolationKind::Posix
    }

    fn create(&self, _container: &ContainerId, _limits: &Limits) -> Result<(), IsolationError> {
        Ok(())
    }

    /// Resource limits are each process's own.
    fn resize(&self, _container: &ContainerId, _limits: &Limits) -> Result<(), IsolationError> {
        Ok(())
    }

    /// `RLIMIT_DATA` counts private writable memory; `RLIMIT_NPROC` would count all processes of the user and is left alone.
    fn entry(&self, _container: &ContainerId, limits: &Limits) -> Result<Entry, IsolationError> {
        Ok(Entry { doors: Vec::new(), limits: vec![(Resource::RLIMIT_DATA, limits.memory_bytes)] })
    }

    fn processes(&self, subject: Subject<'_>) -> Vec<i32> {
        subject.leader.map(process::session_members).unwrap_or_default()
    }

    fn kill(&self, subject: Subject<'_>) {
        send_signal(&self.processes(subject), Signal::SIGKILL);
    }

    fn remove(&self, subject: Subject<'_>) -> Result<Removal, IsolationError> {
        Ok(if self.processes(subject).is_empty() { Removal::Removed } else { Removal::Occupied })
    }

    fn memory_verdict(&self, _container: &ContainerId) -> MemoryVerdict {
        MemoryVerdict::WithinLimit
    }

    fn usage(&self, _container: &ContainerId) -> Usage {
        Usage::default()
    }

    fn containers(&self) -> Vec<ContainerId> {
        Vec::new()
    }

    fn close(&self) {}
}

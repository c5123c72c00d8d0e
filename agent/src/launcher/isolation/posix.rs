//! Without root or cgroups: resource limits per process, and the session to find a task's processes again.
//!
//! Weaker in two ways, which is why the agent says so in its attributes: the memory limit holds for each process by
//! itself, and a process that begins a session of its own is out of reach.

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use super::{Controls, Entry, Isolation, IsolationError, Place, Removal, Subject, Usage, send_signal};
use crate::launcher::process;
use crate::launcher::protocol::{IsolationKind, Limits, MemoryVerdict};

/// Resource limits and sessions.
#[derive(Debug)]
pub(crate) struct Posix;

impl Isolation for Posix {
    fn kind(&self) -> IsolationKind {
        IsolationKind::Posix
    }

    fn create(
        &self,
        _place: &Place,
        _limits: Option<&Limits>,
        controls: Option<&Controls>,
    ) -> Result<(), IsolationError> {
        let needed = controls.and_then(|controls| controls.needed().next());
        needed.map_or(Ok(()), |controller| Err(IsolationError::Lacking(controller)))
    }

    /// Resource limits are each process's own.
    fn resize(&self, _place: &Place, _limits: &Limits, _controls: Option<&Controls>) -> Result<(), IsolationError> {
        Ok(())
    }

    /// `RLIMIT_DATA` counts private writable memory; `RLIMIT_NPROC` would count all processes of the user and is left alone.
    fn entry(&self, _place: &Place, limits: Option<&Limits>) -> Result<Entry, IsolationError> {
        let memory = limits.map(|limits| (Resource::RLIMIT_DATA, limits.memory_bytes));
        Ok(Entry { doors: Vec::new(), limits: memory.into_iter().collect() })
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

    fn memory_verdict(&self, _place: &Place) -> MemoryVerdict {
        MemoryVerdict::WithinLimit
    }

    /// That of the living, and of those that they have waited for: who has ended otherwise took it along.
    fn usage(&self, subject: Subject<'_>) -> Usage {
        let used: Vec<_> = self.processes(subject).into_iter().filter_map(process::consumption).collect();
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        let page = page.and_then(|bytes| u64::try_from(bytes).ok());
        let sum = |of: fn(&process::Consumption) -> u64| used.iter().map(of).sum::<u64>();
        Usage {
            cpu_user_us: Some(sum(|used| used.user_us)),
            cpu_system_us: Some(sum(|used| used.system_us)),
            memory_bytes: page.map(|bytes| bytes * sum(|used| used.resident)),
            pids: Some(sum(|used| used.threads)),
        }
    }

    fn containers(&self) -> Vec<Place> {
        Vec::new()
    }

    fn close(&self) {}
}

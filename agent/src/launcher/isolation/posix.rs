//! Without root or cgroups: resource limits per process, and the session to find a task's processes again.
//!
//! Weaker in two ways, which is why the agent says so in its attributes: the memory limit holds for each process by
//! itself, and a process that begins a session of its own is out of reach.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use super::{Controls, Entry, Isolation, IsolationError, Place, Removal, Subject, Usage, send_signal};
use crate::launcher::process::{self, Sessions};
use crate::launcher::protocol::{IsolationKind, Limits, MemoryVerdict};

/// How old what is said about consumption may be: whoever asks for that of all tasks makes one look at all processes do for them.
const SEEN_FOR: Duration = Duration::from_millis(500);

/// Resource limits and sessions.
#[derive(Debug, Default)]
pub(crate) struct Posix {
    seen: Mutex<Option<(Instant, Sessions)>>,
}

impl Posix {
    /// Who was in the session of its leader lately.
    fn seen(&self, subject: Subject<'_>) -> Vec<i32> {
        // Nothing panics while it holds the lock.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = seen.take().filter(|(at, _)| at.elapsed() < SEEN_FOR);
        let (_, sessions) = seen.insert(fresh.unwrap_or_else(|| (Instant::now(), process::sessions())));
        subject.leader.and_then(|leader| sessions.get(&leader).cloned()).unwrap_or_default()
    }
}

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
        subject.leader.and_then(|leader| process::sessions().remove(&leader)).unwrap_or_default()
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
        let used: Vec<_> = self.seen(subject).into_iter().filter_map(process::consumption).collect();
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

    fn process_count(&self, subject: Subject<'_>) -> usize {
        self.seen(subject).len()
    }

    fn containers(&self) -> Vec<Place> {
        Vec::new()
    }

    fn close(&self) {}
}

//! Without root or cgroups: resource limits per process, and the session to find a task's processes again.
//!
//! Weaker in two ways, which is why the agent says so in its attributes: the memory limit holds for each process by
//! itself, and a process that begins a session of its own is out of reach.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use super::{Controls, Entry, Isolation, IsolationError, Memory, Place, Removal, Subject, Usage, send_signal};
use crate::launcher::process::{self, Sessions};
use crate::launcher::protocol::{IsolationKind, Limits, MemoryVerdict};

/// How old what is said about consumption may be: whoever asks for that of all tasks makes one look at all processes do for them.
const SEEN_FOR: Duration = Duration::from_millis(500);

/// Resource limits and sessions.
#[derive(Debug, Default)]
pub(crate) struct Posix {
    seen: Mutex<Option<(Instant, Sessions)>>,
    round: Mutex<Round>,
}

/// Of containers whose ends are looked after together. Into a session nobody comes from outside: one that is empty stays so, and one that
/// was not is looked at again in the next round.
#[derive(Debug, Default)]
enum Round {
    /// There is none.
    #[default]
    Over,
    /// Nobody has asked yet.
    Begun,
    /// What was seen in it.
    Looked(Sessions),
}

impl Posix {
    /// Who was in the session of its leader lately.
    fn seen(&self, subject: Subject<'_>) -> Vec<i32> {
        let mut seen = lock(&self.seen);
        let fresh = seen.take().filter(|(at, _)| at.elapsed() < SEEN_FOR);
        let (_, sessions) = seen.insert(fresh.unwrap_or_else(|| (Instant::now(), process::sessions())));
        members(sessions, subject)
    }
}

fn members(sessions: &Sessions, subject: Subject<'_>) -> Vec<i32> {
    subject.leader.and_then(|leader| sessions.get(&leader).cloned()).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn begin_round(&self) {
        *lock(&self.round) = Round::Begun;
    }

    fn end_round(&self) {
        *lock(&self.round) = Round::Over;
    }

    fn processes(&self, subject: Subject<'_>) -> Vec<i32> {
        let mut round = lock(&self.round);
        match &*round {
            Round::Over => members(&process::sessions(), subject),
            Round::Looked(sessions) => members(sessions, subject),
            Round::Begun => {
                let sessions = process::sessions();
                let members = members(&sessions, subject);
                *round = Round::Looked(sessions);
                members
            }
        }
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
            throttling: None,
            memory: Memory { anonymous: page.map(|bytes| bytes * sum(|used| used.resident)), ..Memory::default() },
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

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::launcher::protocol::ContainerId;

    /// Ends with the test.
    struct Sleeper(Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ended = self.0.kill();
            let _ended = self.0.wait();
        }
    }

    #[test]
    fn one_look_does_for_a_round() {
        let child = Command::new("setsid").args(["sleep", "1000"]).stdout(Stdio::null()).spawn().unwrap();
        let mut child = Sleeper(child);
        let leader = i32::try_from(child.0.id()).unwrap();
        let place = Place::of(&ContainerId::new("c").unwrap());
        let subject = Subject { place: &place, leader: Some(leader) };
        let posix = Posix::default();
        while process::stat(leader).is_some_and(|stat| stat.session != leader) {
            std::thread::yield_now();
        }
        posix.begin_round();
        assert_eq!(posix.processes(subject), [leader]);
        posix.kill(subject);
        child.0.wait().unwrap();
        assert_eq!(posix.remove(subject).unwrap(), Removal::Occupied, "that is seen in the next round");
        posix.end_round();
        posix.begin_round();
        assert_eq!(posix.remove(subject).unwrap(), Removal::Removed);
        posix.end_round();
        assert!(posix.processes(subject).is_empty());
    }
}

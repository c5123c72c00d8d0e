//! What the launcher knows of one container.

use std::os::fd::OwnedFd;
use std::time::Instant;

use crate::launcher::isolation::{Place, Subject};
use crate::launcher::process;
use crate::launcher::protocol::{ContainerId, ContainerReport, Ending, Process, Stage};
use crate::launcher::surroundings::Holder;

/// A container's state. It moves downwards only.
#[derive(Debug)]
pub(super) enum State {
    /// Its program runs as our child.
    Running,
    /// Its program runs as somebody else's child, since the launcher that started it died.
    Adopted { pidfd: OwnedFd, zombie: Option<Zombie> },
    /// It has no program: it is there for its parts, until it is destroyed.
    Holding,
    /// Its program has ended, which is on record, or could not be executed; what is left of the container is being removed.
    Emptying { outcome: Outcome, pause_ms: u64, next: Instant },
    /// Nothing of it is left; the record waits for the agent's `Forget`.
    Ended { ending: Ending },
}

/// What the agent is told once nothing is left of a container.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Ended(Ending),
    /// Why its program did not run.
    Failed(String),
}

/// An adopted process that has ended and that its new parent has not reaped: only then its exit status can be had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zombie {
    pub(super) seen: Instant,
    pub(super) look_again: Instant,
}

#[derive(Debug)]
pub(super) struct Container {
    pub(super) place: Place,
    pub(super) process: Process,
    /// What holds its namespaces, which parts join.
    pub(super) holder: Option<Holder>,
    pub(super) state: State,
}

/// The session a process began, unless another process bears its number by now.
pub(super) fn session_of(process: Process) -> Option<i32> {
    let taken = process::stat(process.pid).is_some_and(|stat| stat.start_ticks != process.start_ticks);
    (process.pid > 0 && !taken).then_some(process.pid)
}

pub(super) fn emptying(outcome: Outcome) -> State {
    State::Emptying { outcome, pause_ms: 1, next: Instant::now() }
}

impl Container {
    /// What it is a part of.
    pub(super) fn parent(&self) -> Option<ContainerId> {
        self.place.parent()?.container()
    }

    /// Whether its program runs.
    pub(super) fn is_alive(&self) -> bool {
        match self.state {
            State::Running | State::Adopted { .. } | State::Holding => true,
            State::Emptying { .. } | State::Ended { .. } => false,
        }
    }

    /// Whether what is being removed is all that there ever was of it.
    pub(super) fn never_ran(&self) -> bool {
        matches!(self.state, State::Emptying { outcome: Outcome::Failed(_), .. })
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { place: &self.place, leader: session_of(self.process) }
    }

    /// When something is to be done about it, if not for an event.
    pub(super) fn next(&self) -> Option<Instant> {
        match &self.state {
            State::Emptying { next, .. } => Some(*next),
            State::Adopted { zombie, .. } => zombie.map(|zombie| zombie.look_again),
            State::Running | State::Holding | State::Ended { .. } => None,
        }
    }

    /// What an agent is told of it.
    pub(super) fn report(&self, id: &ContainerId) -> ContainerReport {
        let stage = match &self.state {
            State::Emptying { outcome: Outcome::Failed(_), .. } => Stage::Failing,
            State::Running
            | State::Adopted { .. }
            | State::Holding
            | State::Emptying { outcome: Outcome::Ended(_), .. } => Stage::Running,
            State::Ended { ending } => Stage::Ended(*ending),
        };
        ContainerReport { container: id.clone(), process: self.process, stage }
    }
}

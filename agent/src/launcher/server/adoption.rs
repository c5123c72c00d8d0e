//! What a launcher takes over from the one before it.
//!
//! It has the lock, so nothing of the other's is on its way to its program any more: what is on record runs or has run, and what is found
//! without a record was being made room for. That is gone before an agent is greeted, which then knows that it has to be started again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Server;
use super::container::{Container, Outcome, State, emptying};
use crate::launcher::protocol::{ContainerId, Ending, Exit, MemoryVerdict, Process};
use crate::launcher::records::{Loaded, Record};
use crate::launcher::{process, sys};

/// How long what never ran may take to go: its processes, if it has any, are being killed already.
const CLEARING_PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks.
const CLEARING_PAUSE: Duration = Duration::from_millis(1);

impl Server {
    /// Adopts what the records tell of and ends what has no (readable) record.
    pub(super) fn adopt(&mut self, found: Loaded) {
        let mut damaged = BTreeSet::new();
        for (container, record) in found {
            match record {
                Ok(record) => self.adopt_one(container, record),
                Err(error) => {
                    tracing::error!(%container, error = &error as &dyn std::error::Error, "what this container runs is ended: nothing tells what it is");
                    damaged.insert(container);
                }
            }
        }
        // Parts after what they are parts of: that goes only when they have gone, and this only when they are known.
        for place in self.isolation.containers().into_iter().rev() {
            if let Some(container) = place.container().filter(|container| !self.containers.contains_key(container)) {
                let outcome = if damaged.contains(&container) {
                    Outcome::Ended(Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit })
                } else {
                    tracing::info!(%container, "a launcher was lost that was about to start this container");
                    Outcome::Failed("what was made for it by a launcher that was lost cannot be removed".to_owned())
                };
                self.clear(container, place, outcome);
            }
        }
        for (container, entry) in &self.containers {
            if entry.is_alive() && entry.parent().is_some_and(|parent| !self.is_alive(&parent)) {
                tracing::warn!(%container, "a part of a container that has ended is ended");
                self.isolation.kill(entry.subject());
            }
        }
        self.in_a_round(Server::empty_all);
        let deadline = Instant::now() + CLEARING_PATIENCE;
        while self.containers.values().any(Container::never_ran) && Instant::now() < deadline {
            std::thread::sleep(CLEARING_PAUSE);
            self.in_a_round(Server::empty_all);
        }
    }

    fn is_alive(&self, container: &ContainerId) -> bool {
        self.containers.get(container).is_some_and(Container::is_alive)
    }

    fn adopt_one(&mut self, container: ContainerId, record: Record) {
        let Record { place, process, holder, ending } = record;
        let pidfd = sys::pidfd_open(process.pid).ok().filter(|_| process::exists(process));
        let is_held = holder.is_none_or(|holder| process::exists(holder.process));
        let state = match (ending, pidfd) {
            (Some(ending), _) => emptying(Outcome::Ended(ending)),
            (None, _) if process == Process::NONE && is_held => State::Holding,
            (None, Some(pidfd)) => State::Adopted { pidfd, zombie: None },
            // The agent may hold a pidfd that tells more.
            (None, None) => {
                let memory = self.isolation.memory_verdict(&place);
                emptying(Outcome::Ended(Ending { exit: Exit::Unknown, memory }))
            }
        };
        self.add(container, Container { place, process, holder, state });
    }
}

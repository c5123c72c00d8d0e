//! The store went away, or came back.
//!
//! Without it nobody can register or subscribe, so whoever is away stays away, and that must not be held against them: while the store
//! is away no deadline of an agent or a framework passes. When it is back their time goes on, and nobody has less of it than an agent
//! may be silent: not a framework that allows itself no time to come back either. A leader that turns out to be deposed is never told
//! that the store is back, and what its deadlines would have led to does not happen: its successor sets its own.

use attica_core_api::Tick;

use super::agent::Contact;
use super::framework::Presence;
use super::timers::Timer;
use super::{Kernel, Now};

/// Whether what is decided now can become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreContact {
    /// It can.
    Reachable,
    /// Not since then.
    Away(Tick),
}

impl Kernel {
    pub(super) fn store_away(&mut self, now: Now) {
        self.store = StoreContact::Away(now.tick);
    }

    pub(super) fn store_back(&mut self, now: Now) {
        let StoreContact::Away(since) = std::mem::replace(&mut self.store, StoreContact::Reachable) else { return };
        let away_ms = now.tick.since(since);
        self.lenient_until = now.tick.after(self.config.agent_silence_ms());
        self.silent.clear();
        for agent in self.agents.values_mut().filter(|agent| agent.contact != Contact::Unreachable) {
            let least = Tick(self.lenient_until.0.saturating_sub(agent.patience_ms));
            agent.heard = agent.heard.after(away_ms).min(now.tick).max(least);
            self.timers.set(agent.silent_at(), Timer::AgentSilent(agent.id.clone()));
        }
        for framework in self.frameworks.values_mut() {
            let Presence::Away(before) = framework.presence else { continue };
            let deadline = before.after(away_ms).max(self.lenient_until);
            framework.presence = Presence::Away(deadline);
            self.timers.cancel(before, Timer::FrameworkAway(framework.id.clone()));
            self.timers.set(deadline, Timer::FrameworkAway(framework.id.clone()));
        }
    }

    /// Whether deadlines wait.
    pub(super) fn is_store_away(&self) -> bool {
        self.store != StoreContact::Reachable
    }
}

//! I4: every process belongs to a task that the leader wants, or is gone soon after its agent got in touch.

use std::collections::BTreeMap;

use attica_core::snapshot::FrameworkPresence;

use super::i6_forward::is_over;
use crate::agent::{Agent, AgentTask, TaskName};
use crate::store::Store;

/// The promise is 60 s; here everything is faster, and so must this be.
const LIMIT_MS: u64 = 30_000;

/// Processes that nobody wants, and since when.
#[derive(Default)]
pub(super) struct Orphans {
    since: BTreeMap<(usize, TaskName), u64>,
    /// When the store was there again: before, nobody could be told to kill them.
    store_since: u64,
}

impl Orphans {
    pub(super) fn survey(&mut self, now: u64, store: &Store, store_away: bool, agents: &[Agent]) -> Result<(), String> {
        if store_away {
            self.store_since = now;
        }
        let mut orphans = BTreeMap::new();
        for (index, agent) in agents.iter().enumerate() {
            for (name, _) in agent.disk.tasks.iter().filter(|(name, task)| is_orphan(agent, name, task, store)) {
                let key = (index, name.clone());
                let since = self.since.get(&key).copied().unwrap_or(now);
                let contact = agent.link.as_ref().filter(|_| agent.up).and_then(|link| link.registered_at);
                if contact.is_some_and(|contact| since.max(contact).max(self.store_since) + LIMIT_MS < now) {
                    return Err(format!("I4: {name:?} runs on agent {index}, but is not wanted since {since} ms"));
                }
                orphans.insert(key, since);
            }
        }
        self.since = orphans;
        Ok(())
    }
}

fn is_orphan(agent: &Agent, name: &TaskName, task: &AgentTask, store: &Store) -> bool {
    let framework = store.snapshot.frameworks.get(&name.0);
    let removed = framework.is_none_or(|framework| matches!(framework.presence, FrameworkPresence::Removed { .. }));
    let known = framework.and_then(|framework| framework.tasks.get(&name.1));
    let wanted = known.is_some_and(|known| {
        !is_over(known.state) && known.completed_at.is_none() && Some(&known.info.agent_id) == agent.disk.id.as_ref()
    });
    task.alive && (removed || !wanted)
}

//! I5: a task that is shown as running is confirmed by its agent, or becomes unreachable in the configured time; and
//! that time passes for nobody who could not come back.

use std::collections::BTreeMap;

use attica_core::fact::Fact;
use attica_core::snapshot::{Reach, TaskRecord};
use attica_core_api::v1::TaskState;

use crate::agent::{Agent, TaskName};
use crate::master::Master;
use crate::scheduler::Scheduler;
use crate::store::Store;

/// The time to come back to a new leader, five heartbeats, the rate limit, and the commit.
const LIMIT_MS: u64 = 15_000 + 10_000 + 10_000;

/// Tasks that nobody confirms, and since when.
#[derive(Default)]
pub(super) struct Zombies {
    since: BTreeMap<TaskName, u64>,
    epoch: u64,
    epoch_since: u64,
}

impl Zombies {
    pub(super) fn survey(
        &mut self,
        now: u64,
        store: &Store,
        store_away: bool,
        masters: &[Master],
        agents: &[Agent],
    ) -> Result<(), String> {
        let mut leaders = masters.iter().filter_map(Master::leader);
        let leads = leaders.any(|leader| leader.epoch == store.lead.epoch && !leader.is_stalled(now));
        // Without a leader that can decide, time does not count.
        if store.lead.epoch != self.epoch || !leads || store_away {
            self.epoch = store.lead.epoch;
            self.epoch_since = now;
        }
        let mut zombies = BTreeMap::new();
        for (id, framework) in &store.snapshot.frameworks {
            for (task_id, task) in framework.tasks.iter().filter(|(_, task)| is_shown_running(task)) {
                let name = (id.clone(), task_id.clone());
                let owner = agents.iter().find(|agent| agent.disk.id.as_ref() == Some(&task.info.agent_id));
                if owner.is_some_and(|agent| confirms(agent, &name, store.lead.epoch)) {
                    continue;
                }
                let since = self.since.get(&name).copied().unwrap_or(now);
                if since.max(self.epoch_since) + LIMIT_MS < now {
                    return Err(format!(
                        "I5: {name:?} is shown as {}, and nobody confirms it since {since} ms",
                        task.state
                    ));
                }
                zombies.insert(name, since);
            }
        }
        self.since = zombies;
        Ok(())
    }
}

/// Nobody is given up in a run in which everybody tries to be there all the time. (An id whose owner was never told is nobody's.)
pub(super) fn given_up(fact: &Fact, agents: &[Agent], schedulers: &[Scheduler]) -> Result<(), String> {
    match fact {
        Fact::AgentUnreachable { agent, .. } if agents.iter().any(|one| one.disk.id.as_ref() == Some(agent)) => {
            Err(format!("I5: {agent} is declared unreachable, but only the store was away"))
        }
        Fact::FrameworkRemoved { framework, .. } if schedulers.iter().any(|one| one.id.as_ref() == Some(framework)) => {
            Err(format!("I5: {framework} is removed, but only the store was away"))
        }
        _ => Ok(()),
    }
}

fn is_shown_running(task: &TaskRecord) -> bool {
    let running = match task.state {
        TaskState::Starting | TaskState::Running | TaskState::Killing => true,
        TaskState::Staging => false,
        _ => false,
    };
    running && task.reach == Reach::Reachable && task.completed_at.is_none()
}

/// An agent that is in touch with the leader and has the task, or has still to say how it ended.
fn confirms(agent: &Agent, name: &TaskName, epoch: u64) -> bool {
    let registered = agent.link.as_ref().is_some_and(|link| link.registered_at.is_some());
    agent.up && registered && agent.disk.epoch == epoch && agent.disk.tasks.contains_key(name)
}

//! I14: a status update is delivered until acknowledged, in order per task, never again after.

use std::collections::{BTreeMap, BTreeSet};

use attica_core::fact::Fact;
use attica_core::snapshot::FrameworkPresence;
use attica_core_api::v1::TaskStatus;
use bytes::Bytes;

use crate::agent::{Agent, TaskName};
use crate::master::Master;
use crate::network::{Body, Message};
use crate::scheduler::Scheduler;
use crate::store::Store;

/// What was to be delivered, what was, and what was acknowledged.
#[derive(Default)]
pub(super) struct Delivery {
    /// The uuids of every task's statuses, in the order of the facts.
    queued: BTreeMap<TaskName, Vec<Bytes>>,
    /// How many of them the scheduler has received.
    heard: BTreeMap<TaskName, usize>,
    /// How many of them the scheduler has acknowledged.
    acknowledged: BTreeMap<TaskName, usize>,
    /// In which commit.
    acknowledged_in: BTreeMap<Bytes, u64>,
    removed: BTreeSet<String>,
    commits: u64,
    /// The last commit of each epoch; for one that has not written, the last one before it began.
    last_commit: BTreeMap<u64, u64>,
}

impl Delivery {
    pub(super) fn committed(&mut self, fact: &Fact, _store: &Store) -> Result<(), String> {
        match fact {
            Fact::TaskUpdated { framework, status, .. }
            | Fact::TaskUnreachable { framework, status }
            | Fact::TaskReachable { framework, status } => {
                self.queue((framework.clone(), status.task_id.clone()), status);
                Ok(())
            }
            Fact::UpdateAcknowledged { framework, task, uuid } => {
                let name = (framework.clone(), task.clone());
                self.acknowledge(&name, uuid)
            }
            Fact::FrameworkRemoved { framework, .. } => {
                self.removed.insert(framework.to_string());
                Ok(())
            }
            Fact::TaskCompleted { framework, task, .. } if !self.removed.contains(framework.as_str()) => {
                let name = (framework.clone(), task.clone());
                let queued = self.queued.get(&name).map_or(0, Vec::len);
                let acknowledged = self.acknowledged.get(&name).copied().unwrap_or(0);
                match queued == acknowledged {
                    true => Ok(()),
                    false => {
                        Err(format!("I14: {name:?} is history with {acknowledged} of {queued} updates acknowledged"))
                    }
                }
            }
            _ => Ok(()),
        }
    }

    pub(super) fn end_of_commit(&mut self, epoch: u64) {
        self.commits += 1;
        self.last_commit.insert(epoch, self.commits);
    }

    fn queue(&mut self, name: TaskName, status: &TaskStatus) {
        self.queued.entry(name).or_default().extend(status.uuid.clone());
    }

    fn acknowledge(&mut self, name: &TaskName, uuid: &Bytes) -> Result<(), String> {
        let acknowledged = self.acknowledged.entry(name.clone()).or_default();
        let expected = self.queued.get(name).and_then(|queued| queued.get(*acknowledged));
        if expected != Some(uuid) {
            return Err(format!("I14: {name:?}: {uuid:x} is acknowledged where {expected:x?} is next"));
        }
        *acknowledged += 1;
        if *acknowledged > self.heard.get(name).copied().unwrap_or(0) {
            return Err(format!("I14: {name:?}: {uuid:x} is acknowledged, but was never delivered"));
        }
        self.acknowledged_in.insert(uuid.clone(), self.commits + 1);
        Ok(())
    }

    /// A scheduler received a status; returns whether it had received it before.
    pub(super) fn heard(&mut self, name: &TaskName, uuid: &Bytes) -> Result<bool, String> {
        let place = self.queued.get(name).and_then(|queued| queued.iter().position(|other| other == uuid));
        let heard = self.heard.entry(name.clone()).or_default();
        match place {
            None => Err(format!("I1: {name:?}: {uuid:x} is delivered before it is committed")),
            Some(place) if place > *heard => {
                Err(format!("I14: {name:?}: update {place} is delivered after {heard} others"))
            }
            Some(place) if place == *heard => {
                *heard += 1;
                Ok(false)
            }
            Some(_) => Ok(true),
        }
    }

    /// What was acknowledged in an earlier commit is not sent again. (In the same commit it may be: then it was sent before.)
    pub(super) fn released(&mut self, message: &Message, epoch: Option<u64>) -> Result<(), String> {
        let (Body::Event { event, .. }, Some(epoch)) = (&message.body, epoch) else { return Ok(()) };
        let Some(uuid) = event.update.as_ref().and_then(|update| update.status.uuid.as_ref()) else { return Ok(()) };
        let commits = self.commits;
        let last = *self.last_commit.entry(epoch).or_insert(commits);
        match self.acknowledged_in.get(uuid) {
            Some(acknowledged) if *acknowledged < last => {
                Err(format!("I14: {uuid:x} is sent again after its acknowledgement"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Long after the last fault everybody is connected, and nothing waits to be delivered.
pub(super) fn finally(
    store: &Store,
    masters: &[Master],
    agents: &[Agent],
    schedulers: &[Scheduler],
) -> Result<(), String> {
    let leads = masters.iter().filter_map(Master::leader).any(|leader| leader.epoch == store.lead.epoch);
    if !leads {
        return Err("I14: nobody leads in the end".to_owned());
    }
    for (index, agent) in agents.iter().enumerate() {
        let registered = agent.link.as_ref().is_some_and(|link| link.registered_at.is_some());
        if !agent.up || !registered {
            return Err(format!("I14: agent {index} is not registered in the end"));
        }
        if let Some((name, _)) = agent.disk.tasks.iter().find(|(_, task)| !task.pending.is_empty()) {
            return Err(format!("I14: agent {index} still repeats an update of {name:?}"));
        }
    }
    for (index, scheduler) in schedulers.iter().enumerate() {
        if !scheduler.stream.as_ref().is_some_and(|stream| stream.subscribed) {
            return Err(format!("I14: scheduler {index} is not subscribed in the end"));
        }
    }
    for (id, framework) in &store.snapshot.frameworks {
        if !matches!(framework.presence, FrameworkPresence::Subscribed) {
            continue;
        }
        if let Some((task, _)) = framework.tasks.iter().find(|(_, task)| !task.outbox.is_empty()) {
            return Err(format!("I14: an update of {task} of {id} is not delivered in the end"));
        }
    }
    Ok(())
}

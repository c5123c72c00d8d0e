use attica_core_api::{Now, Timestamp};

use super::roles::reserved_role;
use super::snapshot::RunSpecState;
use super::{Effects, Engine, Fact, Recorded, frames};
use crate::model::{InstanceId, RunSpecId, Shape};

impl Engine {
    /// Decides a fact: renders its event frames, folds it into the durable state, and brings everything that follows from that up to
    /// date. There is no other way to change the state.
    pub(super) fn record(&mut self, now: Now, fact: Fact, out: &mut Effects) {
        let frames = frames(&fact, &self.state, now.wall, &self.config.border);
        self.before(&fact);
        self.state.apply(&fact);
        self.after(now, &fact);
        self.recorded += 1;
        out.facts.push(Recorded { at: now.wall, fact, frames });
    }

    /// Takes what a fact replaces out of the books.
    fn before(&mut self, fact: &Fact) {
        match fact {
            Fact::InstanceChanged { instance, .. } => self.untrack(&instance.id),
            Fact::TaskEnded { id, .. } | Fact::InstanceForgotten { id, .. } => self.untrack(id),
            Fact::RunSpecStored { run_spec, .. } => self.release_definition(&run_spec.id),
            Fact::RunSpecRemoved { id, .. } => self.release_definition(id),
            Fact::DeploymentEnded { id, .. } => {
                self.step_began.remove(id);
                let changes = self.state.deployments.get(id).map(|deployment| deployment.changes.keys().cloned());
                for id in changes.into_iter().flatten().collect::<Vec<_>>() {
                    self.most_serving.remove(&id);
                    self.tracker(&id).lock = None;
                    self.dirty.insert(id);
                }
            }
            Fact::Subscribed { .. }
            | Fact::FrameworkForgotten
            | Fact::Disconnected
            | Fact::Requested { .. }
            | Fact::PodRemovalRequested { .. }
            | Fact::ChangeRefused { .. }
            | Fact::RunSpecForgotten { .. }
            | Fact::GroupStored { .. }
            | Fact::GroupForgotten { .. }
            | Fact::HistoryShortened { .. }
            | Fact::GroupChanged { .. }
            | Fact::DeploymentStarted { .. }
            | Fact::DeploymentStepDone { .. }
            | Fact::DeploymentHeld { .. }
            | Fact::UnknownTaskEnded { .. }
            | Fact::DelayChanged { .. }
            | Fact::ConsumerJoined { .. }
            | Fact::ConsumerLeft { .. }
            | Fact::UserStored { .. }
            | Fact::UserRemoved { .. }
            | Fact::SessionBegan { .. }
            | Fact::SessionsEnded { .. }
            | Fact::Audited { .. }
            | Fact::CallbackAdded { .. }
            | Fact::CallbackRemoved { .. }
            | Fact::CallbackReached { .. }
            | Fact::SecretKept { .. }
            | Fact::SecretRemoved { .. } => {}
        }
    }

    /// Enters what a fact brought into the books.
    fn after(&mut self, now: Now, fact: &Fact) {
        match fact {
            Fact::InstanceChanged { instance, .. } => self.track(&instance.id),
            Fact::TaskEnded { id, .. } | Fact::InstanceForgotten { id, .. } => self.track(id),
            Fact::RunSpecStored { run_spec, .. } => {
                self.departed.back(&run_spec.id);
                self.service_ports.add(run_spec);
                self.apps += usize::from(run_spec.shape() == Shape::App);
                self.roles.add(&run_spec.role);
                self.tracker(&run_spec.id);
                self.touch(&run_spec.id);
            }
            Fact::RunSpecRemoved { id, .. } => self.touch(id),
            Fact::RunSpecForgotten { id } => {
                self.trackers.remove(id);
                self.queue_changed.insert(id.clone());
            }
            Fact::DeploymentStarted { deployment } => {
                for id in deployment.changes.keys() {
                    self.tracker(id).lock = Some(deployment.id);
                    self.touch(id);
                }
                self.advancing.insert(deployment.id);
                self.step_begins(now, deployment.id);
            }
            Fact::DeploymentStepDone { id, .. } => {
                let changes = self.state.deployments.get(id).map(|deployment| deployment.changes.keys().cloned());
                self.dirty.extend(changes.into_iter().flatten());
                self.advancing.insert(*id);
                self.step_begins(now, *id);
            }
            Fact::DeploymentHeld { deployment } => {
                deployment.changes.keys().for_each(|id| self.touch(id));
                self.advancing.insert(deployment.id);
                self.step_begins(now, deployment.id);
            }
            Fact::DelayChanged { id, .. } => self.touch(id),
            Fact::GroupStored { id, version, group, .. } => match group {
                Some(_) => self.departed.group_back(id),
                None => self.departed.group_gone(*version, id.clone()),
            },
            Fact::Subscribed { .. }
            | Fact::FrameworkForgotten
            | Fact::Disconnected
            | Fact::Requested { .. }
            | Fact::PodRemovalRequested { .. }
            | Fact::ChangeRefused { .. }
            | Fact::GroupForgotten { .. }
            | Fact::HistoryShortened { .. }
            | Fact::GroupChanged { .. }
            | Fact::DeploymentEnded { .. }
            | Fact::UnknownTaskEnded { .. }
            | Fact::ConsumerJoined { .. }
            | Fact::ConsumerLeft { .. }
            | Fact::UserStored { .. }
            | Fact::UserRemoved { .. }
            | Fact::SessionBegan { .. }
            | Fact::SessionsEnded { .. }
            | Fact::Audited { .. }
            | Fact::CallbackAdded { .. }
            | Fact::CallbackRemoved { .. }
            | Fact::CallbackReached { .. }
            | Fact::SecretKept { .. }
            | Fact::SecretRemoved { .. } => {}
        }
    }

    fn untrack(&mut self, id: &InstanceId) {
        let instance = self.state.run_specs.get(&id.run_spec).and_then(|state| state.instances.get(id));
        if let Some(role) = instance.and_then(reserved_role) {
            self.roles.remove(role);
        }
        if let (Some(instance), Some(tracker)) = (instance, self.trackers.get_mut(&id.run_spec)) {
            let since = tracker.waiting_since;
            tracker.remove(instance);
            self.releasing.remove(id);
            let now_since = tracker.waiting_since;
            self.requeue(&id.run_spec, since, now_since);
        }
    }

    fn track(&mut self, id: &InstanceId) {
        let tracker = self.trackers.entry(id.run_spec.clone()).or_default();
        if let Some(instance) = self.state.run_specs.get(&id.run_spec).and_then(|state| state.instances.get(id)) {
            if let Some(role) = reserved_role(instance) {
                self.roles.add(role);
            }
            let (since, waiting) = (tracker.waiting_since, tracker.waiting.len());
            tracker.add(instance);
            self.revive_wanted |= tracker.waiting.len() > waiting;
            if instance.is_to_be_released() && self.releasing.insert(id.clone()) {
                self.revive_wanted = true;
            }
            let now_since = tracker.waiting_since;
            self.requeue(&id.run_spec, since, now_since);
        } else {
            // An instance less may let a constraint hold for those that wait.
            self.revive_wanted |= !tracker.waiting.is_empty();
        }
        self.touch(&id.run_spec);
    }

    /// Moves a run spec to its place in the queue.
    fn requeue(&mut self, id: &RunSpecId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if from != to {
            if let Some(from) = from {
                self.queue.remove(&(from, id.clone()));
            }
            self.queue.extend(to.map(|to| (to, id.clone())));
        }
    }

    /// Another definition takes the place of this one, or none does.
    fn release_definition(&mut self, id: &RunSpecId) {
        if let Some(definition) = self.state.run_specs.get(id).and_then(RunSpecState::definition) {
            self.service_ports.remove(definition);
            self.apps -= usize::from(definition.shape() == Shape::App);
            self.roles.remove(&definition.role);
        }
    }

    fn tracker(&mut self, id: &RunSpecId) -> &mut super::Tracker {
        self.trackers.entry(id.clone()).or_default()
    }

    /// Has a run spec looked at again.
    pub(super) fn touch(&mut self, id: &RunSpecId) {
        self.dirty.insert(id.clone());
        self.queue_changed.insert(id.clone());
    }
}

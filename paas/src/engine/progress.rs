//! When a deployment has failed, and what follows; and what its run specs ask of it beyond their upgrade strategy.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::{Now, Timestamp};

use super::timers::Timer;
use super::{Effects, Engine, Fact};
use crate::model::{
    Deployment, DeploymentId, DeploymentPolicy, EndedDeployment, Ending, InstanceId, OnFailure, Pause, RunSpec,
    RunSpecId,
};

/// A budget of kills is one of so long.
const MINUTE_MS: u64 = 60_000;
/// So many ended deployments are remembered.
const ENDED_MAX: usize = 100;

impl Engine {
    /// A step of a deployment begins, or goes on after a pause: its deadlines count from here.
    pub(super) fn step_begins(&mut self, now: Now, id: DeploymentId) {
        self.step_began.insert(id, now.wall);
        for run_spec in self.state.deployments.get(&id).into_iter().flat_map(|deployment| deployment.changes.keys()) {
            self.most_serving.remove(run_spec);
        }
        self.timers.set(now.tick, Timer::Deadline(id));
    }

    /// Looks whether a deployment has made no progress for too long.
    pub(super) fn check_deadline(&mut self, now: Now, id: DeploymentId, out: &mut Effects) {
        let Some(deployment) = self.state.deployments.get(&id).filter(|deployment| deployment.hold.paused.is_none())
        else {
            return;
        };
        let Some(step) = deployment.steps.get(deployment.current_step) else { return };
        let waited_for = |id: &&RunSpecId| !deployment.hold.given_up.contains_key(*id);
        let open = step.actions.iter().map(|action| &action.run_spec).filter(waited_for);
        let due = |id: &RunSpecId| Some((self.due(deployment, id)?, id.clone()));
        let mut dues: Vec<(Timestamp, RunSpecId)> = open.filter_map(due).collect();
        dues.sort();
        let kinds: BTreeMap<RunSpecId, _> =
            step.actions.iter().map(|action| (action.run_spec.clone(), action.kind)).collect();
        for (due, run_spec) in dues {
            if self.is_satisfied(now, kinds[&run_spec], &run_spec) {
                continue;
            }
            match due <= now.wall {
                true => self.fail(now, id, &run_spec, out),
                false => self.timers.set_at(now, due, Timer::Deadline(id)),
            }
            return;
        }
    }

    /// When a run spec has made no progress for too long; none: it may take for ever.
    fn due(&self, deployment: &Deployment, id: &RunSpecId) -> Option<Timestamp> {
        let definition = self.goal_of(deployment, id)?;
        let deadline_ms = self.state.policy(definition).progress_deadline_ms?;
        let progress = self.most_serving.get(id).map(|(_, at)| *at);
        let since = self.step_began.get(&deployment.id).copied().max(progress)?;
        Some(Timestamp(since.0.saturating_add_unsigned(deadline_ms)))
    }

    /// So many instances of the goal of a deployment have served for long enough now. More than ever before in this step are progress:
    /// one that comes up and goes down again, over and over, is none.
    pub(super) fn note_progress(&mut self, now: Now, id: &RunSpecId, serving: u32) {
        let most = self.most_serving.get(id).map_or(0, |(most, _)| *most);
        if serving > most {
            self.most_serving.insert(id.clone(), (serving, now.wall));
        }
    }

    /// What a deployment makes of a run spec; of one that it removes, what it was.
    fn goal_of<'a>(&'a self, deployment: &Deployment, id: &RunSpecId) -> Option<&'a Arc<RunSpec>> {
        let change = deployment.changes.get(id)?;
        let versions = &self.state.run_specs.get(id)?.versions;
        versions.get(&change.to.or(change.from)?)
    }

    /// A run spec has made no progress for too long.
    fn fail(&mut self, now: Now, id: DeploymentId, run_spec: &RunSpecId, out: &mut Effects) {
        let Some(deployment) = self.state.deployments.get(&id).cloned() else { return };
        let Some(definition) = self.goal_of(&deployment, run_spec).cloned() else { return };
        let policy = self.state.policy(&definition);
        let cause = self.cause(now, &definition, policy);
        match policy.on_failure {
            OnFailure::RollBack if deployment.undoes.is_none() => self.roll_back_failed(now, id, cause, out),
            // The way back is not taken back.
            OnFailure::RollBack => self.end_deployment(now, id, Ending::Failed { cause }, out),
            OnFailure::Pause => {
                let mut held = Box::new(deployment);
                held.hold.paused = Some(Pause { since: now.wall, cause: Some(cause) });
                self.record(now, Fact::DeploymentHeld { deployment: held }, out);
            }
            OnFailure::Continue => {
                let mut held = Box::new(deployment);
                held.hold.given_up.insert(run_spec.clone(), cause);
                self.record(now, Fact::DeploymentHeld { deployment: held }, out);
            }
        }
    }

    fn roll_back_failed(&mut self, now: Now, id: DeploymentId, cause: String, out: &mut Effects) {
        match self.draft_roll_back(now, id) {
            Ok(draft) => {
                self.deploy(now, super::deployments::Draft { undoes: Some((id, cause)), ..draft }, out);
            }
            Err(refusal) => {
                let cause = format!("{cause}; it cannot be rolled back: {refusal}");
                self.end_deployment(now, id, Ending::Failed { cause }, out);
            }
        }
    }

    /// Why a deployment has failed, for people.
    fn cause(&mut self, now: Now, definition: &RunSpec, policy: DeploymentPolicy) -> String {
        let id = &definition.id;
        let seconds = policy.progress_deadline_ms.unwrap_or_default() / 1_000;
        let unsettled = self.unsettled(now, definition, policy);
        let new = self.trackers.get(id).map(|tracker| tracker.standing(definition.generation));
        let serving = new.map_or(0, |standing| standing.unsettled(unsettled).ready);
        let wanted = definition.instances;
        let state = self.state.run_specs.get(id);
        let failure = state.and_then(|state| state.last_failure.as_ref());
        let failure =
            failure.filter(|failure| failure.version == definition.version).map_or_else(String::new, |failure| {
                format!("; its last task ended as {}: {}", failure.state.name(), failure.message.replace('\0', " "))
            });
        format!("{id} made no progress for {seconds} s: {serving} of {wanted} new instances serve{failure}")
    }

    /// Ends a deployment, and remembers that.
    pub(super) fn end_deployment(&mut self, now: Now, id: DeploymentId, ending: Ending, out: &mut Effects) {
        let Some(deployment) = self.state.deployments.get(&id) else { return };
        let remembered = !deployment.steps.is_empty();
        let ended = remembered.then(|| {
            Box::new(EndedDeployment {
                id,
                version: deployment.version,
                run_specs: deployment.changes.keys().cloned().collect(),
                pods: deployment.pods.clone(),
                ending: ending.clone(),
                steps_done: deployment.current_step,
                steps: deployment.steps.len(),
                began_at: deployment.began_at,
                ended_at: now.wall,
            })
        });
        let surplus = (self.state.ended.len() + usize::from(remembered)).saturating_sub(ENDED_MAX);
        let mut oldest: Vec<(Timestamp, DeploymentId)> = Vec::new();
        if surplus > 0 {
            oldest = self.state.ended.values().map(|ended| (ended.ended_at, ended.id)).collect();
            oldest.sort_unstable();
        }
        let forgotten = oldest.into_iter().take(surplus).map(|(_, id)| id).collect();
        self.record(now, Fact::DeploymentEnded { id, ending, ended, forgotten }, out);
    }

    /// How many instances of what a definition brings serve, but not for as long as they should.
    pub(super) fn unsettled(&mut self, now: Now, definition: &RunSpec, policy: DeploymentPolicy) -> u32 {
        let (id, settles_ms) = (&definition.id, policy.settles_ms(definition));
        if settles_ms == 0 {
            return 0;
        }
        let instances = self.state.run_specs.get(id).into_iter().flat_map(|state| state.instances.values());
        let new = instances.filter(|instance| instance.generation == definition.generation);
        let settles = |since: Timestamp| Timestamp(since.0.min(now.wall.0).saturating_add_unsigned(settles_ms));
        let settling: Vec<Timestamp> =
            new.filter_map(|instance| instance.serving_since().map(settles)).filter(|at| *at > now.wall).collect();
        if let Some(next) = settling.iter().min() {
            self.timers.set_at(now, *next, Timer::Look(id.clone()));
        }
        u32::try_from(settling.len()).unwrap_or(u32::MAX)
    }

    /// So many of the instances that are to be killed may be killed now.
    pub(super) fn affordable(&mut self, now: Now, id: &RunSpecId, wanted: u32, policy: DeploymentPolicy) -> u32 {
        let Some(most) = policy.kills_per_minute.filter(|_| wanted > 0) else { return wanted };
        let Some(tracker) = self.trackers.get_mut(id) else { return wanted };
        while tracker.kills.front().is_some_and(|at| now.tick.since(*at) >= MINUTE_MS) {
            tracker.kills.pop_front();
        }
        let left = most.saturating_sub(u32::try_from(tracker.kills.len()).unwrap_or(u32::MAX));
        if left < wanted {
            let next = tracker.kills.front().map_or(now.tick, |at| *at).after(MINUTE_MS);
            self.timers.set(next, Timer::Look(id.clone()));
        }
        wanted.min(left)
    }

    /// A kill was decided.
    pub(super) fn count_kill(&mut self, now: Now, id: &InstanceId) {
        let current = self.current(&id.run_spec);
        let limited = current.is_some_and(|current| self.state.policy(current).kills_per_minute.is_some());
        if let Some(tracker) = self.trackers.get_mut(&id.run_spec).filter(|_| limited) {
            tracker.kills.push_back(now.tick);
        }
    }

    /// A run spec may be able to go on, with a deployment or with kills that were put off.
    pub(super) fn look_again(&mut self, now: Now, id: &RunSpecId, out: &mut Effects) {
        self.kill_put_off(now, id, out);
        self.touch(id);
    }
}

//! From what a run spec should be to what is done for it now.
//!
//! Nothing here remembers how far it has come: each look starts from the definition, the deployment that holds it, and how its
//! instances stand. So it goes on by itself after a failover, a lost agent, or a failure in the middle.

use std::sync::Arc;

use attica_core_api::Now;

use super::timers::Timer;
use super::{Cause, Effects, Engine, Fact};
use crate::deployment::{Leeway, Standing, rolling_step, victims};
use crate::model::{
    ActionKind, Condition, Deployment, Goal, Instance, InstanceId, RunSpec, RunSpecId, Upgrade, Version,
};

/// What a run spec's instances should come to now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pursuit {
    /// So many instances, of this definition when they are launched anew; those that run are left in peace.
    Keep {
        /// How many.
        count: u32,
        /// What is launched.
        definition: Arc<RunSpec>,
    },
    /// All instances of this definition's generation, by its upgrade strategy.
    Replace(Arc<RunSpec>),
    /// None at all.
    Nothing,
}

impl Pursuit {
    /// What a waiting instance is launched as.
    pub(super) fn definition(&self) -> Option<&Arc<RunSpec>> {
        match self {
            Self::Keep { definition, .. } | Self::Replace(definition) => Some(definition),
            Self::Nothing => None,
        }
    }
}

impl Engine {
    /// What a run spec's instances should come to now.
    pub(super) fn pursuit(&self, id: &RunSpecId) -> Pursuit {
        let Some(state) = self.state.run_specs.get(id) else { return Pursuit::Nothing };
        let keep = |definition: Option<&Arc<RunSpec>>| match definition {
            Some(definition) => Pursuit::Keep { count: definition.instances, definition: Arc::clone(definition) },
            None => Pursuit::Nothing,
        };
        let Some(deployment) = self.lock_of(id) else { return keep(state.definition()) };
        let change = deployment.changes.get(id).copied();
        let version = |version: Option<Version>| version.and_then(|version| state.versions.get(&version));
        match action_so_far(deployment, id) {
            None => keep(version(change.and_then(|change| change.from))),
            Some(ActionKind::Scale) => keep(version(change.and_then(|change| change.to))),
            Some(ActionKind::Restart) => match version(change.and_then(|change| change.to)) {
                Some(definition) => Pursuit::Replace(Arc::clone(definition)),
                None => Pursuit::Nothing,
            },
            // A new run spec without instances yet, or a removed one.
            Some(ActionKind::Start | ActionKind::Stop) => Pursuit::Nothing,
        }
    }

    /// Does for a run spec what can be done now.
    pub(super) fn pursue(&mut self, now: Now, id: &RunSpecId, out: &mut Effects) {
        let paused = self.lock_of(id).is_some_and(|deployment| deployment.hold.paused.is_some());
        match self.pursuit(id) {
            _ if paused => {}
            Pursuit::Nothing => self.decommission_where(now, id, |instance| instance.goal != Goal::Decommissioned, out),
            Pursuit::Keep { count, definition } => self.keep(now, count, &definition, out),
            Pursuit::Replace(definition) => self.replace(now, &definition, out),
        }
        self.forget_if_over(now, id, out);
    }

    /// Brings the number of instances to `count`.
    fn keep(&mut self, now: Now, count: u32, definition: &Arc<RunSpec>, out: &mut Effects) {
        let active = self.standing(&definition.id).active();
        self.start(now, definition, count.saturating_sub(active), out);
        let surplus = active.saturating_sub(count);
        let surplus = self.affordable(now, &definition.id, surplus, self.state.policy(definition));
        if surplus > 0 {
            self.kill_some(now, definition, surplus, |_| true, out);
        }
    }

    /// Goes on with a rolling restart.
    fn replace(&mut self, now: Now, definition: &Arc<RunSpec>, out: &mut Effects) {
        let generation = definition.generation;
        let nobody_misses = |instance: &Instance| {
            instance.goal == Goal::Running
                && instance.generation != generation
                && matches!(instance.condition, Condition::Scheduled | Condition::UnreachableInactive)
        };
        let policy = self.state.policy(definition);
        let mut leeway = Leeway::OneMore;
        if definition.is_resident() {
            self.adopt(now, definition, out);
            leeway = Leeway::OneLess;
        }
        let (old, new) = self.standings(&definition.id, generation);
        let new = new.unsettled(self.unsettled(now, definition, policy));
        if old.waiting + old.inactive > 0 {
            self.decommission_where(now, &definition.id, nobody_misses, out);
        }
        let step = rolling_step(definition.instances, self.upgrade_of(definition), leeway, old, new);
        self.start(now, definition, step.start, out);
        let kill_old = self.affordable(now, &definition.id, step.kill_old, policy);
        if kill_old > 0 {
            self.kill_some(now, definition, kill_old, |instance| instance.generation != generation, out);
        }
        if step.kill_new > 0 {
            self.kill_some(now, definition, step.kill_new, |instance| instance.generation == generation, out);
        }
    }

    /// By which capacities a run spec's instances are replaced.
    pub(super) fn upgrade_of(&self, definition: &RunSpec) -> Upgrade {
        match self.state.policy(definition).replace_before_kill {
            true => Upgrade { minimum_health_capacity: 1.0, ..definition.upgrade },
            false => definition.upgrade,
        }
    }

    /// Makes instances, which then wait for offers; those that were only stopped come first.
    fn start(&mut self, now: Now, definition: &RunSpec, count: u32, out: &mut Effects) {
        let resumed = if definition.is_resident() { self.resume(now, definition, count, out) } else { 0 };
        for _ in resumed..count {
            let id = InstanceId { run_spec: definition.id.clone(), uuid: self.entropy.uuid() };
            let instance = Box::new(Instance {
                id,
                version: definition.version,
                generation: definition.generation,
                goal: Goal::Running,
                condition: Condition::Scheduled,
                incarnation: 0,
                scheduled_at: now.wall,
                task: None,
                reservation: None,
            });
            self.record(now, Fact::InstanceChanged { instance, cause: Cause::Created }, out);
        }
    }

    /// Kills some of the instances that are wanted to run and are `among` the given, in the order of the kill policy.
    fn kill_some(
        &mut self,
        now: Now,
        definition: &RunSpec,
        count: u32,
        among: impl Fn(&Instance) -> bool,
        out: &mut Effects,
    ) {
        let Some(state) = self.state.run_specs.get(&definition.id) else { return };
        let active = |instance: &&Instance| {
            instance.goal == Goal::Running && instance.condition != Condition::UnreachableInactive && among(instance)
        };
        let candidates = state.instances.values().filter(active);
        let constraints = &definition.placement.constraints;
        for victim in victims(candidates, count, constraints, definition.kill_selection) {
            self.decommission(now, &victim, Goal::Stopped, out);
        }
    }

    /// Sends all matching instances on their way out for good.
    fn decommission_where(&mut self, now: Now, id: &RunSpecId, which: impl Fn(&Instance) -> bool, out: &mut Effects) {
        let Some(state) = self.state.run_specs.get(id) else { return };
        let matching = state.instances.values().filter(|instance| which(instance));
        let victims: Vec<InstanceId> = matching.map(|instance| instance.id.clone()).collect();
        for victim in victims {
            self.decommission(now, &victim, Goal::Decommissioned, out);
        }
    }

    /// Sends an instance on its way out, which one for which nothing is kept does for good. Its task is killed; without a task, or out
    /// of contact, such a one is forgotten at once: a task that comes back from out of contact belongs to nobody then, and is killed for
    /// that.
    pub(super) fn decommission(&mut self, now: Now, id: &InstanceId, goal: Goal, out: &mut Effects) {
        let Some(instance) = self.state.instance(id) else { return };
        let is_kept = instance.reservation.is_some();
        let mut changed = Box::new(instance.clone());
        changed.goal = if is_kept { goal } else { Goal::Decommissioned };
        match instance.condition {
            Condition::Scheduled if is_kept => {
                self.timers.set(now.tick, Timer::Reservation(id.clone()));
                self.record(now, Fact::InstanceChanged { instance: changed, cause: Cause::Decided }, out);
            }
            Condition::Scheduled => self.forget(now, id.clone(), Condition::Killed, out),
            Condition::Unreachable | Condition::UnreachableInactive if !is_kept => {
                self.forget(now, id.clone(), Condition::Gone, out)
            }
            Condition::Unreachable
            | Condition::UnreachableInactive
            | Condition::Provisioned
            | Condition::Staging
            | Condition::Starting
            | Condition::Running
            | Condition::Killing
            | Condition::Killed
            | Condition::Finished
            | Condition::Failed
            | Condition::Error
            | Condition::Gone
            | Condition::Dropped
            | Condition::Unknown => self.sentence(now, changed, Cause::Decided, out),
        }
    }

    /// Decides that the task of an instance is killed.
    pub(super) fn sentence(&mut self, now: Now, mut instance: Box<Instance>, cause: Cause, out: &mut Effects) {
        let id = instance.id.clone();
        let unsentenced = instance.task.as_mut().filter(|task| task.sentenced_at.is_none());
        let is_new = unsentenced.map(|task| task.sentenced_at = Some(now.wall)).is_some();
        self.record(now, Fact::InstanceChanged { instance, cause }, out);
        if is_new {
            self.count_kill(now, &id);
            self.drain(now, &id);
        }
    }

    /// Removes an instance.
    pub(super) fn forget(&mut self, now: Now, id: InstanceId, condition: Condition, out: &mut Effects) {
        self.kill_over(&id);
        self.record(now, Fact::InstanceForgotten { id, condition }, out);
    }

    /// Lets a removed run spec go when none of its instances is left and no deployment may bring it back.
    fn forget_if_over(&mut self, now: Now, id: &RunSpecId, out: &mut Effects) {
        let over =
            self.state.run_specs.get(id).is_some_and(|state| state.current.is_none() && state.instances.is_empty());
        if over && self.lock_of(id).is_none() {
            self.depart(now, id, out);
        }
    }

    /// True when an action has reached what it is for.
    pub(super) fn is_satisfied(&mut self, now: Now, kind: ActionKind, id: &RunSpecId) -> bool {
        match (kind, self.pursuit(id)) {
            (ActionKind::Start, _) => true,
            (ActionKind::Stop, _) => self.standing(id).total() == 0,
            (ActionKind::Scale, Pursuit::Keep { count, definition }) => {
                let policy = self.state.policy(&definition);
                let standing = self.standing(id).unsettled(self.unsettled(now, &definition, policy));
                self.note_progress(now, id, standing.ready);
                standing.ready == count && standing.active() == count && standing.leaving == 0
            }
            (ActionKind::Restart, Pursuit::Replace(definition)) => {
                let (old, new) = self.standings(id, definition.generation);
                let policy = self.state.policy(&definition);
                let new = new.unsettled(self.unsettled(now, &definition, policy));
                self.note_progress(now, id, new.ready);
                let count = definition.instances;
                old.total() == 0 && new.ready == count && new.active() == count && new.leaving == 0
            }
            // The definition is gone from under the deployment, which cannot be; there is nothing to wait for.
            (ActionKind::Scale | ActionKind::Restart, _) => true,
        }
    }

    fn standing(&self, id: &RunSpecId) -> Standing {
        self.trackers.get(id).map(super::tracker::Tracker::standing_of_all).unwrap_or_default()
    }

    /// How the instances of other generations stand, and how those of this one do.
    fn standings(&self, id: &RunSpecId, generation: Version) -> (Standing, Standing) {
        let standings =
            self.trackers.get(id).map(|tracker| (tracker.standing_of_others(generation), tracker.standing(generation)));
        standings.unwrap_or_default()
    }
}

/// The latest action on a run spec up to the current step.
fn action_so_far(deployment: &Deployment, id: &RunSpecId) -> Option<ActionKind> {
    let begun = deployment.steps.iter().take(deployment.current_step + 1);
    begun.flat_map(|step| &step.actions).filter(|action| action.run_spec == *id).map(|action| action.kind).next_back()
}

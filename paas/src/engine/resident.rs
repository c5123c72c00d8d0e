//! Instances that stay with their volumes: where they are placed, and what becomes of what is kept for them.
//!
//! The first launch of an instance reserves everything that its task uses, makes its volumes and starts the task, all in one call, after
//! the fact that names the volumes. From then on the instance takes offers of exactly that reservation, until it is given up: by a wipe,
//! with its run spec, or because it cannot be had any more.
//!
//! ```text
//!  Running ──────── scaled down, replaced ────────► Stopped ─── wanted again ───► Running
//!     │                                                │
//!     └── wiped, run spec removed, given up ──► Decommissioned ── destroyed and unreserved ──► (nobody)
//! ```
//!
//! A call may be lost together with the connection, or find its offer gone. So what was asked for and not seen yet is waited for with a
//! limit only; and what is offered as kept for an instance that is not there is given back.

use attica_core_api::{Now, Timestamp};

use super::timers::Timer;
use super::{Cause, Effects, Engine, Fact};
use crate::model::{
    Condition, Goal, Instance, InstanceId, LocalVolume, Reservation, RunSpec, RunSpecId, TaskLost, Version,
};
use crate::placement::{
    Awaited, Candidate, Mark, Outcome, Owner, Placed, RejectReason, Rejected, Stock, place, place_held,
};

/// A place for a waiting instance.
pub(super) struct Found {
    pub(super) instance: InstanceId,
    pub(super) place: Placed,
}

impl Engine {
    /// Finds places for the waiting instances of a run spec with volumes: what is theirs for those that have something, and room for
    /// new reservations for the others.
    pub(super) fn place_residents(
        &mut self,
        now: Now,
        definition: &RunSpec,
        stock: &mut Stock,
    ) -> (Outcome, Vec<Found>) {
        let waiting = self.trackers.get(&definition.id).map(|tracker| tracker.waiting.clone()).unwrap_or_default();
        let (mut found, mut new) = (Vec::new(), Vec::new());
        let mut rejected: Vec<Rejected> = Vec::new();
        for id in waiting {
            let Some(awaited) = self.state.instance(&id).and_then(awaited) else {
                new.push(id);
                continue;
            };
            let order = self.order(now, definition, 1, |other| other.id != id);
            match place_held(&order, &awaited, stock) {
                Ok(place) => found.push(Found { instance: id, place }),
                Err(reasons) => rejected.extend(reasons),
            }
        }
        let mut outcome = match new.is_empty() {
            true => Outcome::default(),
            false => place(&self.order(now, definition, new.len(), |_| true), stock),
        };
        let places = std::mem::take(&mut outcome.placed);
        found.extend(new.into_iter().zip(places).map(|(instance, place)| Found { instance, place }));
        let used = |candidate: usize| found.iter().any(|found| found.place.candidate == candidate);
        outcome.used = (0..stock.candidates.len()).filter(|candidate| used(*candidate)).count();
        outcome.rejected.retain(|rejected| !used(rejected.candidate));
        for candidate in (0..stock.candidates.len()).filter(|candidate| !used(*candidate)) {
            let known = outcome.rejected.iter().any(|rejected| rejected.candidate == candidate);
            if !known {
                let own = rejected.iter().position(|rejected| rejected.candidate == candidate);
                let nothing = || Rejected { candidate, reasons: vec![RejectReason::NoCorrespondingReservationFound] };
                outcome.rejected.push(own.map_or_else(nothing, |own| rejected.swap_remove(own)));
            }
        }
        (outcome, found)
    }

    /// What is kept for an instance from this launch on, and its place with that.
    pub(super) fn reservation_of(
        &mut self,
        waiting: &Instance,
        definition: &RunSpec,
        candidate: &mut Candidate,
        place: Placed,
    ) -> (Option<Box<Reservation>>, Placed) {
        if let Some(kept) = &waiting.reservation {
            return (Some(Box::new(Reservation { confirmed: true, ..Reservation::clone(kept) })), place);
        }
        // There are no offers without a framework.
        let Some(framework) = self.state.framework_id.clone().filter(|_| definition.is_resident()) else {
            return (None, place);
        };
        let volumes = definition.persistent_volumes().into_iter();
        let volumes: Vec<LocalVolume> =
            volumes.map(|(name, _)| LocalVolume { name: name.to_owned(), uuid: self.entropy.uuid() }).collect();
        let mark = Mark {
            owner: Owner { framework: framework.clone(), instance: waiting.id.clone() },
            role: &definition.role,
            principal: self.config.principal.as_deref(),
        };
        let place = candidate.operations.keep(&mark, &volumes, place);
        let agent = std::sync::Arc::clone(&candidate.agent);
        let role = definition.role.clone();
        (Some(Box::new(Reservation { agent, framework, role, volumes, confirmed: false })), place)
    }

    /// Gives back what the offers hold for instances that need it no longer, or that are not there.
    pub(super) fn release_unneeded(&mut self, now: Now, stock: &mut Stock, out: &mut Effects) {
        for candidate in &mut stock.candidates {
            for owner in candidate.held.keys().cloned().collect::<Vec<_>>() {
                let unneeded = match self.state.instance(&owner.instance) {
                    // What another framework has reserved is its own affair.
                    None => self.state.framework_id.as_ref() == Some(&owner.framework),
                    Some(instance) => !instance.is_kept(&owner, candidate) || instance.is_to_be_released(),
                };
                if unneeded && let Some(holding) = candidate.held.remove(&owner) {
                    candidate.operations.release(holding);
                    self.sweep(now);
                    if self.releasing.contains(&owner.instance) {
                        self.forget(now, owner.instance, Condition::Killed, out);
                    }
                }
            }
        }
    }

    /// Has offers looked through for a while, for what is kept for nobody.
    pub(super) fn sweep(&mut self, now: Now) {
        let until = now.tick.after(self.config.reservation_timeout_ms);
        self.sweeping_until = Some(until);
        self.timers.set(until, Timer::Sweep);
        self.revive_wanted = true;
    }

    /// Looks whether an instance has waited for too long for what is kept for it.
    pub(super) fn check_reservation(&mut self, now: Now, id: &InstanceId, out: &mut Effects) {
        let Some(instance) = self.state.instance(id) else { return };
        let Some(until) = self.waits_until(instance) else { return };
        if now.wall < until {
            return self.timers.set_at(now, until, Timer::Reservation(id.clone()));
        }
        match instance.reservation.as_ref().is_some_and(|kept| kept.confirmed) {
            true => self.decommission(now, id, Goal::Decommissioned, out),
            // It has never come to be, or will show up as kept for nobody.
            false => {
                self.forget(now, id.clone(), Condition::Dropped, out);
                self.sweep(now);
            }
        }
    }

    /// Until when an instance waits for what is kept for it; none: for ever, or it need not wait.
    fn waits_until(&self, instance: &Instance) -> Option<Timestamp> {
        let kept = instance.reservation.as_ref()?;
        if instance.condition == Condition::Scheduled && !kept.confirmed {
            return Some(Timestamp(
                instance.scheduled_at.0.saturating_add_unsigned(self.config.reservation_timeout_ms),
            ));
        }
        let away = instance.task.as_ref().and_then(|task| task.unreachable_since);
        let since = away.or((instance.condition == Condition::Scheduled).then_some(instance.scheduled_at))?;
        let residency = self.running_definition(instance)?.residency?;
        match (residency.task_lost, instance.goal) {
            (TaskLost::RelaunchAfterTimeout, Goal::Running) => {
                Some(Timestamp(since.0.saturating_add_unsigned(residency.relaunch_timeout_ms)))
            }
            (TaskLost::WaitForever, _) | (_, Goal::Stopped | Goal::Decommissioned) => None,
        }
    }

    /// Wants so many instances again that were stopped; so many were found.
    pub(super) fn resume(&mut self, now: Now, definition: &RunSpec, count: u32, out: &mut Effects) -> u32 {
        let Some(state) = self.state.run_specs.get(&definition.id) else { return 0 };
        let fits = |instance: &&Instance| {
            // One that is still being killed runs an old version until then.
            let settled = instance.condition == Condition::Scheduled || instance.generation == definition.generation;
            instance.goal == Goal::Stopped && settled
        };
        let stopped: Vec<Instance> = state.instances.values().filter(fits).take(count as usize).cloned().collect();
        for mut instance in stopped.iter().cloned().map(Box::new) {
            instance.goal = Goal::Running;
            if instance.condition == Condition::Scheduled {
                (instance.version, instance.generation) = (definition.version, definition.generation);
                instance.scheduled_at = now.wall;
            }
            self.timers.set(now.tick, Timer::Reservation(instance.id.clone()));
            let cause = if instance.task.is_none() { Cause::Created } else { Cause::Decided };
            self.record(now, Fact::InstanceChanged { instance, cause }, out);
        }
        stopped.len() as u32
    }

    /// Has the waiting instances of earlier generations run this one: they have no task that would have to be replaced.
    pub(super) fn adopt(&mut self, now: Now, definition: &RunSpec, out: &mut Effects) {
        let (id, version, generation): (&RunSpecId, Version, Version) =
            (&definition.id, definition.version, definition.generation);
        let Some(state) = self.state.run_specs.get(id) else { return };
        let is_old = |instance: &&Instance| {
            instance.goal == Goal::Running
                && instance.condition == Condition::Scheduled
                && instance.generation != generation
        };
        let old: Vec<Instance> = state.instances.values().filter(is_old).cloned().collect();
        for instance in old {
            let instance = Box::new(Instance { version, generation, ..instance });
            self.record(now, Fact::InstanceChanged { instance, cause: Cause::Decided }, out);
        }
    }
}

impl Instance {
    /// Whether this is what is kept for it.
    fn is_kept(&self, owner: &Owner, candidate: &Candidate) -> bool {
        let own = |kept: &Reservation| kept.framework == owner.framework && kept.agent.id == candidate.agent.id;
        self.reservation.as_ref().is_some_and(|kept| own(kept))
    }
}

/// What a waiting instance waits for; none when nothing is kept for it yet.
fn awaited(instance: &Instance) -> Option<Awaited> {
    let kept = instance.reservation.as_ref()?;
    let owner = Owner { framework: kept.framework.clone(), instance: instance.id.clone() };
    let volumes = kept.volumes.iter().map(|volume| volume.persistence_id(&instance.id.run_spec)).collect();
    Some(Awaited { owner, volumes })
}

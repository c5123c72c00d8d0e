//! What is known about a run spec beside its durable state; all of it follows from that, or may be forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use attica_core_api::{Tick, Timestamp};

use super::launch_queue::OfferSummary;
use super::snapshot::RunSpecState;
use crate::deployment::Standing;
use crate::model::{Condition, DeploymentId, Goal, Instance, InstanceId, Version};

/// Kept up to date with every fact, so that a decision looks at counts and not at instances.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tracker {
    /// How the instances of each generation stand.
    census: BTreeMap<Version, Standing>,
    /// The instances that wait for an offer.
    pub(super) waiting: BTreeSet<InstanceId>,
    /// Since when there are any.
    pub(super) waiting_since: Option<Timestamp>,
    /// When instances that might serve were killed in the last minute, as long as somebody limits that.
    pub(super) kills: VecDeque<Tick>,
    /// The deployment that holds the run spec.
    pub(super) lock: Option<DeploymentId>,
    /// What became of the offers since `waiting_since`.
    pub(super) offers: OfferSummary,
    /// True while the read model shows it in the queue.
    pub(super) shown: bool,
}

impl Tracker {
    /// The tracker of a run spec as it stands.
    pub(super) fn of(state: &RunSpecState) -> Self {
        let mut tracker = Self::default();
        state.instances.values().for_each(|instance| tracker.add(instance));
        tracker
    }

    /// How the instances of one generation stand.
    pub(super) fn standing(&self, generation: Version) -> Standing {
        self.census.get(&generation).copied().unwrap_or_default()
    }

    /// How all others stand.
    pub(super) fn standing_of_others(&self, generation: Version) -> Standing {
        let others = self.census.iter().filter(|(other, _)| **other != generation);
        others.fold(Standing::default(), |sum, (_, standing)| sum.plus(*standing))
    }

    /// How all instances stand.
    pub(super) fn standing_of_all(&self) -> Standing {
        self.census.values().fold(Standing::default(), |sum, standing| sum.plus(*standing))
    }

    /// An instance is there, or is there in a new form ([`Tracker::remove`] its old one first).
    pub(super) fn add(&mut self, instance: &Instance) {
        let mut one = Standing::default();
        if let Some(count) = count(&mut one, instance) {
            *count = 1;
            let standing = self.census.entry(instance.generation).or_default();
            *standing = standing.plus(one);
        }
        if waits(instance) {
            self.waiting.insert(instance.id.clone());
            let since = self.waiting_since.get_or_insert(instance.scheduled_at);
            *since = (*since).min(instance.scheduled_at);
        }
    }

    /// An instance is gone, or its old form is.
    pub(super) fn remove(&mut self, instance: &Instance) {
        if let Some(standing) = self.census.get_mut(&instance.generation)
            && let Some(count) = count(standing, instance)
        {
            *count -= 1;
            if standing.total() == 0 {
                self.census.remove(&instance.generation);
            }
        }
        if waits(instance) {
            self.waiting.remove(&instance.id);
            if self.waiting.is_empty() {
                self.waiting_since = None;
                self.offers = OfferSummary::default();
            }
        }
    }
}

/// The count in which an instance is; none for one that is not waited for, though something is kept for it.
fn count<'a>(standing: &'a mut Standing, instance: &Instance) -> Option<&'a mut u32> {
    match (instance.goal, instance.condition) {
        (
            Goal::Stopped | Goal::Decommissioned,
            Condition::Scheduled | Condition::Unreachable | Condition::UnreachableInactive,
        ) => None,
        (Goal::Stopped | Goal::Decommissioned, _) => Some(&mut standing.leaving),
        (Goal::Running, Condition::Scheduled) => Some(&mut standing.waiting),
        (Goal::Running, Condition::UnreachableInactive) => Some(&mut standing.inactive),
        (Goal::Running, _) if instance.is_ready() => Some(&mut standing.ready),
        (Goal::Running, _) => Some(&mut standing.unready),
    }
}

fn waits(instance: &Instance) -> bool {
    instance.goal == Goal::Running && instance.condition == Condition::Scheduled
}

//! The life of deployments: begun by writes, advanced step by step, ended one way or another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::Now;

use super::{Effects, Engine, Fact, Refusal};
use crate::deployment::{Cycle, Planned, layers, steps};
use crate::model::{Change, Deployment, DeploymentId, Ending, RunSpec, RunSpecId, Shape, Version};

/// One run spec of a write, after everything about it was checked.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Which.
    pub(super) id: RunSpecId,
    /// What it becomes; none: it is removed.
    pub(super) to: Option<Arc<RunSpec>>,
}

/// What running deployments are to a write that changes their run specs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// The write is refused.
    Refuse,
    /// They end, and the write's deployment takes over.
    TakeOver,
}

impl Engine {
    /// The deployment that holds a run spec.
    pub(super) fn lock_of(&self, id: &RunSpecId) -> Option<&Deployment> {
        self.state.deployments.get(&self.trackers.get(id)?.lock?)
    }

    /// A version later than every version of these run specs.
    pub(super) fn next_version<'a>(&self, now: Now, ids: impl IntoIterator<Item = &'a RunSpecId>) -> Version {
        let latest =
            |id: &RunSpecId| self.state.run_specs.get(id)?.versions.last_key_value().map(|(version, _)| *version);
        let latest = ids.into_iter().filter_map(latest).max();
        latest.map_or(Version(now.wall), |latest| latest.next(now.wall))
    }

    /// The running deployments that hold any of these run specs, in the order of their ids.
    pub(super) fn in_the_way<'a>(&self, ids: impl IntoIterator<Item = &'a RunSpecId>) -> BTreeSet<DeploymentId> {
        ids.into_iter().filter_map(|id| self.trackers.get(id)?.lock).collect()
    }

    /// Checks that a deployment of these targets may begin: nothing in the way, and not too many running.
    pub(super) fn admit(&self, targets: &[Target], conflict: Conflict) -> Result<BTreeSet<DeploymentId>, Refusal> {
        let superseded = self.in_the_way(targets.iter().map(|target| &target.id));
        if conflict == Conflict::Refuse && !superseded.is_empty() {
            return Err(Refusal::Locked { deployments: superseded.into_iter().collect() });
        }
        let limit = self.config.running_deployments_max;
        if !targets.is_empty() && self.state.deployments.len() - superseded.len() >= limit {
            return Err(Refusal::TooManyDeployments { limit });
        }
        Ok(superseded)
    }

    /// The layers of the dependency graph as it will be with `targets` in place.
    pub(super) fn layers_with(&self, targets: &[Target]) -> Result<BTreeMap<RunSpecId, u32>, Cycle> {
        let changed: BTreeMap<&RunSpecId, &Option<Arc<RunSpec>>> =
            targets.iter().map(|target| (&target.id, &target.to)).collect();
        let definition = |id: &RunSpecId| match changed.get(id) {
            Some(to) => to.as_ref(),
            None => self.state.run_specs.get(id)?.definition(),
        };
        let dependencies = |id: &RunSpecId| {
            let paths = definition(id).into_iter().flat_map(|definition| &definition.dependencies);
            paths.flat_map(|path| self.run_specs_at(path)).filter(|other| definition(other).is_some()).collect()
        };
        layers(changed.keys().copied(), dependencies)
    }

    /// The run spec with this path, or all those in the group with this path. A path where nothing is depends on nothing.
    fn run_specs_at(&self, path: &str) -> Vec<RunSpecId> {
        let Ok(id) = RunSpecId::parse(path) else { return Vec::new() };
        let mut found: Vec<RunSpecId> = self.within(&id).cloned().collect();
        found.push(id);
        found
    }

    /// The run specs in the group that is called like `id`.
    pub(super) fn within<'a>(&'a self, id: &'a RunSpecId) -> impl Iterator<Item = &'a RunSpecId> {
        let behind = self.state.run_specs.range(id.clone()..).map(|(other, _)| other);
        let alike = behind.take_while(|other| other.as_str().starts_with(id.as_str()));
        alike.filter(|other| other.is_within(id.as_str()))
    }

    /// Puts definitions in place and begins the deployment that leads to them. The caller has called [`Engine::admit`].
    pub(super) fn deploy(
        &mut self,
        now: Now,
        version: Version,
        targets: Vec<Target>,
        layers: &BTreeMap<RunSpecId, u32>,
        superseded: BTreeSet<DeploymentId>,
        out: &mut Effects,
    ) -> DeploymentId {
        let id = DeploymentId(self.entropy.uuid());
        let (steps, changes) = self.plan(&targets, layers);
        let pods = self.pods_of(&targets);
        let groups: BTreeSet<String> = targets.iter().map(|target| target.id.parent().to_owned()).collect();
        if !groups.is_empty() {
            self.record(now, Fact::GroupChanged { groups: groups.into_iter().collect(), version }, out);
        }
        for ended in superseded {
            self.record(now, Fact::DeploymentEnded { id: ended, ending: Ending::Superseded { by: id } }, out);
        }
        for target in targets {
            match target.to {
                Some(run_spec) => {
                    let forgotten = self.surplus_versions(&run_spec.id, &changes);
                    self.record(now, Fact::RunSpecStored { run_spec, forgotten }, out);
                }
                None => self.record(now, Fact::RunSpecRemoved { id: target.id }, out),
            }
        }
        let finished = steps.is_empty();
        let deployment = Deployment { id, version, steps, current_step: 0, changes, pods };
        self.record(now, Fact::DeploymentStarted { deployment }, out);
        if finished {
            self.record(now, Fact::DeploymentEnded { id, ending: Ending::Done }, out);
        }
        id
    }

    fn plan(
        &self,
        targets: &[Target],
        layers: &BTreeMap<RunSpecId, u32>,
    ) -> (Vec<crate::model::Step>, BTreeMap<RunSpecId, Change>) {
        let definition = |id: &RunSpecId| self.state.run_specs.get(id).and_then(super::RunSpecState::definition);
        let outdated = |target: &Target| {
            let generation = target.to.as_ref().map(|to| to.generation);
            let tracker = self.trackers.get(&target.id).zip(generation);
            tracker.is_some_and(|(tracker, generation)| tracker.standing_of_others(generation).active() > 0)
        };
        let planned: Vec<Planned<'_>> = targets
            .iter()
            .map(|target| Planned {
                id: &target.id,
                from: definition(&target.id).map(Arc::as_ref),
                to: target.to.as_deref(),
                outdated_instances: outdated(target),
            })
            .collect();
        let changes = planned.iter().map(|planned| {
            let change = Change { from: planned.from.map(|from| from.version), to: planned.to.map(|to| to.version) };
            (planned.id.clone(), change)
        });
        (steps(&planned, layers), changes.collect())
    }

    /// The pods among the targets, also those that are removed.
    fn pods_of(&self, targets: &[Target]) -> BTreeSet<RunSpecId> {
        let definition = |target: &'_ Target| target.to.clone().or_else(|| self.current(&target.id).cloned());
        let is_pod = |target: &&Target| definition(target).is_some_and(|definition| definition.shape() == Shape::Pod);
        targets.iter().filter(is_pod).map(|target| target.id.clone()).collect()
    }

    /// The oldest versions beyond the number that is kept, save those that are current, run, or may be rolled back to.
    fn surplus_versions(&self, id: &RunSpecId, changes: &BTreeMap<RunSpecId, Change>) -> Vec<Version> {
        let Some(state) = self.state.run_specs.get(id) else { return Vec::new() };
        let surplus = (state.versions.len() + 1).saturating_sub(self.config.versions_max);
        if surplus == 0 {
            return Vec::new();
        }
        let mut used: BTreeSet<Version> = state.instances.values().map(|instance| instance.version).collect();
        used.extend(state.current);
        used.extend(changes.get(id).and_then(|change| change.from));
        state.versions.keys().copied().filter(|version| !used.contains(version)).take(surplus).collect()
    }

    /// Goes on to the next step, or ends, when everything in the current one is done.
    pub(super) fn advance(&mut self, now: Now, id: DeploymentId, out: &mut Effects) {
        let Some(deployment) = self.state.deployments.get(&id) else { return };
        let Some(step) = deployment.steps.get(deployment.current_step) else { return };
        let (index, last) = (deployment.current_step, deployment.current_step + 1 == deployment.steps.len());
        if !step.actions.iter().all(|action| self.is_satisfied(action.kind, &action.run_spec)) {
            return;
        }
        self.record(now, Fact::DeploymentStepDone { id, step: index }, out);
        if last {
            self.record(now, Fact::DeploymentEnded { id, ending: Ending::Done }, out);
        }
    }
}

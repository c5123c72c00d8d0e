//! The life of deployments: begun by writes, advanced step by step, ended one way or another.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use attica_core_api::Now;

use super::{Effects, Engine, Fact, Refusal};
use crate::access::User;
use crate::deployment::{Cycle, Place, Planned, layers, steps};
use crate::model::{
    Action, Callback, CallbackUrl, Change, Deployment, DeploymentId, Ending, Group, GroupId, GroupState, Hold,
    InstanceId, KeptSecret, RunSpec, RunSpecId, SecretPath, Shape, Step, Version,
};

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

/// What was gone and comes back from a backup, beside definitions.
#[derive(Debug, Default)]
pub(super) struct Regained {
    pub(super) secrets: BTreeMap<SecretPath, KeptSecret>,
    pub(super) users: Vec<Arc<User>>,
    pub(super) callbacks: BTreeMap<CallbackUrl, Callback>,
}

/// A write, judged, before anything of it is done: what it changes, and how that comes about.
#[derive(Debug)]
pub(super) struct Draft {
    /// The version that it makes.
    pub(super) version: Version,
    /// The run specs that change.
    pub(super) targets: Vec<Target>,
    /// The groups that change themselves; none: it is removed.
    pub(super) groups: BTreeMap<GroupId, Option<Group>>,
    /// What a backup brings back beside definitions.
    pub(super) regained: Regained,
    /// The group that the write was about, if it was about one.
    pub(super) subject: Option<GroupId>,
    /// The layers of the dependency graph, for the targets at least.
    pub(super) layers: BTreeMap<RunSpecId, u32>,
    /// The deployments that it takes over from.
    pub(super) superseded: BTreeSet<DeploymentId>,
    /// The definitions that the write named, for events.
    pub(super) requested: Vec<Arc<RunSpec>>,
    /// The pod that the write removes, for events.
    pub(super) removed_pod: Option<RunSpecId>,
    /// Instances that are killed at once.
    pub(super) killed: Vec<InstanceId>,
    /// The deployment that this undoes because it failed, and why it did.
    pub(super) undoes: Option<(DeploymentId, String)>,
}

impl Draft {
    /// A draft of nothing.
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            targets: Vec::new(),
            groups: BTreeMap::new(),
            regained: Regained::default(),
            subject: None,
            layers: BTreeMap::new(),
            superseded: BTreeSet::new(),
            requested: Vec::new(),
            removed_pod: None,
            killed: Vec::new(),
            undoes: None,
        }
    }
}

impl Engine {
    /// The deployment that holds a run spec.
    pub(super) fn lock_of(&self, id: &RunSpecId) -> Option<&Deployment> {
        self.state.deployments.get(&self.trackers.get(id)?.lock?)
    }

    /// A version later than everything that ever happened to these run specs.
    pub(super) fn next_version<'a>(&self, now: Now, ids: impl IntoIterator<Item = &'a RunSpecId>) -> Version {
        let latest = |id: &RunSpecId| self.state.run_specs.get(id)?.past().latest();
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

    /// The layers of the dependency graph as it will be with `targets` and `groups` in place.
    pub(super) fn layers_with(
        &self,
        targets: &[Target],
        groups: &BTreeMap<GroupId, Option<Group>>,
    ) -> Result<BTreeMap<RunSpecId, u32>, Cycle> {
        let changed: BTreeMap<RunSpecId, &Option<Arc<RunSpec>>> =
            targets.iter().map(|target| (target.id.clone(), &target.to)).collect();
        let definition = |id: &RunSpecId| match changed.get(id) {
            Some(to) => to.as_ref(),
            None => self.current(id),
        };
        let group = |id: &GroupId| match groups.get(id) {
            Some(to) => to.as_ref(),
            None => self.state.group(id),
        };
        let inside = |id: &GroupId| -> Vec<Place> {
            let prefix = id.prefix();
            let new = changed.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
            let new = new.map(|(id, _)| id).take_while(|id| id.as_str().starts_with(&prefix));
            let all = self.state.within(id).map(|(id, _)| id).chain(new);
            all.filter(|id| definition(id).is_some()).cloned().map(Place::RunSpec).collect()
        };
        // A path where nothing is depends on nothing.
        let at = |path: &String| -> Vec<Place> {
            let run_spec = RunSpecId::parse(path).ok().filter(|id| definition(id).is_some()).map(Place::RunSpec);
            run_spec.into_iter().chain(GroupId::parse(path).ok().map(Place::Inside)).collect()
        };
        let dependencies = |place: &Place| match place {
            Place::RunSpec(id) => {
                let own = definition(id).into_iter().flat_map(|definition| &definition.dependencies).flat_map(at);
                own.chain([Place::Entry(GroupId::of(id))]).collect()
            }
            Place::Inside(id) => inside(id),
            Place::Entry(id) => {
                let own = group(id).into_iter().flat_map(|group| &group.dependencies).flat_map(at);
                own.chain(id.parent().map(Place::Entry)).collect()
            }
        };
        let run_specs = changed.keys().cloned().map(Place::RunSpec);
        layers(run_specs.chain(groups.keys().cloned().map(Place::Inside)), dependencies)
    }

    /// Puts definitions in place and begins the deployment that leads to them.
    pub(super) fn deploy(&mut self, now: Now, draft: Draft, out: &mut Effects) -> DeploymentId {
        let id = DeploymentId(self.entropy.uuid());
        let (steps, changes) = self.plan(&draft);
        let pods = self.pods_of(&draft.targets);
        let Draft { version, targets, groups, subject, superseded, undoes, .. } = draft;
        let around: BTreeSet<GroupId> = match subject {
            Some(subject) => BTreeSet::from([subject]),
            None => targets.iter().map(|target| GroupId::of(&target.id)).collect(),
        };
        if !around.is_empty() {
            let groups = around.iter().map(ToString::to_string).collect();
            self.record(now, Fact::GroupChanged { groups, version }, out);
        }
        for ended in superseded {
            let failure = undoes.as_ref().filter(|(failed, _)| *failed == ended);
            let ending = match failure {
                Some((_, cause)) => Ending::RolledBack { by: id, cause: cause.clone() },
                None => Ending::Superseded { by: id },
            };
            self.end_deployment(now, ended, ending, out);
        }
        let group_changes = self.store_groups(now, version, groups, out);
        for target in targets {
            match target.to {
                Some(run_spec) => {
                    let forgotten = self.surplus_versions(&run_spec.id, &changes);
                    self.forget_history(now, &run_spec.id, &forgotten, out);
                    self.record(now, Fact::RunSpecStored { run_spec, forgotten }, out);
                }
                None => self.record(now, Fact::RunSpecRemoved { id: target.id, version: Some(version) }, out),
            }
        }
        let finished = steps.is_empty();
        let deployment = Deployment {
            id,
            version,
            steps,
            current_step: 0,
            changes,
            pods,
            groups: group_changes,
            began_at: now.wall,
            undoes: undoes.map(|(failed, _)| failed),
            hold: Hold::default(),
        };
        self.record(now, Fact::DeploymentStarted { deployment }, out);
        if finished {
            self.end_deployment(now, id, Ending::Done, out);
        }
        id
    }

    /// Says of groups what is to be said of them.
    pub(super) fn store_groups(
        &mut self,
        now: Now,
        version: Version,
        groups: BTreeMap<GroupId, Option<Group>>,
        out: &mut Effects,
    ) -> BTreeMap<GroupId, Change> {
        let mut changes = BTreeMap::new();
        for (id, group) in groups {
            let state = self.state.groups.get(&id);
            let from = state.filter(|state| state.current().is_some()).and_then(GroupState::version);
            let version = state.and_then(GroupState::version).map_or(version, |latest| latest.next(version.0));
            let surplus = state.map_or(0, |state| (state.versions.len() + 1).saturating_sub(self.config.versions_max));
            let moments: Vec<Version> =
                state.into_iter().flat_map(|state| state.versions.keys().take(surplus + 1)).copied().collect();
            let forgotten: Vec<Version> = moments.iter().take(surplus).copied().collect();
            if surplus > 0 {
                self.shorten_history(now, moments.last().copied().unwrap_or(version), out);
            }
            changes.insert(id.clone(), Change { from, to: group.is_some().then_some(version) });
            self.record(now, Fact::GroupStored { id, version, group, forgotten }, out);
        }
        self.forget_groups(now, out);
        changes
    }

    /// What its group was while it had these versions is not known any more.
    fn forget_history(&mut self, now: Now, id: &RunSpecId, forgotten: &[Version], out: &mut Effects) {
        let latest = forgotten.iter().max();
        let next = latest.and_then(|latest| {
            let moments = self.state.run_specs.get(id)?.past().moments();
            moments.filter(|moment| moment > latest).min()
        });
        next.into_iter().for_each(|from| self.shorten_history(now, from, out));
    }

    /// The steps that lead from what is to what a draft says, and what they change.
    pub(super) fn plan(&self, draft: &Draft) -> (Vec<Step>, BTreeMap<RunSpecId, Change>) {
        let outdated = |target: &Target| {
            let generation = target.to.as_ref().map(|to| to.generation);
            let tracker = self.trackers.get(&target.id).zip(generation);
            tracker.is_some_and(|(tracker, generation)| tracker.standing_of_others(generation).active() > 0)
        };
        let planned: Vec<Planned<'_>> = draft
            .targets
            .iter()
            .map(|target| Planned {
                id: &target.id,
                from: self.current(&target.id).map(Arc::as_ref),
                to: target.to.as_deref(),
                outdated_instances: outdated(target),
            })
            .collect();
        let changes = planned.iter().map(|planned| {
            let change = Change { from: planned.from.map(|from| from.version), to: planned.to.map(|to| to.version) };
            (planned.id.clone(), change)
        });
        (steps(&planned, &draft.layers), changes.collect())
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
        let mut forgotten: Vec<Version> =
            state.versions.keys().copied().filter(|version| !used.contains(version)).take(surplus).collect();
        let kept = state.versions.keys().find(|version| !forgotten.contains(version)).copied();
        forgotten.extend(state.removals.iter().filter(|removal| kept.is_some_and(|kept| **removal < kept)));
        forgotten
    }

    /// Goes on to the next step, or ends, when everything in the current one is done.
    pub(super) fn advance(&mut self, now: Now, id: DeploymentId, out: &mut Effects) {
        let Some(deployment) = self.state.deployments.get(&id).filter(|deployment| deployment.hold.paused.is_none())
        else {
            return;
        };
        let Some(step) = deployment.steps.get(deployment.current_step) else { return };
        let (index, last) = (deployment.current_step, deployment.current_step + 1 == deployment.steps.len());
        let given_up = deployment.hold.given_up.clone();
        let waited_for = step.actions.iter().filter(|action| !given_up.contains_key(&action.run_spec));
        let waited_for: Vec<Action> = waited_for.cloned().collect();
        if !waited_for.iter().all(|action| self.is_satisfied(now, action.kind, &action.run_spec)) {
            return;
        }
        self.record(now, Fact::DeploymentStepDone { id, step: index }, out);
        if last && given_up.is_empty() {
            self.end_deployment(now, id, Ending::Done, out);
        } else if last {
            let cause = given_up.into_values().collect::<Vec<_>>().join("; ");
            self.end_deployment(now, id, Ending::Failed { cause }, out);
        }
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use attica_core_api::v1::FrameworkId;

use super::{Delay, Fact};
use crate::access::Accounts;
use crate::model::{
    Callback, CallbackUrl, ConsumerName, Deployment, DeploymentId, DeploymentPolicy, EndedDeployment, Group, GroupId,
    GroupState, Instance, InstanceId, KeptSecret, Past, RunSpec, RunSpecId, SecretPath, TaskFailure, Version,
};

/// Everything durable: the fold of all facts. The engine holds one and changes it by facts alone; the tables hold the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The framework's id, once it has one.
    pub framework_id: Option<FrameworkId>,
    /// The run specs, also removed ones: their groups may return to what they were.
    pub run_specs: BTreeMap<RunSpecId, RunSpecState>,
    /// The groups of which something was ever said, also removed ones. A group is there without that as long as anything lies in it.
    pub groups: BTreeMap<GroupId, GroupState>,
    /// What groups were is known from this version on; none: from the beginning.
    pub history_from: Option<Version>,
    /// The deployments that run.
    pub deployments: BTreeMap<DeploymentId, Deployment>,
    /// The deployments that ended lately.
    pub ended: BTreeMap<DeploymentId, EndedDeployment>,
    /// The consumers of the event stream that are waited for before tasks are killed.
    pub consumers: BTreeSet<ConsumerName>,
    /// Users and sessions.
    pub accounts: Accounts,
    /// Where events are posted to.
    pub callbacks: BTreeMap<CallbackUrl, Callback>,
    /// The secrets that are kept.
    pub secrets: BTreeMap<SecretPath, KeptSecret>,
}

/// Everything durable about one run spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSpecState {
    /// Its current version, one of `versions`; none: it is removed.
    pub current: Option<Version>,
    /// Its versions: the current one, earlier ones, and those that its instances run.
    pub versions: BTreeMap<Version, Arc<RunSpec>>,
    /// When it was removed; it may have come again.
    pub removals: BTreeSet<Version>,
    /// Its instances.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// How failures slow it down.
    pub delay: Option<Delay>,
    /// Its latest failure.
    pub last_failure: Option<Box<TaskFailure>>,
}

impl RunSpecState {
    /// The current definition.
    #[must_use]
    pub fn definition(&self) -> Option<&Arc<RunSpec>> {
        self.versions.get(&self.current?)
    }

    /// What it was in the course of time.
    #[must_use]
    pub fn past(&self) -> Past<'_> {
        Past { versions: &self.versions, removals: &self.removals }
    }
}

impl Snapshot {
    /// One step of the fold.
    ///
    /// # Panics
    /// On a fact about something that no earlier fact introduced: the history is then not one that an engine wrote.
    pub fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Subscribed { framework_id, .. } => self.framework_id = Some(framework_id.clone()),
            Fact::FrameworkForgotten => self.framework_id = None,
            Fact::RunSpecStored { run_spec, forgotten } => {
                let state = self.run_specs.entry(run_spec.id.clone()).or_default();
                state.current = Some(run_spec.version);
                state.versions.insert(run_spec.version, Arc::clone(run_spec));
                for version in forgotten {
                    state.versions.remove(version);
                    state.removals.remove(version);
                }
            }
            Fact::RunSpecRemoved { id, version } => {
                let state = self.run_spec_mut(id);
                state.current = None;
                state.removals.extend(*version);
            }
            Fact::RunSpecForgotten { id } => {
                self.run_specs.remove(id);
            }
            Fact::GroupStored { id, version, group, forgotten } => {
                let state = self.groups.entry(id.clone()).or_default();
                state.versions.insert(*version, group.clone());
                for version in forgotten {
                    state.versions.remove(version);
                }
            }
            Fact::GroupForgotten { id } => {
                self.groups.remove(id);
            }
            Fact::HistoryShortened { from } => self.history_from = Some(*from),
            Fact::DeploymentStarted { deployment } => {
                self.deployments.insert(deployment.id, deployment.clone());
            }
            Fact::DeploymentStepDone { id, step } => self.deployment_mut(*id).current_step = step + 1,
            Fact::DeploymentHeld { deployment } => *self.deployment_mut(deployment.id) = Deployment::clone(deployment),
            Fact::DeploymentEnded { id, ended, forgotten, .. } => {
                self.deployments.remove(id);
                self.ended.extend(ended.as_ref().map(|ended| (*id, EndedDeployment::clone(ended))));
                for id in forgotten {
                    self.ended.remove(id);
                }
            }
            Fact::InstanceChanged { instance, .. } => self.put_instance(instance),
            Fact::TaskEnded { id, failure, next, .. } => {
                if let Some(failure) = failure {
                    self.run_spec_mut(&id.run_spec).last_failure = Some(failure.clone());
                }
                match next {
                    Some(instance) => self.put_instance(instance),
                    None => self.remove_instance(id),
                }
            }
            Fact::InstanceForgotten { id, .. } => self.remove_instance(id),
            Fact::DelayChanged { id, delay } => self.run_spec_mut(id).delay = *delay,
            Fact::ConsumerJoined { name } => {
                self.consumers.insert(name.clone());
            }
            Fact::ConsumerLeft { name } => {
                self.consumers.remove(name);
            }
            Fact::CallbackAdded { url, secret, position, client_ip: _ } => {
                self.callbacks.insert(url.clone(), Callback { secret: secret.clone(), position: *position });
            }
            Fact::CallbackRemoved { url, client_ip: _ } => {
                self.callbacks.remove(url);
            }
            Fact::CallbackReached { url, position } => match self.callbacks.get_mut(url) {
                Some(callback) => callback.position = *position,
                None => unreachable!("events were posted to {url}, which was never added"),
            },
            Fact::SecretKept { path, secret } => {
                self.secrets.insert(path.clone(), secret.clone());
            }
            Fact::SecretRemoved { path } => {
                self.secrets.remove(path);
            }
            Fact::Disconnected
            | Fact::Requested { .. }
            | Fact::PodRemovalRequested { .. }
            | Fact::ChangeRefused { .. }
            | Fact::GroupChanged { .. }
            | Fact::UnknownTaskEnded { .. }
            | Fact::Audited { .. } => {}
            Fact::UserStored { user } => self.accounts.put(Arc::clone(user)),
            Fact::UserRemoved { name } => self.accounts.remove(name),
            Fact::SessionBegan { session } => self.accounts.begin(session.clone()),
            Fact::SessionsEnded { sessions } => sessions.iter().for_each(|digest| self.accounts.end(digest)),
        }
    }

    /// What is said of a group now; none when nothing is, though things may lie in it.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.get(id)?.current()
    }

    /// The run specs in a group, at any depth, also removed ones.
    pub fn within(&self, group: &GroupId) -> impl Iterator<Item = (&RunSpecId, &RunSpecState)> {
        let prefix = group.prefix();
        let behind = self.run_specs.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        behind.take_while(move |(id, _)| id.as_str().starts_with(&prefix))
    }

    /// A group and the groups in it, at any depth, as far as something was ever said of them.
    pub fn groups_within<'a>(&'a self, group: &'a GroupId) -> impl Iterator<Item = (&'a GroupId, &'a GroupState)> {
        let prefix = group.prefix();
        let behind = self.groups.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        let inside =
            behind.take_while(move |(id, _)| id.as_str().starts_with(&prefix)).filter(move |(id, _)| *id != group);
        self.groups.get_key_value(group).into_iter().chain(inside)
    }

    /// True when a group is there. The root always is.
    #[must_use]
    pub fn group_exists(&self, id: &GroupId) -> bool {
        id.is_root()
            || self.groups_within(id).any(|(_, state)| state.current().is_some())
            || self.within(id).any(|(_, state)| state.current.is_some())
    }

    /// The version of a group: when it, or anything in it, changed last.
    #[must_use]
    pub fn group_version(&self, id: &GroupId) -> Option<Version> {
        let of_run_specs = self.within(id).filter_map(|(_, state)| state.past().latest());
        of_run_specs.chain(self.groups_within(id).filter_map(|(_, state)| state.version())).max()
    }

    /// How deployments of a run spec go about it: as it says itself, or the nearest group around it that says anything.
    #[must_use]
    pub fn policy(&self, definition: &RunSpec) -> DeploymentPolicy {
        let of_groups = || GroupId::of(&definition.id).and_around().find_map(|group| self.group(&group)?.policy);
        definition.policy.or_else(of_groups).unwrap_or_default()
    }

    /// How deployments go about the run spec of an instance.
    #[must_use]
    pub fn policy_of(&self, id: &InstanceId) -> DeploymentPolicy {
        let definition = self.run_specs.get(&id.run_spec).and_then(RunSpecState::definition);
        definition.map(|definition| self.policy(definition)).unwrap_or_default()
    }

    /// The versions of a group that it can return to: what it is now, and whenever something in it changed, as far as all of it is known.
    #[must_use]
    pub fn group_versions(&self, id: &GroupId) -> BTreeSet<Version> {
        let of_run_specs = self.within(id).flat_map(|(_, state)| state.past().moments());
        let of_groups = self.groups_within(id).flat_map(|(_, state)| state.versions.keys().copied());
        let mut versions: BTreeSet<Version> = of_run_specs.chain(of_groups).collect();
        match self.history_from.zip(versions.last().copied()) {
            Some((from, now)) => versions.split_off(&from.min(now)),
            None => versions,
        }
    }

    /// The run specs that may still be started with a secret: by what they are, by what their instances run, or by what a running
    /// deployment may bring back.
    #[must_use]
    pub fn users_of(&self, secret: &SecretPath) -> Vec<RunSpecId> {
        let deployments = || self.deployments.values();
        let uses = |id: &RunSpecId, state: &RunSpecState| {
            let of_instances = state.instances.values().map(|instance| instance.version);
            let changes = deployments().filter_map(|deployment| deployment.changes.get(id));
            let versions = state.current.into_iter().chain(of_instances).chain(changes.flat_map(|it| it.from));
            let mut definitions = versions.filter_map(|version| state.versions.get(&version));
            definitions.any(|definition| definition.refers_to(secret))
        };
        self.run_specs.iter().filter(|(id, state)| uses(id, state)).map(|(id, _)| id.clone()).collect()
    }

    /// An instance, by its id.
    #[must_use]
    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.run_specs.get(&id.run_spec)?.instances.get(id)
    }

    fn put_instance(&mut self, instance: &Instance) {
        self.run_spec_mut(&instance.id.run_spec).instances.insert(instance.id.clone(), instance.clone());
    }

    fn remove_instance(&mut self, id: &InstanceId) {
        self.run_spec_mut(&id.run_spec).instances.remove(id);
    }

    fn deployment_mut(&mut self, id: DeploymentId) -> &mut Deployment {
        match self.deployments.get_mut(&id) {
            Some(deployment) => deployment,
            None => unreachable!("deployment {id} went on but never started"),
        }
    }

    fn run_spec_mut(&mut self, id: &RunSpecId) -> &mut RunSpecState {
        match self.run_specs.get_mut(id) {
            Some(state) => state,
            None => unreachable!("{id} changed but was never stored"),
        }
    }
}

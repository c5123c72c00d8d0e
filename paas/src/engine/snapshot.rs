use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::v1::FrameworkId;

use super::{Delay, Fact};
use crate::model::{
    ConsumerName, Deployment, DeploymentId, Instance, InstanceId, RunSpec, RunSpecId, TaskFailure, Version,
};

/// Everything durable: the fold of all facts. The engine holds one and changes it by facts alone; the tables hold the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The framework's id, once it has one.
    pub framework_id: Option<FrameworkId>,
    /// The run specs, also removed ones whose instances are not yet gone.
    pub run_specs: BTreeMap<RunSpecId, RunSpecState>,
    /// The deployments that run.
    pub deployments: BTreeMap<DeploymentId, Deployment>,
    /// The consumers of the event stream that are waited for before tasks are killed.
    pub consumers: BTreeSet<ConsumerName>,
}

/// Everything durable about one run spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSpecState {
    /// Its current version, one of `versions`; none: it is removed.
    pub current: Option<Version>,
    /// Its versions: the current one, earlier ones, and those that its instances run.
    pub versions: BTreeMap<Version, Arc<RunSpec>>,
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
                }
            }
            Fact::RunSpecRemoved { id } => self.run_spec_mut(id).current = None,
            Fact::RunSpecForgotten { id } => {
                self.run_specs.remove(id);
            }
            Fact::DeploymentStarted { deployment } => {
                self.deployments.insert(deployment.id, deployment.clone());
            }
            Fact::DeploymentStepDone { id, step } => {
                let deployment = self.deployments.get_mut(id);
                assert!(deployment.is_some(), "deployment {id} made a step but never started");
                deployment.into_iter().for_each(|deployment| deployment.current_step = step + 1);
            }
            Fact::DeploymentEnded { id, .. } => {
                self.deployments.remove(id);
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
            Fact::Disconnected
            | Fact::Requested { .. }
            | Fact::PodRemovalRequested { .. }
            | Fact::ChangeRefused { .. }
            | Fact::GroupChanged { .. }
            | Fact::UnknownTaskEnded { .. } => {}
        }
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

    fn run_spec_mut(&mut self, id: &RunSpecId) -> &mut RunSpecState {
        match self.run_specs.get_mut(id) {
            Some(state) => state,
            None => unreachable!("{id} changed but was never stored"),
        }
    }
}

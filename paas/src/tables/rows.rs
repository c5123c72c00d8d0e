//! From a batch of facts to the rows that change: of several facts about one row the last one counts.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::v1::FrameworkId;

use crate::access::{Digest, UserName};
use crate::engine::{Fact, of_pool};
use crate::model::{
    Callback, CallbackUrl, ConsumerName, Deployment, DeploymentId, GroupId, Instance, InstanceId, KeptSecret,
    RunSpecId, SecretPath, Version,
};
use crate::normalise::json;

/// What becomes of a row.
#[derive(Debug, PartialEq)]
pub(super) enum Row<T> {
    /// It is there, with this content.
    Put(T),
    /// It is gone.
    Deleted,
}

/// The rows that a batch of facts changes. Everything of `forgotten` run specs goes first.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) framework: Option<Row<FrameworkId>>,
    pub(super) forgotten: BTreeSet<RunSpecId>,
    /// With the current version.
    pub(super) run_specs: BTreeMap<RunSpecId, Option<Version>>,
    /// The service ports that its current definition has from the pool.
    pub(super) service_ports: BTreeMap<RunSpecId, Vec<u16>>,
    /// None: it was removed then.
    pub(super) versions: BTreeMap<(RunSpecId, Version), Row<Option<String>>>,
    pub(super) forgotten_groups: BTreeSet<GroupId>,
    /// None: it was removed then.
    pub(super) groups: BTreeMap<(GroupId, Version), Row<Option<String>>>,
    /// What groups were is known from here on.
    pub(super) history_from: Option<Version>,
    pub(super) delays: BTreeMap<RunSpecId, Row<String>>,
    pub(super) failures: BTreeMap<RunSpecId, String>,
    pub(super) instances: BTreeMap<InstanceId, Row<String>>,
    /// New ones.
    pub(super) deployments: BTreeMap<DeploymentId, Row<Deployment>>,
    /// Those that ended lately.
    pub(super) ended: BTreeMap<DeploymentId, Row<String>>,
    pub(super) consumers: BTreeMap<ConsumerName, Row<()>>,
    /// New ones.
    pub(super) callbacks: BTreeMap<CallbackUrl, Row<Callback>>,
    /// New positions of earlier ones.
    pub(super) callback_positions: BTreeMap<CallbackUrl, i64>,
    pub(super) secrets: BTreeMap<SecretPath, Row<KeptSecret>>,
    /// New current steps of earlier ones.
    pub(super) steps: BTreeMap<DeploymentId, usize>,
    pub(super) users: BTreeMap<UserName, Row<String>>,
    pub(super) sessions: BTreeMap<Digest, Row<String>>,
}

impl Rows {
    /// The rows that these facts change, in their order.
    pub(super) fn of<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Self {
        let mut rows = Self::default();
        facts.into_iter().for_each(|fact| rows.fold(fact));
        rows
    }

    fn fold(&mut self, fact: &Fact) {
        match fact {
            Fact::Subscribed { framework_id, .. } => self.framework = Some(Row::Put(framework_id.clone())),
            Fact::FrameworkForgotten => self.framework = Some(Row::Deleted),
            Fact::RunSpecStored { run_spec, forgotten } => {
                self.run_specs.insert(run_spec.id.clone(), Some(run_spec.version));
                self.service_ports.insert(run_spec.id.clone(), of_pool(run_spec).collect());
                for version in forgotten {
                    self.versions.insert((run_spec.id.clone(), *version), Row::Deleted);
                }
                self.versions.insert((run_spec.id.clone(), run_spec.version), Row::Put(Some(json(run_spec))));
            }
            Fact::RunSpecRemoved { id, version } => {
                self.run_specs.insert(id.clone(), None);
                self.versions.extend(version.map(|version| ((id.clone(), version), Row::Put(None))));
                self.service_ports.insert(id.clone(), Vec::new());
            }
            Fact::RunSpecForgotten { id } => self.forget(id),
            Fact::GroupStored { id, version, group, forgotten } => {
                for version in forgotten {
                    self.groups.insert((id.clone(), *version), Row::Deleted);
                }
                self.groups.insert((id.clone(), *version), Row::Put(group.as_ref().map(json)));
            }
            Fact::GroupForgotten { id } => {
                self.forgotten_groups.insert(id.clone());
                self.groups.retain(|(group, _), _| group != id);
            }
            Fact::HistoryShortened { from } => self.history_from = Some(*from),
            Fact::DeploymentStarted { deployment } => {
                self.deployments.insert(deployment.id, Row::Put(deployment.clone()));
            }
            Fact::DeploymentStepDone { id, step } => self.step(*id, step + 1),
            Fact::DeploymentHeld { deployment } => {
                self.steps.remove(&deployment.id);
                self.deployments.insert(deployment.id, Row::Put(Deployment::clone(deployment)));
            }
            Fact::DeploymentEnded { id, ended, forgotten, .. } => {
                if let Some(ended) = ended {
                    self.ended.insert(*id, Row::Put(json(ended)));
                }
                self.ended.extend(forgotten.iter().map(|id| (*id, Row::Deleted)));
                self.steps.remove(id);
                self.deployments.insert(*id, Row::Deleted);
            }
            Fact::InstanceChanged { instance, .. } => self.put_instance(instance),
            Fact::TaskEnded { id, failure, next, .. } => {
                if let Some(failure) = failure {
                    self.failures.insert(id.run_spec.clone(), json(failure));
                }
                match next {
                    Some(instance) => self.put_instance(instance),
                    None => self.delete_instance(id),
                }
            }
            Fact::InstanceForgotten { id, .. } => self.delete_instance(id),
            Fact::DelayChanged { id, delay } => {
                let row = delay.as_ref().map_or(Row::Deleted, |delay| Row::Put(json(delay)));
                self.delays.insert(id.clone(), row);
            }
            Fact::ConsumerJoined { name } => {
                self.consumers.insert(name.clone(), Row::Put(()));
            }
            Fact::ConsumerLeft { name } => {
                self.consumers.insert(name.clone(), Row::Deleted);
            }
            Fact::CallbackAdded { url, secret, position, client_ip: _ } => {
                let callback = Callback { secret: secret.clone(), position: *position };
                self.callbacks.insert(url.clone(), Row::Put(callback));
                self.callback_positions.remove(url);
            }
            Fact::CallbackRemoved { url, client_ip: _ } => {
                self.callbacks.insert(url.clone(), Row::Deleted);
                self.callback_positions.remove(url);
            }
            Fact::CallbackReached { url, position } => match self.callbacks.get_mut(url) {
                Some(Row::Put(callback)) => callback.position = *position,
                Some(Row::Deleted) => unreachable!("events were posted to {url} after its end"),
                None => {
                    self.callback_positions.insert(url.clone(), *position);
                }
            },
            Fact::SecretKept { path, secret } => {
                self.secrets.insert(path.clone(), Row::Put(secret.clone()));
            }
            Fact::SecretRemoved { path } => {
                self.secrets.insert(path.clone(), Row::Deleted);
            }
            Fact::Disconnected
            | Fact::Requested { .. }
            | Fact::PodRemovalRequested { .. }
            | Fact::ChangeRefused { .. }
            | Fact::GroupChanged { .. }
            | Fact::UnknownTaskEnded { .. }
            // A row of its own each, which no other fact changes.
            | Fact::Audited { .. } => {}
            Fact::UserStored { user } => {
                self.users.insert(user.name.clone(), Row::Put(json(user)));
            }
            Fact::UserRemoved { name } => {
                self.users.insert(name.clone(), Row::Deleted);
            }
            Fact::SessionBegan { session } => {
                self.sessions.insert(session.digest, Row::Put(json(session)));
            }
            Fact::SessionsEnded { sessions } => {
                self.sessions.extend(sessions.iter().map(|digest| (*digest, Row::Deleted)));
            }
        }
    }

    fn forget(&mut self, id: &RunSpecId) {
        self.forgotten.insert(id.clone());
        self.run_specs.remove(id);
        self.versions.retain(|(run_spec, _), _| run_spec != id);
        self.delays.remove(id);
        self.failures.remove(id);
    }

    fn step(&mut self, id: DeploymentId, current_step: usize) {
        match self.deployments.get_mut(&id) {
            Some(Row::Put(deployment)) => deployment.current_step = current_step,
            Some(Row::Deleted) => unreachable!("deployment {id} made a step after its end"),
            None => {
                self.steps.insert(id, current_step);
            }
        }
    }

    fn put_instance(&mut self, instance: &Instance) {
        self.instances.insert(instance.id.clone(), Row::Put(json(instance)));
    }

    fn delete_instance(&mut self, id: &InstanceId) {
        self.instances.insert(id.clone(), Row::Deleted);
    }
}

//! From committed facts to rendered changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::v1::{FrameworkId, TaskId};
use attica_core_store::Position;
use attica_paas_api::deployment::DeploymentReference;
use bytes::Bytes;

use super::model::{DeploymentView, EndedView, ReadModel, Views};
use super::progress::Underway;
use super::view::{DefinitionView, FailureView, TaskView};
use crate::access::{Digest, Session, User, UserName};
use crate::engine::{Cause, Fact, QueueItem, Recorded, Snapshot, View};
use crate::model::{
    Callback, CallbackUrl, Deployment, DeploymentId, GroupId, GroupState, Instance, InstanceId, ReadinessResponse,
    RunSpec, RunSpecId, SecretPath, Shape, TaskFailure, Version,
};
use crate::normalise::{self, Responses};

/// The committed state, owned by the task that releases committed batches.
#[derive(Debug)]
pub struct Fold {
    snapshot: Snapshot,
    /// Not durable, unlike the rest. One for each instance at most, and gone with its task.
    responses: Responses,
}

/// One entity as it is to be read from now on.
#[derive(Debug)]
pub(super) enum Change {
    Framework(Option<FrameworkId>),
    Connected(bool),
    App {
        id: RunSpecId,
        app: Box<RenderedApp>,
    },
    /// Nothing is left of it.
    NoApp(RunSpecId),
    Task {
        id: InstanceId,
        task: Option<TaskView>,
    },
    Group {
        id: GroupId,
        state: Option<GroupState>,
    },
    /// What groups were is known from here on.
    History(Version),
    /// A deployment that is over; none: it is no longer remembered.
    Ended {
        id: DeploymentId,
        ended: Option<EndedView>,
    },
    Deployment {
        id: DeploymentId,
        deployment: Option<DeploymentView>,
    },
    /// A user; none: there is no such user.
    User {
        name: UserName,
        user: Option<Arc<User>>,
    },
    /// Somebody has signed in; none: the session is over.
    Session {
        digest: Digest,
        session: Option<Session>,
    },
    Queue {
        id: RunSpecId,
        item: Option<Box<QueueItem>>,
    },
    /// When a secret was set; none: it is gone.
    Secret {
        path: SecretPath,
        version: Option<Version>,
    },
}

/// An app without its tasks.
#[derive(Debug)]
pub(super) struct RenderedApp {
    definition: Option<DefinitionView>,
    versions: BTreeMap<Version, Arc<RunSpec>>,
    removals: BTreeSet<Version>,
    deployments: Bytes,
    last_failure: Option<FailureView>,
}

/// What some facts touched.
#[derive(Default)]
struct Touched {
    framework: bool,
    apps: BTreeSet<RunSpecId>,
    groups: BTreeSet<GroupId>,
    history: bool,
    instances: BTreeSet<InstanceId>,
    deployments: BTreeSet<DeploymentId>,
    ended: BTreeSet<DeploymentId>,
    secrets: BTreeSet<SecretPath>,
    users: BTreeSet<UserName>,
    sessions: BTreeSet<Digest>,
}

impl Fold {
    /// What is committed.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Starts from the durable state and publishes all of it.
    #[must_use]
    pub fn new(snapshot: Snapshot, model: &ReadModel) -> Self {
        let touched = Touched {
            framework: true,
            apps: snapshot.run_specs.keys().cloned().collect(),
            groups: snapshot.groups.keys().cloned().collect(),
            history: true,
            instances: snapshot.run_specs.values().flat_map(|state| state.instances.keys().cloned()).collect(),
            deployments: snapshot.deployments.keys().copied().collect(),
            ended: snapshot.ended.keys().copied().collect(),
            secrets: snapshot.secrets.keys().cloned().collect(),
            users: snapshot.accounts.users().map(|user| user.name.clone()).collect(),
            sessions: snapshot.accounts.sessions().map(|session| session.digest).collect(),
        };
        let fold = Self { snapshot, responses: Responses::new() };
        model.publish(None, fold.render(touched));
        fold
    }

    /// Where events are posted to, as it is committed.
    #[must_use]
    pub fn callbacks(&self) -> &BTreeMap<CallbackUrl, Callback> {
        &self.snapshot.callbacks
    }

    /// Folds a committed batch in, whose first fact has the position `first`, and publishes what it changed.
    pub fn publish(&mut self, first: Position, facts: &[Recorded], views: Vec<View>, model: &ReadModel) {
        let mut touched = Touched::default();
        for recorded in facts {
            self.touch(&recorded.fact, &mut touched);
            if let Fact::TaskEnded { id, .. } | Fact::InstanceForgotten { id, .. } = &recorded.fact {
                self.responses.remove(id);
            }
            self.snapshot.apply(&recorded.fact);
        }
        let mut seen = Vec::new();
        for view in views {
            match view {
                View::Queued(item) => seen.push(Change::Queue { id: item.id().clone(), item: Some(item) }),
                View::Unqueued(id) => seen.push(Change::Queue { id, item: None }),
                View::Connected(connected) => seen.push(Change::Connected(connected)),
                View::Responded { task, response } => self.respond(&task, response, &mut touched),
            }
        }
        let mut changes = self.render(touched);
        changes.extend(seen);
        let last = facts.len().checked_sub(1).map(|others| first.after(others));
        model.publish(last, changes);
    }

    /// Notes what `fact`, which is not yet folded in, is about.
    fn touch(&self, fact: &Fact, touched: &mut Touched) {
        match fact {
            Fact::Subscribed { .. } | Fact::FrameworkForgotten => touched.framework = true,
            Fact::RunSpecStored { run_spec, .. } => {
                touched.apps.insert(run_spec.id.clone());
            }
            Fact::RunSpecRemoved { id, .. } | Fact::RunSpecForgotten { id } => {
                touched.apps.insert(id.clone());
            }
            Fact::GroupStored { id, .. } | Fact::GroupForgotten { id } => {
                touched.groups.insert(id.clone());
            }
            Fact::HistoryShortened { .. } => touched.history = true,
            Fact::DeploymentStarted { deployment } => {
                touched.deployments.insert(deployment.id);
                touched.apps.extend(deployment.changes.keys().cloned());
            }
            Fact::DeploymentStepDone { id, .. } => {
                touched.deployments.insert(*id);
            }
            Fact::DeploymentHeld { deployment } => {
                touched.deployments.insert(deployment.id);
            }
            Fact::DeploymentEnded { id, forgotten, .. } => {
                touched.deployments.insert(*id);
                touched.ended.insert(*id);
                touched.ended.extend(forgotten);
                let ended = self.snapshot.deployments.get(id);
                touched.apps.extend(ended.into_iter().flat_map(|deployment| deployment.changes.keys().cloned()));
            }
            Fact::InstanceChanged { instance, cause } => {
                touched.instances.insert(instance.id.clone());
                match cause {
                    // A deployment shows who is ready.
                    Cause::Provisioned | Cause::Ready => self.touch_readiness(instance, touched),
                    Cause::Created
                    | Cause::Updated(_)
                    | Cause::Progressed
                    | Cause::Health { .. }
                    | Cause::Decided
                    | Cause::KilledAsUnhealthy { .. }
                    | Cause::Inactive => {}
                }
            }
            Fact::TaskEnded { id, failure, .. } => {
                touched.instances.insert(id.clone());
                if failure.is_some() {
                    touched.apps.insert(id.run_spec.clone());
                }
            }
            Fact::InstanceForgotten { id, .. } => {
                touched.instances.insert(id.clone());
            }
            Fact::SecretKept { path, .. } | Fact::SecretRemoved { path } => {
                touched.secrets.insert(path.clone());
            }
            Fact::UserStored { user } => {
                touched.users.insert(user.name.clone());
            }
            Fact::UserRemoved { name } => {
                touched.users.insert(name.clone());
            }
            Fact::SessionBegan { session } => {
                touched.sessions.insert(session.digest);
            }
            Fact::SessionsEnded { sessions } => touched.sessions.extend(sessions),
            Fact::Disconnected
            | Fact::Audited { .. }
            | Fact::Requested { .. }
            | Fact::PodRemovalRequested { .. }
            | Fact::ChangeRefused { .. }
            | Fact::GroupChanged { .. }
            | Fact::UnknownTaskEnded { .. }
            | Fact::DelayChanged { .. }
            | Fact::ConsumerJoined { .. }
            | Fact::ConsumerLeft { .. }
            | Fact::CallbackAdded { .. }
            | Fact::CallbackRemoved { .. }
            | Fact::CallbackReached { .. } => {}
        }
    }

    /// Keeps what a task answered to its readiness check, unless it has ended meanwhile.
    fn respond(&mut self, (id, task): &(InstanceId, TaskId), response: ReadinessResponse, touched: &mut Touched) {
        let Some(instance) = self.snapshot.instance(id) else { return };
        if instance.task.as_ref().is_some_and(|known| known.id == *task) {
            touched.instances.insert(id.clone());
            self.touch_readiness(instance, touched);
            self.responses.insert(id.clone(), response);
        }
    }

    /// Notes the deployments that wait for an instance to be ready.
    fn touch_readiness(&self, instance: &Instance, touched: &mut Touched) {
        if instance.task.as_ref().is_some_and(|task| task.readiness.is_some()) {
            let of_it = |deployment: &&Deployment| deployment.changes.contains_key(instance.run_spec());
            touched
                .deployments
                .extend(self.snapshot.deployments.values().filter(of_it).map(|deployment| deployment.id));
        }
    }

    fn render(&self, touched: Touched) -> Vec<Change> {
        let mut changes = Vec::new();
        if touched.framework {
            changes.push(Change::Framework(self.snapshot.framework_id.clone()));
        }
        if touched.history {
            changes.extend(self.snapshot.history_from.map(Change::History));
        }
        for id in touched.groups {
            let state = self.snapshot.groups.get(&id).cloned();
            changes.push(Change::Group { id, state });
        }
        changes.extend(touched.apps.into_iter().map(|id| self.render_app(id)));
        changes.extend(touched.instances.into_iter().map(|id| self.render_task(id)));
        for path in touched.secrets {
            let version = self.snapshot.secrets.get(&path).map(|secret| secret.version);
            changes.push(Change::Secret { path, version });
        }
        for id in touched.ended {
            let ended = self.snapshot.ended.get(&id);
            let ended = ended.map(|ended| EndedView {
                at: ended.ended_at,
                json: Bytes::from(normalise::json(&normalise::ended(ended))),
                scope: ended.scope(),
            });
            changes.push(Change::Ended { id, ended });
        }
        for id in touched.deployments {
            let deployment = self.snapshot.deployments.get(&id);
            let deployment = deployment.map(|deployment| DeploymentView {
                json: Bytes::from(normalise::json(&normalise::deployment(deployment, &self.snapshot, &self.responses))),
                current: Underway::of(deployment),
                scope: deployment.scope(),
            });
            changes.push(Change::Deployment { id, deployment });
        }
        let accounts = &self.snapshot.accounts;
        let user = |name| Change::User { user: accounts.user(&name).cloned(), name };
        changes.extend(touched.users.into_iter().map(user));
        let session = |digest| Change::Session { session: accounts.session_of(&digest).cloned(), digest };
        changes.extend(touched.sessions.into_iter().map(session));
        changes
    }

    fn render_app(&self, id: RunSpecId) -> Change {
        let Some(state) = self.snapshot.run_specs.get(&id) else { return Change::NoApp(id) };
        let deployments: Vec<DeploymentReference> = self
            .snapshot
            .deployments
            .values()
            .filter(|deployment| deployment.changes.contains_key(&id))
            .map(|deployment| DeploymentReference { id: deployment.id.to_string() })
            .collect();
        let shape = state.definition().or(state.versions.values().next_back()).map_or(Shape::App, |spec| spec.shape());
        let failure = |failure: &TaskFailure| {
            let spec = state.versions.get(&failure.version).map(|spec| &**spec);
            FailureView::new(&id, shape, failure, spec)
        };
        let app = Box::new(RenderedApp {
            definition: state.definition().cloned().map(DefinitionView::new),
            versions: state.versions.clone(),
            removals: state.removals.clone(),
            deployments: Bytes::from(normalise::json(&deployments)),
            last_failure: state.last_failure.as_deref().map(failure),
        });
        Change::App { id, app }
    }

    fn render_task(&self, id: InstanceId) -> Change {
        let state = self.snapshot.run_specs.get(&id.run_spec);
        let task = state.and_then(|state| {
            let instance = state.instances.get(&id)?;
            let spec = state.versions.get(&instance.version).map(|spec| &**spec);
            Some(TaskView::new(instance, spec, &self.responses))
        });
        Change::Task { id, task }
    }
}

impl Change {
    /// Whether somebody may do something else from now on, or proves who it is by something else.
    pub(super) fn is_of_accounts(&self) -> bool {
        matches!(self, Self::User { .. } | Self::Session { session: None, .. })
    }

    pub(super) fn apply(self, views: &mut Views) {
        match self {
            Self::Framework(id) => views.framework_id = id,
            Self::Connected(connected) => views.connected = connected,
            Self::App { id, app } => {
                let view = views.apps.entry(id).or_default();
                view.definition = app.definition;
                view.versions = app.versions;
                view.removals = app.removals;
                view.deployments = app.deployments;
                view.last_failure = app.last_failure;
                view.listed.take();
            }
            Self::NoApp(id) => {
                views.apps.remove(&id);
            }
            Self::Task { id, task } => {
                if let Some(app) = views.apps.get_mut(&id.run_spec) {
                    app.set_task(&id, task);
                }
            }
            Self::Group { id, state: Some(state) } => {
                views.groups.insert(id, state);
            }
            Self::Group { id, state: None } => {
                views.groups.remove(&id);
            }
            Self::History(from) => views.history_from = Some(from),
            Self::Ended { id, ended: Some(ended) } => {
                views.ended.insert(id, ended);
            }
            Self::Ended { id, ended: None } => {
                views.ended.remove(&id);
            }
            Self::Deployment { id, deployment: Some(deployment) } => {
                views.deployments.insert(id, deployment);
            }
            Self::Deployment { id, deployment: None } => {
                views.deployments.remove(&id);
            }
            Self::User { name: _, user: Some(user) } => views.accounts.put(user),
            Self::User { name, user: None } => views.accounts.remove(&name),
            Self::Session { digest: _, session: Some(session) } => views.accounts.begin(session),
            Self::Session { digest, session: None } => views.accounts.end(&digest),
            Self::Queue { id, item: Some(item) } => {
                views.queue.insert(id, *item);
            }
            Self::Secret { path, version: Some(version) } => {
                views.secrets.insert(path, version);
            }
            Self::Secret { path, version: None } => {
                views.secrets.remove(&path);
            }
            Self::Queue { id, item: None } => {
                views.queue.remove(&id);
            }
        }
    }
}

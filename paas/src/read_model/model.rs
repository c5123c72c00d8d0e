use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use attica_core_api::Timestamp;
use attica_core_api::v1::FrameworkId;
use attica_core_store::Position;
use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

use super::fold::Change;
use super::progress::Underway;
use super::view::AppView;
use crate::access::{Accounts, Scope, Sight};
use crate::engine::QueueItem;
use crate::model::{DeploymentId, GroupId, GroupState, RunSpecId, SecretPath, Shape, Version};

/// Everything that is read, rendered. Shared by all requests.
#[derive(Debug)]
pub struct ReadModel {
    views: RwLock<Views>,
    /// Counts the changes of what users may do, and of what proves who they are.
    accounts_changed: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) struct Views {
    /// Names this read model among all that ever were.
    history: Uuid,
    /// Goes up with every publication.
    revision: u64,
    /// Every fact up to here is in it.
    pub(super) position: Position,
    pub(super) framework_id: Option<FrameworkId>,
    pub(super) connected: bool,
    pub(super) apps: BTreeMap<RunSpecId, AppView>,
    pub(super) groups: BTreeMap<GroupId, GroupState>,
    /// What groups were is known from here on.
    pub(super) history_from: Option<Version>,
    pub(super) deployments: BTreeMap<DeploymentId, DeploymentView>,
    /// Those that ended lately.
    pub(super) ended: BTreeMap<DeploymentId, EndedView>,
    pub(super) queue: BTreeMap<RunSpecId, QueueItem>,
    /// When each was set.
    pub(super) secrets: BTreeMap<SecretPath, Version>,
    pub(super) accounts: Accounts,
}

/// A running deployment, rendered.
#[derive(Debug)]
pub(super) struct DeploymentView {
    pub(super) json: Bytes,
    /// What its current step is about.
    pub(super) current: Vec<Underway>,
    pub(super) scope: Scope,
}

/// A deployment that is over, rendered.
#[derive(Debug)]
pub(super) struct EndedView {
    pub(super) at: Timestamp,
    pub(super) json: Bytes,
    pub(super) scope: Scope,
}

/// How much there is of everything, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Apps.
    pub apps: u64,
    /// Pods.
    pub pods: u64,
    /// Groups, the root included.
    pub groups: u64,
    /// Running deployments.
    pub deployments: u64,
    /// Tasks that are launched and do not run yet.
    pub staged: u64,
    /// Tasks that run.
    pub running: u64,
    /// Instances that wait for an offer.
    pub waiting: u64,
    /// Whether the master is connected.
    pub connected: bool,
}

impl Views {
    /// A strong entity tag.
    /// Readers who see different things read different answers.
    pub(super) fn tag(&self, sight: &Sight) -> String {
        let seen = match sight {
            Sight::Everything => String::new(),
            Sight::Within(paths) => {
                let mut digest = DefaultHasher::new();
                paths.hash(&mut digest);
                format!(".{:016x}", digest.finish())
            }
        };
        format!("\"{}.{}{seen}\"", self.history.simple(), self.revision)
    }
}

impl ReadModel {
    /// Nothing to read yet, of a history that has come to `position`. `history` tells this model from others, in entity tags.
    #[must_use]
    pub fn new(history: Uuid, position: Position) -> Self {
        let views = Views {
            history,
            revision: 0,
            position,
            framework_id: None,
            connected: false,
            apps: BTreeMap::new(),
            groups: BTreeMap::new(),
            history_from: None,
            deployments: BTreeMap::new(),
            ended: BTreeMap::new(),
            queue: BTreeMap::new(),
            secrets: BTreeMap::new(),
            accounts: Accounts::default(),
        };
        Self { views: RwLock::new(views), accounts_changed: watch::Sender::new(0) }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Views> {
        // Every change leaves valid views, so that a panic elsewhere makes them no worse.
        self.views.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes changes visible, all at once, and with them that the facts up to `position` are in, if there are any.
    pub(super) fn publish(&self, position: Option<Position>, changes: Vec<Change>) {
        if position.is_none() && changes.is_empty() {
            return;
        }
        let mut views = self.views.write().unwrap_or_else(PoisonError::into_inner);
        views.position = position.unwrap_or(views.position);
        if changes.is_empty() {
            return;
        }
        views.revision += 1;
        let of_accounts = changes.iter().any(Change::is_of_accounts);
        changes.into_iter().for_each(|change| change.apply(&mut views));
        drop(views);
        if of_accounts {
            self.accounts_changed.send_modify(|changes| *changes += 1);
        }
    }

    /// Every fact up to here can be read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.read().position
    }

    /// The framework's id, once it has one.
    #[must_use]
    pub fn framework_id(&self) -> Option<FrameworkId> {
        self.read().framework_id.clone()
    }

    /// Looks at users and sessions.
    pub fn accounts<T>(&self, look: impl FnOnce(&Accounts) -> T) -> T {
        look(&self.read().accounts)
    }

    /// Changes whenever somebody may do something else, or proves who it is by something else.
    #[must_use]
    pub fn accounts_changes(&self) -> watch::Receiver<u64> {
        self.accounts_changed.subscribe()
    }

    /// How much there is of everything.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let views = self.read();
        let of_shape = |shape| views.apps.values().filter(move |app| app.of_shape(shape).is_some()).count() as u64;
        let around = views.apps.iter().filter(|(_, app)| app.definition.is_some()).map(|(id, _)| id.parent());
        let said = views.groups.iter().filter(|(_, state)| state.current().is_some()).map(|(id, _)| id.as_str());
        let groups: BTreeSet<&str> = around.chain(said).chain(["/"]).collect();
        Totals {
            apps: of_shape(Shape::App),
            pods: of_shape(Shape::Pod),
            groups: groups.len() as u64,
            deployments: views.deployments.len() as u64,
            staged: views.apps.values().map(|app| u64::from(app.counts.staged)).sum(),
            running: views.apps.values().map(|app| u64::from(app.counts.running)).sum(),
            waiting: views.queue.values().map(|item| u64::from(item.count)).sum(),
            connected: views.connected,
        }
    }
}

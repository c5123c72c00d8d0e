use attica_core_api::v1::TaskId;

use crate::access::{Lacking, UserName};
use crate::model::{DeploymentId, GroupId, RunSpecId, SecretPath, Version};

/// Why a write was refused. Nothing was changed. The texts are Marathon's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A creation of something that exists (409).
    #[error("An app with id [{0}] already exists.")]
    Exists(RunSpecId),
    /// A creation of a pod that exists (409).
    #[error("A pod with id [{0}] already exists.")]
    PodExists(RunSpecId),
    /// No such run spec (404).
    #[error("App '{0}' does not exist")]
    Missing(RunSpecId),
    /// No such pod (404).
    #[error("Pod '{0}' does not exist")]
    PodMissing(RunSpecId),
    /// A creation of a group that exists (409).
    #[error("Group {0} is already created. Use PUT to change this group.")]
    GroupExists(GroupId),
    /// A creation of a group where a run spec is (409).
    #[error("An app with the path {0} already exists.")]
    PathTaken(GroupId),
    /// No such group (404).
    #[error("Group '{0}' does not exist")]
    GroupMissing(GroupId),
    /// A group cannot return to this version (422).
    #[error("Group {id} not available in version {version}")]
    GroupVersionMissing {
        /// The group.
        id: GroupId,
        /// The version.
        version: Version,
    },
    /// What is to be changed is at another version than the writer has seen (412).
    #[error("{what} {}, not the version that If-Match names: read it again", present_as(*present))]
    Precondition {
        /// `App '/web'`
        what: String,
        /// Its version; none: it does not exist.
        present: Option<Version>,
    },
    /// A write of several things, or of none that has versions, cannot depend on a version (400).
    #[error("If-Match can only be used where one app or one group is written")]
    NoPrecondition,
    /// No such version of a run spec (404).
    #[error("App '{id}' does not exist in version {version}")]
    VersionMissing {
        /// The run spec.
        id: RunSpecId,
        /// The version.
        version: Version,
    },
    /// No such task (404).
    #[error("Task '{0}' does not exist")]
    TaskMissing(TaskId),
    /// No such running deployment (404).
    #[error("DeploymentPlan {0} does not exist")]
    DeploymentMissing(DeploymentId),
    /// The run spec waits for nothing (404).
    #[error("Application {0} not found in tasks queue.")]
    NotQueued(RunSpecId),
    /// Running deployments are in the way (409).
    #[error(
        "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'."
    )]
    Locked {
        /// Those deployments, in the order of their ids.
        deployments: Vec<DeploymentId>,
    },
    /// The resulting definition breaks rules (422).
    #[error("Object is not valid")]
    Invalid(Vec<Violation>),
    /// Too many consumers of the event stream want to be waited for (503).
    #[error("{limit} consumers of the event stream are waited for already")]
    TooManyConsumers {
        /// So many may be.
        limit: usize,
    },
    /// The caller may not do this (403).
    #[error(transparent)]
    Forbidden(#[from] Lacking),
    /// No such user (404).
    #[error("User '{0}' does not exist")]
    UserMissing(UserName),
    /// The user has no such token (404).
    #[error("User '{0}' has no such token")]
    TokenMissing(UserName),
    /// The user does not hold that (404).
    #[error("User '{0}' holds none of these permissions there")]
    GrantMissing(UserName),
    /// There are so many already (422).
    #[error("there may be {limit} {what} at most")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Events are posted to too many URLs (503).
    #[error("events are posted to {limit} URLs already")]
    TooManyCallbacks {
        /// So many may be.
        limit: usize,
    },
    /// No such secret (404).
    #[error("Secret '{0}' does not exist")]
    SecretMissing(SecretPath),
    /// Somebody else wrote the secret at the same time (409).
    #[error("Secret '{0}' was changed at the same time: look at it, and try again")]
    SecretChanged(SecretPath),
    /// The secret is needed (409).
    #[error("Secret '{path}' is used by {}: change them first", listed(users, *others))]
    SecretUsed {
        /// The secret.
        path: SecretPath,
        /// Who refers to it, as far as the caller may know.
        users: Vec<RunSpecId>,
        /// So many more do.
        others: usize,
    },
    /// More secrets than may be (422).
    #[error("{limit} secrets are kept already, which is as many as can be")]
    TooManySecrets {
        /// So many may be.
        limit: usize,
    },
    /// Too many deployments run (403).
    #[error(
        "Max number ({limit}) of running deployments is achieved. Wait for existing deployments to complete or cancel one."
    )]
    TooManyDeployments {
        /// So many may run.
        limit: usize,
    },
}

/// The first few of them, and how many there are beside.
fn listed(users: &[RunSpecId], others: usize) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<&str> = users.iter().take(SHOWN).map(RunSpecId::as_str).collect();
    match (shown.is_empty(), users.len() - shown.len() + others) {
        (_, 0) => shown.join(", "),
        (true, more) => format!("{more} that you may not view"),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn present_as(present: Option<Version>) -> String {
    present.map_or_else(|| "does not exist".to_owned(), |present| format!("is at version {present}"))
}

/// A rule that a definition breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where: `/healthChecks(1)/portIndex`, `/` for the whole object.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Violation {
    /// A violation at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

use attica_core_api::v1::TaskId;

use crate::model::{DeploymentId, RunSpecId, Version};

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
    /// Too many deployments run (403).
    #[error(
        "Max number ({limit}) of running deployments is achieved. Wait for existing deployments to complete or cancel one."
    )]
    TooManyDeployments {
        /// So many may run.
        limit: usize,
    },
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

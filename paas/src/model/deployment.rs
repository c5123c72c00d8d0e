use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeploymentId, GroupId, RunSpecId, Shape, Version, serial};
use crate::access::Scope;

/// A plan that leads from one set of definitions to another, and how far it has come. While it runs, it locks its run specs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The version of the write that made it.
    pub version: Version,
    /// What is done, step after step. Never empty, no step is empty: a plan without steps ends at once and is never stored.
    pub steps: Vec<Step>,
    /// The index of the step that is being done.
    pub current_step: usize,
    /// The run specs that it changes, with their versions before and after.
    pub changes: BTreeMap<RunSpecId, Change>,
    /// Those of them that are pods.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pods: BTreeSet<RunSpecId>,
    /// The groups that it changes, with their versions before and after.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<GroupId, Change>,
    /// When it began.
    #[serde(default = "never", with = "serial::milliseconds")]
    pub began_at: Timestamp,
    /// The deployment that it undoes, because that one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<DeploymentId>,
    /// What keeps it from going its way.
    #[serde(default)]
    pub hold: Hold,
}

impl Deployment {
    /// Who may read of it: those who may view everything that it changes.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of_all(self.changes.keys().map(RunSpecId::as_str))
    }

    /// As what one of its run specs is written and read.
    #[must_use]
    pub fn shape_of(&self, run_spec: &RunSpecId) -> Shape {
        if self.pods.contains(run_spec) { Shape::Pod } else { Shape::App }
    }
}

/// Deployments of earlier programs began nobody knows when.
fn never() -> Timestamp {
    Timestamp(0)
}

/// What keeps a deployment from going its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// It does nothing until it is resumed.
    pub paused: Option<Pause>,
    /// The run specs that it no longer waits for, with the reason.
    pub given_up: BTreeMap<RunSpecId, String>,
}

/// Since when a deployment does nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    #[serde(with = "serial::milliseconds")]
    pub since: Timestamp,
    /// Why; none: somebody wanted it.
    pub cause: Option<String>,
}

/// A deployment that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// The version of the write that made it.
    pub version: Version,
    /// The run specs that it changed.
    pub run_specs: Vec<RunSpecId>,
    /// Those of them that are pods.
    #[serde(default)]
    pub pods: BTreeSet<RunSpecId>,
    /// How it ended.
    pub ending: Ending,
    /// So many of its steps were done …
    pub steps_done: usize,
    /// … of so many.
    pub steps: usize,
    /// When it began.
    #[serde(with = "serial::milliseconds")]
    pub began_at: Timestamp,
    /// When it ended.
    #[serde(with = "serial::milliseconds")]
    pub ended_at: Timestamp,
}

impl EndedDeployment {
    /// Who may read of it: those who may view everything that it changed.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of_all(self.run_specs.iter().map(RunSpecId::as_str))
    }
}

/// What a deployment does to one run spec, or to one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The version before; none: it did not exist.
    pub from: Option<Version>,
    /// The version after; none: it is removed.
    pub to: Option<Version>,
}

/// Actions that are done side by side. The next step begins when all of them are done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The actions.
    pub actions: Vec<Action>,
}

/// One thing to do to one run spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// What.
    pub kind: ActionKind,
    /// To which.
    pub run_spec: RunSpecId,
}

/// What is done to a run spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionKind {
    /// It becomes known, with no instances yet.
    Start,
    /// Its instances are killed.
    Stop,
    /// Instances are started or killed until their number is right and all are ready.
    Scale,
    /// Instances of older generations are replaced.
    Restart,
}

impl ActionKind {
    /// How Marathon calls it.
    #[must_use]
    pub fn name(self, shape: Shape) -> &'static str {
        match (self, shape) {
            (Self::Start, Shape::App) => "StartApplication",
            (Self::Stop, Shape::App) => "StopApplication",
            (Self::Scale, Shape::App) => "ScaleApplication",
            (Self::Restart, Shape::App) => "RestartApplication",
            (Self::Start, Shape::Pod) => "StartPod",
            (Self::Stop, Shape::Pod) => "StopPod",
            (Self::Scale, Shape::Pod) => "ScalePod",
            (Self::Restart, Shape::Pod) => "RestartPod",
        }
    }
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Every step was done.
    Done,
    /// It was stopped where it stood.
    Cancelled,
    /// Another deployment took its place: one that undoes it at somebody's wish, or a forced write.
    Superseded {
        /// That deployment.
        by: DeploymentId,
    },
    /// It failed, and another deployment undoes it.
    RolledBack {
        /// That deployment.
        by: DeploymentId,
        /// Why it failed.
        cause: String,
    },
    /// It failed, and was left as it stood.
    Failed {
        /// Why.
        cause: String,
    },
}

impl Ending {
    /// Why it is over, in words; none for one that is done.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Done => None,
            Self::Cancelled => Some("The deployment was cancelled".to_owned()),
            Self::Superseded { by } => Some(format!("Replaced by deployment {by}")),
            Self::RolledBack { by, cause } => Some(format!("{cause}; deployment {by} rolls it back")),
            Self::Failed { cause } => Some(cause.clone()),
        }
    }
}

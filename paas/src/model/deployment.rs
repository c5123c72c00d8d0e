use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{DeploymentId, RunSpecId, Shape, Version};

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
}

impl Deployment {
    /// As what one of its run specs is written and read.
    #[must_use]
    pub fn shape_of(&self, run_spec: &RunSpecId) -> Shape {
        if self.pods.contains(run_spec) { Shape::Pod } else { Shape::App }
    }
}

/// What a deployment does to one run spec.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Every step was done.
    Done,
    /// It was stopped where it stood.
    Cancelled,
    /// Another deployment took its place: one that undoes it, or a forced write.
    Superseded {
        /// That deployment.
        by: DeploymentId,
    },
}

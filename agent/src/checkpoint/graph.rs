//! What is written down of a task that is a graph of processes.

use serde::{Deserialize, Serialize};

use crate::launcher::protocol::{ContainerId, Ending};

/// How far a process has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunPhase {
    /// It has not run yet, or is to run again.
    #[default]
    Waiting,
    /// The launcher is to start it.
    Launching,
    /// It runs.
    Running,
    /// It is not run again.
    Succeeded,
    /// It has failed as often as it may.
    Failed,
    /// It was ended before it had done what it was for.
    Killed,
}

/// How a process of a task stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProcessStanding {
    pub(crate) phase: RunPhase,
    /// Runs that were begun.
    pub(crate) runs: u32,
    /// Runs that have failed.
    pub(crate) failures: u32,
    /// Of the run that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<ContainerId>,
    /// When the latest run began, in seconds since 1970.
    pub(crate) started: Option<f64>,
    /// When it ended.
    pub(crate) ended: Option<f64>,
    /// How it ended, if it ever ran.
    pub(crate) ending: Option<Ending>,
    /// Why it could not be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// What is being done with a graph as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GraphStage {
    /// Its regular processes run.
    Active,
    /// It was asked over HTTP to end.
    Quitting,
    /// It was asked again, less gently.
    Aborting,
    /// What runs was sent SIGTERM.
    Cleaning,
    /// Its final processes run.
    Finalizing,
    /// What runs was sent SIGKILL.
    Ending,
    /// Nothing runs.
    Over,
}

/// How a graph has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GraphVerdict {
    Success,
    Failed,
    Killed,
}

/// How a graph stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageStanding {
    pub(crate) stage: GraphStage,
    /// When that ends at the latest, in seconds since 1970.
    pub(crate) until_seconds: Option<f64>,
    pub(crate) verdict: Option<GraphVerdict>,
}

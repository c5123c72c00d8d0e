//! What outlives the tasks of an instance: disk space of an agent, and everything else that is reserved there beside it.

use std::sync::Arc;

use attica_core_api::v1::FrameworkId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Agent, RunSpecId};

/// Disk space that is kept for an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistentVolume {
    /// On what.
    pub disk: DiskKind,
    /// So many MiB at least; exactly so many, unless a disk is given away whole.
    pub size_mb: u32,
    /// A disk that is given away whole has at most so many MiB; none: any number. Only with [`DiskKind::Mount`].
    pub size_max_mb: Option<u32>,
    /// The storage profile of the disk; none: any disk.
    pub profile: Option<String>,
    /// What the path of the disk is like. Never with [`DiskKind::Root`].
    pub paths: Vec<PathRule>,
}

/// A kind of disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskKind {
    /// The one on which the agent works.
    Root,
    /// Another one, a part of it.
    Path,
    /// Another one, all of it.
    Mount,
}

/// What the path of a disk is like: regular expressions that match all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathRule {
    /// It matches.
    Like(String),
    /// It does not.
    Unlike(String),
}

/// What becomes of an instance that cannot run where its volumes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residency {
    /// It is waited for so long, if not for ever.
    pub relaunch_timeout_ms: u64,
    /// And then?
    pub task_lost: TaskLost,
}

/// What becomes of an instance that cannot run where its volumes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskLost {
    /// It waits, for ever.
    WaitForever,
    /// Its volumes are given up, and another instance begins anew.
    RelaunchAfterTimeout,
}

impl Default for Residency {
    fn default() -> Self {
        Self { relaunch_timeout_ms: 3_600_000, task_lost: TaskLost::WaitForever }
    }
}

/// What an agent keeps for an instance: the resources of its task, and its volumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// Where.
    pub agent: Arc<Agent>,
    /// By whom, as is written on it.
    pub framework: FrameworkId,
    /// For which role; empty when it was made before there was more than one.
    #[serde(default)]
    pub role: String,
    /// The volumes, one for each that its run spec names.
    pub volumes: Vec<LocalVolume>,
    /// Whether it is known to be there: it was asked for together with a launch, and either may have been lost.
    pub confirmed: bool,
}

impl Reservation {
    /// The role that it is made for, where it says so; otherwise it is that of the run spec.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        Some(self.role.as_str()).filter(|role| !role.is_empty())
    }
}

/// A persistent volume of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalVolume {
    /// What its run spec calls it: the path in the container; of a pod: the volume's name.
    pub name: String,
    /// Its own part of its id.
    pub uuid: Uuid,
}

impl LocalVolume {
    /// What the agent calls it: `shop_web#data#<uuid>`.
    #[must_use]
    pub fn persistence_id(&self, run_spec: &RunSpecId) -> String {
        format!("{}#{}#{}", run_spec.safe_path(), self.name, self.uuid)
    }
}

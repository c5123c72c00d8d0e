//! Containers of a Docker daemon, which runs them in the launcher's place: tasks of `container.type` DOCKER, when `--containerizers` names
//! `docker`.
//!
//! Code map: [`spec`] is what is asked for, as data; [`client`] speaks the daemon's API over its socket; [`link`] keeps what the agent knows
//! and what the daemon has in line, and [`logs`] brings what containers write into their sandboxes.
//!
//! The supervisor knows two containerizers, the launcher and the daemon. Both say in the same words what becomes of a container, and
//! both begin with all that they have, so tasks go on while the agent is away, and are found again.
//!
//! Durable: nothing of ours. A container is named `mesos-<id>` and bears a label that tells whose it is; it is removed once its end is written
//! down. What it has written is with the daemon, and so can be brought into the sandbox later.

pub(crate) mod client;
pub(crate) mod link;
mod logs;
pub(crate) mod spec;

use serde::{Deserialize, Serialize};

use crate::launcher::protocol::{ContainerId, Request};
use spec::{DaemonSpec, Exec};

/// The label that tells which agent a container belongs to.
pub(crate) const LABEL: &str = "org.attica.agent";
/// What its name begins with, as Mesos has it.
const PREFIX: &str = "mesos-";

/// Who runs a task's container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Containerizer {
    #[default]
    Launcher,
    /// The Docker daemon.
    Daemon,
}

impl Containerizer {
    pub(crate) fn is_launcher(&self) -> bool {
        *self == Containerizer::Launcher
    }
}

/// What is asked of the daemon's link.
#[derive(Debug)]
pub(crate) enum Order {
    Launch(Box<DaemonSpec>),
    /// Run a command in a container.
    Exec(Box<Exec>),
    /// What a launcher would be asked as well.
    Ask(Request),
}

/// The daemon's name for a container.
fn name(container: &ContainerId) -> String {
    format!("{PREFIX}{container}")
}

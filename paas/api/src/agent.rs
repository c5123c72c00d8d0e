//! The machines that apps run on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::Number;

/// Answer to `GET /v2/agents`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentList {
    /// The agents that the master knows.
    pub agents: Vec<Agent>,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// The id that the master gave; tasks name it as `slaveId`.
    pub id: String,
    /// Name or address of the machine; tasks name it as `host`.
    pub hostname: String,
    /// Where the agent answers, `host:port`.
    pub address: String,
    /// Attributes, as constraints compare them.
    pub attributes: BTreeMap<String, String>,
    /// False while the master has no contact with it.
    pub active: bool,
    /// What it has.
    pub resources: AgentResources,
    /// What of it tasks use.
    pub used: AgentResources,
    /// When it was first registered, RFC 3339 with milliseconds.
    pub registered_time: String,
    /// The version of its program.
    pub version: String,
    /// What tasks can ask of it besides resources; absent when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abilities: Option<AgentAbilities>,
}

/// What tasks can ask of an agent besides resources, as it found out when it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentAbilities {
    /// It runs containers itself: those of the type `MESOS`, and of the type `DOCKER` where no daemon does.
    pub launcher: bool,
    /// A Docker daemon runs its containers of the type `DOCKER`.
    pub daemon: bool,
    /// Containers of that daemon may have more of the machine than others.
    pub privileged: bool,
    /// It isolates containers, mounts volumes in them, and makes them from images.
    pub mounts: bool,
    /// The names of the networks that containers can be in.
    pub networks: Vec<String>,
    /// UDP ports can be mapped in them.
    pub datagrams: bool,
    /// The names of the profiles of system calls.
    pub seccomp_profiles: Vec<String>,
    /// Directories of the machine that tasks may see, with all that is beneath.
    pub host_paths: Vec<String>,
    /// As whom all tasks run; absent: as whom they ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Quantities of resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentResources {
    /// Processors.
    pub cpus: Number,
    /// Memory, MiB.
    pub mem: Number,
    /// Disk, MiB.
    pub disk: Number,
    /// Devices.
    pub gpus: Number,
    /// Ranges of ports: `[31000-31099]`; `[]` for none.
    pub ports: String,
}

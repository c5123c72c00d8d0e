//! What a container of the daemon's is to be like, in the form of its API.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::launcher::protocol::{ContainerId, Limits};

/// How long a period of cpu time is, in microseconds: that of [`Limits::cpu_quota_us`].
const PERIOD_US: u64 = 100_000;

/// A container to be made and started.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DaemonSpec {
    pub(crate) container: ContainerId,
    pub(crate) create: Create,
}

/// A command to be run in a container that runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exec {
    /// Names the run.
    pub(crate) run: ContainerId,
    /// What it is run in.
    pub(crate) container: ContainerId,
    pub(crate) argv: Vec<String>,
    /// What it finds besides what the container's program does.
    pub(crate) environment: Vec<(String, String)>,
}

/// The body of `POST /containers/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Create {
    pub(crate) image: String,
    /// `None`: the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<Vec<String>>,
    /// `None`: the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cmd: Option<Vec<String>>,
    /// Each as `name=value`.
    pub(crate) env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_signal: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// `80/tcp`, each with an empty object.
    pub(crate) exposed_ports: BTreeMap<String, Map<String, Value>>,
    pub(crate) host_config: HostConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) networking_config: Option<Value>,
}

/// Its member that is about the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HostConfig {
    pub(crate) network_mode: String,
    pub(crate) port_bindings: BTreeMap<String, Vec<PortBinding>>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) cpu_shares: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_quota: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_period: Option<u64>,
    pub(crate) memory: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_reservation: Option<u64>,
    pub(crate) pids_limit: u64,
    pub(crate) privileged: bool,
    pub(crate) ulimits: Vec<Ulimit>,
    /// What only `container.docker.parameters` ask for.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// A port of the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PortBinding {
    pub(crate) host_port: String,
}

/// A file or directory of the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Mount {
    pub(crate) r#type: &'static str,
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) read_only: bool,
}

/// A limit of each process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Ulimit {
    pub(crate) name: String,
    pub(crate) soft: i64,
    pub(crate) hard: i64,
}

impl HostConfig {
    /// With these limits of everything together.
    pub(crate) fn limited(limits: &Limits) -> HostConfig {
        let Limits { cpu_shares, cpu_quota_us, memory_bytes, memory_request_bytes, pids } = *limits;
        HostConfig {
            cpu_shares,
            cpu_quota: cpu_quota_us,
            cpu_period: cpu_quota_us.map(|_| PERIOD_US),
            // Which means no limit: that of a task that may have all there is.
            memory: if memory_bytes == u64::MAX { 0 } else { memory_bytes },
            memory_reservation: memory_request_bytes,
            pids_limit: pids,
            ..HostConfig::default()
        }
    }
}

use std::collections::BTreeMap;

use attica_core_api::Scalar;
use serde::{Deserialize, Serialize};

use super::{
    Access, Artifact, Check, CommandLine, EnvValue, HealthCheck, Ipc, Limits, Linux, Networks, PersistentVolume,
    PortChoice, PortDefinition, PortMapping, Protocol, Pull, Resources,
};

/// Several containers that live and die together, on one machine and in one network. What a run spec says of resources and ports is
/// that of all of them together ([`Pod::resources`], [`Pod::ports`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// At least one, by names that differ.
    pub containers: Vec<PodContainer>,
    /// What containers mount, by names that differ.
    pub volumes: Vec<PodVolume>,
    /// What holds them together needs something, too.
    pub executor: Resources,
    /// `scaling.maxInstances`, as given: nothing follows from it.
    pub instances_max: Option<u32>,
    /// Whether its containers share its limits (true), rather than having limits of their own; none: they do not, and nobody said so.
    pub shared_cgroups: Option<bool>,
    /// Whom its containers share memory with that do not say so themselves; none: as the agent has it. With [`Ipc::Private`] there is at
    /// most one such container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc: Option<Ipc>,
}

/// One container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodContainer {
    /// Its name.
    pub name: String,
    /// What it runs; none: what its image says.
    pub command: Option<PodCommand>,
    /// What it needs.
    pub resources: Resources,
    /// How far it may go beyond that.
    pub limits: Limits,
    /// Where it answers.
    pub endpoints: Vec<PodEndpoint>,
    /// What it is made from; none: the machine's own files.
    pub image: Option<PodImage>,
    /// Its environment. It wins over the pod's.
    pub env: BTreeMap<String, EnvValue>,
    /// The account it runs under; none: the pod's.
    pub user: Option<String>,
    /// How its health is found out, by the agent. A port is the index of one of [`Pod::ports`].
    pub health_check: Option<HealthCheck>,
    /// What is asked of it without a consequence.
    pub check: Option<Check>,
    /// What it mounts.
    pub mounts: Vec<PodMount>,
    /// What is brought into its sandbox first.
    pub artifacts: Vec<Artifact>,
    /// Labels; it is given those of the pod, too.
    pub labels: BTreeMap<String, String>,
    /// What Linux grants and denies it.
    pub linux: Option<Linux>,
    /// Whether it has a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<bool>,
    /// The time between SIGTERM and SIGKILL; none: the agent's own.
    pub kill_grace_period_ms: Option<u64>,
}

/// What a container of a pod runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodCommand {
    /// A line for the shell, or a program with its arguments.
    pub line: CommandLine,
    /// False: the words are arguments of the image's program. None: nobody said so, and they name the program.
    pub overrides_entrypoint: Option<bool>,
}

/// Where a container of a pod answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodEndpoint {
    /// Its name, unique in the pod.
    pub name: String,
    /// Its port within the container's network; none on the host's.
    pub container_port: Option<u16>,
    /// The port of the host that leads to it; 0: any that is free, none: there is no way from the host.
    pub host_port: Option<u16>,
    /// Its protocols, as given: `tcp`, `udp`, and what is spoken above them.
    pub protocols: Vec<String>,
    /// Labels, for discovery.
    pub labels: BTreeMap<String, String>,
    /// The container networks that it is for; empty: all.
    pub networks: Vec<String>,
}

/// The image of a container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodImage {
    /// Its name, with registry, tag or digest.
    pub name: String,
    /// Whether the registry is asked even when the image is there.
    pub pull: Pull,
    /// The name of the secret that says whom to be towards the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secret: Option<String>,
    /// Labels of the image, as given: nothing follows from them.
    pub labels: BTreeMap<String, String>,
}

/// A volume of a container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodMount {
    /// Which of the pod's.
    pub volume: String,
    /// Where it is seen.
    pub path: String,
    /// Whether it can be written to; none: it can, and nobody said so.
    pub access: Option<Access>,
}

/// What containers of a pod share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodVolume {
    /// Its name.
    pub name: String,
    /// What it is.
    pub source: PodVolumeSource,
}

/// What a volume of a pod is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodVolumeSource {
    /// A directory that comes and goes with an instance.
    Ephemeral,
    /// A path of the machine.
    Host(String),
    /// Disk space that is kept for an instance.
    Persistent(PersistentVolume),
    /// A secret, by its name in the run spec, as a file.
    Secret(String),
}

impl Pod {
    /// What an instance needs: its containers, and what holds them together.
    #[must_use]
    pub fn resources(&self) -> Resources {
        let each = self.containers.iter().map(|container| container.resources);
        each.fold(self.executor, Resources::plus)
    }

    /// Whom one of its containers shares memory with: what is around it is the pod.
    #[must_use]
    pub fn ipc_of(&self, container: &PodContainer) -> Option<Ipc> {
        match container.linux.as_ref().and_then(|linux| linux.ipc) {
            Some(own @ Ipc::Private { .. }) => Some(own),
            own @ (Some(Ipc::ShareParent) | None) => self.ipc.or(own),
        }
    }

    /// The endpoints of its containers, each with its container.
    pub fn endpoints(&self) -> impl Iterator<Item = (&PodContainer, &PodEndpoint)> {
        self.containers
            .iter()
            .flat_map(|container| container.endpoints.iter().map(move |endpoint| (container, endpoint)))
    }

    /// The ports of an instance: one for each endpoint, in the order of the containers. Load balancers have none for them.
    #[must_use]
    pub fn ports(&self, networks: &Networks) -> Vec<PortDefinition> {
        let port = |endpoint: &PodEndpoint| {
            let (container, host) = match networks {
                Networks::Host => (0, Some(endpoint.host_port.unwrap_or_default())),
                Networks::Bridge { .. } | Networks::Container(_) => {
                    (endpoint.container_port.unwrap_or_default(), endpoint.host_port)
                }
            };
            PortDefinition {
                port: 0,
                choice: PortChoice::Nobody,
                name: Some(endpoint.name.clone()),
                protocol: endpoint.transport(),
                labels: endpoint.labels.clone(),
                mapping: Some(PortMapping { container, host, networks: endpoint.networks.clone() }),
            }
        };
        self.endpoints().map(|(_, endpoint)| port(endpoint)).collect()
    }

    /// The health checks, each with its container, in the order of [`Task::health`](super::Task::health).
    pub fn health_checks(&self) -> impl Iterator<Item = (&PodContainer, &HealthCheck)> {
        self.containers.iter().filter_map(|container| Some((container, container.health_check.as_ref()?)))
    }
}

impl PodEndpoint {
    /// What carries its protocols: whatever is not said to go by datagrams goes by streams.
    #[must_use]
    pub fn transport(&self) -> Protocol {
        let is_udp = |protocol: &String| protocol.eq_ignore_ascii_case("udp");
        match (self.protocols.iter().any(is_udp), self.protocols.iter().all(is_udp)) {
            (true, true) => Protocol::Udp,
            (true, false) => Protocol::UdpTcp,
            (false, _) => Protocol::Tcp,
        }
    }
}

impl Resources {
    /// Nothing.
    pub const NONE: Self = Self { cpus: Scalar::ZERO, mem: Scalar::ZERO, disk: Scalar::ZERO, gpus: Scalar::ZERO };

    /// The sum of both.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            cpus: self.cpus.plus(more.cpus),
            mem: self.mem.plus(more.mem),
            disk: self.disk.plus(more.disk),
            gpus: self.gpus.plus(more.gpus),
        }
    }
}

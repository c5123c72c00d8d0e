use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::Scalar;
use serde::{Deserialize, Serialize};

use super::{
    Artifact, Check, Constraint, Container, DeploymentPolicy, EnvValue, Graph, HealthCheck, Limits, Networks,
    PersistentVolume, Pod, PodVolumeSource, ReadinessCheck, Residency, RunSpecId, SecretPath, SecretSource, Version,
    VolumeSource, serial,
};

/// What is to run, and how: one version of a service, in normal form.
///
/// Marathon's JSON and the config language are both translated into it at the border, and out of it again. Apps and pods differ in what
/// they run ([`CommandLine`]); the rest is the same. Jobs will be a further shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Its path.
    pub id: RunSpecId,
    /// This version.
    pub version: Version,
    /// The last version that changed the number of instances.
    pub last_scaling_at: Version,
    /// The last version that changed anything else. Backoff belongs to (id, this).
    pub last_config_change_at: Version,
    /// The version whose configuration this is: equal versions here mean that instances need no restart. It differs from
    /// `last_config_change_at` only when a change went back to an earlier configuration.
    pub generation: Version,
    /// How many instances there should be.
    pub instances: u32,
    /// What an instance runs.
    pub command: CommandLine,
    /// The account it runs under; none: the agent's default.
    pub user: Option<String>,
    /// What it runs in; none: straight on the machine. Never none on networks other than the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Its networks.
    #[serde(default, skip_serializing_if = "Networks::is_host")]
    pub networks: Networks,
    /// What is brought into its sandbox first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetch: Vec<Artifact>,
    /// Whether it has a terminal; none: it has none, and nobody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<bool>,
    /// The path of a program of its own that runs its task, with [`RunSpec::command`] behind it; none: the agent runs that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// What such a program needs, if it is said; as in Marathon, that is of no effect without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_resources: Option<Resources>,
    /// What an instance needs; an app's without its executor.
    pub resources: Resources,
    /// How far it may go beyond that.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// The user's environment. It wins over generated variables.
    pub env: BTreeMap<String, EnvValue>,
    /// The secrets that it uses, by the names that it has for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretSource>,
    /// Labels: for load balancers and people; also given to the task.
    pub labels: BTreeMap<String, String>,
    /// Where instances may run.
    pub placement: Placement,
    /// The ports of an instance, in the order of their indexes.
    pub ports: Vec<PortDefinition>,
    /// The host port must be the defined one. Never so on networks other than the machine's.
    pub require_ports: bool,
    /// How its health is found out.
    pub health_checks: Vec<HealthCheck>,
    /// What is asked of new instances until they are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_check: Option<ReadinessCheck>,
    /// What is asked of it without a consequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// How failing tasks are slowed down.
    pub backoff: Backoff,
    /// How a new version replaces an old one.
    pub upgrade: Upgrade,
    /// What happens to instances on agents that are gone.
    pub unreachable: Unreachable,
    /// What happens to instances that cannot run where their volumes are; none exactly when it has no persistent volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// Which instances go first when there are too many.
    pub kill_selection: KillSelection,
    /// The time between SIGTERM and SIGKILL; none: nothing is sent, the agent's own applies.
    pub kill_grace_period_ms: Option<u64>,
    /// Load balancers have so long to let go of an instance before it is killed; none: [`RunSpec::drain_timeout_ms`]'s default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout_ms: Option<u64>,
    /// An instance that may serve is not killed before so long after its kill was decided; none: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_delay_ms: Option<u64>,
    /// How its deployments go about it; none: as its groups say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<DeploymentPolicy>,
    /// Run specs, or groups of them, that are deployed before this one.
    pub dependencies: Vec<String>,
    /// The role in which it is offered resources.
    pub role: String,
}

/// What an instance runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandLine {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments, without a shell; with an image: the arguments of the image's program.
    Exec(Vec<String>),
    /// What the image runs.
    Image,
    /// Several processes in an order.
    Graph(Box<Graph>),
    /// Several containers, each with a command of its own.
    Pod(Box<Pod>),
}

/// As what a run spec is written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An app.
    App,
    /// A pod.
    Pod,
}

/// What one instance needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Cores.
    #[serde(with = "serial::thousandths")]
    pub cpus: Scalar,
    /// Memory in MiB.
    #[serde(with = "serial::thousandths")]
    pub mem: Scalar,
    /// Disk space in MiB.
    #[serde(with = "serial::thousandths")]
    pub disk: Scalar,
    /// GPUs, always a whole number of them.
    #[serde(with = "serial::thousandths", default)]
    pub gpus: Scalar,
}

/// Where instances may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// All of them must hold.
    pub constraints: Vec<Constraint>,
    /// The reservation roles whose resources may be used, `*` for unreserved ones. Empty: any.
    pub accepted_resource_roles: Vec<String>,
}

/// One port of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortDefinition {
    /// The service port, at which load balancers listen. 0 in a request: one is allocated; 0 in a stored version exactly when there is
    /// none ([`PortChoice::Nobody`]). With `require_ports` it is the host port, too.
    pub port: u16,
    /// Who chose it.
    #[serde(default)]
    pub choice: PortChoice,
    /// Its name, unique within the run spec.
    pub name: Option<String>,
    /// Its protocols.
    pub protocol: Protocol,
    /// Labels of the port, e.g. `VIP_0`.
    pub labels: BTreeMap<String, String>,
    /// Where it is within the container; none exactly for an app on the host's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<PortMapping>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// Its number there; 0: the same as the host's.
    pub container: u16,
    /// The host port that leads to it; 0: any that is free, none: there is no way from the host.
    pub host: Option<u16>,
    /// The container networks that it is for; empty: all.
    pub networks: Vec<String>,
}

/// A port as an instance has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenPort {
    /// On the host, if there is a way to it from there.
    pub host: Option<u16>,
    /// Where the instance listens.
    pub container: u16,
}

impl PortDefinition {
    /// Whether an instance gets a port of the host for it.
    #[must_use]
    pub fn takes_host_port(&self) -> bool {
        self.mapping.as_ref().is_none_or(|mapping| mapping.host.is_some())
    }
}

/// Who chose a service port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortChoice {
    /// The user: it stays what it is, whoever else names it.
    #[default]
    User,
    /// It was allocated from the pool: no other current definition has it from there.
    Pool,
    /// There is none: load balancers have nothing to do with this port.
    Nobody,
}

/// The protocols of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
    /// `udp,tcp`
    UdpTcp,
}

impl Protocol {
    /// How it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpTcp => "udp,tcp",
        }
    }
}

/// How failing tasks are slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// The delay after the first failure.
    pub first_ms: u64,
    /// Each further failure multiplies the delay by this; at least 1.
    pub factor: f64,
    /// The longest delay.
    pub max_ms: u64,
}

/// How a new version replaces an old one; both are shares of `instances` from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upgrade {
    /// So many stay healthy.
    pub minimum_health_capacity: f64,
    /// So many may be there in addition.
    pub maximum_over_capacity: f64,
}

/// What happens to an instance whose agent is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unreachable {
    /// It is waited for, for ever.
    Disabled,
    /// It is replaced and given up.
    After {
        /// A replacement starts after so long.
        inactive_ms: u64,
        /// It is forgotten after so long; at least `inactive_ms`.
        expunge_ms: u64,
    },
}

/// Which instances go first when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KillSelection {
    /// `YOUNGEST_FIRST`
    YoungestFirst,
    /// `OLDEST_FIRST`
    OldestFirst,
}

impl Unreachable {
    /// Another instance starts at once, and the one out of contact is given up.
    pub const DEFAULT: Self = Self::After { inactive_ms: 0, expunge_ms: 0 };
}

impl Upgrade {
    /// Never an instance less, and twice as many at most.
    pub const DEFAULT: Self = Self { minimum_health_capacity: 1.0, maximum_over_capacity: 1.0 };
    /// Of run specs with persistent volumes: there is never an instance too many, for it would need volumes of its own.
    pub const RESIDENT: Self = Self { minimum_health_capacity: 0.5, maximum_over_capacity: 0.0 };
}

impl RunSpec {
    const DRAIN_TIMEOUT_MS: u64 = 10_000;
    /// Where to begin among the ports of a container that need no number of the host.
    const FIRST_OWN_PORT: u16 = 31_000;

    /// Load balancers have so long to let go of an instance before it is killed: 10 s unless the definition says otherwise.
    #[must_use]
    pub fn drain_timeout_ms(&self) -> u64 {
        self.drain_timeout_ms.unwrap_or(Self::DRAIN_TIMEOUT_MS)
    }

    /// The ports of an instance that was given these host ports, one for each definition.
    #[must_use]
    pub fn given_ports(&self, host_ports: &[u16]) -> Vec<GivenPort> {
        let named = self.ports.iter().filter_map(|definition| definition.mapping.as_ref());
        let mut taken: BTreeSet<u16> = named.map(|mapping| mapping.container).collect();
        let mut host_ports = host_ports.iter().copied();
        let mut given = |definition: &PortDefinition| {
            let host = if definition.takes_host_port() { host_ports.next() } else { None };
            let container = match (&definition.mapping, host) {
                (Some(mapping), _) if mapping.container != 0 => mapping.container,
                (_, Some(host)) => host,
                // Nobody else is in its network: any number that it does not use already.
                (_, None) => (Self::FIRST_OWN_PORT..).find(|port| !taken.contains(port)).unwrap_or_default(),
            };
            taken.insert(container);
            GivenPort { host, container }
        };
        self.ports.iter().map(&mut given).collect()
    }

    /// Whether it refers to a secret.
    #[must_use]
    pub fn refers_to(&self, secret: &SecretPath) -> bool {
        self.secrets.values().any(|source| source.path() == *secret)
    }

    /// As what it is written and read.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self.command {
            CommandLine::Pod(_) => Shape::Pod,
            CommandLine::Shell(_) | CommandLine::Exec(_) | CommandLine::Image | CommandLine::Graph(_) => Shape::App,
        }
    }

    /// Its containers, if it is a pod.
    #[must_use]
    pub fn pod(&self) -> Option<&Pod> {
        match &self.command {
            CommandLine::Pod(pod) => Some(pod),
            CommandLine::Shell(_) | CommandLine::Exec(_) | CommandLine::Image | CommandLine::Graph(_) => None,
        }
    }

    /// Its persistent volumes by name: the path in the container; of a pod: what the pod calls them.
    #[must_use]
    pub fn persistent_volumes(&self) -> Vec<(&str, &PersistentVolume)> {
        let of_app = self.container.iter().flat_map(|container| &container.volumes);
        let of_app = of_app.filter_map(|volume| match &volume.source {
            VolumeSource::Persistent(persistent) => Some((volume.container_path.as_str(), persistent)),
            VolumeSource::Host(_) | VolumeSource::Secret(_) => None,
        });
        let of_pod = self.pod().into_iter().flat_map(|pod| &pod.volumes);
        let of_pod = of_pod.filter_map(|volume| match &volume.source {
            PodVolumeSource::Persistent(persistent) => Some((volume.name.as_str(), persistent)),
            PodVolumeSource::Ephemeral | PodVolumeSource::Host(_) | PodVolumeSource::Secret(_) => None,
        });
        of_app.chain(of_pod).collect()
    }

    /// Whether something is kept for its instances when their tasks end.
    #[must_use]
    pub fn is_resident(&self) -> bool {
        self.residency.is_some()
    }

    /// Everything that decides over health, in the order of [`Task::health`](super::Task::health); checks of pods with the name of their
    /// container.
    #[must_use]
    pub fn checks_of_health(&self) -> Vec<(Option<&str>, &HealthCheck)> {
        match self.pod() {
            Some(pod) => pod.health_checks().map(|(container, check)| (Some(container.name.as_str()), check)).collect(),
            None => self.health_checks.iter().map(|check| (None, check)).collect(),
        }
    }

    /// The path of an app's own executor, and what that needs.
    #[must_use]
    pub fn executor(&self) -> Option<(&str, Resources)> {
        Some((self.executor.as_deref()?, self.executor_resources.unwrap_or(Resources::NONE)))
    }

    /// What an instance needs altogether.
    #[must_use]
    pub fn needs(&self) -> Resources {
        self.executor().map_or(self.resources, |(_, executor)| self.resources.plus(executor))
    }

    /// Who gets what of the resources of an instance: its task, and then its executor if it has one of its own; or a pod's executor, and
    /// then each of its containers. Ports are counted: they come in order.
    #[must_use]
    pub fn shares(&self) -> Vec<(Resources, usize)> {
        let host_ports = |ports: &[PortDefinition]| ports.iter().filter(|port| port.takes_host_port()).count();
        let Some(pod) = self.pod() else {
            let own = (self.resources, host_ports(&self.ports));
            return [own].into_iter().chain(self.executor().map(|(_, resources)| (resources, 0))).collect();
        };
        let mut ports = self.ports.as_slice();
        let mut shares = vec![(pod.executor, 0)];
        for container in &pod.containers {
            let (own, others) = ports.split_at(container.endpoints.len().min(ports.len()));
            shares.push((container.resources, host_ports(own)));
            ports = others;
        }
        shares
    }

    /// True when both describe the same thing to run in the same way, whatever their versions and numbers of instances.
    #[must_use]
    pub fn same_configuration(&self, other: &Self) -> bool {
        let mut aligned = other.clone();
        aligned.instances = self.instances;
        aligned.version = self.version;
        aligned.last_scaling_at = self.last_scaling_at;
        aligned.last_config_change_at = self.last_config_change_at;
        aligned.generation = self.generation;
        *self == aligned
    }
}

use std::collections::BTreeMap;

use attica_core_api::Scalar;
use serde::{Deserialize, Serialize};

use super::{PersistentVolume, serial};

/// What an instance runs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Who makes it.
    pub kind: ContainerKind,
    /// What it is made from; none: the machine's own files.
    pub image: Option<Image>,
    /// What is mounted into it.
    pub volumes: Vec<Volume>,
    /// What Linux grants and denies it.
    pub linux: Option<Linux>,
}

/// Who makes a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerKind {
    /// The agent itself.
    Mesos,
    /// A Docker engine, or the agent in its place.
    Docker,
}

/// The image of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its name, with registry, tag or digest.
    pub name: String,
    /// Whether the registry is asked even when the image is there.
    pub pull: Pull,
    /// Whether the container may do everything.
    pub privileged: bool,
    /// Options for the Docker engine.
    pub parameters: Vec<(String, String)>,
    /// Whom to be towards the registry.
    pub credential: Option<RegistryAccount>,
    /// The name of the secret that says so instead, in the form of Docker's `config.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secret: Option<String>,
}

/// When the registry is asked for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pull {
    /// When the agent does not have it.
    Missing,
    /// Each time.
    Always,
}

/// An account at a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryAccount {
    /// Its name.
    pub principal: String,
    /// Its password.
    pub secret: Option<String>,
}

/// Something that is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Where it is seen.
    pub container_path: String,
    /// What is seen there.
    #[serde(flatten)]
    pub source: VolumeSource,
    /// Whether it can be written to.
    pub access: Access,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// A path of the machine; a relative one begins in the sandbox.
    #[serde(rename = "host_path")]
    Host(String),
    /// Disk space that is kept for the instance, seen in its sandbox under the container path.
    #[serde(rename = "persistent")]
    Persistent(PersistentVolume),
    /// A secret, by its name in the run spec, as a file that can only be read.
    #[serde(rename = "secret")]
    Secret(String),
}

/// Whether something can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// `RO`
    ReadOnly,
    /// `RW`
    ReadWrite,
}

/// What Linux grants and denies a container; what is none is as the agent has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linux {
    /// Which system calls it may make.
    pub seccomp: Option<Seccomp>,
    /// Whom it shares memory with.
    pub ipc: Option<Ipc>,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// All of them.
    Unconfined,
    /// As a profile has it that the agent knows by this name.
    Profile(String),
}

/// Whom a container shares memory with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ipc {
    /// Nobody.
    Private {
        /// The size of its `/dev/shm` in MB; none: the agent's default.
        shm_mb: Option<u32>,
    },
    /// What it runs in.
    ShareParent,
}

/// The networks of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Networks {
    /// The machine's own.
    #[default]
    Host,
    /// A network of its own behind the machine's address.
    Bridge {
        /// Labels for those who make the network.
        labels: BTreeMap<String, String>,
    },
    /// Networks that the agents know by name; at least one.
    Container(Vec<ContainerNetwork>),
}

impl Networks {
    /// Whether ports are the machine's.
    #[must_use]
    pub fn is_host(&self) -> bool {
        *self == Self::Host
    }
}

/// A network that agents know by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerNetwork {
    /// Its name.
    pub name: String,
    /// Labels for those who make the network.
    pub labels: BTreeMap<String, String>,
}

/// A file that is brought into the sandbox before an instance starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Where it is.
    pub uri: String,
    /// Whether an archive is unpacked.
    pub extract: bool,
    /// Whether it is made executable.
    pub executable: bool,
    /// Whether the agent keeps it for others.
    pub cache: bool,
    /// Its name in the sandbox; none: the last part of the URI.
    pub name: Option<String>,
}

/// How far an instance may go beyond what it asks for; none: not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Cores.
    pub cpus: Option<Limit>,
    /// Memory in MiB.
    pub mem: Option<Limit>,
}

impl Limits {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// Whatever the machine has.
    Unlimited,
    /// So much.
    Amount(#[serde(with = "serial::thousandths")] Scalar),
}

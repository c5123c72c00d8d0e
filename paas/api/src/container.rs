//! What an instance runs in, what is brought to it, and how far it may go.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::number::Number;
use crate::secret::SecretReference;

/// The container of an app's instances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Who makes it. Without it: `DOCKER` where `docker` is given, else `MESOS`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ContainerKind>,
    /// The image that it is made from; absent: the machine's own files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerContainer>,
    /// The ports of an instance on any network but the host's, in place of `portDefinitions`. Absent on the host's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_mappings: Option<Vec<PortMapping>>,
    /// What is mounted into it.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// What Linux grants and denies it; for containers of type `MESOS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_info: Option<LinuxInfo>,
}

/// Who makes a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContainerKind {
    /// The agent itself.
    Mesos,
    /// A Docker engine, or the agent in its place.
    Docker,
}

/// The image of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DockerContainer {
    /// Its name, with registry, tag or digest as needed: `registry.example.com:5000/shop/web:3`.
    #[serde(default)]
    pub image: String,
    /// Whether the registry is asked even when the image is there.
    #[serde(default, alias = "forcePull")]
    pub force_pull_image: bool,
    /// Whether the container may do everything; for type `DOCKER`.
    #[serde(default)]
    pub privileged: bool,
    /// Options for the Docker engine; for type `DOCKER`.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Whom to be towards the registry; for type `MESOS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<DockerCredential>,
    /// The secret that tells whom to be towards the registry, as a `config.json` of Docker's; for type `MESOS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_config: Option<SecretReference>,
    /// An older spelling of `networks`: `HOST`, `BRIDGE` or `USER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub network: Option<String>,
    /// An older place of `portMappings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub port_mappings: Option<Vec<PortMapping>>,
    /// Never had an effect here; published definitions have it.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub require_ports: Option<Value>,
}

/// A name with a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
}

/// An account at a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerCredential {
    /// Its name.
    pub principal: String,
    /// Its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A port of a container, and the port of the machine that leads to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortMapping {
    /// The port within the container; 0: the same as the machine's.
    #[serde(default)]
    pub container_port: i64,
    /// The machine's; 0: any that is free. Absent: none, which a bridge network takes for 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<i64>,
    /// The port at which load balancers listen; 0 in a written definition asks for one from the pool.
    #[serde(default)]
    pub service_port: i64,
    /// `tcp`, `udp` or `udp,tcp`.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// Unique within the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels, for discovery and load balancing.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// On which of the app's container networks; empty: on all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_names: Vec<String>,
}

fn tcp() -> String {
    "tcp".to_owned()
}

/// Something mounted into a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// Where it is seen.
    #[serde(default)]
    pub container_path: String,
    /// The path on the machine, or in the sandbox when it is relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_path: Option<String>,
    /// Whether it can be written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<VolumeMode>,
    /// In the place of `hostPath`: disk space that is kept for the instance when its task ends. `containerPath` is then a single name
    /// within the sandbox, and `mode` is `RW`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<PersistentVolume>,
    /// Not built yet: a volume of somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub external: Option<Value>,
    /// The name of a declared secret, whose value the file at `containerPath` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Disk space that is kept for an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersistentVolume {
    /// On which disk; absent: `root`, or `mount` where there is a `profileName`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<DiskType>,
    /// MiB.
    #[serde(default)]
    pub size: i64,
    /// MiB that the disk has at most; for type `mount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<i64>,
    /// The storage profile of the disk; absent: any disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_name: Option<String>,
    /// What the path of the disk is like: `["path", "LIKE", "/mnt/.*"]` or `["path", "UNLIKE", …]` each; not for type `root`.
    #[serde(default)]
    pub constraints: Vec<Vec<String>>,
}

/// A kind of disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskType {
    /// The agent's own.
    Root,
    /// A part of another one.
    Path,
    /// All of another one.
    Mount,
}

/// Whether a volume can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VolumeMode {
    /// Read only.
    #[serde(rename = "RO")]
    ReadOnly,
    /// Read and write.
    #[serde(rename = "RW")]
    ReadWrite,
}

/// What Linux grants and denies a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinuxInfo {
    /// Which system calls it may make; absent: as the agent has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    /// Whom it shares memory with; absent: as the agent has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc_info: Option<IpcInfo>,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seccomp {
    /// The profile, a file that the agent knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_name: Option<String>,
    /// Whether it may make all of them.
    #[serde(default)]
    pub unconfined: bool,
}

/// Whom a container shares memory with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpcInfo {
    /// Nobody, or its surroundings.
    pub mode: IpcMode,
    /// The size of its `/dev/shm` in MB; with `PRIVATE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<i64>,
}

/// Whom a container shares memory with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IpcMode {
    /// Nobody.
    Private,
    /// What it runs in.
    ShareParent,
}

/// A file that is brought into the sandbox before an instance starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifact {
    /// Where it is: `https://…`, `file:///…`.
    pub uri: String,
    /// Whether an archive is unpacked.
    #[serde(default = "yes")]
    pub extract: bool,
    /// Whether it is made executable.
    #[serde(default)]
    pub executable: bool,
    /// Whether the agent keeps it for others.
    #[serde(default)]
    pub cache: bool,
    /// Its name in the sandbox; absent: the last part of `uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_path: Option<String>,
}

fn yes() -> bool {
    true
}

/// How far an instance may go beyond what it asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceLimits {
    /// Shares of a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Limit>,
    /// Memory, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem: Option<Limit>,
}

/// A bound: a number, or the word `unlimited`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Whatever the machine has.
    Unlimited,
    /// So much.
    Amount(Number),
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = generator.subschema_for::<Number>();
        json_schema!({"anyOf": [{"type": "string", "const": "unlimited"}, number]})
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => serializer.serialize_str("unlimited"),
            Self::Amount(number) => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrNumber;
        impl Visitor<'_> for WordOrNumber {
            type Value = Limit;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number or \"unlimited\"")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Limit, E> {
                match word {
                    "unlimited" => Ok(Limit::Unlimited),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_f64<E>(self, number: f64) -> Result<Limit, E> {
                Ok(Limit::Amount(Number(number)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Limit, E> {
                Ok(Limit::Amount(Number(number as f64)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Limit, E> {
                Ok(Limit::Amount(Number(number as f64)))
            }
        }
        deserializer.deserialize_any(WordOrNumber)
    }
}

/// An older spelling of a container network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpAddressRequest {
    /// The network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_name: Option<String>,
    /// Never had an effect in the versions that are followed.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The labels of the network.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What answers there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Discovery>,
}

/// What answers at the address of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The ports.
    #[serde(default)]
    pub ports: Vec<DiscoveryPort>,
}

/// A port at the address of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryPort {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// `tcp`, `udp` or `udp,tcp`.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

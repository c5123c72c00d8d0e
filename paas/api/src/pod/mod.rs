//! Pods: containers that live and die together.

mod status;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::app::{Network, UnreachableStrategy};
use crate::check::{ExecCheck, ExecCommand};
use crate::container::{Artifact, LinuxInfo, PersistentVolume, ResourceLimits};
use crate::number::Number;
use crate::policy::DeploymentPolicy;
use crate::secret::{SecretDef, SecretReference};
use crate::update::EnvironmentValue;

pub use status::{
    ContainerStatus, ContainerTermination, EndpointStatus, NetworkStatus, PodInstance, PodInstanceState, PodState,
    PodStatus, StatusCondition, TerminationHistory, TerminationState,
};

/// A definition, as it is written and as it is read: then with every default filled in, its version and its role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pod {
    /// A path: `/shop/web`.
    pub id: String,
    /// When this version was made, RFC 3339 with milliseconds. Means nothing in a written definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Labels, free for all; its containers have them, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The account that containers run under which name none; absent: the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Environment of all containers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, EnvironmentValue>,
    /// At least one.
    pub containers: Vec<PodContainer>,
    /// The secrets that it uses, by the names that it has for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretDef>,
    /// What containers mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<PodVolume>,
    /// The host's network when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// How many instances there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<PodScaling>,
    /// Where and how instances are started and ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<PodScheduling>,
    /// What holding the containers together needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_resources: Option<ExecutorResources>,
    /// The role that pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How its deployments go about it; absent: as its groups say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentPolicy>,
    /// What Linux grants and denies all containers together: whom they share memory with that do not say so themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_info: Option<LinuxInfo>,
    /// Whether containers share the limits of the pod rather than having their own; absent: they have their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_shared_cgroups: Option<bool>,
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodContainer {
    /// Unique in the pod: lower-case letters, digits and inner dashes.
    pub name: String,
    /// What it runs; absent: what its image says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<PodExec>,
    /// What it needs.
    pub resources: PodResources,
    /// How far it may go beyond that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_limits: Option<ResourceLimits>,
    /// Where it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// What it is made from; absent: the machine's own files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PodImage>,
    /// Its environment, which wins over the pod's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, EnvironmentValue>,
    /// The account it runs under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What decides over its health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<PodHealthCheck>,
    /// What is asked of it without a consequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<PodCheck>,
    /// What it mounts of the pod's volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// What is brought into its sandbox first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// What Linux grants and denies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_info: Option<LinuxInfo>,
    /// Whether it has a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<bool>,
}

/// What a container runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodExec {
    /// A line for the shell, or a program with its arguments.
    pub command: ExecCommand,
    /// False: `argv` are arguments of the image's program. Absent: they name the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_entrypoint: Option<bool>,
}

/// What a container needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodResources {
    /// Shares of a processor.
    pub cpus: Number,
    /// Memory, MiB.
    pub mem: Number,
    /// Disk, MiB.
    #[serde(default)]
    pub disk: Number,
    /// 0: devices are not built yet.
    #[serde(default)]
    pub gpus: Number,
}

/// What holding containers together needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutorResources {
    /// Shares of a processor.
    #[serde(default = "executor_cpus")]
    pub cpus: Number,
    /// Memory, MiB.
    #[serde(default = "executor_mem")]
    pub mem: Number,
    /// Disk, MiB.
    #[serde(default = "executor_disk")]
    pub disk: Number,
}

fn executor_cpus() -> Number {
    Number(0.1)
}

fn executor_mem() -> Number {
    Number(32.0)
}

fn executor_disk() -> Number {
    Number(10.0)
}

impl Default for ExecutorResources {
    fn default() -> Self {
        Self { cpus: executor_cpus(), mem: executor_mem(), disk: executor_disk() }
    }
}

/// Where a container answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// Unique in the pod.
    pub name: String,
    /// The port in the container's network; refused on the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_port: Option<i64>,
    /// The port of the host that leads there; 0: any that is free. Needed on the host's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<i64>,
    /// `tcp`, `udp`, or what is spoken above them.
    #[serde(default)]
    pub protocol: Vec<String>,
    /// Labels, for discovery.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// On which of the pod's container networks; empty: on all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_names: Vec<String>,
}

/// The image of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodImage {
    /// `DOCKER`.
    pub kind: String,
    /// Its name, with registry, tag or digest as needed.
    pub id: String,
    /// Whether the registry is asked even when the image is there.
    #[serde(default)]
    pub force_pull: bool,
    /// The secret that tells whom to be towards the registry, as a `config.json` of Docker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_config: Option<SecretReference>,
    /// Labels, free for all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What decides over the health of a container: exactly one of `http`, `tcp` and `exec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodHealthCheck {
    /// A GET that is answered with 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<PodHttpCheck>,
    /// A connection that comes about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<PodTcpCheck>,
    /// A command that ends with status 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecCheck>,
    /// Failures within so many seconds after the start do not count, until the first success.
    #[serde(default = "grace_period")]
    pub grace_period_seconds: i64,
    /// Seconds between two checks.
    #[serde(default = "interval")]
    pub interval_seconds: i64,
    /// So many failures in a row end the container.
    #[serde(default = "failures")]
    pub max_consecutive_failures: i64,
    /// Seconds after which a check without an answer has failed.
    #[serde(default = "timeout")]
    pub timeout_seconds: i64,
    /// Seconds before the first check.
    #[serde(default = "delay")]
    pub delay_seconds: i64,
}

fn grace_period() -> i64 {
    300
}

fn interval() -> i64 {
    60
}

fn failures() -> i64 {
    3
}

fn timeout() -> i64 {
    20
}

fn delay() -> i64 {
    15
}

/// What is asked of a container without a consequence: exactly one of `http`, `tcp` and `exec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodCheck {
    /// The status of a GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<PodHttpCheck>,
    /// Whether a connection is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<PodTcpCheck>,
    /// The exit status of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecCheck>,
    /// Seconds between two checks.
    #[serde(default = "interval")]
    pub interval_seconds: i64,
    /// Seconds after which a check without an answer has none.
    #[serde(default = "timeout")]
    pub timeout_seconds: i64,
    /// Seconds before the first check.
    #[serde(default = "delay")]
    pub delay_seconds: i64,
}

/// A GET.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodHttpCheck {
    /// To which of the pod's endpoints.
    pub endpoint: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `HTTP` or `HTTPS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodTcpCheck {
    /// To which of the pod's endpoints.
    pub endpoint: String,
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    /// Which of the pod's.
    pub name: String,
    /// Where it is seen.
    pub mount_path: String,
    /// Whether it can only be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// How a container ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// Seconds between SIGTERM and SIGKILL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_grace_period_seconds: Option<Number>,
}

/// What containers share: a directory that comes and goes with an instance, unless a member says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodVolume {
    /// Unique in the pod.
    pub name: String,
    /// A path of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Disk space that is kept for the instance when its containers end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<PersistentVolume>,
    /// The name of a declared secret, whose value it holds as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// How many instances there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodScaling {
    /// `fixed`.
    pub kind: String,
    /// How many.
    #[serde(default = "one_instance")]
    pub instances: i64,
    /// How many there might be at most; nothing follows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_instances: Option<i64>,
}

fn one_instance() -> i64 {
    1
}

/// Where and how instances are started and ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodScheduling {
    /// How failing instances are slowed down.
    #[serde(default)]
    pub backoff: PodBackoff,
    /// How a new version replaces an old one. Default: never less, and twice as many at most; of a pod with persistent volumes:
    /// never more, and half as many at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<crate::app::UpgradeStrategy>,
    /// Where instances may run.
    #[serde(default)]
    pub placement: PodPlacement,
    /// Which instances end first when there are too many: `YOUNGEST_FIRST` or `OLDEST_FIRST`.
    #[serde(default = "youngest_first")]
    pub kill_selection: String,
    /// What happens to instances on agents out of contact. Default: they are replaced at once; of a pod with persistent volumes:
    /// `disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable_strategy: Option<UnreachableStrategy>,
}

impl Default for PodScheduling {
    fn default() -> Self {
        Self {
            backoff: PodBackoff::default(),
            upgrade: None,
            placement: PodPlacement::default(),
            kill_selection: youngest_first(),
            unreachable_strategy: None,
        }
    }
}

/// What ends first unless a definition says otherwise.
#[must_use]
pub fn youngest_first() -> String {
    "YOUNGEST_FIRST".to_owned()
}

/// How failing instances are slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodBackoff {
    /// First delay after a failure, seconds.
    #[serde(default = "first_delay")]
    pub backoff: Number,
    /// Growth of the delay per failure.
    #[serde(default = "backoff_factor")]
    pub backoff_factor: Number,
    /// Upper bound of the delay, seconds.
    #[serde(default = "longest_delay")]
    pub max_launch_delay: Number,
}

fn first_delay() -> Number {
    Number(1.0)
}

fn backoff_factor() -> Number {
    Number(1.15)
}

fn longest_delay() -> Number {
    Number(300.0)
}

impl Default for PodBackoff {
    fn default() -> Self {
        Self { backoff: first_delay(), backoff_factor: backoff_factor(), max_launch_delay: longest_delay() }
    }
}

/// Where instances may run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodPlacement {
    /// All of them must hold.
    #[serde(default)]
    pub constraints: Vec<PodConstraint>,
    /// Roles whose resources the pod may use; empty: any that is offered.
    #[serde(default)]
    pub accepted_resource_roles: Vec<String>,
}

/// A rule for where instances may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodConstraint {
    /// The property of the agent.
    pub field_name: String,
    /// `UNIQUE`, `CLUSTER`, `GROUP_BY`, `MAX_PER`, `LIKE`, `UNLIKE` or `IS`.
    pub operator: String,
    /// The operator's value, if it takes one.
    #[serde(default, deserialize_with = "text_or_number", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A number stands for its text.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(serde::de::Error::custom("expected a string or a number"))
        }
    }
}

//! An app's definition as it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check::Check;
use crate::container::{Artifact, Container, ResourceLimits};
use crate::deployment::DeploymentReference;
use crate::health::HealthCheck;
use crate::number::Number;
use crate::pod::ExecutorResources;
use crate::policy::DeploymentPolicy;
use crate::process::ProcessGraph;
use crate::readiness::{ReadinessCheck, ReadinessCheckResult};
use crate::secret::SecretDef;
use crate::task::{KeptInstance, Task, TaskFailure, TaskStatsByVersion};
use crate::update::EnvironmentValue;

/// A whole definition, every default filled in.
///
/// `cmd`, `args`, `user` and `container` are present even when null, and collections even when empty: clients written against early
/// versions index them without looking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// Absolute path: `/shop/web`.
    pub id: String,
    /// A command line for `/bin/sh -c`. Exactly one of `cmd`, `args` and `processGraph` is set.
    pub cmd: Option<String>,
    /// A program and its arguments, run without a shell.
    pub args: Option<Vec<String>>,
    /// Several processes in an order, in the place of `cmd` and `args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_graph: Option<ProcessGraph>,
    /// The account that the task runs as; null: the agent's.
    pub user: Option<String>,
    /// What an instance runs in; null: straight on the machine. Lists with their tasks leave the null out.
    #[serde(default)]
    pub container: Option<Container>,
    /// Environment of the task. Wins over generated variables.
    pub env: BTreeMap<String, EnvironmentValue>,
    /// The secrets that it uses, by the names that it has for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretDef>,
    /// Instances wanted.
    pub instances: u32,
    /// Shares of a processor per instance.
    pub cpus: Number,
    /// Memory per instance, MiB.
    pub mem: Number,
    /// Disk per instance, MiB.
    pub disk: Number,
    /// GPUs per instance.
    pub gpus: Number,
    /// How far an instance may go beyond `cpus` and `mem`; absent: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_limits: Option<ResourceLimits>,
    /// Files that are brought into the sandbox first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetch: Vec<Artifact>,
    /// Whether an instance has a terminal; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<bool>,
    /// The path of a program that runs an instance's task and speaks the v1 executor API; empty: `cmd` or `args` are run by themselves.
    pub executor: String,
    /// What such a program needs besides what the app needs. Without one, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_resources: Option<ExecutorResources>,
    /// `[field, operator]` or `[field, operator, value]` each.
    pub constraints: Vec<Vec<String>>,
    /// Roles whose resources the app may use; absent: any that is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_resource_roles: Option<Vec<String>>,
    /// The role that pays for the app's resources.
    pub role: String,
    /// `[{"mode":"host"}]`, `[{"mode":"container/bridge"}]`, or container networks by name.
    pub networks: Vec<Network>,
    /// The ports of an instance on the host's network, each with its assigned service port. On others `container.portMappings` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_definitions: Option<Vec<PortDefinition>>,
    /// Whether the host port must be the service port.
    pub require_ports: bool,
    /// Checks that decide health.
    pub health_checks: Vec<HealthCheck>,
    /// What is asked of instances without a consequence; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// What a new instance has to be before a deployment goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readiness_checks: Vec<ReadinessCheck>,
    /// Apps and groups that must be up before this one.
    pub dependencies: Vec<String>,
    /// How a new version replaces the old one.
    pub upgrade_strategy: UpgradeStrategy,
    /// Which instances end first when there are too many.
    pub kill_selection: KillSelection,
    /// What happens to instances on agents out of contact.
    pub unreachable_strategy: UnreachableStrategy,
    /// What happens to instances that cannot run where their persistent volumes are; absent for an app without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// Seconds between SIGTERM and SIGKILL; absent: the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_kill_grace_period_seconds: Option<i64>,
    /// Seconds that load balancers have to let go of an instance before it is killed; absent: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout_seconds: Option<i64>,
    /// Seconds that an instance serves on after its kill was decided, for load balancers that do not acknowledge; absent: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_delay_seconds: Option<i64>,
    /// How its deployments go about it; absent: as its groups say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentPolicy>,
    /// Labels, free for all.
    pub labels: BTreeMap<String, String>,
    /// First delay after a failure, seconds.
    pub backoff_seconds: Number,
    /// Growth of the delay per failure.
    pub backoff_factor: Number,
    /// Upper bound of the delay, seconds.
    pub max_launch_delay_seconds: Number,
    /// When this version was made, RFC 3339 with milliseconds. Names the version.
    pub version: String,
    /// When it was last scaled and last changed otherwise.
    pub version_info: VersionInfo,
}

/// A network that instances join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// `host`, `container` or `container/bridge`.
    #[serde(default = "container_mode")]
    pub mode: String,
    /// Name of a container network; refused on the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels of a container or bridge network; refused on a host network.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn container_mode() -> String {
    "container".to_owned()
}

impl Network {
    /// The host's own network.
    #[must_use]
    pub fn host() -> Self {
        Self { mode: "host".to_owned(), name: None, labels: BTreeMap::new() }
    }
}

/// One port of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortDefinition {
    /// The service port; 0 in a written definition asks for one from the pool.
    #[serde(default)]
    pub port: i64,
    /// `tcp`, `udp` or `udp,tcp`.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// Unique within the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels, for discovery and load balancing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn tcp() -> String {
    "tcp".to_owned()
}

/// How a new version replaces the old one; each a share between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeStrategy {
    /// At least this share of `instances` stays healthy.
    #[serde(default = "one")]
    pub minimum_health_capacity: Number,
    /// At most this share of `instances` may run in addition.
    #[serde(default = "one")]
    pub maximum_over_capacity: Number,
}

fn one() -> Number {
    Number(1.0)
}

impl Default for UpgradeStrategy {
    fn default() -> Self {
        Self { minimum_health_capacity: one(), maximum_over_capacity: one() }
    }
}

/// Which instances end first when there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KillSelection {
    /// The one that started last.
    #[default]
    YoungestFirst,
    /// The one that started first.
    OldestFirst,
}

/// What happens to instances on agents out of contact: the word `disabled`, or an object of two delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreachableStrategy {
    /// They are waited for, however long it takes.
    Disabled,
    /// They are replaced, then forgotten.
    After(UnreachableDelays),
}

/// When an instance out of contact is replaced and when it is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnreachableDelays {
    /// After so many seconds a replacement starts.
    #[serde(default)]
    pub inactive_after_seconds: i64,
    /// After so many seconds the instance is forgotten; killed should it come back.
    #[serde(default)]
    pub expunge_after_seconds: i64,
}

impl Default for UnreachableStrategy {
    fn default() -> Self {
        Self::After(UnreachableDelays::default())
    }
}

impl JsonSchema for UnreachableStrategy {
    fn schema_name() -> Cow<'static, str> {
        "UnreachableStrategy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let delays = generator.subschema_for::<UnreachableDelays>();
        json_schema!({"anyOf": [{"type": "string", "const": "disabled"}, delays]})
    }
}

impl Serialize for UnreachableStrategy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Disabled => serializer.serialize_str("disabled"),
            Self::After(delays) => delays.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for UnreachableStrategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrDelays;
        impl<'de> Visitor<'de> for WordOrDelays {
            type Value = UnreachableStrategy;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("\"disabled\" or an object with inactiveAfterSeconds and expungeAfterSeconds")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
                match word {
                    "disabled" => Ok(UnreachableStrategy::Disabled),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                UnreachableDelays::deserialize(MapAccessDeserializer::new(map)).map(UnreachableStrategy::After)
            }
        }
        deserializer.deserialize_any(WordOrDelays)
    }
}

/// What happens to instances that cannot run where their persistent volumes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Residency {
    /// So long they wait for their volumes, with `RELAUNCH_AFTER_TIMEOUT`.
    #[serde(default = "an_hour")]
    pub relaunch_escalation_timeout_seconds: i64,
    /// Whether they wait for ever.
    #[serde(default)]
    pub task_lost_behavior: TaskLostBehavior,
}

fn an_hour() -> i64 {
    3_600
}

/// Whether instances wait for their volumes for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskLostBehavior {
    /// They do.
    #[default]
    WaitForever,
    /// In the end their volumes are given up, and others begin anew.
    RelaunchAfterTimeout,
}

/// When an app was last scaled and last changed otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// RFC 3339 with milliseconds.
    pub last_scaling_at: String,
    /// RFC 3339 with milliseconds. Instances older than this run an outdated configuration.
    pub last_config_change_at: String,
}

/// An app as it is read: the definition and what is known of its instances. Parts that were not asked for are absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppInfo {
    /// The definition.
    #[serde(flatten)]
    pub app: App,
    /// An older spelling of its service ports, shown where the server is told to: `--emit-legacy-ports`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// Instances that are launched and do not run yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_staged: Option<u32>,
    /// Instances that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_running: Option<u32>,
    /// Running instances all of whose checks pass; 0 for an app without checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_healthy: Option<u32>,
    /// Running instances with a failing check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_unhealthy: Option<u32>,
    /// Running deployments that touch the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployments: Option<Vec<DeploymentReference>>,
    /// Its instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Task>>,
    /// Its instances without a task of which persistent volumes are kept; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_instances: Vec<KeptInstance>,
    /// What the readiness checks of its instances have found; absent for an app without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_check_results: Option<Vec<ReadinessCheckResult>>,
    /// Its tasks in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_stats: Option<TaskStatsByVersion>,
    /// The failure last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_task_failure: Option<TaskFailure>,
}

/// Answer to `GET /v2/apps`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppList {
    /// The apps, ordered by id.
    pub apps: Vec<AppInfo>,
}

/// Answer to `GET /v2/apps/{group}/*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppsWithin {
    /// The apps, ordered by id.
    #[serde(rename = "*")]
    pub apps: Vec<AppInfo>,
}

/// Answer to `GET /v2/apps/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppWrapper {
    /// The app.
    pub app: AppInfo,
}

/// Answer to `GET /v2/apps/{id}/versions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionList {
    /// Newest first.
    pub versions: Vec<String>,
}

//! An app's definition as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::app::{KillSelection, Network, PortDefinition, Residency, UnreachableStrategy, UpgradeStrategy};
use crate::check::Check;
use crate::container::{Artifact, Container, IpAddressRequest, ResourceLimits};
use crate::health::HealthCheck;
use crate::number::Number;
use crate::pod::ExecutorResources;
use crate::policy::DeploymentPolicy;
use crate::process::ProcessGraph;
use crate::readiness::ReadinessCheck;
use crate::secret::{SecretDef, SecretReference};

/// The body of a write: a whole definition or the part of one that changes. Null is the same as absent.
///
/// A document that a read returned is accepted, so read-only fields are known and ignored. Fields of later capabilities
/// are known so that they can be refused by name; they are not part of the description.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppUpdate {
    /// A path, absolute (`/shop/web`) or relative to the root (`web`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A command line for `/bin/sh -c`. Replaces `args`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<String>,
    /// A program and its arguments. Replaces `cmd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Several processes in an order. Replaces `cmd` and `args`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_graph: Option<ProcessGraph>,
    /// The account that the task runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Environment of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, EnvironmentValue>>,
    /// Instances wanted. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<i64>,
    /// Shares of a processor. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Number>,
    /// Memory, MiB. Default 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem: Option<Number>,
    /// Disk, MiB. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Number>,
    /// `[field, operator]` or `[field, operator, value]` each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Vec<Vec<String>>>,
    /// Roles whose resources the app may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_resource_roles: Option<Vec<String>>,
    /// The role that pays for the app's resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `[{"mode":"host"}]`, which is the default, `[{"mode":"container/bridge"}]`, or container networks by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<Network>>,
    /// The ports of an instance. Default: one, its service port assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_definitions: Option<Vec<PortDefinition>>,
    /// Whether the host port must be the service port. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_ports: Option<bool>,
    /// Checks that decide health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_checks: Option<Vec<HealthCheck>>,
    /// What is asked of instances without a consequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Apps and groups that must be up before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
    /// How a new version replaces the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_strategy: Option<UpgradeStrategy>,
    /// Which instances end first when there are too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_selection: Option<KillSelection>,
    /// What happens to instances on agents out of contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable_strategy: Option<UnreachableStrategy>,
    /// Seconds between SIGTERM and SIGKILL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_kill_grace_period_seconds: Option<i64>,
    /// Seconds that load balancers have to let go of an instance before it is killed; 10 unless it is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_timeout_seconds: Option<i64>,
    /// Seconds that an instance serves on after its kill was decided; 0 unless it is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_delay_seconds: Option<i64>,
    /// How its deployments go about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentPolicy>,
    /// What an instance runs in. With an image, `cmd` and `args` may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Files that are brought into the sandbox first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Vec<Artifact>>,
    /// How far an instance may go beyond `cpus` and `mem`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_limits: Option<ResourceLimits>,
    /// Whether an instance has a terminal; for containers of type `MESOS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<bool>,
    /// Labels, free for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// First delay after a failure, seconds. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_seconds: Option<Number>,
    /// Growth of the delay per failure. Default 1.15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_factor: Option<Number>,
    /// Upper bound of the delay, seconds. Default 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_launch_delay_seconds: Option<Number>,
    /// Alone, or beside `id` only: return to this version. In a document that a read returned: ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub version_info: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub tasks: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub kept_instances: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub tasks_staged: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub tasks_running: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub tasks_healthy: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub tasks_unhealthy: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub deployments: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub last_task_failure: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub task_stats: Option<Value>,
    /// Read-only, ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub readiness_check_results: Option<Value>,
    /// An older spelling of `portDefinitions`: service ports only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub ports: Option<Vec<i64>>,
    /// An older spelling of `fetch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub uris: Option<Vec<String>>,
    /// Never had an effect in the versions that are followed; accepted when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub store_urls: Option<Vec<String>>,
    /// An older spelling of `networks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub ip_address: Option<IpAddressRequest>,
    /// Not built yet: devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub gpus: Option<Number>,
    /// The path of a program that runs an instance's task and speaks the v1 executor API, with `cmd` or `args` behind it; `//cmd`, or
    /// empty: these are run by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// What a new instance has to be before a deployment goes on; at most one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_checks: Option<Vec<ReadinessCheck>>,
    /// The secrets that it uses, by the names that it has for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<BTreeMap<String, SecretDef>>,
    /// What happens to instances that cannot run where their persistent volumes are; only for apps with such volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// What such a program needs besides what the app needs. Without one, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor_resources: Option<ExecutorResources>,
}

/// The value of an environment variable: a string, or the name of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum EnvironmentValue {
    /// The value itself.
    Text(String),
    /// A declared secret's value.
    Secret(SecretReference),
}

impl<'de> Deserialize<'de> for EnvironmentValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrSecret;
        impl<'de> Visitor<'de> for TextOrSecret {
            type Value = EnvironmentValue;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a string, or an object that names a secret")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(EnvironmentValue::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(EnvironmentValue::Text(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                SecretReference::deserialize(MapAccessDeserializer::new(map)).map(EnvironmentValue::Secret)
            }
        }
        deserializer.deserialize_any(TextOrSecret)
    }
}

/// Body of `POST /v2/tasks/delete`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTasks {
    /// Task ids; ids of tasks that are not there are passed over.
    pub ids: Vec<String>,
}

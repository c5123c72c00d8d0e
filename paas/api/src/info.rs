//! The server itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer to `GET /v2/info`. Settings without a meaning here are absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// The framework's name.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// Of the program's source.
    pub buildref: String,
    /// Whether there is a leader.
    pub elected: bool,
    /// Its address, `host:port`.
    pub leader: Option<String>,
    /// The id that the master gave; null before the first registration.
    pub framework_id: Option<String>,
    /// The settings in effect.
    #[serde(rename = "marathon_config")]
    pub settings: Settings,
    /// Clients build an object from it, whatever is in it.
    #[serde(rename = "zookeeper_config")]
    pub zookeeper: ZookeeperSettings,
    /// Where the API answers.
    #[serde(rename = "http_config")]
    pub http_config: HttpSettings,
}

/// The settings in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Whether tasks survive a restart of their agent.
    pub checkpoint: bool,
    /// The executor of an app that names none.
    pub executor: String,
    /// Seconds that the master keeps tasks of an absent service layer.
    pub failover_timeout: u64,
    /// Optional features that are on.
    pub features: Vec<String>,
    /// The framework's name.
    pub framework_name: String,
    /// Whether several may run, one leading.
    pub ha: bool,
    /// The name under which clients reach this process.
    pub hostname: String,
    /// Service ports are assigned from here …
    pub local_port_min: u16,
    /// … to here.
    pub local_port_max: u16,
    /// The masters that it registers with.
    pub master: String,
    /// The account that tasks run as; null: the agent's.
    pub mesos_user: Option<String>,
    /// The role of apps that name none.
    pub mesos_role: String,
    /// Where the master's own page answers.
    pub mesos_leader_ui_url: Option<String>,
}

/// Always empty: what is durable lies in Postgres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZookeeperSettings {}

/// Where the API answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpSettings {
    /// Without TLS.
    pub http_port: u16,
}

/// Answer to `GET /v2/leader`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leader {
    /// `host:port`.
    pub leader: String,
}

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
    /// How the leader is elected. Clients build an object from it, whatever is in it.
    #[serde(rename = "zookeeper_config")]
    pub zookeeper: ZookeeperSettings,
    /// Where the API answers.
    #[serde(rename = "http_config")]
    pub http_config: HttpSettings,
}

/// The settings in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The origins whose pages may read here; absent: none but this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_control_allow_origin: Option<Vec<String>>,
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
    /// Which groups enforce their role when nobody says whether they do: `off` or `top`.
    pub new_group_enforce_role: String,
    /// Where the master's own page answers.
    pub mesos_leader_ui_url: Option<String>,
    /// Milliseconds for which an offer that is of no use is declined.
    pub decline_offer_duration: u64,
    /// So many instances are launched from one offer at most.
    pub max_instances_per_offer: u32,
    /// Offers are asked for again at most so often, in milliseconds.
    pub min_revive_offers_interval: u64,
    /// All tasks are reconciled with the master this often, in milliseconds.
    pub reconciliation_interval: u64,
    /// A task that is not running so many milliseconds after its launch is killed.
    pub task_launch_timeout: u64,
    /// Reserved resources that are not offered after so many milliseconds are given up.
    pub task_reservation_timeout: u64,
    /// Where the master's page links to.
    pub webui_url: String,
    /// The container network of who asks for one and does not name it; null: there is none.
    pub default_network_name: Option<String>,
    /// What the names of generated variables begin with; null: nothing.
    pub env_vars_prefix: Option<String>,
}

/// Empty where the leader is elected through Postgres, where all that is durable lies in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZookeeperSettings {
    /// Where candidates stand, without user and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zk: Option<String>,
    /// Milliseconds that a session outlives its last sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zk_session_timeout: Option<u64>,
}

/// Answer to `GET /config`: every setting in effect by the name of its flag, but for what proves who somebody is, and for files that
/// hold such things. Of those, and of the database, nothing is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// Those that `GET /v2/info` shows too.
    #[serde(flatten)]
    pub settings: Settings,
    /// How the leader is elected.
    #[serde(flatten)]
    pub zookeeper: ZookeeperSettings,
    /// What is used of an offer by who does not say: `any`, `unreserved` or `reserved`.
    pub accepted_resource_roles_default_behavior: String,
    /// The `host:port` at which others reach this process.
    pub advertise: String,
    /// Days for which it is kept who did what.
    pub audit_days: u32,
    /// Where clients may have backups written and read; null: nowhere.
    pub backup_directory: Option<String>,
    /// Seconds before the maintenance of a machine from which on nothing new is launched there.
    pub draining_seconds: u32,
    /// Whether the service ports of an app are shown as `ports` too.
    pub emit_legacy_ports: bool,
    /// Who is placed on machines that offer GPUs: `restricted` or `unrestricted`.
    pub gpu_scheduling_behavior: String,
    /// Whether answers are compressed for clients that ask for it.
    pub http_compression: bool,
    /// What a browser says that it asks for a password for.
    pub http_realm: String,
    /// So many kills are in flight at once.
    pub kill_chunk_size: u32,
    /// Milliseconds after which a kill that nobody confirms is sent again.
    pub kill_retry_timeout: u64,
    /// The `address:port` that is served on.
    pub listen: String,
    /// So many apps may be made; null: as many as are asked for.
    pub max_apps: Option<usize>,
    /// So many deployments may run at once.
    pub max_running_deployments: usize,
    /// So many versions are kept of each app, beside those in use.
    pub max_versions: u32,
    /// The name that is written on what is reserved and created; null: that of the credential.
    pub mesos_authentication_principal: Option<String>,
    /// Whether every caller has to sign in.
    pub require_sign_in: bool,
    /// Whether callers show a certificate: `none`, `optional` or `required`.
    pub tls_client_certs: String,
    /// Whether callers without TLS are served where there is TLS.
    pub tls_serve_plaintext: bool,
    /// The proxies that are believed when they name their client.
    pub trusted_proxy: Vec<String>,
}

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

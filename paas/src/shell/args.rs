//! What an operator sets.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use attica_core_api::auth::Credential;
use attica_core_api::client::Detection;
use attica_core_api::http::TlsArgs;
use attica_core_api::http::tls::ClientCertificateUse;
use attica_core_api::logging::LogControl;
use attica_core_api::v1::{FrameworkCapability, FrameworkCapabilityType, FrameworkId, FrameworkInfo};
use attica_core_api::zookeeper::Ensemble;
use attica_core_store::Database;
use attica_paas_api::info::{Configuration, Settings, ZookeeperSettings};
use clap::ValueEnum;

use crate::engine::{AcceptedByDefault, EnforcedByDefault};
use crate::http::{AdminSource, Names, parse_origin};
use crate::placement::{GpuScheduling, UNRESERVED};

/// Keep services running: apps, deployments and events over Marathon's REST API.
///
/// Where Marathon has a flag of the same meaning, its environment variable (MARATHON_…) is read.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The address to serve on; port 0 takes a free one
    #[arg(long, env = "ATTICA_PAAS_LISTEN", value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Where everything durable is: a libpq URL or key/value string; unix sockets work
    #[arg(long, env = "ATTICA_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    pub postgres_url: Database,

    /// The masters, separated by commas (one is enough, it knows the leader); or the ZooKeeper that knows who leads, as
    /// zk://user:pass@host1:2181,host2:2181/path
    #[arg(long, env = "MARATHON_MASTER", value_name = "HOST:PORT,…|zk://…", hide_env_values = true)]
    pub master: Detection,

    /// Elect the leader through this ZooKeeper, as Marathon does: zk://user:pass@host1:2181,host2:2181/path [default: through Postgres,
    /// where everything durable is in any case]
    #[arg(long, env = "MARATHON_ZK", value_name = "zk://…", hide_env_values = true)]
    pub zk: Option<Ensemble>,

    /// A candidate's session with ZooKeeper outlives its last sign of life by so many milliseconds
    #[arg(long, env = "MARATHON_ZK_SESSION_TIMEOUT", value_name = "MILLISECONDS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub zk_session_timeout: u64,

    /// The HOST:PORT at which clients and other instances of this role reach this one [default: --hostname and the port of --listen]
    #[arg(long, env = "ATTICA_PAAS_ADVERTISE", value_name = "HOST:PORT", value_parser = parse_address)]
    pub advertise: Option<String>,

    /// The name under which clients reach this machine [default: the address of --listen]
    #[arg(long, env = "MARATHON_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// The name under which the master shows this framework
    #[arg(long, env = "MARATHON_FRAMEWORK_NAME", value_name = "NAME", default_value = "marathon")]
    pub framework_name: String,

    /// For how many seconds the master keeps tasks running while no instance of this role is there
    #[arg(long, env = "MARATHON_FAILOVER_TIMEOUT", value_name = "SECONDS", default_value_t = 604_800)]
    pub failover_timeout: u32,

    /// Where the master's page links to [default: this process]
    #[arg(long, env = "MARATHON_WEBUI_URL", value_name = "URL")]
    pub webui_url: Option<String>,

    /// The role of apps and pods that name none: others are in that of their top-level group
    #[arg(long, env = "MARATHON_MESOS_ROLE", value_name = "ROLE", default_value = "*")]
    pub mesos_role: String,

    /// Which groups enforce their role when nobody says whether they do: `top` means new ones directly in the root
    #[arg(long, env = "MARATHON_NEW_GROUP_ENFORCE_ROLE", value_name = "WHICH", value_enum, default_value_t)]
    pub new_group_enforce_role: EnforcedByDefault,

    /// What is used of an offer by who does not say: `unreserved` resources, those `reserved` for its role, or `any` of them
    #[arg(long, env = "MARATHON_ACCEPTED_RESOURCE_ROLES_DEFAULT_BEHAVIOR", value_name = "WHICH", value_enum)]
    pub accepted_resource_roles_default_behavior: Option<AcceptedByDefault>,

    /// The same, said as roles: `*`, or the role of --mesos-role, or both
    #[arg(
        long,
        env = "MARATHON_DEFAULT_ACCEPTED_RESOURCE_ROLES",
        value_name = "ROLES",
        value_delimiter = ',',
        conflicts_with = "accepted_resource_roles_default_behavior"
    )]
    pub default_accepted_resource_roles: Vec<String>,

    /// Who is placed on machines that offer GPUs: who needs them (`restricted`), or anybody; the label GPU_SCHEDULING_BEHAVIOR of an
    /// app says it for the app
    #[arg(long, env = "MARATHON_GPU_SCHEDULING_BEHAVIOR", value_name = "WHICH", value_enum, default_value_t)]
    pub gpu_scheduling_behavior: GpuScheduling,

    /// The container network of who asks for one and does not name it
    #[arg(long, env = "MARATHON_DEFAULT_NETWORK_NAME", value_name = "NAME")]
    pub default_network_name: Option<String>,

    /// What the names of the variables that tell a task its host and its ports begin with
    #[arg(long, env = "MARATHON_ENV_VARS_PREFIX", value_name = "PREFIX", default_value = "")]
    pub env_vars_prefix: String,

    /// The account that tasks run as when an app names none [default: the agent's]
    #[arg(long, env = "MARATHON_MESOS_USER", value_name = "NAME")]
    pub mesos_user: Option<String>,

    /// Service ports are assigned from here …
    #[arg(long, env = "MARATHON_LOCAL_PORT_MIN", value_name = "PORT", default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..))]
    pub local_port_min: u16,

    /// … to here
    #[arg(long, env = "MARATHON_LOCAL_PORT_MAX", value_name = "PORT", default_value_t = 20_000)]
    pub local_port_max: u16,

    /// So many deployments may run at once; one more is refused with 403
    #[arg(long, env = "MARATHON_MAX_RUNNING_DEPLOYMENTS", value_name = "NUMBER", default_value_t = 100)]
    pub max_running_deployments: usize,

    /// So many apps may be made; one more is refused [default: as many as are asked for]
    #[arg(long, env = "MARATHON_MAX_APPS", value_name = "NUMBER")]
    pub max_apps: Option<usize>,

    /// So many instances are launched from one offer at most
    #[arg(long, env = "MARATHON_MAX_INSTANCES_PER_OFFER", value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_instances_per_offer: u32,

    /// For how many milliseconds an offer that is of no use is declined
    #[arg(long, env = "MARATHON_DECLINE_OFFER_DURATION", value_name = "MILLISECONDS", default_value_t = 120_000)]
    pub decline_offer_duration: u64,

    /// Offers are asked for again at most so often, in milliseconds
    #[arg(long, env = "MARATHON_MIN_REVIVE_OFFERS_INTERVAL", value_name = "MILLISECONDS", default_value_t = 50)]
    pub min_revive_offers_interval: u64,

    /// A task that is not running so many milliseconds after its launch is killed
    #[arg(long, env = "MARATHON_TASK_LAUNCH_TIMEOUT", value_name = "MILLISECONDS", default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub task_launch_timeout: u64,

    /// So many kills are in flight at once; the others wait for their confirmation
    #[arg(long, env = "MARATHON_KILL_CHUNK_SIZE", value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub kill_chunk_size: u32,

    /// A kill that nobody confirms for so many milliseconds is sent again
    #[arg(long, env = "MARATHON_KILL_RETRY_TIMEOUT", value_name = "MILLISECONDS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub kill_retry_timeout: u64,

    /// All tasks are reconciled with the master this often, in milliseconds
    #[arg(long, env = "MARATHON_RECONCILIATION_INTERVAL", value_name = "MILLISECONDS", default_value_t = 600_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub reconciliation_interval: u64,

    /// So many seconds before the maintenance of a machine begins, nothing new is launched there
    #[arg(long, env = "MARATHON_DRAINING_SECONDS", value_name = "SECONDS", default_value_t = 0)]
    pub draining_seconds: u32,

    /// So many versions are kept of each app, beside those in use
    #[arg(long, env = "MARATHON_ZK_MAX_VERSIONS", value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_versions: u32,

    /// Compress answers for clients that ask for it
    #[arg(long, env = "MARATHON_HTTP_COMPRESSION", value_name = "true|false", default_value_t = true, action = clap::ArgAction::Set)]
    pub http_compression: bool,

    /// Origins whose pages may read what is answered here, or `*` for any: https://host:port, separated by commas; none may write
    #[arg(
        long,
        env = "MARATHON_ACCESS_CONTROL_ALLOW_ORIGIN",
        value_name = "ORIGINS",
        value_delimiter = ',',
        value_parser = parse_origin
    )]
    pub access_control_allow_origin: Vec<String>,

    /// Show the service ports of an app once more as `ports`, as Marathon did before 1.5, for clients that look nowhere else
    #[arg(long, env = "ATTICA_EMIT_LEGACY_PORTS")]
    pub emit_legacy_ports: bool,

    /// What proves to masters and agents who this is: `{"principal": "…", "secret": "…"}`, or a bearer token; read again when it changes
    #[arg(long, env = "ATTICA_MASTER_CREDENTIAL_FILE", value_name = "PATH")]
    pub master_credential_file: Option<PathBuf>,

    /// The name to write on what is reserved and created, where the master asks for one [default: that of the credential]
    #[arg(long, env = "MARATHON_MESOS_AUTHENTICATION_PRINCIPAL", value_name = "NAME")]
    pub mesos_authentication_principal: Option<String>,

    /// Reserved resources that are not offered so many milliseconds after they were asked for are given up
    #[arg(long, env = "MARATHON_TASK_RESERVATION_TIMEOUT", value_name = "MILLISECONDS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub task_reservation_timeout: u64,

    /// The file with the 32 bytes that secrets are sealed with, which only its owner may read; agents need the same
    #[arg(long, env = "ATTICA_SECRETS_KEY_FILE", value_name = "PATH")]
    pub secrets_key_file: Option<PathBuf>,

    /// Have every caller sign in, with the password or a token of a user, and do only what that user may
    #[arg(long, env = "ATTICA_PAAS_REQUIRE_SIGN_IN")]
    pub require_sign_in: bool,

    /// Somebody who may do everything, also make users, without being one: `{"principal": "…", "secret": "…"}`; read again when it changes
    #[arg(long, env = "ATTICA_PAAS_ADMIN_FILE", value_name = "PATH", requires = "require_sign_in")]
    pub admin_file: Option<PathBuf>,

    /// The same, given by another program's flags.
    #[arg(skip)]
    pub admin_credential: Option<Credential>,

    /// What a browser says that it asks for a password for
    #[arg(long, env = "MARATHON_HTTP_REALM", value_name = "NAME", default_value = "Attica")]
    pub http_realm: String,

    /// Who did what is kept for so many days
    #[arg(long, env = "ATTICA_PAAS_AUDIT_DAYS", value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub audit_days: u32,

    /// Addresses of proxies, standbys of this role among them, whose word is taken for whom they ask (X-Forwarded-For), and how
    /// they are asked (X-Forwarded-Proto)
    #[arg(long, env = "ATTICA_PAAS_TRUSTED_PROXY", value_name = "IP", value_delimiter = ',')]
    pub trusted_proxy: Vec<IpAddr>,

    /// How operators change how much this process logs
    #[arg(skip)]
    pub log_control: LogControl,

    /// Where clients may have backups written and read as file:///…: directly in this directory; without one, nowhere
    #[arg(long, env = "ATTICA_BACKUP_DIRECTORY", value_name = "PATH")]
    pub backup_directory: Option<PathBuf>,

    /// Certificates
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Write the bound address here, as `ip:port` and a newline, once this process answers
    #[arg(long, env = "ATTICA_PAAS_READY_FILE", value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

impl Args {
    /// The address at which others reach this process.
    pub(super) fn address(&self, bound: SocketAddr) -> String {
        match (&self.advertise, &self.hostname) {
            (Some(address), _) => address.clone(),
            (None, Some(hostname)) => format!("{hostname}:{}", bound.port()),
            (None, None) => bound.to_string(),
        }
    }

    /// What is used of an offer by who does not say.
    pub(super) fn accepted_by_default(&self) -> AcceptedByDefault {
        let is_only = |role: &str| self.default_accepted_resource_roles.iter().all(|named| named == role);
        match self.accepted_resource_roles_default_behavior {
            Some(behavior) => behavior,
            None if self.default_accepted_resource_roles.is_empty() => AcceptedByDefault::Any,
            None if is_only(UNRESERVED) => AcceptedByDefault::Unreserved,
            None if is_only(&self.mesos_role) => AcceptedByDefault::Reserved,
            None => AcceptedByDefault::Any,
        }
    }

    /// The origins whose pages may read.
    pub(super) fn allowed_origins(&self) -> Vec<String> {
        self.access_control_allow_origin.iter().filter(|origin| !origin.is_empty()).cloned().collect()
    }

    fn features(&self) -> Vec<String> {
        let secrets = self.secrets_key_file.as_ref().map(|_| "secrets");
        ["gpu_resources", "task_killing"].into_iter().chain(secrets).map(str::to_owned).collect()
    }

    fn shown_hostname(&self, bound: SocketAddr) -> String {
        self.hostname.clone().unwrap_or_else(|| bound.ip().to_string())
    }

    /// Where the credential of an admin comes from who is not stored.
    pub(super) fn admin(&self) -> AdminSource {
        match (&self.admin_credential, &self.admin_file) {
            (Some(credential), _) => AdminSource::Given(credential.clone()),
            (None, Some(path)) => AdminSource::File(path.clone()),
            (None, None) => AdminSource::Nobody,
        }
    }

    /// The names under which browsers reach this process.
    pub(super) fn names(&self, bound: SocketAddr, address: &str) -> Names {
        let advertised = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let names = [Some(advertised.to_owned()), self.hostname.clone()];
        Names { loopback: bound.ip().is_loopback(), names: names.into_iter().flatten().collect() }
    }

    /// Where candidates stand, as clients read it: without what proves who we are there.
    fn zookeeper(&self) -> ZookeeperSettings {
        ZookeeperSettings {
            zk: self.zk.as_ref().map(|ensemble| format!("zk://{}{}", ensemble.servers(), ensemble.path())),
            zk_session_timeout: self.zk.as_ref().map(|_| self.zk_session_timeout),
        }
    }

    /// All settings in effect. Each is named here, so that a new one is thought about: whatever proves who somebody is, or lies in a
    /// file that does, is not told.
    pub(super) fn configuration(&self, bound: SocketAddr, scheme: &str, master_scheme: &str) -> Configuration {
        let Self {
            listen,
            postgres_url: _,
            master: _,
            zk: _,
            zk_session_timeout: _,
            advertise: _,
            hostname: _,
            framework_name: _,
            failover_timeout: _,
            webui_url: _,
            mesos_role: _,
            new_group_enforce_role: _,
            accepted_resource_roles_default_behavior: _,
            default_accepted_resource_roles: _,
            gpu_scheduling_behavior,
            default_network_name: _,
            env_vars_prefix: _,
            mesos_user: _,
            local_port_min: _,
            local_port_max: _,
            max_running_deployments,
            max_apps,
            max_instances_per_offer: _,
            decline_offer_duration: _,
            min_revive_offers_interval: _,
            task_launch_timeout: _,
            kill_chunk_size,
            kill_retry_timeout,
            reconciliation_interval: _,
            draining_seconds,
            max_versions,
            http_compression,
            access_control_allow_origin: _,
            emit_legacy_ports,
            master_credential_file: _,
            mesos_authentication_principal,
            task_reservation_timeout: _,
            secrets_key_file: _,
            require_sign_in,
            admin_file: _,
            admin_credential: _,
            http_realm,
            audit_days,
            trusted_proxy,
            log_control: _,
            backup_directory,
            tls: TlsArgs { tls_cert_file: _, tls_key_file: _, tls_ca_file: _, tls_client_certs, tls_serve_plaintext },
            ready_file: _,
        } = self;
        Configuration {
            settings: self.settings(bound, scheme, master_scheme),
            zookeeper: self.zookeeper(),
            accepted_resource_roles_default_behavior: written(&self.accepted_by_default()),
            advertise: self.address(bound),
            audit_days: *audit_days,
            backup_directory: backup_directory.as_ref().map(|path| path.display().to_string()),
            draining_seconds: *draining_seconds,
            emit_legacy_ports: *emit_legacy_ports,
            gpu_scheduling_behavior: written(gpu_scheduling_behavior),
            http_compression: *http_compression,
            http_realm: http_realm.clone(),
            kill_chunk_size: *kill_chunk_size,
            kill_retry_timeout: *kill_retry_timeout,
            listen: listen.to_string(),
            max_apps: *max_apps,
            max_running_deployments: *max_running_deployments,
            max_versions: *max_versions,
            mesos_authentication_principal: mesos_authentication_principal.clone(),
            require_sign_in: *require_sign_in,
            tls_client_certs: match tls_client_certs {
                ClientCertificateUse::None => "none".to_owned(),
                ClientCertificateUse::Optional => "optional".to_owned(),
                ClientCertificateUse::Required => "required".to_owned(),
            },
            tls_serve_plaintext: *tls_serve_plaintext,
            trusted_proxy: trusted_proxy.iter().map(ToString::to_string).collect(),
        }
    }

    /// The settings in effect, as clients read them.
    fn settings(&self, bound: SocketAddr, scheme: &str, master_scheme: &str) -> Settings {
        Settings {
            access_control_allow_origin: Some(self.allowed_origins()).filter(|origins| !origins.is_empty()),
            checkpoint: true,
            executor: "//cmd".to_owned(),
            failover_timeout: u64::from(self.failover_timeout),
            features: self.features(),
            framework_name: self.framework_name.clone(),
            ha: true,
            hostname: self.shown_hostname(bound),
            local_port_min: self.local_port_min,
            local_port_max: self.local_port_max,
            master: self.master.to_string(),
            mesos_user: self.mesos_user.clone(),
            mesos_role: self.mesos_role.clone(),
            new_group_enforce_role: written(&self.new_group_enforce_role),
            mesos_leader_ui_url: match &self.master {
                Detection::Addresses(addresses) => {
                    addresses.first().map(|master| format!("{master_scheme}://{master}/"))
                }
                Detection::ZooKeeper(_) => None,
            },
            decline_offer_duration: self.decline_offer_duration,
            max_instances_per_offer: self.max_instances_per_offer,
            min_revive_offers_interval: self.min_revive_offers_interval,
            reconciliation_interval: self.reconciliation_interval,
            task_launch_timeout: self.task_launch_timeout,
            task_reservation_timeout: self.task_reservation_timeout,
            webui_url: self.webui_url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.address(bound))),
            default_network_name: self.default_network_name.clone(),
            env_vars_prefix: Some(self.env_vars_prefix.clone()).filter(|prefix| !prefix.is_empty()),
        }
    }

    /// How the framework describes itself to the master.
    pub(super) fn framework(
        &self,
        id: Option<FrameworkId>,
        roles: Vec<String>,
        scheme: &str,
        address: &str,
    ) -> FrameworkInfo {
        let capabilities = [
            FrameworkCapabilityType::GpuResources,
            FrameworkCapabilityType::MultiRole,
            FrameworkCapabilityType::PartitionAware,
            FrameworkCapabilityType::RegionAware,
            FrameworkCapabilityType::TaskKillingState,
        ];
        FrameworkInfo {
            user: self.mesos_user.clone().unwrap_or_default(),
            name: self.framework_name.clone(),
            id,
            failover_timeout: f64::from(self.failover_timeout),
            checkpoint: true,
            roles,
            hostname: address.rsplit_once(':').map(|(host, _)| host.to_owned()),
            webui_url: Some(self.webui_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"))),
            capabilities: capabilities.map(|capability| FrameworkCapability { r#type: Some(capability) }).to_vec(),
            ..FrameworkInfo::default()
        }
    }
}

/// A value as it is written on the command line.
fn written(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

pub(super) fn parse_address(text: &str) -> Result<String, String> {
    let is_address = text.rsplit_once(':').is_some_and(|(host, port)| {
        let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_:[]".contains(character);
        !host.is_empty() && host.chars().all(allowed) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if is_address { Ok(text.to_owned()) } else { Err(format!("expected HOST:PORT, found `{text}`")) }
}

#[cfg(test)]
mod tests {
    use super::parse_address;

    #[test]
    fn addresses_are_host_and_port() {
        for right in ["127.0.0.1:5050", "[::1]:5050", "master.example.org:1"] {
            assert_eq!(parse_address(right).as_deref(), Ok(right));
        }
        for wrong in ["", "host", ":5050", "host:", "host:0", "host:65536", "http://host:5050", "zk://a:1/mesos"] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }
}

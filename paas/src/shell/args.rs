//! What an operator sets.

use std::net::SocketAddr;
use std::path::PathBuf;

use attica_core_api::client::Detection;
use attica_core_api::http::TlsArgs;
use attica_core_api::v1::{FrameworkCapability, FrameworkCapabilityType, FrameworkId, FrameworkInfo};
use attica_core_store::Database;
use attica_paas_api::info::Settings;

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

    /// The role in which resources are asked for
    #[arg(long, env = "MARATHON_MESOS_ROLE", value_name = "ROLE", default_value = "*")]
    pub mesos_role: String,

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

    fn features(&self) -> Vec<String> {
        let secrets = self.secrets_key_file.as_ref().map(|_| "secrets");
        ["task_killing"].into_iter().chain(secrets).map(str::to_owned).collect()
    }

    fn shown_hostname(&self, bound: SocketAddr) -> String {
        self.hostname.clone().unwrap_or_else(|| bound.ip().to_string())
    }

    /// The settings in effect, as clients read them.
    pub(super) fn settings(&self, bound: SocketAddr, master_scheme: &str) -> Settings {
        Settings {
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
            mesos_leader_ui_url: match &self.master {
                Detection::Addresses(addresses) => {
                    addresses.first().map(|master| format!("{master_scheme}://{master}/"))
                }
                Detection::ZooKeeper(_) => None,
            },
        }
    }

    /// How the framework describes itself to the master.
    pub(super) fn framework(&self, id: Option<FrameworkId>, scheme: &str, address: &str) -> FrameworkInfo {
        let capabilities = [
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
            roles: vec![self.mesos_role.clone()],
            hostname: address.rsplit_once(':').map(|(host, _)| host.to_owned()),
            webui_url: Some(format!("{scheme}://{address}")),
            capabilities: capabilities.map(|capability| FrameworkCapability { r#type: Some(capability) }).to_vec(),
            ..FrameworkInfo::default()
        }
    }
}

fn parse_address(text: &str) -> Result<String, String> {
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

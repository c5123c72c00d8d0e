//! How an agent is called.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use attica_core_api::auth::Realm;
use attica_core_api::client::Detection;
use attica_core_api::encode_json;
use attica_core_api::http::TlsArgs;
use attica_core_api::http::guard::{AclsSource, Guard, GuardError, GuardFiles};
use attica_core_api::http::tls::Tls;
use attica_core_api::logging::LogControl;
use attica_core_api::v1::{CapabilityInfo, ContainerInfo, DomainInfo, parse_domain};
use serde::Serialize;

use crate::devices::{AllowedDevices, DeviceSet};
use crate::fetch::{FetchArgs, Milliseconds, parse_duration};
use crate::image::ImageArgs;
use crate::network::detect::Wishes;
use crate::network::dns::ContainerDns;
use crate::network::subnet::Subnet;
use crate::quota::ProjectRange;
use crate::rotation::args::RotationArgs;
use crate::supervisor::{ReconfigurationPolicy, duration};

/// Runs tasks on this machine for a master.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Masters, each as host:port, separated by commas (one is enough, it names the leader); or the ZooKeeper that knows who leads, as
    /// zk://user:pass@host1:2181,host2:2181/path
    #[arg(long, env = "ATTICA_MASTER", value_name = "HOST:PORT,…|zk://…", hide_env_values = true)]
    pub master: Detection,
    /// Address to listen at, and at which tasks are reached
    #[arg(long, env = "ATTICA_IP", value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// Port to listen at; 0 takes a free one
    #[arg(long, env = "ATTICA_PORT", value_name = "PORT", default_value_t = 5051)]
    pub port: u16,
    /// Name under which frameworks see this machine [default: the address]
    #[arg(long, env = "ATTICA_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,
    /// Resources to offer, as `cpus:4;mem:8192;ports:[31000-32000]` or a JSON array; what is missing of cpus, mem, disk and ports is detected
    #[arg(long, env = "ATTICA_RESOURCES", value_name = "RESOURCES", default_value = "")]
    pub resources: String,
    /// What to tell about this machine, as `rack:a;level:10`
    #[arg(long, env = "ATTICA_ATTRIBUTES", value_name = "ATTRIBUTES", default_value = "")]
    pub attributes: String,
    /// Where this machine stands: a DomainInfo in JSON, or a file that holds one
    #[arg(long, env = "ATTICA_DOMAIN", value_name = "JSON|PATH", value_parser = parse_domain)]
    pub domain: Option<DomainInfo>,
    /// Directory for sandboxes and checkpoints; it has to survive restarts
    #[arg(long, env = "ATTICA_WORK_DIR", value_name = "DIRECTORY")]
    pub work_dir: PathBuf,
    /// How an agent that has tasks may come back
    #[arg(long, env = "MESOS_RECONFIGURATION_POLICY", value_name = "POLICY", value_enum, default_value_t = ReconfigurationPolicy::Equal)]
    pub reconfiguration_policy: ReconfigurationPolicy,
    /// Directory for the launcher's socket and records [default: `run` in the work directory]
    #[arg(long, env = "ATTICA_RUNTIME_DIR", value_name = "DIRECTORY")]
    pub runtime_dir: Option<PathBuf>,
    /// The cgroup beneath which the tasks' cgroups are made
    #[arg(long, env = "ATTICA_CGROUPS_ROOT", value_name = "NAME", default_value = "attica")]
    pub cgroups_root: String,
    /// The name by which tasks ask for the network of this agent's bridge
    #[arg(long, env = "ATTICA_NETWORK_NAME", value_name = "NAME", default_value = "mesos-bridge")]
    pub network_name: String,
    /// Name of the bridge [default: one that no other agent on this machine has]
    #[arg(long, env = "ATTICA_BRIDGE_NAME", value_name = "DEVICE")]
    pub bridge_name: Option<String>,
    /// Addresses of the bridge and its containers, as 172.31.0.0/22 [default: a part of 10.212.0.0/14 that nothing on this machine uses]
    #[arg(long, env = "ATTICA_BRIDGE_SUBNET", value_name = "ADDRESS/PREFIX")]
    pub bridge_subnet: Option<Subnet>,
    /// What executors, and tasks that need none, find in their environment unless their command says otherwise: names and values as an object
    /// in JSON, or a file that holds one
    #[arg(long, env = "MESOS_EXECUTOR_ENVIRONMENT_VARIABLES", value_name = "JSON|PATH", value_parser = variables)]
    pub(crate) executor_environment_variables: Option<BTreeMap<String, String>>,
    /// The container of frameworks' executors, and of tasks that need none, that name no container: a ContainerInfo in JSON, or a file that
    /// holds one
    #[arg(long, env = "MESOS_DEFAULT_CONTAINER_INFO", value_name = "JSON|PATH", value_parser = container_info)]
    pub default_container_info: Option<ContainerInfo>,
    /// Where containers with networks and roots of their own look for names: a ContainerDNSInfo in JSON, or a file that holds one
    #[arg(long, env = "MESOS_DEFAULT_CONTAINER_DNS", value_name = "JSON|PATH", value_parser = container_dns)]
    pub(crate) default_container_dns: Option<ContainerDns>,
    /// Processes and threads that one task may have
    #[arg(long, env = "ATTICA_PIDS_LIMIT", value_name = "NUMBER", default_value_t = 4096)]
    pub pids_limit: u64,
    /// Whether tasks run as the user of their command or framework; needs root [default: true for root]
    #[arg(long, env = "ATTICA_SWITCH_USER", value_name = "BOOL")]
    pub switch_user: Option<bool>,
    /// Who runs containers: `mesos`, this agent itself; `docker`, a Docker daemon, those of the type DOCKER
    #[arg(
        long,
        env = "MESOS_CONTAINERIZERS",
        value_name = "NAME,…",
        value_enum,
        value_delimiter = ',',
        default_value = "mesos"
    )]
    pub containerizers: Vec<ContainerizerKind>,
    /// The Docker daemon's socket
    #[arg(long, env = "MESOS_DOCKER_SOCKET", value_name = "PATH", default_value = "/var/run/docker.sock")]
    pub docker_socket: PathBuf,
    /// Whether containers of the Docker daemon may have more of the machine than others: `privileged`, devices, more capabilities
    #[arg(long, env = "ATTICA_DOCKER_ALLOW_PRIVILEGED", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub docker_allow_privileged: bool,
    /// What tasks get that do not ask for it, by the names of Mesos's isolators, as `namespaces/pid,linux/seccomp`; limits of cpu, memory and
    /// processes are always set
    #[arg(long, env = "MESOS_ISOLATION", value_name = "NAMES", default_value = "")]
    pub isolation: String,
    /// With the isolator cgroups/devices, what tasks may use besides the usual devices, as {"allowed_devices": [{"device": {"path":
    /// "/dev/fuse"}, "access": {"read": true, "write": true, "mknod": false}}]}
    #[arg(long, env = "MESOS_ALLOWED_DEVICES", value_name = "JSON", value_parser = allowed_devices)]
    pub(crate) allowed_devices: Option<AllowedDevices>,
    /// With the isolator cgroups/devices, devices that one task has at a time: a resource of that name, as lamps=/dev/lamp0,/dev/lamp1. May
    /// be repeated; in the environment `;` separates them
    #[arg(long, env = "ATTICA_DEVICES", value_name = "NAME=DEVICE,…", value_delimiter = ';')]
    pub(crate) devices: Vec<DeviceSet>,
    /// As above, the resource `gpus`: the numbers of Nvidia's devices
    #[arg(long, env = "MESOS_NVIDIA_GPU_DEVICES", value_name = "NUMBER,…", value_delimiter = ',')]
    pub nvidia_gpu_devices: Vec<u32>,
    /// With the isolator linux/capabilities, what tasks have that name no capabilities, as {"capabilities": ["NET_RAW"]}
    #[arg(long, env = "MESOS_EFFECTIVE_CAPABILITIES", value_name = "JSON", value_parser = capabilities)]
    pub effective_capabilities: Option<CapabilityInfo>,
    /// As above, what any task can have
    #[arg(long, env = "MESOS_BOUNDING_CAPABILITIES", value_name = "JSON", value_parser = capabilities)]
    pub bounding_capabilities: Option<CapabilityInfo>,
    /// Directory of the profiles of system calls that tasks may name, in the JSON that Docker reads; which there are is told to the master
    /// when the agent starts
    #[arg(long, env = "MESOS_SECCOMP_CONFIG_DIR", value_name = "DIRECTORY")]
    pub seccomp_config_dir: Option<PathBuf>,
    /// With the isolator linux/seccomp, the profile of tasks that name none [default: a built-in one]
    #[arg(long, env = "MESOS_SECCOMP_PROFILE_NAME", value_name = "FILE")]
    pub seccomp_profile_name: Option<String>,
    /// With the isolator disk/du, whether tasks end whose sandboxes hold more than their `disk`; with disk/xfs, whether they cannot; else that is
    /// in the log
    #[arg(long, env = "MESOS_ENFORCE_CONTAINER_DISK_QUOTA", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub enforce_container_disk_quota: bool,
    /// With the isolator disk/xfs, whether tasks end whose sandboxes hold more than their `disk`, instead of being kept from it
    #[arg(long, env = "MESOS_XFS_KILL_CONTAINERS", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub xfs_kill_containers: bool,
    /// With the isolator disk/xfs, the numbers that it gives to the projects of the file system that sandboxes and volumes are
    #[arg(long, env = "MESOS_XFS_PROJECT_RANGE", value_name = "[FIRST-LAST]", default_value = "[5000-10000]")]
    pub xfs_project_range: ProjectRange,
    /// How often sandboxes are measured
    #[arg(
        long,
        env = "ATTICA_CONTAINER_DISK_WATCH_INTERVAL_MS",
        value_name = "MILLISECONDS",
        default_value_t = 15_000,
        value_parser = clap::value_parser!(u64).range(10..)
    )]
    pub container_disk_watch_interval_ms: u64,
    /// With the isolator network/ports, whether tasks end that listen at other ports than theirs; else that is in the log
    #[arg(long, env = "MESOS_ENFORCE_CONTAINER_PORTS", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub enforce_container_ports: bool,
    /// How often their ports are looked at
    #[arg(
        long,
        env = "ATTICA_CONTAINER_PORTS_WATCH_INTERVAL_MS",
        value_name = "MILLISECONDS",
        default_value_t = 30_000,
        value_parser = clap::value_parser!(u64).range(10..)
    )]
    pub container_ports_watch_interval_ms: u64,
    /// How long the sandbox of an ended task is kept at most, as 12hrs or 1weeks; as the disk fills, for a shorter time
    #[arg(long, env = "MESOS_GC_DELAY", value_name = "DURATION", default_value = "1weeks", value_parser = parse_duration)]
    pub gc_delay: Milliseconds,
    /// How long the program of an executor may take to subscribe
    #[arg(
        long,
        env = "ATTICA_EXECUTOR_REGISTRATION_TIMEOUT_MS",
        value_name = "MILLISECONDS",
        default_value_t = 60_000
    )]
    pub executor_registration_timeout_ms: u64,
    /// How long an executor that runs already may take to subscribe again after the agent's start
    #[arg(
        long,
        env = "ATTICA_EXECUTOR_REREGISTRATION_TIMEOUT_MS",
        value_name = "MILLISECONDS",
        default_value_t = 15_000
    )]
    pub executor_reregistration_timeout_ms: u64,
    /// How long an executor may take to end by itself when it is shut down, unless it says otherwise
    #[arg(long, env = "ATTICA_EXECUTOR_SHUTDOWN_GRACE_MS", value_name = "MILLISECONDS", default_value_t = 5_000)]
    pub executor_shutdown_grace_ms: u64,
    /// What proves to the master who this is: `{"principal": "…", "secret": "…"}`, or a bearer token; read again when it changes
    #[arg(long, env = "MESOS_CREDENTIAL", value_name = "FILE")]
    pub credential: Option<PathBuf>,
    /// Names and passwords of those who may look at this agent: {"credentials": [{"principal": "…", "secret": "…"}]}
    #[arg(long, env = "MESOS_HTTP_CREDENTIALS", value_name = "FILE")]
    pub http_credentials: Option<PathBuf>,
    /// The key, of at least 32 bytes, that bearer tokens are signed with (HS256); the name is in the claim `sub`
    #[arg(long, env = "MESOS_JWT_SECRET_KEY", value_name = "FILE")]
    pub jwt_secret_key: Option<PathBuf>,
    /// Who may see and read what, in Mesos's JSON: as it is, or in a file; read again when it changes
    #[arg(long, env = "MESOS_ACLS", value_name = "JSON|FILE")]
    pub acls: Option<AclsSource>,
    /// Whether who looks at this agent has to prove a name
    #[arg(long, env = "MESOS_AUTHENTICATE_HTTP_READONLY", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub authenticate_http_readonly: bool,
    /// Whether who makes operators' calls has to prove a name
    #[arg(long, env = "MESOS_AUTHENTICATE_HTTP_READWRITE", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub authenticate_http_readwrite: bool,
    /// The file with the 32 bytes that the secrets of tasks are sealed with, which only its owner may read; the service layer needs the same
    #[arg(long, env = "ATTICA_SECRETS_KEY_FILE", value_name = "FILE")]
    pub secrets_key_file: Option<PathBuf>,
    /// Certificates
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Whether executors have to send a token that is in their environment
    #[arg(long, env = "MESOS_AUTHENTICATE_HTTP_EXECUTORS", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub authenticate_http_executors: bool,
    /// Directories of this machine that tasks may mount as volumes, with all that is beneath them; none unless they are named
    #[arg(long, env = "ATTICA_HOST_PATH_VOLUME_ALLOW_LIST", value_name = "DIRECTORY,…", value_delimiter = ',')]
    pub host_path_volume_allow_list: Vec<PathBuf>,
    /// Directories of this machine beneath which a volume's directory is made if it is missing
    #[arg(long, env = "MESOS_HOST_PATH_VOLUME_FORCE_CREATION", value_name = "DIRECTORY:…", value_delimiter = ':')]
    pub host_path_volume_force_creation: Vec<PathBuf>,
    /// Images
    #[command(flatten)]
    pub image: ImageArgs,
    /// Output
    #[command(flatten)]
    pub rotation: RotationArgs,
    /// Files for tasks
    #[command(flatten)]
    pub fetch: FetchArgs,
    /// File to write `ip:port` to once the agent answers
    #[arg(long, env = "ATTICA_READY_FILE", value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Sets how much this process logs
    #[arg(skip)]
    pub log_control: LogControl,
}

/// Who runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ContainerizerKind {
    /// This agent.
    Mesos,
    /// A Docker daemon.
    Docker,
}

impl ContainerizerKind {
    fn name(self) -> &'static str {
        match self {
            ContainerizerKind::Mesos => "mesos",
            ContainerizerKind::Docker => "docker",
        }
    }
}

impl Args {
    /// What is said of networks.
    pub(crate) fn network(&self) -> Wishes {
        Wishes {
            network_name: self.network_name.clone(),
            bridge_name: self.bridge_name.clone(),
            bridge_subnet: self.bridge_subnet,
            resolver: self.default_container_dns.as_ref().and_then(|dns| dns.of_own_network(&self.network_name)),
        }
    }

    /// Reads the files that say who may look, and watches them.
    pub(crate) fn guard(&self, tls: &Tls) -> Result<Guard, GuardError> {
        let files = GuardFiles {
            credentials: self.http_credentials.clone(),
            token_key: self.jwt_secret_key.clone(),
            acls: self.acls.clone(),
        };
        let realms = [
            (self.authenticate_http_readonly, Realm::AgentReadonly),
            (self.authenticate_http_readwrite, Realm::AgentReadwrite),
        ];
        let realms = realms.into_iter().filter_map(|(asked, realm)| asked.then_some(realm));
        Guard::start(files, realms, tls.client_certificates())
    }

    /// What may be shown of them, under Mesos's names where it has some. Nothing that is a secret, or leads to one.
    pub(crate) fn shown(&self, bound: SocketAddr) -> BTreeMap<String, String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut shown = BTreeMap::from([
            ("attributes", self.attributes.clone()),
            ("authenticate_http_executors", self.authenticate_http_executors.to_string()),
            ("authenticate_http_readonly", self.authenticate_http_readonly.to_string()),
            ("authenticate_http_readwrite", self.authenticate_http_readwrite.to_string()),
            ("cgroups_root", self.cgroups_root.clone()),
            ("executor_registration_timeout", duration(self.executor_registration_timeout_ms)),
            ("executor_reregistration_timeout", duration(self.executor_reregistration_timeout_ms)),
            ("executor_shutdown_grace_period", duration(self.executor_shutdown_grace_ms)),
            ("container_disk_watch_interval", duration(self.container_disk_watch_interval_ms)),
            ("container_ports_watch_interval", duration(self.container_ports_watch_interval_ms)),
            ("containerizers", self.containerizers.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",")),
            ("docker_socket", path(&self.docker_socket)),
            ("fetcher_cache_size", size(self.fetch.fetcher_cache_size.bytes)),
            ("fetcher_stall_timeout", duration(self.fetch.fetcher_stall_timeout.0)),
            ("master", self.master.to_string()),
            ("network_name", self.network_name.clone()),
            ("xfs_project_range", self.xfs_project_range.to_string()),
            ("enforce_container_disk_quota", self.enforce_container_disk_quota.to_string()),
            ("enforce_container_ports", self.enforce_container_ports.to_string()),
            ("isolation", self.isolation.clone()),
            ("gc_delay", duration(self.gc_delay.0)),
            ("ip", self.ip.to_string()),
            ("pids_limit", self.pids_limit.to_string()),
            ("port", bound.port().to_string()),
            ("reconfiguration_policy", policy(self.reconfiguration_policy).to_owned()),
            ("resources", self.resources.clone()),
            ("work_dir", path(&self.work_dir)),
            ("xfs_kill_containers", self.xfs_kill_containers.to_string()),
        ]);
        shown.extend(self.hostname.clone().map(|hostname| ("hostname", hostname)));
        shown.extend(self.runtime_dir.as_deref().map(|directory| ("runtime_dir", path(directory))));
        shown.extend(self.switch_user.map(|switch| ("switch_user", switch.to_string())));
        // With a name before it, there is a password as well.
        let registry = Some(self.image.docker_registry.clone()).filter(|registry| !registry.contains('@'));
        shown.extend(registry.map(|registry| ("docker_registry", registry)));
        let directories = [
            ("docker_store_dir", &self.image.docker_store_dir),
            ("fetcher_cache_dir", &self.fetch.fetcher_cache_dir),
            ("seccomp_config_dir", &self.seccomp_config_dir),
        ];
        shown.extend(directories.into_iter().filter_map(|(name, directory)| Some((name, path(directory.as_deref()?)))));
        shown.extend(self.seccomp_profile_name.clone().map(|name| ("seccomp_profile_name", name)));
        let documents = [
            ("default_container_info", self.default_container_info.as_ref().map(json)),
            ("domain", self.domain.as_ref().map(json)),
            ("effective_capabilities", self.effective_capabilities.as_ref().map(json)),
            ("bounding_capabilities", self.bounding_capabilities.as_ref().map(json)),
        ];
        shown.extend(documents.into_iter().filter_map(|(name, document)| Some((name, document?))));
        shown.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn allowed_devices(text: &str) -> Result<AllowedDevices, String> {
    if text.is_empty() {
        return Ok(AllowedDevices::default());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn variables(text: &str) -> Result<BTreeMap<String, String>, String> {
    let variables: BTreeMap<String, String> =
        serde_json::from_str(&json_or_file(text)?).map_err(|error| format!("expected an object of texts: {error}"))?;
    let impossible =
        |(name, value): &(&String, &String)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
    match variables.iter().find(impossible) {
        Some((name, _)) => Err(format!("there cannot be a variable `{}` with this value", name.escape_debug())),
        None => Ok(variables),
    }
}

fn container_info(text: &str) -> Result<ContainerInfo, String> {
    attica_core_api::decode_json(json_or_file(text)?.as_bytes()).map_err(|error| crate::error_chain(&error))
}

fn container_dns(text: &str) -> Result<ContainerDns, String> {
    ContainerDns::parse(&json_or_file(text)?)
}

fn json_or_file(text: &str) -> Result<String, String> {
    match text.trim_start().starts_with('{') {
        true => Ok(text.to_owned()),
        false => std::fs::read_to_string(text).map_err(|error| format!("cannot read `{text}`: {error}")),
    }
}

fn capabilities(text: &str) -> Result<CapabilityInfo, String> {
    attica_core_api::decode_json(text.as_bytes()).map_err(|error| crate::error_chain(&error))
}

fn json(document: &impl Serialize) -> String {
    String::from_utf8_lossy(&encode_json(document)).into_owned()
}

/// In the largest unit that divides it.
fn size(bytes: u64) -> String {
    let units = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    let divides = |shift: u32| bytes >> shift > 0 && bytes.is_multiple_of(1 << shift);
    let (unit, shift) = units.into_iter().find(|(_, shift)| divides(*shift)).unwrap_or(("B", 0));
    format!("{}{unit}", bytes >> shift)
}

fn policy(policy: ReconfigurationPolicy) -> &'static str {
    match policy {
        ReconfigurationPolicy::Equal => "equal",
        ReconfigurationPolicy::Additive => "additive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_texts_or_files() {
        let text = r#"{"LANG": "C", "EMPTY": ""}"#;
        let expected = [("EMPTY", ""), ("LANG", "C")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables(text), Ok(expected.clone().into()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(variables(file.path().to_str().unwrap()), Ok(expected.into()));
        assert!(variables(r#"{"N": 1}"#).unwrap_err().contains("expected an object of texts"));
        assert!(variables(r#"{"A=B": "c"}"#).unwrap_err().contains("`A=B`"));
        assert!(variables("/nowhere").unwrap_err().contains("cannot read `/nowhere`"));
        assert_eq!(container_info(r#"{"type": "MESOS", "hostname": "h"}"#).unwrap().hostname.as_deref(), Some("h"));
        assert!(container_info(r#"{"hostname": "h"}"#).is_err());
    }
}

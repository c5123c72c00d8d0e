//! `mesos-agent`: its documented flags, and what each means here.

use std::process::ExitCode;

use super::agent_plan::{AgentPlan, own_flags};
use super::flags::{Effect, Flag, Given, MESOS, path, renamed, switch, value};
use super::master_plan::PlanError;
use super::mesos_master::{NO_MODULES, refuse, version};
use super::{ssl, translate};
use crate::{AnyError, logging, terminated};

use Effect::{Only, Plan, Replaced, Same};

const NO_APPC: &str = "images are those of OCI and Docker registries";
const NO_DAEMON: &str = "images need no Docker daemon here";
const NO_PERF: &str = "performance events are not sampled";
const NO_CNI: &str = "networks of plugins are not joined";
const NO_OLD_LINK: &str = "how the agent talks to the master is its own, and needs no setting";
const NO_OVERSUBSCRIPTION: &str = "resources that others leave unused are not offered a second time";
const NO_PROVIDERS: &str = "resources come from the machine alone";

/// Every flag that Mesos documents for its agent. One that our agent has meanwhile got itself does its job whatever is written here.
pub static FLAGS: [Flag; 149] = [
    // Where it listens and is reached.
    value("master", Same),
    value("ip", Plan),
    value("port", Same),
    value("advertise_ip", Only(&[""], "the address at which it is reached is told with --ip")),
    value("advertise_port", Only(&[""], "the port at which it is reached is told with --port")),
    value("ip_discovery_command", Only(&[""], "the address is told with --ip")),
    value("hostname", Same),
    switch("hostname_lookup", Plan),
    value("domain", Same),
    value("zk_session_timeout", Replaced("a session lasts as long as ZooKeeper grants, at most 10secs")),
    value("master_detector", Only(&[""], NO_MODULES)),
    value("registration_backoff_factor", Replaced(NO_OLD_LINK)),
    value("http_heartbeat_interval", Replaced("streams carry a heartbeat every 30 minutes, as executors expect")),
    // What it has and is.
    value("resources", Same),
    value("attributes", Same),
    value("default_role", Only(&["*"], "reserve by name: --resources=cpus(role):2")),
    value("resource_estimator", Only(&[""], NO_OVERSUBSCRIPTION)),
    value("oversubscribed_resources_interval", Replaced(NO_OVERSUBSCRIPTION)),
    value("qos_controller", Only(&[""], NO_OVERSUBSCRIPTION)),
    value("qos_correction_interval_min", Replaced(NO_OVERSUBSCRIPTION)),
    switch("revocable_cpu_low_priority", Replaced(NO_OVERSUBSCRIPTION)),
    value("resource_provider_config_dir", Only(&[""], NO_PROVIDERS)),
    value("disk_profile_adaptor", Only(&[""], NO_PROVIDERS)),
    value("csi_plugin_config_dir", Only(&[""], NO_PROVIDERS)),
    value("agent_features", Only(&[""], "what the agent can do does not depend on a setting")),
    // What it keeps.
    value("work_dir", Same),
    value("runtime_dir", Same),
    value("recover", Only(&["reconnect"], "to end what runs, drain the agent: SIGUSR1")),
    value("recovery_timeout", Replaced("executors wait 15mins for an agent that has gone")),
    switch("strict", Replaced("what is damaged of the checkpoints is put aside and told of, all else is recovered")),
    value("reconfiguration_policy", Same),
    value("gc_delay", Same),
    value("gc_disk_headroom", Only(&["0.1"], "a tenth of the disk is kept free")),
    switch("gc_non_executor_container_sandboxes", Replaced("every sandbox is collected")),
    value("disk_watch_interval", Replaced("the disk is looked at every minute")),
    value("container_disk_watch_interval", Plan),
    value("max_completed_executors_per_framework", Replaced("the last 200 ended tasks are shown")),
    // How tasks run.
    value("isolation", Same),
    value("launcher", Only(&["", "posix", "linux"], "there is one launcher, which uses what the kernel has")),
    value("launcher_dir", Replaced("the launcher is part of the program")),
    value("containerizers", Same),
    switch("switch_user", Same),
    value("frameworks_home", Only(&[""], "relative commands are looked for in the sandbox and in PATH")),
    value("hadoop_home", Only(&[""], "files are fetched over http and https, or taken from the machine")),
    value("executor_environment_variables", Same),
    value("executor_registration_timeout", Plan),
    value("executor_reregistration_timeout", Plan),
    value("executor_reregistration_retry_interval", Replaced("executors come back by themselves")),
    value("executor_shutdown_grace_period", Plan),
    switch("http_command_executor", Replaced("commands need no executor of their own")),
    switch("http_executor_domain_sockets", Only(&["false"], "executors connect over TCP")),
    value("domain_socket_location", Replaced("executors connect over TCP")),
    value("container_logger", Same),
    value("sandbox_directory", Only(&["/mnt/mesos/sandbox"], "a sandbox is seen there in every container with a root")),
    value("default_container_info", Same),
    value("default_container_dns", Same),
    value("default_shm_size", Replaced("how large /dev/shm is follows from the task")),
    switch(
        "disallow_sharing_agent_ipc_namespace",
        Only(&["false"], "tasks say which namespaces they have of their own"),
    ),
    switch(
        "disallow_sharing_agent_pid_namespace",
        Only(&["false"], "tasks say which namespaces they have of their own"),
    ),
    value("effective_capabilities", Same),
    value("bounding_capabilities", Same),
    value("allowed_capabilities", Only(&[""], "tasks say which capabilities they have")),
    value("seccomp_config_dir", Same),
    value("seccomp_profile_name", Same),
    value("allowed_devices", Same),
    value("secret_resolver", Only(&[""], NO_MODULES)),
    value("volume_gid_range", Only(&[""], "volumes belong to the user of the task that uses them")),
    value("host_path_volume_force_creation", Same),
    value("nvidia_gpu_devices", Same),
    // Cgroups.
    value("cgroups_root", Same),
    value("cgroups_hierarchy", Only(&["/sys/fs/cgroup"], "cgroups are looked for where the system mounts them")),
    switch("cgroups_enable_cfs", Only(&["false"], "tasks that say so are limited: their limits of cpus")),
    switch("cgroups_limit_swap", Only(&["false"], "swap is not limited")),
    switch("cgroups_cpu_enable_pids_and_tids_count", Replaced("/containers tells how many processes there are")),
    value("cgroups_destroy_timeout", Replaced("a container is ended for as long as it takes")),
    value("cgroups_net_cls_primary_handle", Only(&[""], "packets are not marked")),
    value("cgroups_net_cls_secondary_handles", Only(&[""], "packets are not marked")),
    value("agent_subsystems", Only(&[""], "the agent's own processes are the system's to confine")),
    switch(
        "systemd_enable_support",
        Only(&["false"], "tasks are no children of the agent: give its unit KillMode=process"),
    ),
    value("systemd_runtime_directory", Replaced("systemd is not asked for anything")),
    value("perf_duration", Replaced(NO_PERF)),
    value("perf_events", Only(&[""], NO_PERF)),
    value("perf_interval", Replaced(NO_PERF)),
    switch("enforce_container_disk_quota", Same),
    value("xfs_project_range", Same),
    switch("xfs_kill_containers", Same),
    // Networks.
    switch("enforce_container_ports", Same),
    value("container_ports_watch_interval", Plan),
    switch("check_agent_port_range_only", Only(&["false"], "every port at which a task listens is looked at")),
    value("network_cni_plugins_dir", Only(&[""], NO_CNI)),
    value("network_cni_config_dir", Only(&[""], NO_CNI)),
    switch("network_cni_root_dir_persist", Replaced(NO_CNI)),
    switch("network_cni_metrics", Replaced(NO_CNI)),
    value("ephemeral_ports_per_container", Replaced("containers with a network of their own have all ports")),
    value("eth0_name", Replaced("links are found by the system's routes")),
    value("lo_name", Replaced("links are found by the system's routes")),
    value("egress_rate_limit_per_container", Only(&[""], "traffic is not shaped")),
    switch("egress_unique_flow_per_container", Replaced("traffic is not shaped")),
    value("egress_flow_classifier_parent", Replaced("traffic is not shaped")),
    switch("network_enable_socket_statistics_summary", Replaced("sockets are not counted")),
    switch("network_enable_socket_statistics_details", Replaced("sockets are not counted")),
    switch("network_enable_snmp_statistics", Replaced("packets are not counted")),
    // Images and files.
    value("image_providers", Replaced("images are pulled for the tasks that name one")),
    value("image_provisioner_backend", Only(&["", "overlay"], "roots are put together by overlayfs")),
    value("image_gc_config", Replaced("layers that no container uses go after a time")),
    value("appc_simple_discovery_uri_prefix", Replaced(NO_APPC)),
    value("appc_store_dir", Replaced(NO_APPC)),
    value("docker", Replaced(NO_DAEMON)),
    value("docker_config", Only(&[""], "registries are called without an account")),
    switch("docker_ignore_runtime", Only(&["false"], "what an image says of its program counts")),
    switch("docker_kill_orphans", Replaced(NO_DAEMON)),
    value("docker_mesos_image", Only(&[""], NO_DAEMON)),
    value("docker_registry", Only(&["https://registry-1.docker.io"], "the registry is part of an image's name")),
    value("docker_remove_delay", Replaced(NO_DAEMON)),
    value("docker_socket", Same),
    value("docker_stop_timeout", Replaced(NO_DAEMON)),
    value("docker_store_dir", Replaced("layers are kept in the work directory")),
    value("docker_volume_checkpoint_dir", Replaced(NO_DAEMON)),
    switch("docker_volume_chown", Only(&["false"], NO_DAEMON)),
    value("fetcher_cache_dir", Same),
    value("fetcher_cache_size", Same),
    value("fetcher_stall_timeout", Same),
    // Who may do what.
    path("acls", Same),
    path("credential", Same),
    path("http_credentials", Same),
    renamed(path("jwt_secret_key", Same), &["executor_secret_key"]),
    switch("authenticate_http_executors", Same),
    switch("authenticate_http_readonly", Same),
    renamed(switch("authenticate_http_readwrite", Same), &["authenticate_http"]),
    value("authenticatee", Only(&["crammd5"], NO_MODULES)),
    value("authentication_backoff_factor", Replaced(NO_OLD_LINK)),
    value("authentication_timeout_min", Replaced(NO_OLD_LINK)),
    value("authentication_timeout_max", Replaced(NO_OLD_LINK)),
    value("authorizer", Only(&["local"], NO_MODULES)),
    value("http_authenticators", Only(&["", "basic"], NO_MODULES)),
    value("http_executor_authenticators", Only(&["", "jwt"], NO_MODULES)),
    // The process.
    value("log_dir", Replaced("log lines go to standard error; whoever starts this process keeps them")),
    value("external_log_file", Replaced("log lines go to standard error; whoever starts this process keeps them")),
    value("logging_level", Plan),
    value("logbufsecs", Replaced("log lines are written at once")),
    switch("initialize_driver_logging", Replaced("there is no driver in this process")),
    switch("quiet", Plan),
    switch("memory_profiling", Only(&["false"], "there is no jemalloc in this process")),
    value("modules", Only(&[""], NO_MODULES)),
    value("modules_dir", Only(&[""], NO_MODULES)),
    value("hooks", Only(&[""], NO_MODULES)),
    value("firewall_rules", Only(&[""], "endpoints cannot be switched off")),
    switch("help", Plan),
    switch("version", Plan),
];

/// What `--help` says before the flags.
const HELP: &str = "Usage: mesos-agent [options]\n\nEach flag also as MESOS_FLAG=value in the environment; file:///path stands for what a file holds.\n\
    LIBPROCESS_SSL_ENABLED and its kin mean what they mean to Mesos.\n";

/// Runs the daemon.
pub fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let variables: Vec<(String, String)> = variables.collect();
    let given = match Given::read(MESOS, &FLAGS, arguments, variables.iter().cloned()) {
        Ok(given) => given,
        Err(error) => return refuse(&error),
    };
    if given.is_true("help") {
        return translate::help(HELP, MESOS, &FLAGS, &own_flags());
    }
    if given.is_true("version") {
        return version();
    }
    let encryption = match ssl::read(variables) {
        Ok(encryption) => encryption,
        Err(error) => return refuse(&error),
    };
    let AgentPlan { mut args, log_level, notes } = match AgentPlan::of(&given, encryption) {
        Ok(plan) => plan,
        Err(PlanError::Flag(error)) => return refuse(&error),
        Err(PlanError::Value(error)) => error.exit(),
    };
    logging::init_with(log_level);
    for note in &notes {
        tracing::info!("{note}");
    }
    args.log_control = logging::control();
    let outcome: Result<(), AnyError> = crate::block_on(async { Ok(attica_agent::run(args, terminated()).await?) });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::fatal(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

//! `marathon`: its documented flags, and what each means here.

use std::process::ExitCode;

use attica_paas::{Error, LeaderError};

use super::flags::{Effect, Flag, Given, MARATHON, renamed, switch, value};
use super::marathon_plan::{MarathonPlan, own_flags};
use super::translate;
use crate::{AnyError, logging};

use Effect::{Only, Plan, Replaced, Same};

// The numbers that Marathon ends with: those who start it know them.
const LEADERSHIP_LOST: u8 = 103;
const LEADERSHIP_FAILED: u8 = 104;
const LEADERSHIP_GIVEN_UP: u8 = 105;
const UNEXPECTED: u8 = 107;
const FRAMEWORK_REMOVED: u8 = 110;
const ADDRESS_IN_USE: u8 = 111;
const BAD_FLAG: u8 = 112;

const IN_POSTGRES: &str = "what is durable is in the Postgres that ATTICA_POSTGRES_URL names";
const AT_ONCE: &str = "it is done when there is a reason, not at intervals";
const CREDENTIAL: &str = "name a file that holds principal and secret in ATTICA_MASTER_CREDENTIAL_FILE";
const NO_KEYSTORE: &str = "keystores are not read: name PEM files in ATTICA_TLS_CERT_FILE and ATTICA_TLS_KEY_FILE";
const ONE_PORT: &str = "there is one port, --http_port; it speaks TLS once ATTICA_TLS_CERT_FILE names a certificate";
const PULLED: &str = "metrics are not sent anywhere: they are read from /metrics and /metrics/prometheus";
const NO_ACTORS: &str = "there is one engine with one queue, and no actor in it";
const RESERVOIRS: &str = "durations are kept to an hour and to two digits, for half a minute to a minute";

/// Every flag that Marathon documents. One that the role has meanwhile got itself does its job whatever is written here.
pub static FLAGS: [Flag; 145] = [
    // Who it is, and whom it speaks to.
    value("master", Plan),
    value("framework_name", Same),
    value("failover_timeout", Same),
    value("mesos_role", Same),
    value("mesos_user", Same),
    switch("checkpoint", Only(&["true"], "tasks always outlive their agent's restarts and the scheduler")),
    value("executor", Only(&["", "//cmd"], "name an executor's command in the app")),
    value("mesos_leader_ui_url", Replaced("/v2/info shows the leading master")),
    switch("mesos_authentication", Replaced(CREDENTIAL)),
    value("mesos_authentication_principal", Only(&[""], CREDENTIAL)),
    value("mesos_authentication_secret", Only(&[""], CREDENTIAL)),
    value("mesos_authentication_secret_file", Only(&[""], CREDENTIAL)),
    value("mesos_heartbeat_interval", Replaced("the master says how often it gives a sign of life")),
    value("mesos_heartbeat_failure_threshold", Replaced("the master says how often it gives a sign of life")),
    // Where it listens and is reached.
    value("http_address", Plan),
    value("http_port", Plan),
    value("hostname", Plan),
    value("https_address", Replaced(ONE_PORT)),
    value("https_port", Replaced(ONE_PORT)),
    switch("disable_http", Only(&["false"], ONE_PORT)),
    value("ssl_keystore_path", Only(&[""], NO_KEYSTORE)),
    value("ssl_keystore_password", Only(&[""], NO_KEYSTORE)),
    value("http_credentials", Plan),
    value("http_realm", Same),
    value("http_max_concurrent_requests", Replaced("writes that wait are limited, and beyond that answered with 503")),
    switch("http_compression", Same),
    value("access_control_allow_origin", Same),
    value("webui_url", Same),
    value("assets_path", Only(&[""], "the console is part of the program")),
    value("leader_proxy_connection_timeout", Replaced("a standby's call to the leader ends with the client's")),
    value("leader_proxy_read_timeout", Replaced("a standby's call to the leader ends with the client's")),
    value("leader_proxy_max_open_connections", Replaced("a standby opens as many connections as its clients need")),
    switch("leader_proxy_ssl_ignore_hostname", Only(&["false"], "certificates are checked")),
    value("leader_proxy_ssl_certificates", Only(&[""], NO_KEYSTORE)),
    // What is durable, and who leads.
    value("zk", Same),
    value("zk_max_versions", Plan),
    value("zk_timeout", Replaced(IN_POSTGRES)),
    value("zk_connection_timeout", Replaced(IN_POSTGRES)),
    value("zk_session_timeout", Same),
    value("zk_max_node_size", Replaced(IN_POSTGRES)),
    switch("zk_compression", Replaced(IN_POSTGRES)),
    value("zk_compression_threshold", Replaced(IN_POSTGRES)),
    value("internal_store_backend", Only(&["zk"], IN_POSTGRES)),
    value(
        "leader_election_backend",
        Only(&["curator"], "candidates stand where Curator's do, or without --zk in Postgres"),
    ),
    switch("store_cache", Replaced(IN_POSTGRES)),
    switch("ha", Replaced("as many processes as share a Postgres may stand by for each other")),
    value("on_elected_prepare_timeout", Replaced("a new leader waits for Postgres as long as it takes")),
    value(
        "backup_location",
        Only(&[""], "each request for a backup names its file: ATTICA_BACKUP_DIRECTORY says where these may be"),
    ),
    value("storage_execution_context_size", Replaced(IN_POSTGRES)),
    value("storage_compaction_interval", Replaced(IN_POSTGRES)),
    value("storage_compaction_scan_batch_size", Replaced(IN_POSTGRES)),
    value("zk_max_concurrency", Replaced(IN_POSTGRES)),
    value("zk_operation_base_retry_sleep_ms", Replaced(IN_POSTGRES)),
    value("zk_operation_max_retries", Replaced(IN_POSTGRES)),
    value("versioning_max_parallelism", Replaced(IN_POSTGRES)),
    value("group_versions_cache_size", Replaced(IN_POSTGRES)),
    switch("internal_version_caching", Replaced(IN_POSTGRES)),
    // Apps.
    value("local_port_min", Same),
    value("local_port_max", Same),
    value("max_apps", Same),
    value("max_running_deployments", Same),
    value("default_network_name", Same),
    value("mesos_bridge_name", Only(&["mesos-bridge"], "agents say what their bridge is called: --network-name")),
    value("env_vars_prefix", Same),
    value("accepted_resource_roles_default_behavior", Same),
    value("default_accepted_resource_roles", Same),
    value("new_group_enforce_role", Same),
    value("enable_features", Replaced("what is built is always on")),
    value("deprecated_features", Replaced("old forms of requests are understood where they can be")),
    // Placing and watching tasks.
    renamed(value("max_instances_per_offer", Same), &["max_tasks_per_offer"]),
    value("max_tasks_per_offer_cycle", Replaced("every offer is used as it comes; there are no cycles")),
    value("launch_tokens", Replaced("launches are not rationed: they are committed together")),
    value("launch_token_refresh_interval", Replaced("launches are not rationed: they are committed together")),
    value("offer_matching_timeout", Replaced("matching is limited by the pairs looked at, and goes on the next turn")),
    value("min_revive_offers_interval", Same),
    value("revive_offers_repetitions", Replaced("calls reach the master in their order")),
    switch("revive_offers_for_new_apps", Only(&["true"], "a new app is looked for a place at once")),
    value("decline_offer_duration", Same),
    switch("suppress_offers", Only(&["true"], "who wants nothing is offered nothing")),
    value("task_launch_timeout", Same),
    value("task_launch_confirm_timeout", Replaced("--task_launch_timeout counts from the launch")),
    value("task_reservation_timeout", Same),
    value("reconciliation_interval", Same),
    value("reconciliation_initial_delay", Replaced("the first reconciliation follows the subscription")),
    value("scale_apps_initial_delay", Replaced(AT_ONCE)),
    value("scale_apps_interval", Replaced(AT_ONCE)),
    value("task_lost_expunge_gc", Replaced("an app's unreachableStrategy says when a lost instance is given up")),
    value("task_lost_expunge_initial_delay", Replaced(AT_ONCE)),
    value("task_lost_expunge_interval", Replaced(AT_ONCE)),
    value("max_concurrent_marathon_health_checks", Replaced("agents probe, each its own tasks")),
    value("gpu_scheduling_behavior", Same),
    switch("maintenance_mode", Only(&["true"], "nothing is launched on a machine while it is maintained")),
    value("draining_seconds", Same),
    value("graceful_shutdown_timeout", Replaced("SIGTERM hands the lead over at once")),
    value("max_parallel_offers", Replaced(NO_ACTORS)),
    value("max_queued_offers", Replaced(NO_ACTORS)),
    value("max_parallel_status_updates", Replaced(NO_ACTORS)),
    value("max_queued_status_updates", Replaced(NO_ACTORS)),
    value("max_queued_root_group_updates", Replaced(NO_ACTORS)),
    value("instance_tracker_num_parallel_loads", Replaced(NO_ACTORS)),
    value("instance_tracker_num_parallel_updates", Replaced(NO_ACTORS)),
    value("instance_tracker_update_queue_size", Replaced(NO_ACTORS)),
    value("app_info_module_execution_context_size", Replaced(NO_ACTORS)),
    value("default_info_service_execution_context_size", Replaced(NO_ACTORS)),
    value("group_manager_execution_context_size", Replaced(NO_ACTORS)),
    value("scheduler_actions_execution_context_size", Replaced(NO_ACTORS)),
    value("group_manager_request_timeout", Replaced(NO_ACTORS)),
    value("deployment_manager_request_timeout", Replaced(NO_ACTORS)),
    value("launch_queue_request_timeout", Replaced(NO_ACTORS)),
    value("task_operation_notification_timeout", Replaced(NO_ACTORS)),
    value("task_tracker_request_timeout", Replaced(NO_ACTORS)),
    value("task_update_request_timeout", Replaced(NO_ACTORS)),
    value("max_actor_startup_time", Replaced(NO_ACTORS)),
    value("kill_chunk_size", Same),
    value("killsPerBatch", Replaced("--kill_chunk_size says how many kills are in flight at once")),
    value("killBatchDuration", Replaced("--kill_chunk_size says how many kills are in flight at once")),
    value("kill_retry_timeout", Same),
    switch("mesos_offer_constraints", Replaced("offers are filtered by the service layer alone")),
    value("min_mesos_offer_constraints_update_interval", Replaced("offers are filtered by the service layer alone")),
    value(
        "event_stream_max_outstanding_messages",
        Replaced("a slow reader is cut after the time that others wait for it"),
    ),
    // Metrics, logs, plugins.
    value("metrics_name_prefix", Only(&["marathon"], "metrics have Marathon's names")),
    value("metrics", Replaced("measuring cannot be switched off")),
    switch("metrics_prometheus", Only(&["true"], "Prometheus reads /metrics/prometheus")),
    switch("metrics_statsd", Only(&["false"], PULLED)),
    value("metrics_statsd_host", Only(&[""], PULLED)),
    value("metrics_statsd_port", Only(&[""], PULLED)),
    value("metrics_statsd_transmission_interval_ms", Replaced(PULLED)),
    switch("metrics_datadog", Only(&["false"], PULLED)),
    value("metrics_datadog_host", Only(&[""], PULLED)),
    value("metrics_datadog_port", Only(&[""], PULLED)),
    value("metrics_datadog_protocol", Replaced(PULLED)),
    value("metrics_datadog_api_key", Only(&[""], PULLED)),
    value("metrics_datadog_transmission_interval_ms", Replaced(PULLED)),
    value("metrics_histogram_reservoir_highest_trackable_value", Replaced(RESERVOIRS)),
    switch("metrics_histogram_reservoir_reset_periodically", Replaced(RESERVOIRS)),
    value("metrics_histogram_reservoir_significant_digits", Replaced(RESERVOIRS)),
    value("metrics_histogram_reservoir_resetting_interval_ms", Replaced(RESERVOIRS)),
    value("metrics_histogram_reservoir_resetting_chunks", Replaced(RESERVOIRS)),
    value("logging_level", Plan),
    value("sentry", Only(&[""], "errors are told in the log")),
    value("sentry_tags", Only(&[""], "errors are told in the log")),
    value("logstash", Only(&[""], "log lines go to standard error; whoever starts this process keeps them")),
    value("plugin_dir", Only(&[""], "plugins are not loaded; what they add is built in, or not there")),
    value("plugin_conf", Only(&[""], "plugins are not loaded; what they add is built in, or not there")),
    switch("help", Plan),
];

/// What `--help` says before the flags.
const HELP: &str = "Usage: marathon --master zk://… [options]\n\nEach flag also as MARATHON_FLAG in the environment; --disable_flag turns a switch off.\n\
    ATTICA_POSTGRES_URL names the Postgres where everything durable is kept.\n";

/// Runs the service layer.
pub fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let given = match Given::read(MARATHON, &FLAGS, arguments, variables) {
        Ok(given) => given,
        Err(error) => return refuse(&error),
    };
    if given.is_true("help") {
        return translate::help(HELP, MARATHON, &FLAGS, &own_flags());
    }
    let plan = match MarathonPlan::of(&given) {
        Ok(plan) => plan,
        Err(error) => return refuse(&error),
    };
    logging::init_with(plan.log_level);
    for note in &plan.notes {
        tracing::info!("{note}");
    }
    let outcome = crate::block_on(async { plan.run().await.map_err(AnyError::from) });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::fatal(error.as_ref());
            ExitCode::from(error.downcast_ref().map_or(UNEXPECTED, code))
        }
    }
}

fn code(error: &Error) -> u8 {
    match error {
        Error::Listen { .. } => ADDRESS_IN_USE,
        Error::PortRange { .. }
        | Error::Tls(_)
        | Error::Credential(_)
        | Error::SecretsKey(_)
        | Error::Admin(_)
        | Error::ReadyFile(_)
        | Error::ZooKeeper(_) => BAD_FLAG,
        Error::Leader(LeaderError::Deposed | LeaderError::Writer(_)) => LEADERSHIP_LOST,
        Error::Leader(LeaderError::Refused { .. }) => FRAMEWORK_REMOVED,
        Error::Leader(
            LeaderError::Load(_)
            | LeaderError::SecretsKey { .. }
            | LeaderError::Thread(_)
            | LeaderError::EngineEnded
            | LeaderError::DeliveryEnded,
        ) => LEADERSHIP_FAILED,
        Error::Abdicated => LEADERSHIP_GIVEN_UP,
        Error::Migration(_) | Error::Election(_) | Error::ServerEnded => UNEXPECTED,
    }
}

fn refuse(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ExitCode {
    logging::fatal(error);
    ExitCode::from(BAD_FLAG)
}

//! `mesos-master`: its documented flags, and what each means here.

use std::process::ExitCode;

use super::flags::{Effect, Flag, Given, MESOS, path, renamed, switch, value};
use super::master_plan::{MasterPlan, PlanError, own_flags};
use super::{ssl, translate};
use crate::{AnyError, logging};

use Effect::{Only, Plan, Replaced, Same};

/// Its reason is the same for everything that is loaded into the process.
pub const NO_MODULES: &str = "shared libraries are not loaded; what modules add is built in, or not there";

/// Every flag that Mesos documents for its master. One that the master has meanwhile got itself does its job whatever is written here.
pub static FLAGS: [Flag; 77] = [
    // Where it listens and is reached.
    value("ip", Plan),
    value("port", Plan),
    value("advertise_ip", Plan),
    value("advertise_port", Plan),
    value("ip_discovery_command", Only(&[""], "the address is told with --ip")),
    value("hostname", Same),
    switch("hostname_lookup", Plan),
    // What is durable, and who leads.
    value("work_dir", Plan),
    value("registry", Same),
    value("quorum", Replaced("what masters must not forget is in Postgres, which needs no majority of masters")),
    value("zk", Same),
    value("zk_session_timeout", Same),
    switch("log_auto_initialize", Replaced("Postgres takes the place of the replicated log and is set up by itself")),
    switch("registry_strict", Only(&["false"], "it was experimental in Mesos")),
    value("registry_fetch_timeout", Replaced("a master that wins waits for Postgres as long as it takes")),
    value("registry_store_timeout", Replaced("writes wait for Postgres; meanwhile calls are answered with 503")),
    value("registry_gc_interval", Replaced("what is too old is forgotten at the moment it is")),
    value("registry_max_agent_age", Same),
    value("registry_max_agent_count", Same),
    value("master_contender", Only(&[""], NO_MODULES)),
    value("master_detector", Only(&[""], NO_MODULES)),
    // Agents.
    renamed(value("agent_ping_timeout", Same), &["slave_ping_timeout"]),
    renamed(value("max_agent_ping_timeouts", Same), &["max_slave_ping_timeouts"]),
    renamed(value("agent_reregister_timeout", Same), &["slave_reregister_timeout"]),
    renamed(value("agent_removal_rate_limit", Same), &["slave_removal_rate_limit"]),
    renamed(
        value(
            "recovery_agent_removal_limit",
            Only(&["100%"], "agents that do not come back are limited by --agent_removal_rate_limit"),
        ),
        &["recovery_slave_removal_limit"],
    ),
    value("whitelist", Only(&["", "*"], "agents are kept out by what they must show to register")),
    value("domain", Same),
    switch("require_agent_domain", Same),
    // Offers.
    value("allocator", Only(&["hierarchical", "HierarchicalDRF"], NO_MODULES)),
    value("allocation_interval", Replaced("resources are offered at once when they become free, not at intervals")),
    value("allocator_agent_recovery_factor", Replaced("agents that are not back yet are counted as they were left")),
    value("allocator_recovery_timeout", Replaced("agents that are not back yet are counted as they were left")),
    renamed(value("role_sorter", Plan), &["user_sorter"]),
    value("framework_sorter", Plan),
    value("fair_sharing_excluded_resource_names", Same),
    switch("filter_gpu_resources", Same),
    value("min_allocatable_resources", Same),
    value("offer_timeout", Same),
    value("offer_constraints_re2_max_mem", Replaced("patterns are bounded by the length of their text")),
    value("offer_constraints_re2_max_program_size", Replaced("patterns are bounded by the length of their text")),
    value("roles", Same),
    value("weights", Same),
    value("rate_limits", Only(&[""], "Mesos itself did not apply them to frameworks that speak HTTP")),
    switch("root_submissions", Only(&["true"], "whose tasks may run as root is not decided here")),
    // Who may do what.
    path("acls", Same),
    path("credentials", Same),
    renamed(
        switch("authenticate_frameworks", Replaced("the old driver protocol, which it is about, is not spoken")),
        &["authenticate"],
    ),
    renamed(switch("authenticate_agents", Same), &["authenticate_slaves"]),
    switch("authenticate_http_frameworks", Same),
    switch("authenticate_http_readonly", Same),
    renamed(switch("authenticate_http_readwrite", Same), &["authenticate_http"]),
    value("authentication_v0_timeout", Replaced("the old driver protocol, which it is about, is not spoken")),
    value("authenticators", Only(&["crammd5"], NO_MODULES)),
    value("authorizers", Only(&["local"], NO_MODULES)),
    value("http_authenticators", Only(&["basic"], NO_MODULES)),
    value("http_framework_authenticators", Only(&["", "basic"], NO_MODULES)),
    // What is shown.
    value("cluster", Same),
    value("max_completed_frameworks", Same),
    value("max_completed_tasks_per_framework", Same),
    value("max_unreachable_tasks_per_framework", Replaced("unreachable tasks are kept until their agent is forgotten")),
    value("max_operator_event_stream_subscribers", Same),
    switch("publish_per_framework_metrics", Same),
    value("webui_dir", Replaced("the console is part of the program, at the service layer's /ui/")),
    // The process.
    value("log_dir", Replaced("log lines go to standard error; whoever starts this process keeps them")),
    value("external_log_file", Same),
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
const HELP: &str = "Usage: mesos-master [options]\n\nEach flag also as MESOS_FLAG=value in the environment; file:///path stands for what a file holds.\n\
    ATTICA_POSTGRES_URL names the Postgres where everything durable is kept [default: a private one in --work_dir].\n\
    LIBPROCESS_SSL_ENABLED and its kin mean what they mean to Mesos.\n";

/// Runs the daemon.
pub fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
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
    let plan = match MasterPlan::of(&given, encryption) {
        Ok(plan) => plan,
        Err(PlanError::Flag(error)) => return refuse(&error),
        Err(PlanError::Value(error)) => error.exit(),
    };
    logging::init_with(plan.log_level);
    for note in &plan.notes {
        tracing::info!("{note}");
    }
    let outcome: Result<(), AnyError> = crate::block_on(plan.run());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::fatal(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

pub fn refuse(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ExitCode {
    logging::fatal(error);
    ExitCode::FAILURE
}

#[allow(clippy::print_stdout, reason = "what was asked for goes to standard output")]
pub fn version() -> ExitCode {
    println!("mesos {} (attica {})", attica_core::master::MESOS_VERSION, env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

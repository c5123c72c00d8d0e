//! From the flags of `mesos-agent` to the arguments of our agent.

use std::net::{IpAddr, ToSocketAddrs};

use attica_core_api::parse_duration;
use clap::{Args as _, Command, FromArgMatches as _};
use tracing::level_filters::LevelFilter;

use super::flags::{FlagError, Given};
use super::master_plan::{PlanError, log_level, parsed};
use super::mesos_agent::FLAGS;
use super::ssl::Encryption;
use super::translate::Translation;

/// Mesos's names for what our agent takes in milliseconds.
const DURATIONS: [(&str, &str); 5] = [
    ("container_disk_watch_interval", "container-disk-watch-interval-ms"),
    ("container_ports_watch_interval", "container-ports-watch-interval-ms"),
    ("executor_registration_timeout", "executor-registration-timeout-ms"),
    ("executor_reregistration_timeout", "executor-reregistration-timeout-ms"),
    ("executor_shutdown_grace_period", "executor-shutdown-grace-ms"),
];

/// How the agent is to be started.
#[derive(Debug)]
pub struct AgentPlan {
    pub args: attica_agent::Args,
    pub log_level: LevelFilter,
    /// One line for each flag that something else takes the place of.
    pub notes: Vec<String>,
}

impl AgentPlan {
    /// Takes every flag into account.
    pub fn of(given: &Given, encryption: Encryption) -> Result<AgentPlan, PlanError> {
        let command = own_flags().no_binary_name(true);
        let Encryption { arguments, notes } = encryption;
        let mut translation = Translation { arguments, notes };
        translation.take(&FLAGS, given, &command)?;
        let Translation { mut arguments, notes } = translation;
        for needed in ["master", "work_dir"] {
            if given.get(needed).is_none() {
                return Err(FlagError::NoValue(needed).into());
            }
        }
        arguments.extend(place(given)?);
        if given.get("container_logger").is_none() {
            // Unlike our own agent, Mesos's keeps all that tasks write unless it is told otherwise.
            arguments.push("--container-logger=org_apache_mesos_SandboxContainerLogger".to_owned());
        }
        for (name, own) in DURATIONS {
            let Some(text) = given.get(name) else { continue };
            let reason = "expected a duration like 500ms, 15secs, 10mins, 2hrs or 1days";
            let refused = || FlagError::Refused { name, value: text.to_owned(), reason };
            arguments.push(format!("--{own}={}", milliseconds(text).ok_or_else(refused)?));
        }
        let matches = command.try_get_matches_from(arguments)?;
        let args = attica_agent::Args::from_arg_matches(&matches)?;
        Ok(AgentPlan { args, log_level: log_level(given)?, notes })
    }
}

/// The flags of our own agent.
pub fn own_flags() -> Command {
    attica_agent::Args::augment_args(Command::new("mesos-agent"))
}

/// Where it is reached: as Mesos does, at the address that the machine's name stands for, unless one is given.
fn place(given: &Given) -> Result<Vec<String>, FlagError> {
    let ip = parsed::<IpAddr>(given, "ip", "it is not an IP address")?.filter(|ip| !ip.is_unspecified());
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let addresses = name.as_deref().and_then(|name| (name, 0).to_socket_addrs().ok());
    let own: Vec<IpAddr> = addresses.into_iter().flatten().map(|address| address.ip()).collect();
    let reached = ip.or_else(|| own.first().copied());
    let mut arguments: Vec<String> = reached.iter().map(|ip| format!("--ip={ip}")).collect();
    let wants_name = given.get("hostname").is_none() && given.get("hostname_lookup") != Some("false");
    if let Some(name) = name.filter(|_| wants_name && reached.is_some_and(|ip| own.contains(&ip))) {
        arguments.push(format!("--hostname={name}"));
    }
    Ok(arguments)
}

/// Of a duration in Mesos's syntax, as `1.5mins`.
fn milliseconds(text: &str) -> Option<u64> {
    u64::try_from(parse_duration(text).ok()?.as_millis()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on stops, and says what it skipped")]
mod tests {
    use super::*;
    use crate::drop_in::flags::{Effect, MESOS, find};
    use crate::drop_in::translate::known;

    fn plan(arguments: &[&str]) -> Result<AgentPlan, PlanError> {
        let needed = ["--master=127.0.0.1:5050", "--work_dir=/var/lib/mesos"];
        let arguments = needed.iter().chain(arguments).map(|argument| (*argument).to_owned());
        AgentPlan::of(&Given::read(MESOS, &FLAGS, arguments, [])?, Encryption::default())
    }

    #[test]
    fn every_flag_of_the_list_is_there_once_and_means_something() {
        for (index, flag) in FLAGS.iter().enumerate() {
            assert!(FLAGS[..index].iter().all(|other| other.name != flag.name), "--{} is in the list twice", flag.name);
            match flag.effect {
                Effect::Same => assert!(known(&own_flags(), flag.name).is_some(), "the agent has no --{}", flag.name),
                Effect::Plan | Effect::Replaced(_) | Effect::Only(..) => {}
            }
        }
    }

    /// A script that writes out what a real agent runs with, most of which is Mesos's default.
    #[test]
    fn what_a_real_agent_was_started_with_is_understood_flag_by_flag() {
        let default = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
        let shared = std::env::var_os("ATTICA_SHARED").map_or_else(default, std::path::PathBuf::from);
        let Ok(text) = std::fs::read_to_string(shared.join("data/mesos/agent-flags.json")) else {
            println!("skipped: {} is not there (set ATTICA_SHARED)", shared.display());
            return;
        };
        let recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut all = Vec::new();
        for (name, value) in recorded["flags"].as_object().unwrap() {
            assert!(find(&FLAGS, name).is_some(), "--{name} is not known");
            let argument = format!("--{name}={}", value.as_str().unwrap());
            if let Err(error) = plan(&[&argument]) {
                panic!("{argument}: {error}");
            }
            all.push(argument);
        }
        let plan = plan(&all.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!((plan.args.port, plan.args.executor_reregistration_timeout_ms), (5051, 2_000));
        assert!(plan.notes.iter().all(|note| note.contains(" is accepted: ")), "{:?}", plan.notes);
    }

    #[test]
    fn a_usual_command_line_is_understood() {
        let plan = plan(&[
            "--ip=127.0.0.1",
            "--port=5052",
            "--hostname=a1.example.org",
            "--resources=cpus(*):2;mem(prod):512;ports:[31000-31100]",
            "--attributes=rack:r1",
            "--executor_registration_timeout=1.5mins",
            "--executor_shutdown_grace_period=500ms",
            "--gc_delay=2days",
            "--no-switch_user",
            "--no-systemd_enable_support",
            "--isolation=cgroups/cpu,cgroups/mem",
            "--containerizers=mesos",
            "--enforce_container_ports",
            "--container_ports_watch_interval=20secs",
            r#"--executor_environment_variables={"LANG": "C"}"#,
            r#"--default_container_info={"type": "MESOS", "hostname": "h"}"#,
            r#"--default_container_dns={"mesos": [{"network_mode": "CNI", "dns": {"nameservers": ["192.0.2.1"]}}]}"#,
        ])
        .unwrap();
        let container = plan.args.default_container_info.as_ref();
        assert_eq!(container.and_then(|container| container.hostname.as_deref()), Some("h"));
        assert_eq!((plan.args.ip.to_string().as_str(), plan.args.port), ("127.0.0.1", 5052));
        assert_eq!(plan.args.hostname.as_deref(), Some("a1.example.org"));
        assert_eq!(plan.args.executor_registration_timeout_ms, 90_000);
        assert_eq!(plan.args.executor_shutdown_grace_ms, 500);
        assert_eq!(plan.args.gc_delay.0, 2 * 86_400_000);
        assert_eq!(plan.args.switch_user, Some(false));
        assert_eq!(plan.args.isolation, "cgroups/cpu,cgroups/mem");
        assert_eq!((plan.args.container_ports_watch_interval_ms, plan.args.enforce_container_ports), (20_000, true));
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (argument, says) in [
            ("--modules=x", "--modules=x is refused"),
            ("--recover=cleanup", "--recover=cleanup is refused"),
            ("--containerizers=podman", "docker"),
            ("--executor_registration_timeout=5", "expected a duration"),
            ("--ip=here", "--ip=here is refused"),
            ("--reconfiguration_policy=any", "additive"),
            ("--wrok_dir=x", "there is no flag --wrok_dir"),
            ("--gc_delay=soon", "soon"),
            (r#"--default_container_dns={"mesos": [{"network_mode": "HOST", "dns": {}}]}"#, "HOST"),
        ] {
            let error = plan(&[argument]).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{argument}: {error}");
        }
        let nowhere =
            AgentPlan::of(&Given::read(MESOS, &FLAGS, ["--master=a:1".to_owned()], []).unwrap(), Encryption::default());
        assert_eq!(nowhere.map(|_| ()).unwrap_err().to_string(), "--work_dir needs a value: --work_dir=VALUE");
    }
}

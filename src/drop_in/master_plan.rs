//! From the flags of `mesos-master` to the arguments of our master.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use attica_core::master;
use clap::{Args as _, Command, FromArgMatches as _};
use thiserror::Error;
use tracing::level_filters::LevelFilter;

use super::flags::{FlagError, Given};
use super::mesos_master::FLAGS;
use super::ssl::Encryption;
use super::translate::Translation;
use crate::up::PrivateDatabase;
use crate::{AnyError, logging, terminated};

/// Mesos's own.
const PORT_DEFAULT: u16 = 5050;
/// Where the database is, which no flag of Mesos could say.
const POSTGRES_VARIABLE: &str = "ATTICA_POSTGRES_URL";

/// How the master is to be started.
#[derive(Debug)]
pub struct MasterPlan {
    args: master::Args,
    /// Where to keep a Postgres of our own, when none is named.
    private_postgres: Option<PathBuf>,
    pub log_level: LevelFilter,
    /// One line for each flag that something else takes the place of.
    pub notes: Vec<String>,
}

#[derive(Debug, Error)]
pub enum PlanError {
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A flag of ours does not like its value.
    #[error(transparent)]
    Value(#[from] clap::Error),
}

impl MasterPlan {
    /// Takes every flag into account.
    pub fn of(given: &Given, encryption: Encryption) -> Result<MasterPlan, PlanError> {
        let command = own_flags().no_binary_name(true);
        let Encryption { arguments, notes } = encryption;
        let mut translation = Translation { arguments, notes };
        translation.take(&FLAGS, given, &command)?;
        let Translation { mut arguments, notes } = translation;
        arguments.extend(place(given)?);
        arguments.extend(policy(given)?);
        let private_postgres = private_postgres(given)?;
        let matches = command.try_get_matches_from(arguments)?;
        let args = master::Args::from_arg_matches(&matches)?;
        Ok(MasterPlan { args, private_postgres, log_level: log_level(given)?, notes })
    }

    /// Runs the master until SIGTERM or SIGINT.
    pub async fn run(mut self) -> Result<(), AnyError> {
        self.args.log_control = logging::control();
        let Some(directory) = self.private_postgres else { return Ok(master::run(self.args, terminated()).await?) };
        tracing::info!("what is durable is kept in a private Postgres in {}", directory.display());
        let database = PrivateDatabase::start_private(directory).await?;
        self.args.postgres_url = Some(database.url().parse()?);
        let outcome = master::run(self.args, terminated()).await;
        database.stop().await;
        Ok(outcome?)
    }
}

/// The flags of our own master.
pub fn own_flags() -> Command {
    master::Args::augment_args(Command::new("mesos-master"))
}

/// Where it listens and is reached.
fn place(given: &Given) -> Result<Vec<String>, FlagError> {
    let ip = parsed::<IpAddr>(given, "ip", "it is not an IP address")?.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let port = parsed(given, "port", "it is not a port")?.unwrap_or(PORT_DEFAULT);
    let advertised_ip = parsed::<IpAddr>(given, "advertise_ip", "it is not an IP address")?;
    let advertised_port = parsed::<u16>(given, "advertise_port", "it is not a port")?;
    let mut arguments = vec![format!("--listen={}", SocketAddr::new(ip, port))];
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let addresses =
        |name: &str| (name, port).to_socket_addrs().map(|found| found.map(|found| found.ip()).collect::<Vec<_>>());
    let own = name.as_deref().and_then(|name| addresses(name).ok()).unwrap_or_default();
    let reached = advertised_ip.or(Some(ip).filter(|ip| !ip.is_unspecified())).or_else(|| own.first().copied());
    let reached = reached.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if ip.is_unspecified() || advertised_ip.is_some() || advertised_port.is_some() {
        let address = SocketAddr::new(reached, advertised_port.unwrap_or(port));
        arguments.push(format!("--advertise={address}"));
    }
    let wants_name = given.get("hostname").is_none() && given.get("hostname_lookup") != Some("false");
    if let Some(name) = name.filter(|_| wants_name && own.contains(&reached)) {
        arguments.push(format!("--hostname={name}"));
    }
    Ok(arguments)
}

/// Both sorters together choose the policy.
fn policy(given: &Given) -> Result<Option<String>, FlagError> {
    let sorter = |name| given.get(name).unwrap_or("drf");
    for name in ["role_sorter", "framework_sorter"] {
        if !["drf", "random"].contains(&sorter(name)) {
            let (value, reason) = (sorter(name).to_owned(), "expected drf or random");
            return Err(FlagError::Refused { name, value, reason });
        }
    }
    let (roles, frameworks) = (sorter("role_sorter"), sorter("framework_sorter"));
    if roles != frameworks {
        let reason =
            "roles and the frameworks of a role are sorted alike: set --role_sorter and --framework_sorter to the same";
        return Err(FlagError::Refused { name: "role_sorter", value: roles.to_owned(), reason });
    }
    Ok((roles == "random").then(|| "--allocator-policy=fair-random".to_owned()))
}

pub fn parsed<T: std::str::FromStr>(
    given: &Given,
    name: &'static str,
    reason: &'static str,
) -> Result<Option<T>, FlagError> {
    let parse = |text: &str| text.parse().map_err(|_| FlagError::Refused { name, value: text.to_owned(), reason });
    given.get(name).map(parse).transpose()
}

/// Mesos keeps its registry below `--work_dir`; so do we, unless a database is named that all masters share.
fn private_postgres(given: &Given) -> Result<Option<PathBuf>, FlagError> {
    let in_memory = given.get("registry") == Some("in_memory");
    if in_memory || std::env::var_os(POSTGRES_VARIABLE).is_some() {
        return Ok(None);
    }
    if let Some(value) = given.get("zk") {
        let reason = "masters that are elected share one Postgres: name it in ATTICA_POSTGRES_URL";
        return Err(FlagError::Refused { name: "zk", value: without_password(value), reason });
    }
    let Some(directory) = given.get("work_dir") else {
        return Err(FlagError::NoValue("work_dir"));
    };
    Ok(Some(PathBuf::from(directory).join("postgres")))
}

fn without_password(zk: &str) -> String {
    zk.rsplit_once('@').map_or_else(|| zk.to_owned(), |(_, rest)| format!("zk://…@{rest}"))
}

pub fn log_level(given: &Given) -> Result<LevelFilter, FlagError> {
    if given.is_true("quiet") {
        return Ok(LevelFilter::OFF);
    }
    match given.get("logging_level") {
        None | Some("INFO") => Ok(LevelFilter::INFO),
        Some("WARNING") => Ok(LevelFilter::WARN),
        Some("ERROR") => Ok(LevelFilter::ERROR),
        Some(other) => {
            let reason = "expected INFO, WARNING or ERROR";
            Err(FlagError::Refused { name: "logging_level", value: other.to_owned(), reason })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
mod tests {
    use super::*;
    use crate::drop_in::flags::{Effect, Kind, MESOS};
    use crate::drop_in::translate::known;

    fn plan(arguments: &[&str]) -> Result<MasterPlan, PlanError> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        MasterPlan::of(&Given::read(MESOS, &FLAGS, arguments, [])?, Encryption::default())
    }

    #[test]
    fn every_flag_of_the_list_is_there_once_and_means_something() {
        for (index, flag) in FLAGS.iter().enumerate() {
            let names = || std::iter::once(&flag.name).chain(flag.aliases);
            let twice = FLAGS[..index]
                .iter()
                .any(|other| names().any(|name| other.name == *name || other.aliases.contains(name)));
            assert!(!twice, "--{} is in the list twice", flag.name);
            match flag.effect {
                Effect::Same => assert!(known(&own_flags(), flag.name).is_some(), "the master has no --{}", flag.name),
                Effect::Plan | Effect::Replaced(_) => {}
                // The value that Mesos has by default must do: scripts write it out.
                Effect::Only(values, _) => assert!(!values.is_empty() || flag.kind == Kind::Value, "--{}", flag.name),
            }
        }
    }

    #[test]
    fn a_usual_command_line_is_understood() {
        let directory = tempfile::tempdir().unwrap();
        let work_dir = format!("--work_dir={}", directory.path().display());
        let plan = plan(&[
            "--ip=127.0.0.1",
            "--port=5055",
            "--hostname=m1.example.org",
            "--cluster=test",
            "--quorum=2",
            "--agent_ping_timeout=15secs",
            "--slave_removal_rate_limit=1/10mins",
            "--offer_timeout=1.5mins",
            "--allocation_interval=500ms",
            "--log_dir=/var/log/mesos",
            "--no-authenticate_agents",
            "--authenticate=false",
            "--registry=replicated_log",
            "--authenticate_http_frameworks",
            "--credentials=file:///etc/mesos/credentials",
            "--acls=/etc/mesos/acls",
            &work_dir,
        ])
        .unwrap();
        assert_eq!(plan.args.listen.to_string(), "127.0.0.1:5055");
        assert_eq!(plan.args.hostname.as_deref(), Some("m1.example.org"));
        let security = &plan.args.security;
        assert!(security.authenticate_http_frameworks && !security.authenticate_agents);
        assert_eq!(security.credentials, Some(PathBuf::from("/etc/mesos/credentials")));
        assert_eq!(
            security.acls.as_ref().map(|acls| format!("{acls:?}")),
            Some(r#"File("/etc/mesos/acls")"#.to_owned())
        );
        assert_eq!(plan.args.offer_timeout.to_string(), "90secs");
        assert_eq!((plan.args.agent_removal_rate_limit.count, plan.args.agent_ping_timeout.0), (1, 15_000));
        assert_eq!(plan.private_postgres, Some(directory.path().join("postgres")));
        assert_eq!(
            plan.notes.len(),
            3 + usize::from(plan.notes.iter().any(|note| note.contains("allocation_interval"))),
            "{:?}",
            plan.notes
        );
        assert!(plan.notes.iter().any(|note| note.starts_with("--quorum is accepted: ")), "{:?}", plan.notes);
    }

    #[test]
    fn every_address_of_the_machine_is_made_one_to_come_to() {
        let plan = plan(&["--registry=in_memory", "--advertise_ip=10.1.2.3", "--advertise_port=80"]).unwrap();
        assert_eq!(plan.args.listen.to_string(), "0.0.0.0:5050");
        assert_eq!(plan.args.advertise.map(|address| address.to_string()).as_deref(), Some("10.1.2.3:80"));
        assert_eq!(plan.private_postgres, None, "nothing is kept");
    }

    #[test]
    fn both_sorters_choose_the_policy() {
        let flags = ["--registry=in_memory", "--user_sorter=random", "--framework_sorter=random"];
        assert_eq!(plan(&flags).unwrap().args.allocator_policy, master::AllocatorPolicy::FairRandom);
        let flags = ["--registry=in_memory", "--no-filter_gpu_resources", "--role_sorter=drf"];
        let plan = plan(&flags).unwrap();
        assert_eq!(plan.args.allocator_policy, master::AllocatorPolicy::Fair);
        assert!(!plan.args.filter_gpu_resources);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (arguments, says) in [
            (&["--registry=in_memory", "--modules=x"][..], "--modules=x is refused"),
            (&["--registry=in_memory", "--ip=here"], "--ip=here is refused"),
            (&["--registry=in_memory", "--role_sorter=random"], "--role_sorter=random is refused"),
            (&["--registry=in_memory", "--framework_sorter=lot"], "expected drf or random"),
            (&["--registry=in_memory", "--logging_level=FATAL"], "expected INFO"),
            (&["--registry=in_memory", "--offer_timeout=5"], "expected a duration"),
            (&["--registry=elsewhere", "--work_dir=/tmp"], "in_memory"),
            (&["--zk=zk://me:secret@a/mesos", "--work_dir=/tmp"], "ATTICA_POSTGRES_URL"),
            (&["--port=5050"], "--work_dir needs a value"),
        ] {
            let error = plan(arguments).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{arguments:?}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

//! From the flags of Marathon to the arguments of our service layer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use attica_core_api::auth::{Credential, SecretText};
use clap::{Args as _, Command, FromArgMatches as _};
use thiserror::Error;
use tracing::level_filters::LevelFilter;

use super::flags::{FlagError, Given};
use super::marathon::FLAGS;
use super::master_plan::parsed;
use super::translate::Translation;
use crate::{logging, terminated};

/// Where Marathon listens unless told otherwise.
const PORT_DEFAULT: u16 = 8080;

/// How the service layer is to be started.
#[derive(Debug)]
pub struct MarathonPlan {
    args: attica_paas::Args,
    pub log_level: LevelFilter,
    /// One line for each flag that something else takes the place of.
    pub notes: Vec<String>,
}

#[derive(Debug, Error)]
pub enum PlanError {
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A flag of ours does not like its value, or is missing.
    #[error("{}", .0.to_string().trim_start_matches("error: ").trim_end())]
    Value(#[from] clap::Error),
    #[error(
        "ATTICA_POSTGRES_URL is not set: it names the Postgres where everything durable is kept; --zk is for the election alone"
    )]
    NoDatabase,
}

impl MarathonPlan {
    /// Takes every flag into account. Where the database is, the environment says.
    pub fn of(given: &Given) -> Result<MarathonPlan, PlanError> {
        let database = std::env::var("ATTICA_POSTGRES_URL").ok().filter(|url| !url.is_empty());
        MarathonPlan::with(given, &database.ok_or(PlanError::NoDatabase)?)
    }

    fn with(given: &Given, database: &str) -> Result<MarathonPlan, PlanError> {
        let command = own_flags().no_binary_name(true);
        let mut translation = Translation::default();
        translation.take(&FLAGS, given, &command)?;
        let Translation { mut arguments, notes } = translation;
        let Some(master) = given.get("master") else { return Err(FlagError::NoValue("master").into()) };
        arguments.push(format!("--master={}", masters(master)));
        arguments.push(format!("--postgres-url={database}"));
        arguments.extend(place(given)?);
        arguments.extend(given.get("zk_max_versions").map(|number| format!("--max-versions={number}")));
        let matches = command.try_get_matches_from(arguments)?;
        let mut args = attica_paas::Args::from_arg_matches(&matches)?;
        if let Some(credential) = credential(given)? {
            args.require_sign_in = true;
            args.admin_credential = Some(credential);
        }
        Ok(MarathonPlan { args, log_level: log_level(given)?, notes })
    }

    /// Runs until SIGTERM or SIGINT.
    pub async fn run(mut self) -> Result<(), attica_paas::Error> {
        self.args.log_control = logging::control();
        attica_paas::run(self.args, attica_web::router(), terminated()).await
    }
}

/// The flags of our own service layer.
pub fn own_flags() -> Command {
    attica_paas::Args::augment_args(Command::new("marathon"))
}

/// Masters may be written as URLs.
fn masters(text: &str) -> String {
    let address = |text: &str| {
        let text = text.trim();
        let text = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or(text);
        text.trim_end_matches('/').to_owned()
    };
    match text.starts_with("zk://") {
        true => text.to_owned(),
        false => text.split(',').map(address).collect::<Vec<_>>().join(","),
    }
}

/// Where it listens and is reached: everywhere, and under the machine's name, unless told otherwise.
fn place(given: &Given) -> Result<Vec<String>, FlagError> {
    let ip = parsed::<IpAddr>(given, "http_address", "it is not an IP address")?;
    let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let port = parsed(given, "http_port", "it is not a port")?.unwrap_or(PORT_DEFAULT);
    let own = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let resolves = |name: &String| (name.as_str(), port).to_socket_addrs().is_ok();
    let name = match given.get("hostname") {
        Some(name) => Some(name.to_owned()),
        None if ip.is_unspecified() => Some(own().filter(resolves).unwrap_or_else(|| "localhost".to_owned())),
        None => None,
    };
    let listen = format!("--listen={}", SocketAddr::new(ip, port));
    Ok([listen].into_iter().chain(name.map(|name| format!("--hostname={name}"))).collect())
}

/// The one who may come in, and then do everything, where Marathon is told of one.
fn credential(given: &Given) -> Result<Option<Credential>, FlagError> {
    let Some(written) = given.get("http_credentials").filter(|written| !written.is_empty()) else { return Ok(None) };
    let pair = written.split_once(':').filter(|(name, password)| !name.is_empty() && !password.is_empty());
    // What was written may be half of a password.
    let refused =
        || FlagError::Refused { name: "http_credentials", value: "…".to_owned(), reason: "expected NAME:PASSWORD" };
    let (name, password) = pair.ok_or_else(refused)?;
    Ok(Some(Credential { principal: name.into(), secret: SecretText::new(password) }))
}

fn log_level(given: &Given) -> Result<LevelFilter, FlagError> {
    match given.get("logging_level") {
        None | Some("info") => Ok(LevelFilter::INFO),
        Some("off") => Ok(LevelFilter::OFF),
        Some("fatal" | "error") => Ok(LevelFilter::ERROR),
        Some("warn") => Ok(LevelFilter::WARN),
        Some("debug") => Ok(LevelFilter::DEBUG),
        Some("trace" | "all") => Ok(LevelFilter::TRACE),
        Some(other) => {
            let reason = "expected off, fatal, error, warn, info, debug, trace or all";
            Err(FlagError::Refused { name: "logging_level", value: other.to_owned(), reason })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
mod tests {
    use super::*;
    use crate::drop_in::flags::{Effect, MARATHON};
    use crate::drop_in::translate::known;

    fn plan(arguments: &[&str], variables: &[(&str, &str)]) -> Result<MarathonPlan, PlanError> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        MarathonPlan::with(&Given::read(MARATHON, &FLAGS, arguments, variables)?, "host=/x user=y")
    }

    #[test]
    fn every_flag_of_the_list_is_there_once_and_means_something() {
        for (index, flag) in FLAGS.iter().enumerate() {
            assert!(FLAGS[..index].iter().all(|other| other.name != flag.name), "--{} is in the list twice", flag.name);
            match flag.effect {
                Effect::Same => assert!(known(&own_flags(), flag.name).is_some(), "the role has no --{}", flag.name),
                Effect::Plan | Effect::Replaced(_) | Effect::Only(..) => {}
            }
        }
    }

    #[test]
    fn a_usual_command_line_is_understood() {
        let arguments = [
            "--master",
            "http://m1:5050/,m2:5050",
            "--zk",
            "zk://a:2181,b:2181/marathon",
            "--http_port",
            "8081",
            "--hostname=h1",
            "--disable_ha",
            "--task_launch_timeout",
            "60000",
            "--max_tasks_per_offer=5",
            "--zk_max_versions=7",
            "--max_apps=9",
            "--access_control_allow_origin=*",
            "--event_subscriber_is_none=1",
        ];
        let plan_of = |arguments: &[&str], variables: &[(&str, &str)]| plan(arguments, variables).unwrap();
        let plan = plan_of(
            &arguments[..arguments.len() - 1],
            &[("MARATHON_FRAMEWORK_NAME", "tests"), ("MARATHON_CHECKPOINT", "")],
        );
        assert_eq!(plan.args.master.to_string(), "m1:5050,m2:5050");
        assert_eq!(
            (plan.args.listen.to_string().as_str(), plan.args.hostname.as_deref()),
            ("0.0.0.0:8081", Some("h1"))
        );
        assert_eq!((plan.args.framework_name.as_str(), plan.args.max_versions), ("tests", 7));
        assert_eq!((plan.args.task_launch_timeout, plan.args.max_instances_per_offer), (60_000, 5));
        assert_eq!(
            (plan.args.max_apps, plan.args.access_control_allow_origin.as_slice()),
            (Some(9), &["*".to_owned()][..])
        );
        assert_eq!(plan.args.zk.map(|zk| zk.to_string()).as_deref(), Some("zk://a:2181,b:2181/marathon"));
        assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
    }

    #[test]
    fn its_one_user_has_to_sign_in() {
        let plan_of = |arguments: &[&str]| plan(arguments, &[]).unwrap().args;
        let open = plan_of(&["--master=m:1"]);
        assert!(!open.require_sign_in && open.admin_credential.is_none());
        let closed = plan_of(&["--master=m:1", "--http_credentials=ann:a:b", "--http_realm=Here"]);
        let credential = closed.admin_credential.unwrap();
        assert_eq!((&*credential.principal, credential.secret.expose()), ("ann", "a:b"));
        assert_eq!((closed.require_sign_in, closed.http_realm.as_str()), (true, "Here"));
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (arguments, variables, says) in [
            (&["--master=m:1", "--plugin_dir=/x"][..], &[][..], "--plugin_dir=/x is refused"),
            (&["--master=m:1", "--disable_checkpoint"], &[], "--checkpoint=false is refused"),
            (&["--master=m:1", "--http_credentials=hush"], &[], "--http_credentials=… is refused"),
            (&["--master=m:1"], &[("MARATHON_DISABLE_CHECKPOINT", "")], "--checkpoint=false is refused"),
            (&["--master=m:1", "--http_port=x"], &[], "it is not a port"),
            (&["--master=m:1", "--task_launch_timeout"], &[], "--task_launch_timeout needs a value"),
            (&["--master=m:1", "--mister=1"], &[], "there is no flag --mister"),
            (&["--master=m"], &[], "HOST:PORT"),
            (&[], &[], "--master needs a value"),
        ] {
            let error = plan(arguments, variables).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{arguments:?}: {error}");
        }
    }
}

//! What an operator sets.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use attica_allocator::{Quantities, Role, Sorting, Value};
use attica_core_api::logging::LogControl;
use attica_core_api::resources;
use attica_core_api::v1::{DomainInfo, WeightInfo, parse_domain};
use attica_core_api::zookeeper::Ensemble;
use attica_core_store::Database;

use super::duration::{Milliseconds, parse_duration};
use super::security::SecurityArgs;

/// Lead the cluster: take frameworks and agents in, hand out offers, deliver status updates.
///
/// What is also a flag of `mesos-master` is taken in that spelling too (`--offer_timeout=30secs`).
///
/// Durations are written as `500ms`, `15secs`, `10mins`, `2hrs`, `1days` or `2weeks`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The address to serve on; port 0 takes a free one
    #[arg(long, env = "ATTICA_MASTER_LISTEN", value_name = "ADDR:PORT", default_value = "127.0.0.1:5050")]
    pub listen: SocketAddr,

    /// Where everything durable is: a libpq URL or key/value string; unix sockets work
    #[arg(long, env = "ATTICA_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    pub postgres_url: Option<Database>,

    /// Whether anything is durable: postgres, or in_memory (one master, which forgets everything when it ends)
    #[arg(long, env = "MESOS_REGISTRY", value_name = "KIND", default_value = "postgres", value_parser = parse_registry)]
    pub registry: Registry,

    /// Elect the leader through this ZooKeeper, as Mesos does: zk://user:pass@host1:2181,host2:2181/path [default: through Postgres]
    #[arg(long, env = "MESOS_ZK", value_name = "URL", hide_env_values = true)]
    pub zk: Option<Ensemble>,

    /// How long a master's session with ZooKeeper outlives its last sign of life
    #[arg(long, alias = "zk_session_timeout", env = "MESOS_ZK_SESSION_TIMEOUT", value_name = "DURATION", default_value = "10secs", value_parser = parse_duration)]
    pub zk_session_timeout: Milliseconds,

    /// The HOST:PORT at which frameworks, agents and other masters reach this master [default: the listen address]
    #[arg(long, env = "ATTICA_MASTER_ADVERTISE", value_name = "HOST:PORT", value_parser = parse_advertise)]
    pub advertise: Option<Advertise>,

    /// The name shown for this master [default: the host of --advertise]
    #[arg(long, env = "MESOS_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// A name for the cluster, shown in /state
    #[arg(long, env = "MESOS_CLUSTER", value_name = "NAME")]
    pub cluster: Option<String>,

    /// Where this master stands: a DomainInfo in JSON, or a file that holds one. Agents of other regions are offered to frameworks only
    /// that say they can use them
    #[arg(long, env = "MESOS_DOMAIN", value_name = "JSON|PATH", value_parser = parse_domain)]
    pub domain: Option<DomainInfo>,

    /// Whether agents that do not say where they stand are turned away
    #[arg(long, alias = "require_agent_domain", env = "MESOS_REQUIRE_AGENT_DOMAIN", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub require_agent_domain: bool,

    /// The roles that frameworks may take, besides *, separated by commas; none or *: any
    #[arg(long, env = "MESOS_ROLES", value_name = "ROLES", default_value = "", value_parser = parse_roles)]
    pub roles: Roles,

    /// Weights of roles to begin with, as a=2,b=0.5; once there are weights in the database, those count
    #[arg(long, env = "MESOS_WEIGHTS", value_name = "ROLE=WEIGHT,…", default_value = "", value_parser = parse_weights)]
    pub weights: Weights,

    /// How often agents report
    #[arg(long, alias = "agent_ping_timeout", env = "MESOS_AGENT_PING_TIMEOUT", value_name = "DURATION", default_value = "2secs", value_parser = parse_duration)]
    pub agent_ping_timeout: Milliseconds,

    /// After how many missed reports an agent is unreachable
    #[arg(long, alias = "max_agent_ping_timeouts", env = "MESOS_MAX_AGENT_PING_TIMEOUTS", value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_agent_ping_timeouts: u32,

    /// How long agents and frameworks known from the last leader may take to come back to this one
    #[arg(long, alias = "agent_reregister_timeout", env = "MESOS_AGENT_REREGISTER_TIMEOUT", value_name = "DURATION", default_value = "10mins", value_parser = parse_duration)]
    pub agent_reregister_timeout: Milliseconds,

    /// How fast agents may be declared unreachable: N/DURATION
    #[arg(long, alias = "agent_removal_rate_limit", env = "MESOS_AGENT_REMOVAL_RATE_LIMIT", value_name = "N/DURATION", default_value = "20/20secs", value_parser = parse_rate)]
    pub agent_removal_rate_limit: Rate,

    /// How long an unreachable agent is remembered
    #[arg(long, alias = "registry_max_agent_age", env = "MESOS_REGISTRY_MAX_AGENT_AGE", value_name = "DURATION", default_value = "2weeks", value_parser = parse_duration)]
    pub registry_max_agent_age: Milliseconds,

    /// How many unreachable agents are remembered
    #[arg(
        long,
        alias = "registry_max_agent_count",
        env = "MESOS_REGISTRY_MAX_AGENT_COUNT",
        value_name = "N",
        default_value_t = 102_400
    )]
    pub registry_max_agent_count: u32,

    /// How long an offer may stay unanswered before it is rescinded
    #[arg(long, alias = "offer_timeout", env = "MESOS_OFFER_TIMEOUT", value_name = "DURATION", default_value = "30secs", value_parser = parse_duration)]
    pub offer_timeout: Milliseconds,

    /// Whose turn it is when something is free: the roles' and frameworks' with the smallest shares (fair), by lot (fair-random), or the
    /// roles with the largest weights (priority)
    #[arg(long, env = "ATTICA_ALLOCATOR_POLICY", value_name = "POLICY", default_value = "fair", value_enum)]
    pub allocator_policy: AllocatorPolicy,

    /// The least that is worth an offer: quantities that must be there together, alternatives separated by |; empty: anything
    #[arg(long, alias = "min_allocatable_resources", env = "MESOS_MIN_ALLOCATABLE_RESOURCES", value_name = "RESOURCES", default_value = "cpus:0.01|mem:32", value_parser = parse_minima)]
    pub min_allocatable_resources: Minima,

    /// Resources that do not count when shares are compared, separated by commas
    #[arg(
        long,
        alias = "fair_sharing_excluded_resource_names",
        env = "MESOS_FAIR_SHARING_EXCLUDED_RESOURCE_NAMES",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub fair_sharing_excluded_resource_names: Vec<String>,

    /// Whether agents with graphics processors are offered only to frameworks that say they can use them
    #[arg(long, alias = "filter_gpu_resources", env = "MESOS_FILTER_GPU_RESOURCES", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub filter_gpu_resources: bool,

    /// How often an idle scheduler stream carries a HEARTBEAT
    #[arg(long, env = "ATTICA_SCHEDULER_HEARTBEAT", value_name = "DURATION", default_value = "15secs", value_parser = parse_duration)]
    pub scheduler_heartbeat: Milliseconds,

    /// How many ended frameworks are kept
    #[arg(
        long,
        alias = "max_completed_frameworks",
        env = "MESOS_MAX_COMPLETED_FRAMEWORKS",
        value_name = "N",
        default_value_t = 50
    )]
    pub max_completed_frameworks: u32,

    /// How many ended tasks are kept per framework
    #[arg(
        long,
        alias = "max_completed_tasks_per_framework",
        env = "MESOS_MAX_COMPLETED_TASKS_PER_FRAMEWORK",
        value_name = "N",
        default_value_t = 1000
    )]
    pub max_completed_tasks_per_framework: u32,

    /// How many operators may watch events at the same time; of more, the oldest stream ends
    #[arg(
        long,
        alias = "max_operator_event_stream_subscribers",
        env = "MESOS_MAX_OPERATOR_EVENT_STREAM_SUBSCRIBERS",
        value_name = "N",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max_operator_event_stream_subscribers: u32,

    /// Whether the metrics tell of each framework
    #[arg(long, alias = "publish_per_framework_metrics", env = "MESOS_PUBLISH_PER_FRAMEWORK_METRICS", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub publish_per_framework_metrics: bool,

    /// The file that whoever started this master puts its log in, to be shown as /master/log
    #[arg(long, alias = "external_log_file", env = "MESOS_EXTERNAL_LOG_FILE", value_name = "PATH")]
    pub external_log_file: Option<PathBuf>,

    /// How operators change how much this process logs
    #[arg(skip)]
    pub log_control: LogControl,

    /// Who may come in, and how they may prove it
    #[command(flatten)]
    pub security: SecurityArgs,

    /// Write the bound address here, as `ip:port` and a newline, once this master answers
    #[arg(long, env = "ATTICA_MASTER_READY_FILE", value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

/// Whose turn it is when something is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AllocatorPolicy {
    /// By dominant shares.
    Fair,
    /// By lot.
    FairRandom,
    /// By weights, strictly; by dominant shares among equals.
    Priority,
}

impl AllocatorPolicy {
    /// The rules for roles, and for the frameworks of a role. `seed` is for the lots.
    pub(super) fn sorting(self, seed: u64) -> (Sorting, Sorting) {
        match self {
            Self::Fair => (Sorting::Fair, Sorting::Fair),
            Self::FairRandom => (Sorting::Random { seed }, Sorting::Random { seed: !seed }),
            Self::Priority => (Sorting::Priority, Sorting::Fair),
        }
    }
}

/// Alternatives of quantities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minima(pub Vec<Quantities>);

/// The roles that frameworks may take; `None`: any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(pub Option<BTreeSet<Role>>);

/// Weights of roles.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights(pub Vec<WeightInfo>);

/// Where a master keeps what it must not forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// In Postgres. `replicated_log`, Mesos's own, means the same here.
    Postgres,
    /// Nowhere.
    InMemory,
}

impl std::fmt::Display for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Registry::Postgres => "postgres",
            Registry::InMemory => "in_memory",
        })
    }
}

/// How others reach this master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertise {
    /// A host name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Advertise {
    /// A listening address as others see it.
    pub fn of(address: SocketAddr) -> Advertise {
        Advertise { host: address.ip().to_string(), port: address.port() }
    }
}

impl std::fmt::Display for Advertise {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// So many per interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In what time.
    pub interval: Milliseconds,
}

/// Parses `host:port`, as this flag and the `lead` row have it.
pub(super) fn parse_advertise(text: &str) -> Result<Advertise, String> {
    let expected = || format!("expected HOST:PORT, found `{text}`");
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(plain) {
        return Err(expected());
    }
    let port = port.parse().map_err(|_| expected())?;
    Ok(Advertise { host: host.to_owned(), port })
}

fn parse_registry(text: &str) -> Result<Registry, String> {
    match text {
        "postgres" | "replicated_log" => Ok(Registry::Postgres),
        "in_memory" => Ok(Registry::InMemory),
        _ => Err(format!("expected postgres (or replicated_log) or in_memory, found `{text}`")),
    }
}

fn parse_roles(text: &str) -> Result<Roles, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let roles: BTreeSet<Role> = names.map(parse_role).collect::<Result<_, _>>()?;
    let any = roles.is_empty() || roles.iter().all(|role| *role == Role::any());
    Ok(Roles((!any).then_some(roles)))
}

fn parse_weights(text: &str) -> Result<Weights, String> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let weight = |pair: &str| {
        let expected = || format!("expected ROLE=WEIGHT with a positive weight, found `{pair}`");
        let (role, weight) = pair.split_once('=').ok_or_else(expected)?;
        let weight: f64 = weight.trim().parse().ok().filter(|weight: &f64| weight.is_normal()).ok_or_else(expected)?;
        let role = parse_role(role.trim())?;
        if weight > 0.0 { Ok(WeightInfo { weight, role: Some(role.as_str().to_owned()) }) } else { Err(expected()) }
    };
    pairs.map(weight).collect::<Result<_, _>>().map(Weights)
}

fn parse_role(name: &str) -> Result<Role, String> {
    Role::new(name).map_err(|error| format!("`{name}` is not a role: {error}"))
}

fn parse_minima(text: &str) -> Result<Minima, String> {
    let alternatives = text.split('|').filter(|alternative| !alternative.trim().is_empty());
    let quantities = |alternative: &str| {
        let wire = resources::parse(alternative, &Role::any()).map_err(|error| error.to_string())?;
        let bag = resources::from_wire(&wire).map_err(|error| error.to_string())?;
        let plain = bag.iter().all(|one| one.is_plain() && matches!(one.value(), Value::Scalar(_)));
        if plain {
            Ok(bag.quantities())
        } else {
            Err(format!("expected quantities like cpus:0.01, found `{alternative}`"))
        }
    };
    alternatives.map(quantities).collect::<Result<_, _>>().map(Minima)
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    let expected = || format!("expected a number and a duration, like 1/10mins, found `{text}`");
    let (count, interval) = text.split_once('/').ok_or_else(expected)?;
    let count = count.parse().ok().filter(|count| *count > 0).ok_or_else(expected)?;
    Ok(Rate { count, interval: parse_duration(interval)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn flags_in_the_spelling_of_mesos() {
        let flags =
            ["master", "--postgres-url=host=/x user=y", "--offer_timeout=7secs", "--agent_removal_rate_limit=1/5secs"];
        let args = <Arguments as clap::Parser>::try_parse_from(flags).unwrap_or_else(|error| panic!("{error}")).args;
        assert_eq!(args.offer_timeout, Milliseconds(7_000));
        assert_eq!(args.agent_removal_rate_limit, Rate { count: 1, interval: Milliseconds(5_000) });
    }

    #[test]
    fn addresses() {
        let parsed = |text| parse_advertise(text).map(|advertise| advertise.to_string());
        assert_eq!(parsed("master.example.org:5050").as_deref(), Ok("master.example.org:5050"));
        assert_eq!(parsed("[::1]:5050").as_deref(), Ok("[::1]:5050"));
        for wrong in ["", "host", "host:", ":5050", "host:65536", "ho st:1", "host/x:1"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn least_offers() {
        let parsed =
            |text| parse_minima(text).map(|minima| minima.0.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(parsed("cpus:0.01|mem:32;disk:1"), Ok(vec!["cpus:0.01".to_owned(), "mem:32;disk:1".to_owned()]));
        assert_eq!(parsed(""), Ok(Vec::new()));
        for wrong in ["cpus", "ports:[1-2]", "cpus(a):1", "cpus:-1"] {
            assert!(parse_minima(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn roles_and_weights() {
        let roles = |text| parse_roles(text).map(|roles| roles.0.map(|roles| roles.len()));
        assert_eq!(
            (roles(""), roles("*"), roles("a, b/c"), roles("*,a")),
            (Ok(None), Ok(None), Ok(Some(2)), Ok(Some(2)))
        );
        assert!(roles("a,/b").is_err());
        let weights = |text| {
            let weights = parse_weights(text)?.0;
            Ok::<_, String>(
                weights.into_iter().map(|info| (info.role.unwrap_or_default(), info.weight)).collect::<Vec<_>>(),
            )
        };
        assert_eq!(weights("a=2,b = 0.5"), Ok(vec![("a".to_owned(), 2.0), ("b".to_owned(), 0.5)]));
        for wrong in ["a", "a=", "a=0", "a=-1", "a=inf", "=1", "../a=1"] {
            assert!(parse_weights(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates() {
        let rate = parse_rate("1/10mins").unwrap();
        assert_eq!((rate.count, rate.interval.0), (1, 600_000));
        for wrong in ["", "1", "0/1secs", "x/1secs", "1/x", "1/0secs"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }
}

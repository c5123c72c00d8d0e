//! `attica up`: a whole cluster on this machine.
//!
//! Postgres, masters, agents, service layer and load balancer are children of this process, each in its own process group, so that a Ctrl-C in
//! the terminal reaches `up` alone and everything ends in order: load balancer, paas, agents with their tasks, masters, ZooKeeper (with
//! `--zookeeper`), Postgres. A role that dies is started again. Everything that must survive lives below the data directory:
//!
//! ```text
//! .attica/lock           held while `up` runs
//! .attica/run/           one file per child: its pid and start time, for the next `up` should this one be killed
//! .attica/postgres/      the private Postgres (unless --postgres-url names another)
//! .attica/secrets.key   what secrets are sealed with: without it nobody can read them again
//! .attica/zookeeper/     three private servers of ZooKeeper (with --zookeeper)
//! .attica/agents/1/      work directory of the first agent: sandboxes, checkpoints
//! .attica/shares         what each agent offers, until an orderly stop: agents whose tasks go on must not change
//! ```

mod children;
mod data_dir;
mod machine;
mod postgres;
mod probe;
mod security;
mod zookeeper;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use attica_core_api::secrets::SealingKey;
use nix::sys::signal::Signal;
use thiserror::Error;
use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};

use crate::AnyError;
use children::{Child, Program};
use data_dir::DataDir;
use postgres::Database;
pub use postgres::Database as PrivateDatabase;
use probe::Probe;
use security::{Secured, SecurityArgs};
use zookeeper::ZooKeeper;

/// How many agents one machine takes: each wants an address, a port and a range of ports.
const MOST_AGENTS: u8 = 64;
/// How many masters one machine takes; more than one is for show, and for trying what happens when one is killed.
const MOST_MASTERS: u8 = 9;
/// The same of the service layer.
const MOST_PAAS: u8 = 9;
/// How long the roles may take until all of them answer.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a role may take to end before it is killed. Agents wait for their tasks' grace periods.
const ROLE_STOP_TIMEOUT: Duration = Duration::from_secs(10);
const AGENT_STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Start a whole cluster on this machine: Postgres, masters, agents, the service layer and a load balancer.
#[derive(clap::Args)]
pub struct Args {
    /// Where everything that must survive is kept
    #[arg(long, value_name = "DIR", default_value = ".attica", env = "ATTICA_DATA_DIR")]
    data_dir: PathBuf,
    /// How many agents to run
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_AGENTS)))]
    agents: u8,
    /// How many masters to run: one leads, the others wait
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_MASTERS)))]
    masters: u8,
    /// How many processes of the service layer to run: one leads, the others pass on to it what they are asked
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_PAAS)))]
    paas: u8,
    /// Elect the leader among the masters through ZooKeeper, three private servers of it, as Mesos does [default: through Postgres]
    #[arg(long)]
    zookeeper: bool,
    /// The role in which apps and pods use resources. Persistent volumes need another one than `*`
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// The address to listen on. On a loopback address every agent gets one of its own (127.0.0.1, .2, .3, …), which is its hostname;
    /// on any other the agents share it
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Port of the master (0: any free one). On a loopback address further masters have the same at addresses of their own, else any
    /// free one
    #[arg(long, value_name = "PORT", default_value_t = 5050)]
    master_port: u16,
    /// Port of the first agent; the others follow (0: any free ones)
    #[arg(long, value_name = "PORT", default_value_t = 5051)]
    agent_port: u16,
    /// Port of the service layer (0: any free one). On a loopback address further processes of it have the same at addresses of their
    /// own, else any free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    paas_port: u16,
    /// Port at which the load balancer takes HTTP by host name (0: any free one)
    #[arg(long, value_name = "PORT", default_value_t = 9080)]
    lb_port: u16,
    /// Port of the load balancer's statistics (0: any free one)
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    lb_stats_port: u16,
    /// Use this Postgres server instead of a private one
    #[arg(long, value_name = "URL", env = "ATTICA_POSTGRES_URL")]
    postgres_url: Option<String>,
    /// What each agent offers, as `cpus:2;mem:4096;disk:10000;ports:[31000-31999]`; ports must be left out or suit all agents
    /// [default: a fair part of this machine]
    #[arg(long, value_name = "RESOURCES")]
    agent_resources: Option<String>,
    /// Who may come in
    #[command(flatten)]
    security: SecurityArgs,
}

#[derive(Debug, Error)]
enum UpError {
    #[error("--agent-port {0}: {1} agents need as many ports in a row; choose a lower one")]
    AgentPorts(u16, u8),
    #[error("{0} is in use; stop what listens there or choose another port with {1}")]
    PortInUse(SocketAddr, &'static str),
    #[error("cannot listen on {0}; choose another address with --listen")]
    Listen(SocketAddr, #[source] std::io::Error),
    #[error("{0} did not answer within {1:?}; its log lines above say why")]
    NotReady(String, Duration),
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the cluster until SIGINT or SIGTERM, then stops everything, tasks included.
pub async fn run(args: Args) -> Result<(), AnyError> {
    let secured = args.security.start()?;
    let data_dir = Arc::new(DataDir::open(&args.data_dir)?);
    let mut stop_requested = std::pin::pin!(stop_requested()?);

    data_dir.end_leftovers().await?;
    SealingKey::make_file(&data_dir.secrets_key())?;
    let plan = Plan::new(&args, &data_dir)?;
    let database = match &args.postgres_url {
        Some(url) => Database::Given { url: url.clone() },
        None => Database::start_private(data_dir.postgres()).await?,
    };

    let zookeeper = match args.zookeeper {
        true => Some(ZooKeeper::start(&data_dir).await?),
        false => None,
    };
    let services = Services { postgres_url: database.url(), zookeeper: zookeeper.as_ref().map(ZooKeeper::urls) };
    let cluster = Cluster::start(&plan, &data_dir, &services, &secured)?;
    let outcome = tokio::select! {
        ready = cluster.ready(&plan, &secured) => match ready {
            Ok(()) => {
                announce(&plan, &secured);
                stop_requested.await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        },
        () = &mut stop_requested => Ok(()),
    };
    tracing::info!("stopping");
    cluster.stop().await;
    if let Some(zookeeper) = zookeeper {
        zookeeper.stop().await;
    }
    database.stop().await;
    outcome
}

/// Watches for SIGINT and SIGTERM from now on; the future resolves with the first.
fn stop_requested() -> Result<impl Future<Output = ()>, UpError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(UpError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(UpError::Signals)?;
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

/// The one line on standard output, and the last.
#[allow(clippy::print_stdout, reason = "standard output is where a script waits for this line")]
fn announce(plan: &Plan, secured: &Secured<'_>) {
    println!("attica is ready: {}", secured.url(plan.paas[0]));
}

/// Where every role listens, settled and taken before anything is started.
struct Plan {
    /// In which services use resources, unless it is the usual one.
    role: Option<String>,
    masters: Vec<SocketAddr>,
    paas: Vec<SocketAddr>,
    lb: SocketAddr,
    lb_statistics: SocketAddr,
    agents: Vec<AgentPlan>,
    /// Nobody else gets these addresses while a role has not begun to listen, or begins again.
    _taken: Addresses,
}

struct AgentPlan {
    address: SocketAddr,
    resources: String,
    attributes: String,
}

impl Plan {
    fn new(args: &Args, data_dir: &DataDir) -> Result<Plan, AnyError> {
        let mut taken = Addresses::default();
        let masters = taken.take_several(args.masters, args.listen, args.master_port, "--master-port")?;
        let paas = taken.take_several(args.paas, args.listen, args.paas_port, "--paas-port")?;
        let lb = taken.take(args.listen, args.lb_port, "--lb-port")?;
        let lb_statistics = taken.take(args.listen, args.lb_stats_port, "--lb-stats-port")?;
        let mut addresses = Vec::new();
        for index in 0..args.agents {
            let port = match args.agent_port {
                0 => 0,
                first => first.checked_add(u16::from(index)).ok_or(UpError::AgentPorts(first, args.agents))?,
            };
            addresses.push(taken.take(own_address(args.listen, index), port, "--agent-port")?);
        }
        let request = format!("{} agents, {}", args.agents, args.agent_resources.as_deref().unwrap_or("by default"));
        let shares = match data_dir.remembered_shares(&request) {
            Some(shares) => shares,
            None => machine::Machine::detect(&args.data_dir)?.divide(args.agents, args.agent_resources.as_deref()),
        };
        data_dir.remember_shares(&request, &shares)?;
        let agents = addresses.into_iter().zip(shares).enumerate().map(|(index, (address, resources))| AgentPlan {
            address,
            resources,
            attributes: format!("rack:rack-{};zone:zone-{}", index + 1, index % 2 + 1),
        });
        Ok(Plan { role: args.role.clone(), masters, paas, lb, lb_statistics, agents: agents.collect(), _taken: taken })
    }
}

/// On loopback every agent has an address of its own, as machines have; so has every master.
fn own_address(listen: IpAddr, index: u8) -> IpAddr {
    match listen {
        IpAddr::V4(v4) if v4.is_loopback() => IpAddr::V4(Ipv4Addr::from(u32::from(v4) + u32::from(index))),
        IpAddr::V4(_) | IpAddr::V6(_) => listen,
    }
}

/// Addresses that are kept for the roles. A socket that is bound and does not listen leaves room for one that does, and for no other.
#[derive(Default)]
struct Addresses(Vec<TcpSocket>);

impl Addresses {
    /// Takes an address for each of several alike: the same port at addresses of their own, or any where they have one address.
    fn take_several(
        &mut self,
        count: u8,
        ip: IpAddr,
        port: u16,
        flag: &'static str,
    ) -> Result<Vec<SocketAddr>, UpError> {
        let take = |index| {
            let address = own_address(ip, index);
            let port = if index > 0 && address == ip { 0 } else { port };
            self.take(address, port, flag)
        };
        (0..count).map(take).collect()
    }

    /// Takes an address; port 0 becomes one that is free.
    fn take(&mut self, ip: IpAddr, port: u16, flag: &'static str) -> Result<SocketAddr, UpError> {
        let address = SocketAddr::new(ip, port);
        let taken = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok((socket.local_addr()?, socket))
        });
        match taken {
            // It is one of this plan's, which lets others in that do not listen.
            Ok((bound, _)) if self.0.iter().any(|other| other.local_addr().is_ok_and(|other| other == bound)) => {
                Err(UpError::PortInUse(address, flag))
            }
            Ok((bound, socket)) => {
                self.0.push(socket);
                Ok(bound)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(UpError::PortInUse(address, flag)),
            Err(error) => Err(UpError::Listen(address, error)),
        }
    }
}

/// What a child is called: by its role, and by its number among several.
fn name_of(role: &str, index: usize, count: usize) -> String {
    if count == 1 { role.to_owned() } else { format!("{role}-{}", index + 1) }
}

/// What the roles rely on.
struct Services<'a> {
    postgres_url: &'a str,
    /// Where masters, and where service layers are elected, if not in Postgres.
    zookeeper: Option<(&'a str, &'a str)>,
}

/// The running roles, in the order in which they are started; they are stopped in another: see [`Cluster::stop`].
struct Cluster {
    masters: Vec<Child>,
    agents: Vec<Child>,
    paas: Vec<Child>,
    lb: Child,
}

impl Cluster {
    fn start(
        plan: &Plan,
        data_dir: &Arc<DataDir>,
        services: &Services<'_>,
        secured: &Secured<'_>,
    ) -> Result<Cluster, AnyError> {
        let Services { postgres_url, zookeeper } = *services;
        let (zookeeper_url, service_layers) = zookeeper.unzip();
        let addresses = || plan.masters.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        let detection = zookeeper_url.map_or_else(addresses, str::to_owned);
        let lb_program = Program::role("lb")
            .arg("--listen", plan.lb.ip())
            .arg("--http-port", plan.lb.port())
            .arg("--stats-port", plan.lb_statistics.port());
        let lb_program =
            plan.paas.iter().fold(lb_program, |program, paas| program.arg("--paas-url", secured.url(*paas)));
        let lb_program = secured.lb(lb_program);
        let mut agents = Vec::new();
        for (index, agent) in plan.agents.iter().enumerate() {
            let number = index + 1;
            let program = Program::role("agent")
                .arg("--ip", agent.address.ip())
                .arg("--port", agent.address.port())
                .arg("--master", &detection)
                .arg("--work-dir", data_dir.agent(number).display())
                .arg("--secrets-key-file", data_dir.secrets_key().display())
                .arg("--resources", &agent.resources)
                // Whoever tries it out serves files from this machine.
                .arg("--fetcher-allowed-networks", "127.0.0.0/8,::1/128")
                .arg("--attributes", &agent.attributes);
            agents.push(Child::spawn(format!("agent-{number}"), secured.agent(program), data_dir)?);
        }
        let mut masters = Vec::new();
        for (index, address) in plan.masters.iter().enumerate() {
            let program = Program::role("master").arg("--listen", address).secret("ATTICA_POSTGRES_URL", postgres_url);
            let program = match zookeeper_url {
                Some(url) => program.arg("--zk", url),
                None => program,
            };
            let name = name_of("master", index, plan.masters.len());
            masters.push(Child::spawn(name, secured.master(program), data_dir)?);
        }
        let mut paas = Vec::new();
        for (index, address) in plan.paas.iter().enumerate() {
            let program = Program::role("paas")
                .arg("--listen", address)
                .arg("--master", &detection)
                .arg("--secrets-key-file", data_dir.secrets_key().display())
                .secret("ATTICA_POSTGRES_URL", postgres_url);
            let program = match service_layers {
                Some(url) => program.arg("--zk", url),
                None => program,
            };
            let program = match &plan.role {
                Some(role) => program.arg("--mesos-role", role),
                None => program,
            };
            paas.push(Child::spawn(name_of("paas", index, plan.paas.len()), secured.paas(program), data_dir)?);
        }
        Ok(Cluster { masters, agents, paas, lb: Child::spawn("lb".into(), lb_program, data_dir)? })
    }

    /// Resolves once every role answers and the master knows all agents.
    async fn ready(&self, plan: &Plan, secured: &Secured<'_>) -> Result<(), UpError> {
        let probe = Probe::new(secured.proof());
        let all = async {
            for master in &plan.masters {
                probe.until_ok(*master, "/health").await;
            }
            for agent in &plan.agents {
                probe.until_ok(agent.address, "/health").await;
            }
            probe.until_agents_active(&plan.masters, plan.agents.len()).await;
            for paas in &plan.paas {
                probe.until_ok(*paas, "/ping").await;
            }
            probe.until_ok(plan.lb_statistics, "/_haproxy_health_check").await;
        };
        let timely = tokio::time::timeout(READY_TIMEOUT, all).await;
        timely.map_err(|_| UpError::NotReady("the cluster".into(), READY_TIMEOUT))
    }

    /// The paas before the agents, so that it does not replace the tasks that end next; the masters last, so that one of them commits
    /// how they ended.
    async fn stop(self) {
        self.lb.stop(Signal::SIGTERM, ROLE_STOP_TIMEOUT).await;
        let paas = self.paas.into_iter().map(|paas| paas.stop(Signal::SIGTERM, ROLE_STOP_TIMEOUT));
        futures_util::future::join_all(paas).await;
        let agents = self.agents.into_iter().map(|agent| agent.stop(Signal::SIGUSR1, AGENT_STOP_TIMEOUT));
        futures_util::future::join_all(agents).await;
        let masters = self.masters.into_iter().map(|master| master.stop(Signal::SIGTERM, ROLE_STOP_TIMEOUT));
        futures_util::future::join_all(masters).await;
    }
}

//! ZooKeeper servers of our own on loopback: for a cluster on one machine, and for tests.
//!
//! It runs Debian's package with a Java that is on the `PATH`. Everything lies in one directory: `1/`, `2/`, … with each server's
//! configuration, data and log. Ports are chosen when a server is first configured and kept from then on. Each server is its own
//! process group, ends with this value, and can be killed and started again alone.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use attica_core_api::zookeeper::{Ensemble, InvalidEnsemble};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Debian's library, which names everything else it needs.
const LIBRARY: &str = "/usr/share/java/zookeeper.jar";
/// Where Debian keeps its logging configuration.
const CONFIGURATION: &str = "/etc/zookeeper/conf";
const MAIN_CLASS: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
/// The unit of ZooKeeper's time-outs: a session lasts 2 to 20 of them.
const TICK: Duration = Duration::from_millis(500);
/// A majority elects its leader in a second or two.
const READY_LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Why there are no servers.
#[derive(Debug, thiserror::Error)]
pub enum PrivateZooKeeperError {
    /// Nothing to run.
    #[error("ZooKeeper is not installed: no {LIBRARY} (Debian: apt-get install zookeeper default-jre-headless)")]
    NotInstalled,
    /// Java could not be run.
    #[error("cannot run java (Debian: apt-get install default-jre-headless)")]
    Java(#[source] io::Error),
    /// The directory cannot be used.
    #[error("cannot write {}", path.display())]
    Directory {
        /// Where.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// No free ports.
    #[error("cannot find free ports on loopback")]
    Ports(#[source] io::Error),
    /// The servers run but do not answer.
    #[error("the servers of ZooKeeper did not find a leader within {} s; see the logs in {}", limit.as_secs(), directory.display())]
    NotReady {
        /// How long was waited.
        limit: Duration,
        /// Where the reasons may be.
        directory: PathBuf,
    },
}

/// The servers.
#[derive(Debug)]
pub struct PrivateZooKeeper {
    directory: PathBuf,
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    directory: PathBuf,
    ports: Ports,
    process: Option<Child>,
}

/// For clients, for the other servers, and for elections among them.
#[derive(Clone, Copy, Debug)]
struct Ports {
    client: u16,
    quorum: u16,
    election: u16,
}

impl PrivateZooKeeper {
    /// Starts so many servers in `directory` and waits until they answer.
    pub async fn start(directory: impl Into<PathBuf>, count: usize) -> Result<Self, PrivateZooKeeperError> {
        if !Path::new(LIBRARY).exists() {
            return Err(PrivateZooKeeperError::NotInstalled);
        }
        let directory = directory.into();
        let mut servers = Vec::new();
        for number in 1..=count {
            let directory = directory.join(number.to_string());
            create_dir(&directory)?;
            let ports = Ports::choose(&directory.join("ports"))?;
            servers.push(Server { directory, ports, process: None });
        }
        let members: Vec<Ports> = servers.iter().map(|server| server.ports).collect();
        for (number, server) in (1..).zip(&mut servers) {
            server.configure(number, &members)?;
            server.start()?;
        }
        let started = PrivateZooKeeper { directory, servers };
        started.until_ready().await?;
        Ok(started)
    }

    /// `host:port` of every server, separated by commas.
    pub fn addresses(&self) -> String {
        let servers: Vec<String> = self.servers.iter().map(|server| server.address().to_string()).collect();
        servers.join(",")
    }

    /// How clients reach the servers: `zk://…` with this path.
    pub fn ensemble(&self, path: &str) -> Result<Ensemble, InvalidEnsemble> {
        format!("zk://{}{path}", self.addresses()).parse()
    }

    /// The servers that run, by index, and their processes.
    pub fn pids(&self) -> impl Iterator<Item = (usize, u32)> {
        let process = |server: &Server| server.process.as_ref().and_then(Child::id);
        self.servers.iter().enumerate().filter_map(move |(index, server)| Some((index, process(server)?)))
    }

    /// Ends one server with SIGKILL (the first is 0).
    pub async fn kill(&mut self, index: usize) {
        if let Some(mut process) = self.servers[index].process.take() {
            let _ = process.kill().await; // it may have ended by itself
        }
    }

    /// Starts a server that was killed again.
    pub fn restart(&mut self, index: usize) -> Result<(), PrivateZooKeeperError> {
        self.servers[index].start()
    }

    /// Returns once every server that was started follows a leader or is one.
    pub async fn until_ready(&self) -> Result<(), PrivateZooKeeperError> {
        let ready = async {
            for server in self.servers.iter().filter(|server| server.process.is_some()) {
                while !server.serves().await {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        };
        tokio::time::timeout(READY_LIMIT, ready)
            .await
            .map_err(|_| PrivateZooKeeperError::NotReady { limit: READY_LIMIT, directory: self.directory.clone() })
    }

    /// Returns when a server ends by itself, which none should: its index, and how it ended.
    pub async fn ended(&mut self) -> (usize, io::Result<ExitStatus>) {
        let waits = self.servers.iter_mut().enumerate().filter_map(|(index, server)| {
            let process = server.process.as_mut()?;
            Some(Box::pin(async move { (index, process.wait().await) }))
        });
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        let ((index, status), _, _) = futures_util::future::select_all(waits).await;
        self.servers[index].process = None;
        (index, status)
    }

    /// Ends all servers.
    pub async fn stop(mut self) {
        for server in &self.servers {
            server.signal(Signal::SIGTERM);
        }
        for server in &mut self.servers {
            if let Some(mut process) = server.process.take()
                && tokio::time::timeout(STOP_LIMIT, process.wait()).await.is_err()
            {
                let _ = process.kill().await;
            }
        }
    }
}

impl Server {
    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.client))
    }

    fn configure(&self, number: usize, members: &[Ports]) -> Result<(), PrivateZooKeeperError> {
        let data = self.directory.join("data");
        create_dir(&data)?;
        write(&data.join("myid"), &format!("{number}\n"))?;
        let mut text = format!(
            "tickTime={tick}\ninitLimit=20\nsyncLimit=10\ndataDir={data}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\n4lw.commands.whitelist=srvr\nautopurge.purgeInterval=1\nmaxClientCnxns=0\n",
            tick = TICK.as_millis(),
            data = data.display(),
            port = self.ports.client,
        );
        for (number, Ports { quorum, election, .. }) in (1..).zip(members).filter(|_| members.len() > 1) {
            text.push_str(&format!("server.{number}=127.0.0.1:{quorum}:{election}\n"));
        }
        write(&self.directory.join("zoo.cfg"), &text)
    }

    fn start(&mut self) -> Result<(), PrivateZooKeeperError> {
        let log = self.directory.join("zookeeper.log");
        let failed = |source| PrivateZooKeeperError::Directory { path: log.clone(), source };
        let output = File::options().create(true).append(true).open(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let process = Command::new("java")
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m", "-Dzookeeper.root.logger=WARN,CONSOLE"])
            .arg("-cp")
            .arg(format!("{CONFIGURATION}:{LIBRARY}"))
            .arg(MAIN_CLASS)
            .arg(self.directory.join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(PrivateZooKeeperError::Java)?;
        self.process = Some(process);
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.process.as_ref().and_then(Child::id) {
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal); // it may have ended meanwhile
        }
    }

    /// Whether it takes sessions: a server without a majority answers, but has no mode.
    async fn serves(&self) -> bool {
        let ask = async {
            let mut stream = TcpStream::connect(self.address()).await?;
            stream.write_all(b"srvr").await?;
            let mut answer = String::new();
            stream.take(4096).read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        ask.await.is_ok_and(|answer| answer.contains("Mode: "))
    }
}

impl Ports {
    /// Those of an earlier start, or three that are free.
    fn choose(file: &Path) -> Result<Ports, PrivateZooKeeperError> {
        let text = fs::read_to_string(file).unwrap_or_default();
        let known: Vec<u16> = text.split_whitespace().filter_map(|port| port.parse().ok()).collect();
        if let [client, quorum, election] = *known {
            return Ok(Ports { client, quorum, election });
        }
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(PrivateZooKeeperError::Ports);
        // Held together, so that they differ.
        let taken = [free()?, free()?, free()?];
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        let [client, quorum, election] = taken.each_ref().map(port);
        let failed = PrivateZooKeeperError::Ports;
        let ports = Ports {
            client: client.map_err(failed)?,
            quorum: quorum.map_err(failed)?,
            election: election.map_err(failed)?,
        };
        write(file, &format!("{} {} {}\n", ports.client, ports.quorum, ports.election))?;
        Ok(ports)
    }
}

fn create_dir(path: &Path) -> Result<(), PrivateZooKeeperError> {
    fs::create_dir_all(path).map_err(|source| PrivateZooKeeperError::Directory { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), PrivateZooKeeperError> {
    fs::write(path, text).map_err(|source| PrivateZooKeeperError::Directory { path: path.to_owned(), source })
}

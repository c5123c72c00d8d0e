//! The servers and the masters.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attica_core_api::http::{Client, Protocol, ResponseBody};
use attica_core_api::zookeeper::Ensemble;
use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use attica_core_store::private_zookeeper::PrivateZooKeeper;
use http::{HeaderMap, Response, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
const MASTERS: usize = 3;

/// What happens to a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strike {
    /// SIGKILL.
    Kill,
    /// SIGTERM: it hands over.
    Ask,
}

pub struct Site {
    pub postgres: PrivatePostgres,
    pub zookeeper: PrivateZooKeeper,
    pub ensemble: Ensemble,
    pub masters: Vec<Master>,
    directory: tempfile::TempDir,
}

pub struct Master {
    process: Child,
    pub address: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
}

impl Site {
    /// Starts everything; `postgres` says with which durability.
    pub async fn start(
        directory: tempfile::TempDir,
        session_timeout: Duration,
        postgres: impl FnOnce(PathBuf) -> PrivatePostgresOptions,
    ) -> Site {
        let zookeeper = PrivateZooKeeper::start(directory.path().join("zk"), 3).await.expect("ZooKeeper starts");
        let ensemble = zookeeper.ensemble("/mesos").expect("an address");
        let postgres = PrivatePostgres::start(&postgres(directory.path().join("pg"))).await.expect("Postgres starts");
        let mut site = Site { postgres, zookeeper, ensemble, masters: Vec::new(), directory };
        for number in 0..MASTERS {
            site.masters.push(site.master(number, session_timeout).await);
        }
        site
    }

    async fn master(&self, number: usize, session_timeout: Duration) -> Master {
        let ready = self.directory.path().join(format!("master-{number}.ready"));
        let arguments = ["master", "--listen", "127.0.0.1:0", "--zk"].map(str::to_owned).into_iter().chain([
            format!("zk://{}{}", self.ensemble.servers(), self.ensemble.path()),
            "--zk-session-timeout".to_owned(),
            format!("{}ms", session_timeout.as_millis()),
            "--ready-file".to_owned(),
            ready.display().to_string(),
        ]);
        let environment = vec![
            ("ATTICA_POSTGRES_URL".to_owned(), self.postgres.url().to_owned()),
            ("ATTICA_LOG".to_owned(), "info".to_owned()),
        ];
        let log = self.directory.path().join(format!("master-{number}.log"));
        let mut arguments: Vec<String> = arguments.collect();
        let process = spawn(&arguments, &environment, &log);
        let address = until("a master to answer", async || {
            fs::read_to_string(&ready).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim_end().to_owned())
        })
        .await;
        // From now on it keeps its address, and answers whether it is ready or not.
        arguments[2].clone_from(&address);
        arguments.truncate(arguments.len() - 2);
        Master { process, address, arguments, environment, log }
    }

    /// Which master leads: its index.
    pub async fn leader(&self) -> usize {
        until("a leader", async || {
            for (index, master) in self.masters.iter().enumerate() {
                if master.get("/metrics/snapshot").await.is_some_and(|metrics| metrics["master/elected"] == 1.0) {
                    return Some(index);
                }
            }
            None
        })
        .await
    }

    pub async fn strike(&mut self, index: usize, strike: Strike) {
        let master = &mut self.masters[index];
        match strike {
            Strike::Kill => master.signal(Signal::SIGKILL),
            Strike::Ask => master.signal(Signal::SIGTERM),
        }
        until("the master to end", async || master.process.try_wait().expect("ours")).await;
    }

    /// Starts a master again that has ended.
    pub async fn revive(&mut self, index: usize) {
        let master = &mut self.masters[index];
        let _ = master.process.wait();
        master.process = spawn(&master.arguments, &master.environment, &master.log);
        let master = &self.masters[index];
        until("the master to answer", async || {
            master.status("/health").await.filter(|status| *status == StatusCode::OK)
        })
        .await;
    }

    /// What the leader says.
    pub async fn ask(&self, path: &str) -> Value {
        until(path, async || self.masters[self.leader().await].get(path).await).await
    }

    pub async fn stop(mut self) {
        for master in &mut self.masters {
            master.signal(Signal::SIGTERM);
        }
        for master in &mut self.masters {
            let _ = master.process.wait();
        }
        self.zookeeper.stop().await;
        self.postgres.stop().await;
    }

    /// The last lines that each master logged.
    pub fn logs(&self) -> String {
        let tail = |path: &Path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(15)..].join("\n")
        };
        self.masters.iter().map(|master| format!("{}:\n{}\n", master.address, tail(&master.log))).collect()
    }
}

impl Master {
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), signal);
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.process.try_wait().expect("ours")
    }

    /// The status of an answer, redirects not followed.
    pub async fn status(&self, path: &str) -> Option<StatusCode> {
        self.answer(path).await.map(|(status, _)| status)
    }

    /// Where an answer of 307 leads.
    pub async fn redirect(&self, path: &str) -> Option<String> {
        let (_, response) = self.response(path).await?;
        let location =
            response.headers().get("location").filter(|_| response.status() == StatusCode::TEMPORARY_REDIRECT)?;
        location.to_str().ok().map(str::to_owned)
    }

    async fn response(&self, path: &str) -> Option<(Client, Response<ResponseBody>)> {
        let client = Client::new(Protocol::Http1, Duration::from_secs(5));
        let uri = format!("http://{}{path}", self.address).parse().expect("an address");
        let response = client.get(&uri, HeaderMap::new()).await.ok()?;
        Some((client, response))
    }

    /// Status and text of an answer.
    pub async fn answer(&self, path: &str) -> Option<(StatusCode, String)> {
        let (client, response) = self.response(path).await?;
        let status = response.status();
        Some((status, client.text(response, 256 << 20).await))
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let (status, text) = self.answer(path).await?;
        (status == StatusCode::OK).then(|| serde_json::from_str(&text).ok())?
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.signal(Signal::SIGCONT);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(arguments: &[String], environment: &[(String, String)], log: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(log).expect("a log file");
    Command::new(env!("CARGO_BIN_EXE_attica"))
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("attica starts")
}

/// Asks until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(POLL).await;
    }
}

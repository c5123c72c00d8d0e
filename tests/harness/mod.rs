//! A whole cluster under test: `attica up` in a temporary directory, on free ports, driven over HTTP like any other.

#![allow(dead_code, reason = "every tier uses a part of it")]
#![allow(clippy::print_stderr, reason = "why a test was skipped goes where the runner shows it")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub mod ports;

/// How long anything may take before the test gives up: far more than it needs, so that a slow machine does not fail a test.
pub const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
const READY: &str = "attica is ready: ";

/// Two cores carry two clusters well: one starts while another one waits.
const CLUSTERS: usize = 2;

/// How many more there may be, and whether the machine's network interfaces are free.
static ROOM: (Mutex<Room>, Condvar) = (Mutex::new(Room { clusters: CLUSTERS, interfaces: 1 }), Condvar::new());

struct Room {
    clusters: usize,
    /// One test at a time makes interfaces, and none does while a browser is at work: a browser gives up what it loads when they change.
    interfaces: usize,
}

/// Room for so many clusters, and perhaps the interfaces, which others wait for meanwhile.
pub struct Turn(Room);

impl Turn {
    fn of(clusters: usize, interfaces: usize) -> Turn {
        let room = ROOM.0.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = ROOM.1.wait_while(room, |room| room.clusters < clusters || room.interfaces < interfaces);
        let mut room = enough.unwrap_or_else(PoisonError::into_inner);
        room.clusters -= clusters;
        room.interfaces -= interfaces;
        Turn(Room { clusters, interfaces })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut room = ROOM.0.lock().unwrap_or_else(PoisonError::into_inner);
        room.clusters += self.0.clusters;
        room.interfaces += self.0.interfaces;
        ROOM.1.notify_all();
    }
}

/// Waits until no other test of this program has a cluster.
pub fn turn() -> Turn {
    Turn::of(CLUSTERS, 0)
}

pub struct Cluster {
    up: Option<Child>,
    directory: tempfile::TempDir,
    /// What `up` is told beyond free ports and a directory.
    options: Vec<String>,
    url: String,
    _turn: Turn,
}

impl Cluster {
    pub fn start() -> Cluster {
        Cluster::start_with(&[])
    }

    /// Starts `up` with further options.
    pub fn start_with(options: &[&str]) -> Cluster {
        Cluster::start_in(Turn::of(1, 0), options)
    }

    /// Starts `up` when no other test of this program makes network interfaces or minds that they are made.
    pub fn start_with_interfaces() -> Cluster {
        Cluster::start_in(Turn::of(1, 1), &[])
    }

    fn start_in(turn: Turn, options: &[&str]) -> Cluster {
        let directory = tempfile::Builder::new().prefix("attica-test-").tempdir().expect("a temporary directory");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut cluster = Cluster { up: None, directory, options, url: String::new(), _turn: turn };
        cluster.start_up();
        cluster
    }

    /// Starts `up` on the directory (again) and waits for its last line.
    pub fn start_up(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut up = attica()
            .args([
                "up",
                "--master-port",
                "0",
                "--agent-port",
                "0",
                "--paas-port",
                "0",
                "--lb-port",
                "0",
                "--lb-stats-port",
                "0",
                "--data-dir",
            ])
            .arg(self.data_dir())
            .args(&self.options)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("attica up starts");
        let stdout = up.stdout.take().expect("piped");
        self.up = Some(up);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix(READY) {
                    let _ = sender.send(url.to_owned());
                }
            }
        });
        self.url =
            receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no ready line; log:\n{}", self.log_tail()));
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("up.log")
    }

    /// All that `up` and the roles have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// The paas's address as `http://host:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port` of a role, as its command line says.
    pub fn address(&self, role: &str) -> String {
        self.flag(role, "--listen")
    }

    /// `host:port` where the load balancer takes HTTP by name.
    pub fn lb_address(&self) -> String {
        format!("{}:{}", self.flag("lb", "--listen"), self.flag("lb", "--http-port"))
    }

    /// What a role's command line says behind a flag.
    pub fn flag(&self, role: &str, flag: &str) -> String {
        // One that has just died is started again.
        self.until(&format!("{role} to run with {flag}"), || {
            let cmdline = fs::read(format!("/proc/{}/cmdline", self.pid(role))).ok()?;
            let mut words = cmdline.split(|byte| *byte == 0).skip_while(|word| *word != flag.as_bytes());
            String::from_utf8(words.nth(1)?.to_vec()).ok()
        })
    }

    /// The pid of a role (`master`, `agent-1`, `paas`): whoever has it right now.
    pub fn pid(&self, role: &str) -> i32 {
        let text =
            fs::read_to_string(self.data_dir().join("run").join(format!("{role}.pid"))).expect("the role was started");
        text.split(' ').next().and_then(|pid| pid.parse().ok()).expect("a pid")
    }

    /// The pid of `up` itself.
    pub fn up_pid(&self) -> i32 {
        self.up.as_ref().expect("running").id().cast_signed()
    }

    /// Kills a role with SIGKILL and waits until another process has taken its place.
    pub fn kill(&self, role: &str) {
        let old = self.pid(role);
        kill(Pid::from_raw(old), Signal::SIGKILL).expect("the role ran");
        self.until(&format!("{role} to be started again"), || (self.pid(role) != old).then_some(()));
    }

    /// Kills `up` alone, with SIGKILL: it gets no chance to stop anything.
    pub fn kill_up(&mut self) {
        let mut up = self.up.take().expect("running");
        up.kill().expect("up ran");
        up.wait().expect("up is ours");
    }

    /// Asks `up` to stop and checks that it did: exit status 0, and no process of this cluster left.
    pub fn stop_up(&mut self) {
        let mut up = self.up.take().expect("running");
        kill(Pid::from_raw(up.id().cast_signed()), Signal::SIGTERM).expect("up ran");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = up.try_wait().expect("up is ours") {
                break status;
            }
            assert!(Instant::now() < deadline, "up did not stop; log:\n{}", self.log_tail());
            std::thread::sleep(POLL);
        };
        assert!(status.success(), "up ended with {status}; log:\n{}", self.log_tail());
        // What was killed last takes a moment to be gone.
        let left = || (processes_of(self.directory.path()), cgroups_of(&self.data_dir()));
        while left() != (Vec::new(), Vec::new()) {
            assert!(Instant::now() < deadline, "still there after the stop: {:?}", left());
            std::thread::sleep(POLL);
        }
    }

    /// Polls until there is an answer.
    pub fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}\n{}\nlog:\n{}",
                self.state(),
                self.log_tail()
            );
            std::thread::sleep(POLL);
        }
    }

    /// What the service layer says about itself.
    fn state(&self) -> String {
        let parts = ["/v2/deployments", "/v2/queue", "/v2/tasks", "/v2/agents"];
        parts.map(|path| format!("{path}: {}", self.get(path).1)).join("\n")
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        self.request("GET", path, None)
    }

    /// One request to the paas: status and JSON body (null when there is none, or when nobody answers, with status 0).
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        request(method, &format!("{}{path}", self.url), body)
    }

    /// Sends until the answer has the wanted status: for writes while a role is down. The write must bear repetition.
    pub fn request_until(&self, wanted: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.until(&format!("{wanted} for {method} {path}"), || {
            let (status, answer) = self.request(method, path, body);
            (status == wanted).then_some(answer)
        })
    }

    pub fn app(&self, id: &str) -> Value {
        self.get(&format!("/v2/apps/{id}")).1["app"].take()
    }

    pub fn tasks(&self, id: &str) -> Vec<Value> {
        let (_, mut answer) = self.get(&format!("/v2/apps/{id}/tasks"));
        answer["tasks"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Waits until no deployment runs and the app has this many running tasks, healthy ones if it has checks.
    pub fn until_settled(&self, id: &str, instances: u64) -> Vec<Value> {
        self.until(&format!("{id} to settle at {instances}"), || {
            let app = self.app(id);
            let checked = app["healthChecks"].as_array().is_some_and(|checks| !checks.is_empty());
            let settled = app["deployments"].as_array().is_some_and(Vec::is_empty)
                && app["tasksRunning"] == instances
                && (!checked || app["tasksHealthy"] == instances);
            let tasks = self.tasks(id);
            (settled && tasks.len() as u64 == instances).then_some(tasks)
        })
    }
}

impl Drop for Cluster {
    /// Whatever happened in the test, nothing is left on the machine.
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take() {
            let _ = kill(Pid::from_raw(up.id().cast_signed()), Signal::SIGTERM);
            let deadline = Instant::now() + PATIENCE;
            while matches!(up.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(POLL);
            }
            let _ = up.kill();
            let _ = up.wait();
        }
        for pid in processes_of(self.directory.path()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The binary under test.
pub fn attica() -> Command {
    Command::new(env!("CARGO_BIN_EXE_attica"))
}

pub fn request(method: &str, url: &str, body: Option<&Value>) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let request = ureq::http::Request::builder().method(method).uri(url).header("content-type", "application/json");
    let answer = match body {
        Some(body) => agent.run(request.body(body.to_string()).expect("a request")),
        None => agent.run(request.body(()).expect("a request")),
    };
    match answer {
        Ok(mut answer) => {
            let mut text = String::new();
            let _ = answer.body_mut().as_reader().read_to_string(&mut text);
            (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
        }
        Err(_) => (0, Value::Null),
    }
}

/// The ids of tasks as the API shows them.
pub fn ids(tasks: &[Value]) -> BTreeSet<String> {
    tasks.iter().filter_map(|task| task["id"].as_str()).map(str::to_owned).collect()
}

/// Every process that has the directory in its command line, environment or working directory.
pub fn processes_of(directory: &Path) -> Vec<i32> {
    let needle = directory.as_os_str().as_encoded_bytes();
    let mentions = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let pids =
        fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != std::process::id().cast_signed())
        .filter(|pid| {
            let files = ["cmdline", "environ"].map(|file| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default());
            let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            files.iter().any(|bytes| mentions(bytes)) || mentions(cwd.as_os_str().as_encoded_bytes())
        })
        .collect()
}

/// The cgroups of this cluster's agents: each agent's are named after its runtime directory.
fn cgroups_of(data_dir: &Path) -> Vec<PathBuf> {
    let data_dir = data_dir.canonicalize().expect("it exists");
    let names = (1..=3).map(|number| {
        let runtime = data_dir.join(format!("agents/{number}/run"));
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, runtime.as_os_str().as_encoded_bytes()).simple().to_string()
    });
    let names: Vec<String> = names.collect();
    let controllers = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    let roots = controllers.chain([PathBuf::from("/sys/fs/cgroup")]);
    roots
        .flat_map(|root| names.iter().map(move |name| root.join("attica").join(name)))
        .filter(|path| path.exists())
        .collect()
}

/// A directory of inputs that lives beside the repository, or `None` (with a message) where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ATTICA_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: {} is absent (ATTICA_SHARED names its root)", found.display());
    None
}

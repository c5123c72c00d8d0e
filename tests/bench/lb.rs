//! The load balancer: how soon an instance gets requests (row h1), and how many requests it carries (row h3).

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![allow(clippy::print_stderr, reason = "a benchmark says what it lacks")]

mod fsync;
mod report;
mod roles;
mod simulated;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fsync::Disk;
use report::{Better, Figure};
use roles::{Role, Site};
use serde_json::{Value, json};
use simulated::SimulatedAgents;

/// The machine whose instances really answer: the first simulated agent's name.
const MACHINE: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 0);
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() {
    let directory = roles::directory();
    if report::is_wanted("h1") {
        let first_port = answering_ports();
        let mut figures = Vec::new();
        for disk in fsync::disks(directory.path()) {
            let place = tempfile::tempdir_in(directory.path()).expect("a directory");
            figures.extend(h1(place.path(), &disk, first_port).await);
        }
        report::print(&figures);
    }
    if report::is_wanted("h3") {
        let missing = ["haproxy", "nginx", "wrk"].into_iter().find(|program| which(program).is_none());
        if let Some(program) = missing {
            eprintln!("h3 is not measured: install {program} (apt-get install haproxy nginx-light wrk)");
            return;
        }
        let place = tempfile::tempdir_in(directory.path()).expect("a directory");
        report::print(&h3(place.path()).await);
    }
}

/// A master, a service layer and a load balancer over simulated agents.
struct Cluster {
    agents: SimulatedAgents,
    paas: Role,
    lb: Role,
    _master: Role,
}

impl Cluster {
    async fn start(site: &Site<'_>, agents: usize, resources: &str) -> Cluster {
        let master = site.start("master", "master", &["--listen", "127.0.0.1:0"]);
        let agents = SimulatedAgents::register(&master.address, agents, resources).await;
        let paas = site.start("paas", "paas", &["--listen", "127.0.0.1:0", "--master", &master.address]);
        let url = format!("http://{}", paas.address);
        let lb =
            site.start("lb", "lb", &["--paas-url", &url, "--http-port", "0", "--stats-port", "0", "--group", "bench"]);
        Cluster { agents, paas, lb, _master: master }
    }

    /// PUTs an app that is reached by the host `<id>.test`.
    fn put(&self, id: &str, mut app: Value) {
        let fixed = json!({"cmd": "true", "cpus": 0.01, "mem": 1, "labels": {"HAPROXY_GROUP": "bench", "HAPROXY_0_VHOST": format!("{id}.test")}});
        app.as_object_mut().expect("an object").extend(fixed.as_object().expect("an object").clone());
        let answer = ureq::put(format!("http://{}/v2/apps//{id}", self.paas.address))
            .header("content-type", "application/json")
            .send(app.to_string())
            .expect("the app is taken");
        assert!(answer.status().is_success());
    }

    /// How many instances run.
    fn running(&self) -> u64 {
        let mut answer =
            ureq::get(format!("http://{}/v2/apps?embed=apps.counts", self.paas.address)).call().expect("a list");
        let list: Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("a text")).expect("JSON");
        let apps = list["apps"].as_array().expect("a list").iter();
        apps.map(|app| app["tasksRunning"].as_u64().expect("a count")).sum()
    }
}

/// A connection that asks for one host again and again.
struct Asker {
    stream: TcpStream,
    request: String,
}

impl Asker {
    fn new(address: &str, host: &str) -> Asker {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        Asker { stream, request: format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n") }
    }

    /// Whether an instance has answered.
    fn is_answered(&mut self) -> bool {
        self.stream.write_all(self.request.as_bytes()).expect("sent");
        // Answers are so small that each comes in one piece.
        let mut answer = [0; 4096];
        let length = self.stream.read(&mut answer).expect("an answer");
        answer[..length].starts_with(b"HTTP/1.1 200")
    }
}

// h1 -----------------------------------------------------------------------------------------------------------------

const AGENTS: usize = 190;
/// Ports of each agent.
const PORTS: u16 = 256;
const BACKENDS: u64 = 10_000;
const BACKEND_APPS: u64 = 20;
const LAUNCHES: usize = 200;
const ASKING_INTERVAL: Duration = Duration::from_micros(500);

/// From the moment an agent sends that a task runs to the first answer of that task through the load balancer.
async fn h1(directory: &Path, disk: &Disk, first_port: u16) -> [Figure; 2] {
    let site = Site::new(directory, disk).await;
    let last_port = first_port + PORTS - 1;
    let resources = format!("cpus:16;mem:65536;disk:100000;ports:[{first_port}-{last_port}]");
    let cluster = Cluster::start(&site, AGENTS, &resources).await;
    // The client blocks, as clients do; the agents go on meanwhile.
    let took_ms = tokio::task::spawn_blocking(move || {
        for number in 0..BACKEND_APPS {
            let elsewhere = json!([["hostname", "UNLIKE", MACHINE.to_string()]]);
            cluster.put(
                &format!("filler-{number}"),
                json!({"instances": BACKENDS / BACKEND_APPS, "constraints": elsewhere}),
            );
        }
        let deadline = Instant::now() + PATIENCE;
        while cluster.running() < BACKENDS {
            assert!(Instant::now() < deadline, "{} of {BACKENDS} backends run", cluster.running());
            std::thread::sleep(Duration::from_millis(100));
        }
        (0..LAUNCHES).map(|number| first_answer_ms(&cluster, &format!("h1-{number}"))).collect::<Vec<f64>>()
    });
    let mut took_ms = took_ms.await.expect("no panic");
    took_ms.sort_unstable_by(f64::total_cmp);
    let figure = |name: &str, percent: usize, reach| Figure {
        bench: format!("h1.status_to_request.{name}{}", disk.suffix),
        value: took_ms[LAUNCHES * percent / 100],
        unit: "ms",
        reach,
        better: Better::Lower,
        fsync_ms: Some(disk.fsync_ms),
    };
    [figure("p99", 99, Some(2.0 * disk.fsync_ms + 30.0)), figure("p50", 50, None)]
}

fn first_answer_ms(cluster: &Cluster, id: &str) -> f64 {
    let mut asker = Asker::new(&cluster.lb.address, &format!("{id}.test"));
    cluster.put(id, json!({"instances": 1, "constraints": [["hostname", "CLUSTER", MACHINE.to_string()]]}));
    let deadline = Instant::now() + PATIENCE;
    while !asker.is_answered() {
        assert!(Instant::now() < deadline, "{id} is never reached");
        std::thread::sleep(ASKING_INTERVAL);
    }
    let answered = Instant::now();
    let reported = cluster.agents.reported(id).expect("it was reported before it was reached");
    answered.duration_since(reported).as_secs_f64() * 1e3
}

/// Answers every request to some [`PORTS`] of the machine in a row, for ever; tells the first of them.
fn answering_ports() -> u16 {
    let in_a_row = |first: u16| {
        (first..first + PORTS).map(|port| TcpListener::bind((MACHINE, port))).collect::<Result<Vec<_>, _>>()
    };
    let (first, listeners) = (20_000..32_000)
        .step_by(usize::from(PORTS))
        .find_map(|first| Some((first, in_a_row(first).ok()?)))
        .expect("free ports in a row");
    for listener in listeners {
        std::thread::spawn(move || answer(&listener));
    }
    first
}

fn answer(listener: &TcpListener) {
    for mut stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || {
            let mut request = [0; 4096];
            while stream.read(&mut request).is_ok_and(|length| length > 0) {
                if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n").is_err() {
                    return;
                }
            }
        });
    }
}

// h3 -----------------------------------------------------------------------------------------------------------------

const ROUNDS: usize = 5;
const ROUND: &str = "4s";
const CONNECTIONS: &str = "64";
const BACKEND_PORT: u16 = 21_000;
const HAPROXY_PORT: u16 = 21_001;

/// A process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It is gone already, or will be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Requests per second through the load balancer and through HAProxy, in turn, both in front of the same nginx on the same cores.
async fn h3(directory: &Path) -> Vec<Figure> {
    let plain = fsync::disks(directory).into_iter().last().expect("a disk");
    let site = Site::new(directory, &plain).await;
    let _nginx = start("nginx", &["-p", text(directory), "-c", &nginx_configuration(directory)]);
    let _haproxy = start("haproxy", &["-db", "-f", &haproxy_configuration(directory)]);
    let resources = format!("cpus:16;mem:65536;ports:[{BACKEND_PORT}-{BACKEND_PORT}]");
    let cluster = Cluster::start(&site, 1, &resources).await;
    let measured = tokio::task::spawn_blocking(move || {
        cluster.put("web", json!({"instances": 1}));
        let haproxy = format!("{MACHINE}:{HAPROXY_PORT}");
        for address in [&cluster.lb.address, &haproxy] {
            until_answered(address);
        }
        let mut measured = BTreeMap::<_, Vec<f64>>::new();
        for _ in 0..ROUNDS {
            let (ours, theirs) = (requests_per_second(&cluster.lb.address), requests_per_second(&haproxy));
            for (name, value) in [("ratio", ours / theirs), ("requests", ours), ("haproxy", theirs)] {
                measured.entry(name).or_default().push(value);
            }
        }
        measured
    });
    let mut measured = measured.await.expect("no panic");
    let mut figure = |name: &str, unit, reach| Figure {
        bench: format!("h3.{name}"),
        value: report::median(measured.remove(name).expect("it was measured")),
        unit,
        reach,
        better: Better::Higher,
        fsync_ms: None,
    };
    vec![
        figure("ratio", "× HAProxy", Some(0.4)),
        figure("requests", "requests/s", None),
        figure("haproxy", "requests/s", None),
    ]
}

fn until_answered(address: &str) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() || !Asker::new(address, "web.test").is_answered() {
        assert!(Instant::now() < deadline, "nothing answers at {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn requests_per_second(address: &str) -> f64 {
    let url = format!("http://{address}/");
    let output = Command::new("wrk")
        .args(["-t1", "-c", CONNECTIONS, "-d", ROUND, "-H", "Host: web.test", &url])
        .output()
        .expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
    let value = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("wrk says: {text}"))
}

fn start(program: &str, args: &[&str]) -> Process {
    let program = which(program).expect("it is installed");
    let child = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Process(child.expect("it starts"))
}

/// Where a program is; servers lie where only root's path leads.
fn which(program: &str) -> Option<std::path::PathBuf> {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
        .iter()
        .map(|place| Path::new(place).join(program))
        .find(|path| path.exists())
}

fn nginx_configuration(directory: &Path) -> String {
    let place = text(directory);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.iter().map(|name| format!("{name}_temp_path {place}/{name};\n")).collect();
    write(
        directory,
        "nginx.conf",
        &format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid {place}/nginx.pid;\nerror_log {place}/nginx.log crit;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n{temporary}access_log off;\nkeepalive_requests 100000000;\nkeepalive_timeout 600;\n\
             server {{ listen {MACHINE}:{BACKEND_PORT}; location / {{ return 200 \"hello\\n\"; }} }}\n}}\n"
        ),
    )
}

fn haproxy_configuration(directory: &Path) -> String {
    write(
        directory,
        "haproxy.cfg",
        &format!(
            "global\n  maxconn 4096\n\
             defaults\n  mode http\n  option forwardfor\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
             frontend names\n  bind {MACHINE}:{HAPROXY_PORT}\n  acl web hdr(host),field(1,:) -i web.test\n  use_backend web if web\n\
             backend web\n  balance roundrobin\n  http-reuse always\n  server one {MACHINE}:{BACKEND_PORT}\n"
        ),
    )
}

fn write(directory: &Path, name: &str, content: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, content).expect("written");
    text(&path).to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

//! Debian's Prometheus, which knows Marathon: it finds the tasks by itself, and reads what the roles measure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Cluster, PATIENCE, request};

/// Where it is: unpacked by `make test`, or installed.
fn program() -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prometheus/usr/bin/prometheus");
    [unpacked, PathBuf::from("/usr/bin/prometheus")].into_iter().find(|path| path.exists())
}

/// A running one, with a directory of its own. It ends with the test.
struct Prometheus {
    process: Child,
    url: String,
    directory: tempfile::TempDir,
}

impl Prometheus {
    fn start(program: &Path, configuration: &Value) -> Prometheus {
        let directory = tempfile::Builder::new().prefix("attica-test-").tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        // JSON is YAML.
        fs::write(path("prometheus.yml"), configuration.to_string()).expect("a file");
        let log = fs::File::create(path("log")).expect("a log file");
        let process = Command::new(program)
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut prometheus = Prometheus { process, url: String::new(), directory };
        let address = prometheus.until("its address", || {
            let log = prometheus.log();
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let listening = lines.find(|line| line["msg"] == "Listening on")?;
            listening["address"].as_str().map(str::to_owned)
        });
        prometheus.url = format!("http://{address}");
        prometheus
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {}\n{}", self.targets(), self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn targets(&self) -> Value {
        request("GET", &format!("{}/api/v1/targets?state=active", self.url), None).1["data"]["activeTargets"].take()
    }

    /// The addresses that a job reads from, once there are so many and the last reading of each went well.
    fn until_up(&self, job: &str, count: usize) -> Vec<String> {
        self.until(&format!("{count} targets of {job}"), || {
            let targets = self.targets();
            let of_job = targets.as_array()?.iter().filter(|target| target["labels"]["job"] == job);
            let up: Option<Vec<String>> = of_job
                .map(|target| (target["health"] == "up").then(|| target["scrapeUrl"].as_str().map(str::to_owned))?)
                .collect();
            up.filter(|up| up.len() == count)
        })
    }

    /// The values of a metric, once there are so many.
    fn until_values(&self, query: &str, count: usize) -> Vec<Value> {
        self.until(&format!("{count} values of {query}"), || {
            let answer = request("GET", &format!("{}/api/v1/query?query={query}", self.url), None).1;
            let found = answer["data"]["result"].as_array()?.clone();
            (found.len() == count).then_some(found)
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn prometheus_finds_the_tasks_by_itself_and_reads_what_every_role_measures() {
    let Some(program) = program() else {
        return eprintln!("skipped: needs Debian's prometheus, which `make test` unpacks");
    };
    let mut cluster = Cluster::start();
    let app = |instances: u32| {
        json!({"id": "/shop/web", "instances": instances, "cpus": 0.1, "mem": 32, "labels": {"team": "lamps"},
            "cmd": "echo shop_visits_total 7 > metrics; exec python3 -m http.server $PORT0",
            "portDefinitions": [{"port": 0, "name": "http", "labels": {"metrics": "yes"}}]})
    };
    assert_eq!(cluster.request("PUT", "/v2/apps//shop/web", Some(&app(2))).0, 201);
    cluster.until_settled("/shop/web", 2);
    let relabelled =
        |from: &str, to: &str| json!({"source_labels": [format!("__meta_marathon_{from}")], "target_label": to});
    let fixed = |role: &str, path: &str, addresses: Vec<String>| json!({"job_name": role, "metrics_path": path, "static_configs": [{"targets": addresses}]});
    let paas = cluster.url().trim_start_matches("http://").to_owned();
    let agents = ["agent-1", "agent-2", "agent-3"];
    let agents = agents.map(|agent| format!("{}:{}", cluster.flag(agent, "--ip"), cluster.flag(agent, "--port")));
    let balancer = format!("{}:{}", cluster.flag("lb", "--listen"), cluster.flag("lb", "--stats-port"));
    let prometheus = Prometheus::start(
        &program,
        &json!({"global": {"scrape_interval": "1s"}, "scrape_configs": [
            {"job_name": "tasks", "marathon_sd_configs": [{"servers": [cluster.url()], "refresh_interval": "1s"}], "relabel_configs": [
                relabelled("app", "app"), relabelled("task", "task"), relabelled("app_label_team", "team"),
                relabelled("port_definition_label_metrics", "metrics"), relabelled("port_index", "port"),
            ]},
            fixed("paas", "/metrics/prometheus", vec![paas]),
            fixed("master", "/metrics", vec![cluster.address("master")]),
            fixed("agents", "/metrics", agents.to_vec()),
            fixed("lb", "/metrics", vec![balancer]),
        ]}),
    );
    prometheus.until_up("tasks", 2);
    for (job, count) in [("paas", 1), ("master", 1), ("agents", 3), ("lb", 1)] {
        prometheus.until_up(job, count);
    }
    assert_eq!(prometheus.until_values("marathon_apps_active_gauge", 1)[0]["value"][1], "1");

    // It follows the app.
    cluster.request_until(200, "PUT", "/v2/apps//shop/web", Some(&json!({"instances": 3})));
    let tasks = cluster.until_settled("/shop/web", 3);
    let mut expected: Vec<String> = tasks
        .iter()
        .map(|task| format!("http://{}:{}/metrics", task["host"].as_str().expect("a host"), task["ports"][0]))
        .collect();
    expected.sort();
    let mut found = prometheus.until_up("tasks", 3);
    found.sort();
    assert_eq!(found, expected);
    for value in prometheus.until_values("shop_visits_total", 3) {
        assert_eq!(value["value"][1], "7");
        let labels = &value["metric"];
        assert_eq!((&labels["app"], &labels["team"]), (&json!("/shop/web"), &json!("lamps")));
        assert_eq!((&labels["metrics"], &labels["port"]), (&json!("yes"), &json!("0")));
        assert!(tasks.iter().any(|task| task["id"] == labels["task"]), "{labels}");
    }
    drop(prometheus);
    cluster.stop_up();
}

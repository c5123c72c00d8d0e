//! The binary under the names of what it takes the place of, started the way scripts start those.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attica_core_store::private_postgres::{PrivatePostgres, PrivatePostgresOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::harness::ports::own_port;
use crate::harness::{Cluster, PATIENCE, processes_of, request};

/// A `mesos-master` in a directory of its own.
struct MesosMaster {
    process: Child,
    url: String,
    log: PathBuf,
}

fn program(directory: &tempfile::TempDir) -> Command {
    let link = directory.path().join("mesos-master");
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_attica"), &link).expect("a symlink");
    }
    let mut command = Command::new(link);
    command.env_remove("ATTICA_POSTGRES_URL").stdin(Stdio::null());
    command
}

impl MesosMaster {
    fn start(directory: &tempfile::TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> MesosMaster {
        let port = own_port();
        let log = directory.path().join("log");
        let output = fs::File::options().create(true).append(true).open(&log).expect("a log file");
        let process = program(directory)
            .args(["--ip=127.0.0.1", &format!("--port={port}")])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("it starts");
        let mut master = MesosMaster { process, url: format!("http://127.0.0.1:{port}"), log };
        let deadline = Instant::now() + PATIENCE;
        while master.get("/state").0 != 200 {
            let ended = master.process.try_wait().expect("ours");
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}: {}", master.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        master
    }

    fn get(&self, path: &str) -> (u16, serde_json::Value) {
        request("GET", &format!("{}{path}", self.url), None)
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM.
    fn stop(&mut self) {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).expect("it runs");
        let status = self.process.wait().expect("ours");
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for MesosMaster {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn without_a_database_it_leads_at_once_and_ends_with_all_its_streams() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let arguments = ["--registry=in_memory", "--quorum=1", "--slave_ping_timeout=3secs", "--no-authenticate_agents"];
    let variables = [("MESOS_CLUSTER", "legacy"), ("MESOS_HOSTNAME", "m1.example.org"), ("MESOS_QUIET", "0")];
    let mut master = MesosMaster::start(&directory, &arguments, &variables);
    let (_, state) = master.get("/master/state.json");
    assert_eq!((&state["cluster"], &state["hostname"]), (&json!("legacy"), &json!("m1.example.org")));
    assert_eq!(state["flags"]["agent_ping_timeout"], "3secs");
    assert_eq!(master.get("/metrics/snapshot").1["master/elected"], 1.0);
    assert!(master.log().contains("--quorum is accepted: "), "{}", master.log());

    // With a framework's stream open as well.
    let subscribe = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "idle"}}});
    let mut stream = ureq::post(format!("{}/api/v1/scheduler", master.url))
        .header("content-type", "application/json")
        .send(subscribe.to_string())
        .expect("a stream");
    let mut events = stream.body_mut().as_reader();
    let mut first = [0; 16];
    events.read_exact(&mut first).expect("SUBSCRIBED");
    master.stop();
    // It is not broken off, which is what becomes of streams that the end was waited for in vain.
    events.read_to_end(&mut Vec::new()).expect("the stream ends");
}

#[test]
fn with_a_work_directory_it_remembers_there() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let work_dir = format!("--work_dir={}", directory.path().join("work").display());
    let subscribe = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info":
        {"user": "root", "name": "kept", "failover_timeout": 1000.0}}});
    let mut master = MesosMaster::start(&directory, &[&work_dir], &[]);
    let stream = ureq::post(format!("{}/api/v1/scheduler", master.url))
        .header("content-type", "application/json")
        .send(subscribe.to_string())
        .expect("a stream");
    let deadline = Instant::now() + PATIENCE;
    let framework = loop {
        let (_, frameworks) = master.get("/frameworks");
        if let Some(id) = frameworks["frameworks"][0]["id"].as_str() {
            break id.to_owned();
        }
        assert!(Instant::now() < deadline, "{frameworks}");
        std::thread::sleep(Duration::from_millis(20));
    };
    drop(stream);
    master.stop();
    let mut master = MesosMaster::start(&directory, &[&work_dir], &[]);
    assert_eq!(master.get("/frameworks").1["frameworks"][0]["id"], json!(framework), "{}", master.log());
    // Its Postgres ends with it, and not once it finds that its files are gone.
    master.stop();
}

#[test]
fn what_it_cannot_do_it_refuses_by_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (arguments, says) in [
        (&["--registry=in_memory", "--modules=file.json"][..], "--modules=file.json is refused"),
        (&["--registry=in_memory", "--prot=5050"], "there is no flag --prot"),
        (&["--zk=zk://127.0.0.1/mesos", "--work_dir=/nowhere"], "ATTICA_POSTGRES_URL"),
        (&[], "--work_dir needs a value"),
    ] {
        let output = program(&directory).args(arguments).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(says), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let output = program(&directory).arg("--help").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("--work_dir=VALUE") && text.contains("--[no-]quiet"), "{text}");
}

/// An agent whose test may fail before it is drained: then it is killed, with its launcher.
struct MesosAgent {
    process: Child,
    work_dir: PathBuf,
}

impl Drop for MesosAgent {
    fn drop(&mut self) {
        // A drained one has ended, and its launcher is about to: it removes its cgroups first.
        if !std::thread::panicking() {
            return;
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        for launcher in processes_of(&self.work_dir) {
            let _ = kill(Pid::from_raw(launcher), Signal::SIGKILL);
        }
    }
}

/// A `mesos-agent` beside that master, as a unit file starts it.
#[test]
fn an_agent_is_started_by_mesoss_flags_and_variables() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let master = MesosMaster::start(&directory, &["--registry=in_memory"], &[]);
    for name in ["mesos-agent", "mesos-slave"] {
        let link = directory.path().join(name);
        symlink(env!("CARGO_BIN_EXE_attica"), &link).expect("a symlink");
        let log = fs::File::create(directory.path().join(format!("{name}.log"))).expect("a log file");
        let work_dir = directory.path().join(format!("{name}.work"));
        let process = Command::new(&link)
            .args([&format!("--master={}", master.url.trim_start_matches("http://")), "--ip=127.0.0.1", "--port=0"])
            .arg(format!("--work_dir={}", work_dir.display()))
            .args(["--resources=cpus(*):2;mem(*):512;ports:[31000-31010]", "--no-systemd_enable_support"])
            .args([
                "--isolation=posix/cpu,posix/mem",
                "--launcher_dir=/usr/libexec/mesos",
                "--gc_delay=2days",
                "--executor_shutdown_grace_period=1secs",
            ])
            .env("MESOS_ATTRIBUTES", "rack:r1")
            .env("MESOS_HOSTNAME", format!("{name}.example.org"))
            .env("MESOS_CGROUPS_ROOT", format!("attica-test-{}", std::process::id()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut agent = MesosAgent { process, work_dir };
        let text = || fs::read_to_string(directory.path().join(format!("{name}.log"))).unwrap_or_default();
        let deadline = Instant::now() + PATIENCE;
        let known = loop {
            let (_, slaves) = master.get("/slaves");
            let known = slaves["slaves"].as_array().into_iter().flatten();
            if let Some(slave) = known.clone().find(|slave| slave["hostname"] == format!("{name}.example.org")) {
                break slave.clone();
            }
            assert!(agent.process.try_wait().expect("ours").is_none() && Instant::now() < deadline, "{}", text());
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!((&known["resources"]["cpus"], &known["attributes"]["rack"]), (&json!(2.0), &json!("r1")));
        assert!(text().contains("--launcher_dir is accepted: "), "{}", text());
        // It is drained, so that its launcher ends as well.
        kill(Pid::from_raw(agent.process.id().cast_signed()), Signal::SIGUSR1).expect("it runs");
        assert!(agent.process.wait().expect("ours").success(), "{}", text());
    }
    let refused = Command::new(directory.path().join("mesos-agent")).arg("--modules=x").output().expect("it runs");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("--modules=x is refused"), "{text}");
}

/// A service layer under Marathon's name; it goes with this.
struct Marathon(Child);

impl Drop for Marathon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn marathon_is_started_by_its_flags_and_variables_and_ends_with_its_numbers() {
    let mut cluster = Cluster::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = PrivatePostgresOptions::for_test(directory.path().join("postgres"));
    let postgres = runtime.block_on(PrivatePostgres::start(&options)).expect("a database");
    let link = directory.path().join("marathon");
    symlink(env!("CARGO_BIN_EXE_attica"), &link).expect("a symlink");
    let port = own_port();
    let master = format!("http://{}/", cluster.address("master"));
    let start = |arguments: &[&str]| {
        let log = fs::File::options().create(true).append(true).open(directory.path().join("log")).expect("a log file");
        let started = Command::new(&link)
            .args(["--master", &master, "--http_address=127.0.0.1", "--hostname", "localhost", "--disable_ha"])
            .args(arguments)
            .env("MARATHON_HTTP_PORT", port.to_string())
            .env("MARATHON_FRAMEWORK_NAME", "stranded")
            .env("ATTICA_POSTGRES_URL", postgres.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Marathon(started.expect("it starts"))
    };
    let ended = |mut marathon: Marathon| {
        let status = cluster.until("the end of a marathon", || marathon.0.try_wait().expect("ours"));
        status.code()
    };
    let mut first = start(&[]);
    let url = format!("http://127.0.0.1:{port}");
    let app = json!({"id": "/web", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32});
    cluster.until("a leader", || (request("POST", &format!("{url}/v2/apps"), Some(&app)).0 == 201).then_some(()));
    cluster.until("the app to run", || {
        let shown = request("GET", &format!("{url}/v2/apps/web"), None).1;
        (shown["app"]["tasksRunning"] == 1).then_some(())
    });
    assert_eq!(request("GET", &format!("{url}/v2/info"), None).1["name"], "stranded");
    assert_eq!(ended(start(&[])), Some(111), "its port is in use");
    assert_eq!(ended(start(&["--plugin_dir=/x"])), Some(112), "a flag that is not obeyed");
    assert_eq!(first.0.try_wait().expect("ours"), None);
    assert_eq!(request("DELETE", &format!("{url}/v2/leader"), None).0, 200);
    assert_eq!(ended(first), Some(105), "it stepped down");
    let second = start(&[]);
    cluster.until("the app to be known", || {
        let shown = request("GET", &format!("{url}/v2/apps/web"), None).1;
        (shown["app"]["tasksRunning"] == 1).then_some(())
    });
    kill(Pid::from_raw(second.0.id().cast_signed()), Signal::SIGTERM).expect("it runs");
    assert_eq!(ended(second), Some(0));
    drop(postgres);
    cluster.stop_up();
}

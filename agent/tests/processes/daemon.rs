//! An agent whose tasks run in a Docker daemon of the test's own: with its own socket, directories, network and mounts.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use attica_core_api::v1::{
    CommandInfo, ContainerInfo, ContainerType, DockerInfo, DockerNetwork, DockerPortMapping, HealthCheck,
    HealthCheckType, HttpCheckInfo, Parameter, Range, Ranges, Resource, TaskInfo, TaskStatusReason, ValueType,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::agent::{Agent, shell};
use crate::master::Master;
use crate::support::{PATIENCE, can_isolate, cgroups_beneath, eventually, eventually_within, is_alive, pids};

const IMAGE: &str = "busybox:test";

/// Where a daemon may have been unpacked or installed.
fn search_path() -> String {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/docker/usr");
    let own = [unpacked.join("sbin"), unpacked.join("bin")].map(|path| path.to_string_lossy().into_owned());
    format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", own.join(":"))
}

struct Daemon {
    /// Has the network and the mounts: they are there as long as it is.
    holder: Child,
    process: Child,
    arguments: Vec<String>,
    directory: tempfile::TempDir,
    cgroup_parent: String,
}

impl Daemon {
    /// `None`: there is none on this machine, or it cannot work here; which is said.
    fn start(arguments: &[&str]) -> Option<Daemon> {
        let path = search_path();
        let is_there = |program: &str| path.split(':').any(|directory| Path::new(directory).join(program).exists());
        if !can_isolate() {
            return None;
        }
        if !["dockerd", "containerd", "runc", "busybox"].into_iter().all(is_there) {
            println!("skipped: there is no Docker daemon, or no busybox");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
        let cgroup_parent = format!("attica-test-{}", uuid::Uuid::new_v4());
        let host = format!("unix://{}", at("socket"));
        let (pid, data, exec, cgroups) = (at("pid"), at("data"), at("exec"), format!("/{cgroup_parent}"));
        let usual = [
            &["--host", &host, "--pidfile", &pid, "--data-root", &data, "--exec-root", &exec][..],
            &["--storage-driver", "vfs", "--iptables=false", "--ip6tables=false", "--ip-masq=false"],
            &["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", &cgroups],
            arguments,
        ];
        let arguments: Vec<String> = usual.concat().into_iter().map(str::to_owned).collect();
        let holder = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", "ip link set lo up && exec sleep infinity"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let is_ready =
            || std::fs::read_to_string(format!("/proc/{}/comm", holder.id())).is_ok_and(|it| it == "sleep\n");
        eventually("there is a network for it", || is_ready().then_some(()));
        let process = Daemon::spawn(&holder, &arguments, directory.path());
        let mut daemon = Daemon { holder, process, arguments, directory, cgroup_parent };
        if !daemon.answers() {
            println!("skipped: the Docker daemon does not start here: {}", daemon.log());
            return None;
        }
        let (status, said) = daemon.call("POST", "/images/create?fromSrc=-&repo=busybox&tag=test", &busybox());
        assert_eq!(status, 200, "{said}");
        Some(daemon)
    }

    fn spawn(holder: &Child, arguments: &[String], directory: &Path) -> Child {
        let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/docker/lib/x86_64-linux-gnu");
        let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
        Command::new("nsenter")
            .args(["--net", "--mount", "--target", &holder.id().to_string(), "dockerd"])
            .args(arguments)
            .env("PATH", search_path())
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Whether it does, in the end.
    fn answers(&mut self) -> bool {
        let answered = eventually_within(PATIENCE, || {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Some(Err(status));
            }
            self.try_call("GET", "/_ping", b"").map(|_| Ok(()))
        });
        answered == Some(Ok(()))
    }

    /// Kills it, with its own helper that starts containers; what runs in these goes on.
    fn crash(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let is_helper = |pid: &i32| {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm == "containerd\n" && self.is_named_by(*pid)
        };
        eventually("its helper is gone", || {
            let left: Vec<i32> = pids().filter(is_helper).filter(|pid| is_alive(*pid)).collect();
            left.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
            left.is_empty().then_some(())
        });
        // Where the machine's first process waits for nobody, the helper is still among the processes, and a new daemon would take it for
        // one that works.
        std::fs::remove_file(self.directory.path().join("exec/containerd/containerd.pid")).unwrap();
    }

    fn restart(&mut self) {
        self.process = Daemon::spawn(&self.holder, &self.arguments, self.directory.path());
        assert!(self.answers(), "{}", self.log());
    }

    /// Whether the command line of a process leads to the daemon's directory.
    fn is_named_by(&self, pid: i32) -> bool {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&*self.directory.path().to_string_lossy())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn try_call(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, String)> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{method} {path} HTTP/1.0\r\nhost: docker\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn call(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        self.try_call(method, path, body).unwrap_or_else(|| panic!("no answer: {}", self.log()))
    }

    /// The names of its containers, whatever they do.
    fn containers(&self) -> Vec<String> {
        let (_, listed) = self.call("GET", "/containers/json?all=1", b"");
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed.as_array().unwrap().iter().map(|one| one["Names"][0].as_str().unwrap().to_owned()).collect()
    }

    fn agent(&self, master: &Master, more: &[&str]) -> Agent {
        let socket = self.socket().to_string_lossy().into_owned();
        let flags = [&["--containerizers", "mesos,docker", "--docker-socket", &socket], more].concat();
        let cgroups_root = format!("attica-test-{}", uuid::Uuid::new_v4());
        let agent = Agent::start_with(master, tempfile::tempdir().unwrap(), cgroups_root, &flags);
        master.await_registration(1);
        agent
    }

    /// Nothing that tasks needed is left; then it ends.
    fn finish(self) {
        eventually("its containers are gone", || self.containers().is_empty().then_some(()));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for cgroup in cgroups_beneath(&self.cgroup_parent) {
            let procs = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
            procs.lines().filter_map(|pid| pid.parse().ok()).for_each(|pid| signal(pid, Signal::SIGKILL));
        }
        signal(i32::try_from(self.process.id()).unwrap(), Signal::SIGTERM);
        if eventually_within(PATIENCE, || self.process.try_wait().unwrap()).is_none() {
            let _ended = self.process.kill();
            let _ended = self.process.wait();
        }
        eventually_within(PATIENCE, || {
            let left: Vec<i32> = pids().filter(|pid| self.is_named_by(*pid)).collect();
            left.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
            left.is_empty().then_some(())
        });
        let _ended = self.holder.kill();
        let _ended = self.holder.wait();
        let controllers = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().filter_map(Result::ok);
        let parents: Vec<PathBuf> = controllers.map(|entry| entry.path().join(&self.cgroup_parent)).collect();
        eventually_within(PATIENCE, || {
            cgroups_beneath(&self.cgroup_parent).iter().for_each(|cgroup| drop(std::fs::remove_dir(cgroup)));
            parents.iter().for_each(|parent| drop(std::fs::remove_dir(parent)));
            (!parents.iter().any(|parent| parent.exists())).then_some(())
        });
    }
}

/// To a process that may have gone.
fn signal(pid: i32, signal: Signal) {
    let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

/// The files of an image.
fn busybox() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let program = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    tar.append_path_with_name(program, "bin/busybox").unwrap();
    for name in ["sh", "sleep", "cat", "echo", "tail", "httpd", "wget", "test", "true", "mkdir"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, format!("bin/{name}"), "busybox").unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o1777);
    header.set_size(0);
    tar.append_data(&mut header, "tmp/", std::io::empty()).unwrap();
    tar.into_inner().unwrap()
}

fn docker(id: &str, script: &str, change: impl FnOnce(&mut DockerInfo)) -> TaskInfo {
    let mut docker = DockerInfo { image: IMAGE.to_owned(), network: DockerNetwork::Host, ..DockerInfo::default() };
    change(&mut docker);
    let container = ContainerInfo { r#type: ContainerType::Docker, docker: Some(docker), ..ContainerInfo::default() };
    TaskInfo { container: Some(Box::new(container)), ..shell(id, script) }
}

fn output(agent: &Agent, task: &str, name: &str) -> String {
    std::fs::read_to_string(agent.sandbox(task).join(name)).unwrap_or_default()
}

#[test]
fn tasks_run_in_a_docker_daemon_until_they_end_or_are_killed() {
    let Some(daemon) = Daemon::start(&["--bridge=none"]) else { return };
    let master = Master::start();
    let agent = daemon.agent(&master, &[]);
    let parameters = vec![Parameter { key: "env".to_owned(), value: "GREETING=hello".to_owned() }];
    let says = "echo $GREETING from $MESOS_TASK_ID; echo oops >&2; echo kept > $MESOS_SANDBOX/file; exit 7";
    master.run(vec![
        docker("says", says, |docker| docker.parameters = parameters),
        docker("heeds", "trap 'echo ending; exit 3' TERM; echo begun; while :; do sleep 0.05; done", |_| ()),
        docker("ignores", "trap '' TERM; echo begun; while :; do sleep 0.05; done", |_| ()),
        docker("hog", "exec tail /dev/zero", |_| ()),
        docker("privileged", "true", |docker| docker.privileged = true),
        shell("plain", "echo by the launcher"),
    ]);
    let ended = master.await_state("says", "TASK_FAILED");
    assert_eq!(ended.status.message.as_deref(), Some("Command exited with status 7"));
    assert_eq!(output(&agent, "says", "stdout"), "hello from says\n");
    assert_eq!((output(&agent, "says", "stderr"), output(&agent, "says", "file")), ("oops\n".into(), "kept\n".into()));
    master.await_state("plain", "TASK_FINISHED");
    let hog = master.await_state("hog", "TASK_FAILED").status;
    assert_eq!(hog.reason, Some(TaskStatusReason::ContainerLimitationMemory), "{hog:?}");
    let refused = master.await_state("privileged", "TASK_FAILED").status.message.unwrap();
    assert!(refused.contains("--docker-allow-privileged"), "{refused}");

    let running = master.await_state("heeds", "TASK_RUNNING").status.container_status.unwrap();
    let named = format!("/mesos-{}", running.container_id.unwrap().value);
    assert!(daemon.containers().contains(&named), "{:?}", daemon.containers());
    for task in ["heeds", "ignores"] {
        eventually("it has begun", || (output(&agent, task, "stdout") == "begun\n").then_some(()));
    }
    let statistics: Value =
        serde_json::from_str(&crate::agent::get(&master, &agent.ready_address(), "/monitor/statistics").1).unwrap();
    let of_heeds = statistics.as_array().unwrap().iter().find(|entry| entry["executor_id"] == "heeds").unwrap();
    assert!(of_heeds["statistics"]["mem_rss_bytes"].as_u64().unwrap() > 0, "{of_heeds}");
    assert!(of_heeds["statistics"]["threads"].as_u64().unwrap() > 0, "{of_heeds}");
    master.kill("heeds", Some(60_000));
    let killed = master.await_state("heeds", "TASK_KILLED").status;
    assert_eq!(killed.message.as_deref(), Some("Command exited with status 3"));
    assert_eq!(output(&agent, "heeds", "stdout"), "begun\nending\n");
    master.kill("ignores", Some(200));
    let killed = master.await_state("ignores", "TASK_KILLED").status;
    assert_eq!(killed.message.as_deref(), Some("Command exited with status 137"));
    agent.finish();
    daemon.finish();
}

#[test]
fn containers_of_a_docker_daemon_outlive_the_agent_and_lose_no_output() {
    let Some(daemon) = Daemon::start(&["--bridge=none"]) else { return };
    let master = Master::start();
    let agent = daemon.agent(&master, &[]);
    let script = "i=0; while [ ! -e $MESOS_SANDBOX/go ]; do i=$((i+1)); echo line $i; sleep 0.02; done; exit 5";
    master.run(vec![docker("ends", script, |_| ()), docker("stays", "echo begun; exec sleep 1000", |_| ())]);
    let stays = master.await_state("stays", "TASK_RUNNING").status.container_status.unwrap().executor_pid.unwrap();
    let ends = master.await_state("ends", "TASK_RUNNING").status.container_status.unwrap().executor_pid.unwrap();
    let (stays, ends) = (i32::try_from(stays).unwrap(), i32::try_from(ends).unwrap());
    eventually("it writes", || output(&agent, "ends", "stdout").contains("line 5\n").then_some(()));
    let sandbox = agent.sandbox("ends");
    let agent = agent.crash_and_become(&master, |_, _| {
        std::fs::write(sandbox.join("go"), "").unwrap();
        eventually("it ends", || (!is_alive(ends)).then_some(()));
    });
    master.await_registration(2);
    let failed = master.await_state("ends", "TASK_FAILED").status;
    assert_eq!(failed.message.as_deref(), Some("Command exited with status 5"));
    let text = output(&agent, "ends", "stdout");
    let expected: String = (1..=text.lines().count()).map(|line| format!("line {line}\n")).collect();
    assert_eq!(text, expected);
    assert!(is_alive(stays));
    assert_eq!(master.states("stays"), ["TASK_STARTING", "TASK_RUNNING"]);
    agent.finish();
    assert!(!is_alive(stays));
    daemon.finish();
}

fn pid_of(master: &Master, task: &str) -> i32 {
    let status = master.await_state(task, "TASK_RUNNING").status.container_status.unwrap();
    i32::try_from(status.executor_pid.unwrap()).unwrap()
}

#[test]
fn a_daemon_that_is_killed_and_lets_containers_live_finds_them_again() {
    let Some(mut daemon) = Daemon::start(&["--bridge=none", "--live-restore"]) else { return };
    let master = Master::start();
    let agent = daemon.agent(&master, &[]);
    let waits = "echo begun; while [ ! -e $MESOS_SANDBOX/go ]; do sleep 0.05; done; echo over; exit 5";
    let heeds = "trap 'exit 3' TERM; echo begun; while :; do sleep 0.05; done";
    master.run(vec![docker("waits", waits, |_| ()), docker("heeds", heeds, |_| ())]);
    let (waits, heeds) = (pid_of(&master, "waits"), pid_of(&master, "heeds"));
    for task in ["waits", "heeds"] {
        eventually("it has begun", || (output(&agent, task, "stdout") == "begun\n").then_some(()));
    }
    daemon.crash();
    // Nobody is there to do it.
    master.kill("heeds", Some(60_000));
    assert!(is_alive(waits) && is_alive(heeds));
    daemon.restart();
    master.await_state("heeds", "TASK_KILLED");
    assert!(is_alive(waits));
    assert_eq!(master.states("waits"), ["TASK_STARTING", "TASK_RUNNING"]);
    std::fs::write(agent.sandbox("waits").join("go"), "").unwrap();
    let ended = master.await_state("waits", "TASK_FAILED").status;
    assert_eq!(ended.message.as_deref(), Some("Command exited with status 5"));
    assert_eq!(output(&agent, "waits", "stdout"), "begun\nover\n");
    agent.finish();
    daemon.finish();
}

#[test]
fn containers_that_end_with_their_daemon_are_told_of_when_it_is_back() {
    let Some(mut daemon) = Daemon::start(&["--bridge=none"]) else { return };
    let master = Master::start();
    let agent = daemon.agent(&master, &[]);
    master.run(vec![docker("t", "exec sleep 1000", |_| ())]);
    let pid = pid_of(&master, "t");
    daemon.crash();
    assert!(is_alive(pid));
    assert_eq!(master.states("t"), ["TASK_STARTING", "TASK_RUNNING"]);
    daemon.restart();
    master.await_state("t", "TASK_FAILED");
    assert!(!is_alive(pid));
    master.run(vec![docker("next", "true", |_| ())]);
    master.await_state("next", "TASK_FINISHED");
    agent.finish();
    daemon.finish();
}

#[test]
fn a_container_in_the_daemons_bridge_is_checked_there_and_reached_through_its_port() {
    let Some(daemon) = Daemon::start(&["--bip=10.99.77.1/24"]) else { return };
    let master = Master::start();
    let agent = daemon.agent(&master, &[]);
    let check = |kind, command: Option<&str>| HealthCheck {
        r#type: Some(kind),
        delay_seconds: 0.0,
        interval_seconds: 0.1,
        http: (kind == HealthCheckType::Http).then(|| HttpCheckInfo { port: 8080, ..HttpCheckInfo::default() }),
        command: command.map(|value| CommandInfo { value: Some(value.to_owned()), ..CommandInfo::default() }),
        ..HealthCheck::default()
    };
    let ports = Resource {
        name: "ports".to_owned(),
        r#type: ValueType::Ranges,
        ranges: Some(Ranges { range: vec![Range { begin: 31_000, end: 31_000 }] }),
        ..Resource::default()
    };
    let script = "mkdir /www && echo served > /www/index.html && exec httpd -f -p 8080 -h /www";
    let mut task = docker("web", script, |docker| {
        docker.network = DockerNetwork::Bridge;
        docker.port_mappings = vec![DockerPortMapping { host_port: 31_000, container_port: 8080, protocol: None }];
    });
    task.resources.push(ports);
    task.health_checks =
        vec![check(HealthCheckType::Http, None), check(HealthCheckType::Command, Some("test -e /www/index.html"))];
    master.run(vec![task]);
    let status = master.await_state("web", "TASK_RUNNING").status.container_status.unwrap();
    let address = status.network_infos[0].ip_addresses[0].ip_address.clone().unwrap();
    assert!(address.starts_with("10.99.77."), "{address}");
    eventually("both checks succeed", || {
        let healthy = |update: &attica_core_api::link::StatusUpdate| {
            let results = &update.status.health_results;
            results.len() == 2 && results.iter().all(|result| result.healthy)
        };
        master.heard(|heard| heard.updates.iter().any(healthy).then_some(()))
    });
    let page = eventually("it is reached", || {
        let inside = ["--net", "--target", &daemon.holder.id().to_string(), "busybox", "wget", "-q", "-O", "-"];
        let page = Command::new("nsenter").args(inside).arg("http://127.0.0.1:31000/").output().unwrap();
        page.status.success().then(|| String::from_utf8_lossy(&page.stdout).into_owned())
    });
    assert_eq!(page, "served\n");
    agent.finish();
    daemon.finish();
}

#[test]
fn a_daemon_that_is_away_is_told_of_by_name() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start_with(
        &master,
        tempfile::tempdir().unwrap(),
        format!("attica-test-{}", uuid::Uuid::new_v4()),
        &["--containerizers", "docker", "--docker-socket", "/nowhere/docker.sock"],
    );
    master.await_registration(1);
    master.run(vec![docker("t", "true", |_| ()), shell("plain", "true")]);
    let status = master.await_state("t", "TASK_FAILED").status;
    let told = status.message.unwrap();
    assert!(told.contains("the Docker daemon at /nowhere/docker.sock cannot be reached"), "{told}");
    let status = master.await_state("plain", "TASK_FAILED").status;
    assert!(status.message.unwrap().contains("--containerizers is `docker`"));
    agent.finish();
}

//! Custom executors: real ones, and requests as a real one was recorded to send them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use attica_core_api::v1::{
    CommandInfo, ContainerInfo, ContainerType, ExecutorInfo, ExecutorType, FrameworkInfo, RLimit, RLimitInfo,
    RLimitType, SandboxPathType, SandboxPathVolume, TaskInfo, TaskStatusReason, Volume, VolumeMode, VolumeSource,
    VolumeSourceType,
};
use serde_json::{Value, json};

use crate::agent::{Agent, get, scalar, shell};
use crate::master::{AGENT, FRAMEWORK, Master};
use crate::ports::own_port;
use crate::support::{PATIENCE, can_isolate, eventually, is_alive, pids};

/// The example of an executor, which is built together with the tests.
pub fn example() -> String {
    let tests = std::env::current_exe().unwrap();
    let example = tests.parent().unwrap().parent().unwrap().join("examples/agents_executor");
    assert!(example.exists(), "{} is built with the tests", example.display());
    example.to_str().unwrap().to_owned()
}

pub fn task(id: &str, executor: &str, command: &str, script: &str) -> TaskInfo {
    let executor = ExecutorInfo {
        executor_id: executor.into(),
        command: Some(CommandInfo { value: Some(command.to_owned()), ..CommandInfo::default() }),
        resources: vec![scalar("cpus", 0.1), scalar("mem", 32.0)],
        ..ExecutorInfo::default()
    };
    TaskInfo {
        name: id.to_owned(),
        task_id: id.into(),
        agent_id: AGENT.into(),
        resources: vec![scalar("cpus", 0.1), scalar("mem", 32.0)],
        executor: Some(Box::new(executor)),
        data: (!script.is_empty()).then(|| script.to_owned().into()),
        ..TaskInfo::default()
    }
}

pub fn framework(checkpoint: bool) -> FrameworkInfo {
    FrameworkInfo { name: "test".to_owned(), user: "root".to_owned(), checkpoint, ..FrameworkInfo::default() }
}

fn process_of(program: &str) -> Option<i32> {
    pids().find(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(program.as_bytes()))
    })
}

#[test]
fn an_executor_runs_several_tasks_through_a_restart_of_the_agent() {
    let master = Master::start();
    // Executors look for a restarted agent where it was.
    let port = own_port().to_string();
    let cgroups_root = format!("attica-test-{}", uuid::Uuid::new_v4());
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), cgroups_root, &["--port", &port]);
    master.await_registration(1);
    // A name of its own, to find its process by.
    let program = agent.work_dir().join("executor");
    std::fs::copy(example(), &program).unwrap();
    let program = program.to_str().unwrap().to_owned();
    let run = |id: &str, script: &str| master.run_for(framework(true), vec![task(id, "e", &program, script)]);
    run("long", "exec sleep 1000");
    run("short", "echo done");
    master.await_state("long", "TASK_RUNNING");
    let finished = master.await_state("short", "TASK_FINISHED");
    assert_eq!(finished.status.executor_id, Some("e".into()));
    let stdout = agent.sandbox("e").join("stdout");
    eventually("its output is in the executor's sandbox", || {
        std::fs::read_to_string(&stdout).ok().filter(|text| text.contains("done"))
    });
    let executor = process_of(&program).unwrap();
    let (_, metrics) = get(&master, &agent.ready_address(), "/metrics/snapshot");
    let metrics: Value = serde_json::from_str(&metrics).unwrap();
    assert_eq!((&metrics["slave/executors_running"], &metrics["slave/tasks_running"]), (&json!(1.0), &json!(1.0)));

    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    let reported = master.heard(|heard| heard.registrations[1].executors.clone());
    assert_eq!(reported.iter().map(|report| report.executor_id.as_str()).collect::<Vec<_>>(), ["e"]);
    run("later", "exit 3");
    assert_eq!(master.await_state("later", "TASK_FAILED").status.message.as_deref(), Some("exit status: 3"));
    assert_eq!(process_of(&program), Some(executor), "it is the same one");
    assert_eq!(master.states("long"), ["TASK_RUNNING"]);

    master.message("e", b"hello");
    let echo = || master.heard(|heard| heard.messages.first().cloned());
    assert_eq!(eventually("an echo comes", echo).data, "hello");
    master.kill("long", None);
    master.await_state("long", "TASK_KILLED");
    master.shutdown_executor("e");
    let exited = || master.heard(|heard| heard.exited.first().cloned());
    let exited = eventually("it has ended", exited);
    assert_eq!((exited.executor_id.as_str(), exited.status), ("e", Some(0)));
    assert!(!is_alive(executor));
    agent.finish();
}

#[test]
fn tasks_of_an_executor_that_ends_or_cannot_be_started_are_failed() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![task("ends", "one", "exit 7", ""), task("missing", "two", "exec /nowhere/to/be/found", "")]);
    let reason = |id: &str| {
        let status = master.await_state(id, "TASK_FAILED").status;
        (status.reason.unwrap(), status.message.unwrap())
    };
    let terminated = TaskStatusReason::ExecutorTerminated;
    let told = |text: &str| format!("Abnormal executor termination: {text}");
    assert_eq!(reason("ends"), (terminated, told("Command exited with status 7")));
    assert_eq!(reason("missing"), (terminated, told("Command exited with status 127")));
    // The others had as long as they needed to end by themselves.
    let agent = agent.crash_and_become(&master, |_program, extra| {
        *extra = ["--executor-registration-timeout-ms", "200"].map(str::to_owned).to_vec();
    });
    master.await_registration(2);
    master.run(vec![task("silent", "three", "exec sleep 1000", "")]);
    let (late, message) = reason("silent");
    assert_eq!(
        (late, message.as_str()),
        (TaskStatusReason::ExecutorRegistrationTimeout, "Executor did not register within 200ms")
    );
    agent.finish();
}

/// Mounted at `at`, of the machine.
fn of_machine(at: &str, host_path: &Path, mode: VolumeMode) -> Volume {
    let host_path = Some(host_path.to_str().unwrap().to_owned());
    Volume { mode, container_path: at.to_owned(), host_path, ..Volume::default() }
}

/// Mounted at `at`, of what the executor's container has.
fn of_parent(at: &str, path: &str) -> Volume {
    let sandbox_path = Some(SandboxPathVolume { r#type: Some(SandboxPathType::Parent), path: path.to_owned() });
    let source = VolumeSource { r#type: Some(VolumeSourceType::SandboxPath), sandbox_path, ..VolumeSource::default() };
    Volume { mode: VolumeMode::ReadWrite, container_path: at.to_owned(), source: Some(source), ..Volume::default() }
}

fn with_volumes(volumes: Vec<Volume>) -> Option<Box<ContainerInfo>> {
    Some(Box::new(ContainerInfo { r#type: ContainerType::Mesos, volumes, ..ContainerInfo::default() }))
}

#[test]
fn tasks_of_a_group_find_the_volumes_of_their_executor_as_their_parents() {
    if !can_isolate() {
        return;
    }
    let machine = tempfile::tempdir().unwrap();
    let (shared, fixed) = (machine.path().join("shared"), machine.path().join("fixed"));
    for directory in [&shared, &fixed] {
        std::fs::create_dir(directory).unwrap();
    }
    let master = Master::start();
    let cgroups = format!("attica-test-{}", uuid::Uuid::new_v4());
    let allowed = ["--host-path-volume-allow-list", machine.path().to_str().unwrap()];
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), cgroups, &allowed);
    master.await_registration(1);
    let mut own = of_parent("scratch", "inner");
    own.source.as_mut().unwrap().sandbox_path.as_mut().unwrap().r#type = Some(SandboxPathType::Itself);
    let volumes = vec![
        of_machine("data", &shared, VolumeMode::ReadWrite),
        of_machine("constant", &fixed, VolumeMode::ReadOnly),
        own,
    ];
    let executor = |id: &str, volumes| ExecutorInfo {
        executor_id: id.into(),
        r#type: Some(ExecutorType::Default),
        container: with_volumes(volumes),
        ..ExecutorInfo::default()
    };
    let task = |id: &str, script: &str, volumes| TaskInfo { container: with_volumes(volumes), ..shell(id, script) };
    let writes = "echo hello > in/file; echo own > own/file";
    let reads =
        "until grep hello seen/file && grep own deep/own/file; do sleep 0.05; done; touch fixed/no || echo kept";
    master.run_group(
        executor("pod", volumes),
        vec![
            task("writes", writes, vec![of_parent("in", "data"), of_parent("own", "scratch")]),
            task(
                "reads",
                reads,
                vec![of_parent("seen", "data"), of_parent("deep/own", "scratch"), of_parent("fixed", "constant")],
            ),
        ],
    );
    master.await_state("writes", "TASK_FINISHED");
    master.await_state("reads", "TASK_FINISHED");
    assert_eq!(std::fs::read_to_string(shared.join("file")).unwrap(), "hello\n");
    assert_eq!(std::fs::read_to_string(agent.sandbox("pod").join("inner/file")).unwrap(), "own\n");
    assert!(!fixed.join("no").exists());
    let elsewhere = of_machine("data", Path::new("/etc"), VolumeMode::ReadOnly);
    master.run_group(executor("other", vec![elsewhere]), vec![shell("refused", "true")]);
    let message = master.await_state("refused", "TASK_FAILED").status.message.unwrap();
    assert!(message.contains("--host-path-volume-allow-list"), "{message}");
    agent.finish();
}

#[test]
fn a_group_runs_in_one_sandbox_and_ends_with_its_first_failure() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let executor =
        ExecutorInfo { executor_id: "pod".into(), r#type: Some(ExecutorType::Default), ..ExecutorInfo::default() };
    let waits = shell("waits", "exec sleep 1000");
    let source = VolumeSource {
        r#type: Some(VolumeSourceType::SandboxPath),
        sandbox_path: Some(SandboxPathVolume { r#type: Some(SandboxPathType::Parent), path: "shared".to_owned() }),
        ..VolumeSource::default()
    };
    let volume = Volume {
        mode: VolumeMode::ReadWrite,
        container_path: "in/common".to_owned(),
        source: Some(source),
        ..Volume::default()
    };
    let limit = RLimit { r#type: Some(RLimitType::Nofile), soft: Some(77), hard: Some(88) };
    let container = ContainerInfo {
        r#type: ContainerType::Mesos,
        volumes: vec![volume],
        rlimit_info: Some(RLimitInfo { rlimits: vec![limit] }),
        ..ContainerInfo::default()
    };
    let fails = TaskInfo {
        container: Some(Box::new(container)),
        ..shell("fails", "ulimit -n > in/common/files; until test -e ../../go; do sleep 0.02; done; exit 3")
    };
    master.run_group(executor, vec![waits, fails]);
    let running = master.await_state("waits", "TASK_RUNNING");
    master.await_state("fails", "TASK_RUNNING");
    let container = running.status.container_status.unwrap().container_id.unwrap();
    let run = agent.sandbox("pod");
    assert!(std::fs::canonicalize(&run).unwrap().ends_with(&container.parent.as_ref().unwrap().0.value));
    assert!(run.join("containers").join(&container.value).join("stdout").exists());
    let (_, state) = get(&master, &agent.ready_address(), "/state");
    let state: Value = serde_json::from_str(&state).unwrap();
    let shown = &state["frameworks"][0]["executors"][0];
    assert_eq!((shown["id"].as_str(), shown["tasks"].as_array().map(Vec::len)), (Some("pod"), Some(2)), "{state}");
    let shown = |path: &str| -> Value { serde_json::from_str(&get(&master, &agent.ready_address(), path).1).unwrap() };
    let whole = &container.parent.as_ref().unwrap().0.value;
    let containers = shown("/containers");
    let ids = |containers: &Value| -> Vec<Value> {
        containers.as_array().unwrap().iter().map(|container| container["container_id"].clone()).collect()
    };
    assert_eq!(ids(&containers), [json!(whole)], "the executor's alone");
    assert_eq!((&containers[0]["executor_id"], &containers[0]["executor_name"]), (&json!("pod"), &json!("")));
    assert_eq!(containers[0]["status"], json!({ "container_id": { "value": whole } }), "it has no process");
    let statistics = shown("/monitor/statistics");
    assert_eq!(statistics.as_array().map(Vec::len), Some(1), "{statistics}");
    let used = &statistics[0]["statistics"];
    assert_eq!((&used["mem_limit_bytes"], used["processes"].as_u64().unwrap() >= 2), (&json!(128 << 20), true));
    let nested = shown("/containers?show_nested=true");
    assert_eq!((ids(&nested).len(), &nested[1]["executor_name"]), (3, &json!("")), "{nested}");
    assert!(ids(&nested)[1..].contains(&json!(format!("{whole}.{}", container.value))), "{nested}");
    let files = eventually("the volume is written to", || {
        std::fs::read_to_string(run.join("shared/files")).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(files, "77\n");
    std::fs::write(run.join("go"), "").unwrap();
    assert_eq!(master.await_state("fails", "TASK_FAILED").status.executor_id, Some("pod".into()));
    master.await_state("waits", "TASK_KILLED");
    eventually("the executor is over", || master.heard(|heard| heard.exited.first().cloned()));
    agent.finish();
}

/// A connection that speaks HTTP/1.1 by hand.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection(BufReader::new(stream))
    }

    /// Sends a request; the status and the headers of the answer.
    fn send(&mut self, method: &str, headers: &str, body: &str) -> (u16, BTreeMap<String, String>) {
        let length = body.len();
        let request =
            format!("{method} /api/v1/executor HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = BTreeMap::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { return (status, answer) };
            answer.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// One chunk, which holds one record.
    fn event(&mut self) -> Value {
        let length = usize::from_str_radix(&self.line(), 16).unwrap();
        let chunk = self.bytes(length);
        self.line();
        let (size, record) = std::str::from_utf8(&chunk).unwrap().split_once('\n').unwrap();
        assert_eq!(size.parse::<usize>().unwrap(), record.len());
        serde_json::from_str(record).unwrap()
    }
}

const JSON: &str = "Content-Type: application/json\r\nAccept: application/json\r\n";

fn call(address: &str, body: &Value) -> (u16, String) {
    let mut connection = Connection::open(address);
    let (status, headers) = connection.send("POST", JSON, &body.to_string());
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    (status, String::from_utf8(connection.bytes(length)).unwrap())
}

fn of(kind: &str, executor: &str, member: Value) -> Value {
    let mut call =
        json!({ "framework_id": { "value": FRAMEWORK }, "executor_id": { "value": executor }, "type": kind });
    call[kind.to_lowercase()] = member;
    call
}

/// What was recorded: events by type, and the environment's names.
struct Recording {
    events: BTreeMap<String, Value>,
    environment: BTreeSet<String>,
}

fn recording() -> Option<Recording> {
    let shared = std::env::var("ATTICA_SHARED")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    let path = shared.join("data/mesos/executor-v1-json-session.txt");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: there is no recording at {}", path.display());
        return None;
    };
    let mut recording = Recording { events: BTreeMap::new(), environment: BTreeSet::new() };
    for section in text.split("##### ") {
        let (title, body) = section.split_once('\n').unwrap_or((section, ""));
        if title.starts_with("EVENT") {
            let event: Value = serde_json::from_str(body.trim()).unwrap();
            recording.events.insert(event["type"].as_str().unwrap().to_owned(), event);
        } else if title.starts_with("ENVIRONMENT") {
            recording.environment = body.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
        }
    }
    Some(recording)
}

/// Where the shapes of two documents differ: names, types, presence. What hangs on what the test launches is left out.
fn differences(path: &str, recorded: &Value, ours: &Value, found: &mut Vec<String>) {
    let by_what_is_launched = ["resources", "attributes", "command", "capabilities", "roles"];
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            for name in recorded.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
                let path = format!("{path}.{name}");
                match (recorded.get(name), ours.get(name)) {
                    _ if by_what_is_launched.contains(&name.as_str()) => {}
                    (Some(recorded), Some(ours)) => differences(&path, recorded, ours, found),
                    (Some(_), None) => found.push(format!("{path} is missing")),
                    (None, _) => found.push(format!("{path} is new")),
                }
            }
        }
        (recorded, ours) if std::mem::discriminant(recorded) != std::mem::discriminant(ours) => {
            found.push(format!("{path} is of another type"));
        }
        _ => {}
    }
}

#[test]
fn a_recorded_conversation_goes_the_same_way() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let address = agent.ready_address();
    assert_eq!(call(&address, &of("SUBSCRIBE", "custom", json!({}))), (400, "Framework cannot be found".to_owned()));
    let start =
        |id: &str| master.run(vec![task(id, "custom", "env > draft; mv draft environment; exec sleep 1000", "")]);
    start("cx-1");
    start("cx-2");
    let environment = agent.sandbox("custom").join("environment");
    let environment = eventually("the executor runs", || std::fs::read_to_string(&environment).ok());
    assert_eq!(call(&address, &of("SUBSCRIBE", "other", json!({}))), (400, "Executor cannot be found".to_owned()));
    assert_eq!(
        call(&address, &of("MESSAGE", "custom", json!({ "data": "" }))),
        (403, "Executor is not subscribed".to_owned())
    );

    let mut stream = Connection::open(&address);
    let subscribe = of("SUBSCRIBE", "custom", json!({ "unacknowledged_tasks": [], "unacknowledged_updates": [] }));
    let (status, headers) = stream.send("POST", JSON, &subscribe.to_string());
    assert_eq!(
        (status, headers["content-type"].as_str(), headers["transfer-encoding"].as_str()),
        (200, "application/json", "chunked")
    );
    let mut events = vec![stream.event(), stream.event(), stream.event()];
    let update = |id: &str, state: &str, uuid: &str| {
        let status = json!({ "task_id": { "value": id }, "executor_id": { "value": "custom" }, "state": state,
            "source": "SOURCE_EXECUTOR", "uuid": uuid, "timestamp": 1_795_251_215.6 });
        call(&address, &of("UPDATE", "custom", json!({ "status": status })))
    };
    assert_eq!(update("cx-1", "TASK_RUNNING", "zMEj/6UCR6SAv2ZTz5cL+w=="), (202, String::new()));
    events.push(stream.event());
    master.await_state("cx-1", "TASK_RUNNING");
    master.message("custom", b"ping");
    events.push(stream.event());
    assert_eq!(call(&address, &of("MESSAGE", "custom", json!({ "data": "cGluZw==" }))), (202, String::new()));
    let heard = || master.heard(|heard| heard.messages.first().map(|message| message.data.clone()));
    assert_eq!(eventually("the message arrives", heard), "ping");
    master.kill("cx-1", None);
    events.push(stream.event());
    update("cx-1", "TASK_KILLED", "qEgaEw5qSF66fbdB849OyQ==");
    stream.event();
    assert_eq!(update("cx-2", "TASK_STAGING", "qEgaEw5qSF66fbdB849OyQ==").0, 400);
    assert_eq!(call(&address, &of("HEARTBEAT", "custom", Value::Null)), (202, String::new()));
    master.shutdown_executor("custom");
    events.push(stream.event());
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["SUBSCRIBED", "LAUNCH", "LAUNCH", "ACKNOWLEDGED", "MESSAGE", "KILL", "SHUTDOWN"]);

    for (method, headers, status) in [
        ("GET", JSON, 405),
        ("POST", "Content-Type: text/plain\r\n", 415),
        ("POST", "Accept: application/json\r\n", 400),
        ("POST", "Content-Type: application/json\r\nAccept: image/png\r\n", 406),
    ] {
        let body = if method == "GET" { String::new() } else { subscribe.to_string() };
        assert_eq!(Connection::open(&address).send(method, headers, &body).0, status, "{method} {headers}");
    }
    agent.finish();

    let Some(recording) = recording() else { return };
    let mut found = Vec::new();
    for event in &events {
        let kind = event["type"].as_str().unwrap();
        differences(kind, &recording.events[kind], event, &mut found);
    }
    // Ours has no failover time-out, which this test's framework does not have either.
    found.retain(|difference| difference != "SUBSCRIBED.subscribed.framework_info.failover_timeout is missing");
    assert_eq!(found, Vec::<String>::new());
    let ours: BTreeSet<String> =
        environment.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    assert_eq!(recording.environment.difference(&ours).collect::<Vec<_>>(), Vec::<&String>::new());
}

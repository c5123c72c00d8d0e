//! Files that the agent fetches for tasks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use attica_core_api::v1::{CommandUri, TaskInfo, TaskStatusReason};
use serde_json::json;

use crate::agent::{Agent, scalar, shell};
use crate::master::Master;
use crate::nested;
use crate::support::{can_isolate, eventually};

/// Serves `/file` (200), `/away` (redirects to /file), `/stalls` (begins and goes no further), `/breaks` (ends too early), `/endless`; counts requests.
struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
}

const CONTENTS: &[u8] = b"#!/bin/sh\necho fetched\n";

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counter.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || serve(stream));
            }
        });
        Server { address, requests }
    }

    fn uri(&self, path: &str) -> CommandUri {
        CommandUri { value: format!("{}{path}", self.address), ..CommandUri::default() }
    }
}

fn serve(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\nLocation: /file\r\n\r\n")
            .into_bytes()
    };
    let path = request.split(' ').nth(1).unwrap_or_default();
    let answer = match path {
        "/file" | "/tool" => [head("200 OK", CONTENTS.len()), CONTENTS.to_vec()].concat(),
        "/away" => head("302 Found", 0),
        "/stalls" | "/breaks" => [head("200 OK", 1_000), b"begun".to_vec()].concat(),
        "/endless" => Vec::new(),
        _ => head("404 Not Found", 0),
    };
    // Nobody may listen any more.
    let _gone = stream.write_all(&answer);
    if path == "/endless" {
        let _more = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[0; 64 << 10]).is_ok() {}
    }
    if path == "/stalls" {
        let _until_the_end = stream.read_to_end(&mut Vec::new());
    }
}

fn wanting(task: &str, script: &str, uris: Vec<CommandUri>) -> TaskInfo {
    let mut task = shell(task, script);
    task.command.as_mut().unwrap().uris = uris;
    task
}

fn agent(master: &Master) -> Agent {
    let cgroups = format!("attica-test-{}", uuid::Uuid::new_v4());
    let extra = ["--fetcher-allowed-networks", "127.0.0.0/8"];
    let agent = Agent::start_with(master, tempfile::tempdir().unwrap(), cgroups, &extra);
    master.await_registration(1);
    agent
}

fn message(master: &Master, task: &str) -> String {
    let update = master.await_state(task, "TASK_FAILED");
    assert_eq!(update.status.reason, Some(TaskStatusReason::ContainerLaunchFailed));
    update.status.message.unwrap()
}

/// A gzipped tar file of one executable file.
fn archive(at: &Path) {
    let encoder = flate2::write::GzEncoder::new(std::fs::File::create(at).unwrap(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o4755);
    header.set_size(CONTENTS.len() as u64);
    builder.append_data(&mut header, "bin/tool", CONTENTS).unwrap();
    builder.into_inner().unwrap().finish().unwrap();
}

#[test]
fn files_are_in_the_sandbox_before_the_task_starts() {
    let master = Master::start();
    let server = Server::start();
    let agent = agent(&master);
    let files = tempfile::tempdir().unwrap();
    std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let packed = files.path().join("packed.tar.gz");
    archive(&packed);
    let local = |path: &Path| CommandUri { value: format!("file://{}", path.display()), ..CommandUri::default() };
    let executable =
        CommandUri { executable: Some(true), output_file: Some("tools/run".to_owned()), ..server.uri("/away") };
    let whole = CommandUri { extract: false, output_file: Some("whole.tar.gz".to_owned()), ..local(&packed) };
    let uris = vec![server.uri("/file"), executable, local(&packed), whole];
    let script =
        "test -f file && ! test -x file && ./tools/run && ./bin/tool && test -f whole.tar.gz && ! test -u bin/tool";
    master.run(vec![wanting("takes", script, uris)]);
    master.await_state("takes", "TASK_FINISHED");
    let sandbox = agent.sandbox("takes");
    assert_eq!(std::fs::read_to_string(sandbox.join("stdout")).unwrap(), "fetched\nfetched\n");
    let (own, file) = (std::fs::metadata(&sandbox).unwrap(), std::fs::metadata(sandbox.join("bin/tool")).unwrap());
    assert_eq!((own.uid(), own.gid()), (file.uid(), file.gid()));
    assert_eq!(std::fs::read_dir(agent.work_dir().join("fetch")).unwrap().count(), 0);
    agent.finish();
}

#[test]
fn what_cannot_be_fetched_fails_the_task_with_the_cause() {
    let master = Master::start();
    let server = Server::start();
    let agent = agent(&master);
    let uri = |value: &str| CommandUri { value: value.to_owned(), ..CommandUri::default() };
    let files = tempfile::tempdir().unwrap();
    let hostile = files.path().join("hostile.tar");
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..7].copy_from_slice(b"../evil");
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    std::fs::write(&hostile, header.as_bytes()).unwrap();
    std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let cases = [
        ("absent", server.uri("/absent"), "status 404"),
        ("breaks", server.uri("/breaks"), "the answer breaks off"),
        ("private", uri("http://169.254.169.254/latest"), "--fetcher-allowed-networks"),
        ("missing", uri("/no/such/file"), "No such file"),
        ("device", uri("/dev/zero"), "not a file"),
        ("hostile", uri(hostile.to_str().unwrap()), "leads out"),
    ];
    master.run(cases.iter().map(|(task, uri, _)| wanting(task, "true", vec![uri.clone()])).collect());
    let counted = |agent: &Agent, figure: &str| {
        let metrics = crate::agent::get(&master, &agent.ready_address(), "/metrics/snapshot").1;
        let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
        metrics[format!("containerizer/fetcher/{figure}")].as_f64().unwrap()
    };
    let fails = |task: &str, uri: &CommandUri, cause: &str| {
        let message = message(&master, task);
        assert!(message.contains(&uri.value) && message.contains(cause), "{task}: {message}");
    };
    cases.iter().for_each(|(task, uri, cause)| fails(task, uri, cause));
    assert_eq!(counted(&agent, "task_fetches_failed"), cases.len() as f64);
    assert!(!agent.sandbox("hostile").join("../evil").exists());
    // Only one that nothing comes from is to be given up soon.
    let agent = agent.crash_and_become(&master, |_program, extra| {
        extra.extend(["--fetcher-stall-timeout", "1secs"].map(str::to_owned));
    });
    master.await_registration(2);
    let stalls = server.uri("/stalls");
    master.run(vec![wanting("stalls", "true", vec![stalls.clone()])]);
    fails("stalls", &stalls, "nothing came for 1 s");
    let cached = CommandUri { cache: Some(true), ..server.uri("/file") };
    master.run(vec![wanting("cached", "true", vec![cached])]);
    master.await_state("cached", "TASK_FINISHED");
    let figures = ["task_fetches_failed", "task_fetches_succeeded", "cache_size_used_bytes", "cache_size_total_bytes"];
    let fetched = std::fs::metadata(agent.sandbox("cached").join("file")).unwrap().len();
    assert_eq!(figures.map(|figure| counted(&agent, figure)), [1.0, 1.0, fetched as f64, f64::from(1_u32 << 31)]);
    eventually("nothing is left of it", || {
        (std::fs::read_dir(agent.work_dir().join("fetch")).unwrap().count() == 0).then_some(())
    });
    agent.finish();
}

#[test]
fn what_is_longer_than_the_disk_of_a_task_is_not_downloaded() {
    let master = Master::start();
    let server = Server::start();
    let cgroups = format!("attica-test-{}", uuid::Uuid::new_v4());
    let extra =
        ["--fetcher-allowed-networks", "127.0.0.0/8", "--isolation", "disk/du", "--enforce-container-disk-quota"];
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), cgroups, &extra);
    master.await_registration(1);
    let mut task = wanting("task", "true", vec![server.uri("/file"), server.uri("/endless")]);
    task.resources.push(scalar("disk", 2.0));
    master.run(vec![task]);
    let room = (2 << 20) - CONTENTS.len();
    let told = format!("/endless`: the answer is longer than the {room} bytes that there is room for");
    let message = message(&master, "task");
    assert!(message.contains(&told), "{message}");
    eventually("nothing is left of it", || {
        (std::fs::read_dir(agent.work_dir().join("fetch")).unwrap().count() == 0).then_some(())
    });
    agent.finish();
}

#[test]
fn a_cached_file_is_downloaded_once() {
    let master = Master::start();
    let server = Server::start();
    let agent = agent(&master);
    let cached = CommandUri { cache: Some(true), ..server.uri("/file") };
    let tasks: Vec<TaskInfo> =
        (0..3).map(|task| wanting(&format!("t{task}"), "grep -q fetched file", vec![cached.clone()])).collect();
    master.run(tasks);
    for task in ["t0", "t1", "t2"] {
        master.await_state(task, "TASK_FINISHED");
    }
    assert_eq!(server.requests.load(Ordering::Relaxed), 1);
    agent.finish();
}

#[test]
fn containers_of_operators_have_their_files_before_they_start() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let server = Server::start();
    let agent = agent(&master);
    master.run(vec![shell("t", "exec sleep 1000")]);
    let whole = nested::container(&master, "t");
    let address = agent.ready_address();
    let launch = |name: &str, uri: &str| {
        let uri = json!({ "value": format!("{}{uri}", server.address), "executable": true });
        let command = json!({ "value": "./tool", "uris": [uri] });
        let launch = json!({ "container_id": nested::within(&whole, name), "command": command });
        nested::call(&master, &address, &nested::member("LAUNCH_CONTAINER", launch))
    };
    assert_eq!(launch("good", "/tool"), (200, String::new()));
    assert_eq!(nested::exit_status(&master, &address, &nested::within(&whole, "good")), 0);
    let sandbox = agent.sandbox("t").canonicalize().unwrap();
    assert_eq!(std::fs::read_to_string(sandbox.join("containers/good/stdout")).unwrap(), "fetched\n");
    let (status, text) = launch("bad", "/missing");
    assert!(status == 500 && text.contains("404"), "{status} {text}");
    agent.finish();
}

#[test]
fn a_kill_and_a_restart_of_the_agent_while_something_is_fetched() {
    let master = Master::start();
    let server = Server::start();
    let cgroups = format!("attica-test-{}", uuid::Uuid::new_v4());
    let extra = ["--fetcher-allowed-networks", "127.0.0.0/8"];
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), cgroups, &extra);
    master.await_registration(1);
    master.run(vec![wanting("t", "true", vec![server.uri("/stalls")])]);
    let requested =
        |count| eventually("it is asked for", || (server.requests.load(Ordering::Relaxed) == count).then_some(()));
    requested(1);
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    requested(2);
    master.kill("t", None);
    master.await_state("t", "TASK_KILLED");
    eventually("nothing is left of it", || {
        (std::fs::read_dir(agent.work_dir().join("fetch")).unwrap().count() == 0).then_some(())
    });
    agent.finish();
}

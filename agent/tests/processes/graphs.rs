//! Tasks that are a graph of processes, with real ones.

use std::path::Path;

use attica_core_api::v1::{
    CommandInfo, HttpLifecycle, LogDestination, ProcessGraph, ProcessInfo, ProcessLogger, ProcessOrder, ProcessState,
    TaskInfo, TaskStatusReason,
};

use crate::agent::{Agent, shell};
use crate::master::Master;
use crate::ports::own_port;
use crate::support::{can_isolate, eventually, is_alive, kill_hard};

pub fn process(name: &str, line: &str) -> ProcessInfo {
    ProcessInfo { name: name.to_owned(), command_line: line.to_owned(), ..ProcessInfo::default() }
}

pub fn graph(task: &str, processes: Vec<ProcessInfo>, orders: &[&[&str]]) -> TaskInfo {
    let order = |names: &&[&str]| ProcessOrder { order: names.iter().map(|name| (*name).to_owned()).collect() };
    let graph = ProcessGraph { processes, orders: orders.iter().map(order).collect(), ..ProcessGraph::default() };
    let command = Some(CommandInfo::default());
    TaskInfo { command, processes: Some(Box::new(graph)), ..shell(task, "") }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn number(path: &Path) -> i32 {
    eventually("a process says its number", || text(path).trim().parse().ok())
}

#[test]
fn a_whole_task_from_its_first_process_to_its_final_one() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let console = Some(ProcessLogger { destination: LogDestination::Both, rotation: None });
    let processes = vec![
        process("install", "echo 'export WHAT=world' > .thermos_profile; echo installed"),
        ProcessInfo { logger: console, ..process("greet", "echo hello $WHAT in $HOME") },
        ProcessInfo {
            max_failures: 3,
            min_duration_seconds: 0.0,
            ..process("flaky", "echo x >> tries; [ $(wc -l < tries) = 3 ]")
        },
        ProcessInfo { ephemeral: true, ..process("beside", "exec sleep 1000") },
        ProcessInfo { r#final: true, ..process("goodbye", "cat .logs/greet/0/stdout") },
    ];
    master.run(vec![graph("t", processes, &[&["install", "greet"], &["install", "flaky"]])]);
    let status = master.await_state("t", "TASK_FINISHED").status;
    assert_eq!(status.message.as_deref(), Some("Task finished."));
    let sandbox = agent.sandbox("t");
    let logs = |path: &str| text(&sandbox.join(".logs").join(path));
    assert_eq!(logs("install/0/stdout"), "installed\n");
    let hello = format!("hello world in {}\n", sandbox.canonicalize().unwrap().display());
    assert_eq!(
        [logs("greet/0/stdout"), text(&sandbox.join("stdout")), logs("goodbye/0/stdout")],
        [(); 3].map(|()| hello.clone())
    );
    assert!(sandbox.join(".logs/flaky/2").is_dir() && !sandbox.join(".logs/flaky/3").exists());
    let told: Vec<_> = status.processes.iter().map(|it| (it.name.as_str(), it.state, it.runs, it.failures)).collect();
    assert_eq!(
        told,
        [
            ("install", ProcessState::Success, 1, 0),
            ("greet", ProcessState::Success, 1, 0),
            ("flaky", ProcessState::Success, 3, 2),
            ("beside", ProcessState::Killed, 1, 0),
            ("goodbye", ProcessState::Success, 1, 0),
        ]
    );
    agent.finish();
}

#[test]
fn neither_agent_nor_launcher_is_missed_by_a_running_graph() {
    let master = Master::start();
    let mut agent = Agent::start(&master);
    master.await_registration(1);
    let daemon = ProcessInfo { daemon: true, ..process("daemon", "echo $$ > daemon.pid; exec sleep 1000") };
    let steps = ["first", "second", "third"]
        .map(|name| process(name, &format!("echo {name} >> order; while [ ! -e {name}.go ]; do sleep 0.02; done")));
    let processes = steps.into_iter().chain([daemon]).collect();
    master.run(vec![graph("t", processes, &[&["first", "second", "third"]])]);
    master.await_state("t", "TASK_RUNNING");
    let sandbox = agent.sandbox("t");
    let daemon = number(&sandbox.join("daemon.pid"));
    eventually("the first runs", || (text(&sandbox.join("order")) == "first\n").then_some(()));
    kill_hard(agent.launcher_pid());
    agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    std::fs::write(sandbox.join("first.go"), "").unwrap();
    eventually("the second runs", || (text(&sandbox.join("order")) == "first\nsecond\n").then_some(()));
    agent = agent.crash_and_restart(&master);
    std::fs::write(sandbox.join("second.go"), "").unwrap();
    master.await_registration(3);
    eventually("the third runs", || text(&sandbox.join("order")).ends_with("third\n").then_some(()));
    assert_eq!(text(&sandbox.join("order")), "first\nsecond\nthird\n");
    assert!(is_alive(daemon), "nothing of it was begun anew");
    master.kill("t", None);
    let killed = master.await_state("t", "TASK_KILLED").status;
    assert_eq!(killed.message.as_deref(), Some("Task killed."));
    assert!(!is_alive(daemon));
    agent.finish();
}

#[test]
fn a_task_is_asked_to_end_before_it_is_made_to() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let server = "exec python3 -uc 'import http.server\n\
        class Handler(http.server.BaseHTTPRequestHandler):\n\
        \x20 def do_POST(self):\n\
        \x20   print(self.path); self.send_response(200); self.end_headers()\n\
        \x20   if self.path == \"/abortabortabort\": self.wfile.flush(); import os; os._exit(0)\n\
        server = http.server.HTTPServer((\"127.0.0.1\", 0), Handler)\n\
        open(\"port\", \"w\").write(str(server.server_port) + \"\\n\")\n\
        server.serve_forever()'";
    let port = own_port();
    let mut task =
        graph("t", vec![process("server", &server.replace("127.0.0.1\", 0", &format!("127.0.0.1\", {port}")))], &[]);
    let lifecycle = HttpLifecycle {
        port: port.into(),
        graceful_shutdown_wait_seconds: 0.2,
        shutdown_wait_seconds: 60.0,
        ..HttpLifecycle::default()
    };
    task.processes.as_mut().unwrap().lifecycle = Some(lifecycle);
    master.run(vec![task]);
    let sandbox = agent.sandbox("t");
    eventually("it listens", || sandbox.join("port").exists().then_some(()));
    master.kill("t", None);
    let status = master.await_state("t", "TASK_KILLED").status;
    assert_eq!(text(&sandbox.join(".logs/server/0/stdout")), "/quitquitquit\n/abortabortabort\n");
    assert_eq!(status.processes[0].exit_code, Some(0));
    agent.finish();
}

/// The limit is that of all processes together.
#[test]
fn what_one_process_takes_of_the_memory_is_the_tasks() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let hog = process("hog", "exec python3 -c 'x = bytearray(200 << 20); import time; time.sleep(1000)'");
    master.run(vec![graph("t", vec![process("calm", "exec sleep 1000"), hog], &[])]);
    let status = master.await_state("t", "TASK_FAILED").status;
    assert_eq!(status.reason, Some(TaskStatusReason::ContainerLimitationMemory), "{status:?}");
    agent.finish();
}

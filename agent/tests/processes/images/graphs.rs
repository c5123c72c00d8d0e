//! Tasks of processes whose root is made from an image.

use super::registry::{Access, File, Registry, busybox, can_pull, layer};
use super::{finished, on_mesos, start, web};
use crate::graphs::{graph, process};

#[test]
fn processes_share_a_root_a_sandbox_and_what_isolation_gives() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    // Processes are run by bash, which an image of theirs has to have.
    let more = [File::Text("bin/bash", "#!/bin/sh\nexec sh \"$@\"\n"), File::Link("bin/mkdir", "busybox")];
    registry.push("app", "1", &[busybox(), layer(&more)], web());
    let (master, agent) = start(&["--isolation", "namespaces/pid,linux/nnp"]);
    let processes = vec![
        process("write", "test ! -e /root && echo $FROM_IMAGE > file; id -u"),
        process("read", "cat file; pwd; echo $HOME; test $(cat /proc/1/comm) = attica-holder"),
    ];
    let task = on_mesos(graph("t", processes, &[&["write", "read"]]), &registry.image("app:1"));
    master.run(vec![task]);
    finished(&master, &agent, "t");
    let logs = |path: &str| std::fs::read_to_string(agent.sandbox("t").join(".logs").join(path)).unwrap();
    assert_eq!(logs("write/0/stdout"), "1234\n");
    assert_eq!(logs("read/0/stdout"), "1\n/mnt/mesos/sandbox\n/mnt/mesos/sandbox\n");
    agent.finish();
}

#[test]
fn a_graph_goes_on_in_its_namespaces_when_its_launcher_dies() {
    if !can_pull() {
        return;
    }
    let (master, agent) = start(&["--isolation", "namespaces/pid,namespaces/ipc"]);
    let line = "while [ ! -e go ]; do sleep 0.05; done; test $(cat /proc/1/comm) = attica-holder";
    master.run(vec![graph("t", vec![process("first", line), process("second", line)], &[&["first", "second"]])]);
    master.await_state("t", "TASK_RUNNING");
    crate::support::kill_hard(agent.launcher_pid());
    std::fs::write(agent.sandbox("t").join("go"), "").unwrap();
    finished(&master, &agent, "t");
    agent.finish();
}

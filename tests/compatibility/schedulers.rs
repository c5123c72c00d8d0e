//! Public v1 scheduler libraries, from their package registries, against a running cluster.

use std::process::Command;

use crate::harness::{Cluster, request};
use crate::programs::{SOURCES, go_program, python_with, run};

const TASKS: &str = "100";

#[test]
fn pymesos_and_the_go_client_run_a_hundred_tasks_each() {
    let mut cluster = Cluster::start();
    let master = cluster.address("master");
    let tools = tempfile::tempdir().expect("a temporary directory");

    let python = python_with(tools.path(), "pymesos==0.3.15");
    let script = format!("{SOURCES}/pymesos_scheduler.py");
    assert_eq!(run(Command::new(python).args([&script, &master, TASKS])), "100 tasks finished\n", "pymesos, JSON");

    let program = go_program(tools.path(), "scheduler");
    assert_eq!(run(Command::new(program).args([&master, TASKS])), "100 tasks finished\n", "mesos-go, protobuf");
    cluster.stop_up();
}

#[test]
fn pymesos_finds_the_leader_through_zookeeper() {
    let mut cluster = Cluster::start_with(&["--masters", "3", "--zookeeper"]);
    let zookeeper = cluster.flag("paas", "--master");
    let tools = tempfile::tempdir().expect("a temporary directory");
    let python = python_with(tools.path(), "pymesos==0.3.15");
    let script = format!("{SOURCES}/pymesos_scheduler.py");
    assert_eq!(run(Command::new(python).args([&script, &zookeeper, "10"])), "10 tasks finished\n");
    cluster.stop_up();
}

#[test]
fn pymesos_proves_its_principal() {
    let tools = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = tools.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let cluster_credential = r#"{"principal":"cluster","secret":"c-hush"}"#;
    let credentials =
        write("all", &format!(r#"{{"credentials":[{cluster_credential},{{"principal":"py","secret":"p-hush"}}]}}"#));
    let credential = write("own", cluster_credential);
    let mut cluster = Cluster::start_with(&["--credentials", &credentials, "--credential", &credential]);
    let master = cluster.address("master");
    let python = python_with(tools.path(), "pymesos==0.3.15");
    let script = format!("{SOURCES}/pymesos_scheduler.py");
    let with = |secret: &str| [script.clone(), master.clone(), "10".into(), "py".into(), secret.to_owned()];
    assert_eq!(run(Command::new(&python).args(with("p-hush"))), "10 tasks finished\n");
    let listed = || request("GET", &format!("http://{master}/frameworks"), None).0;
    assert_eq!(listed(), 401, "nobody gets in without a name");
    cluster.stop_up();
}

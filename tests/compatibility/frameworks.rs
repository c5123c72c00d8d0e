//! Frameworks with executors of their own, written for other people's libraries: they outlive their master, their agents and themselves.

use std::process::Command;

use crate::harness::Cluster;
use crate::programs::{Conversation, SOURCES, go_program, python_with, run};

/// Starts the framework, takes its master and its agents away once its tasks run, and expects it to go on.
fn survives(framework: &mut Command, cluster: &Cluster) {
    let mut framework = Conversation::begin(framework);
    assert_eq!(framework.line(), "running");
    cluster.kill("master");
    for agent in 1..=3 {
        cluster.kill(&format!("agent-{agent}"));
    }
    assert_eq!(framework.end(), "survived\n");
}

#[test]
fn pymesos_with_its_own_executor_goes_on_where_it_was() {
    let mut cluster = Cluster::start();
    let tools = tempfile::tempdir().expect("a temporary directory");
    let python = python_with(tools.path(), "pymesos==0.3.15");
    let script = format!("{SOURCES}/pymesos_framework.py");
    let executor = format!("exec {python} {SOURCES}/pymesos_executor.py");
    survives(Command::new(&python).args([script, cluster.address("master"), executor]), &cluster);
    cluster.stop_up();
}

#[test]
fn the_go_client_with_its_own_executor_goes_on_where_it_was() {
    let mut cluster = Cluster::start();
    let tools = tempfile::tempdir().expect("a temporary directory");
    let program = go_program(tools.path(), "framework");
    survives(Command::new(program).arg(cluster.address("master")), &cluster);
    cluster.stop_up();
}

#[test]
fn a_scheduler_from_npm_goes_on_where_it_was() {
    let mut cluster = Cluster::start();
    let tools = tempfile::tempdir().expect("a temporary directory");
    let install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix"];
    run(Command::new("npm").args(install).arg(tools.path()).arg("mesos-framework@0.5.3"));
    let mut node = Command::new("node");
    node.arg(format!("{SOURCES}/framework.js")).arg(cluster.address("master"));
    node.env("NODE_PATH", tools.path().join("node_modules")).current_dir(tools.path());
    survives(&mut node, &cluster);
    cluster.stop_up();
}

#[test]
fn pymesos_runs_groups_of_tasks_that_share_a_directory_and_their_end() {
    let mut cluster = Cluster::start();
    let tools = tempfile::tempdir().expect("a temporary directory");
    let python = python_with(tools.path(), "pymesos==0.3.15");
    let script = format!("{SOURCES}/pymesos_group.py");
    let said = run(Command::new(python).args([script, cluster.address("master")]));
    assert_eq!(said, "both groups ended as one\n");
    cluster.stop_up();
}

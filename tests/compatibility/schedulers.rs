//! Public v1 scheduler libraries, from their package registries, against a running cluster.

use std::path::Path;
use std::process::Command;

use crate::harness::Cluster;

const TASKS: &str = "100";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compatibility");
/// Where Debian's packages put Go sources.
const DEBIAN_GOPATH: &str = "/usr/share/gocode";

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn pymesos_and_the_go_client_run_a_hundred_tasks_each() {
    let mut cluster = Cluster::start();
    let master = cluster.address("master");
    let tools = tempfile::tempdir().expect("a temporary directory");

    let python = python_with_pymesos(tools.path());
    let script = format!("{SOURCES}/pymesos_scheduler.py");
    assert_eq!(run(Command::new(python).args([&script, &master, TASKS])), "100 tasks finished\n", "pymesos, JSON");

    let program = go_scheduler(tools.path());
    assert_eq!(run(Command::new(program).args([&master, TASKS])), "100 tasks finished\n", "mesos-go, protobuf");
    cluster.stop_up();
}

/// A virtual environment that sees Debian's own packages: pymesos's HTTP parser is one of them and does not build by itself.
fn python_with_pymesos(tools: &Path) -> String {
    let venv = tools.join("venv");
    run(Command::new("/usr/bin/python3").args(["-m", "venv", "--system-site-packages"]).arg(&venv));
    run(Command::new(venv.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "pymesos==0.3.15",
    ]));
    venv.join("bin/python").to_string_lossy().into_owned()
}

fn go_scheduler(tools: &Path) -> String {
    let program = tools.join("scheduler");
    let gopath = format!("{}:{DEBIAN_GOPATH}", tools.join("go").display());
    let build = ["build", "-o"];
    run(Command::new("go")
        .args(build)
        .arg(&program)
        .arg(format!("{SOURCES}/scheduler.go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", gopath)
        .env("GOCACHE", tools.join("go-cache")));
    program.to_string_lossy().into_owned()
}

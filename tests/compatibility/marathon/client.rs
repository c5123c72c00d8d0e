use std::process::Command;

use crate::harness::Cluster;
use crate::programs::{SOURCES, python_with, run};

#[test]
fn the_python_client_leads_an_app_from_creation_to_removal() {
    let mut cluster = Cluster::start();
    let tools = tempfile::tempdir().expect("a temporary directory");
    let python = python_with(tools.path(), "marathon==0.13.0");
    let told = run(Command::new(python).args([&format!("{SOURCES}/marathon_client.py"), cluster.url()]));
    assert!(told.starts_with("the app lived and left"), "{told}");
    cluster.stop_up();
}

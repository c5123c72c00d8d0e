//! Apps that run in containers: what is fetched for them, and networks of their own.

#![allow(clippy::print_stderr, reason = "why a test was skipped goes where the runner shows it")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Cluster;

/// Whether networks can be made; says so when they cannot.
fn can_connect() -> bool {
    let needed = ["/usr/sbin/ip", "/usr/sbin/nft", "/usr/bin/python3"];
    let missing = needed.iter().find(|program| !Path::new(program).exists());
    if let Some(missing) = missing {
        eprintln!("skipped: needs {missing}");
    }
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: networks need root");
    }
    missing.is_none() && root
}

/// An archive with a page in it.
fn site(directory: &Path) -> String {
    let site = directory.join("site");
    fs::create_dir(&site).expect("a directory");
    fs::write(site.join("index.html"), "from the bridge").expect("a page");
    let archive = directory.join("site.tgz");
    let packed = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(directory).arg("site").status();
    assert!(packed.expect("tar").success());
    format!("file://{}", archive.display())
}

fn page(url: &str, host: &str) -> Option<String> {
    let answer = ureq::get(url).header("host", host).call().ok()?;
    answer.into_body().read_to_string().ok()
}

#[test]
fn an_app_on_the_bridge_is_brought_its_files_and_reached_by_its_mapping() {
    if !can_connect() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start();
    let web = json!({
        "id": "/bridged", "cmd": "cd site && exec python3 -m http.server 8000", "instances": 2, "cpus": 0.1, "mem": 32,
        "fetch": [{"uri": site(directory.path())}],
        "networks": [{"mode": "container/bridge"}],
        "container": {"type": "MESOS", "portMappings": [{"containerPort": 8000, "hostPort": 0, "name": "http"}]},
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 5, "intervalSeconds": 2}],
        "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "bridged.localhost"},
    });
    let (status, created) = cluster.request("POST", "/v2/apps", Some(&web));
    assert_eq!(status, 201, "{created}");
    assert_eq!(created.get("portDefinitions"), None, "{created}");
    let service_port = created["container"]["portMappings"][0]["servicePort"].as_u64();
    assert!(service_port.is_some_and(|port| (10_000..=20_000).contains(&port)), "{created}");

    // Both listen at the same number, each in a network of its own.
    let tasks = cluster.until_settled("/bridged", 2);
    for task in &tasks {
        let host = task["host"].as_str().expect("a host");
        let address = task["ipAddresses"][0]["ipAddress"].as_str().expect("an address");
        assert_ne!(address, host, "{task}");
        assert_eq!(task["healthCheckResults"][0]["alive"], true, "{task}");
        let url = format!("http://{host}:{}/", task["ports"][0]);
        let found = cluster.until("the task to answer at its host port", || page(&url, host));
        assert_eq!(found, "from the bridge", "{task}");
    }
    let by_name = format!("http://{}/", cluster.lb_address());
    let found = cluster.until("the load balancer to route to it", || page(&by_name, "bridged.localhost"));
    assert_eq!(found, "from the bridge");

    let (status, deleted) = cluster.request("DELETE", "/v2/apps//bridged", None);
    assert_eq!(status, 200, "{deleted}");
    cluster.until("its tasks to be gone", || {
        (cluster.get("/v2/tasks").1["tasks"] == Value::Array(Vec::new())).then_some(())
    });
    cluster.stop_up();
}

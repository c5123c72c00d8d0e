//! Every process of a cluster is killed in turn while a rolling deployment of six instances goes on.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::harness::{Cluster, processes_of};

const INSTANCES: u64 = 6;

fn version(number: u32) -> Value {
    json!({
        "id": "/rolling", "cmd": format!("GENERATION={number} exec python3 -m http.server $PORT0"),
        "instances": INSTANCES, "cpus": 0.01, "mem": 32,
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.2},
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 1}],
    })
}

/// How many processes on this machine run this generation's server.
fn servers(cluster: &Cluster, number: u32) -> usize {
    let needle = format!("GENERATION={number}\0");
    let environ = |pid: &i32| fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let cmdline = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    processes_of(&cluster.data_dir())
        .iter()
        .filter(|pid| environ(pid).windows(needle.len()).any(|window| window == needle.as_bytes()))
        .filter(|pid| cmdline(pid).starts_with(b"python3"))
        .count()
}

fn kill_pid_of(needle: &str, cluster: &Cluster) {
    let data_dir = cluster.data_dir();
    let matching = processes_of(&data_dir).into_iter().find(|pid| {
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&cmdline).replace('\0', " ").contains(needle)
    });
    let pid = matching.unwrap_or_else(|| panic!("no process `{needle}`"));
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it ran");
}

/// How a victim is killed.
type Strike = fn(&Cluster);

#[test]
fn a_rolling_deployment_outlives_every_process() {
    let mut cluster = Cluster::start();
    assert_eq!(cluster.request("PUT", "/v2/apps//rolling", Some(&version(1))).0, 201);
    cluster.until_settled("/rolling", INSTANCES);

    let victims: [(&str, Strike); 5] = [
        ("agent", |cluster| cluster.kill("agent-1")),
        ("launcher", |cluster| kill_pid_of(" launcher ", cluster)),
        ("paas", |cluster| cluster.kill("paas")),
        ("master", |cluster| cluster.kill("master")),
        ("postgres", |cluster| kill_pid_of("postgres -D", cluster)),
    ];
    for (number, (victim, strike)) in (2..).zip(victims) {
        let old: BTreeSet<String> = ids(&cluster.tasks("/rolling"));
        let answer = cluster.request_until(200, "PUT", "/v2/apps//rolling", Some(&version(number)));
        assert!(answer["deploymentId"].is_string(), "{answer}");
        cluster.until("the first new task", || (!ids(&cluster.tasks("/rolling")).is_subset(&old)).then_some(()));
        strike(&cluster);
        let tasks = cluster.until_settled("/rolling", INSTANCES);
        assert!(ids(&tasks).is_disjoint(&old), "{victim} killed: the old version is gone");
        assert_eq!(cluster.app("/rolling")["cmd"], version(number)["cmd"], "{victim} killed: the new version stays");
        cluster.until("every new process to run once, every old one to be gone", || {
            (servers(&cluster, number) as u64 == INSTANCES && servers(&cluster, number - 1) == 0).then_some(())
        });
    }
    cluster.stop_up();
}

fn ids(tasks: &[Value]) -> BTreeSet<String> {
    tasks.iter().filter_map(|task| task["id"].as_str()).map(str::to_owned).collect()
}

//! `attica up --masters 3 --zookeeper`: what Mesos's operators run on six machines, on one.

use std::process::Command;

use serde_json::json;

use crate::harness::{Cluster, ids, request};

const MASTERS: [&str; 3] = ["master-1", "master-2", "master-3"];

fn leader(cluster: &Cluster) -> &'static str {
    cluster.until("a leader", || {
        MASTERS.into_iter().find(|master| {
            let metrics = request("GET", &format!("http://{}/metrics/snapshot", cluster.address(master)), None).1;
            metrics["master/elected"] == 1.0
        })
    })
}

#[test]
fn three_masters_on_zookeeper_are_one_cluster() {
    let mut cluster = Cluster::start_with(&["--masters", "3", "--zookeeper"]);
    let app = json!({"id": "/steady", "cmd": "sleep 1000", "instances": 3, "cpus": 0.01, "mem": 16});
    assert_eq!(cluster.request("PUT", "/v2/apps//steady", Some(&app)).0, 201);
    let before = ids(&cluster.until_settled("/steady", 3));

    let first = leader(&cluster);
    cluster.kill(first);
    cluster.request_until(200, "PUT", "/v2/apps//steady", Some(&json!({"instances": 4})));
    let after = ids(&cluster.until_settled("/steady", 4));
    assert!(after.is_superset(&before), "what ran is untouched: {before:?}, {after:?}");
    assert_ne!(leader(&cluster), first, "the one that was killed stands in line again");

    // A framework of anybody's finds the leader the same way.
    let zk = cluster.flag("paas", "--master");
    assert!(zk.starts_with("zk://") && zk.matches(',').count() == 2, "{zk}");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "-p", "attica-core-api", "--example", "scheduler"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--", &zk, "5", "true"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    cluster.stop_up();
}

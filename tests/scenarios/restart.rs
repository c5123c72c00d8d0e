//! Stopping the cluster and starting it again, orderly and not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::Cluster;

fn ids(tasks: &[Value]) -> BTreeSet<String> {
    tasks.iter().filter_map(|task| task["id"].as_str()).map(str::to_owned).collect()
}

#[test]
fn the_next_start_brings_every_app_back() {
    let mut cluster = Cluster::start();
    for name in ["one", "two"] {
        let app = json!({"id": name, "cmd": "sleep 1000", "instances": 2, "cpus": 0.01, "mem": 16});
        assert_eq!(cluster.request("POST", "/v2/apps", Some(&app)).0, 201);
        cluster.until_settled(name, 2);
    }
    cluster.stop_up();
    cluster.start_up();
    for name in ["one", "two"] {
        cluster.until_settled(name, 2);
    }
    cluster.stop_up();
}

#[test]
fn after_up_was_killed_the_next_one_takes_over_and_tasks_go_on() {
    let mut cluster = Cluster::start();
    let app = json!({"id": "/steady", "cmd": "sleep 1000", "instances": 3, "cpus": 0.01, "mem": 16});
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app)).0, 201);
    let before = ids(&cluster.until_settled("/steady", 3));
    cluster.kill_up();
    cluster.start_up();
    let after = ids(&cluster.until_settled("/steady", 3));
    assert_eq!(before, after, "running tasks are untouched");
    cluster.stop_up();
}

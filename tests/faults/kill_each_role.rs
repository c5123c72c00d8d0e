//! Every process of a cluster is killed in turn while a rolling deployment of six instances goes on.

use serde_json::{Value, json};

use crate::harness::{Cluster, ids};
use crate::victims::{VICTIMS, processes_with};

const INSTANCES: u64 = 6;

fn version(number: u32) -> Value {
    json!({
        "id": "/rolling", "cmd": format!("GENERATION={number} exec python3 -m http.server $PORT0"),
        "instances": INSTANCES, "cpus": 0.01, "mem": 32,
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.2},
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 1}],
    })
}

#[test]
fn a_rolling_deployment_outlives_every_process() {
    let mut cluster = Cluster::start();
    assert_eq!(cluster.request("PUT", "/v2/apps//rolling", Some(&version(1))).0, 201);
    cluster.until_settled("/rolling", INSTANCES);

    for (number, (victim, strike)) in (2..).zip(VICTIMS) {
        let old = ids(&cluster.tasks("/rolling"));
        let answer = cluster.request_until(200, "PUT", "/v2/apps//rolling", Some(&version(number)));
        assert!(answer["deploymentId"].is_string(), "{answer}");
        cluster.until("the first new task", || (!ids(&cluster.tasks("/rolling")).is_subset(&old)).then_some(()));
        strike(&cluster);
        let tasks = cluster.until_settled("/rolling", INSTANCES);
        assert!(ids(&tasks).is_disjoint(&old), "{victim} killed: the old version is gone");
        assert_eq!(cluster.app("/rolling")["cmd"], version(number)["cmd"], "{victim} killed: the new version stays");
        cluster.until("every new process to run once, every old one to be gone", || {
            let servers = |number| processes_with(&cluster, &format!("GENERATION={number}"), "python3") as u64;
            (servers(number) == INSTANCES && servers(number - 1) == 0).then_some(())
        });
    }
    cluster.stop_up();
}

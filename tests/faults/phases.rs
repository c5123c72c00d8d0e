//! The leader of the service layer is killed in each phase of a deployment, as its own event stream tells them: the deployment ends as
//! it should, and nothing is started twice (R1 among the scenarios of Marathon's own integration tests).

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Cluster, PATIENCE, ids};
use crate::victims::processes_with;

const INSTANCES: u64 = 3;

/// What begins each phase: an event, and a part of its data.
const PHASES: [(&str, &str); 6] = [
    ("deployment_info", "\"RestartApplication\""),
    ("instance_changed_event", "\"Provisioned\""),
    ("status_update_event", "\"TASK_RUNNING\""),
    ("instance_health_changed_event", "\"healthy\":true"),
    ("status_update_event", "\"TASK_KILLED\""),
    ("deployment_step_success", "\"RestartApplication\""),
];

fn version(number: usize) -> Value {
    json!({
        "id": "/phased", "cmd": format!("GENERATION={number} exec python3 -m http.server $PORT0"),
        "instances": INSTANCES, "cpus": 0.01, "mem": 32,
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.4},
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 1}],
    })
}

/// Follows the events from now on; the first one of this type with this in its data is announced.
fn announce(cluster: &Cluster, event_type: &str, part: &'static str) -> mpsc::Receiver<()> {
    let url = format!("{}/v2/events?event_type={event_type}", cluster.url());
    let stream = ureq::get(url).header("accept", "text/event-stream").call().expect("a stream");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(stream.into_body().into_reader()).lines().map_while(Result::ok);
        if lines.into_iter().any(|line| line.starts_with("data: ") && line.contains(part)) {
            let _ = sender.send(());
        }
    });
    receiver
}

#[test]
fn a_deployment_outlives_its_leader_in_each_phase() {
    let mut cluster = Cluster::start_with(&["--paas", "2"]);
    let leader = |cluster: &Cluster| {
        cluster.until("a leader", || {
            let named = cluster.get("/v2/leader").1["leader"].take();
            ["paas-1", "paas-2"].into_iter().find(|paas| named == cluster.address(paas).as_str())
        })
    };
    assert_eq!(cluster.request("PUT", "/v2/apps//phased", Some(&version(0))).0, 201);
    cluster.until_settled("/phased", INSTANCES);
    for (number, (event_type, part)) in (1..).zip(PHASES) {
        let old = ids(&cluster.tasks("/phased"));
        let leads = leader(&cluster);
        let begun = announce(&cluster, event_type, part);
        cluster.request_until(200, "PUT", "/v2/apps//phased", Some(&version(number)));
        begun.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{event_type} {part}: {error}"));
        let mut running = cluster.tasks("/phased");
        running.retain(|task| task["state"] == "TASK_RUNNING");
        cluster.kill(leads);
        let tasks = cluster.until_settled("/phased", INSTANCES);
        let started: BTreeSet<String> = &ids(&running) - &old;
        assert!(ids(&tasks).is_superset(&started), "{event_type} {part}: what was started before goes on");
        assert!(ids(&tasks).is_disjoint(&old), "{event_type} {part}: the old version is gone");
        assert_eq!(cluster.app("/phased")["cmd"], version(number)["cmd"], "{event_type} {part}: the new one stays");
        cluster.until("every new process to run once, every old one to be gone", || {
            let servers = |number| processes_with(&cluster, &format!("GENERATION={number}"), "python3") as u64;
            (servers(number) == INSTANCES && servers(number - 1) == 0).then_some(())
        });
        let ended = cluster.get("/v2/deployments/ended").1;
        assert_eq!(ended[0]["outcome"], "done", "{event_type} {part}: {ended}");
    }
    cluster.stop_up();
}

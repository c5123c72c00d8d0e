//! `attica up --paas 3`: one process of the service layer leads, the others pass on to it what they are asked (A8, L1).

use serde_json::json;

use crate::harness::{Cluster, ids, request};

const ALL: [&str; 3] = ["paas-1", "paas-2", "paas-3"];

fn url(cluster: &Cluster, paas: &str) -> String {
    format!("http://{}", cluster.address(paas))
}

/// The one that all three name as their leader.
fn leader(cluster: &Cluster) -> &'static str {
    cluster.until("all to agree on a leader", || {
        let named = ALL.map(|paas| request("GET", &format!("{}/v2/leader", url(cluster, paas)), None).1);
        let one = named[0]["leader"].as_str().filter(|_| named.iter().all(|answer| *answer == named[0]))?;
        ALL.into_iter().find(|paas| cluster.address(paas) == one)
    })
}

#[test]
fn whichever_of_three_is_asked_the_leader_answers_and_hands_over_when_told() {
    let mut cluster = Cluster::start_with(&["--paas", "3"]);
    let first = leader(&cluster);
    let standby = ALL.into_iter().find(|paas| *paas != first).expect("two more");
    let app = json!({"id": "/steady", "cmd": "sleep 1000", "instances": 2, "cpus": 0.01, "mem": 16});
    let (status, created) = request("POST", &format!("{}/v2/apps", url(&cluster, standby)), Some(&app));
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["deployments"].as_array().map(Vec::len), Some(1), "{created}");
    let before = ids(&cluster.until_settled("/steady", 2));

    // Events are long: whoever wants them is sent to the leader.
    let nowhere_else = ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).build();
    let events = format!("{}/v2/events?event_type=deployment_success", url(&cluster, standby));
    let sent =
        ureq::Agent::from(nowhere_else).get(events).header("accept", "text/event-stream").call().expect("an answer");
    let location = sent.headers()["location"].to_str().expect("text");
    let wanted = format!("{}/v2/events?event_type=deployment_success", url(&cluster, first));
    assert_eq!((sent.status().as_u16(), location), (302, wanted.as_str()));

    for _ in 0..3 {
        let leads = leader(&cluster);
        let process = cluster.pid(leads);
        let standby = ALL.into_iter().find(|paas| *paas != leads).expect("two more");
        let (status, told) = request("DELETE", &format!("{}/v2/leader", url(&cluster, standby)), None);
        assert_eq!((status, told), (200, json!({"message": "Leadership abdicated"})));
        cluster.until("its process to be another", || (cluster.pid(leads) != process).then_some(()));
        assert_ne!(leader(&cluster), leads, "it stands in line again");
        cluster.request_until(200, "GET", "/v2/apps//steady", None);
        assert_eq!(ids(&cluster.until_settled("/steady", 2)), before, "what runs is untouched");
    }
    cluster.request_until(200, "DELETE", "/v2/apps//steady", None);
    cluster.stop_up();
}

//! `attica up --paas 3`: one process of the service layer leads, the others pass on to it what they are asked (A8, L1); elected through
//! Postgres, or through ZooKeeper.

use std::collections::BTreeSet;
use std::time::Duration;

use attica_core_api::zookeeper::{Ensemble, LATCH_LABEL, Session};
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

/// What the candidates say in ZooKeeper, the first of the line first: where Marathon's stand, and clients of Curator look.
fn line(ensemble: &Ensemble) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let session = Session::open(ensemble, Duration::from_secs(10)).await.expect("a session");
        let (members, _) = session.members_if_any(LATCH_LABEL).await.expect("an answer").expect("a path");
        let mut addresses = Vec::new();
        for member in members {
            let data = session.data(&member).await.expect("an answer");
            addresses.extend(data.map(|data| String::from_utf8(data).expect("text")));
        }
        addresses
    })
}

#[test]
fn two_on_zookeeper_lead_in_turn_and_nothing_is_launched_twice() {
    let mut cluster = Cluster::start_with(&["--masters", "3", "--paas", "2", "--zookeeper"]);
    let both = ["paas-1", "paas-2"];
    let named = |paas: &str| request("GET", &format!("{}/v2/leader", url(&cluster, paas)), None).1["leader"].take();
    let leads = || {
        cluster.until("both to agree on a leader", || {
            let leader = named(both[0]);
            let agreed = leader.as_str().filter(|_| leader == named(both[1]))?;
            both.into_iter().find(|paas| cluster.address(paas) == agreed)
        })
    };
    let first = leads();
    let standby = if first == both[0] { both[1] } else { both[0] };
    let (_, info) = request("GET", &format!("{}/v2/info", url(&cluster, standby)), None);
    let zk = info["zookeeper_config"]["zk"].as_str().expect("it is elected there").to_owned();
    assert_eq!(Some(zk.as_str()), Some(cluster.flag(first, "--zk")).as_deref());
    let ensemble: Ensemble = zk.parse().expect("an address");
    let ensemble = ensemble.at(&format!("{}/leader-curator", ensemble.path())).expect("a path");
    let in_turn = [first, standby].map(|paas| cluster.address(paas));
    cluster.until("both to stand in line", || (line(&ensemble) == in_turn).then_some(()));

    let app = json!({"id": "/steady", "cmd": "sleep 1000", "instances": 3, "cpus": 0.01, "mem": 16});
    let (status, created) = request("POST", &format!("{}/v2/apps", url(&cluster, standby)), Some(&app));
    assert_eq!(status, 201, "{created}");
    let before = ids(&cluster.until_settled("/steady", 3));
    for instances in [4, 5] {
        let former = leads();
        let next = if former == both[0] { both[1] } else { both[0] };
        cluster.kill(former);
        // Whichever is asked, one of them answers in the end.
        let path = format!("{}/v2/apps//steady", url(&cluster, next));
        cluster.until("the standby to take a write", || {
            let (status, _) = request("PUT", &path, Some(&json!({"instances": instances})));
            (status == 200).then_some(())
        });
        assert_eq!(leads(), next, "the one that was killed stands behind it");
        cluster.until_settled("/steady", instances);
    }
    let after = ids(&cluster.until_settled("/steady", 5));
    assert!(after.is_superset(&before), "what ran is untouched: {before:?}, {after:?}");
    // The masters know of no other task, running or ended.
    let masters =
        ["master-1", "master-2", "master-3"].map(|master| format!("http://{}/tasks", cluster.address(master)));
    let known: BTreeSet<String> = cluster.until("the leading master", || {
        let tasks = masters.iter().map(|url| request("GET", url, None).1);
        let known = tasks.filter_map(|answer| Some(ids(answer["tasks"].as_array()?))).find(|ids| !ids.is_empty());
        known.filter(|known| known.len() >= after.len())
    });
    assert_eq!(known, after);
    cluster.request_until(200, "DELETE", "/v2/apps//steady", None);
    cluster.stop_up();
}

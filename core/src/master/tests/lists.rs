//! `/state`, `/slaves`, `/frameworks` and `/tasks` against the recordings: every member that a reader may look at is there, with
//! the type it has in Mesos.

use attica_core_api::link;
use attica_core_api::v1::TaskState;
use serde_json::Value;

use super::harness::{Cluster, TestAgent, TestFramework, TestMaster, eventually, soon};
use super::recordings::shared;

/// Members of the recordings that we do not have: build details of Mesos, its log directory, and the agent's own word for itself.
const ABSENT: [&str; 6] = ["git_sha", "build_date", "build_time", "build_user", "log_dir", "reregistered_time"];

/// Every member of `recorded` is in `ours`, and has the same type, all the way down. Of lists one element is compared.
pub(super) fn assert_covers(ours: &Value, recorded: &Value, path: &str) {
    match (ours, recorded) {
        (Value::Object(ours), Value::Object(recorded)) => {
            for (name, recorded) in recorded.iter().filter(|(name, _)| !ABSENT.contains(&name.as_str())) {
                let path = format!("{path}.{name}");
                if ![".flags.", ".attributes.", ".container_status"].iter().any(|given| path.contains(given)) {
                    let ours = ours.get(name).unwrap_or_else(|| panic!("{path} is missing"));
                    assert_covers(ours, recorded, &path);
                }
            }
        }
        (Value::Array(ours), Value::Array(recorded)) => {
            // Resources come in another order.
            let recorded = recorded.first();
            let same = recorded.and_then(|recorded| ours.iter().find(|ours| ours["type"] == recorded["type"]));
            if let Some((ours, recorded)) = same.zip(recorded) {
                assert_covers(ours, recorded, &format!("{path}[0]"));
            }
        }
        (Value::Number(ours), Value::Number(recorded)) => {
            assert_eq!(ours.is_f64(), recorded.is_f64(), "{path}: {ours} or {recorded}");
        }
        (ours, recorded) => {
            let same = std::mem::discriminant(ours) == std::mem::discriminant(recorded);
            assert!(same, "{path}: {ours} where Mesos has {recorded}");
        }
    }
}

/// A cluster like the recorded one: one agent, one framework, a running and two finished tasks, an open offer.
pub(super) async fn populate(master: &TestMaster) -> (TestFramework, TestAgent) {
    let mut agent = master.agent("cpus:1000;mem:100000;disk:100000;ports:[31000-32000]").await;
    let mut framework = master.framework("ops").await;
    let offer = framework.offer().await;
    framework.launch(&offer, &["op-1", "op-2", "op-3"]).await;
    agent.event(link::EventType::Run).await;
    let finished = [TaskState::Running, TaskState::Finished];
    for (task, states) in [("op-1", &finished[..1]), ("op-2", &finished), ("op-3", &finished)] {
        for state in states {
            agent.report(&framework.id, task, *state).await;
            let status = framework.status().await;
            soon(framework.calls.acknowledge(&status)).await.unwrap();
        }
    }
    soon(framework.calls.revive(Vec::new())).await.unwrap();
    // What is free comes back in pieces; the piece with the ports is the last.
    let ports =
        async || master.json("/slaves").await["slaves"][0]["offered_resources"]["ports"].as_str().map(str::to_owned);
    eventually(ports).await;
    (framework, agent)
}

#[tokio::test]
async fn lists_have_what_readers_of_mesos_look_for() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let _connected = populate(&master).await;
    for (path, recording) in [
        ("/state", "data/mesos/master-state.json"),
        ("/slaves", "data/mesos/master-slaves.json"),
        ("/frameworks", "data/mesos/master-frameworks.json"),
        ("/tasks", "data/mesos/master-tasks.json"),
        ("/state-summary", "data/mesos/master-state-summary.json"),
        ("/roles", "data/mesos/master-roles.json"),
    ] {
        let Some(recorded) = shared(recording) else { continue };
        assert_covers(&master.json(path).await, &serde_json::from_str(&recorded).unwrap(), path);
    }
    master.stop().await;
}

#[tokio::test]
async fn tasks_are_paged_and_filtered() {
    let cluster = Cluster::start().await;
    let master = cluster.master(&[]).await;
    let (framework, _agent) = populate(&master).await;
    let ids = async |query: &str| -> Vec<String> {
        let tasks = master.json(&format!("/tasks{query}")).await;
        tasks["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("").await, ["op-3", "op-2", "op-1"]);
    assert_eq!(ids("?order=asc").await, ["op-1", "op-2", "op-3"]);
    assert_eq!(ids("?order=asc&limit=1&offset=1").await, ["op-2"]);
    assert_eq!(ids("?task_id=op-2").await, ["op-2"]);
    assert_eq!(ids(&format!("?framework_id={}&limit=2", framework.id)).await, ["op-3", "op-2"]);
    assert_eq!(ids("?framework_id=nobody").await, [""; 0]);
    assert_eq!(ids("?limit=0").await, [""; 0]);
    let slaves = master.json("/slaves").await;
    let agent = slaves["slaves"][0]["id"].as_str().unwrap();
    assert_eq!(master.json(&format!("/slaves?slave_id={agent}")).await, slaves);
    assert_eq!(master.json("/slaves?slave_id=nobody").await["slaves"], serde_json::json!([]));
    assert_eq!(slaves["slaves"][0]["attributes"], serde_json::json!({"rack": "r1", "zone": "z1"}));
    assert_eq!(slaves["slaves"][0]["used_resources"]["cpus"], 0.5);
    master.stop().await;
}

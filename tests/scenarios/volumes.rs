//! Volumes that outlive the tasks of apps.

use serde_json::{Value, json};

use crate::harness::Cluster;

/// Every attempt of an instance writes its name into the volume, and says what it has found there.
const DIARY: &str = "echo $MESOS_TASK_ID >> data/diary; cat data/diary; echo read; exec sleep 3600";

fn app(instances: u32) -> Value {
    json!({
        "id": "/shop/db", "cmd": DIARY, "instances": instances, "cpus": 0.1, "mem": 32, "portDefinitions": [],
        "container": {"type": "MESOS", "volumes": [
            {"containerPath": "data", "mode": "RW", "persistent": {"type": "root", "size": 16}}
        ]},
    })
}

/// What the task has found in its volume, its own line included.
fn found(cluster: &Cluster, task: &str, volume: &str) -> Vec<String> {
    let path = format!("/v2/tasks/{task}/log?file=stdout&offset=0&length=65536");
    let text = cluster.until(&format!("{task} to have read {volume}"), || {
        let answer = cluster.get(&path).1;
        answer["data"].as_str().filter(|text| text.ends_with("read\n")).map(str::to_owned)
    });
    text.lines().filter(|line| line.contains(".instance-")).map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// What the master says is reserved on all agents together.
fn reserved(cluster: &Cluster) -> Vec<Value> {
    let url = format!("http://{}/slaves", cluster.address("master"));
    let (status, answer) = crate::harness::request("GET", &url, None);
    assert_eq!(status, 200, "{answer}");
    let agents = answer["slaves"].as_array().cloned().unwrap_or_default();
    let kept = agents.iter().map(|agent| agent["reserved_resources"].clone());
    kept.filter(|kept| kept.as_object().is_some_and(|roles| !roles.is_empty())).collect()
}

fn until_nothing_is_reserved(cluster: &Cluster) {
    cluster.until("everything to be given back", || reserved(cluster).is_empty().then_some(()));
}

/// The one task of the app, once it is another one than this.
fn next_task(cluster: &Cluster, before: &str) -> Value {
    cluster.until(&format!("another task than {before}"), || {
        let tasks = cluster.tasks("/shop/db");
        let [task] = tasks.as_slice() else { return None };
        (task["id"] != before && task["state"] == "TASK_RUNNING").then(|| task.clone())
    })
}

#[test]
fn a_volume_outlives_its_tasks_and_goes_with_its_instance() {
    let mut cluster = Cluster::start_with(&["--role", "data"]);
    let (status, created) = cluster.request("POST", "/v2/apps", Some(&app(1)));
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["unreachableStrategy"], "disabled", "{created}");
    assert_eq!(
        created["upgradeStrategy"],
        json!({"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}),
        "{created}"
    );
    assert_eq!(created["residency"]["taskLostBehavior"], "WAIT_FOREVER", "{created}");

    let first = cluster.until_settled("/shop/db", 1).remove(0);
    let (task, volume) = (text(&first["id"]), text(&first["localVolumes"][0]["persistenceId"]));
    assert!(volume.starts_with("shop_db#data#"), "{first}");
    assert_eq!(found(&cluster, &task, &volume).len(), 1);

    // It is killed, and comes back to what it wrote.
    assert_eq!(cluster.request("DELETE", &format!("/v2/apps//shop/db/tasks/{task}"), None).0, 200);
    let second = next_task(&cluster, &task);
    assert_eq!(text(&second["localVolumes"][0]["persistenceId"]), volume);
    let task = text(&second["id"]);
    assert_eq!(found(&cluster, &task, &volume).len(), 2);

    // It rests, with its volume, and goes on in another version.
    assert_eq!(cluster.request("PUT", "/v2/apps//shop/db", Some(&json!({"instances": 0}))).0, 200);
    cluster.until_settled("/shop/db", 0);
    assert_eq!(reserved(&cluster).len(), 1);
    let labelled = json!({"instances": 1, "labels": {"version": "2"}});
    assert_eq!(cluster.request("PUT", "/v2/apps//shop/db", Some(&labelled)).0, 200);
    let third = next_task(&cluster, &task);
    assert_eq!(text(&third["localVolumes"][0]["persistenceId"]), volume);
    let task = text(&third["id"]);
    assert_eq!(found(&cluster, &task, &volume).len(), 3);

    // What is reserved stays as it is.
    let (status, refused) = cluster.request("PUT", "/v2/apps//shop/db", Some(&json!({"mem": 64})));
    assert_eq!((status, &refused["details"][0]["path"]), (422, &json!("/mem")), "{refused}");

    // Wiped, it begins anew.
    cluster.until_settled("/shop/db", 1);
    assert_eq!(cluster.request("DELETE", "/v2/apps//shop/db/tasks?wipe=true", None).0, 200);
    let fourth = next_task(&cluster, &task);
    let other = text(&fourth["localVolumes"][0]["persistenceId"]);
    assert_ne!(other, volume);
    assert_eq!(found(&cluster, &text(&fourth["id"]), &other).len(), 1);

    assert_eq!(cluster.request("DELETE", "/v2/apps//shop/db", None).0, 200);
    until_nothing_is_reserved(&cluster);
    cluster.stop_up();
}

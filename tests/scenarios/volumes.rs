//! Volumes that outlive the tasks of apps and pods (P3 among the scenarios of Marathon's own integration tests).

use serde_json::{Value, json};

use crate::harness::{Cluster, attica};

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
fn a_volume_is_there_again_at_the_next_start_of_up() {
    let mut cluster = Cluster::start_with(&["--role", "data"]);
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app(1))).0, 201);
    let first = cluster.until_settled("/shop/db", 1).remove(0);
    let (task, volume) = (text(&first["id"]), text(&first["localVolumes"][0]["persistenceId"]));
    assert_eq!(found(&cluster, &task, &volume).len(), 1);
    cluster.stop_up();
    // The machine has less room than before.
    std::fs::write(cluster.data_dir().join("ballast"), vec![1; 64 << 20]).unwrap();
    cluster.start_up();
    let second = next_task(&cluster, &task);
    assert_eq!(second["localVolumes"][0]["persistenceId"], volume, "{second}");
    assert_eq!(found(&cluster, &text(&second["id"]), &volume).len(), 2);
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
    cluster.until_settled("/shop/db", 1);
    let (status, refused) = cluster.request("PUT", "/v2/apps//shop/db", Some(&json!({"mem": 64})));
    assert_eq!((status, &refused["details"][0]["path"]), (422, &json!("/mem")), "{refused}");

    // Wiped, it begins anew.
    assert_eq!(cluster.request("DELETE", "/v2/apps//shop/db/tasks?wipe=true", None).0, 200);
    let fourth = next_task(&cluster, &task);
    let other = text(&fourth["localVolumes"][0]["persistenceId"]);
    assert_ne!(other, volume);
    assert_eq!(found(&cluster, &text(&fourth["id"]), &other).len(), 1);

    assert_eq!(cluster.request("DELETE", "/v2/apps//shop/db", None).0, 200);
    until_nothing_is_reserved(&cluster);
    cluster.stop_up();
}

fn pod() -> Value {
    json!({
        "id": "/shop/pod",
        "volumes": [{"name": "data", "persistent": {"type": "root", "size": 16}}],
        "containers": [
            {"name": "writer", "resources": {"cpus": 0.05, "mem": 32},
             "exec": {"command": {"shell": "echo hello >> data/foo; cat data/foo; echo read; exec sleep 3600"}},
             "volumeMounts": [{"name": "data", "mountPath": "data"}]},
            {"name": "reader", "resources": {"cpus": 0.05, "mem": 32},
             "exec": {"command": {"shell": "exec sleep 3600"}},
             "volumeMounts": [{"name": "data", "mountPath": "seen", "readOnly": false}]}
        ],
    })
}

/// The one instance of the pod, once it is stable and its first task is another one than this.
fn next_instance(cluster: &Cluster, before: &str) -> Value {
    cluster.until(&format!("the pod to be stable with another task than {before}"), || {
        let status = cluster.get("/v2/pods/shop/pod::status").1;
        let instances = status["instances"].as_array()?;
        let [instance] = instances.as_slice() else { return None };
        let is_new = instance["containers"][0]["containerId"] != before;
        (status["status"] == "STABLE" && instance["status"] == "STABLE" && is_new).then(|| instance.clone())
    })
}

#[test]
fn a_volume_of_a_pod_is_there_again_when_the_pod_is() {
    let mut cluster = Cluster::start_with(&["--role", "data"]);
    let (status, created) = cluster.request("POST", "/v2/pods", Some(&pod()));
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["scheduling"]["unreachableStrategy"], "disabled", "{created}");
    let first = next_instance(&cluster, "");
    let volume = text(&first["localVolumes"][0]["persistenceId"]);
    assert!(volume.starts_with("shop_pod#data#"), "{first}");
    let said = |instance: &Value| {
        let task = text(&instance["containers"][0]["containerId"]);
        let path = format!("/v2/tasks/{task}/log?file=stdout&offset=0&length=65536");
        cluster.until(&format!("{task} to have read {volume}"), || {
            let answer = cluster.get(&path).1;
            answer["data"].as_str().filter(|text| text.ends_with("read\n")).map(str::to_owned)
        })
    };
    assert!(said(&first).contains("hello\nread\n"), "{}", said(&first));
    // The client finds containers as it finds tasks, by a part of their ids.
    let typed = |args: &[&str]| {
        let output = attica().args(args).env("ATTICA_ADDR", cluster.url()).env("HOME", cluster.data_dir()).output();
        let output = output.expect("attica runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(typed(&["task", "exec", ".reader.", "--", "cat", "seen/foo"]), "hello\n");
    assert!(typed(&["task", "log", ".writer."]).contains("hello\nread\n"));
    assert!(typed(&["pod", "show", "/shop/pod"]).contains(&volume));

    let id = text(&first["id"]);
    assert_eq!(cluster.request("DELETE", &format!("/v2/pods/shop/pod::instances/{id}"), None).0, 200);
    let second = next_instance(&cluster, &text(&first["containers"][0]["containerId"]));
    assert_eq!((&second["id"], &second["localVolumes"]), (&first["id"], &first["localVolumes"]));
    assert!(said(&second).contains("hello\nhello\nread\n"), "{}", said(&second));

    // Wiped, it begins anew.
    assert_eq!(cluster.request("DELETE", &format!("/v2/pods/shop/pod::instances/{id}?wipe=true"), None).0, 200);
    let third = next_instance(&cluster, &text(&second["containers"][0]["containerId"]));
    assert_ne!(third["localVolumes"], first["localVolumes"]);
    assert!(!said(&third).contains("hello\nhello\n"), "{}", said(&third));

    // What is kept while nobody wants it is shown, and can be given up.
    let mut unwanted = pod();
    unwanted["scaling"] = json!({"kind": "fixed", "instances": 0});
    assert_eq!(cluster.request("PUT", "/v2/pods/shop/pod", Some(&unwanted)).0, 200);
    let kept = cluster.until("its volume to be kept", || {
        let status = cluster.get("/v2/pods/shop/pod::status").1;
        let kept = status["keptInstances"].as_array()?.first()?.clone();
        (cluster.get("/v2/deployments").1 == json!([])).then_some(kept)
    });
    assert_eq!((&kept["goal"], &kept["localVolumes"]), (&json!("Stopped"), &third["localVolumes"]), "{kept}");
    let wiped = json!({"ids": [kept["taskId"]]});
    assert_eq!(cluster.request("POST", "/v2/tasks/delete?wipe=true", Some(&wiped)).0, 200);
    until_nothing_is_reserved(&cluster);

    assert_eq!(cluster.request("DELETE", "/v2/pods/shop/pod", None).0, 202);
    until_nothing_is_reserved(&cluster);
    cluster.stop_up();
}

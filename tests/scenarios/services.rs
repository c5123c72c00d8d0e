//! What an instance can be beside a single program: a pod of containers, a graph of processes, an app that takes its time to be ready.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Cluster;

fn page(url: &str) -> Option<String> {
    ureq::get(url).call().ok()?.into_body().read_to_string().ok()
}

/// The status of a pod, once it is stable and no deployment runs.
fn until_stable(cluster: &Cluster, pod: &str, instances: usize) -> Value {
    cluster.until(&format!("{pod} to be stable with {instances}"), || {
        let status = cluster.get(&format!("/v2/pods{pod}::status")).1;
        let settled = cluster.get("/v2/deployments").1 == json!([]) && status["status"] == "STABLE";
        (settled && status["instances"].as_array().is_some_and(|all| all.len() == instances)).then_some(status)
    })
}

#[test]
fn the_containers_of_a_pod_share_a_volume_and_an_end() {
    let mut cluster = Cluster::start();
    let pod = |instances: u32| {
        json!({
            "id": "/shop/pod",
            "scaling": {"kind": "fixed", "instances": instances},
            "environment": {"WORD": "shared"},
            "volumes": [{"name": "site"}],
            "networks": [{"mode": "host"}],
            "containers": [
                {"name": "writer", "resources": {"cpus": 0.05, "mem": 32},
                 "exec": {"command": {"shell": "echo -n $WORD > site/index.html; exec sleep 3600"}},
                 "volumeMounts": [{"name": "site", "mountPath": "site"}]},
                {"name": "web", "resources": {"cpus": 0.05, "mem": 32},
                 "exec": {"command": {"shell": "cd www && exec python3 -m http.server $ENDPOINT_HTTP"}},
                 "volumeMounts": [{"name": "site", "mountPath": "www"}],
                 "endpoints": [{"name": "http", "hostPort": 0, "protocol": ["tcp"]}],
                 "healthCheck": {"http": {"endpoint": "http", "path": "/"}, "gracePeriodSeconds": 60, "intervalSeconds": 1, "delaySeconds": 0}}
            ],
        })
    };
    let (status, created) = cluster.request("POST", "/v2/pods", Some(&pod(1)));
    assert_eq!(status, 201, "{created}");
    let stable = until_stable(&cluster, "/shop/pod", 1);
    let instance = &stable["instances"][0];
    let web = &instance["containers"][1];
    assert_eq!((&web["status"], &web["endpoints"][0]["healthy"]), (&json!("TASK_RUNNING"), &json!(true)), "{stable}");
    let host = instance["agentHostname"].as_str().expect("a host");
    let url = format!("http://{host}:{}/", web["endpoints"][0]["allocatedHostPort"]);
    // The container that writes it may be the slower one.
    cluster.until("the page that the other container writes", || page(&url).filter(|found| found == "shared"));
    let task = instance["containers"][0]["containerId"].as_str().expect("a task");
    assert_eq!(cluster.get(&format!("/v2/tasks/{task}/log")).0, 200, "its output can be read");

    let (status, scaled) = cluster.request("PUT", "/v2/pods/shop/pod", Some(&pod(2)));
    assert_eq!(status, 200, "{scaled}");
    until_stable(&cluster, "/shop/pod", 2);

    // Both containers go with their instance, and come back as the same one.
    let id = instance["id"].as_str().expect("an id");
    let (status, killed) = cluster.request("DELETE", &format!("/v2/pods/shop/pod::instances/{id}"), None);
    assert_eq!((status, &killed["id"]), (200, &instance["id"]), "{killed}");
    cluster.until("another attempt of the instance", || {
        let now = cluster.get("/v2/pods/shop/pod::status").1;
        let same = now["instances"].as_array()?.iter().find(|now| now["id"] == *id)?.clone();
        (same["status"] == "STABLE" && same["containers"][0]["containerId"] != task).then_some(())
    });
    assert_eq!(cluster.request("DELETE", "/v2/pods/shop/pod", None).0, 202);
    cluster.until("the pod to be gone", || (cluster.get("/v2/deployments").1 == json!([])).then_some(()));
    assert_eq!(cluster.get("/v2/pods/shop/pod").0, 404);
    cluster.stop_up();
}

#[test]
fn a_deployment_waits_until_an_app_says_that_it_is_ready() {
    let mut cluster = Cluster::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ready = directory.path().join("ready");
    // It answers 404 until it is told that it is ready.
    let app = json!({
        "id": "/slow", "cmd": format!("cd {} && exec python3 -m http.server $PORT_API", directory.path().display()),
        "cpus": 0.05, "mem": 32,
        "portDefinitions": [{"port": 0, "name": "api"}],
        "readinessChecks": [{
            "path": "/ready", "portName": "api", "intervalSeconds": 2, "timeoutSeconds": 1, "preserveLastResponse": true,
        }],
    });
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app)).0, 201);
    cluster.until("it to run", || (cluster.app("/slow")["tasksRunning"] == 1).then_some(()));
    let results = cluster.until("its result to be shown", || {
        let deployments = cluster.get("/v2/deployments").1;
        let results = deployments[0]["currentActions"][0]["readinessCheckResults"].clone();
        (results[0]["lastResponse"]["status"] == 404).then_some(results)
    });
    let response = &results[0]["lastResponse"];
    assert_eq!(response["contentType"], "text/html", "{response}");
    assert!(response["body"].as_str().is_some_and(|body| body.contains("File not found")), "{response}");
    assert_eq!((&results[0]["name"], &results[0]["ready"]), (&json!("readinessCheck"), &json!(false)), "{results}");
    // What is found may change between two looks.
    cluster.until("the app to show the same", || {
        let deployments = cluster.get("/v2/deployments").1;
        let results = &deployments[0]["currentActions"][0]["readinessCheckResults"];
        (cluster.app("/slow")["readinessCheckResults"] == *results).then_some(())
    });
    fs::write(&ready, "yes").expect("a file");
    cluster.until_settled("/slow", 1);
    let answered = &cluster.app("/slow")["readinessCheckResults"][0]["lastResponse"];
    assert_eq!((&answered["status"], &answered["body"]), (&json!(200), &json!("yes")), "{answered}");
    cluster.stop_up();
}

#[test]
fn an_app_of_several_processes_runs_them_in_their_order() {
    let mut cluster = Cluster::start();
    let app = json!({
        "id": "/graph", "cpus": 0.1, "mem": 64,
        "processGraph": {
            "processes": [
                {"name": "prepare", "cmd": "echo -n prepared > index.html"},
                {"name": "serve", "cmd": "exec python3 -m http.server $PORT0"},
            ],
            "orders": [["prepare", "serve"]],
        },
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 1}],
    });
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app)).0, 201);
    let task = cluster.until_settled("/graph", 1).remove(0);
    let url = format!("http://{}:{}/", task["host"].as_str().expect("a host"), task["ports"][0]);
    assert_eq!(cluster.until("it to answer", || page(&url)), "prepared");
    cluster.until("both processes to be shown as they are", || {
        let task = cluster.tasks("/graph").into_iter().next()?;
        let processes = task["processes"].as_array()?;
        let states: Vec<String> =
            processes.iter().map(|process| format!("{} {}", process["name"], process["state"])).collect();
        (states == ["\"prepare\" \"SUCCESS\"", "\"serve\" \"RUNNING\""]).then_some(())
    });
    assert_eq!(cluster.request("DELETE", "/v2/apps//graph", None).0, 200);
    cluster.stop_up();
}

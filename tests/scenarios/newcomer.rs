//! The session of the README.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Cluster, request};

#[test]
fn from_post_to_three_healthy_tasks_and_back_to_nothing() {
    let mut cluster = Cluster::start();
    let web = json!({
        "id": "/web", "cmd": "python3 -m http.server $PORT0", "instances": 3, "cpus": 0.1, "mem": 32,
        "constraints": [["hostname", "UNIQUE"]],
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 5, "intervalSeconds": 2}],
        "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "web.localhost"},
    });
    let (status, created) = cluster.request("POST", "/v2/apps", Some(&web));
    assert_eq!(status, 201, "{created}");

    let tasks = cluster.until_settled("/web", 3);
    let hosts: BTreeSet<&str> = tasks.iter().filter_map(|task| task["host"].as_str()).collect();
    assert_eq!(hosts.len(), 3, "UNIQUE hosts: {tasks:?}");
    for task in &tasks {
        assert_eq!(task["state"], "TASK_RUNNING");
        assert_eq!(task["healthCheckResults"][0]["alive"], true, "{task}");
        let (status, _) =
            request("GET", &format!("http://{}:{}/", task["host"].as_str().expect("host"), task["ports"][0]), None);
        assert_eq!(status, 200, "the task answers on its port: {task}");
    }
    let by_name = format!("http://{}/", cluster.lb_address());
    cluster.until("the load balancer to route to it", || {
        let answer = ureq::get(&by_name).header("host", "web.localhost").call();
        answer.is_ok_and(|answer| answer.status() == 200).then_some(())
    });

    let (status, _) = cluster.request("POST", "/v2/apps", Some(&web));
    assert_eq!(status, 409, "the app is there already");
    let (status, _) = request("GET", &format!("{}/ui/", cluster.url()), None);
    assert_eq!(status, 200, "the console is there");
    let (status, deleted) = cluster.request("DELETE", "/v2/apps//web", None);
    assert_eq!(status, 200, "{deleted}");
    cluster.until("the app to be gone", || (cluster.get("/v2/apps//web").0 == 404).then_some(()));
    cluster.until("its tasks to be gone", || (cluster.get("/v2/tasks").1["tasks"] == json!([])).then_some(()));
    cluster.stop_up();
}

#[test]
fn scale_restart_and_kill() {
    let mut cluster = Cluster::start();
    let sleeper = json!({"id": "/sleeper", "cmd": "sleep 1000", "instances": 2, "cpus": 0.01, "mem": 16});
    assert_eq!(cluster.request("PUT", "/v2/apps//sleeper", Some(&sleeper)).0, 201);
    let ids = |cluster: &Cluster, count| -> BTreeSet<String> {
        let tasks = cluster.until_settled("/sleeper", count);
        tasks.iter().map(|task| task["id"].as_str().expect("id").to_owned()).collect()
    };
    let first = ids(&cluster, 2);

    assert_eq!(cluster.request("PUT", "/v2/apps//sleeper", Some(&json!({"instances": 4}))).0, 200);
    let scaled = ids(&cluster, 4);
    assert!(scaled.is_superset(&first), "scaling up keeps what runs");

    assert_eq!(cluster.request("POST", "/v2/apps//sleeper/restart", None).0, 200);
    let restarted = ids(&cluster, 4);
    assert!(restarted.is_disjoint(&scaled), "a restart replaces every task");

    let victim = restarted.first().expect("a task");
    assert_eq!(cluster.request("DELETE", &format!("/v2/apps//sleeper/tasks/{victim}"), None).0, 200);
    let replaced = cluster.until("a replacement", || {
        let now = ids(&cluster, 4);
        (!now.contains(victim)).then_some(now)
    });
    assert_eq!(replaced.intersection(&restarted).count(), 3, "only the killed task is replaced");
    cluster.stop_up();
}

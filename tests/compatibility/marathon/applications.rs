//! Creating, changing, scaling, restarting, killing and removing apps that work.

use std::collections::BTreeSet;

use serde_json::json;

use super::operator::{NEEDS_A_TERMINAL, Operator, instance, sleeper, text};
use crate::harness::request;

#[test]
fn apps_that_work() {
    let mut operator = Operator::start();
    create(&operator);
    write_again_without_a_change(&operator);
    count_in_the_metrics(&operator);
    two_tasks(&operator);
    update_and_patch(&operator);
    scale(&operator);
    restart(&operator);
    versions(&operator);
    kill_one(&operator);
    kill_all(&operator);
    kill_as_events_show(&operator);
    service_ports(&operator);
    containers_without_docker(&operator);
    mappings_of_ports(&operator);
    a_terminal(&operator);
    an_executor_of_its_own(&operator);
    delete(&operator);
    operator.cluster.stop_up();
}

/// A1.
fn create(operator: &Operator) {
    operator.create_and_wait(&sleeper("/create", 1));
    assert_eq!(operator.running("/create", 1).len(), 1);
}

/// A2.
fn write_again_without_a_change(operator: &Operator) {
    let app = sleeper("/again", 2);
    operator.create_and_wait(&app);
    let before = operator.running("/again", 2);
    operator.deploy("PUT", "/v2/apps//again", Some(&app));
    assert_eq!(operator.task_ids("/again"), before, "nothing was restarted");
}

/// A7.
fn count_in_the_metrics(operator: &Operator) {
    let active =
        || operator.ask(200, "GET", "/metrics", None)["gauges"]["marathon.apps.active.gauge"]["value"].as_f64();
    let before = active();
    operator.create_and_wait(&sleeper("/counted", 1));
    assert!(active() > before, "{before:?}");
}

/// A15, A25.
fn two_tasks(operator: &Operator) {
    let app =
        json!({"id": "/two", "cmd": "exec python3 -m http.server $PORT0", "cpus": 0.01, "mem": 32, "instances": 2});
    let begun = operator.events.seen().len();
    let deployment = operator.create(&app);
    operator.deployed(&deployment);
    let seen = operator.events.seen();
    let types: BTreeSet<&str> = seen[begun..].iter().filter_map(|event| event["eventType"].as_str()).collect();
    for wanted in [
        "api_post_event",
        "group_change_success",
        "deployment_info",
        "instance_changed_event",
        "status_update_event",
        "deployment_step_success",
        "deployment_success",
    ] {
        assert!(types.contains(wanted), "no {wanted} among {types:?}");
    }
    let run = |event: &&serde_json::Value| event["taskStatus"] == "TASK_RUNNING" && event["appId"] == "/two";
    assert_eq!(seen.iter().filter(run).count(), 2, "each task runs once");
    assert_eq!(operator.deployments_of("/two"), Vec::<String>::new());

    assert_eq!(operator.ask(200, "GET", "/v2/apps/two/tasks", None)["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(operator.ask(200, "GET", "/v2/apps?id=/two", None)["apps"].as_array().map(Vec::len), Some(1));
    for task in operator.cluster.tasks("/two") {
        let url = format!("http://{}:{}/", task["host"].as_str().expect("host"), task["ports"][0]);
        operator.cluster.until("the task to answer", || (request("GET", &url, None).0 == 200).then_some(()));
    }
}

/// A18.
fn update_and_patch(operator: &Operator) {
    let app = operator.mock("/update", "HTTP");
    operator.create_and_wait(&app);
    let checks = operator.cluster.app("/update")["healthChecks"].clone();
    for (method, memory) in [("PUT", 33), ("PATCH", 34)] {
        let answer = operator.deploy(method, "/v2/apps/update", Some(&json!({"mem": memory})));
        let asked = format!("/update/{}/health", text(&answer["version"]));
        assert!(operator.driver.was_asked(&asked), "{method}: the new version was pinged");
        let updated = operator.cluster.app("/update");
        assert_eq!(updated["mem"], memory);
        assert_eq!(updated["healthChecks"], checks, "{method} leaves alone what it does not name");
    }
    operator.ask(404, "PATCH", "/v2/apps/never-made", Some(&json!({"mem": 33})));
}

/// A19.
fn scale(operator: &Operator) {
    operator.create_and_wait(&sleeper("/scale", 1));
    for instances in [3, 1] {
        operator.deploy("PUT", "/v2/apps/scale", Some(&json!({"instances": instances})));
        assert_eq!(operator.task_ids("/scale").len(), instances);
    }
}

/// A20.
fn restart(operator: &Operator) {
    operator.create_and_wait(&sleeper("/restart-it", 2));
    let before = operator.running("/restart-it", 2);
    operator.deploy("POST", "/v2/apps/restart-it/restart", None);
    let after = operator.running("/restart-it", 2);
    assert!(after.is_disjoint(&before), "{before:?} {after:?}");
}

/// A21.
fn versions(operator: &Operator) {
    operator.create_and_wait(&sleeper("/versioned", 1));
    let list = || operator.ask(200, "GET", "/v2/apps/versioned/versions", None)["versions"].as_array().cloned();
    let first = operator.cluster.app("/versioned")["version"].clone();
    assert_eq!(list(), Some(vec![first.clone()]));
    let updated = operator.deploy("PUT", "/v2/apps/versioned", Some(&json!({"disk": 2})));
    assert_eq!(list(), Some(vec![updated["version"].clone(), first.clone()]), "newest first");
    for (version, disk) in [(&first, 0), (&updated["version"], 2)] {
        let stored = operator.ask(200, "GET", &format!("/v2/apps/versioned/versions/{}", text(version)), None);
        assert_eq!((&stored["version"], &stored["disk"]), (version, &json!(disk)));
    }
    let info = &operator.cluster.app("/versioned")["versionInfo"];
    assert_eq!(info["lastConfigChangeAt"], updated["version"], "a change of more than instances");
    let scaled = operator.deploy("PUT", "/v2/apps/versioned", Some(&json!({"instances": 2})));
    let info = &operator.cluster.app("/versioned")["versionInfo"];
    assert_eq!(info["lastConfigChangeAt"], updated["version"]);
    assert_eq!(info["lastScalingAt"], scaled["version"]);
}

/// A22.
fn kill_one(operator: &Operator) {
    operator.create_and_wait(&sleeper("/kill", 2));
    let before = operator.running("/kill", 2);
    let victim = before.first().expect("a task");
    let killed = operator.ask(200, "DELETE", &format!("/v2/apps/kill/tasks/{victim}"), None);
    assert_eq!(killed["task"]["id"], victim.as_str());
    let after = operator.cluster.until("the replacement", || {
        let now = operator.running("/kill", 2);
        (!now.contains(victim)).then_some(now)
    });
    assert_eq!(after.intersection(&before).count(), 1);

    let victim = after.first().expect("a task");
    operator.deploy("DELETE", &format!("/v2/apps/kill/tasks/{victim}?scale=true"), None);
    let left = operator.task_ids("/kill");
    assert!(left.len() == 1 && !left.contains(victim), "{left:?} without {victim}");
    assert_eq!(operator.cluster.app("/kill")["instances"], 1);
    operator.ask(404, "DELETE", &format!("/v2/apps/kill/tasks/{victim}"), None);
}

/// A23.
fn kill_all(operator: &Operator) {
    operator.create_and_wait(&sleeper("/kill-all", 2));
    let before = operator.running("/kill-all", 2);
    let killed = operator.ask(200, "DELETE", "/v2/apps/kill-all/tasks", None);
    assert_eq!(killed["tasks"].as_array().map(Vec::len), Some(2), "{killed}");
    operator.cluster.until("two new tasks", || operator.running("/kill-all", 2).is_disjoint(&before).then_some(()));
    operator.deploy("DELETE", "/v2/apps/kill-all/tasks?scale=true", None);
    assert_eq!(operator.cluster.app("/kill-all")["instances"], 0);
    assert_eq!(operator.task_ids("/kill-all").len(), 0);
    operator.ask(400, "DELETE", "/v2/apps/kill-all/tasks?scale=true&wipe=true", None);
}

/// K1.
fn kill_as_events_show(operator: &Operator) {
    operator.create_and_wait(&sleeper("/killing", 1));
    let replaced = |query: &str| {
        let victim = operator.running("/killing", 1).pop_first().expect("a task");
        operator.ask(200, "DELETE", &format!("/v2/apps/killing/tasks/{victim}{query}"), None);
        for state in ["TASK_KILLING", "TASK_KILLED"] {
            operator.events.wait_for("status_update_event", |event| {
                event["taskId"] == victim.as_str() && event["taskStatus"] == state
            });
        }
        let next = operator
            .cluster
            .until("the replacement", || operator.running("/killing", 1).pop_first().filter(|task| *task != victim));
        (victim, next)
    };
    let (victim, next) = replaced("");
    let ((instance_before, incarnation), (instance_after, next_incarnation)) = (instance(&victim), instance(&next));
    assert_eq!(instance_after, instance_before, "the instance stays");
    assert_eq!((incarnation, next_incarnation), (1, 2));
    let (victim, next) = replaced("?wipe=true");
    assert_ne!(instance(&victim).0, instance(&next).0, "wiped: another instance");
}

/// A31.
fn service_ports(operator: &Operator) {
    let answer = operator.ask(201, "PUT", "/v2/apps/ports", Some(&sleeper("/ports", 1)));
    operator.deployed(&text(&answer["deploymentId"]));
    let port = operator.cluster.app("/ports")["portDefinitions"][0]["port"].as_u64();
    assert!(port.is_some_and(|port| (10_000..=20_000).contains(&port)), "{port:?}");
}

/// A29: a container that names no image is none of Docker's, also after an update.
fn containers_without_docker(operator: &Operator) {
    let mut app = sleeper("/contained", 1);
    app["container"] =
        json!({"type": "MESOS", "volumes": [{"containerPath": "data", "hostPath": "data", "mode": "RW"}]});
    operator.create_and_wait(&app);
    for instances in [1, 2] {
        operator.deploy("PUT", "/v2/apps/contained", Some(&json!({"instances": instances})));
        let container = &operator.cluster.app("/contained")["container"];
        assert_eq!((&container["type"], container.get("docker")), (&json!("MESOS"), None), "{container}");
    }
}

/// A command that needs a terminal has one if the app says so; for one that does not, see the apps that fail.
fn a_terminal(operator: &Operator) {
    let mut app = sleeper("/terminal", 1);
    app["cmd"] = json!(NEEDS_A_TERMINAL);
    app["tty"] = json!(true);
    operator.create_and_wait(&app);
}

/// A program of the app's own runs its task, with the app's command behind its name and resources of its own.
fn an_executor_of_its_own(operator: &Operator) {
    let mut app = sleeper("/executed", 1);
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compatibility");
    app["executor"] = json!(format!("{sources}/app_executor.py"));
    app["executorResources"] = json!({"cpus": 0.03, "mem": 24, "disk": 0});
    app["cmd"] = json!(format!("http://127.0.0.1:{}", operator.driver.port()));
    operator.create_and_wait(&app);
    let task = operator.running("/executed", 1).pop_first().expect("a task");
    let asked = format!("/executed/marathon-{task}/");
    operator.cluster.until("its executor to tell", || operator.driver.was_asked(&asked).then_some(()));
    let shown = operator.cluster.app("/executed");
    assert_eq!((&shown["executor"], &shown["executorResources"]), (&app["executor"], &app["executorResources"]));
    let (status, log) = operator.cluster.get(&format!("/v2/tasks/{task}/log?file=stderr"));
    assert_eq!((status, &log["data"]), (200, &json!("")), "its sandbox is found: {log}");
    operator.deploy("DELETE", "/v2/apps/executed", None);
    operator.events.wait_for("status_update_event", |event| {
        event["taskId"] == task.as_str() && event["taskStatus"] == "TASK_KILLED"
    });
}

/// A30: the mappings of ports are changed, and what is started then has them.
fn mappings_of_ports(operator: &Operator) {
    let mapped =
        |port: u32| json!({"type": "MESOS", "portMappings": [{"containerPort": port, "hostPort": 0, "name": "http"}]});
    let mut app = sleeper("/mapped", 0);
    app["networks"] = json!([{"mode": "container/bridge"}]);
    app["container"] = mapped(8000);
    operator.create_and_wait(&app);
    operator.deploy("PUT", "/v2/apps/mapped", Some(&json!({"container": mapped(8001)})));
    let mappings = &operator.cluster.app("/mapped")["container"]["portMappings"];
    assert_eq!((&mappings[0]["containerPort"], &mappings[0]["name"]), (&json!(8001), &json!("http")), "{mappings}");
}

/// A24.
fn delete(operator: &Operator) {
    let apps = operator.ask(200, "GET", "/v2/apps", None)["apps"].as_array().cloned().expect("apps");
    for app in apps {
        let id = text(&app["id"]);
        operator.deploy("DELETE", &format!("/v2/apps/{id}"), None);
        operator.ask(404, "GET", &format!("/v2/apps/{id}"), None);
    }
    assert_eq!(operator.ask(200, "GET", "/v2/apps", None)["apps"], json!([]));
}

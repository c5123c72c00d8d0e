//! Pods: created, scaled, restarted with their data, and removed.

use serde_json::{Value, json};

use super::operator::{Operator, text};

#[test]
fn pods() {
    let mut operator = Operator::start();
    create_scale_and_delete(&operator);
    versions_and_a_plan_that_is_stopped(&operator);
    a_terminal_and_memory_of_their_own(&operator);
    operator.cluster.stop_up();
}

fn pod(id: &str, instances: u32) -> Value {
    json!({
        "id": id, "scaling": {"kind": "fixed", "instances": instances},
        "containers": [{"name": "task", "resources": {"cpus": 0.02, "mem": 16}, "exec": {"command": {"shell": "exec sleep 1000"}}}],
    })
}

fn status(operator: &Operator, pod: &str) -> Value {
    operator.ask(200, "GET", &format!("/v2/pods{pod}::status"), None)
}

fn stable(operator: &Operator, pod: &str, instances: usize) -> Value {
    operator.cluster.until(&format!("{instances} stable instances of {pod}"), || {
        let status = status(operator, pod);
        let all = status["instances"].as_array()?;
        let each = all.iter().all(|instance| instance["status"] == "STABLE");
        (status["status"] == "STABLE" && each && all.len() == instances).then_some(status)
    })
}

/// The plan that touches the pod.
fn plan_of(operator: &Operator, pod: &str) -> Option<String> {
    let plans = operator.ask(200, "GET", "/v2/deployments", None);
    let touches = |plan: &&Value| plan["affectedPods"].as_array().is_some_and(|pods| pods.contains(&pod.into()));
    plans.as_array().expect("plans").iter().find(touches).map(|plan| text(&plan["id"]))
}

/// P1.
fn create_scale_and_delete(operator: &Operator) {
    operator.ask(201, "POST", "/v2/pods", Some(&pod("/simple", 1)));
    operator.events.wait_for("pod_created_event", |event| event["uri"] == "/v2/pods");
    let before = stable(operator, "/simple", 1)["instances"][0]["id"].clone();
    operator.cluster.until("its plan to be done", || plan_of(operator, "/simple").is_none().then_some(()));
    operator.ask(200, "PUT", "/v2/pods/simple", Some(&pod("/simple", 2)));
    let scaled = stable(operator, "/simple", 2);
    let ids = scaled["instances"].as_array().expect("instances").iter().map(|instance| &instance["id"]);
    assert!(ids.into_iter().any(|id| *id == before), "the first one stays: {scaled}");
    operator.cluster.until("its plan to be done", || plan_of(operator, "/simple").is_none().then_some(()));
    let refused = operator.ask(400, "PUT", "/v2/pods/simple", Some(&pod("/other", 1)));
    assert_eq!(refused["message"], "'/simple' does not match definition's id ('/other')");
    operator.ask(202, "DELETE", "/v2/pods/simple", None);
    operator.cluster.until("it to be gone", || {
        let (status, _) = operator.cluster.get("/v2/pods/simple::status");
        (status == 404).then_some(())
    });
    operator.events.wait_for("pod_deleted_event", |event| event["uri"] == "/v2/pods/simple");
}

/// P2: the first version stays readable, and a plan that is stopped by force leaves the pod as it was written.
fn versions_and_a_plan_that_is_stopped(operator: &Operator) {
    let mut document = pod("/versioned", 1);
    let created = operator.ask(201, "POST", "/v2/pods", Some(&document));
    stable(operator, "/versioned", 1);
    operator.cluster.until("its plan to be done", || plan_of(operator, "/versioned").is_none().then_some(()));
    document["scheduling"] = json!({"placement": {"constraints": [
        {"fieldName": "hostname", "operator": "LIKE", "value": "nowhere"}]}});
    let updated = operator.ask(200, "PUT", "/v2/pods/versioned", Some(&document));
    let versions = operator.ask(200, "GET", "/v2/pods/versioned::versions", None);
    let versions = versions.as_array().expect("a list");
    assert!(versions.len() == 2 && versions.contains(&created["version"]), "{versions:?}");
    let first = format!("/v2/pods/versioned::versions/{}", text(&created["version"]));
    assert_eq!(operator.ask(200, "GET", &first, None)["scheduling"]["placement"]["constraints"], json!([]));
    let plan = plan_of(operator, "/versioned").expect("it cannot end");
    operator.ask(202, "DELETE", &format!("/v2/deployments/{plan}?force=true"), None);
    operator.deployment_failed(&plan);
    assert_eq!(operator.ask(200, "GET", "/v2/pods/versioned", None)["version"], updated["version"]);
}

/// A container has a terminal where it asks for one, and what the pod says of shared memory is for who says nothing.
fn a_terminal_and_memory_of_their_own(operator: &Operator) {
    let tells = |name: &str, condition: &str, more: &Value| {
        let url = format!("http://127.0.0.1:{}/surrounded/{name}/", operator.driver.port());
        let tell = format!("python3 -c \"import urllib.request as r; r.urlopen('{url}')\"");
        let mut container = json!({
            "name": name, "resources": {"cpus": 0.02, "mem": 32},
            "exec": {"command": {"shell": format!("if {condition}; then {tell}; fi; exec sleep 1000")}},
        });
        container.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        container
    };
    let shared_mb = |size: u32| format!("[ $(df --block-size=1M --output=size /dev/shm | tail -n 1) = {size} ]");
    let private_mb = |size: u32| json!({"ipcInfo": {"mode": "PRIVATE", "shmSize": size}});
    let mut document = pod("/surrounded", 1);
    document["linuxInfo"] = private_mb(6);
    document["containers"] = json!([
        tells("terminal", "[ -t 0 ]", &json!({"tty": true, "linuxInfo": private_mb(7)})),
        tells("silent", &shared_mb(6), &json!({})),
        tells("private", &shared_mb(8), &json!({"linuxInfo": private_mb(8)})),
    ]);
    let created = operator.ask(201, "POST", "/v2/pods", Some(&document));
    assert_eq!((&created["linuxInfo"], &created["containers"][0]["tty"]), (&document["linuxInfo"], &json!(true)));
    for name in ["terminal", "silent", "private"] {
        let told = || operator.driver.was_asked(&format!("/surrounded/{name}/")).then_some(());
        operator.cluster.until(&format!("{name} to be as it should"), told);
    }
}

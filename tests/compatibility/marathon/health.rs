//! Health checks of every kind that is built, by verdicts that the test decides.

use serde_json::{Value, json};

use super::operator::{Behaviour, Operator, instance, text};

#[test]
fn health_checks() {
    let mut operator = Operator::start();
    healthy(&operator);
    interim_answers_are_ignored_where_asked(&operator);
    unhealthy(&operator, "/unhealthy", Behaviour::Unhealthy);
    unhealthy(&operator, "/too-slow", Behaviour::Silent);
    for protocol in ["HTTP", "MESOS_HTTP", "COMMAND"] {
        killed_and_replaced(&operator, protocol);
    }
    operator.cluster.stop_up();
}

/// A9 to A14.
fn healthy(operator: &Operator) {
    let kinds = ["HTTP", "TCP", "MESOS_HTTP", "MESOS_TCP", "COMMAND"];
    for (name, protocol) in ["http", "tcp", "mesos-http", "mesos-tcp", "command"].into_iter().zip(kinds) {
        let id = format!("/health/{name}");
        let mut app = operator.mock(&id, protocol);
        if protocol.ends_with("TCP") {
            app["healthChecks"][0].as_object_mut().expect("a check").remove("path");
        }
        operator.create_and_wait(&app);
        let healthy = operator.cluster.app(&id);
        assert_eq!((&healthy["tasksHealthy"], &healthy["tasksUnhealthy"]), (&json!(1), &json!(0)), "{protocol}");
        assert_eq!(operator.cluster.tasks(&id)[0]["healthCheckResults"][0]["alive"], true, "{protocol}");
        if !protocol.ends_with("TCP") {
            assert!(operator.driver.was_asked(&format!("{id}/")), "{protocol}: the app was pinged");
        }
        operator.events.wait_for("health_status_changed_event", |event| event["appId"] == id && event["alive"] == true);
    }

    let mut fixed = operator.mock("/health/fixed-port", "HTTP");
    let check = fixed["healthChecks"][0].as_object_mut().expect("a check");
    check.remove("portIndex");
    check.insert("port".to_owned(), operator.driver.port().into());
    check.insert("path".to_owned(), "/fixed-port/health".into());
    operator.create_and_wait(&fixed);
    assert!(operator.driver.was_asked("/fixed-port/health"), "the given port was pinged");
}

/// Of two checks of the same answers, the one that ignores 1xx leaves its task alone.
fn interim_answers_are_ignored_where_asked(operator: &Operator) {
    let ids = ["/interim/ignored", "/interim/counted"];
    for (id, ignored) in ids.into_iter().zip([true, false]) {
        let mut app = operator.mock(id, "HTTP");
        app["healthChecks"][0] = json!({
            "protocol": "HTTP", "path": format!("{id}/health"), "port": operator.driver.port(), "ignoreHttp1xx": ignored,
            "gracePeriodSeconds": 0, "intervalSeconds": 1, "timeoutSeconds": 1, "maxConsecutiveFailures": 2,
        });
        operator.create_and_wait(&app);
    }
    let before = operator.task_ids(ids[0]);
    operator.driver.set("/interim", Behaviour::Interim);
    operator.events.wait_for("unhealthy_instance_kill_event", |event| event["appId"] == ids[1]);
    let asked = operator.driver.times_asked(ids[0]);
    operator.cluster.until("more checks", || (operator.driver.times_asked(ids[0]) > asked + 2).then_some(()));
    assert_eq!(operator.task_ids(ids[0]), before);
    let result = &operator.cluster.tasks(ids[0])[0]["healthCheckResults"][0];
    assert_eq!((&result["alive"], &result["consecutiveFailures"]), (&json!(true), &json!(0)), "{result}");
    operator.driver.set("/interim", Behaviour::Healthy);
}

/// A16, A17.
fn unhealthy(operator: &Operator, id: &str, behaviour: Behaviour) {
    operator.driver.set(id, behaviour);
    let mut app = operator.mock(id, "HTTP");
    app["healthChecks"][0]["gracePeriodSeconds"] = 0.into();
    app["healthChecks"][0]["timeoutSeconds"] = 1.into();
    let deployment = operator.create(&app);
    operator.events.wait_for("failed_health_check_event", |event| event["appId"] == id);
    assert_eq!(operator.deployments_of(id), std::slice::from_ref(&deployment), "the plan goes on");
    operator.deploy("DELETE", &format!("/v2/apps/{id}"), None);
    operator.ask(404, "GET", &format!("/v2/apps/{id}"), None);
    let seen = operator.events.seen();
    let succeeded = |event: &Value| event["eventType"] == "deployment_success" && event["id"] == deployment.as_str();
    assert!(!seen.iter().any(succeeded), "{behaviour:?}");
}

/// H1.
fn killed_and_replaced(operator: &Operator, protocol: &str) {
    let id = format!("/replaced/{}", protocol.to_lowercase().replace('_', "-"));
    operator.create_and_wait(&operator.mock(&id, protocol));
    let task = operator.running(&id, 1).pop_first().expect("a task");
    let version = text(&operator.cluster.app(&id)["version"]);
    operator.driver.set(&format!("{id}/{version}"), Behaviour::Unhealthy);
    if protocol == "HTTP" {
        operator.events.wait_for("failed_health_check_event", |event| event["appId"] == id);
        let killed = operator.events.wait_for("unhealthy_instance_kill_event", |event| event["appId"] == id);
        assert_eq!(
            (text(&killed["taskId"]), text(&killed["instanceId"])),
            (task.clone(), instance(&task).0.to_owned())
        );
    }
    operator.events.wait_for("status_update_event", |event| {
        event["taskId"] == task.as_str()
            && ["TASK_KILLED", "TASK_FAILED"].map(Value::from).contains(&event["taskStatus"])
    });
    operator.driver.set(&format!("{id}/{version}"), Behaviour::Healthy);
    operator.cluster.until("a healthy replacement", || {
        let tasks = operator.cluster.tasks(&id);
        let replaced =
            tasks.iter().all(|now| now["id"] != task.as_str() && now["healthCheckResults"][0]["alive"] == true);
        (replaced && tasks.len() == 1).then_some(())
    });
}

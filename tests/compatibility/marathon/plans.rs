//! Deployments that cannot go on: how they are seen, stopped and rolled back.

use serde_json::{Value, json};

use super::operator::{Operator, sleeper, text};

#[test]
fn deployments_that_cannot_go_on() {
    let mut operator = Operator::start();
    stop(&operator);
    roll_back_a_creation(&operator);
    roll_back_an_update(&operator, "/careful", Some(json!({"minimumHealthCapacity": 1, "maximumOverCapacity": 0})));
    roll_back_an_update(&operator, "/default", None);
    refused_while_one_runs(&operator);
    only_what_was_asked_for(&operator);
    operator.cluster.stop_up();
}

fn nowhere() -> Value {
    json!([["hostname", "LIKE", "nowhere"]])
}

fn create_stuck(operator: &Operator, id: &str) -> String {
    let mut app = sleeper(id, 1);
    app["constraints"] = nowhere();
    let plan = operator.create(&app);
    let item = operator.queued(id, |item| item["delay"]["overdue"] == true);
    assert_eq!(item["count"], 1, "{item}");
    plan
}

/// A26.
fn stop(operator: &Operator) {
    let plan = create_stuck(operator, "/stopped");
    operator.ask(202, "DELETE", &format!("/v2/deployments/{plan}?force=true"), None);
    operator.deployment_failed(&plan);
    assert_eq!(operator.ask(200, "GET", "/v2/deployments", None), json!([]));
    operator.ask(200, "GET", "/v2/apps/stopped", None);
    operator.ask(404, "DELETE", &format!("/v2/deployments/{plan}"), None);
}

/// A27.
fn roll_back_a_creation(operator: &Operator) {
    let plan = create_stuck(operator, "/unmade");
    operator.deploy("DELETE", &format!("/v2/deployments/{plan}"), None);
    operator.deployment_failed(&plan);
    operator.ask(404, "GET", "/v2/apps/unmade", None);
}

/// A28.
fn roll_back_an_update(operator: &Operator, id: &str, strategy: Option<Value>) {
    let mut app = sleeper(id, 2);
    if let Some(strategy) = strategy {
        app["upgradeStrategy"] = strategy;
    }
    operator.create_and_wait(&app);
    let before = operator.running(id, 2);
    let updated = operator.ask(200, "PUT", &format!("/v2/apps/{id}"), Some(&json!({"constraints": nowhere()})));
    operator.queued(id, |item| item["processedOffersSummary"]["unusedOffersCount"] != 0);
    let plan = text(&updated["deploymentId"]);
    operator.deploy("DELETE", &format!("/v2/deployments/{plan}"), None);
    assert_eq!(operator.running(id, 2), before, "none was lost on the way there and back");
    let lost = |event: &Value| event["appId"] == id && event["taskStatus"] == "TASK_LOST";
    assert!(!operator.events.seen().iter().any(lost));
    assert_eq!(operator.cluster.app(id)["constraints"], json!([]));
}

fn refused_while_one_runs(operator: &Operator) {
    let plan = create_stuck(operator, "/locked");
    let refused = operator.ask(409, "PUT", "/v2/apps/locked", Some(&json!({"instances": 2})));
    assert_eq!(refused["deployments"], json!([{"id": plan}]));
    operator.events.wait_for("group_change_failed", |event| event["groupId"] == "/");
    operator.deploy("PUT", "/v2/apps/locked?force=true", Some(&json!({"constraints": []})));
    operator.deployment_failed(&plan);
}

/// A filtered stream holds the types that were asked for and no others; plans on it are light.
fn only_what_was_asked_for(operator: &Operator) {
    let url =
        format!("{}/v2/events?event_type=event_stream_attached&event_type=deployment_success", operator.cluster.url());
    let filtered = super::operator::Events::follow(&url);
    operator.create_and_wait(&sleeper("/filtered", 1));
    filtered.wait_for("deployment_success", |event| event["plan"]["steps"].is_array());
    for event in filtered.seen() {
        let event_type = text(&event["eventType"]);
        assert!(["event_stream_attached", "deployment_success"].contains(&event_type.as_str()), "{event}");
        assert!(event["plan"].get("original").is_none(), "{event}");
    }
}

//! Apps that fail, their delay, and the launch queue.

use serde_json::{Value, json};

use super::operator::{NEEDS_A_TERMINAL, Operator, sleeper};

/// Longer than any test waits: what runs again did not wait for it.
const DELAY_SECONDS: u32 = 3600;

#[test]
fn apps_that_fail_or_wait() {
    let mut operator = Operator::start();
    let empty = operator.ask(200, "GET", "/v2/queue", None);
    assert_eq!(empty, json!({"queue": []}));
    no_place(&operator);
    no_terminal(&operator);
    a_working_command_runs_at_once(&operator);
    scaling_keeps_the_delay(&operator);
    deleting_the_delay(&operator);
    restarting_in_the_delay(&operator);
    operator.cluster.stop_up();
}

fn failing(app: &str) -> Value {
    json!({
        "id": app, "cmd": "false", "cpus": 0.01, "mem": 16,
        "backoffSeconds": DELAY_SECONDS, "maxLaunchDelaySeconds": DELAY_SECONDS,
    })
}

/// Creates an app that fails, and waits until it is held back.
fn create_delayed(operator: &Operator, app: &Value) -> Value {
    operator.create(app);
    let id = app["id"].as_str().expect("an id");
    let item = operator.queued(id, is_delayed);
    assert!(item["delay"]["timeLeftSeconds"].as_u64().is_some_and(|left| left > 0), "{item}");
    let failure = operator.ask(200, "GET", &format!("/v2/apps/{id}"), None)["app"]["lastTaskFailure"].clone();
    assert_eq!(failure["state"], "TASK_FAILED", "{failure}");
    item
}

fn is_delayed(item: &Value) -> bool {
    item["delay"]["overdue"] == false
}

/// Q1.
fn no_place(operator: &Operator) {
    let mut app = sleeper("/no-place", 5);
    app["constraints"] = json!([["hostname", "LIKE", "nowhere"]]);
    operator.create(&app);
    let item = operator.queued("/no-place", |item| item["processedOffersSummary"]["unusedOffersCount"] != 0);
    assert_eq!((&item["count"], &item["delay"]["overdue"]), (&json!(5), &json!(true)), "{item}");
}

/// A command that needs a terminal, of an app that does not say so.
fn no_terminal(operator: &Operator) {
    let mut app = failing("/no-terminal");
    app["cmd"] = json!(NEEDS_A_TERMINAL);
    create_delayed(operator, &app);
}

/// A3.
fn a_working_command_runs_at_once(operator: &Operator) {
    create_delayed(operator, &failing("/mended"));
    operator.deploy("PUT", "/v2/apps/mended?force=true", Some(&json!({"cmd": "exec sleep 1000"})));
    assert_eq!(operator.queue_item("/mended"), None);
}

/// A4.
fn scaling_keeps_the_delay(operator: &Operator) {
    create_delayed(operator, &failing("/scaled"));
    operator.ask(200, "PUT", "/v2/apps/scaled?force=true", Some(&json!({"instances": 2})));
    let item = operator.queued("/scaled", |item| item["count"] == 2);
    assert!(is_delayed(&item), "{item}");
}

/// A5.
fn deleting_the_delay(operator: &Operator) {
    let directory = tempfile::tempdir().expect("a directory");
    let sign = directory.path().join("go");
    let mut app = failing("/crash-loop");
    app["cmd"] = format!("test -e {} && exec sleep 1000", sign.display()).into();
    create_delayed(operator, &app);
    std::fs::write(&sign, "").expect("written");
    operator.ask(204, "DELETE", "/v2/queue//crash-loop/delay", None);
    operator.running("/crash-loop", 1);
    // Nothing waits any more.
    operator.ask(404, "DELETE", "/v2/queue//crash-loop/delay", None);
}

/// A6.
fn restarting_in_the_delay(operator: &Operator) {
    create_delayed(operator, &failing("/again-and-again"));
    let failures = |events: &[Value]| {
        let failed = |event: &&Value| event["appId"] == "/again-and-again" && event["taskStatus"] == "TASK_FAILED";
        events.iter().filter(failed).count()
    };
    let before = failures(&operator.events.seen());
    operator.ask(200, "POST", "/v2/apps/again-and-again/restart?force=true", None);
    operator.events.wait_until("another failure", |seen| (failures(seen) > before).then_some(()));
    operator.queued("/again-and-again", is_delayed);
}

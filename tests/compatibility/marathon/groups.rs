//! Groups: created, changed, rolled back, and started in the order of their dependencies.

use serde_json::{Value, json};

use super::operator::{Behaviour, Operator, sleeper, text};

#[test]
fn groups_of_apps() {
    let mut operator = Operator::start();
    an_empty_group(&operator);
    one_that_is_not_there(&operator);
    the_same_again(&operator);
    roll_back_by_version(&operator);
    the_old_version_stays_until_the_new_one_is_healthy(&operator);
    changed_while_a_plan_runs(&operator);
    circular_dependencies(&operator);
    in_the_order_of(&operator, "/apps", &apps_in_order());
    in_the_order_of(&operator, "/groups", &groups_in_order());
    in_the_order_of(&operator, "/relatives", &relatives_in_order());
    who_enforces_its_role(&operator);
    operator.deploy("DELETE", "/v2/groups?force=true", None);
    let root = operator.ask(200, "GET", "/v2/groups", None);
    assert_eq!((&root["apps"], &root["groups"], &root["id"]), (&json!([]), &json!([]), &json!("/")), "{root}");
    operator.cluster.stop_up();
}

/// A group of mock apps, whose ids may be relative to it.
fn group(operator: &Operator, id: &str, apps: &[(&str, Value)]) -> Value {
    let apps: Vec<Value> = apps
        .iter()
        .map(|(name, dependencies)| {
            let mut app = operator.mock(&format!("{id}/{name}"), "HTTP");
            app["dependencies"] = dependencies.clone();
            app
        })
        .collect();
    json!({"id": id, "apps": apps})
}

fn deployed(operator: &Operator, answer: &Value) {
    operator.deployed(&text(&answer["deploymentId"]));
}

/// G1: a group without apps is made, and is told its dependencies later.
fn an_empty_group(operator: &Operator) {
    for id in ["/needed", "/empty"] {
        deployed(operator, &operator.ask(201, "POST", "/v2/groups", Some(&json!({"id": id}))));
    }
    operator.ask(409, "POST", "/v2/groups", Some(&json!({"id": "/empty"})));
    operator.deploy("PUT", "/v2/groups/empty", Some(&json!({"dependencies": ["/needed"]})));
    let empty = operator.ask(200, "GET", "/v2/groups/empty", None);
    assert_eq!((&empty["dependencies"], &empty["apps"]), (&json!(["/needed"]), &json!([])), "{empty}");
    assert_ne!(empty["enforceRole"], true);
    operator.deploy("DELETE", "/v2/groups/empty", None);
    operator.ask(404, "GET", "/v2/groups/empty", None);
}

/// G2.
fn one_that_is_not_there(operator: &Operator) {
    let refused = operator.ask(404, "DELETE", "/v2/groups/never-made", None);
    assert_eq!(refused["message"], "Group '/never-made' does not exist");
}

/// G3: the same document again restarts nothing.
fn the_same_again(operator: &Operator) {
    let group = json!({"id": "/again", "apps": [sleeper("/again/one", 1), sleeper("/again/two", 1)]});
    deployed(operator, &operator.ask(201, "POST", "/v2/groups", Some(&group)));
    let tasks = || ["/again/one", "/again/two"].map(|app| operator.running(app, 1));
    let before = tasks();
    operator.deploy("PUT", "/v2/groups/again", Some(&group));
    assert_eq!(operator.ask(200, "GET", "/v2/deployments", None), json!([]));
    assert_eq!(tasks(), before);
}

/// G4: the version before is written again by its name.
fn roll_back_by_version(operator: &Operator) {
    let mut group = group(operator, "/back", &[("web", json!([]))]);
    deployed(operator, &operator.ask(201, "POST", "/v2/groups", Some(&group)));
    let first = operator.ask(200, "GET", "/v2/groups/back", None)["version"].clone();
    group["apps"][0]["mem"] = 33.into();
    operator.deploy("PUT", "/v2/groups/back", Some(&group));
    let versions = operator.ask(200, "GET", "/v2/groups/back/versions", None);
    assert!(versions.as_array().expect("a list").contains(&first), "{versions} has {first}");
    operator.deploy("PUT", "/v2/groups/back", Some(&json!({"version": first})));
    let app = operator.cluster.app("/back/web");
    assert_eq!((&app["mem"], &app["tasksHealthy"]), (&json!(32), &json!(1)), "{app}");
    let asked = format!("/back/web/{}/health", text(&app["version"]));
    assert!(operator.driver.was_asked(&asked), "the version that is back answers");
}

/// G5: with all of them to be kept healthy, no old instance goes before a new one is.
fn the_old_version_stays_until_the_new_one_is_healthy(operator: &Operator) {
    let mut group = group(operator, "/kept", &[("web", json!([]))]);
    group["apps"][0]["instances"] = 2.into();
    group["apps"][0]["upgradeStrategy"] = json!({"minimumHealthCapacity": 1.0, "maximumOverCapacity": 1.0});
    deployed(operator, &operator.ask(201, "POST", "/v2/groups", Some(&group)));
    let old = operator.running("/kept/web", 2);
    let first = text(&operator.cluster.app("/kept/web")["version"]);
    operator.driver.set(&format!("/kept/web/{first}"), Behaviour::Healthy);
    operator.driver.set("/kept/web", Behaviour::Unhealthy);
    group["apps"][0]["mem"] = 33.into();
    let stuck = operator.ask(200, "PUT", "/v2/groups/kept", Some(&group));
    let broken = format!("/kept/web/{}/health", text(&operator.cluster.app("/kept/web")["version"]));
    operator.cluster.until("the new version to be found unhealthy a few times", || {
        (operator.driver.times_asked(&broken) > 5).then_some(())
    });
    let alive = |task: &&Value| task["healthCheckResults"][0]["alive"] == true;
    let tasks = operator.cluster.tasks("/kept/web");
    let healthy: Vec<String> = tasks.iter().filter(alive).map(|task| text(&task["id"])).collect();
    assert!(old.iter().all(|task| healthy.contains(task)), "{old:?} among {tasks:?}");

    operator.driver.set("/kept/web", Behaviour::Healthy);
    group["apps"][0]["mem"] = 34.into();
    operator.deploy("PUT", "/v2/groups/kept?force=true", Some(&group));
    operator.deployment_failed(&text(&stuck["deploymentId"]));
    assert!(operator.running("/kept/web", 2).is_disjoint(&old));
}

/// G6, G7: what runs is not changed nor removed unless one insists.
fn changed_while_a_plan_runs(operator: &Operator) {
    let mut app = sleeper("/locked/web", 1);
    app["constraints"] = json!([["hostname", "LIKE", "nowhere"]]);
    let mut group = json!({"id": "/locked", "apps": [app]});
    let made = operator.ask(201, "POST", "/v2/groups", Some(&group));
    group["apps"][0]["constraints"] = json!([]);
    for (method, path, body) in [("PUT", "/v2/groups/locked", Some(&group)), ("DELETE", "/v2/groups/locked", None)] {
        let before = operator.events.seen().len();
        let refused = operator.ask(409, method, path, body);
        assert_eq!(refused["deployments"], json!([{"id": made["deploymentId"]}]));
        operator.events.wait_until("group_change_failed", |seen| {
            let failed = |event: &Value| event["eventType"] == "group_change_failed" && event["groupId"] == "/locked";
            seen[before..].iter().any(failed).then_some(())
        });
    }
    operator.deploy("PUT", "/v2/groups/locked?force=true", Some(&group));
    operator.deployment_failed(&text(&made["deploymentId"]));
    operator.running("/locked/web", 1);
    operator.deploy("DELETE", "/v2/groups/locked?force=true", None);
    operator.ask(404, "GET", "/v2/groups/locked", None);
}

/// G8.
fn circular_dependencies(operator: &Operator) {
    let group = group(operator, "/circle", &[("a", json!(["b"])), ("b", json!(["c"])), ("c", json!(["a"]))]);
    let refused = operator.ask(422, "POST", "/v2/groups", Some(&group));
    assert!(refused.to_string().contains("cycl"), "{refused}");
    operator.ask(404, "GET", "/v2/groups/circle", None);
}

/// Three parts, of which each depends on the one before: by apps, and by groups.
struct Parts {
    dependencies: [Value; 3],
    nested: bool,
}

fn apps_in_order() -> Parts {
    Parts { dependencies: [json!([]), json!(["/apps/db"]), json!(["/apps/service"])], nested: false }
}

fn groups_in_order() -> Parts {
    Parts { dependencies: [json!([]), json!(["/groups/db"]), json!(["/groups/service"])], nested: true }
}

fn relatives_in_order() -> Parts {
    Parts { dependencies: [json!([]), json!(["../db"]), json!(["../service"])], nested: true }
}

/// G9: what depends on something is started when that is healthy.
fn in_the_order_of(operator: &Operator, id: &str, parts: &Parts) {
    let names = ["db", "service", "frontend"];
    let document = if parts.nested {
        let nested = |(name, dependencies): (&str, &Value)| {
            let mut group = group(operator, &format!("{id}/{name}"), &[("app", json!([]))]);
            group["dependencies"] = dependencies.clone();
            group
        };
        json!({"id": id, "groups": names.into_iter().zip(&parts.dependencies).map(nested).collect::<Vec<_>>()})
    } else {
        let apps: Vec<(&str, Value)> = names.into_iter().zip(parts.dependencies.iter().cloned()).collect();
        group(operator, id, &apps)
    };
    deployed(operator, &operator.ask(201, "POST", "/v2/groups", Some(&document)));
    let first = names.map(|name| operator.driver.first_asked(&format!("{id}/{name}/")).expect("it was asked"));
    assert!(first.is_sorted(), "{id}: {first:?}");
}

/// G10: a role is enforced by a group at the top, and by no other.
fn who_enforces_its_role(operator: &Operator) {
    let group = json!({"id": "/top", "groups": [{"id": "/top/second"}]});
    deployed(operator, &operator.ask(201, "POST", "/v2/groups", Some(&group)));
    operator.ask(422, "PATCH", "/v2/groups/top/second", Some(&json!({"enforceRole": true})));
    operator.ask(200, "PATCH", "/v2/groups/top", Some(&json!({"enforceRole": true})));
    assert_eq!(operator.ask(200, "GET", "/v2/groups/top", None)["enforceRole"], true);
    let on_the_way = json!({"enforceRole": false, "apps": [sleeper("/top/app", 1)]});
    operator.ask(422, "PUT", "/v2/groups/top", Some(&on_the_way));
}

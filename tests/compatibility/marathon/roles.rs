//! More roles than one: apps run in the default role or in that of their group, and what is kept for an instance stays in its role.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::operator::{Operator, sleeper, text};

/// The role of apps that name none.
const DEFAULT: &str = "foo";

#[test]
fn apps_in_several_roles() {
    let mut operator = Operator::of(&["--role", DEFAULT]);
    as_specified(&operator);
    resident_in_the_default_role(&operator);
    the_former_role_is_kept(&operator);
    resident_in_another_role(&operator);
    let url = format!("http://{}/frameworks", operator.cluster.address("master"));
    let (_, answer) = crate::harness::request("GET", &url, None);
    let roles: BTreeSet<&str> =
        answer["frameworks"][0]["roles"].as_array().expect("roles").iter().filter_map(Value::as_str).collect();
    assert_eq!(roles, [DEFAULT, "dev", "metrics"].into());
    operator.deploy("DELETE", "/v2/groups?force=true", None);
    operator.cluster.stop_up();
}

fn in_role(mut app: Value, role: &str) -> Value {
    app["role"] = role.into();
    app
}

fn resident(app: &str) -> Value {
    let mut app = sleeper(app, 1);
    app["container"] = json!({
        "type": "MESOS",
        "volumes": [{"containerPath": "data", "mode": "RW", "persistent": {"size": 8}}],
    });
    app
}

fn roles(operator: &Operator, app: &str) -> Vec<String> {
    let mut roles: Vec<String> = operator.cluster.tasks(app).iter().map(|task| text(&task["role"])).collect();
    roles.sort();
    roles
}

/// Tasks are launched in the role that their app names.
fn as_specified(operator: &Operator) {
    for role in ["dev", "metrics"] {
        let app = format!("/{role}/app-with-role");
        operator.create_and_wait(&in_role(sleeper(&app, 1), role));
        operator.running(&app, 1);
        assert_eq!(roles(operator, &app), [role]);
    }
    let foreign = in_role(sleeper("/dev/foreign", 1), "metrics");
    let refused = operator.ask(422, "POST", "/v2/apps", Some(&foreign));
    let expected = json!([{"path": "/role", "errors": ["got metrics, expected one of: [dev, foo]"]}]);
    assert_eq!(refused["details"], expected);
}

/// A resident app in the role that is everybody's.
fn resident_in_the_default_role(operator: &Operator) {
    let app = "/dev/simple-resident-app-with-role";
    operator.create_and_wait(&in_role(resident(app), DEFAULT));
    operator.running(app, 1);
}

/// An instance keeps its role when its app gets another one; instances that come later have the new one.
fn the_former_role_is_kept(operator: &Operator) {
    let app = "/dev/resident-app-keep-previous-role";
    operator.create_and_wait(&in_role(resident(app), DEFAULT));
    operator.running(app, 1);
    let update = json!({"role": "dev", "acceptedResourceRoles": ["*"]});
    let path = format!("/v2/apps/{app}");
    operator.ask(422, "PUT", &path, Some(&update));
    operator.deploy("PUT", &format!("{path}?force=true"), Some(&update));
    operator.running(app, 1);
    assert_eq!(roles(operator, app), [DEFAULT]);
    operator.deploy("PUT", &path, Some(&json!({"instances": 2})));
    operator.running(app, 2);
    assert_eq!(roles(operator, app), ["dev", DEFAULT]);
}

/// A resident app in the role of its group.
fn resident_in_another_role(operator: &Operator) {
    let app = "/dev/resident-app-with-non-default-role";
    operator.create_and_wait(&in_role(resident(app), "dev"));
    operator.running(app, 1);
    assert_eq!(roles(operator, app), ["dev"]);
}

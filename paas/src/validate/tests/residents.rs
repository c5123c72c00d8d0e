//! Persistent volumes, and what follows from them.

use super::*;
use crate::validate::change;

/// What becomes of an app with these fields and one persistent volume, in a service that uses this role.
fn with_volume(role: &str, volume: Value, fields: Value) -> Result<RunSpec, Value> {
    let mut document = json!({"cmd": "true", "container": {"volumes": [volume]}});
    document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let (id, rules) = (RunSpecId::parse("/db").unwrap(), Rules::default());
    let told = |faults: Faults| serde_json::to_value(faults.into_body()).unwrap()["details"].clone();
    let update = update(serde_json::from_value(document).unwrap(), &id, &rules).map_err(told)?;
    let spec = update.apply(None, &id, role).unwrap();
    whole(&spec).map_err(violations)?;
    Ok(spec)
}

fn violations(violations: Vec<Violation>) -> Value {
    let told = violations.into_iter().map(|Violation { path, message }| json!({"path": path, "errors": [message]}));
    told.collect()
}

fn data(persistent: Value) -> Value {
    json!({"containerPath": "data", "mode": "RW", "persistent": persistent})
}

fn resident() -> RunSpec {
    with_volume("data", data(json!({"size": 10})), json!({})).unwrap()
}

#[test]
fn every_fault_of_a_volume_is_told() {
    let on = |kind: &str, constraints: Value| data(json!({"type": kind, "size": 10, "constraints": constraints}));
    let cases = [
        ("*", data(json!({"size": 10})), json!({})),
        ("data", data(json!({})), json!({})),
        ("data", data(json!({"size": -1, "maxSize": 20})), json!({})),
        ("data", data(json!({"type": "mount", "size": 10, "maxSize": 10})), json!({})),
        ("data", data(json!({"type": "root", "size": 10, "profileName": ""})), json!({})),
        ("data", on("root", json!([["path", "LIKE", "a"]])), json!({})),
        ("data", on("path", json!([[], ["path", "LIKE", "("], ["path", "IS", "a"], ["path", "HAS", "a"]])), json!({})),
        ("data", on("path", json!([["rack", "LIKE", "a"], ["path", "LIKE"]])), json!({})),
        ("data", json!({"containerPath": "/data", "mode": "RO", "persistent": {"size": 10}}), json!({})),
        (
            "data",
            json!({"containerPath": "..", "hostPath": "/a", "secret": "s", "persistent": {"size": 10}}),
            json!({}),
        ),
        ("data", data(json!({"size": 10})), json!({"unreachableStrategy": {}})),
        ("data", data(json!({"size": 10})), json!({"upgradeStrategy": {"maximumOverCapacity": 0.5}})),
        ("data", data(json!({"size": 10})), json!({"acceptedResourceRoles": ["*", "data"]})),
        ("data", data(json!({"size": 10})), json!({"residency": {"relaunchEscalationTimeoutSeconds": -1}})),
        ("data", json!({"containerPath": "a", "hostPath": "/a", "mode": "RW"}), json!({"residency": {}})),
    ];
    let told = cases.into_iter().map(|(role, volume, fields)| {
        let outcome = with_volume(role, volume.clone(), fields.clone());
        format!("{role} {volume} {fields}\n    {}\n", outcome.expect_err("a fault"))
    });
    expect_file!["resident_faults.txt"].assert_eq(&told.collect::<String>());
}

#[test]
fn what_is_not_said_follows_from_the_volume() {
    let shown = |spec: &RunSpec| {
        let app = serde_json::to_value(normalise::app(spec)).unwrap();
        let fields = ["residency", "unreachableStrategy", "upgradeStrategy"];
        (fields.map(|field| app[field].clone()), app["container"]["volumes"].clone())
    };
    let defaults = [
        json!({"relaunchEscalationTimeoutSeconds": 3600, "taskLostBehavior": "WAIT_FOREVER"}),
        json!("disabled"),
        json!({"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}),
    ];
    let root = data(json!({"type": "root", "size": 10, "constraints": []}));
    assert_eq!(shown(&resident()), (defaults.clone(), json!([root])));
    let mount = json!({"type": "mount", "size": 10, "maxSize": 20, "profileName": "fast", "constraints": [["path", "UNLIKE", "/a"]]});
    let mut unsaid = mount.clone();
    unsaid.as_object_mut().unwrap().remove("type");
    let said = json!({
        "residency": {"taskLostBehavior": "RELAUNCH_AFTER_TIMEOUT", "relaunchEscalationTimeoutSeconds": 5},
        "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}, "acceptedResourceRoles": ["*"],
    });
    let spec = with_volume("data", data(unsaid), said.clone()).unwrap();
    let fields = [said["residency"].clone(), json!("disabled"), said["upgradeStrategy"].clone()];
    assert_eq!(shown(&spec), (fields, json!([data(mount)])));
}

#[test]
fn what_is_reserved_stays_as_it_is() {
    let from = resident();
    let outcome = |fields: Value| {
        let update = update(serde_json::from_value(fields).unwrap(), &from.id, &Rules::default()).unwrap();
        change(&from, &update.apply(Some(&from), &from.id, "data").unwrap()).map_err(violations)
    };
    for allowed in [json!({"cmd": "false"}), json!({"instances": 7}), json!({"env": {"A": "b"}})] {
        assert_eq!(outcome(allowed.clone()), Ok(()), "{allowed}");
    }
    let bigger = json!({"container": {"volumes": [data(json!({"size": 11}))]}});
    let refused = [
        (bigger, vec![("/", "Persistent volumes can not be changed!")]),
        (json!({"container": {}}), vec![("/", "Persistent volumes can not be changed!")]),
        (json!({"cpus": 2, "disk": 1}), vec![("/cpus", RESOURCES), ("/disk", RESOURCES)]),
        (json!({"requirePorts": true}), vec![("/requirePorts", RESOURCES)]),
        (json!({"portDefinitions": []}), vec![("/", PORTS)]),
    ];
    for (fields, expected) in refused {
        let expected: Value =
            expected.into_iter().map(|(path, error)| json!({"path": path, "errors": [error]})).collect();
        assert_eq!(outcome(fields.clone()), Err(expected), "{fields}");
    }
}

const RESOURCES: &str = "Services with persistent volumes configured may not change resource requirements. If you need to make this change, please create a new service.";
const PORTS: &str = "Services with persistent volumes configured may not change host ports. If you need to make this change, please create a new service.";

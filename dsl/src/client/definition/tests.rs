use expect_test::expect;
use serde_json::{Map, Value, json};

use super::{Definition, definition_of, predicted};

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn app() -> Map<String, Value> {
    map(json!({
        "instances": 1, "cmd": "serve", "args": null, "env": {"A": "1", "B": "2"}, "labels": {},
        "healthChecks": [{"protocol": "HTTP", "path": "/"}], "portDefinitions": [{"port": 10000}, {"port": 10001}],
    }))
}

#[test]
fn fields_become_a_document_that_names_only_them() {
    let lines: Vec<String> = [
        &["instances=5"][..],
        &["cmd=5", "user=true", "version=2026"],
        &["env.A=true", "env.C.D=x=y", "env.B-"],
        &["labels={\"a\":\"b\"}", "labels.c=d"],
        &["healthChecks[0].path=/health", "healthChecks[1].protocol=TCP"],
        &["healthChecks[0]-"],
        &["healthChecks[0].path-"],
        &["healthChecks[2].path=/"],
        &["cmd.x=1"],
        &["constraints=[[\"hostname\",\"UNIQUE\"]]"],
        &["instances=many"],
        &["backoffSeconds=0.5", "requirePorts=true"],
    ]
    .into_iter()
    .map(|words| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let document =
            Definition::read(&words, &mut std::io::empty()).and_then(|definition| definition.applied_to(&app()));
        let shown = document.map_or_else(|failure| failure.to_string(), |document| Value::Object(document).to_string());
        format!("{} → {shown}", words.join(" "))
    })
    .collect();
    expect![[r#"
        instances=5 → {"instances":5}
        cmd=5 user=true version=2026 → {"cmd":"5","user":"true","version":"2026"}
        env.A=true env.C.D=x=y env.B- → {"env":{"A":"true","C.D":"x=y"}}
        labels={"a":"b"} labels.c=d → {"labels":{"a":"b","c":"d"}}
        healthChecks[0].path=/health healthChecks[1].protocol=TCP → {"healthChecks":[{"protocol":"HTTP","path":"/health"},{"protocol":"TCP"}]}
        healthChecks[0]- → {"healthChecks":[]}
        healthChecks[0].path- → {"healthChecks":[{"protocol":"HTTP"}]}
        healthChecks[2].path=/ → healthChecks[2].path: no such place in the app: there is no element 2: the last one is 0
        cmd.x=1 → cmd.x: no such place in the app: a text has no members
        constraints=[["hostname","UNIQUE"]] → {"constraints":[["hostname","UNIQUE"]]}
        instances=many → {"instances":"many"}
        backoffSeconds=0.5 requirePorts=true → {"backoffSeconds":0.5,"requirePorts":true}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn what_is_predicted_is_what_the_server_makes_of_it() {
    let update = json!({
        "args": ["serve"], "healthChecks": [{}], "upgradeStrategy": {"minimumHealthCapacity": 0.5},
        "portDefinitions": [{"port": 10001, "name": "b"}, {"port": 0, "name": "a"}, {"port": 0}], "tasks": [], "version": "x",
    });
    let next = predicted(&app(), &map(update));
    expect![[r#"
        {
          "instances": 1,
          "cmd": null,
          "args": [
            "serve"
          ],
          "env": {
            "A": "1",
            "B": "2"
          },
          "labels": {},
          "healthChecks": [
            {
              "protocol": "HTTP",
              "gracePeriodSeconds": 300,
              "intervalSeconds": 60,
              "timeoutSeconds": 20,
              "maxConsecutiveFailures": 3,
              "delaySeconds": 15
            }
          ],
          "portDefinitions": [
            {
              "port": 10001,
              "protocol": "tcp",
              "name": "b"
            },
            {
              "port": 10000,
              "protocol": "tcp",
              "name": "a"
            },
            {
              "port": 0,
              "protocol": "tcp"
            }
          ],
          "upgradeStrategy": {
            "minimumHealthCapacity": 0.5,
            "maximumOverCapacity": 1
          }
        }"#]]
    .assert_eq(&format!("{:#}", Value::Object(next)));
}

#[test]
fn what_is_only_read_is_no_part_of_a_definition() {
    let read =
        json!({"id": "/a", "cmd": "x", "version": "v", "tasksRunning": 1, "deployments": [], "lastTaskFailure": {}});
    assert_eq!(definition_of(&read), map(json!({"cmd": "x"})));
}

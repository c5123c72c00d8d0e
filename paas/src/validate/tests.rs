mod abilities;
mod containers;
mod groups;
mod residents;

use std::path::{Path, PathBuf};

use attica_paas_api::{AppUpdate, ErrorBody};
use expect_test::expect_file;
use serde_json::{Value, json};

use super::{Faults, Intent, Rules, intent, pod, update, whole};
use crate::engine::Violation;
use crate::http::decode;
use crate::model::{RunSpec, RunSpecId, Version};
use crate::normalise;

fn rules() -> Rules {
    Rules::default()
}

/// The definition that a request with this body creates, or the answer.
fn read(body: &[u8]) -> Result<RunSpec, String> {
    let told = |body: ErrorBody| serde_json::to_string(&body).unwrap();
    let app: AppUpdate = decode(body).map_err(|(status, body)| format!("{status} {}", told(body)))?;
    let invalid = |faults: Faults| format!("422 {}", told(faults.into_body()));
    let id = app.id.clone().unwrap_or_else(|| "/test".to_owned());
    let id = RunSpecId::parse(&id).map_err(|error| invalid(Faults::one("/id", error.to_string())))?;
    let update = update(app, &id, &rules()).map_err(invalid)?;
    let merged = update.apply(None, &id, "*").map_err(|error| invalid(Faults::one("/", error.to_string())))?;
    whole(&merged).map_err(|violations| {
        let mut faults = Faults::default();
        violations.into_iter().for_each(|Violation { path, message }| faults.add(path, message));
        invalid(faults)
    })?;
    Ok(merged)
}

fn outcome(document: &Value) -> String {
    match read(document.to_string().as_bytes()) {
        Ok(_) => "accepted".to_owned(),
        Err(answer) => answer,
    }
}

/// The shared directory of real inputs, when it is there.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("ATTICA_SHARED").map_or_else(default, PathBuf::from);
    let data = shared.join("data/marathon");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: {} is not there (set ATTICA_SHARED)", data.display());
    None
}

#[test]
fn what_client_libraries_write_for_unset_fields_asks_for_nothing() {
    let document = json!({
        "id": "/web", "cmd": "true", "container": null, "taskRateLimit": null, "ports": [], "uris": [], "storeUrls": [],
        "portDefinitions": [{"port": 0, "name": "http", "protocol": null, "labels": null}],
        "healthChecks": [{"protocol": "HTTP", "portIndex": 0, "intervalSeconds": null, "ignoreHttp1xx": null, "command": null}],
        "unreachableStrategy": {"expungeAfterSeconds": 7, "unreachableExpungeAfterSeconds": null},
    });
    let read = read(document.to_string().as_bytes()).unwrap();
    assert_eq!(read.health_checks[0].interval_ms, 60_000, "the default");
    assert_eq!(read.ports[0].name.as_deref(), Some("http"));

    let unset_variable = outcome(&json!({"id": "/web", "cmd": "true", "env": {"COLOUR": null}}));
    assert!(unset_variable.starts_with("422") && unset_variable.contains("/env/COLOUR"), "{unset_variable}");
}

#[test]
fn every_published_definition_is_accepted_or_refused_by_name() {
    let Some(data) = shared_data() else { return };
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in ["apps", "docs"] {
        let entries = std::fs::read_dir(data.join(directory)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    let is_app = |path: &PathBuf| {
        let path = path.to_str().unwrap();
        path.contains("/apps/") || path.ends_with("-app.json")
    };
    files.retain(is_app);
    files.push(data.join("app-simple.json"));
    files.push(data.join("marathon-ui/minimalAppFullConfig.json"));
    files.push(data.join("rest-api-examples/app.json"));
    files.push(data.join("rest-api-examples/app-check-http-example.json"));
    files.sort();
    let mut outcomes = String::new();
    for file in &files {
        let document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let name = file.strip_prefix(&data).unwrap().display();
        outcomes += &format!("{name}: {}\n", outcome(&document));
    }
    expect_file!["tests/published_definitions.txt"].assert_eq(&outcomes);
}

#[test]
fn every_published_pod_is_refused_by_name_or_read_back_the_same() {
    let Some(data) = shared_data() else { return };
    let entries = |directory: &str| std::fs::read_dir(data.join(directory)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries("pods").collect();
    files.extend(entries("docs").filter(|path| path.to_str().unwrap().ends_with("-pod.json")));
    files.push(data.join("rest-api-examples/pod.json"));
    files.sort();
    let mut outcomes = String::new();
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        let outcome = match read_pod(&bytes) {
            Ok(spec) => {
                let shown = serde_json::to_value(normalise::pod(&spec).unwrap()).unwrap();
                let lost = differences("", &serde_json::from_slice(&bytes).unwrap(), &shown);
                if lost.is_empty() { "accepted".to_owned() } else { format!("accepted, but {}", lost.join(", ")) }
            }
            Err(answer) => answer,
        };
        outcomes += &format!("{}: {outcome}\n", file.strip_prefix(&data).unwrap().display());
    }
    expect_file!["tests/published_pods.txt"].assert_eq(&outcomes);
}

fn read_pod(bytes: &[u8]) -> Result<RunSpec, String> {
    let answer = |status: http::StatusCode, body: &ErrorBody| format!("{} {}", status.as_u16(), normalise::json(body));
    let written: attica_paas_api::pod::Pod =
        crate::http::decode(bytes).map_err(|(status, body)| answer(status, &body))?;
    let id = RunSpecId::parse(&written.id).unwrap();
    pod(written, &id, &Rules::default())
        .map_err(|faults| answer(http::StatusCode::UNPROCESSABLE_ENTITY, &faults.into_body()))
}

/// Where `shown` lacks or changes what was written. A version is the server's to give; what asks for nothing may be left out, and words
/// that stand for themselves may be written in any case.
fn differences(path: &str, written: &Value, shown: &Value) -> Vec<String> {
    match (written, shown) {
        (Value::Object(written), Value::Object(shown)) => {
            let members = written.iter().filter(|(name, _)| *name != "version");
            let of = |(name, value): (&String, &Value)| {
                differences(&format!("{path}/{name}"), value, shown.get(name).unwrap_or(&Value::Null))
            };
            members.flat_map(of).collect()
        }
        (Value::Array(written), Value::Array(shown)) if written.len() == shown.len() => {
            let items = written.iter().zip(shown).enumerate();
            items
                .flat_map(|(index, (written, shown))| differences(&format!("{path}({index})"), written, shown))
                .collect()
        }
        (Value::String(written), Value::String(shown)) if written.eq_ignore_ascii_case(shown) => Vec::new(),
        (written, Value::Null) if written.is_null() || *written == json!({}) || *written == json!([]) => Vec::new(),
        (Value::Number(written), Value::Number(shown)) if written.as_f64() == shown.as_f64() => Vec::new(),
        (written, shown) if written == shown => Vec::new(),
        (written, shown) => vec![format!("{path} is {shown} instead of {written}")],
    }
}

#[test]
fn every_fault_of_a_pod_is_told_with_its_path() {
    let container = |fields: Value| {
        let mut container =
            json!({"name": "c", "exec": {"command": {"shell": "true"}}, "resources": {"cpus": 0.1, "mem": 32}});
        container.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        container
    };
    let endpoint = |name: &str, port: u16| json!({"name": name, "hostPort": port});
    let matrix = [
        json!({"containers": []}),
        json!({"containers": [container(json!({"name": "Big_One"}))]}),
        json!({"containers": [container(json!({})), container(json!({}))]}),
        json!({"containers": [container(json!({"exec": null}))]}),
        json!({"containers": [container(json!({"exec": {"command": {"shell": "a", "argv": ["b"]}}}))]}),
        json!({"containers": [container(json!({"resources": {"cpus": 0, "mem": -1, "gpus": 1}}))]}),
        json!({"containers": [container(json!({"resourceLimits": {"cpus": 0.01}}))]}),
        json!({"legacySharedCgroups": true, "containers": [container(json!({"resourceLimits": {"cpus": 1}}))]}),
        json!({"containers": [container(json!({"endpoints": [endpoint("a", 0), endpoint("a", 0)]}))]}),
        json!({"containers": [container(json!({"endpoints": [endpoint("a", 80), endpoint("b", 80)]}))]}),
        json!({"containers": [container(json!({"endpoints": [{"name": "a", "containerPort": 80}]}))]}),
        json!({"networks": [{"mode": "container/bridge"}], "containers": [container(json!({"endpoints": [{"name": "a", "protocol": ["tcp", "tcp"]}]}))]}),
        json!({"containers": [container(json!({"healthCheck": {"http": {"endpoint": "a"}}}))]}),
        json!({"containers": [container(json!({"healthCheck": {"tcp": {"endpoint": "a"}, "exec": {"command": {"shell": "true"}}}}))]}),
        json!({"containers": [container(json!({"check": {"intervalSeconds": -1}}))]}),
        json!({"containers": [container(json!({"volumeMounts": [{"name": "v", "mountPath": ""}]}))]}),
        json!({"volumes": [{"name": "v"}], "containers": [container(json!({"volumeMounts": [
            {"name": "v", "mountPath": "../a"}, {"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "b"}, {"name": "v", "mountPath": "b"}]}))]}),
        json!({"volumes": [{"name": "v"}, {"name": "v"}], "containers": [container(json!({}))]}),
        json!({"volumes": [{"name": "v", "persistent": {"size": 1}}, {"name": "w", "host": "relative"}], "containers": [container(json!({}))]}),
        json!({"environment": {"1A": "x", "OK": {"secret": "s"}}, "secrets": {"s": {"source": "x"}}, "containers": [container(json!({}))]}),
        json!({"volumes": [{"name": "v", "secret": "s", "host": "/x"}], "secrets": {"s": {"source": "x"}},
            "containers": [container(json!({"volumeMounts": [{"name": "v", "mountPath": "v", "readOnly": false}]}))]}),
        json!({"scaling": {"kind": "elastic", "instances": -1}, "containers": [container(json!({}))]}),
        json!({"scheduling": {"killSelection": "ANY", "backoff": {"backoffFactor": 0.5}, "upgrade": {"maximumOverCapacity": 2}}, "containers": [container(json!({}))]}),
        json!({"scheduling": {"placement": {"constraints": [{"fieldName": "rack", "operator": "MAX_PER"}], "acceptedResourceRoles": ["other"]}}, "containers": [container(json!({}))]}),
        json!({"linuxInfo": {"seccomp": {"unconfined": true}, "ipcInfo": {"mode": "SHARE_PARENT", "shmSize": 8}}, "containers": [container(json!({}))]}),
        json!({"linuxInfo": {"ipcInfo": {"mode": "PRIVATE"}}, "containers": [container(json!({})), container(json!({"name": "d", "linuxInfo": {"ipcInfo": {"mode": "SHARE_PARENT"}}}))]}),
        json!({"linuxInfo": {"ipcInfo": {"mode": "PRIVATE"}}, "containers": [container(json!({})), container(json!({"name": "d", "linuxInfo": {"ipcInfo": {"mode": "PRIVATE"}}}))]}),
        json!({"linuxInfo": {"capabilities": ["KILL"]}, "containers": [container(json!({"tty": true}))]}),
        json!({"role": "other", "networks": [{"mode": "container"}], "containers": [container(json!({"image": {"kind": "APPC", "id": ""}}))]}),
        json!({"containers": [{"name": "c"}]}),
        json!({"unknown": 1, "containers": [container(json!({}))]}),
    ];
    let mut outcomes = String::new();
    for fields in matrix {
        let mut document = json!({"id": "/test"});
        document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let outcome = read_pod(document.to_string().as_bytes()).map_or_else(|answer| answer, |_| "accepted".to_owned());
        outcomes += &format!("{fields}\n    {outcome}\n");
    }
    expect_file!["tests/faults_of_pods.txt"].assert_eq(&outcomes);
}

#[test]
fn the_apps_of_a_production_cluster_are_accepted_and_shown_as_marathon_shows_them() {
    let Some(data) = shared_data() else { return };
    let mut count = 0;
    for file in ["real/155_100.json", "real/155_1000.json"] {
        let root: Value = serde_json::from_slice(&std::fs::read(data.join(file)).unwrap()).unwrap();
        compare_apps(&root, &mut count);
    }
    assert_eq!(count, 1_100);
}

fn compare_apps(group: &Value, count: &mut u32) {
    let items = |name: &str| group[name].as_array().cloned().unwrap_or_default();
    for app in items("apps") {
        let spec = read(app.to_string().as_bytes()).unwrap_or_else(|answer| panic!("{answer}: {app}"));
        let shown = serde_json::to_value(normalise::app(&spec)).unwrap();
        for field in ["container", "networks", "portDefinitions", "requirePorts", "env", "labels", "fetch"] {
            let (ours, theirs) = (shown.get(field), app.get(field));
            // They leave empty collections out that early clients want to see.
            let is_empty = |value: Option<&Value>| value.is_none_or(|value| *value == json!([]) || *value == json!({}));
            assert!(ours == theirs || is_empty(ours) && is_empty(theirs), "{field}: {ours:?} instead of {theirs:?}");
        }
        *count += 1;
    }
    items("groups").iter().for_each(|group| compare_apps(group, count));
}

/// What is wrong with `{"id":"/test","cmd":"true"}` plus these fields.
fn faults_of(fields: Value) -> String {
    let mut document = json!({"id": "/test", "cmd": "true"});
    document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    outcome(&document)
}

#[test]
fn every_fault_is_told_with_its_path() {
    let matrix = [
        json!({"id": "/"}),
        json!({"id": "/UPPER/case"}),
        json!({"id": "/a/restart"}),
        json!({"cmd": ""}),
        json!({"cmd": "a\u{0}b"}),
        json!({"cmd": null}),
        json!({"args": ["a"]}),
        json!({"instances": -1}),
        json!({"instances": 1e12 as i64}),
        json!({"cpus": 0, "mem": -1, "disk": 1e300}),
        json!({"user": ""}),
        json!({"env": {"A=B": "c", "": "d"}}),
        json!({"env": {"A": {"secret": "s"}}}),
        json!({"env": {"A": {"secret": "s"}}, "secrets": {"t": {"source": "s"}}}),
        json!({"secrets": {"": {"source": "a b"}, "s": {"source": "/a/../b"}, "t": {"source": ""}}}),
        json!({"constraints": [["hostname"], ["hostname", "UNIQUE", "x"], ["", "UNIQUE"], ["a", "GROUP_BY", "x"]]}),
        json!({"constraints": [["a", "MAX_PER"], ["a", "LIKE"], ["a", "LIKE", "("], ["a", "IS", "ä"], ["a", "NEAR", "b"], ["@zone", "UNIQUE"]]}),
        json!({"acceptedResourceRoles": [], "role": "prod"}),
        json!({"acceptedResourceRoles": ["*", "prod"]}),
        json!({"portDefinitions": [{"port": 70000, "protocol": "sctp"}, {"port": 1, "name": "a b"}]}),
        json!({"portDefinitions": [{"port": 1, "name": "a"}, {"port": 1, "name": "a"}]}),
        json!({"ports": [1], "portDefinitions": [{"port": 2}]}),
        json!({"healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}}, {"protocol": "HTTPS"}]}),
        json!({"healthChecks": [{"protocol": "COMMAND"}]}),
        json!({"healthChecks": [{"protocol": "COMMAND", "command": {"value": " "}}, {"command": {"value": "true"}}]}),
        json!({"healthChecks": [{"portIndex": 1}, {"port": 80, "portIndex": 0}, {"port": 0}]}),
        json!({"healthChecks": [{"intervalSeconds": 0, "timeoutSeconds": 0, "gracePeriodSeconds": -1, "path": "/a b"}]}),
        json!({"healthChecks": [{"protocol": "MESOS_HTTP"}, {"protocol": "MESOS_TCP"}]}),
        json!({"healthChecks": [{"ipProtocol": "IPv5"}]}),
        json!({"dependencies": ["/test", "../UP"]}),
        json!({"check": {}}),
        json!({"check": {"tcp": {}, "http": {}}}),
        json!({"check": {"tcp": {"portIndex": 1}, "intervalSeconds": -1}}),
        json!({"check": {"tcp": {"portIndex": 1}}}),
        json!({"check": {"http": {"path": "/a b", "scheme": "HTTPS"}}}),
        json!({"check": {"exec": {"command": {}}}}),
        json!({"check": {"exec": {"command": {"argv": []}}}}),
        json!({"upgradeStrategy": {"minimumHealthCapacity": 1.5, "maximumOverCapacity": -1}}),
        json!({"unreachableStrategy": {"inactiveAfterSeconds": 10, "expungeAfterSeconds": 5}}),
        json!({"taskKillGracePeriodSeconds": -1, "backoffSeconds": -1, "backoffFactor": 0.5, "maxLaunchDelaySeconds": 1e12}),
        json!({"labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}, "instances": 2}),
        json!({"labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}, "upgradeStrategy": {}}),
        json!({"networks": [{"mode": "container/bridge"}]}),
        json!({"networks": [{"mode": "host", "name": "x"}]}),
        json!({"networks": [{"mode": "host"}, {"name": "dcos"}]}),
        json!({"networks": [{"mode": "mesh"}]}),
        json!({"gpus": 1, "tty": true, "executor": "/bin/own", "container": {}, "secrets": {"a": {"source": "/a"}}}),
        json!({"executor": "//bin/own", "executorResources": {"cpus": -1, "mem": "much"}}),
        json!({"executor": "/bin/", "executorResources": {"disk": -1}}),
        json!({"executor": "bin/own", "resourceLimits": {"mem": 256}, "healthChecks": [{"protocol": "MESOS_HTTP"}, {"protocol": "TCP"}],
            "readinessChecks": [{"portName": "default"}]}),
        json!({"fetch": [{"uri": "a"}], "uris": ["a"], "residency": {}, "check": {}, "readinessChecks": [{}]}),
        json!({"readinessChecks": [{"portName": "default", "timeoutSeconds": 30, "protocol": "TCP", "httpStatusCodesForReady": []}, {}]}),
        json!({"resourceLimits": {}, "ipAddress": {}, "networks": [], "storeUrls": ["a"]}),
    ];
    let told: String =
        matrix.into_iter().map(|fields| format!("{fields}\n    {}\n", faults_of(fields.clone()))).collect();
    expect_file!["tests/faults.txt"].assert_eq(&told);
}

#[test]
fn documents_of_another_shape_are_told_where() {
    let matrix = [
        "",
        "{",
        "nonsense",
        r#"{"id":"/a"} {"#,
        "[]",
        r#"{"id":5}"#,
        r#"{"id":"/a","id":"/b"}"#,
        r#"{"id":"/a","cpus":"1"}"#,
        r#"{"id":"/a","instances":1.5}"#,
        r#"{"id":"/a","env":{"A":1}}"#,
        r#"{"id":"/a","env":{"A":{"secret":"s","x":1}}}"#,
        r#"{"id":"/a","constraints":[["a",1]]}"#,
        r#"{"id":"/a","healthChecks":[{},{"protocol":"ICMP"}]}"#,
        r#"{"id":"/a","healthChecks":[{"pathh":"/"}]}"#,
        r#"{"id":"/a","killSelection":"RANDOM"}"#,
        r#"{"id":"/a","unreachableStrategy":"never"}"#,
        r#"{"id":"/a","unreachableStrategy":{"after":1}}"#,
        r#"{"id":"/a","instance":1}"#,
    ];
    let mut told = String::new();
    for document in matrix {
        let answer = read(document.as_bytes()).map(|_| "accepted");
        told += &format!("{document}\n    {}\n", answer.map_or_else(|answer| answer, str::to_owned));
    }
    expect_file!["tests/shapes.txt"].assert_eq(&told);
}

#[test]
fn what_a_read_returned_can_be_written_back() {
    let written = json!({
        "id": "/shop/web", "args": ["serve", "--quick"], "user": "nobody", "env": {"A": "b"}, "instances": 3,
        "cpus": 0.25, "mem": 32.5, "disk": 10, "constraints": [["hostname", "UNIQUE"], ["rack", "GROUP_BY", "3"], ["@hostname", "LIKE", "a.*"]],
        "acceptedResourceRoles": ["*"], "dependencies": ["db", "/auth"], "labels": {"x": "y"}, "requirePorts": true,
        "portDefinitions": [{"port": 8080, "name": "http", "labels": {"VIP_0": "/web:80"}}, {"port": 0, "protocol": "udp,tcp"}],
        "healthChecks": [{"protocol": "HTTP", "path": "health", "ignoreHttp1xx": true}, {"protocol": "MESOS_TCP", "port": 9}, {"protocol": "TCP", "portIndex": 1}],
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.2}, "unreachableStrategy": "disabled",
        "readinessChecks": [{"portName": "http", "preserveLastResponse": true}],
        "killSelection": "OLDEST_FIRST", "taskKillGracePeriodSeconds": 7, "backoffSeconds": 0.5, "backoffFactor": 2, "maxLaunchDelaySeconds": 60
    });
    let spec = read(written.to_string().as_bytes()).unwrap();
    let shown = normalise::json(&normalise::app(&spec));
    assert_eq!(read(shown.as_bytes()), Ok(spec));
    expect_file!["tests/read_back.json"].assert_eq(&format!("{:#}\n", serde_json::from_str::<Value>(&shown).unwrap()));
}

#[test]
fn an_executor_is_kept_with_what_it_needs() {
    let read_back = |document: Value| {
        let shown = normalise::app(&read(document.to_string().as_bytes()).unwrap());
        assert_eq!(normalise::app(&read(normalise::json(&shown).as_bytes()).unwrap()), shown);
        (
            shown.executor,
            shown.executor_resources.map(|needs| [needs.cpus, needs.mem, needs.disk].map(|amount| amount.0)),
        )
    };
    let document =
        |executor: &str| json!({"id": "/test", "cmd": "true", "executor": executor, "executorResources": {"mem": 64}});
    assert_eq!(read_back(document("/opt/run it")), ("/opt/run it".to_owned(), Some([0.1, 64.0, 10.0])));
    assert_eq!(
        read_back(document("//cmd")),
        (String::new(), Some([0.1, 64.0, 10.0])),
        "what it would need is not forgotten"
    );
    assert_eq!(read_back(json!({"id": "/test", "cmd": "true", "executor": "run"})), ("run".to_owned(), None));
}

#[test]
fn a_version_alone_asks_for_a_rollback() {
    let id = RunSpecId::parse("/a").unwrap();
    let asked = |document: Value| intent(serde_json::from_value(document).unwrap(), &id, &rules());
    let version = "2015-06-12T23:03:31.512Z";
    let rollback = Ok(Intent::Rollback(Version::parse(version).unwrap()));
    assert_eq!(asked(json!({"version": version})), rollback);
    assert_eq!(asked(json!({"id": "/a", "version": version})), rollback);
    assert!(asked(json!({"version": "yesterday"})).is_err());
    assert!(asked(json!({"version": version, "instances": 2})).is_err());
    let read = json!({"cmd": "true", "version": version, "versionInfo": {}});
    assert!(matches!(asked(read), Ok(Intent::Update(_))));
}

//! Ports that lead into containers, and what agents are told of those.

use attica_core_api::encode_json;
use attica_core_api::secrets::{KEY_BYTES, KeyId, SealingKey};
use attica_core_api::v1::{AgentAbilities, CommandInfo};
use expect_test::expect_file;
use serde_json::{Value, json};

use super::*;
use crate::model::RunSpecId;
use crate::validate::{Rules, update};

/// The run spec of a document; each service port that is not given is its index after 10,000.
fn spec(document: Value) -> RunSpec {
    let id = RunSpecId::parse("/shop/web").unwrap();
    let update = update(serde_json::from_value(document).unwrap(), &id, &Rules::default()).unwrap();
    let mut spec = update.apply(None, &id, "*").unwrap();
    for (index, port) in spec.ports.iter_mut().enumerate().filter(|(_, port)| port.port == 0) {
        port.port = 10_000 + u16::try_from(index).unwrap();
    }
    spec
}

fn bridge(mappings: Value) -> RunSpec {
    spec(
        json!({"networks": [{"mode": "container/bridge"}], "container": {"docker": {"image": "web"}, "portMappings": mappings}}),
    )
}

#[test]
fn ports_of_the_host_are_given_where_a_mapping_asks_for_them() {
    let given = |run_spec: &RunSpec, ports_end: u64| {
        let mut stock = Stock::new(vec![offer(1, 8.0, ports_end)]);
        let outcome = place(&order(run_spec, 1), &mut stock);
        match outcome.placed.first() {
            Some(placed) => Ok(placed.ports.clone()),
            None => Err(outcome.rejected[0].reasons.clone()),
        }
    };
    let any = bridge(json!([{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}]));
    assert_eq!(given(&any, 31_001), Ok(vec![31_001, 31_000]));
    assert_eq!(given(&any, 31_000), Err(vec![RejectReason::InsufficientPorts]));
    // The one that is free at the random place is somebody's already.
    let named = bridge(json!([{"containerPort": 80}, {"containerPort": 81, "hostPort": 31_001}]));
    assert_eq!(given(&named, 31_002), Ok(vec![31_002, 31_001]));
    assert_eq!(given(&named, 31_000), Err(vec![RejectReason::InsufficientPorts]));
    let outside = bridge(json!([{"containerPort": 80, "hostPort": 80}]));
    assert_eq!(given(&outside, 31_099), Err(vec![RejectReason::InsufficientPorts]));
    let none = spec(json!({"cmd": "true", "networks": [{"name": "dcos"}],
        "container": {"portMappings": [{"containerPort": 80}, {"containerPort": 81}]}}));
    assert_eq!(given(&none, 30_000), Ok(vec![]));
}

#[test]
fn where_an_instance_listens_follows_from_its_mappings() {
    let ways = |spec: &RunSpec, host_ports: &[u16]| -> Vec<(Option<u16>, u16)> {
        spec.given_ports(host_ports).iter().map(|port| (port.host, port.container)).collect()
    };
    let mixed = spec(json!({"cmd": "true", "networks": [{"name": "dcos"}], "container": {"portMappings": [
        {"containerPort": 80, "hostPort": 0}, {"containerPort": 31_000}, {"containerPort": 0}, {"containerPort": 0, "hostPort": 0}]}}));
    assert_eq!(
        ways(&mixed, &[31_500, 31_501]),
        [(Some(31_500), 80), (None, 31_000), (None, 31_001), (Some(31_501), 31_501)]
    );
    let host = spec(json!({"cmd": "true", "ports": [0, 0]}));
    assert_eq!(ways(&host, &[31_500, 31_501]), [(Some(31_500), 31_500), (Some(31_501), 31_501)]);
}

#[test]
fn an_agent_without_containers_is_no_place_for_one() {
    let verdict = |run_spec: &RunSpec| {
        let text = Some(Text { value: "posix".into() });
        let attribute = Attribute { name: "isolation".into(), r#type: ValueType::Text, text, ..Attribute::default() };
        let offer = Offer { attributes: vec![attribute], ..offer(1, 8.0, 31_099) };
        place(&order(run_spec, 1), &mut Stock::new(vec![offer])).rejected.pop().map(|rejected| rejected.reasons)
    };
    assert_eq!(verdict(&bridge(json!([]))), Some(vec![RejectReason::UnfulfilledConstraint]));
    let volume = json!([{"containerPath": "a", "hostPath": "a", "mode": "RO"}]);
    let mounted = spec(json!({"cmd": "true", "container": {"volumes": volume}}));
    assert_eq!(verdict(&mounted), Some(vec![RejectReason::UnfulfilledConstraint]));
    assert_eq!(verdict(&spec(json!({"cmd": "true", "container": {}}))), None);
    assert_eq!(verdict(&spec(json!({"cmd": "true"}))), None);
}

#[test]
fn what_an_agent_says_it_cannot_do_is_not_asked_of_it() {
    let verdict = |run_spec: &RunSpec, abilities: Option<AgentAbilities>| {
        let offer = Offer { abilities: abilities.map(Box::new), ..offer(1, 8.0, 31_099) };
        place(&order(run_spec, 1), &mut Stock::new(vec![offer])).rejected.pop().map(|rejected| rejected.reasons)
    };
    let image = spec(json!({"cmd": "true", "container": {"type": "MESOS", "docker": {"image": "busybox"}}}));
    let rootless = AgentAbilities { launcher: true, ..AgentAbilities::default() };
    let root = AgentAbilities { mounts: true, ..rootless.clone() };
    assert_eq!(verdict(&image, Some(rootless.clone())), Some(vec![RejectReason::UnfulfilledConstraint]));
    assert_eq!(verdict(&image, Some(root)), None);
    assert_eq!(verdict(&image, None), None);
    assert_eq!(verdict(&spec(json!({"cmd": "true"})), Some(rootless)), None);
}

#[test]
fn secrets_are_only_given_to_agents_that_can_open_them() {
    let key = SealingKey::new(&[7; KEY_BYTES]);
    let rejected = |run_spec: &RunSpec, known: Option<&str>, secrets_key: Option<&KeyId>| {
        let attribute = |known: &str| {
            let text = Some(Text { value: known.to_owned() });
            Attribute { name: "secrets".into(), r#type: ValueType::Text, text, ..Attribute::default() }
        };
        let offer = Offer { attributes: known.map(attribute).into_iter().collect(), ..offer(1, 8.0, 31_099) };
        let order = Order { secrets_key, ..order(run_spec, 1) };
        place(&order, &mut Stock::new(vec![offer])).rejected.pop().map(|rejected| rejected.reasons)
    };
    let secret = spec(json!({"cmd": "true", "env": {"A": {"secret": "a"}}, "secrets": {"a": {"source": "/a"}}}));
    let no = Some(vec![RejectReason::UnfulfilledConstraint]);
    assert_eq!(rejected(&secret, Some(key.id().as_str()), Some(key.id())), None);
    assert_eq!(rejected(&secret, None, Some(key.id())), no);
    assert_eq!(rejected(&secret, Some("0123456789abcdef"), Some(key.id())), no);
    assert_eq!(rejected(&secret, Some(key.id().as_str()), None), no);
    assert_eq!(rejected(&spec(json!({"cmd": "true"})), None, None), None);
}

#[test]
fn a_task_in_a_container_is_described() {
    let mappings = json!([
        {"containerPort": 80, "hostPort": 0, "name": "http", "labels": {"VIP_0": "/web:80"}},
        {"containerPort": 53, "hostPort": 31_500, "protocol": "udp,tcp"},
        {"containerPort": 0, "name": "own"},
    ]);
    let checks = json!([{"protocol": "HTTP", "portIndex": 0}, {"protocol": "MESOS_TCP", "portIndex": 1}, {"protocol": "TCP", "port": 9}]);
    let documents = [
        (
            "a Docker container on the bridge",
            json!({"networks": [{"mode": "container/bridge"}], "healthChecks": checks,
            "container": {"docker": {"image": "web:1", "forcePullImage": true, "parameters": [{"key": "hostname", "value": "x"}]}, "portMappings": mappings,
                "volumes": [{"containerPath": "/data", "hostPath": "/srv/data", "mode": "RW"}]}}),
        ),
        (
            "the agent's own container on the bridge",
            json!({"args": ["-v"], "networks": [{"mode": "container/bridge", "labels": {"a": "b"}}],
            "check": {"http": {"portIndex": 0, "path": "/ready"}, "intervalSeconds": 5},
            "container": {"type": "MESOS", "docker": {"image": "web:1", "credential": {"principal": "ann", "secret": "s"}}, "portMappings": mappings,
                "linuxInfo": {"seccomp": {"profileName": "strict"}, "ipcInfo": {"mode": "PRIVATE", "shmSize": 64}}}}),
        ),
        (
            "a Docker container on a named network",
            json!({"cmd": "serve", "networks": [{"name": "dcos", "labels": {"a": "b"}}], "healthChecks": checks,
            "container": {"docker": {"image": "web:1"}, "portMappings": mappings}}),
        ),
        (
            "the agent's own on two",
            json!({"cmd": "serve", "networks": [{"name": "a"}, {"name": "b"}],
            "container": {"portMappings": [{"containerPort": 80, "hostPort": 0, "networkNames": ["b"]}],
                "volumes": [{"containerPath": "etc", "hostPath": "etc", "mode": "RO"}]}}),
        ),
        (
            "a Docker container on the host",
            json!({"args": ["-v"], "container": {"docker": {"image": "web:1", "privileged": true}}}),
        ),
        (
            "no image, a terminal and files",
            json!({"args": ["serve", "-v"], "tty": true, "cpus": 1, "resourceLimits": {"cpus": "unlimited", "mem": 256},
            "fetch": [{"uri": "http://a/b.tgz"}, {"uri": "file:///c", "executable": true, "cache": true, "destPath": "d"}]}),
        ),
    ];
    let mut told = String::new();
    for (name, document) in documents {
        let run_spec = spec(document);
        let ports: &[u16] = &[31_005, 31_500, 31_006];
        let count = run_spec.ports.iter().filter(|port| port.takes_host_port()).count();
        let task =
            task_info(&run_spec, &Surroundings::default(), &TaskId::from("t"), &on(&[]), &ports[..count], Vec::new());
        let mut shown: Value = serde_json::from_slice(&encode_json(&task)).unwrap();
        let variables = shown["command"]["environment"]["variables"].take();
        let ours = |variable: &&Value| {
            let name = variable["name"].as_str().unwrap();
            name.starts_with("PORT") || name == "MARATHON_APP_DOCKER_IMAGE"
        };
        let variables: Vec<String> = variables
            .as_array()
            .unwrap()
            .iter()
            .filter(ours)
            .map(|variable| format!("{}={}", variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap()))
            .collect();
        shown["command"].as_object_mut().unwrap().remove("environment");
        told += &format!("{name}\n  {}\n", variables.join(" "));
        for field in ["command", "container", "discovery", "check", "health_check", "health_checks", "limits"] {
            if let Some(value) = shown.get(field) {
                told += &format!("  {field}: {value}\n");
            }
        }
    }
    expect_file!["containers.txt"].assert_eq(&told);
}

#[test]
fn an_executor_of_an_apps_own_has_its_container_and_resources_besides() {
    let run_spec = spec(
        json!({"args": ["serve", "it's $HOME"], "tty": true, "cpus": 1, "user": "nobody", "taskKillGracePeriodSeconds": 3,
        "executor": "/opt/run it", "executorResources": {"cpus": 0.5, "disk": 0}}),
    );
    let cpus = |shares: &[Vec<Resource>]| -> Vec<f64> {
        let of = |resource: &Resource| {
            resource.scalar.as_ref().filter(|_| resource.name == "cpus").map(|scalar| scalar.value)
        };
        shares.iter().map(|share| share.iter().filter_map(of).sum()).collect()
    };
    let placed = |cpus: f64| place(&order(&run_spec, 1), &mut Stock::new(vec![offer(1, cpus, 31_999)])).placed.pop();
    assert!(placed(1.49).is_none());
    let shares = placed(1.5).unwrap().shares;
    assert_eq!(cpus(&shares), [1.0, 0.5]);
    let task =
        task_info(&run_spec, &Surroundings::default(), &TaskId::from("t"), &on(&[]), &[31_000], shares[0].clone());
    let plain = task_info(
        &spec(json!({"args": ["serve"], "user": "nobody", "taskKillGracePeriodSeconds": 3})),
        &Surroundings::default(),
        &TaskId::from("t"),
        &on(&[]),
        &[31_000],
        Vec::new(),
    );
    let (command, container) = (task.command.clone().unwrap(), task.container.clone());
    let beneath = super::executor::beneath("/opt/run it", &run_spec.command, task, shares[1].clone());
    assert_eq!((&beneath.command, &beneath.container, &beneath.kill_policy), (&None, &None, &plain.kill_policy));
    let executor = *beneath.executor.unwrap();
    assert_eq!(
        (executor.executor_id.as_str(), executor.resources, executor.container),
        ("marathon-t", shares[1].clone(), container)
    );
    let line = r"chmod ug+rx '/opt/run it' && exec '/opt/run it' 'serve' 'it'\''s $HOME'";
    let expected = CommandInfo { shell: true, value: Some(line.to_owned()), arguments: Vec::new(), ..command };
    assert_eq!(executor.command, Some(expected));
}

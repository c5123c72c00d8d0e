//! Containers, networks and what is fetched, in all their spellings.

use super::*;
use crate::model::{Networks, RunSpec};

/// What was understood of a document, in the words of a read; or the answer.
fn understood(document: &Value) -> String {
    let mut document = document.clone();
    document.as_object_mut().unwrap().entry("id").or_insert("/test".into());
    match read(document.to_string().as_bytes()) {
        Ok(spec) => shown(&spec),
        Err(answer) => answer,
    }
}

fn shown(spec: &RunSpec) -> String {
    let shown = serde_json::to_value(normalise::app(spec)).unwrap();
    let fields =
        ["cmd", "args", "networks", "container", "portDefinitions", "requirePorts", "fetch", "resourceLimits", "tty"];
    let named = fields.iter().filter_map(|field| {
        let value = shown.get(field).filter(|value| !value.is_null() && **value != json!(false))?;
        Some(format!("\n    {field}: {value}"))
    });
    named.collect()
}

#[test]
fn every_spelling_becomes_the_newest_one() {
    let image = |more: Value| {
        let mut docker = json!({"image": "web:1"});
        docker.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        docker
    };
    let mapping = json!([{"containerPort": 80, "servicePort": 9000, "protocol": "udp,tcp", "name": "http", "labels": {"VIP_0": "/web:80"}}]);
    let documents = [
        json!({"cmd": "true"}),
        json!({"cmd": "true", "container": {}}),
        json!({"container": {"docker": image(json!({}))}}),
        json!({"args": ["a"], "container": {"type": "MESOS", "docker": image(json!({"forcePullImage": true, "credential": {"principal": "ann", "secret": "s"}}))}}),
        json!({"container": {"docker": image(json!({"network": "HOST", "portMappings": [{"containerPort": 80}]}))}}),
        json!({"container": {"docker": image(json!({"network": "BRIDGE"}))}}),
        json!({"container": {"docker": image(json!({"network": "BRIDGE", "portMappings": mapping}))}, "portDefinitions": [{"port": 1}, {"port": 2}], "requirePorts": true}),
        json!({"container": {"docker": image(json!({"network": "BRIDGE", "portMappings": []})), "portMappings": []}}),
        json!({"container": {"docker": image(json!({"network": "USER"}))}, "ipAddress": {"networkName": "dcos", "labels": {"a": "b"}, "groups": ["dev"]}}),
        json!({"cmd": "true", "ipAddress": {"networkName": "dcos", "discovery": {"ports": [{"number": 8080, "name": "rest", "protocol": "tcp"}]}}}),
        json!({"cmd": "true", "networks": [{"mode": "container/bridge", "labels": {"a": "b"}}]}),
        json!({"cmd": "true", "networks": [{"mode": "container", "name": "a"}, {"name": "b"}],
            "container": {"type": "MESOS", "portMappings": [{"containerPort": 80, "hostPort": 0, "networkNames": ["b"]}, {"containerPort": 81}]}}),
        json!({"cmd": "true", "container": {"type": "MESOS", "volumes": [{"containerPath": "etc/a", "hostPath": "/var/a", "mode": "RO"}, {"containerPath": "b", "hostPath": "b", "mode": "RW"}],
            "linuxInfo": {"seccomp": {"profileName": "strict"}, "ipcInfo": {"mode": "PRIVATE", "shmSize": 64}}}}),
        json!({"cmd": "true", "tty": true, "container": {"type": "MESOS", "linuxInfo": {"seccomp": {"unconfined": true}, "ipcInfo": {"mode": "SHARE_PARENT"}}}}),
        json!({"cmd": "true", "uris": ["http://a/b.tgz", "http://a/b"], "fetch": []}),
        json!({"cmd": "true", "uris": [], "fetch": [{"uri": "file:///etc/a", "executable": true, "extract": false, "cache": true, "destPath": "c/d"}]}),
        json!({"cmd": "true", "cpus": 1, "resourceLimits": {"cpus": "unlimited", "mem": 256}}),
    ];
    let told: String = documents.iter().map(|document| format!("{document}{}\n", understood(document))).collect();
    expect_file!["containers.txt"].assert_eq(&told);
}

#[test]
fn what_is_wrong_with_a_container_is_told_with_its_path() {
    let docker = |docker: Value| json!({"container": {"type": "DOCKER", "docker": docker}});
    let mappings =
        |mappings: Value| json!({"networks": [{"mode": "container/bridge"}], "container": {"portMappings": mappings}});
    let volume = |volume: Value| json!({"container": {"volumes": [volume]}});
    let linux = |linux: Value| json!({"container": {"linuxInfo": linux}});
    let matrix = [
        json!({"cmd": null, "container": {"type": "MESOS"}}),
        json!({"container": {"type": "DOCKER"}}),
        docker(json!({})),
        docker(json!({"image": "a b"})),
        docker(json!({"image": "a", "pullConfig": {"secret": "s"}, "credential": {"principal": "p"}})),
        json!({"container": {"type": "MESOS", "docker": {"image": "a", "pullConfig": {"secret": "s"}, "credential": {"principal": "p"}}}}),
        json!({"container": {"type": "MESOS", "docker": {"image": "a", "pullConfig": {"secret": "s"}}}}),
        docker(json!({"image": "a", "network": "NONE"})),
        docker(json!({"image": "a", "network": "USER"})),
        docker(json!({"image": "a", "colour": "red"})),
        json!({"container": {"type": "MESOS", "docker": {"image": "a", "privileged": true, "parameters": [{"key": "a", "value": "b"}]}}}),
        json!({"networks": [{"mode": "host"}], "container": {"docker": {"image": "a", "network": "HOST"}}}),
        json!({"networks": [{"mode": "host"}], "ipAddress": {"networkName": "a"}}),
        json!({"networks": [{"mode": "container/bridge", "name": "a"}]}),
        json!({"networks": [{"mode": "container"}]}),
        json!({"networks": [{"mode": "container", "name": "a"}, {"mode": "container", "name": "a"}]}),
        json!({"networks": [{"mode": "container", "name": "a"}, {"mode": "container/bridge"}]}),
        json!({"ipAddress": {}}),
        json!({"ipAddress": {"networkName": "a", "discovery": {"ports": [{"number": 1, "name": "x"}]}}, "container": {"docker": {"image": "a"}}}),
        mappings(
            json!([{"containerPort": 70000, "hostPort": -1, "servicePort": 65536, "protocol": "sctp", "name": "a b"}]),
        ),
        mappings(json!([{"hostPort": 80, "name": "a"}, {"hostPort": 80, "name": "a"}])),
        mappings(json!([{"networkNames": ["a"]}])),
        json!({"networks": [{"name": "a"}, {"name": "b"}], "container": {"portMappings": [{"hostPort": 0}]}}),
        json!({"container": {"docker": {"image": "a", "portMappings": [{}]}, "portMappings": [{}]}}),
        json!({"healthChecks": [{"portIndex": 1}], "networks": [{"mode": "container/bridge"}]}),
        volume(json!({"containerPath": "a"})),
        volume(json!({"containerPath": "", "hostPath": "/a", "mode": "RW"})),
        volume(json!({"containerPath": "a", "hostPath": "/a"})),
        volume(json!({"containerPath": "a", "hostPath": "/a", "mode": "WO"})),
        volume(json!({"containerPath": "/a", "hostPath": "/a", "mode": "RO"})),
        volume(json!({"containerPath": "a/../../b", "hostPath": "/a", "mode": "RO"})),
        volume(json!({"containerPath": ".", "hostPath": "/a", "mode": "RO"})),
        json!({"cmd": "true", "container": {"type": "MESOS", "volumes": [
            {"containerPath": "a/b", "hostPath": "/a", "mode": "RO"}, {"containerPath": "a//b/", "hostPath": "/c", "mode": "RO"}]}}),
        volume(json!({"containerPath": "a", "mode": "RW", "persistent": {"size": 1}})),
        volume(json!({"containerPath": "a", "mode": "RW", "external": {"name": "a"}})),
        volume(json!({"containerPath": "a", "secret": "s"})),
        volume(json!({"containerPath": "a", "secret": "s", "hostPath": "/a"})),
        volume(json!({"containerPath": "a", "secret": "s", "mode": "RW"})),
        linux(json!({"seccomp": {}})),
        linux(json!({"seccomp": {"profileName": "a", "unconfined": true}})),
        linux(json!({"ipcInfo": {"mode": "PRIVATE", "shmSize": 0}})),
        linux(json!({"ipcInfo": {"mode": "SHARE_PARENT", "shmSize": 1}})),
        json!({"tty": true, "container": {"docker": {"image": "a"}}}),
        json!({"fetch": [{"uri": "a b"}, {"uri": "", "destPath": "../x"}, {"uri": "x", "destPath": "/etc/passwd"}]}),
        json!({"fetch": [{"uri": "a"}], "uris": ["a"]}),
        json!({"fetch": [{"uri": "hdfs://a/b"}, {"uri": "b.tgz"}, {"uri": "HTTP://a/b"}, {"uri": "/a"}]}),
        json!({"uris": ["s3://a/b"]}),
        json!({"cpus": 2, "mem": 64, "resourceLimits": {"cpus": 1, "mem": 63.5}}),
        json!({"resourceLimits": {"cpus": "none"}}),
        json!({"resourceLimits": {"disk": 1}}),
    ];
    let told: String =
        matrix.into_iter().map(|fields| format!("{fields}\n    {}\n", faults_of(fields.clone()))).collect();
    expect_file!["container_faults.txt"].assert_eq(&told);
}

/// `document` changed by `update`, as a PUT does it.
fn changed(document: Value, update: Value) -> RunSpec {
    let current = read(document.to_string().as_bytes()).unwrap();
    let update = super::update(serde_json::from_value(update).unwrap(), &current.id, &rules()).unwrap();
    update.apply(Some(&current), &current.id, "*").unwrap()
}

#[test]
fn ports_follow_the_network() {
    let bridge = json!({"id": "/a", "networks": [{"mode": "container/bridge"}],
        "container": {"docker": {"image": "a"}, "portMappings": [{"containerPort": 80, "servicePort": 9000}, {"containerPort": 81}]}});
    let numbers = |spec: &RunSpec| -> Vec<(u16, Option<u16>)> {
        spec.ports.iter().map(|port| (port.port, port.mapping.as_ref().map(|mapping| mapping.container))).collect()
    };
    let scaled = changed(bridge.clone(), json!({"instances": 2}));
    assert_eq!(numbers(&scaled), [(9000, Some(80)), (0, Some(81))]);
    let other_image = changed(bridge.clone(), json!({"container": {"docker": {"image": "b"}}}));
    assert_eq!(numbers(&other_image), [(0, Some(0))], "a container that is named replaces the one that was there");
    assert!(matches!(other_image.networks, Networks::Bridge { .. }));
    let host = changed(bridge.clone(), json!({"networks": [{"mode": "host"}]}));
    assert_eq!(numbers(&host), [(0, None)]);
    assert_eq!(
        host.container,
        other_image
            .container
            .map(|container| crate::model::Container { image: scaled.container.unwrap().image, ..container })
    );
    let bound = changed(
        bridge,
        json!({"networks": [{"mode": "host"}], "portDefinitions": [{"port": 1}], "requirePorts": true}),
    );
    assert_eq!((numbers(&bound), bound.require_ports), (vec![(1, None)], true));
    let away = changed(json!({"id": "/a", "cmd": "true"}), json!({"networks": [{"name": "dcos"}]}));
    assert_eq!(numbers(&away), [(0, Some(0))]);
    assert!(away.container.is_some() && away.ports[0].mapping.as_ref().is_some_and(|mapping| mapping.host.is_none()));
}

#[test]
fn an_image_can_lose_its_command_only_with_another_one() {
    let current = read(br#"{"id":"/a","container":{"docker":{"image":"a"}}}"#).unwrap();
    let update =
        super::update(serde_json::from_value(json!({"container": {}})).unwrap(), &current.id, &rules()).unwrap();
    assert!(update.apply(Some(&current), &current.id, "*").is_err());
}

#[test]
fn a_container_that_was_read_can_be_written_back() {
    let documents = [
        json!({"id": "/a", "networks": [{"mode": "container/bridge"}], "container": {"docker": {"image": "a", "privileged": true,
            "parameters": [{"key": "hostname", "value": "x"}]}, "portMappings": [{"containerPort": 80, "hostPort": 31000, "servicePort": 10001, "labels": {"a": "b"}}]}}),
        json!({"id": "/a", "cmd": "true", "networks": [{"name": "a", "labels": {"x": "y"}}], "tty": false, "fetch": [{"uri": "http://a/b.zip"}],
            "container": {"linuxInfo": {"ipcInfo": {"mode": "PRIVATE"}}}, "resourceLimits": {"cpus": "unlimited"}}),
        json!({"id": "/a", "cmd": "true", "check": {"http": {"path": "ready"}}}),
        json!({"id": "/a", "cmd": "true", "check": {"tcp": {"portIndex": 0}, "intervalSeconds": 1, "timeoutSeconds": 2, "delaySeconds": 0}}),
        json!({"id": "/a", "cmd": "true", "check": {"exec": {"command": {"argv": ["test", "-e", "x"]}}}}),
    ];
    for document in documents {
        let spec = read(document.to_string().as_bytes()).unwrap();
        let shown = normalise::json(&normalise::app(&spec));
        assert_eq!(read(shown.as_bytes()), Ok(spec.clone()), "{shown}");
        let stored = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<RunSpec>(&stored).unwrap(), spec);
    }
}

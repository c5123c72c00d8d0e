//! What is refused because no agent can do it.

use std::sync::Arc;

use attica_core_api::v1::AgentAbilities;
use attica_paas_api::error::Details;
use serde_json::{Value, json};

use super::super::{GroupIntent, Rules, group, pod, update};
use crate::model::{GroupId, RunSpec, RunSpecId};
use crate::placement::{Able, Needs};

/// An agent like most: root, with a network and no daemon.
fn usual() -> AgentAbilities {
    AgentAbilities {
        launcher: true,
        mounts: true,
        networks: vec!["mesos-bridge".to_owned()],
        datagrams: true,
        seccomp_profiles: vec!["strict.json".to_owned()],
        host_paths: vec!["/srv".to_owned()],
        ..AgentAbilities::default()
    }
}

fn agent(abilities: &AgentAbilities) -> Able<'_> {
    Able { abilities: Some(abilities), key: Some("abcd") }
}

fn own() -> AgentAbilities {
    AgentAbilities { launcher: true, user: Some("nobody".to_owned()), ..AgentAbilities::default() }
}

fn daemon() -> AgentAbilities {
    AgentAbilities { launcher: true, mounts: true, daemon: true, ..AgentAbilities::default() }
}

fn id() -> RunSpecId {
    RunSpecId::parse("/a").unwrap()
}

fn app(fields: Value) -> (Needs, RunSpec) {
    let mut document = json!({"id": "/a", "cmd": "serve"});
    document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let update = update(serde_json::from_value(document).unwrap(), &id(), &Rules::default()).unwrap();
    (Needs::of_update(&update, None), update.apply(None, &id(), "*").unwrap())
}

type Paths = &'static [&'static str];

/// The paths and reasons of a refusal.
fn refused(needs: &Needs, agents: &[AgentAbilities]) -> Vec<(String, String)> {
    let agents: Vec<Able<'_>> = agents.iter().map(agent).collect();
    let Err(faults) = needs.check(&agents, Some("abcd")) else { return Vec::new() };
    let Some(Details::Faults(faults)) = faults.into_body().details else { panic!("faults are told by place") };
    faults.into_iter().map(|fault| (fault.path, fault.errors.join("; "))).collect()
}

fn paths(needs: &Needs, agents: &[AgentAbilities]) -> Vec<String> {
    refused(needs, agents).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn what_each_kind_of_agent_cannot_do_is_refused_at_its_place() {
    let docker = |more: Value| {
        let mut docker = json!({"image": "busybox"});
        docker.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"container": {"type": "DOCKER", "docker": docker}})
    };
    let parameter = |key: &str| docker(json!({"parameters": [{"key": key, "value": "x"}]}));
    let mesos = |more: Value| json!({"container": {"type": "MESOS", "volumes": more}});
    let udp = json!({"networks": [{"mode": "container/bridge"}], "container": {"type": "MESOS",
        "portMappings": [{"containerPort": 1, "protocol": "udp"}]}});
    // A definition; where it fails on a usual agent, one that is not root, and one with a Docker daemon and no network of its own.
    let cases: [(Value, Paths, Paths, Paths); 18] = [
        (json!({}), &[], &[], &[]),
        (
            json!({"networks": [{"mode": "container", "name": "mesos-bridge"}]}),
            &[],
            &["/networks(0)/name"],
            &["/networks(0)/name"],
        ),
        (
            json!({"networks": [{"mode": "container", "name": "nope"}]}),
            &["/networks(0)/name"],
            &["/networks(0)/name"],
            &["/networks(0)/name"],
        ),
        (json!({"networks": [{"mode": "container/bridge"}]}), &[], &["/networks(0)"], &["/networks(0)"]),
        (
            udp,
            &[],
            &["/networks(0)", "/container/portMappings(0)/protocol"],
            &["/networks(0)", "/container/portMappings(0)/protocol"],
        ),
        (docker(json!({})), &[], &["/container/docker/image"], &[]),
        (
            docker(json!({"privileged": true})),
            &["/container/docker/privileged"],
            &["/container/docker/image", "/container/docker/privileged"],
            &["/container/docker/privileged"],
        ),
        (parameter("hostname"), &[], &["/container/docker/image"], &[]),
        (
            parameter("memory-swap"),
            &["/container/docker/parameters(0)"],
            &["/container/docker/image", "/container/docker/parameters(0)"],
            &[],
        ),
        (
            parameter("cap-add"),
            &["/container/docker/parameters(0)"],
            &["/container/docker/image", "/container/docker/parameters(0)"],
            &["/container/docker/parameters(0)"],
        ),
        (
            mesos(json!([{"containerPath": "data", "hostPath": "/srv/data", "mode": "RW"}])),
            &[],
            &["/container/volumes(0)/hostPath"],
            &["/container/volumes(0)/hostPath"],
        ),
        (
            mesos(json!([{"containerPath": "data", "hostPath": "/srvs", "mode": "RW"}])),
            &["/container/volumes(0)/hostPath"],
            &["/container/volumes(0)/hostPath"],
            &["/container/volumes(0)/hostPath"],
        ),
        (mesos(json!([{"containerPath": "data", "hostPath": "here", "mode": "RW"}])), &[], &[], &[]),
        (
            mesos(json!([{"containerPath": "data", "hostPath": "here", "mode": "RO"}])),
            &[],
            &["/container/volumes(0)/mode"],
            &[],
        ),
        (
            json!({"container": {"type": "MESOS", "linuxInfo": {"seccomp": {"profileName": "strict.json"}}}}),
            &[],
            &["/container/linuxInfo/seccomp/profileName", "/container/linuxInfo"],
            &["/container/linuxInfo/seccomp/profileName"],
        ),
        (json!({"user": "nobody"}), &[], &[], &[]),
        (json!({"user": "root"}), &[], &["/user"], &[]),
        (json!({"secrets": {"s": {"source": "s"}}, "env": {"S": {"secret": "s"}}}), &[], &[], &[]),
    ];
    for (fields, by_usual, by_own, by_daemon) in cases {
        let (needs, _) = app(fields.clone());
        for (expected, abilities) in [(by_usual, usual()), (by_own, own()), (by_daemon, daemon())] {
            assert_eq!(paths(&needs, std::slice::from_ref(&abilities)), expected, "{fields} on {abilities:?}");
        }
    }
    let graph = json!({"processes": [{"name": "one", "cmd": "serve"}]});
    let graph =
        json!({"id": "/a", "processGraph": graph, "container": {"type": "DOCKER", "docker": {"image": "busybox"}}});
    let graph = update(serde_json::from_value(graph).unwrap(), &id(), &Rules::default()).unwrap();
    let graph = Needs::of_update(&graph, None);
    assert_eq!(paths(&graph, &[daemon()]), ["/processGraph"]);
    assert!(paths(&graph, &[daemon(), usual()]).is_empty());
}

#[test]
fn one_agent_has_to_do_all_of_it_and_one_that_does_not_say_may() {
    let (both, _) = app(json!({"user": "root", "networks": [{"mode": "container", "name": "blue"}]}));
    let blue = AgentAbilities { networks: vec!["blue".to_owned()], ..own() };
    let told = refused(&both, &[usual(), blue.clone()]);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "/");
    assert!(told[0].1.contains("/networks(0)/name, /user"), "{told:?}");
    assert_eq!(
        refused(&both, &[usual()]),
        [(
            "/networks(0)/name".to_owned(),
            "no agent in the cluster has a network 'blue': there are 'mesos-bridge'".to_owned()
        )]
    );
    assert!(refused(&both, &[]).is_empty(), "a cluster without agents is not yet one");
    let silent = Able { abilities: None, key: None };
    assert_eq!(both.check(&[agent(&blue), silent], None), Ok(()));
}

#[test]
fn what_is_there_already_is_not_asked_for_again() {
    let (_, current) = app(json!({"user": "root", "networks": [{"mode": "container", "name": "gone"}]}));
    let of = |fields: Value| {
        let update = update(serde_json::from_value(fields).unwrap(), &id(), &Rules::default()).unwrap();
        paths(&Needs::of_update(&update, Some(&current)), &[usual()])
    };
    assert!(of(json!({"instances": 3})).is_empty());
    assert!(of(json!({"networks": [{"mode": "container", "name": "gone"}], "cmd": "other"})).is_empty());
    assert_eq!(of(json!({"networks": [{"mode": "container", "name": "nope"}]})), ["/networks(0)/name"]);
}

#[test]
fn apps_of_groups_and_pods_are_looked_at_in_their_places() {
    let networks = json!([{"mode": "container", "name": "nope"}]);
    let written = json!({"id": "/g", "apps": [{"id": "plain", "cmd": "x"}], "groups": [
        {"id": "h", "apps": [{"id": "one", "cmd": "x", "networks": networks}]}]});
    let root = GroupId::parse("/").unwrap();
    let (_, intent) = group(serde_json::from_value(written).unwrap(), &root, &Rules::default()).unwrap();
    let GroupIntent::Update(update) = intent else { panic!("it is a definition") };
    let asked = Needs::of_group(&update, "", &|_| None::<Arc<RunSpec>>);
    let empty: Vec<(&str, bool)> = asked.iter().map(|(place, needs)| (place.as_str(), needs.is_empty())).collect();
    assert_eq!(empty, [("/apps(0)", true), ("/groups(0)/apps(0)", false)]);

    let written = json!({"id": "/a", "networks": networks, "user": "root", "volumes": [{"name": "v", "host": "/etc"}],
        "containers": [{"name": "c", "resources": {"cpus": 1, "mem": 1}, "image": {"kind": "DOCKER", "id": "busybox"},
            "user": "other", "linuxInfo": {"seccomp": {"profileName": "none"}},
            "volumeMounts": [{"name": "v", "mountPath": "v", "readOnly": true}],
            "endpoints": [{"name": "e", "containerPort": 1, "hostPort": 0, "protocol": ["udp"]}]}]});
    let written = pod(serde_json::from_value(written).unwrap(), &id(), &Rules::default()).unwrap();
    let needs = Needs::of_pod(&written, None);
    assert_eq!(
        paths(&needs, &[usual()]),
        ["/networks(0)/name", "/volumes(0)/host", "/containers(0)/linuxInfo/seccomp/profileName"]
    );
    assert_eq!(paths(&needs, &[own()]).len(), 9, "{:?}", paths(&needs, &[own()]));
    assert!(Needs::of_pod(&written, Some(&written)).is_empty());
}

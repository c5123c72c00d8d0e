//! Pods: several tasks that are one instance.

use attica_core_api::v1::{ExecutorType, TaskState};
use serde_json::json;

use super::world::*;

use crate::engine::{Definition, KillMode, Refusal, Reply, RunSpecChange, TaskSelection, Violation, Write};
use crate::model::{Condition, DeploymentId, RunSpec};
use crate::validate::{Rules, pod};

/// Two containers: one with a port that is checked, and one beside it.
fn definition(instances: u32, line: &str) -> RunSpec {
    let document = json!({
        "id": "/shop/pod", "scaling": {"kind": "fixed", "instances": instances},
        "environment": {"COLOUR": "red", "SIZE": "s"},
        "networks": [{"mode": "host"}],
        "containers": [
            {"name": "web", "exec": {"command": {"shell": line}}, "resources": {"cpus": 0.5, "mem": 64},
             "endpoints": [{"name": "http-in", "hostPort": 0, "protocol": ["http"]}],
             "healthCheck": {"http": {"endpoint": "http-in", "path": "/ok"}, "gracePeriodSeconds": 0}},
            {"name": "log", "exec": {"command": {"argv": ["tail", "-f"]}}, "resources": {"cpus": 0.2, "mem": 32},
             "environment": {"SIZE": "l"}, "lifecycle": {"killGracePeriodSeconds": 7}}
        ],
    });
    pod(serde_json::from_value(document).unwrap(), &id("/shop/pod"), &Rules::default()).unwrap()
}

fn put(world: &mut World, run_spec: RunSpec) -> DeploymentId {
    let to = Definition::Pod(Box::new(run_spec));
    world.deployed(Write::Put { changes: vec![RunSpecChange { id: id("/shop/pod"), to }], force: false })
}

/// All checked containers report their health.
fn probe(world: &mut World, healthy: bool) {
    let tasks: Vec<_> = world.tasks.keys().filter(|task| task.as_str().contains(".web.")).cloned().collect();
    for task in tasks {
        world.report(&task, TaskState::Running, |status| status.healthy = Some(healthy));
    }
    world.run();
}

fn containers(world: &World) -> Vec<String> {
    world.tasks.keys().map(|task| task.as_str().split('.').nth(2).unwrap().to_owned()).collect()
}

#[test]
fn the_containers_of_a_pod_are_launched_as_one_group() {
    let mut world = World::new(1);
    put(&mut world, definition(1, "serve"));
    let executor = &world.groups[0];
    assert_eq!(executor.r#type, Some(ExecutorType::Default));
    assert_eq!(
        executor.resources.iter().map(|resource| resource.name.as_str()).collect::<Vec<_>>(),
        ["cpus", "mem", "disk"]
    );
    let instance = &world.instances("/shop/pod")[0];
    let task = instance.task.as_ref().unwrap();
    let variables = |container: &str| {
        let of = task.containers.iter().find(|of| of.name == container).unwrap();
        let info = &world.tasks[&of.id].info;
        let environment = info.command.as_ref().unwrap().environment.as_ref().unwrap();
        let value = |name: &str| {
            let variable = environment.variables.iter().find(|variable| variable.name == name);
            variable.and_then(|variable| variable.value.clone()).unwrap_or_default()
        };
        (["COLOUR", "SIZE", "MARATHON_CONTAINER_ID", "ENDPOINT_HTTP_IN", "EP_HOST_HTTP_IN"].map(value), info.clone())
    };
    let port = task.ports[0].to_string();
    let (of_web, web) = variables("web");
    assert_eq!(of_web, ["red", "s", "web", &port, &port]);
    assert_eq!(web.health_check.unwrap().http.unwrap().port.to_string(), port);
    let (of_log, log) = variables("log");
    assert_eq!(of_log, ["red", "l", "log", &port, &port]);
    assert_eq!(log.kill_policy.unwrap().grace_period.unwrap().milliseconds(), Some(7_000));
    assert!(log.resources.iter().all(|resource| resource.name != "ports"), "they are the other one's");
    assert_eq!(instance.condition, Condition::Running);
}

#[test]
fn a_deployment_of_a_pod_waits_for_its_health_and_is_named_as_one_of_a_pod() {
    let mut world = World::new(2);
    let deployment = put(&mut world, definition(2, "serve"));
    assert!(world.is_running(deployment), "nothing is known about its health");
    probe(&mut world, true);
    assert!(!world.is_running(deployment));
    let success = world.frames.iter().find(|frame| frame.event_type == "deployment_success").unwrap();
    assert!(success.data.contains(r#"{"action":"ScalePod","pod":"/shop/pod"}"#), "{}", success.data);
    let types = world.event_types();
    assert!(types.contains(&"pod_created_event") && !types.contains(&"api_post_event"), "{types:?}");

    let before = world.task_ids("/shop/pod");
    let deployment = put(&mut world, definition(2, "serve better"));
    probe(&mut world, true);
    world.pass(1_000);
    probe(&mut world, true);
    assert!(!world.is_running(deployment));
    assert!(world.task_ids("/shop/pod").iter().all(|task| !before.contains(task)));
    assert!(world.event_types().contains(&"pod_updated_event"));
    world.fail_over();
    assert_eq!(world.ready("/shop/pod"), 2);
}

#[test]
fn when_a_container_fails_its_instance_is_launched_again_as_a_whole() {
    let mut world = World::new(1);
    put(&mut world, definition(1, "serve"));
    probe(&mut world, true);
    let task = world.instances("/shop/pod")[0].task.clone().unwrap();
    // The one that fails, and the other one, which the agent kills for that.
    world.report(&task.containers[1].id, TaskState::Failed, |status| status.message = Some("it broke".into()));
    world.tasks.remove(&task.containers[1].id);
    world.run();
    assert_eq!(world.instances("/shop/pod")[0].incarnation, 1, "the other one is there yet");
    world.end(&task.containers[0].id, TaskState::Killed);
    world.run();
    let state = &world.engine.snapshot().run_specs[&id("/shop/pod")];
    let failure = state.last_failure.clone().unwrap();
    assert_eq!((failure.task, failure.message.as_str()), (task.containers[1].id.clone(), "it broke"));
    assert!(state.delay.is_some());
    world.pass(2_000);
    assert_eq!(world.instances("/shop/pod")[0].incarnation, 2);
    assert_eq!(containers(&world), ["log", "web"]);
}

#[test]
fn instances_of_pods_are_killed_with_all_their_containers() {
    let mut world = World::new(1);
    put(&mut world, definition(2, "serve"));
    probe(&mut world, true);
    let first = world.instances("/shop/pod")[0].id.clone();
    let tasks = TaskSelection::OfPod { run_spec: id("/shop/pod"), instances: vec![first.clone()] };
    let killed = world.write(Write::Kill { tasks, mode: KillMode::Wipe, force: false }).unwrap();
    assert!(matches!(killed, Reply::Killed(killed) if killed.len() == 1 && killed[0].id == first));
    assert!(world.instances("/shop/pod").iter().all(|instance| instance.id != first));
    probe(&mut world, true);
    assert_eq!(world.ready("/shop/pod"), 2);
    assert_eq!(world.write(Write::Delete { id: id("/shop/pod"), force: true }), Err(Refusal::Missing(id("/shop/pod"))));
    world.deployed(Write::DeletePod { id: id("/shop/pod"), force: false });
    assert!(world.tasks.is_empty());
    assert!(world.is_gone("/shop/pod"));
    assert!(world.event_types().contains(&"pod_deleted_event"));
}

#[test]
fn what_is_an_app_does_not_become_a_pod() {
    let mut world = World::new(1);
    world.put("/shop/pod", update(1));
    let to = Definition::NewPod(Box::new(definition(1, "serve")));
    let refused = world.write(Write::Put { changes: vec![RunSpecChange { id: id("/shop/pod"), to }], force: false });
    let error = "Applications and Pods may not share the same id";
    assert_eq!(refused, Err(Refusal::Invalid(vec![Violation::new("/id", error)])));
}

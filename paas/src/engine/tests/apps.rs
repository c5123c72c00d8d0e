use expect_test::expect;

use super::super::*;
use super::world::{World, id, update};

#[test]
fn an_app_is_created_and_runs() {
    let mut world = World::new(3);
    world.event_types();
    let deployment = world.put("/web", update(2));
    assert!(!world.is_running(deployment));
    assert_eq!(world.ready("/web"), 2);
    expect![[r#"
        [
            "api_post_event",
            "group_change_success",
            "deployment_info",
            "deployment_step_success",
            "deployment_info",
            "instance_changed_event",
            "instance_changed_event",
            "instance_changed_event",
            "status_update_event",
            "instance_changed_event",
            "status_update_event",
            "status_update_event",
            "instance_changed_event",
            "status_update_event",
            "instance_changed_event",
            "status_update_event",
            "instance_changed_event",
            "status_update_event",
            "instance_changed_event",
            "deployment_step_success",
            "deployment_success",
        ]
    "#]]
    .assert_debug_eq(&world.event_types());
    assert!(world.definition("/web").ports[0].port == 10_000);
    assert_eq!(world.acknowledged, 4);
}

#[test]
fn the_same_definition_again_restarts_nothing() {
    let mut world = World::new(3);
    world.put("/web", update(2));
    let (tasks, version) = (world.task_ids("/web"), world.definition("/web").version);
    let deployment = world.put("/web", update(2));
    assert!(!world.is_running(deployment));
    assert_eq!((world.task_ids("/web"), world.definition("/web").version), (tasks, version));
}

#[test]
fn scaling_keeps_the_configuration() {
    let mut world = World::new(3);
    world.put("/web", update(2));
    let before = world.definition("/web");
    let tasks = world.task_ids("/web");
    world.pass(5);
    world.put("/web", update(5));
    let after = world.definition("/web");
    assert_eq!(world.ready("/web"), 5);
    assert!(tasks.iter().all(|task| world.task_ids("/web").contains(task)));
    assert_eq!(after.last_config_change_at, before.last_config_change_at);
    assert_eq!(after.last_scaling_at, after.version);
    world.pass(5);
    world.put("/web", update(1));
    assert_eq!((world.ready("/web"), world.tasks.len()), (1, 1));
}

#[test]
fn an_app_is_deleted_with_its_tasks() {
    let mut world = World::new(3);
    world.put("/web", update(3));
    world.event_types();
    world.deployed(Write::Delete { id: id("/web"), force: true });
    assert!(world.is_gone("/web"));
    assert!(world.tasks.is_empty());
    assert!(world.event_types().ends_with(&["app_terminated_event", "deployment_step_success", "deployment_success"]));
    assert_eq!(world.write(Write::Delete { id: id("/web"), force: true }), Err(Refusal::Missing(id("/web"))));
}

#[test]
fn a_restart_replaces_every_task() {
    let mut world = World::new(3);
    world.put("/web", update(3));
    let tasks = world.task_ids("/web");
    world.deployed(Write::Restart { id: id("/web"), force: false });
    assert_eq!(world.ready("/web"), 3);
    assert!(world.task_ids("/web").iter().all(|task| !tasks.contains(task)));
    assert!(world.engine.snapshot().deployments.is_empty());
}

//! Files that have to be there first.

use super::*;

fn uri(value: &str) -> CommandUri {
    CommandUri { value: value.to_owned(), ..CommandUri::default() }
}

fn wanting(id: &str) -> TaskInfo {
    let mut task = task(id);
    task.command.as_mut().unwrap().uris = vec![uri("http://host/a.tgz"), uri("/b")];
    task
}

impl World {
    fn fetched(&mut self, outcome: Result<(), &str>) {
        let container = self.ordered.last().unwrap().container.clone();
        self.apply(Input::Fetched { container, outcome: outcome.map(|()| None).map_err(str::to_owned) });
    }
}

#[test]
fn a_task_starts_when_its_files_are_there() {
    let mut world = World::ready();
    world.run(wanting("t"));
    // The launcher breaks off and comes back.
    world.apply(Input::LauncherClosed);
    world.greet(Vec::new());
    assert_eq!((world.ordered.len(), world.launched.len(), world.sent.len()), (1, 0, 0));
    let order = &world.ordered[0];
    assert_eq!((order.items.len(), order.items[0].uri.as_str()), (2, "http://host/a.tgz"));
    world.fetched(Ok(()));
    assert_eq!(
        (&world.launched[..], &world.specs[0].directory),
        (&[order_container(&world)][..], &world.ordered[0].sandbox)
    );
    world.fetched(Ok(()));
    assert_eq!(world.launched.len(), 1);
}

fn order_container(world: &World) -> ContainerId {
    world.ordered[0].container.clone()
}

#[test]
fn a_file_that_cannot_be_had_fails_the_task() {
    let mut world = World::ready();
    world.run(wanting("t"));
    world.fetched(Err("Failed to fetch `/b`: not there"));
    let status = &world.sent[0].status;
    assert_eq!((status.state, status.reason), (TaskState::Failed, Some(TaskStatusReason::ContainerLaunchFailed)));
    assert_eq!(status.message.as_deref(), Some("Failed to launch container: Failed to fetch `/b`: not there"));
    assert!(world.launched.is_empty());
}

#[test]
fn a_kill_does_not_wait_for_files() {
    let mut world = World::ready();
    world.run(wanting("t"));
    world.kill("t", None);
    assert_eq!((world.states(), &world.stopped[..]), (vec!["TASK_KILLED"], &[order_container(&world)][..]));
    world.fetched(Ok(()));
    assert!(world.launched.is_empty());
}

#[test]
fn after_a_restart_fetching_begins_anew() {
    let mut world = World::ready();
    world.run(wanting("t"));
    let mut world = World::recovered(world.disk, BOOT, 1_000);
    world.greet(Vec::new());
    world.register();
    assert_eq!(world.ordered.len(), 1);
    world.fetched(Ok(()));
    assert_eq!(world.launched.len(), 1);
}

#[test]
fn an_executor_waits_for_its_files_and_ends_with_its_only_task() {
    let command = CommandInfo { uris: vec![uri("/executor")], ..task("t").command.unwrap() };
    let info = ExecutorInfo { executor_id: "e".into(), command: Some(command), ..ExecutorInfo::default() };
    let with_executor = |id| TaskInfo { command: None, executor: Some(Box::new(info.clone())), ..task(id) };
    let mut world = World::ready();
    world.run(with_executor("t"));
    world.run(with_executor("u"));
    assert_eq!((world.ordered.len(), world.launched.len()), (1, 0));
    world.kill("t", None);
    world.fetched(Ok(()));
    assert_eq!(world.launched.len(), 1);

    let mut world = World::ready();
    world.run(with_executor("t"));
    world.kill("t", None);
    assert_eq!((world.states(), world.stopped.len(), world.disk.executors.len()), (vec!["TASK_KILLED"], 1, 0));

    let mut world = World::ready();
    world.run(with_executor("t"));
    world.fetched(Err("no"));
    assert_eq!((world.states(), world.disk.executors.len()), (vec!["TASK_FAILED"], 0));
}

#[test]
fn a_group_ends_when_a_file_of_one_task_cannot_be_had() {
    let executor =
        ExecutorInfo { executor_id: "pod".into(), r#type: Some(ExecutorType::Default), ..ExecutorInfo::default() };
    let group = attica_core_api::link::TaskGroup { executor, tasks: vec![wanting("a"), wanting("b")] };
    let mut world = World::ready();
    let run = Run { framework_id: "f".into(), task_groups: vec![group], ..Run::default() };
    world.apply(Input::Link(Box::new(Event::run(1, run))));
    assert_eq!(world.ordered.len(), 2);
    world.fetched(Err("no"));
    assert_eq!((world.states(), world.stopped.len()), (vec!["TASK_FAILED", "TASK_KILLED"], 1));
}

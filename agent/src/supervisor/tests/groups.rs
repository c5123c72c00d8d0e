//! Task groups in a world that is made of values.

use std::path::Path;

use attica_core_api::executor::Subscribe;
use attica_core_api::link::TaskGroup;

use super::*;
use crate::supervisor::{ExecutorCall, ExecutorKey, ReplyTo, StreamId};

impl World {
    fn run_group(&mut self, r#type: ExecutorType, tasks: Vec<TaskInfo>) {
        self.run_group_with(r#type, Vec::new(), tasks);
    }

    fn run_group_with(&mut self, r#type: ExecutorType, resources: Vec<Resource>, tasks: Vec<TaskInfo>) {
        let command = CommandInfo { value: Some("./executor".to_owned()), ..CommandInfo::default() };
        let executor = ExecutorInfo {
            executor_id: "pod".into(),
            r#type: Some(r#type),
            command: (r#type == ExecutorType::Custom).then_some(command),
            resources,
            ..ExecutorInfo::default()
        };
        let task_groups = vec![TaskGroup { executor, tasks }];
        let run = Run { framework_id: "f".into(), task_groups, ..Run::default() };
        self.apply(Input::Link(Box::new(Event::run(1, run))));
    }

    fn state_of(&self, task: &str) -> TaskState {
        let of_task = self.sent.iter().filter(|update| update.status.task_id.as_str() == task);
        of_task.map(|update| update.status.state).next_back().unwrap()
    }
}

fn started_pair() -> (World, Vec<ContainerId>) {
    let mut world = World::ready();
    world.run_group(ExecutorType::Default, vec![task("a"), task("b")]);
    let containers = world.launched.clone();
    containers.iter().for_each(|container| world.started(container));
    (world, containers)
}

#[test]
fn tasks_of_a_group_share_what_is_named_after_their_executor() {
    let (mut world, containers) = started_pair();
    assert_eq!(containers.len(), 2, "each has a container of its own");
    let parents: Vec<_> = world
        .sent
        .iter()
        .map(|update| {
            assert_eq!(update.status.executor_id, Some("pod".into()));
            let id = update.status.container_status.as_ref().unwrap().container_id.clone().unwrap();
            assert!(containers.iter().any(|container| container.as_str() == id.value));
            id.parent.unwrap().0.value
        })
        .collect();
    assert!(parents.iter().all(|parent| *parent == parents[0]), "and all the same parent");
    let reported = world.supervisor.registration("1").executors;
    assert_eq!(reported.iter().map(|report| report.executor_id.as_str()).collect::<Vec<_>>(), ["pod"]);
    let runs: Vec<_> = world.supervisor.tasks().map(|task| task.run_directory("/agent".as_ref())).collect();
    assert!(runs[0] == runs[1] && runs[0].ends_with(&parents[0]));
    world.run_group(ExecutorType::Default, vec![task("a"), task("b")]);
    assert_eq!(world.launched.len(), 2, "a repetition is left alone");
    world.run_group(ExecutorType::Default, vec![task("c")]);
    let third = world.supervisor.tasks().last().unwrap().run_directory("/agent".as_ref());
    assert_eq!(third, runs[0], "another group of the same executor joins");
}

#[test]
fn when_one_fails_the_others_of_its_group_are_killed() {
    let (mut world, containers) = started_pair();
    world.run_group(ExecutorType::Default, vec![task("other")]);
    let other = world.launched[2].clone();
    world.started(&other);
    world.ended(&containers[0], Exit::Code(1));
    assert!(world.asked.contains(&Request::Terminate(containers[1].clone())));
    assert!(!world.asked.contains(&Request::Terminate(other.clone())), "another group is not concerned");
    world.ended(&containers[1], Exit::Signal(15));
    assert_eq!((world.state_of("a"), world.state_of("b")), (TaskState::Failed, TaskState::Killed));
    assert!(world.exited.is_empty());
    world.ended(&other, Exit::Code(0));
    assert_eq!(world.exited.len(), 1, "with its last task the executor is over");
}

#[test]
fn when_one_finishes_the_others_go_on_and_a_kill_of_one_kills_all() {
    let mut world = World::ready();
    world.run_group(ExecutorType::Default, vec![task("a"), task("b"), task("c")]);
    let containers = world.launched.clone();
    containers.iter().for_each(|container| world.started(container));
    world.ended(&containers[0], Exit::Code(0));
    assert!(!world.asked.iter().any(|request| matches!(request, Request::Terminate(_))));
    world.kill("b", None);
    world.ended(&containers[1], Exit::Signal(15));
    assert!(world.asked.contains(&Request::Terminate(containers[2].clone())));
}

#[test]
fn a_group_with_one_task_that_cannot_run_does_not_begin() {
    let mut world = World::ready();
    let bad = TaskInfo { container: Some(Box::default()), ..task("bad") };
    world.run_group(ExecutorType::Default, vec![task("good"), bad]);
    assert!(world.launched.is_empty());
    for update in &world.sent {
        assert_eq!(update.status.message.as_deref(), Some("The container names no image"));
    }
    assert_eq!(world.states(), ["TASK_FAILED", "TASK_FAILED"]);
}

#[test]
fn a_group_that_was_half_started_ends_whole_after_the_agents_restart() {
    let (world, containers) = started_pair();
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.register();
    let over = Ending { exit: Exit::Code(1), memory: MemoryVerdict::WithinLimit };
    world.greet(vec![report(&containers[0], Stage::Ended(over)), report(&containers[1], Stage::Running)]);
    assert_eq!(world.state_of("a"), TaskState::Failed);
    let repeated = |world: &World| world.asked.contains(&Request::Terminate(containers[1].clone()));
    assert!(repeated(&world));
}

#[test]
fn a_custom_executor_gets_its_group_in_one_piece_again_until_it_has_it() {
    let mut world = World::ready();
    world.run_group(ExecutorType::Custom, vec![task("a"), task("b")]);
    let container = world.launched[0].clone();
    world.started(&container);
    let mut subscribe = |stream| {
        let executor = ExecutorKey { framework_id: "f".into(), executor_id: "pod".into() };
        let call = ExecutorCall::Subscribe { stream: StreamId(stream), subscribe: Subscribe::default() };
        world.apply(Input::ExecutorCall { executor, call, token: None, reply: ReplyTo(1) });
        let told = std::mem::take(&mut world.told);
        let tasks =
            told.into_iter().filter_map(|(_, event)| event.launch_group).map(|group| group.task_group.tasks.len());
        tasks.collect::<Vec<_>>()
    };
    assert_eq!(subscribe(1), [2]);
    assert_eq!(subscribe(2), [2]);
    assert_eq!(world.launched, [container], "one process");
}

#[test]
fn a_volume_of_their_executor_is_what_tasks_of_a_group_share_by_its_name() {
    let volume = |mode| {
        let persistence = Some(DiskPersistence { id: "v1".to_owned(), ..DiskPersistence::default() });
        let volume = Some(Volume { mode, container_path: "data".to_owned(), ..Volume::default() });
        let disk = Some(Box::new(DiskInfo { persistence, volume, ..DiskInfo::default() }));
        let (name, role) = ("disk".to_owned(), Some("team".to_owned()));
        let scalar = Some(Scalar { value: 16.0 });
        Resource { name, role, scalar, disk, r#type: ValueType::Scalar, ..Resource::default() }
    };
    let mounting = |id: &str, shared: &str| {
        let mut info = task(id);
        let path = Some(SandboxPathVolume { r#type: Some(SandboxPathType::Parent), path: shared.to_owned() });
        let source =
            VolumeSource { r#type: Some(VolumeSourceType::SandboxPath), sandbox_path: path, ..VolumeSource::default() };
        let (mode, container_path) = (VolumeMode::ReadWrite, "seen".to_owned());
        let volume = Volume { mode, container_path, source: Some(source), ..Volume::default() };
        let volumes = vec![volume];
        let container = ContainerInfo { r#type: ContainerType::Mesos, volumes, ..ContainerInfo::default() };
        info.container = Some(Box::new(container));
        info
    };
    let mut world = World::ready();
    let pair = || vec![mounting("a", "data"), mounting("b", "scratch")];
    world.run_group_with(ExecutorType::Default, vec![volume(VolumeMode::ReadWrite)], pair());
    let run = world.supervisor.tasks().next().unwrap().run_directory("/agent".as_ref());
    let shown: Vec<_> = world.links.iter().map(|link| link.to.clone()).collect();
    assert_eq!(shown, [Path::new("/agent/volumes/roles/team/v1").to_owned(), run.join("scratch")]);
    let around = world.supervisor.resources_around(&world.launched[0]);
    assert_eq!(around.len(), 1, "it is made, and given to the user of the task, when that is prepared");

    let mut world = World::ready();
    world.run_group_with(ExecutorType::Default, vec![volume(VolumeMode::ReadOnly)], pair());
    let message = "This agent does not support `executor.resources.disk.volume.mode RO with executor.type DEFAULT`";
    assert_eq!(world.sent.last().unwrap().status.message.as_deref(), Some(message));
}

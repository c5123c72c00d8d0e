//! What a task's container may ask for.

use attica_core_api::link::TaskGroup;

use super::*;

fn volume(container_path: &str, r#type: SandboxPathType, path: &str) -> Volume {
    let sandbox_path = Some(SandboxPathVolume { r#type: Some(r#type), path: path.to_owned() });
    let source = VolumeSource { r#type: Some(VolumeSourceType::SandboxPath), sandbox_path, ..VolumeSource::default() };
    Volume {
        mode: VolumeMode::ReadWrite,
        container_path: container_path.to_owned(),
        source: Some(source),
        ..Volume::default()
    }
}

fn contained(id: &str, change: impl FnOnce(&mut ContainerInfo)) -> TaskInfo {
    let mut container = ContainerInfo { r#type: ContainerType::Mesos, ..ContainerInfo::default() };
    change(&mut container);
    TaskInfo { container: Some(Box::new(container)), ..task(id) }
}

#[test]
fn tasks_of_a_group_share_a_directory_of_their_parent() {
    let shared =
        |id| contained(id, |container| container.volumes = vec![volume("data", SandboxPathType::Parent, "shared")]);
    let executor =
        ExecutorInfo { executor_id: "pod".into(), r#type: Some(ExecutorType::Default), ..ExecutorInfo::default() };
    let mut world = World::ready();
    let task_groups = vec![TaskGroup { executor, tasks: vec![shared("a"), shared("b")] }];
    let run = Run { framework_id: "f".into(), task_groups, ..Run::default() };
    world.apply(Input::Link(Box::new(Event::run(1, run))));
    assert_eq!(world.launched.len(), 2);
    assert!(world.links[0].to == world.links[1].to && world.links[0].to.ends_with("shared"));
    for (spec, link) in world.specs.iter().zip(&world.links) {
        assert_eq!(link.at, spec.directory.join("data"));
    }
}

#[test]
fn limits_of_processes_reach_the_launcher() {
    let limit = RLimit { r#type: Some(RLimitType::Nofile), soft: Some(100), hard: Some(200) };
    let mut world = World::ready();
    world.run(contained("t", |container| container.rlimit_info = Some(RLimitInfo { rlimits: vec![limit.clone()] })));
    assert_eq!(world.specs[0].rlimits, [limit]);
}

#[test]
fn what_cannot_be_made_is_refused_by_name() {
    type Change = fn(&mut ContainerInfo);
    let cases: [(&str, Change); 9] = [
        ("`container.type DOCKER`", |container| container.r#type = ContainerType::Docker),
        ("`container.mesos.image`", |container| {
            container.mesos = Some(MesosInfo { image: Some(Image::default()) });
        }),
        ("`container.linux_info`", |container| container.linux_info = Some(LinuxInfo::default())),
        ("`container.volumes.host_path`", |container| {
            container.volumes.push(Volume { host_path: Some("/etc".to_owned()), ..Volume::default() });
        }),
        ("only tasks of a group", |container| container.volumes = vec![volume("a", SandboxPathType::Parent, "b")]),
        ("without `..`", |container| container.volumes = vec![volume("../a", SandboxPathType::Itself, "b")]),
        ("one name", |container| container.volumes = vec![volume("a", SandboxPathType::Itself, "../b")]),
        ("one name", |container| container.volumes = vec![volume("a", SandboxPathType::Itself, "/etc")]),
        ("only one of", |container| {
            let limit = RLimit { r#type: Some(RLimitType::Core), soft: Some(1), hard: None };
            container.rlimit_info = Some(RLimitInfo { rlimits: vec![limit] });
        }),
    ];
    for (expected, change) in cases {
        let mut world = World::ready();
        world.run(contained("t", change));
        assert!(world.launched.is_empty(), "{expected}");
        let message = world.sent[0].status.message.clone().unwrap();
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

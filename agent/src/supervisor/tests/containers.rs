//! What a task's container may ask for.

use attica_core_api::link::TaskGroup;

use super::*;
use crate::contained::ContainerPath;
use crate::image::{Provisioned, Runtime};
use crate::launcher::protocol::{Access, Mount, MountKind, Streams, TerminalSize};
use crate::supervisor::{Direction, OperatorCall, OperatorReply, Outlet};

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
fn a_task_with_a_terminal_can_be_written_to() {
    let mut world = World::ready();
    let size = WindowSize { rows: 24, columns: 80 };
    world.run(contained("t", |container| container.tty_info = Some(TtyInfo { window_size: Some(size) })));
    let spec = world.specs[0].clone();
    assert_eq!(spec.streams, Streams::Kept(Some(TerminalSize { rows: 24, columns: 80 })));
    world.started(&spec.container);
    let path = ContainerPath::root(spec.container.as_str());
    let outlet = Outlet::Terminal { container: spec.container, directory: spec.directory };
    for (number, direction) in [(1, Direction::Input), (2, Direction::Output)] {
        let attached = world.operate(OperatorCall::Attach(path.clone(), direction), number);
        assert_eq!(attached, Some(OperatorReply::Attached(outlet.clone())));
    }
}

#[test]
fn what_cannot_be_made_is_refused_by_name() {
    type Change = fn(&mut ContainerInfo);
    let cases: [(&str, Change); 15] = [
        ("names no image", |container| container.r#type = ContainerType::Docker),
        ("`container.mesos.image.type APPC`", |container| {
            container.mesos = Some(MesosInfo { image: Some(Image { r#type: ImageType::Appc, ..Image::default() }) });
        }),
        ("`container.docker.privileged`", |container| docker(container, |docker| docker.privileged = true)),
        ("the parameter `log-driver`", |container| parameter(container, "log-driver", "syslog")),
        ("`env` cannot be `A`", |container| parameter(container, "env", "A")),
        ("`ulimit` cannot be `nofile=2:1`", |container| parameter(container, "ulimit", "nofile=2:1")),
        ("/etc is not beneath a directory of --host-path-volume-allow-list", |container| {
            container.volumes.push(host_path("/etc", "etc"));
        }),
        ("without `..`", |container| container.volumes.push(host_path("/srv/shared/../../etc", "etc"))),
        ("absolute with an image", |container| container.volumes.push(host_path("/srv/shared", "/shared"))),
        ("`container.volumes.source DOCKER_VOLUME`", |container| {
            let source = VolumeSource { r#type: Some(VolumeSourceType::DockerVolume), ..VolumeSource::default() };
            container.volumes.push(Volume { source: Some(source), ..host_path("/srv/shared", "a") });
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

#[test]
fn the_parameters_that_are_told_to_be_obeyed_without_a_daemon_are() {
    let value = |name: &str| match name {
        "e" | "env" => "A=b",
        "ulimit" => "nofile=1:2",
        "w" | "workdir" => "/tmp",
        _ => "name",
    };
    for name in AgentAbilities::PARAMETERS {
        let mut world = World::ready();
        world.run(contained("t", |container| parameter(container, name, value(name))));
        let refused = world.sent.first().and_then(|update| update.status.message.clone());
        assert_eq!(refused, None, "{name}");
    }
}

fn docker(container: &mut ContainerInfo, change: impl FnOnce(&mut DockerInfo)) {
    let mut docker = DockerInfo { image: "app".to_owned(), ..DockerInfo::default() };
    change(&mut docker);
    container.r#type = ContainerType::Docker;
    container.docker = Some(docker);
}

fn parameter(container: &mut ContainerInfo, key: &str, value: &str) {
    docker(container, |docker| {
        docker.parameters = vec![Parameter { key: key.to_owned(), value: value.to_owned() }];
    });
}

fn host_path(path: &str, container_path: &str) -> Volume {
    Volume {
        mode: VolumeMode::ReadWrite,
        container_path: container_path.to_owned(),
        host_path: Some(path.to_owned()),
        ..Volume::default()
    }
}

#[test]
fn what_a_task_with_an_image_sees_is_mounted() {
    let mut with_volumes = contained("t", |container| {
        docker(container, |_| {});
        let read_only = Volume { mode: VolumeMode::ReadOnly, ..host_path("/srv/shared/a", "/a") };
        container.volumes = vec![volume("data", SandboxPathType::Itself, "own"), read_only];
    });
    with_volumes.command.as_mut().unwrap().uris =
        vec![CommandUri { value: "/file".to_owned(), ..CommandUri::default() }];
    let mut world = World::ready();
    world.run(with_volumes);
    let order = world.ordered[0].clone();
    assert_eq!((order.items.len(), order.image.as_ref().unwrap().name.as_str()), (1, "app"));
    let own = order.sandbox.join("own");
    assert_eq!(order.links, [DirectoryLink { at: own.clone(), to: own.clone() }]);
    let image = Provisioned { digest: "d".to_owned(), layers: vec!["/layer".into()], runtime: Runtime::default() };
    world.apply(Input::Fetched { container: order.container.clone(), outcome: Ok(Some(Box::new(image.clone()))) });
    let spec = &world.specs[0];
    let surroundings = spec.surroundings.as_ref().unwrap();
    let mount = |source: std::path::PathBuf, target: &str, access| Mount {
        kind: MountKind::Bind(source),
        target: target.into(),
        access,
    };
    let expected = [
        mount(own, "/mnt/mesos/sandbox/data", Access::ReadWrite),
        mount("/srv/shared/a".into(), "/a", Access::ReadOnly),
    ];
    assert_eq!(surroundings.mounts[..2], expected);
    let root = surroundings.root.as_ref().unwrap();
    assert_eq!((&root.layers, spec.shortcut.is_none()), (&image.layers, true));

    // The image is a fact: an agent that comes back knows it.
    let container = order.container;
    world.started(&container);
    let world = World::recovered(world.disk, BOOT, 1_000);
    assert_eq!(world.supervisor.tasks().next().unwrap().image.as_deref(), Some(&image));
}

//! Persistent volumes: directories that outlive the tasks that use them.

use attica_core_api::link::{Event, Operation};
use attica_core_api::v1::{
    CreateOperation, DestroyOperation, DiskInfo, DiskPersistence, OfferOperation, OfferOperationType, Resource,
    TaskInfo, TaskStatusReason, Volume, VolumeMode,
};

use crate::agent::{Agent, scalar, shell};
use crate::master::Master;
use crate::support::eventually;

fn volume() -> Resource {
    let persistence = DiskPersistence { id: "data".to_owned(), ..DiskPersistence::default() };
    let mount = Volume { mode: VolumeMode::ReadWrite, container_path: "kept".to_owned(), ..Volume::default() };
    let disk = DiskInfo { persistence: Some(persistence), volume: Some(mount), ..DiskInfo::default() };
    Resource { disk: Some(Box::new(disk)), role: Some("team".to_owned()), ..scalar("disk", 16.0) }
}

fn with_volume(task: TaskInfo) -> TaskInfo {
    TaskInfo { resources: task.resources.iter().cloned().chain([volume()]).collect(), ..task }
}

fn operate(master: &Master, name: &'static [u8; 16], info: OfferOperation) {
    master.send(|epoch| Event::operation(epoch, Operation { uuid: name.as_slice().into(), info }));
}

#[test]
fn what_one_task_keeps_in_a_volume_another_finds_until_the_volume_is_destroyed() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let directory = agent.work_dir().join("volumes/roles/team/data");
    let create = CreateOperation { volumes: vec![volume()] };
    let create =
        OfferOperation { r#type: Some(OfferOperationType::Create), create: Some(create), ..OfferOperation::default() };
    operate(&master, b"the first of two", create);
    eventually("the volume is made", || directory.is_dir().then_some(()));
    master.run(vec![with_volume(shell("writes", "echo hello > kept/file"))]);
    master.await_state("writes", "TASK_FINISHED");
    master.run(vec![with_volume(shell("reads", "grep hello kept/file"))]);
    master.await_state("reads", "TASK_FINISHED");
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    assert_eq!(std::fs::read_to_string(directory.join("file")).unwrap(), "hello\n");
    let destroy = DestroyOperation { volumes: vec![volume()] };
    let destroy = OfferOperation {
        r#type: Some(OfferOperationType::Destroy),
        destroy: Some(destroy),
        ..OfferOperation::default()
    };
    operate(&master, b"the second of it", destroy);
    eventually("the volume is gone", || (!directory.exists()).then_some(()));
    agent.finish();
}

#[test]
fn a_task_whose_volume_holds_more_than_its_size_is_ended_and_the_volume_stays() {
    let master = Master::start();
    let cgroups = format!("attica-test-{}", uuid::Uuid::new_v4());
    let watching =
        ["--isolation", "disk/du", "--enforce-container-disk-quota", "--container-disk-watch-interval-ms", "50"];
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), cgroups, &watching);
    master.await_registration(1);
    let fill = |megabytes| format!("head -c {megabytes}M /dev/zero > kept/file; exec sleep 1000");
    master.run(vec![with_volume(shell("modest", &fill(8)))]);
    let file = agent.work_dir().join("volumes/roles/team/data/file");
    eventually("it is written", || (file.metadata().ok()?.len() == 8 << 20).then_some(()));
    master.run(vec![with_volume(shell("greedy", &fill(24)))]);
    let failed = master.await_state("greedy", "TASK_FAILED").status;
    assert_eq!(failed.reason, Some(TaskStatusReason::ContainerLimitationDisk));
    let message = failed.message.unwrap();
    assert!(message.ends_with("of a persistent volume exceeds its size (16MB)"), "{message}");
    assert!(file.metadata().unwrap().len() > 16 << 20, "nothing that is kept is removed");
    agent.finish();
}

//! After a restart of agent, launcher or machine.

use super::*;

#[test]
fn after_a_reboot_each_task_is_lost_exactly_once() {
    for (capabilities, state) in [
        (vec![], "TASK_LOST"),
        (vec![FrameworkCapability { r#type: Some(FrameworkCapabilityType::PartitionAware) }], "TASK_GONE"),
    ] {
        let mut world = World::ready();
        world.run_for(FrameworkInfo { capabilities, ..FrameworkInfo::default() }, task("t"));
        let container = world.launched[0].clone();
        world.started(&container);
        let acknowledged = world.sent.clone();
        acknowledged.iter().for_each(|update| world.acknowledge(update));
        let mut world = World::recovered(world.disk, "boot-2", 20);
        world.greet(Vec::new());
        world.register();
        assert_eq!(world.states(), [state]);
        let mut again = World::recovered(world.disk.clone(), "boot-2", 30);
        again.greet(Vec::new());
        again.register();
        assert_eq!(again.sent, world.sent, "the same update, not another one");
        again.acknowledge(&again.sent[0].clone());
        assert!(again.disk.tasks.is_empty());
    }
}

#[test]
fn a_restarted_agent_takes_up_where_it_was() {
    let mut world = World::ready();
    let (running, killed, ended) =
        (world.start(task("running")), world.start(task("killed")), world.start(task("ended")));
    world.kill("killed", Some(1_000));
    world.run(task("new"));
    let new = world.launched.last().unwrap().clone();
    let mut world = World::recovered(world.disk, BOOT, 5_000);
    let stranger = ContainerId::new("stranger").unwrap();
    let over = Ending { exit: Exit::Code(4), memory: MemoryVerdict::WithinLimit };
    world.greet(vec![
        report(&running, Stage::Running),
        report(&killed, Stage::Running),
        report(&ended, Stage::Ended(over)),
        report(&stranger, Stage::Running),
    ]);
    assert_eq!(world.launched, [new], "what the launcher has not heard of is launched again");
    for request in [Request::Terminate(killed.clone()), Request::Forget(vec![ended]), Request::Destroy(stranger)] {
        assert!(world.asked.contains(&request), "{request:?} in {:?}", world.asked);
    }
    world.advance(1_000);
    assert!(world.asked.contains(&Request::Destroy(killed)));
    world.register();
    assert_eq!(world.states().iter().filter(|state| **state == "TASK_FAILED").count(), 1);
}

#[test]
fn a_task_that_is_being_started_is_killed_only_when_nothing_is_left_of_it() {
    let mut world = World::ready();
    world.run(task("t"));
    let container = world.launched[0].clone();
    world.kill("t", Some(1_000));
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.register();
    world.greet(vec![report(&container, Stage::Failing)]);
    assert!(world.sent.is_empty() && world.launched.is_empty());
    world.started(&container);
    assert_eq!(world.asked, [Request::Terminate(container.clone())]);
    assert_eq!(world.states(), ["TASK_STARTING", "TASK_RUNNING"]);
    world.ended(&container, Exit::Signal(15));
    assert_eq!(world.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]);
}

#[test]
fn a_machine_that_was_changed_and_restarted_is_a_new_agent_and_the_master_ends_its_tasks() {
    let mut world = World::ready();
    world.start(task("t"));
    let changed = |boot_id: &str| {
        let mem = Resource { scalar: Some(Scalar { value: 512.0 }), ..task("").resources[0].clone() };
        let mut config = config(boot_id);
        config.info.resources = vec![mem];
        config
    };
    let refused = World::recovered_as(world.disk.clone(), changed(BOOT), 10).err().unwrap();
    assert_eq!(
        (refused.differences.as_str(), refused.tasks),
        ("--resources was `` and is `mem:512`", 1),
        "without a restart its tasks may live"
    );
    let mut world = World::recovered_as(world.disk, changed("boot-2"), 10).unwrap();
    // Killed before it is registered, it is no other.
    for now_ms in [20, 30] {
        assert!(world.disk.tasks.is_empty());
        let register = world.supervisor.registration("");
        assert_eq!((register.agent_info.id, register.replaces), (None, Some("m-S0".into())));
        assert_eq!((register.epoch, register.task_count), (1, 0));
        world = World::recovered_as(world.disk, changed("boot-2"), now_ms).unwrap();
    }
    world.register_as("m-S1");
    world.greet(Vec::new());
    let world = World::recovered_as(world.disk, changed("boot-2"), 40).unwrap();
    let register = world.supervisor.registration("");
    assert_eq!((register.agent_info.id, register.replaces), (Some("m-S1".into()), None));
    assert!(world.sent.is_empty());
}

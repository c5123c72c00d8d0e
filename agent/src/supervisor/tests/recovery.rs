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
        let container = again.start(task("of-this-boot"));
        let mut crashed = World::recovered(again.disk, "boot-2", 40);
        crashed.register();
        crashed.greet(vec![report(&container, Stage::Running)]);
        assert_eq!(crashed.states().last(), Some(&"TASK_RUNNING"), "it was started after the machine was");
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
fn the_master_is_told_what_tasks_can_ask_for() {
    let abilities = |world: &World| world.supervisor.registration("").agent_info.abilities;
    let told = abilities(&World::ready()).unwrap();
    let expected = AgentAbilities {
        launcher: true,
        mounts: true,
        networks: vec![networks().name],
        datagrams: networks().datagrams.is_ok(),
        host_paths: vec!["/srv/shared".to_owned()],
        user: Some("me".to_owned()),
        ..AgentAbilities::default()
    };
    assert_eq!(*told, expected);
    // An agent that has learnt something is no other: its tasks live on.
    let mut world = World::ready();
    world.start(task("t"));
    let mut more = config(BOOT);
    more.users = Users::Any;
    let world = World::recovered_as(world.disk, more, 10).unwrap();
    assert_eq!(abilities(&world).unwrap().user, None);
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

#[test]
fn an_agent_that_keeps_volumes_does_not_become_another() {
    let mut world = World::recovered_as(Disk::default(), config(BOOT), 0).unwrap();
    world.register();
    let changed = |boot_id: &str, volumes| {
        let mut config = Config { volumes, ..config(boot_id) };
        config.info.hostname = "other".to_owned();
        config
    };
    for boot_id in [BOOT, "boot-2"] {
        let refused = World::recovered_as(world.disk.clone(), changed(boot_id, 2), 10).err().unwrap();
        assert_eq!((refused.tasks, refused.volumes), (0, 2));
        assert!(World::recovered_as(world.disk.clone(), changed(boot_id, 0), 10).is_ok());
    }
    assert!(World::recovered_as(world.disk, Config { volumes: 2, ..config("boot-2") }, 10).is_ok());
}

fn resource(name: &str, value: f64) -> Resource {
    Resource { name: name.to_owned(), scalar: Some(Scalar { value }), ..task("").resources[0].clone() }
}

fn attribute(name: &str, begin: u64, end: u64) -> Attribute {
    let ranges = Some(Ranges { range: vec![Range { begin, end }] });
    Attribute { name: name.to_owned(), r#type: ValueType::Ranges, ranges, ..Attribute::default() }
}

fn reconfigured(resources: Vec<Resource>, attributes: Vec<Attribute>) -> Config {
    let mut config = Config { reconfiguration: ReconfigurationPolicy::Additive, ..config(BOOT) };
    (config.info.resources, config.info.attributes) = (resources, attributes);
    config
}

#[test]
fn an_agent_that_has_grown_keeps_its_tasks_where_that_is_allowed() {
    let before = || (vec![resource("cpus", 4.0), resource("mem", 512.0)], vec![attribute("levels", 1, 3)]);
    let begun = |config: Config| {
        let mut world = World::recovered_as(Disk::default(), config, 0).unwrap();
        world.register();
        world.greet(Vec::new());
        world.start(task("t"));
        world.disk
    };
    let disk = begun(reconfigured(before().0, before().1));
    let more = || {
        let resources = vec![resource("cpus", 8.0), resource("mem", 512.0), resource("disk", 10.0)];
        (resources, vec![attribute("racks", 1, 1), attribute("levels", 0, 9)])
    };
    let mut grown = World::recovered_as(disk.clone(), reconfigured(more().0, more().1), 10).unwrap();
    let register = grown.supervisor.registration("");
    assert_eq!((register.agent_info.id, register.agent_info.resources), (Some("m-S0".into()), more().0));
    assert_eq!((register.replaces, register.task_count), (None, 1));
    // What the master was not told of yet may be taken back.
    World::recovered_as(grown.disk.clone(), reconfigured(before().0, before().1), 20).unwrap();
    grown.register();
    let told = |resources, attributes| {
        let refused = World::recovered_as(grown.disk.clone(), reconfigured(resources, attributes), 30).err().unwrap();
        refused.differences
    };
    assert!(told(before().0, more().1).starts_with("--resources was `cpus:8;"), "{}", told(before().0, more().1));
    assert_eq!(
        told(more().0, vec![attribute("levels", 0, 9)]),
        "--attributes was `racks:[1-1];levels:[0-9]` and is `levels:[0-9]`"
    );
    let equal = |(resources, attributes)| Config {
        reconfiguration: ReconfigurationPolicy::Equal,
        ..reconfigured(resources, attributes)
    };
    assert!(World::recovered_as(disk, equal(more()), 40).is_err());
    assert!(World::recovered_as(grown.disk, equal(more()), 40).is_ok());
}

#[test]
fn an_agent_that_cannot_tell_who_it_was_takes_over_nothing() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    let disk = Disk { damaged: true, agent: None, ..world.disk };
    let mut world = World::recovered(disk, BOOT, 10);
    let register = world.supervisor.registration("");
    assert_eq!((register.agent_info.id, register.replaces), (None, Some("m-S0".into())));
    assert!(world.disk.tasks.is_empty());
    world.greet(vec![report(&container, Stage::Running)]);
    assert_eq!(world.asked, [Request::Destroy(container)]);
    let empty = World::recovered(Disk { damaged: true, ..Disk::default() }, BOOT, 20);
    assert_eq!(empty.supervisor.registration("").replaces, None);
}

#[test]
fn whatever_is_damaged_ends_and_its_framework_hears_why() {
    let mut world = World::ready();
    let (damaged, other) = (world.start(task("damaged")), world.start(task("other")));
    let history = world.disk.tasks.remove(&damaged).unwrap();
    let lost = vec![Lost { record: history.record, why: "line 7".to_owned() }];
    let mut world = World::recovered(Disk { lost, ..world.disk }, BOOT, 20);
    world.register();
    world.greet(vec![report(&damaged, Stage::Running), report(&other, Stage::Running)]);
    let told = world.sent.iter().find(|update| update.status.task_id.as_str() == "damaged").unwrap().clone();
    assert_eq!((told.status.state, told.status.reason), (TaskState::Gone, Some(TaskStatusReason::ExecutorTerminated)));
    assert!(told.status.message.as_ref().unwrap().ends_with(": line 7"), "{told:?}");
    assert_eq!(world.asked, [Request::Destroy(damaged.clone())], "the other one goes on");
    // That it is told is not forgotten before the master knows.
    let mut again = World::recovered(Disk { lost: Vec::new(), ..world.disk }, BOOT, 30);
    again.register();
    assert_eq!(again.sent.iter().find(|update| update.status.task_id.as_str() == "damaged"), Some(&told));
    again.acknowledge(&told);
    assert!(!again.disk.tasks.contains_key(&damaged));
}

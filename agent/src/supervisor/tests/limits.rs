//! What a task may use, and for how long.

use super::*;

fn refused(change: impl FnOnce(&mut TaskInfo)) -> String {
    let mut world = World::ready();
    let mut info = task("t");
    change(&mut info);
    world.run(info);
    assert!(world.launched.is_empty());
    world.sent.pop().unwrap().status.message.unwrap()
}

#[test]
fn a_task_may_use_more_than_it_has_for_itself() {
    let mut world = World::ready();
    let limits = [("cpus", 1.5), ("mem", 128.0)].map(|(name, value)| (name.to_owned(), Scalar { value }));
    world.run(TaskInfo { limits: limits.into(), ..task("t") });
    let limits = world.specs[0].limits.unwrap();
    assert_eq!(limits.cpu_quota_us, Some(150_000));
    assert_eq!((limits.memory_bytes, limits.memory_request_bytes), (128 << 20, Some(64 << 20)));
    let without =
        [("cpus", f64::INFINITY), ("mem", f64::INFINITY)].map(|(name, value)| (name.to_owned(), Scalar { value }));
    world.run(TaskInfo { limits: without.into(), ..task("u") });
    let limits = world.specs[1].limits.unwrap();
    assert_eq!((limits.cpu_quota_us, limits.memory_bytes), (None, u64::MAX));
}

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let of = |name: &str, value| {
        let name = name.to_owned();
        refused(move |task| task.limits.extend([(name, Scalar { value })]))
    };
    assert!(of("mem", 63.0).contains("limit of `mem` cannot be 63"));
    assert!(of("cpus", 0.0).contains("limit of `cpus` cannot be 0"));
    assert!(of("disk", 5.0).contains("only those of `cpus` and `mem`"));
    let negative = Some(DurationInfo { nanoseconds: -1 });
    assert!(refused(|task| task.max_completion_time = negative).contains("negative"));
}

#[test]
fn a_task_that_takes_too_long_is_ended_also_after_the_agents_restart() {
    let timed = || TaskInfo { max_completion_time: Some(DurationInfo::from_milliseconds(5_000)), ..task("t") };
    let mut world = World::ready();
    let container = world.start(timed());
    world.advance(4_999);
    assert!(world.asked.is_empty());
    let mut world = World::recovered(world.disk, BOOT, world.now_ms);
    world.register();
    world.greet(vec![report(&container, Stage::Running)]);
    world.advance(1);
    assert!(world.asked.contains(&Request::Terminate(container.clone())));
    world.ended(&container, Exit::Signal(15));
    let last = world.sent.pop().unwrap().status;
    assert_eq!((last.state, last.reason), (TaskState::Failed, Some(TaskStatusReason::MaxCompletionTimeReached)));
}

#[test]
fn isolators_share_out_what_a_task_has_no_limit_for() {
    use crate::launcher::controls::DeviceRule;
    let launched = |isolation: &str, change: &dyn Fn(&mut TaskInfo)| {
        let isolators = isolation.parse().unwrap();
        let config =
            Config { isolators, devices: Devices { rules: DeviceRule::usual(), ..Devices::default() }, ..config(BOOT) };
        let mut world = World::recovered_as(Disk::default(), config, 0).unwrap();
        world.register();
        world.greet(Vec::new());
        let mut info = task("t");
        change(&mut info);
        world.run(info);
        world.specs.pop().map(|spec| spec.controls).ok_or_else(|| world.sent.pop().unwrap().status.message.unwrap())
    };
    let scalar = |name: &str, value| Resource {
        name: name.to_owned(),
        r#type: ValueType::Scalar,
        scalar: Some(Scalar { value }),
        ..Resource::default()
    };
    assert_eq!(launched("", &|_| ()), Ok(None));
    let rich = |task: &mut TaskInfo| {
        task.resources.retain(|resource| resource.name != "cpus");
        task.resources.extend([scalar("cpus", 2.5), scalar("hugepages_2MB", 4.0)]);
    };
    let controls = launched("cgroups/blkio,cgroups/cpuset,cgroups/devices,cgroups/hugetlb", &rich).unwrap().unwrap();
    assert_eq!((controls.io_weight, controls.processors), (Some(250), Some(3)));
    assert_eq!(controls.devices, Some(DeviceRule::usual()));
    assert_eq!(controls.huge_pages, Some(BTreeMap::from([("2MB".to_owned(), 4 << 20)])));
    let burst = |task: &mut TaskInfo| task.limits.extend([("cpus".to_owned(), Scalar { value: 6.0 })]);
    assert_eq!(launched("cgroups/cpuset", &burst).unwrap().unwrap().processors, Some(6));
    let without = |task: &mut TaskInfo| task.limits.extend([("cpus".to_owned(), Scalar { value: f64::INFINITY })]);
    assert_eq!(launched("cgroups/cpuset", &without), Ok(None));
    assert!(launched("cgroups/cpuset", &rich).unwrap_err().contains("`hugepages_2MB`"));
}

/// Two lamps, and a switch that whoever has one needs.
fn with_lamps() -> Config {
    use crate::devices::{Countable, Device};
    use crate::launcher::controls::DeviceRule;
    let device = |name: &str| Device { path: PathBuf::from(format!("/dev/{name}")), rule: DeviceRule::usual()[2] };
    let lamps = Countable { instances: vec![device("a"), device("b")], shared: vec![device("switch")] };
    Config {
        isolators: "cgroups/devices".parse().unwrap(),
        devices: Devices { rules: Vec::new(), countable: BTreeMap::from([("lamps".to_owned(), lamps)]) },
        ..config(BOOT)
    }
}

fn lit(name: &str, amount: f64) -> TaskInfo {
    let mut info = task(name);
    let scalar = Some(Scalar { value: amount });
    info.resources.push(Resource { name: "lamps".to_owned(), scalar, ..Resource::default() });
    info
}

#[test]
fn a_device_is_one_tasks_at_a_time_also_after_a_restart() {
    let mut world = World::recovered_as(Disk::default(), with_lamps(), 0).unwrap();
    world.register();
    world.greet(Vec::new());
    let first = world.start(lit("one", 1.0));
    assert_eq!(world.specs[0].controls.as_ref().unwrap().devices.as_ref().unwrap().len(), 2, "and what all share");
    let devices = |world: &World, name: &str| {
        let task = world.supervisor.tasks().find(|task| task.key.task_id.as_str() == name);
        task.unwrap().devices.clone()
    };
    assert_eq!(devices(&world, "one"), [PathBuf::from("/dev/a")]);
    let mut world = World::recovered_as(world.disk, with_lamps(), 1_000).unwrap();
    world.register();
    world.greet(vec![report(&first, Stage::Running)]);
    assert_eq!(devices(&world, "one"), [PathBuf::from("/dev/a")]);
    world.start(lit("two", 1.0));
    assert_eq!(devices(&world, "two"), [PathBuf::from("/dev/b")]);
    world.run(lit("three", 1.0));
    assert!(world.sent.pop().unwrap().status.message.unwrap().contains("`lamps`"));
    world.ended(&first, Exit::Code(0));
    world.start(lit("four", 1.0));
    assert_eq!(devices(&world, "four"), [PathBuf::from("/dev/a")]);
    world.run(lit("half", 0.5));
    assert!(world.sent.pop().unwrap().status.message.unwrap().contains("whole"));
    let mut gpu = lit("gpu", 1.0);
    gpu.resources.last_mut().unwrap().name = "gpus".to_owned();
    world.run(gpu);
    assert!(world.sent.pop().unwrap().status.message.unwrap().contains("`gpus`"));
}

#[test]
fn an_executor_has_devices_with_its_first_tasks() {
    let of_executor = |task: TaskInfo| {
        let command = Some(CommandInfo { value: Some("./executor".to_owned()), ..CommandInfo::default() });
        let executor = ExecutorInfo { executor_id: "e".into(), command, ..ExecutorInfo::default() };
        TaskInfo { command: None, executor: Some(Box::new(executor)), ..task }
    };
    let mut world = World::recovered_as(Disk::default(), with_lamps(), 0).unwrap();
    world.register();
    world.greet(Vec::new());
    world.run(of_executor(lit("first", 1.0)));
    let container = world.launched[0].clone();
    assert_eq!(world.specs[0].controls.as_ref().unwrap().devices.as_ref().unwrap().len(), 2, "and what all share");
    world.started(&container);
    world.run(of_executor(lit("later", 1.0)));
    assert!(world.sent.pop().unwrap().status.message.unwrap().contains("that does not run yet"));
    let mut world = World::recovered_as(world.disk, with_lamps(), 1_000).unwrap();
    world.register();
    world.greet(vec![report(&container, Stage::Running)]);
    world.start(lit("other", 1.0));
    let task = world.supervisor.tasks().find(|task| task.key.task_id.as_str() == "other").unwrap();
    assert_eq!(task.devices, [PathBuf::from("/dev/b")], "the executor keeps its own");
    world.run(lit("third", 1.0));
    assert!(world.sent.pop().unwrap().status.message.unwrap().contains("`lamps`"));
}

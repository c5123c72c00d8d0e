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

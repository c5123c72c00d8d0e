//! Tasks that take more than they were given.

use attica_core_api::v1::Scalar;

use super::*;
use crate::supervisor::Excess;

const EXCESS: Excess = Excess::Disk { used_bytes: 8 << 20, limit_bytes: 4 << 20 };

fn with_disk(megabytes: f64) -> TaskInfo {
    let mut info = task("t");
    let scalar = Some(Scalar { value: megabytes });
    info.resources.push(Resource { name: "disk".to_owned(), scalar, ..Resource::default() });
    info
}

#[test]
fn what_runs_is_looked_at_and_an_excess_ends_it_at_once_also_after_a_restart() {
    let mut world = World::ready();
    let container = world.start(with_disk(4.0));
    let suspects = world.supervisor.suspects();
    assert_eq!(suspects.len(), 1);
    assert_eq!((&suspects[0].container, suspects[0].disk_bytes), (&container, Some(4 << 20)));
    world.apply(Input::Exceeded { container: container.clone(), excess: EXCESS });
    world.advance(0);
    assert!(world.asked.contains(&Request::Destroy(container.clone())), "{:?}", world.asked);
    assert!(world.supervisor.suspects().is_empty());
    let mut world = World::recovered(world.disk, BOOT, world.now_ms);
    world.register();
    world.greet(vec![report(&container, Stage::Running)]);
    world.ended(&container, Exit::Signal(9));
    let last = world.sent.pop().unwrap().status;
    assert_eq!((last.state, last.reason), (TaskState::Failed, Some(TaskStatusReason::ContainerLimitationDisk)));
    assert_eq!(last.limitation.unwrap().resources[0].scalar.as_ref().unwrap().value, 4.0);
}

#[test]
fn what_the_launcher_cannot_remove_is_counted_and_its_task_ends_once_it_is_gone() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    for _ in 0..2 {
        world.apply(Input::Launcher(Reply::NotRemoved { container: container.clone() }));
    }
    assert_eq!(world.supervisor.counters().container_destroy_errors, 2);
    assert_eq!(world.states().last(), Some(&"TASK_RUNNING"));
    world.ended(&container, Exit::Code(0));
    assert_eq!(world.states().last(), Some(&"TASK_FINISHED"));
}

#[test]
fn an_excess_of_what_has_ended_is_nothing() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    assert_eq!(world.supervisor.suspects()[0].disk_bytes, None);
    world.ended(&container, Exit::Code(0));
    let sent = world.sent.len();
    world.apply(Input::Exceeded { container, excess: EXCESS });
    assert_eq!(world.sent.len(), sent);
}

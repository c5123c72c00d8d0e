//! What the master says, and the agent's end.

use super::*;

#[test]
fn a_deposed_leader_is_not_obeyed_even_after_a_restart() {
    let mut world = World::ready();
    world.apply(Input::Link(Box::new(Event::heartbeat(5))));
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.greet(Vec::new());
    world.apply(Input::Link(Box::new(Event::run(
        4,
        Run {
            framework_id: "f".into(),
            framework_info: FrameworkInfo::default(),
            tasks: vec![task("t")],
            ..Run::default()
        },
    ))));
    assert!(world.launched.is_empty() && world.disk.tasks.is_empty());
    assert_eq!(world.closed.len(), 1);
    assert_eq!(world.supervisor.registration("").epoch, 5);
}

#[test]
fn a_drained_agent_ends_when_its_tasks_have_and_the_master_knows() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    world.apply(Input::Drain);
    world.run(task("late"));
    assert_eq!(world.sent.last().unwrap().status.reason, Some(TaskStatusReason::AgentDraining));
    world.ended(&container, Exit::Signal(15));
    assert!(!world.over);
    for update in world.sent.clone() {
        world.acknowledge(&update);
    }
    assert!(world.over && world.disk.agent.is_some());

    let mut world = World::ready();
    world.apply(Input::Link(Box::new(Event::shutdown(1, "not wanted"))));
    assert!(world.over && world.disk.agent.is_none());
}

//! What the master is told, until it has it.

use super::*;

#[test]
fn a_task_is_told_of_from_start_to_end_and_forgotten_when_that_is_known() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    world.run(task("t"));
    assert_eq!(world.launched.len(), 1, "the same task is not run twice");
    world.ended(&container, Exit::Code(0));
    assert_eq!(world.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]);
    assert_eq!(world.sent.iter().map(|update| update.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(world.asked, [Request::Forget(vec![container])]);
    for update in world.sent.clone() {
        assert_eq!(world.disk.tasks.len(), 1);
        assert!(world.left.is_empty(), "it is in use until everybody knows");
        world.acknowledge(&update);
    }
    assert_eq!(world.left, [world.specs[0].directory.clone()]);
    assert!(world.disk.tasks.is_empty());
    assert_eq!(world.supervisor.registration("").task_count, 0);
    assert_eq!(world.supervisor.registration("").task_digest, World::ready().supervisor.registration("").task_digest);
}

#[test]
fn updates_are_sent_again_with_growing_pauses_until_they_are_acknowledged() {
    let mut world = World::ready();
    world.start(task("t"));
    let running = world.sent[1].clone();
    world.acknowledge(&world.sent[0].clone());
    world.sent.clear();
    let mut times = Vec::new();
    for _ in 0..400 {
        world.advance(5_000);
        times.extend(world.sent.drain(..).map(|_| world.now_ms / 1_000));
    }
    assert_eq!(times, [10, 30, 70, 150, 310, 630, 1_230, 1_830]);
    world.apply(Input::LinkClosed);
    world.register();
    assert_eq!(world.sent, vec![running.clone()], "at once on a new link");
    world.acknowledge(&running);
    world.sent.clear();
    world.advance(10_000_000);
    assert!(world.sent.is_empty());
}

//! Kills.

use super::*;

#[test]
fn a_kill_escalates_and_a_second_one_shortens_it() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    world.kill("t", Some(60_000));
    let (term, kill) = (Request::Terminate(container.clone()), Request::Destroy(container.clone()));
    assert_eq!(world.asked, vec![term.clone()]);
    world.advance(2_000);
    world.kill("t", Some(70_000));
    world.kill("t", Some(5_000));
    world.advance(2_999);
    assert_eq!(world.asked, vec![term.clone()]);
    world.advance(1);
    assert_eq!(world.asked, [term.clone(), kill.clone()]);
    world.kill("t", Some(0));
    assert_eq!(world.asked, [term, kill]);
    world.ended(&container, Exit::Signal(9));
    let last = world.sent.last().unwrap();
    assert_eq!(
        (last.status.state, last.status.message.as_deref()),
        (TaskState::Killed, Some("Command terminated with signal Killed"))
    );
}

#[test]
fn a_drain_bounds_the_grace_of_every_policy() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    world.kill_within("t", Some(60_000), Some(1_000));
    let (term, kill) = (Request::Terminate(container.clone()), Request::Destroy(container));
    world.advance(999);
    assert_eq!(world.asked, std::slice::from_ref(&term));
    world.advance(1);
    assert_eq!(world.asked, [term, kill]);
    // Who is being killed already has no more time either; a longer bound gives nobody more.
    let container = world.start(task("u"));
    world.kill("u", Some(60_000));
    world.kill_within("u", None, Some(70_000));
    world.kill_within("u", None, Some(0));
    assert_eq!(world.asked.last(), Some(&Request::Destroy(container)));
}

#[test]
fn frameworks_that_know_killing_are_told() {
    let mut world = World::ready();
    let capability = FrameworkCapability { r#type: Some(FrameworkCapabilityType::TaskKillingState) };
    world.run_for(FrameworkInfo { capabilities: vec![capability], ..FrameworkInfo::default() }, task("t"));
    let container = world.launched[0].clone();
    world.started(&container);
    world.kill("t", None);
    world.ended(&container, Exit::Code(0));
    assert_eq!(world.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]);
}

#[test]
fn a_task_that_is_killed_while_there_is_no_launcher_never_starts() {
    let mut world = World::new();
    world.register();
    world.run(task("t"));
    world.kill("t", None);
    world.greet(Vec::new());
    assert!(world.launched.is_empty());
    assert_eq!(world.states(), ["TASK_KILLED"]);
    assert_eq!(world.sent[0].status.reason, Some(TaskStatusReason::TaskKilledDuringLaunch));
}

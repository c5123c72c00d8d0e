//! Status updates: in order, again and again, until they are acknowledged.

use expect_test::expect;

use super::*;

#[test]
fn one_status_at_a_time_in_order_until_the_task_is_history() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.said();
    scene.report("l1", "t1", 1, TaskState::Starting).report("l1", "t1", 2, TaskState::Running);
    scene.report("l1", "t1", 3, TaskState::Finished);
    expect![[r#"
        s1 UPDATE t1 TASK_STARTING (to be acknowledged)
        l1 ACKNOWLEDGE t1 01
        l1 ACKNOWLEDGE t1 02
        l1 ACKNOWLEDGE t1 03
        s1 OFFERS m1-O1"#]]
    .assert_eq(&scene.said());
    for sequence in 1..=3 {
        let status =
            TaskStatus { agent_id: Some(AgentId::new("m1-S0")), ..reported("t1", sequence, TaskState::Running) };
        scene.acknowledge("s1", &status);
    }
    expect![[r#"
        s1 UPDATE t1 TASK_RUNNING (to be acknowledged)
        s1 UPDATE t1 TASK_FINISHED (to be acknowledged)"#]]
    .assert_eq(&scene.said());
    let record = &scene.snapshot.frameworks[&FrameworkId::new("m1-0000")].tasks[&TaskId::new("t1")];
    assert!(record.completed_at.is_some() && record.outbox.is_empty());
}

#[test]
fn what_became_durable_with_the_status_before_waits_for_no_other_commit() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    let update = |sequence, state| link::StatusUpdate {
        framework_id: FrameworkId::new("m1-0000"),
        status: reported("t1", sequence, state),
        sequence,
    };
    let acknowledge = |scene: &mut Scene, sequence| {
        let agent_id = Some(AgentId::new("m1-S0"));
        scene.acknowledge("s1", &TaskStatus { agent_id, ..reported("t1", sequence, TaskState::Running) });
        scene.at_once
    };
    let together = vec![update(1, TaskState::Starting), update(2, TaskState::Running)];
    scene.agent_call("l1", link::Call::statuses(AgentId::new("m1-S0"), 1, together));
    scene.report("l1", "t1", 3, TaskState::Running).report("l1", "t1", 4, TaskState::Finished);
    assert_eq!(scene.at_once, 0);
    assert_eq!([1, 2, 3].map(|sequence| acknowledge(&mut scene, sequence)), [1, 1, 1]);

    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.report("l1", "t1", 1, TaskState::Starting).report("l1", "t1", 2, TaskState::Running);
    scene.fail_over();
    scene.subscribe("s1", with_id("m1-0000"));
    assert_eq!(acknowledge(&mut scene, 1), 1, "what the next leader has read is durable");
}

#[test]
fn what_an_agent_repeats_is_acknowledged_again_and_changes_nothing() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.report("l1", "t1", 1, TaskState::Starting).report("l1", "t1", 2, TaskState::Running);
    let facts = scene.facts.len();
    scene.said();
    scene.report("l1", "t1", 1, TaskState::Starting).report("l1", "t1", 2, TaskState::Running);
    scene.report("l1", "t1", 3, TaskState::Starting);
    assert_eq!(scene.facts.len(), facts);
    expect![[r#"
        l1 ACKNOWLEDGE t1 01
        l1 ACKNOWLEDGE t1 02
        l1 ACKNOWLEDGE t1 03"#]]
    .assert_eq(&scene.said());
}

#[test]
fn nothing_follows_the_end() {
    let mut scene = running();
    scene.report("l1", "t1", 2, TaskState::Failed).report("l1", "t1", 3, TaskState::Finished);
    scene.report("l1", "t1", 4, TaskState::Running);
    expect![[r#"
        s1 UPDATE t1 TASK_FAILED (to be acknowledged)
        l1 ACKNOWLEDGE t1 02
        s1 OFFERS m1-O1
        l1 ACKNOWLEDGE t1 03
        l1 KILL t1
        l1 ACKNOWLEDGE t1 04"#]]
    .assert_eq(&scene.said());
}

#[test]
fn an_unacknowledged_status_comes_again_ever_more_rarely() {
    let mut scene = running();
    scene.report("l1", "t1", 2, TaskState::Finished);
    scene.said();
    let mut at = Vec::new();
    for second in 1..=1_300 {
        scene.pass(1_000);
        scene.agent_call("l1", link::Call::heartbeat(AgentId::new("m1-S0"), 1));
        at.extend(scene.statuses("s1").iter().map(|_| second));
    }
    assert_eq!(at, [10, 30, 70, 150, 310, 630, 1_230]);
}

#[test]
fn a_new_stream_gets_everything_that_waits() {
    let mut scene = running();
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") });
    scene.report("l1", "t1", 2, TaskState::Finished);
    scene.pass(20_000);
    assert_eq!(scene.statuses("s1"), []);
    scene.subscribe("s2", with_id("m1-0000"));
    expect![[r#"
        s2 SUBSCRIBED m1-0000
        s2 UPDATE t1 TASK_FINISHED (to be acknowledged)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn only_the_status_in_flight_can_be_acknowledged() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.report("l1", "t1", 1, TaskState::Starting).report("l1", "t1", 2, TaskState::Running);
    let facts = scene.facts.len();
    let status = |sequence, agent: &str| TaskStatus {
        agent_id: Some(AgentId::new(agent)),
        ..reported("t1", sequence, TaskState::Running)
    };
    scene.acknowledge("s1", &status(2, "m1-S0"));
    scene.acknowledge("s1", &status(1, "m1-S9"));
    scene.acknowledge("s1", &status(9, "m1-S0"));
    assert_eq!(scene.facts.len(), facts);
    scene.acknowledge("s1", &status(1, "m1-S0"));
    scene.acknowledge("s1", &status(1, "m1-S0"));
    assert_eq!(scene.facts.len(), facts + 1);
}

#[test]
fn the_end_of_a_task_is_news_even_from_an_agent_that_lost_count() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.report("l1", "t1", 1, TaskState::Starting).report("l1", "t1", 5, TaskState::Running);
    scene.said();
    let status = TaskStatus { uuid: Some(vec![9; 16].into()), ..reported("t1", 3, TaskState::Finished) };
    let update = link::StatusUpdate { framework_id: FrameworkId::new("m1-0000"), status, sequence: 3 };
    scene.agent_call("l1", link::Call::statuses(AgentId::new("m1-S0"), 1, vec![update]));
    let record = &scene.snapshot.frameworks[&FrameworkId::new("m1-0000")].tasks[&TaskId::new("t1")];
    assert_eq!((record.state, record.sequence), (TaskState::Finished, 5));
}

#[test]
fn what_has_no_room_stays_with_the_agent_but_the_end_always_has() {
    let mut scene = running();
    let mut report = |sequence: u64, state| {
        let uuid = Some(u128::from(sequence).to_be_bytes().to_vec().into());
        let status = TaskStatus { uuid, ..reported("t1", 1, state) };
        let update = link::StatusUpdate { framework_id: FrameworkId::new("m1-0000"), status, sequence };
        scene.agent_call("l1", link::Call::statuses(AgentId::new("m1-S0"), 1, vec![update]));
        let said = scene.said();
        let record = &scene.snapshot.frameworks[&FrameworkId::new("m1-0000")].tasks[&TaskId::new("t1")];
        (said.contains("l1 ACKNOWLEDGE t1"), record.outbox.len())
    };
    for sequence in 2..=257 {
        assert_eq!(report(sequence, TaskState::Running), (true, usize::try_from(sequence).expect("small") - 1));
    }
    assert_eq!(report(258, TaskState::Running), (false, 256));
    assert_eq!(report(259, TaskState::Failed), (true, 257));
}

//! A new leader has forgotten nothing.

use expect_test::expect;

use super::*;

#[test]
fn everything_goes_on_under_the_next_leader() {
    let mut scene = running();
    scene.command("s1", "m1-0000", Command::Revive { roles: Vec::new() });
    let offer = scene.kernel.allocator.outstanding().next().expect("an offer").key;
    scene.launch("s1", "m1-0000", &[&format!("m1-O{offer}")], vec![task("t2"), task("t3")]);
    scene.report("l1", "t2", 1, TaskState::Finished);
    scene.fail_over();
    scene.subscribe("s2", with_id("m1-0000"));
    expect![[r#"
        s2 SUBSCRIBED m1-0000
        s2 UPDATE t2 TASK_FINISHED (to be acknowledged)"#]]
    .assert_eq(&scene.said());
    scene.register("l2", Some("m1-S0"), &[("t1", TaskState::Running)]);
    scene.list("l2", &[("t1", TaskState::Running)]);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: false
        l2 LIST_TASKS
        l2 RUN t3
        s2 OFFERS m2-O0"#]]
    .assert_eq(&scene.said());
}

#[test]
fn deadlines_survive_and_the_masters_own_absence_is_forgiven() {
    let mut scene = stage();
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") });
    scene.pass(30_000);
    scene.fail_over();
    scene.pass(30_000);
    assert!(!scene.facts.iter().any(|fact| matches!(fact, Fact::FrameworkRemoved { .. })));
    scene.pass(30_000);
    assert!(scene.facts.iter().any(|fact| matches!(fact, Fact::FrameworkRemoved { .. })));
    scene.fail_over();
    scene.subscribe("s2", with_id("m1-0000"));
    assert_eq!(scene.said(), "s2 ERROR Framework has been removed\ns2 (closed)");
}

#[test]
fn agents_that_do_not_come_back_to_a_new_leader_become_unreachable() {
    let mut scene = running();
    scene.fail_over();
    scene.subscribe("s2", with_id("m1-0000"));
    scene.said();
    scene.pass(599_999);
    assert_eq!(scene.said(), "");
    scene.pass(1);
    assert_eq!(scene.statuses("s2")[0].state, TaskState::Unreachable);
}

#[test]
fn history_is_bounded_and_survives() {
    let mut scene = stage();
    scene.kernel.config.completed_tasks_limit = 2;
    for number in 0..4 {
        scene.command("s1", "m1-0000", Command::Revive { roles: Vec::new() });
        let offer = scene.kernel.allocator.outstanding().next().expect("an offer").key;
        let id = format!("t{number}");
        scene.launch("s1", "m1-0000", &[&format!("m1-O{offer}")], vec![task(&id)]);
        scene.said();
        scene.report("l1", &id, 1, TaskState::Finished);
        let statuses = scene.statuses("s1");
        scene.acknowledge("s1", &statuses[0]);
        scene.pass(1);
    }
    let left: Vec<_> =
        scene.snapshot.frameworks[&FrameworkId::new("m1-0000")].tasks.keys().map(TaskId::as_str).collect();
    assert_eq!(left, ["t2", "t3"]);
    scene.fail_over();
    scene.subscribe("s2", with_id("m1-0000"));
    assert!(scene.kernel.frameworks[&FrameworkId::new("m1-0000")].history.contains(&TaskId::new("t2")));
}

#[test]
fn what_a_check_found_is_known_to_the_next_leader_although_the_agent_was_out_of_reach() {
    let mut scene = running();
    let status = TaskStatus { healthy: Some(true), ..reported("t1", 2, TaskState::Running) };
    let update = link::StatusUpdate { framework_id: FrameworkId::new("m1-0000"), status, sequence: 2 };
    scene.agent_call("l1", link::Call::statuses(AgentId::new("m1-S0"), 1, vec![update]));
    scene.pass(10_000).fail_over();
    scene.subscribe("s2", with_id("m1-0000"));
    scene.register("l2", Some("m1-S0"), &[("t1", TaskState::Running)]).list("l2", &[("t1", TaskState::Running)]);
    let reconcile = r#"{"type":"RECONCILE","framework_id":{"value":"m1-0000"},"reconcile":{"tasks":[]}}"#;
    scene.said();
    scene.call("s2", reconcile);
    assert_eq!(scene.statuses("s2")[0].healthy, Some(true));
}

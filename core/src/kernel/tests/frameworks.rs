//! Frameworks come, go, come back and are taken over.

use attica_core_api::scheduler::{Command, Subscribe};
use attica_core_api::v1::{FrameworkInfo, TaskState};
use expect_test::expect;

use super::*;
use crate::kernel::Refusal;

#[test]
fn a_new_framework_gets_an_id_and_offers() {
    let mut scene = Scene::new();
    scene.register("l1", None, &[]).subscribe("s1", framework_info());
    expect![[r#"
        l1 REGISTERED m1-S0 matches: true
        s1 SUBSCRIBED m1-0000
        s1 OFFERS m1-O0"#]]
    .assert_eq(&scene.said());
}

#[test]
fn what_is_wrong_with_a_subscription_comes_as_an_error_on_its_stream() {
    let plain = FrameworkInfo { capabilities: Vec::new(), roles: Vec::new(), ..framework_info() };
    let cases = [
        FrameworkInfo { roles: vec!["/bad".to_owned()], ..framework_info() },
        FrameworkInfo { roles: vec!["bad/".to_owned()], ..framework_info() },
        FrameworkInfo { roles: vec!["a".to_owned(), "a".to_owned()], ..framework_info() },
        FrameworkInfo { role: Some("a".to_owned()), ..framework_info() },
        FrameworkInfo { roles: vec!["a".to_owned(), "b".to_owned()], ..plain.clone() },
        FrameworkInfo { role: Some("-a".to_owned()), ..plain },
        FrameworkInfo { failover_timeout: -1.0, ..framework_info() },
        FrameworkInfo { failover_timeout: f64::NAN, ..framework_info() },
        with_id("no/such"),
    ];
    let mut scene = Scene::new();
    for info in cases {
        scene.subscribe("s1", info);
    }
    let subscribe =
        Subscribe { suppressed_roles: vec!["x".to_owned()], framework_info: framework_info(), ..Subscribe::default() };
    scene.apply(Input::Subscribe { stream: StreamId::new("s1"), subscribe: Box::new(subscribe) });
    assert!(scene.facts.is_empty());
    expect![[r#"
        s1 ERROR 'FrameworkInfo.roles' contains invalid role: Role '/bad' cannot start with a slash
        s1 (closed)
        s1 ERROR 'FrameworkInfo.roles' contains invalid role: Role 'bad/' cannot end with a slash
        s1 (closed)
        s1 ERROR 'FrameworkInfo.roles' contains duplicate items: a
        s1 (closed)
        s1 ERROR 'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable
        s1 (closed)
        s1 ERROR 'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable
        s1 (closed)
        s1 ERROR 'FrameworkInfo.role' is not a valid role: role '-a' must not have the component '-a', which begins with a hyphen
        s1 (closed)
        s1 ERROR 'FrameworkInfo.failover_timeout' must not be negative, but is -1
        s1 (closed)
        s1 ERROR 'FrameworkInfo.failover_timeout' must not be negative, but is NaN
        s1 (closed)
        s1 ERROR 'FrameworkInfo.id' is not valid: ID contains a control character, '/' or '\'
        s1 (closed)
        s1 ERROR Suppressed role 'x' is not among the framework's roles
        s1 (closed)"#]].assert_eq(&scene.said());
}

#[test]
fn a_second_scheduler_takes_over() {
    let mut scene = running();
    scene.report("l1", "t1", 2, TaskState::Finished);
    scene.said();
    scene.subscribe("s2", with_id("m1-0000"));
    expect![[r#"
        s1 ERROR Framework failed over
        s1 (closed)
        s2 SUBSCRIBED m1-0000
        s2 UPDATE t1 TASK_FINISHED (to be acknowledged)
        s2 OFFERS m1-O2"#]]
    .assert_eq(&scene.said());
    let refused = scene.command("s1", "m1-0000", Command::Revive { roles: Vec::new() });
    let Reply::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.status(), 400);
    expect!["The stream ID 's1' included in this request didn't match the stream ID currently associated with framework ID m1-0000"].assert_eq(&refusal.to_string());
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") });
    assert_eq!(scene.command("s2", "m1-0000", Command::Revive { roles: Vec::new() }), Reply::Accepted);
}

#[test]
fn senders_are_checked_in_the_order_of_mesos() {
    let mut scene = stage();
    let revive = || Command::Revive { roles: Vec::new() };
    assert_eq!(scene.command("s1", "nope", revive()), Reply::Refused(Refusal::FrameworkUnknown));
    assert_eq!(scene.command("", "m1-0000", revive()), Reply::Refused(Refusal::StreamMissing));
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") });
    assert_eq!(scene.command("s1", "m1-0000", revive()), Reply::Refused(Refusal::FrameworkNotSubscribed));
}

#[test]
fn a_framework_that_stays_away_is_removed_and_its_tasks_are_killed() {
    let mut scene = running();
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") });
    scene.pass(5_000).agent_call("l1", link::Call::heartbeat(AgentId::new("m1-S0"), 1));
    for _ in 0..11 {
        scene.pass(4_900).agent_call("l1", link::Call::heartbeat(AgentId::new("m1-S0"), 1));
    }
    assert_eq!(scene.said(), "");
    scene.pass(2_000);
    expect!["l1 KILL t1"].assert_eq(&scene.said());
    scene.report("l1", "t1", 2, TaskState::Killed).subscribe("s2", with_id("m1-0000"));
    expect![[r#"
        l1 ACKNOWLEDGE t1 02
        s2 ERROR Framework has been removed
        s2 (closed)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn teardown_ends_the_stream_and_kills_the_id() {
    let mut scene = stage();
    assert_eq!(scene.call("s1", r#"{"type":"TEARDOWN","framework_id":{"value":"m1-0000"}}"#), Reply::Accepted);
    scene.subscribe("s2", with_id("m1-0000"));
    expect![[r#"
        s1 (closed)
        s2 ERROR Framework has been removed
        s2 (closed)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn a_wish_is_taken_and_changes_nothing() {
    let mut scene = stage();
    let request = r#"{"type":"REQUEST","framework_id":{"value":"m1-0000"},"request":{"requests":[{"agent_id":{"value":"m1-S0"}}]}}"#;
    assert_eq!(scene.call("s1", request), Reply::Accepted);
    assert_eq!(scene.said(), "");
}

//! ACCEPT: what becomes a task, and what is answered to the rest.

use attica_core_api::scheduler::Decline;
use attica_core_api::v1::{DurationInfo, ExecutorInfo, HealthCheck, KillPolicy};
use expect_test::expect;

use super::*;

#[test]
fn a_task_goes_to_its_agent_with_its_role() {
    let mut scene = stage();
    assert_eq!(scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1"), task("t2")]), Reply::Accepted);
    expect!["l1 RUN t1 t2"].assert_eq(&scene.said());
    let record = &scene.snapshot.frameworks[&FrameworkId::new("m1-0000")].tasks[&TaskId::new("t1")];
    let role = record.info.resources[0].allocation_info.as_ref().and_then(|info| info.role.as_deref());
    assert_eq!(role, Some("golden"));
}

#[test]
fn each_broken_rule_is_a_task_error_of_its_own() {
    let resources = |text| TaskInfo { resources: resources_of(text), ..task("t") };
    let grace = KillPolicy { grace_period: Some(DurationInfo { nanoseconds: -1 }) };
    let tasks = vec![
        task("good"),
        task("good"),
        TaskInfo { task_id: TaskId::new("a/b"), ..task("t") },
        TaskInfo { agent_id: AgentId::new("m1-S9"), ..task("t") },
        TaskInfo { command: None, ..task("t") },
        TaskInfo { command: None, executor: Some(ExecutorInfo::default().into()), ..task("t") },
        TaskInfo { kill_policy: Some(grace), ..task("t") },
        TaskInfo { health_check: Some(HealthCheck::default()), ..task("t") },
        TaskInfo { resources: Vec::new(), ..task("t") },
        resources("cpus:1000000;mem:32"),
        resources("ports:[30000-30000]"),
        resources("gpus:1"),
    ];
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], tasks);
    expect![[r#"
        s1 UPDATE good TASK_ERROR REASON_TASK_INVALID Task has duplicate ID: good (said once)
        s1 UPDATE a/b TASK_ERROR REASON_TASK_INVALID Task uses invalid ID: ID contains a control character, '/' or '\' (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Task uses invalid agent m1-S9 while agent m1-S0 is expected (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Task should have at least one (but not both) of CommandInfo or ExecutorInfo present (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Executor uses invalid ID: ID must not be empty (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Task's 'kill_policy.grace_period' must be non-negative (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Task uses invalid health check: HealthCheck must specify 'type' (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Task uses no resources (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Total resources cpus(allocated: golden):1000000; mem(allocated: golden):32 required by task and its executor is more than available cpus(allocated: golden):999.5; mem(allocated: golden):99936; disk(allocated: golden):100000; ports(allocated: golden):[31000-32000] (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Total resources ports(allocated: golden):[30000-30000] required by task and its executor is more than available cpus(allocated: golden):999.5; mem(allocated: golden):99936; disk(allocated: golden):100000; ports(allocated: golden):[31000-32000] (said once)
        s1 UPDATE t TASK_ERROR REASON_TASK_INVALID Total resources gpus(allocated: golden):1 required by task and its executor is more than available cpus(allocated: golden):999.5; mem(allocated: golden):99936; disk(allocated: golden):100000; ports(allocated: golden):[31000-32000] (said once)
        l1 RUN good"#]].assert_eq(&scene.said());
}

#[test]
fn a_launch_has_no_outcome_to_report() {
    let mut scene = stage();
    let launch = r#"{"type":"LAUNCH","id":{"value":"x"},"launch":{"task_infos":[{"name":"t","task_id":{"value":"t1"},"agent_id":{"value":"m1-S0"}}]}}"#;
    let accept = format!(
        r#"{{"type":"ACCEPT","framework_id":{{"value":"m1-0000"}},"accept":{{"offer_ids":[{{"value":"m1-O0"}}],"operations":[{launch}]}}}}"#
    );
    scene.call("s1", &accept);
    expect!["s1 UPDATE t1 TASK_ERROR REASON_TASK_INVALID LAUNCH has no outcome to report, so it must not have the id 'x' (said once)"].assert_eq(&scene.said());
}

#[test]
fn ids_of_finished_tasks_are_not_used_again() {
    let mut scene = running();
    scene.report("l1", "t1", 2, TaskState::Finished);
    let statuses = scene.statuses("s1");
    scene.acknowledge("s1", &statuses[0]);
    scene.command("s1", "m1-0000", Command::Revive { roles: Vec::new() });
    let offer = scene.kernel.allocator.outstanding().next().expect("an offer").key;
    scene.launch("s1", "m1-0000", &[&format!("m1-O{offer}")], vec![task("t1")]);
    expect!["s1 UPDATE t1 TASK_ERROR REASON_TASK_INVALID Task has duplicate ID: t1 (said once)"]
        .assert_eq(&scene.said());
}

#[test]
fn offers_are_used_once_and_only_together_when_they_belong_together() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["no-such-offer"], vec![task("stale")]);
    scene.launch("s1", "m1-0000", &["m1-O0", "m1-O0"], vec![task("twice")]);
    scene.launch("s1", "m1-0000", &[], vec![task("none")]);
    expect![[r#"
        s1 UPDATE stale TASK_DROPPED REASON_INVALID_OFFERS Task launched with invalid offers: Offer no-such-offer is no longer valid (said once)
        s1 UPDATE twice TASK_DROPPED REASON_INVALID_OFFERS Task launched with invalid offers: Duplicate offer m1-O0 in offer list (said once)
        s1 OFFERS m1-O1
        s1 UPDATE none TASK_DROPPED REASON_INVALID_OFFERS Task launched with invalid offers: No offers specified (said once)"#]].assert_eq(&scene.said());
}

#[test]
fn somebody_elses_offer_is_left_alone() {
    let mut scene = stage();
    scene.subscribe("s2", framework_info());
    scene.launch("s2", "m1-0001", &["m1-O0"], vec![task("t1")]);
    scene.command("s2", "m1-0001", Command::Decline(Decline { offer_ids: vec![OfferId::new("m1-O0")], filters: None }));
    assert_eq!(scene.kernel.allocator.outstanding().count(), 1);
    expect![[r#"
        s2 SUBSCRIBED m1-0001
        s2 UPDATE t1 TASK_DROPPED REASON_INVALID_OFFERS Task launched with invalid offers: Offer m1-O0 is no longer valid (said once)"#]].assert_eq(&scene.said());
}

#[test]
fn what_was_declined_comes_back_when_the_refusal_ends() {
    let mut scene = stage();
    let decline = r#"{"type":"DECLINE","framework_id":{"value":"m1-0000"},"decline":{"offer_ids":[{"value":"m1-O0"}],"filters":{"refuse_seconds":1}}}"#;
    assert_eq!(scene.call("s1", decline), Reply::Accepted);
    scene.pass(900);
    assert_eq!(scene.said(), "");
    scene.pass(200);
    assert_eq!(scene.said(), "s1 OFFERS m1-O1");
}

#[test]
fn suppressed_roles_get_nothing_until_they_are_revived() {
    let mut scene = Scene::new();
    scene.subscribe("s1", framework_info());
    scene.command("s1", "m1-0000", Command::Suppress { roles: Vec::new() });
    scene.register("l1", None, &[]);
    scene.command("s1", "m1-0000", Command::Revive { roles: vec!["other".to_owned()] });
    scene.command("s1", "m1-0000", Command::Revive { roles: vec!["golden".to_owned()] });
    expect![[r#"
        s1 SUBSCRIBED m1-0000
        l1 REGISTERED m1-S0 matches: true
        s1 OFFERS m1-O0"#]]
    .assert_eq(&scene.said());
}

#[test]
fn refusals_last_a_moment_at_least_and_a_year_at_most() {
    let refuse_ms = |refuse_seconds| super::super::decline::refuse_ms(Some(&Filters { refuse_seconds }));
    assert_eq!(super::super::decline::refuse_ms(None), 5_000);
    assert_eq!([-1.0, f64::NAN].map(refuse_ms), [5_000, 5_000]);
    assert_eq!([0.0, 0.2, f64::INFINITY].map(refuse_ms), [100, 200, 365 * 86_400_000]);
}

#[test]
fn a_scheduler_that_refuses_for_no_time_does_not_get_offers_at_the_speed_of_the_network() {
    let mut scene = stage();
    let decline = r#"{"type":"DECLINE","framework_id":{"value":"m1-0000"},"decline":{"offer_ids":[{"value":"m1-O0"}],"filters":{"refuse_seconds":0}}}"#;
    scene.call("s1", decline);
    scene.pass(50);
    assert_eq!(scene.said(), "");
    scene.pass(150);
    assert_eq!(scene.said(), "s1 OFFERS m1-O1");
}

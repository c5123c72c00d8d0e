//! Executors, task groups, and messages between frameworks and executors.

use attica_core_api::link::{Call, ExecutorExited, ExecutorReport, Message, Register};
use attica_core_api::v1::ExecutorId;
use expect_test::expect;

use super::*;

const CUSTOM: &str = r#""executor":{"type":"CUSTOM","executor_id":{"value":"e1"},"command":{"value":"run"},
    "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}"#;

fn one(id: &str, more: &str) -> String {
    format!(
        r#"{{"name":"n","task_id":{{"value":"{id}"}},"agent_id":{{"value":"m1-S0"}},
            "resources":[{{"name":"cpus","type":"SCALAR","scalar":{{"value":2}}}}]{more}}}"#
    )
}

fn launch(tasks: &[String]) -> String {
    format!(r#"{{"type":"LAUNCH","launch":{{"task_infos":[{}]}}}}"#, tasks.join(","))
}

fn group(tasks: &[String]) -> String {
    let executor = r#"{"type":"DEFAULT","executor_id":{"value":"pod"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}}]}"#;
    format!(
        r#"{{"type":"LAUNCH_GROUP","launch_group":{{"executor":{executor},"task_group":{{"tasks":[{}]}}}}}}"#,
        tasks.join(",")
    )
}

fn exited(id: &str, status: Option<i32>) -> Call {
    let exited = ExecutorExited { framework_id: FrameworkId::new("m1-0000"), executor_id: ExecutorId::new(id), status };
    Call::executor_exited(AgentId::new("m1-S0"), 1, exited)
}

fn used(scene: &Scene) -> String {
    let key = *scene.kernel.agent_keys.keys().next().expect("an agent");
    scene.kernel.allocator.used(key).to_string()
}

/// An agent comes back after a change of leader, with its task `t1` running and these executors.
fn come_back(scene: &mut Scene, executors: &[&str], tasks: &[(&str, TaskState)]) {
    let mut digest = link::TaskDigest::default();
    for (task, state) in tasks {
        digest.add(&FrameworkId::new("m1-0000"), &TaskId::new(*task), *state);
    }
    let report =
        |id: &&str| ExecutorReport { framework_id: FrameworkId::new("m1-0000"), executor_id: ExecutorId::new(*id) };
    let register = Register {
        agent_info: agent_info(Some("m1-S0")),
        task_digest: digest.to_bytes(),
        executors: executors.iter().map(report).collect(),
        ..Register::default()
    };
    scene.agent_call("l2", Call::register(register));
}

#[test]
fn an_executor_is_paid_for_once_and_until_it_has_ended() {
    let mut scene = stage();
    let custom = format!(",{CUSTOM}");
    scene.accept(&launch(&[one("t1", &custom), one("t2", &custom)]));
    assert_eq!(used(&scene), "cpus:5");
    scene.report("l1", "t1", 1, TaskState::Running);
    scene.report("l1", "t1", 2, TaskState::Finished);
    scene.report("l1", "t2", 1, TaskState::Finished);
    assert_eq!(used(&scene), "cpus:1");
    scene.agent_call("l1", exited("e1", Some(256))).agent_call("l1", exited("e1", Some(256)));
    assert_eq!(used(&scene), "");
    scene.acknowledge("s1", &TaskStatus { agent_id: Some("m1-S0".into()), ..reported("t1", 1, TaskState::Running) });
    expect![[r#"
        l1 RUN t1 t2
        s1 UPDATE t1 TASK_RUNNING (to be acknowledged)
        l1 ACKNOWLEDGE t1 01
        l1 ACKNOWLEDGE t1 02
        s1 OFFERS m1-O1
        s1 UPDATE t2 TASK_FINISHED (to be acknowledged)
        l1 ACKNOWLEDGE t2 01
        s1 UPDATE t1 TASK_FINISHED (to be acknowledged)
        s1 FAILURE m1-S0 e1 (status 256)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn offers_name_the_executors_that_are_there() {
    let mut scene = stage();
    scene.accept(&launch(&[one("t1", &format!(",{CUSTOM}"))]));
    let revive = r#"{"type":"REVIVE","framework_id":{"value":"m1-0000"}}"#;
    scene.said();
    scene.call("s1", revive);
    let offers = scene.said.iter().filter_map(|send| match send {
        Send::Scheduler { event, .. } => event.offers.as_ref(),
        Send::CloseScheduler { .. } | Send::Agent { .. } | Send::CloseAgent { .. } => None,
    });
    let ids: Vec<_> = offers.flat_map(|offers| &offers.offers).flat_map(|offer| offer.executor_ids.clone()).collect();
    assert_eq!(ids, [ExecutorId::new("e1")]);
}

#[test]
fn each_broken_rule_of_executors_is_a_task_error() {
    let executor = |text: &str| format!(r#","executor":{{{text}}}"#);
    let mut scene = stage();
    scene.accept(&launch(&[
        one("good", &format!(",{CUSTOM}")),
        one("same", &format!(",{CUSTOM}")),
        one("other", &format!(",{}", CUSTOM.replace("run", "walk"))),
        one("both", &format!(r#",{CUSTOM},"command":{{"value":"x"}}"#)),
        one("id", &executor(r#""executor_id":{"value":"a/b"},"command":{"value":"x"}"#)),
        one("owner", &executor(r#""executor_id":{"value":"a"},"framework_id":{"value":"f"},"command":{"value":"x"}"#)),
        one("none", &executor(r#""executor_id":{"value":"a"},"type":"CUSTOM""#)),
        one("default", &executor(r#""executor_id":{"value":"a"},"type":"DEFAULT""#)),
        one("big", &executor(r#""executor_id":{"value":"a"},"command":{"value":"x"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1000}}]"#)),
        one("grace", &executor(r#""executor_id":{"value":"a"},"command":{"value":"x"},"shutdown_grace_period":{"nanoseconds":-1}"#)),
    ]));
    expect![[r#"
        s1 UPDATE other TASK_ERROR REASON_TASK_INVALID ExecutorInfo of 'e1' is not compatible with existing ExecutorInfo with same ExecutorID (said once)
        s1 UPDATE both TASK_ERROR REASON_TASK_INVALID Task should have at least one (but not both) of CommandInfo or ExecutorInfo present (said once)
        s1 UPDATE id TASK_ERROR REASON_TASK_INVALID Executor uses invalid ID: ID contains a control character, '/' or '\' (said once)
        s1 UPDATE owner TASK_ERROR REASON_TASK_INVALID ExecutorInfo has an invalid FrameworkID (Actual: f vs Expected: m1-0000) (said once)
        s1 UPDATE none TASK_ERROR REASON_TASK_INVALID 'ExecutorInfo.command' must be set for 'CUSTOM' executor (said once)
        s1 UPDATE default TASK_ERROR REASON_TASK_INVALID The default executor runs task groups only; use LAUNCH_GROUP (said once)
        s1 UPDATE big TASK_ERROR REASON_TASK_INVALID Total resources cpus(allocated: golden):1002 required by task and its executor is more than available cpus(allocated: golden):995; mem(allocated: golden):100000; disk(allocated: golden):100000; ports(allocated: golden):[31000-32000] (said once)
        s1 UPDATE grace TASK_ERROR REASON_TASK_INVALID ExecutorInfo's 'shutdown_grace_period' must be non-negative (said once)
        l1 RUN good same"#]]
    .assert_eq(&scene.said());
}

const COMMAND: &str = r#","command":{"value":"x"}"#;

#[test]
fn a_group_is_launched_as_a_whole_or_not_at_all() {
    let mut scene = stage();
    let grouped = |more: &str| group(&[one("a", COMMAND), one("b", more)]);
    let twice = group(&[one("a", COMMAND), one("a", COMMAND)]);
    let wrong = [
        group(&[]),
        twice,
        grouped(r#","command":{"value":"x"},"container":{"type":"DOCKER","docker":{"image":"x"}}"#),
        grouped(r#","command":{"value":"x"},"container":{"type":"MESOS","network_infos":[{}]}"#),
        grouped(r#","command":{"value":"x"},"limits":{"cpus":{"value":3}}"#),
        grouped(&format!(",{CUSTOM}")),
        grouped(COMMAND).replace("DEFAULT", "UNKNOWN"),
    ];
    scene.accept(&[wrong.join(","), grouped(COMMAND)].join(","));
    assert_eq!(used(&scene), "cpus:4.5");
    let said = scene.said();
    assert_eq!(said.matches("TASK_ERROR REASON_TASK_GROUP_INVALID").count(), 2 * (wrong.len() - 1));
    expect![[r#"
        Task 'a' in group is invalid: Task has duplicate ID: a
        Task 'a' in group is invalid: Task has duplicate ID: a
        Task 'b' in group is invalid: Docker ContainerInfo is not supported on the task
        Task 'b' in group is invalid: NetworkInfos must not be set on the task
        Task 'b' in group is invalid: 'limits' need 'container.linux_info.share_cgroups' to be false
        Task 'b' in group is invalid: 'TaskInfo.executor' must not be set
        'ExecutorInfo.type' must be set"#]]
    .assert_eq(
        &said
            .lines()
            .filter_map(|line| line.strip_prefix("s1 UPDATE a TASK_ERROR REASON_TASK_GROUP_INVALID "))
            .filter_map(|line| line.strip_suffix(" (said once)"))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    assert!(said.ends_with("l1 RUN pod[a b]"), "{said}");
}

#[test]
fn a_group_that_its_agent_never_got_stays_one() {
    let mut scene = stage();
    scene.accept(&group(&[one("a", COMMAND), one("b", COMMAND)]));
    scene.fail_over();
    come_back(&mut scene, &[], &[]);
    scene.list("l2", &[]);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: false
        l2 LIST_TASKS
        l2 RUN pod[a b]"#]]
    .assert_eq(&scene.said());
    assert_eq!(used(&scene), "cpus:4.5");
}

#[test]
fn how_tasks_ended_is_heard_before_the_end_of_their_executor() {
    let mut scene = stage();
    scene.accept(&group(&[one("a", COMMAND), one("b", COMMAND)]));
    for task in ["a", "b"] {
        scene.report("l1", task, 1, TaskState::Running);
    }
    scene.report("l1", "a", 2, TaskState::Failed).report("l1", "b", 2, TaskState::Killed);
    scene.agent_call("l1", exited("pod", Some(0)));
    assert!(!scene.said().contains("FAILURE"));
    for task in ["a", "b"] {
        let running = reported(task, 1, TaskState::Running);
        scene.acknowledge("s1", &TaskStatus { agent_id: Some("m1-S0".into()), ..running });
    }
    expect![[r#"
        s1 UPDATE a TASK_FAILED (to be acknowledged)
        s1 UPDATE b TASK_KILLED (to be acknowledged)
        s1 FAILURE m1-S0 pod (status 0)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn whoever_is_away_does_not_hear_that_an_executor_has_ended() {
    let mut scene = stage();
    scene.accept(&group(&[one("a", COMMAND)]));
    scene.report("l1", "a", 1, TaskState::Running).report("l1", "a", 2, TaskState::Failed);
    scene.agent_call("l1", exited("pod", Some(0)));
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") });
    scene.subscribe("s2", FrameworkInfo { id: Some(FrameworkId::new("m1-0000")), ..framework_info() });
    let running = reported("a", 1, TaskState::Running);
    scene.acknowledge("s2", &TaskStatus { agent_id: Some("m1-S0".into()), ..running });
    let said = scene.said();
    assert!(said.contains("s2 UPDATE a TASK_FAILED") && !said.contains("FAILURE"), "{said}");
}

#[test]
fn a_kill_of_one_of_a_group_that_is_not_started_kills_all_of_it() {
    let mut scene = stage();
    scene.accept(&group(&[one("a", COMMAND), one("b", COMMAND), one("c", COMMAND)]));
    scene.report("l1", "c", 1, TaskState::Starting);
    scene.said();
    scene.call("s1", r#"{"type":"KILL","framework_id":{"value":"m1-0000"},"kill":{"task_id":{"value":"a"}}}"#);
    expect![[r#"
        l1 KILL a
        l1 KILL b"#]]
    .assert_eq(&scene.said());
}

#[test]
fn data_passes_in_both_directions_while_both_are_here() {
    let message = r#"{"type":"MESSAGE","framework_id":{"value":"m1-0000"},"message":{"agent_id":{"value":"m1-S0"},"executor_id":{"value":"e1"},"data":"cGluZw=="}}"#;
    let mut scene = stage();
    assert_eq!(scene.call("s1", message), Reply::Accepted);
    let reply = |framework: &str| Message {
        framework_id: FrameworkId::new(framework),
        executor_id: ExecutorId::new("e1"),
        data: "pong".into(),
    };
    for framework in ["m1-0000", "unknown"] {
        scene.agent_call("l1", Call::message(AgentId::new("m1-S0"), 1, reply(framework)));
    }
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") });
    scene.said();
    scene.call("s1", message);
    assert_eq!(scene.said(), "");
}

#[test]
fn executors_are_shut_down_when_asked_for_and_with_their_framework() {
    let shutdown = |id: &str| {
        format!(
            r#"{{"type":"SHUTDOWN","framework_id":{{"value":"m1-0000"}},"shutdown":{{"executor_id":{{"value":"{id}"}},"agent_id":{{"value":"m1-S0"}}}}}}"#
        )
    };
    let mut scene = stage();
    scene.accept(&launch(&[one("t1", &format!(",{CUSTOM}"))]));
    scene.said();
    for id in ["e1", "other"] {
        assert_eq!(scene.call("s1", &shutdown(id)), Reply::Accepted);
    }
    scene.call("s1", r#"{"type":"TEARDOWN","framework_id":{"value":"m1-0000"}}"#);
    scene.report("l1", "t1", 1, TaskState::Killed);
    assert_eq!(scene.kernel.removed.len(), 0, "its executor lives");
    scene.agent_call("l1", exited("e1", None));
    assert_eq!(scene.kernel.removed.len(), 1);
    expect![[r#"
        l1 SHUTDOWN_EXECUTOR e1
        s1 (closed)
        l1 SHUTDOWN_EXECUTOR e1
        l1 KILL t1
        l1 ACKNOWLEDGE t1 01"#]]
    .assert_eq(&scene.said());
}

#[test]
fn the_next_leader_learns_which_executors_live() {
    let mut scene = stage();
    let other = CUSTOM.replace("e1", "e2");
    scene.accept(&launch(&[one("t1", &format!(",{CUSTOM}")), one("t2", &format!(",{other}"))]));
    scene.report("l1", "t1", 1, TaskState::Running);
    scene.report("l1", "t2", 1, TaskState::Finished);
    scene.fail_over();
    // e2 has ended, which nobody heard; e1's task shows that it lives; nobody knows e9.
    come_back(&mut scene, &["e9"], &[("t1", TaskState::Running)]);
    assert_eq!(used(&scene), "cpus:3");
    expect![[r#"
        l2 REGISTERED m1-S0 matches: true
        l2 SHUTDOWN_EXECUTOR e9"#]]
    .assert_eq(&scene.said());
}

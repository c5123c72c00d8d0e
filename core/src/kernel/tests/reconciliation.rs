//! RECONCILE, and KILL of what is not there.

use expect_test::expect;

use super::*;

fn reconcile(task: &str, agent: &str) -> String {
    let agent = if agent.is_empty() { String::new() } else { format!(r#","agent_id":{{"value":"{agent}"}}"#) };
    format!(
        r#"{{"type":"RECONCILE","framework_id":{{"value":"m1-0000"}},"reconcile":{{"tasks":[{{"task_id":{{"value":"{task}"}}{agent}}}]}}}}"#
    )
}

#[test]
fn every_answer_there_is() {
    let mut scene = running();
    scene.call("s1", r#"{"type":"RECONCILE","framework_id":{"value":"m1-0000"},"reconcile":{"tasks":[]}}"#);
    for (task, agent) in [("t1", "m1-S0"), ("t1", ""), ("none", "m1-S0"), ("none", "m1-S9"), ("none", "")] {
        scene.call("s1", &reconcile(task, agent));
    }
    scene.call("s1", r#"{"type":"KILL","framework_id":{"value":"m1-0000"},"kill":{"task_id":{"value":"none"},"agent_id":{"value":"m1-S0"}}}"#);
    scene.pass(10_000);
    scene.said();
    for (task, agent) in [("t1", "m1-S0"), ("none", "m1-S0")] {
        scene.call("s1", &reconcile(task, agent));
    }
    expect![[r#"
        s1 UPDATE t1 TASK_UNREACHABLE REASON_RECONCILIATION Reconciliation: Latest task state (said once)
        s1 UPDATE none TASK_UNREACHABLE REASON_RECONCILIATION Reconciliation: Task is unreachable (said once)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn nothing_is_said_of_unknown_tasks_before_the_agents_are_back() {
    let mut scene = running();
    scene.fail_over();
    scene.subscribe("s2", with_id("m1-0000"));
    scene.said();
    for (task, agent) in [("t1", "m1-S0"), ("none", "m1-S0"), ("none", ""), ("none", "m1-S9")] {
        scene.call("s2", &reconcile(task, agent));
    }
    expect![[r#"
        s2 UPDATE t1 TASK_RUNNING REASON_RECONCILIATION Reconciliation: Latest task state (said once)
        s2 UPDATE none TASK_UNKNOWN REASON_RECONCILIATION Reconciliation: Task is unknown (said once)"#]]
    .assert_eq(&scene.said());
}

//! Whether agents take part: deactivated, drained, gone, on a machine that is down.

use attica_core_api::operator::{Schedule, Window};
use attica_core_api::v1::{
    AgentId, DrainConfig, DurationInfo, FrameworkId, MachineId, TaskState, TaskStatusReason, TimeInfo, Unavailability,
};
use expect_test::expect;

use super::{Scene, running, stage, task};
use crate::kernel::{Input, Order, Refusal, Reply, ReplyTo, Send};
use crate::snapshot::Service;

fn order(scene: &mut Scene, order: Order) -> Reply {
    scene.apply(Input::Order { order: Box::new(order), reply: ReplyTo(1) }).settle();
    scene.reply()
}

fn agent() -> AgentId {
    AgentId::new("m1-S0")
}

fn drain(scene: &mut Scene, mark_gone: bool) -> Reply {
    let config = DrainConfig { max_grace_period: Some(DurationInfo::from_milliseconds(5_000)), mark_gone };
    order(scene, Order::DrainAgent { agent: agent(), config })
}

fn invalid(text: &str) -> Reply {
    Reply::Refused(Refusal::Invalid(text.to_owned()))
}

fn service(scene: &Scene) -> Service {
    scene.snapshot.agents[&agent()].service.clone()
}

/// The task ends as its agent reports it, and the scheduler acknowledges that.
fn finish(scene: &mut Scene, sequence: u64, state: TaskState) -> attica_core_api::v1::TaskStatus {
    scene.report("l1", "t1", sequence, state);
    let status = scene.statuses("s1").pop().expect("a status");
    scene.acknowledge("s1", &status);
    status
}

#[test]
fn a_deactivated_agent_is_not_offered_until_it_is_reactivated() {
    let mut scene = stage();
    assert_eq!(order(&mut scene, Order::DeactivateAgent { agent: agent() }), Reply::Accepted);
    expect!["s1 RESCIND m1-O0"].assert_eq(&scene.said());
    // Nothing changes that: not a new link, not another order.
    scene.register("l2", Some("m1-S0"), &[]);
    assert_eq!(order(&mut scene, Order::DeactivateAgent { agent: agent() }), Reply::Accepted);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: true
        l1 (closed: the agent has registered again on another stream)"#]]
    .assert_eq(&scene.said().lines().rev().collect::<Vec<_>>().join("\n"));
    assert_eq!(order(&mut scene, Order::ReactivateAgent { agent: agent() }), Reply::Accepted);
    expect!["s1 OFFERS m1-O1"].assert_eq(&scene.said());
    assert_eq!(order(&mut scene, Order::ReactivateAgent { agent: agent() }), invalid("Agent is not deactivated"));
}

#[test]
fn a_drain_kills_what_runs_and_says_so() {
    let mut scene = running();
    assert_eq!(drain(&mut scene, false), Reply::Accepted);
    let killed = scene.said.iter().any(|send| match send {
        Send::Agent { event, .. } => event.kill.as_ref().is_some_and(|kill| {
            kill.max_grace_period == Some(DurationInfo::from_milliseconds(5_000)) && kill.kill_policy.is_none()
        }),
        Send::Scheduler { .. } | Send::CloseScheduler { .. } | Send::CloseAgent { .. } => false,
    });
    assert!(killed, "{}", scene.said());
    assert_eq!(
        order(&mut scene, Order::ReactivateAgent { agent: agent() }),
        invalid("Agent is still in the DRAINING state")
    );
    let status = finish(&mut scene, 2, TaskState::Killed);
    assert_eq!((status.state, status.reason), (TaskState::Killed, Some(TaskStatusReason::AgentDraining)));
    assert!(matches!(service(&scene), Service::Drained { .. }), "{:?}", service(&scene));
    assert_eq!(order(&mut scene, Order::ReactivateAgent { agent: agent() }), Reply::Accepted);
    assert!(scene.said().contains("OFFERS"));
}

#[test]
fn a_drain_goes_on_under_the_next_leader() {
    let mut scene = running();
    drain(&mut scene, false);
    scene.fail_over();
    scene.subscribe("s1", super::with_id("m1-0000"));
    scene.said();
    scene.register("l1", Some("m1-S0"), &[("t1", TaskState::Running)]);
    assert_eq!(scene.said(), "l1 REGISTERED m1-S0 matches: true\nl1 KILL t1");
    finish(&mut scene, 2, TaskState::Killed);
    assert!(matches!(service(&scene), Service::Drained { .. }), "{:?}", service(&scene));
}

#[test]
fn a_drain_waits_for_an_agent_that_is_away() {
    let mut scene = running();
    scene.pass(60_000);
    scene.said();
    drain(&mut scene, false);
    assert!(matches!(service(&scene), Service::Draining { .. }));
    scene.register("l2", Some("m1-S0"), &[("t1", TaskState::Running)]);
    scene.list("l2", &[("t1", TaskState::Running)]);
    assert!(scene.said().contains("l2 KILL t1"));
}

#[test]
fn a_drained_agent_can_be_gone_at_once() {
    let mut scene = running();
    drain(&mut scene, true);
    let status = finish(&mut scene, 2, TaskState::Killed);
    assert_eq!((status.state, status.reason), (TaskState::GoneByOperator, Some(TaskStatusReason::AgentDraining)));
    assert!(matches!(service(&scene), Service::Gone { .. }));
    scene.said();
    scene.register("l2", Some("m1-S0"), &[]);
    expect![[r#"
        l2 SHUTDOWN
        l2 (closed: the agent is not wanted: Agent has been marked gone)"#]]
    .assert_eq(&scene.said());
    assert_eq!(drain(&mut scene, false), invalid("Unknown agent"));
}

#[test]
fn a_gone_agents_tasks_end_and_it_is_told() {
    let mut scene = running();
    assert_eq!(order(&mut scene, Order::MarkAgentGone { agent: agent() }), Reply::Accepted);
    expect![[r#"
        l1 SHUTDOWN
        s1 UPDATE t1 TASK_GONE_BY_OPERATOR REASON_AGENT_REMOVED_BY_OPERATOR Agent has been marked gone (to be acknowledged)
        l1 (closed: the agent is not wanted: Agent has been marked gone)
        s1 FAILURE m1-S0"#]]
    .assert_eq(&scene.said());
    assert_eq!(order(&mut scene, Order::MarkAgentGone { agent: agent() }), Reply::Accepted);
    assert_eq!(scene.said(), "");
    let nobody = Order::MarkAgentGone { agent: AgentId::new("nope") };
    assert_eq!(order(&mut scene, nobody), Reply::Refused(Refusal::Missing("Agent 'nope' not found".to_owned())));
    let reconcile = r#"{"type":"RECONCILE","framework_id":{"value":"m1-0000"},
        "reconcile":{"tasks":[{"task_id":{"value":"t9"},"agent_id":{"value":"m1-S0"}}]}}"#;
    scene.call("s1", reconcile);
    assert_eq!(scene.statuses("s1")[0].state, TaskState::GoneByOperator);
    // The next leader does not let it in either.
    scene.fail_over();
    scene.register("l3", Some("m1-S0"), &[("t1", TaskState::Running)]);
    assert!(scene.said().starts_with("l3 SHUTDOWN"));
}

fn machine(hostname: &str) -> MachineId {
    MachineId { hostname: Some(hostname.to_owned()), ip: None }
}

fn schedule(hostnames: &[&str]) -> Order {
    let windows = hostnames.iter().map(|hostname| Window {
        machine_ids: vec![machine(hostname)],
        unavailability: Unavailability { start: TimeInfo { nanoseconds: 7 }, duration: None },
    });
    Order::UpdateMaintenanceSchedule { schedule: Schedule { windows: windows.collect() } }
}

#[test]
fn offers_say_when_their_machine_is_unavailable() {
    let mut scene = stage();
    assert_eq!(order(&mut scene, schedule(&["127.0.0.1"])), Reply::Accepted);
    let offers = scene.said.iter().find_map(|send| match send {
        Send::Scheduler { event, .. } => event.offers.clone(),
        Send::CloseScheduler { .. } | Send::Agent { .. } | Send::CloseAgent { .. } => None,
    });
    let offer = &offers.expect("a new offer").offers[0];
    assert_eq!(offer.unavailability.as_ref().map(|unavailable| unavailable.start.nanoseconds), Some(7));
    expect!["s1 RESCIND m1-O0\ns1 OFFERS m1-O1"].assert_eq(&scene.said());
    // The same again changes nothing.
    order(&mut scene, schedule(&["127.0.0.1"]));
    assert_eq!(scene.said(), "");
}

#[test]
fn no_agent_of_a_machine_that_is_down_is_let_in() {
    let mut scene = running();
    let down = Order::StartMaintenance { machines: vec![machine("127.0.0.1")] };
    assert_eq!(
        order(&mut scene, down.clone()),
        invalid(r#"Machine '{"hostname":"127.0.0.1"}' is not part of a maintenance schedule"#)
    );
    order(&mut scene, schedule(&["127.0.0.1", "h2"]));
    scene.said();
    assert_eq!(order(&mut scene, down.clone()), Reply::Accepted);
    expect![[r#"
        l1 SHUTDOWN
        s1 UPDATE t1 TASK_LOST REASON_AGENT_REMOVED The agent's machine is down for maintenance (to be acknowledged)
        l1 (closed: the agent is not wanted: The agent's machine is down for maintenance)
        s1 RESCIND_INVERSE_OFFER m1-I0
        s1 FAILURE m1-S0"#]]
    .assert_eq(&scene.said());
    assert_eq!(
        order(&mut scene, down),
        invalid(r#"Machine '{"hostname":"127.0.0.1"}' is not in DRAINING mode and cannot be brought down"#)
    );
    assert_eq!(
        order(&mut scene, schedule(&["h2"])),
        invalid(r#"Machine '{"hostname":"127.0.0.1"}' is deactivated and cannot be removed from the schedule"#)
    );
    scene.fail_over();
    scene.register("l2", Some("m1-S0"), &[]);
    assert!(scene.said().starts_with("l2 SHUTDOWN"));
    let up = |hostname| Order::StopMaintenance { machines: vec![machine(hostname)] };
    assert_eq!(
        order(&mut scene, up("h2")),
        invalid(r#"Machine '{"hostname":"h2"}' is not in DOWN mode and cannot be brought up"#)
    );
    assert_eq!(order(&mut scene, up("127.0.0.1")), Reply::Accepted);
    assert_eq!(scene.snapshot.maintenance.schedule.windows.len(), 1, "only h2 is still planned");
    scene.register("l3", Some("m1-S0"), &[]);
    assert!(scene.said().starts_with("l3 REGISTERED"));
}

#[test]
fn schedules_that_make_no_sense_are_refused() {
    let mut scene = stage();
    for (hostnames, text) in [
        (vec!["h", "H"], r#"Machine '{"hostname":"H"}' appears more than once in the schedule"#),
        (vec![""], "Both 'hostname' and 'ip' for a machine are empty"),
    ] {
        assert_eq!(order(&mut scene, schedule(&hostnames)), invalid(text));
    }
    let empty = Schedule { windows: vec![Window::default()] };
    let empty = order(&mut scene, Order::UpdateMaintenanceSchedule { schedule: empty });
    assert_eq!(empty, invalid("List of machines in the maintenance window is empty"));
    let none = order(&mut scene, Order::StartMaintenance { machines: Vec::new() });
    assert_eq!(none, invalid("List of machines is empty"));
}

#[test]
fn an_operator_can_tear_a_framework_down() {
    let mut scene = running();
    let teardown = |id: &str| Order::Teardown { framework: FrameworkId::new(id) };
    assert_eq!(order(&mut scene, teardown("nope")), invalid("No framework found with specified ID"));
    assert_eq!(order(&mut scene, teardown("m1-0000")), Reply::Accepted);
    expect![[r#"
        s1 (closed)
        l1 KILL t1"#]]
    .assert_eq(&scene.said());
    assert_eq!(order(&mut scene, teardown("m1-0000")), invalid("No framework found with specified ID"));
}

#[test]
fn a_launch_that_was_not_delivered_is_not_delivered_to_a_draining_agent() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.apply(Input::LinkClosed { link: crate::kernel::LinkId::new("l1") }).settle();
    drain(&mut scene, false);
    scene.said();
    scene.register("l2", Some("m1-S0"), &[]);
    scene.list("l2", &[]);
    assert!(scene.said().contains("TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH"));
}

use attica_core_api::v1::{
    CheckStatusCommand, CheckStatusInfo, CheckType, HealthResult, HttpAnswer, TaskId, TaskState,
};

use super::super::{View, Write};
use super::world::{World, id, update};
use crate::model::{
    Answer, Check, CheckKind, CheckedPort, CommandLine, Endpoint, HealthCheck, IpFamily, Question, ReadinessCheck,
    RunSpecUpdate, Scheme,
};

fn checked(instances: u32, max_consecutive_failures: u32) -> RunSpecUpdate {
    let check = HealthCheck {
        kind: CheckKind::Service,
        endpoint: Endpoint::Tcp,
        port: CheckedPort::Index(0),
        grace_period_ms: 10_000,
        interval_ms: 2_000,
        timeout_ms: 1_000,
        max_consecutive_failures,
        delay_ms: 0,
        family: IpFamily::V4,
    };
    RunSpecUpdate { health_checks: Some(vec![check]), ..update(instances) }
}

#[test]
fn a_deployment_waits_for_health() {
    let mut world = World::new(2);
    let deployment = world.put("/web", checked(2, 3));
    assert!(world.is_running(deployment));
    world.event_types();
    world.probe_all(true, 0);
    assert!(!world.is_running(deployment));
    let pair = ["health_status_changed_event", "instance_health_changed_event"];
    let expected = [&pair[..], &pair[..], &["deployment_step_success", "deployment_success"][..]].concat();
    assert_eq!(world.event_types(), expected);
    let facts = world.facts.len();
    world.probe_all(true, 0);
    assert_eq!(world.facts.len(), facts, "a success after a success is no news");
}

#[test]
fn failures_in_the_grace_period_do_not_count() {
    let mut world = World::new(1);
    world.put("/web", checked(1, 3));
    for failures in 1..=4 {
        world.pass(1_000);
        world.probe_all(false, failures);
    }
    assert!(!world.event_types().contains(&"failed_health_check_event"));
    world.pass(10_000);
    world.probe_all(false, 5);
    world.probe_all(false, 5);
    assert_eq!(world.instances("/web")[0].task.as_ref().unwrap().health[0].consecutive_failures, 1);
}

#[test]
fn a_task_that_fails_too_often_is_killed_then_replaced() {
    let mut world = World::new(1);
    world.put("/web", checked(1, 2));
    world.probe_all(true, 0);
    let task = TaskId::from(world.task_ids("/web")[0].as_str());
    world.probe(&task, false, 1);
    world.run();
    world.event_types();
    world.probe(&task, false, 2);
    world.run();
    world.pass(100);
    let types = world.event_types();
    let position = |event_type| types.iter().position(|other| *other == event_type).unwrap();
    assert!(position("failed_health_check_event") < position("unhealthy_instance_kill_event"));
    assert!(position("unhealthy_instance_kill_event") < position("status_update_event"));
    assert_ne!(world.task_ids("/web"), [task.to_string()]);
}

#[test]
fn zero_failures_allowed_means_never_killed() {
    let mut world = World::new(1);
    world.put("/web", checked(1, 0));
    world.probe_all(true, 0);
    let task = world.task_ids("/web");
    for failures in 1..20 {
        world.probe_all(false, failures);
    }
    assert_eq!(world.task_ids("/web"), task);
    assert_eq!(world.instances("/web")[0].healthy(), Some(false));
}

#[test]
fn checks_are_announced_and_frames_are_json() {
    let mut world = World::new(1);
    world.put("/web", checked(1, 0));
    world.probe_all(true, 0);
    world.put("/web", RunSpecUpdate { health_checks: Some(Vec::new()), ..RunSpecUpdate::default() });
    world.put("/gone", checked(1, 0));
    world.write(Write::Delete { id: id("/gone"), force: true }).unwrap();
    for frame in &world.frames {
        let data: serde_json::Value = serde_json::from_str(&frame.data).unwrap();
        assert_eq!(data["eventType"], frame.event_type);
    }
    let types = world.event_types();
    let count = |event_type: &str| types.iter().filter(|seen| **seen == event_type).count();
    assert_eq!((count("add_health_check_event"), count("remove_health_check_event")), (2, 2), "changed, and deleted");
}

#[test]
fn what_a_check_finds_is_kept_and_has_no_consequence() {
    let mut world = World::new(1);
    let question = Question::Command(CommandLine::Shell("true".into()));
    let check = Check { question, interval_ms: 1_000, timeout_ms: 1_000, delay_ms: 0 };
    let deployment = world.put("/web", RunSpecUpdate { check: Some(check), ..update(1) });
    assert!(!world.is_running(deployment), "it is not waited for");
    let task = TaskId::from(world.task_ids("/web").remove(0));
    let mut found = |exit_code: Option<i32>| {
        world.report(&task, TaskState::Running, |status| {
            let command = Some(CheckStatusCommand { exit_code });
            let r#type = Some(CheckType::Command);
            status.check_status = Some(CheckStatusInfo { r#type, command, ..CheckStatusInfo::default() });
        });
        let facts = world.facts.len();
        world.run();
        let answer = world.instances("/web")[0].task.as_ref().unwrap().answer;
        (answer, world.facts.len() - facts)
    };
    assert_eq!(found(None), (None, 0), "nothing yet");
    assert_eq!(found(Some(1)), (Some(Answer::Command(1)), 1));
    assert_eq!(found(Some(1)), (Some(Answer::Command(1)), 0), "no news");
    assert_eq!(found(None), (Some(Answer::Command(1)), 0), "what was found last");
    assert_eq!(found(Some(0)), (Some(Answer::Command(0)), 1));
    assert_eq!(world.ready("/web"), 1);
}

#[test]
fn a_deployment_waits_until_its_instances_are_ready() {
    let check = ReadinessCheck {
        name: "warm".into(),
        scheme: Scheme::Http,
        path: "/warm".into(),
        port_name: "default".into(),
        interval_ms: 2_000,
        timeout_ms: 1_000,
        statuses: vec![200, 204],
        keeps_response: true,
    };
    let mut world = World::new(1);
    let asked = RunSpecUpdate { readiness_check: Some(Some(check)), ..checked(1, 3) };
    let deployment = world.put("/web", asked.clone());
    let task = TaskId::from(world.task_ids("/web")[0].as_str());
    let told = &world.tasks[&task].info.health_checks;
    assert_eq!((told.len(), told[1].http.as_ref().unwrap().statuses.as_slice()), (2, &[200, 204][..]));
    world.probe_all(true, 0);
    assert!(world.is_running(deployment), "it is healthy, but not ready");
    let results = |world: &World| {
        let state = world.engine.snapshot();
        let shown =
            crate::normalise::deployment(&state.deployments[&deployment], state, &crate::normalise::Responses::new());
        shown.current_actions[0].readiness_check_results.iter().map(|result| result.ready).collect::<Vec<_>>()
    };
    assert_eq!(results(&world), [false]);
    let answer = |status| {
        let (content_type, body) = ("text/plain".to_owned(), format!("{status}!"));
        Some(HttpAnswer { status, content_type, body })
    };
    let report = |world: &mut World, healthy: bool, response: Option<HttpAnswer>| {
        let timestamp = world.now.wall.seconds();
        world.report(&task.clone(), TaskState::Running, |status| {
            status.health_results.push(HealthResult {
                index: 1,
                healthy,
                consecutive_failures: 1,
                message: Some("no answer".to_owned()),
                timestamp,
                response,
            });
        });
        world.run();
    };
    report(&mut world, false, None);
    report(&mut world, false, answer(503));
    assert!(world.is_running(deployment));
    report(&mut world, true, answer(204));
    assert!(!world.is_running(deployment));
    // What becomes unready later is of no effect: only health is.
    report(&mut world, false, answer(500));
    assert_eq!(world.ready("/web"), 1);
    let responses = world.views.iter().filter_map(|view| match view {
        View::Responded { task: (_, of), response } => Some((of == &task, response.status, response.body.as_str())),
        View::Queued(_) | View::Unqueued(_) | View::Connected(_) => None,
    });
    let shown = [(true, 504, "no answer"), (true, 503, "503!"), (true, 204, "204!")];
    assert_eq!(responses.collect::<Vec<_>>(), shown, "not after it was ready");
    world.fail_over();
    assert_eq!(world.ready("/web"), 1);
}

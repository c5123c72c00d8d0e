//! Health checks.

use super::*;

#[test]
fn health_is_told_on_each_change_and_failure_and_kills_after_enough() {
    let mut world = World::ready();
    let mut checked = task("t");
    checked.health_check = Some(http_check());
    let container = world.start(checked);
    assert_eq!(world.watched, 1);
    for update in std::mem::take(&mut world.sent) {
        world.acknowledge(&update);
    }
    world.advance(9_999);
    world.probed(&container, Err("in its grace"));
    assert!(world.sent.is_empty());
    world.advance(1);
    world.probed(&container, Err("one"));
    world.probed(&container, Ok(()));
    world.probed(&container, Ok(()));
    world.probed(&container, Err("two"));
    assert!(world.asked.is_empty());
    world.probed(&container, Err("three"));
    let told: Vec<_> =
        world.sent.iter().map(|update| (update.status.healthy, update.status.message.as_deref())).collect();
    assert_eq!(
        told,
        [(Some(false), Some("one")), (Some(true), None), (Some(false), Some("two")), (Some(false), Some("three"))]
    );
    assert_eq!(world.asked, [Request::Terminate(container.clone())]);
    world.probed(&container, Ok(()));
    world.ended(&container, Exit::Signal(15));
    let last = &world.sent.last().unwrap().status;
    assert_eq!((last.state, last.healthy), (TaskState::Killed, Some(false)));
}

#[test]
fn a_success_ends_the_grace_and_checks_of_the_framework_only_report() {
    let mut world = World::ready();
    let mut checked = task("t");
    checked.health_checks = vec![http_check()];
    let container = world.start(checked);
    world.sent.clear();
    world.probed(&container, Ok(()));
    for _ in 0..5 {
        world.probed(&container, Err("down"));
    }
    let counts: Vec<_> = world
        .sent
        .iter()
        .map(|update| &update.status.health_results[0])
        .map(|result| (result.healthy, result.consecutive_failures))
        .collect();
    assert_eq!(counts, [(true, 0), (false, 1), (false, 2), (false, 3), (false, 4), (false, 5)]);
    assert!(world.asked.is_empty());
    assert_eq!(world.sent[5].status.healthy, None);
}

#[test]
fn the_latest_health_reaches_a_master_that_was_away_for_long() {
    let mut world = World::ready();
    let info = TaskInfo { health_checks: vec![http_check()], ..task("t") };
    let container = world.start(info);
    world.apply(Input::LinkClosed);
    world.probed(&container, Ok(()));
    for _ in 0..300 {
        world.probed(&container, Err("refused"));
    }
    world.probed(&container, Ok(()));
    let mut world = World::recovered(world.disk, BOOT, world.now_ms);
    world.register();
    assert_eq!(world.sent.len(), 100);
    assert_eq!(world.states()[..3], ["TASK_STARTING", "TASK_RUNNING", "TASK_RUNNING"]);
    assert!(world.sent[99].status.health_results[0].healthy);
}

#[test]
fn an_answer_1xx_changes_nothing_where_it_is_ignored() {
    for (ignore_1xx, told) in [(Some(true), vec![true, false]), (None, vec![true, false, false, false])] {
        let http = Some(HttpCheckInfo { port: 80, ignore_1xx, ..HttpCheckInfo::default() });
        let check = HealthCheck { grace_period_seconds: 0.0, http, ..http_check() };
        let mut world = World::ready();
        let container = world.start(TaskInfo { health_checks: vec![check], ..task("t") });
        let before = world.sent.len();
        for status in [200, 199, 100, 500] {
            world.found(&container, Finding::Answered { request: String::new(), status, answer: None });
        }
        let results = world.sent[before..].iter().map(|update| update.status.health_results[0].healthy);
        assert_eq!(results.collect::<Vec<_>>(), told);
    }
}

#[test]
fn a_check_tells_what_it_found_on_each_change_and_once_after_a_restart_and_never_kills() {
    let http = Some(CheckHttp { port: 80, path: None });
    let check = CheckInfo { r#type: Some(CheckType::Http), http, ..CheckInfo::default() };
    let mut world = World::ready();
    let container = world.start(TaskInfo { check: Some(check), ..task("t") });
    let told = |world: &World| {
        let status = &world.sent.last().unwrap().status;
        (status.reason, status.check_status.clone().map(|status| status.http.unwrap().status_code))
    };
    assert_eq!(world.sent[0].status.check_status, None, "TASK_STARTING");
    assert_eq!(told(&world), (None, Some(None)), "nothing is known when it begins to run");
    let answered = |status| Finding::Answered { request: String::new(), status, answer: None };
    for (finding, updates, expected) in [
        (answered(200), 3, Some(200)),
        (answered(200), 3, Some(200)),
        (answered(503), 4, Some(503)),
        (Finding::Nothing("no answer".to_owned()), 5, None),
        (Finding::Nothing("no answer".to_owned()), 5, None),
        (answered(404), 6, Some(404)),
    ] {
        world.found(&container, finding);
        assert_eq!(world.sent.len(), updates);
        assert_eq!(told(&world), (Some(TaskStatusReason::TaskCheckStatusUpdated), Some(expected)));
    }
    let mut world = World::recovered(world.disk, BOOT, world.now_ms);
    world.register();
    world.greet(vec![report(&container, Stage::Running)]);
    assert_eq!(told(&world).1, Some(Some(404)));
    let before = world.sent.len();
    for _ in 0..2 {
        world.found(&container, answered(404));
        assert_eq!(world.sent.len(), before + 1);
    }
    assert!(world.asked.is_empty() && world.sent.iter().all(|update| update.status.healthy.is_none()));
    world.ended(&container, Exit::Code(0));
    assert_eq!(told(&world).1, Some(Some(404)), "the last status says so as well");
}

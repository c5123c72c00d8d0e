//! While the store is away nobody can come back, and nobody is blamed for that.

use super::*;

/// What deadlines lead to.
fn lost(scene: &Scene) -> usize {
    let lost = |fact: &&Fact| matches!(fact, Fact::AgentUnreachable { .. } | Fact::FrameworkRemoved { .. });
    scene.facts.iter().filter(lost).count()
}

/// A scene in which a framework's and an agent's streams break while the store is away.
fn broken_streams(failover_timeout: f64) -> Scene {
    let mut scene = Scene::new();
    scene.pass(20_000);
    scene.subscribe("s1", FrameworkInfo { failover_timeout, ..framework_info() }).register("l1", None, &[]);
    scene.apply(Input::StoreAway);
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") });
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") });
    scene
}

#[test]
fn deadlines_do_not_pass_while_the_store_is_away_and_leave_time_when_it_is_back() {
    for failover_timeout in [0.0, 5.0, 60.0] {
        let mut scene = broken_streams(failover_timeout);
        scene.pass(300_000).apply(Input::StoreBack).pass(9_999);
        assert_eq!(lost(&scene), 0, "failover_timeout {failover_timeout}");
        scene.register("l2", Some("m1-S0"), &[]).list("l2", &[]).subscribe("s2", with_id("m1-0000")).pass(5_000);
        assert_eq!(lost(&scene), 0, "failover_timeout {failover_timeout}: they are back");
    }
}

#[test]
fn whoever_does_not_use_the_time_after_the_outage_is_gone() {
    for (failover_timeout, lost_after) in [(0.0, [0, 2, 2]), (60.0, [0, 1, 2])] {
        let mut scene = broken_streams(failover_timeout);
        scene.pass(300_000).apply(Input::StoreBack);
        let steps = [9_999, 1, 50_000].map(|milliseconds| lost(scene.pass(milliseconds)));
        assert_eq!(steps, lost_after, "failover_timeout {failover_timeout}");
    }
}

#[test]
fn an_agent_that_waited_for_a_permit_waits_no_more() {
    let mut scene = Scene::new();
    for number in 0..25 {
        scene.register(&format!("l{number}"), None, &[]);
    }
    scene.pass(10_000);
    assert_eq!(lost(&scene), 20, "the rate limit holds the rest back");
    scene.apply(Input::StoreAway).pass(60_000).apply(Input::StoreBack).pass(9_999);
    assert_eq!(lost(&scene), 20);
    scene.pass(1);
    assert_eq!(lost(&scene), 25);
}

#[test]
fn the_leader_after_an_outage_gives_as_much_time() {
    let mut scene = broken_streams(0.0);
    scene.pass(60_000).fail_over();
    scene.pass(9_999);
    assert_eq!(lost(&scene), 0);
    scene.pass(1);
    assert_eq!(lost(&scene), 1, "the framework; agents have the time of an election");
}

#[test]
fn a_stream_that_breaks_just_after_an_outage_may_have_broken_because_of_it() {
    let mut scene = Scene::new();
    scene.pass(20_000).subscribe("s1", FrameworkInfo { failover_timeout: 0.0, ..framework_info() });
    scene.apply(Input::StoreAway).pass(60_000).apply(Input::StoreBack).pass(5_000);
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") }).pass(4_999);
    assert_eq!(lost(&scene), 0);
    scene.subscribe("s2", with_id("m1-0000")).pass(20_000);
    assert_eq!(lost(&scene), 0);
}

#[test]
fn a_store_that_stumbles_again_and_again_does_not_keep_the_dead_alive() {
    let mut scene = Scene::new();
    scene.subscribe("s1", framework_info()).register("l1", None, &[]).fail_over();
    for _ in 0..10 {
        scene.apply(Input::StoreAway).pass(3_000).apply(Input::StoreBack).pass(60_000);
    }
    assert_eq!(lost(&scene), 2, "after the ten minutes in which the store was there");
}

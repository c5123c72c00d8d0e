//! Agents register, fall silent, and come back with more, less or the same.

use expect_test::expect;

use super::*;
use crate::kernel::Refusal;

#[test]
fn a_broken_link_takes_the_offers_back_and_nothing_else() {
    let mut scene = running();
    scene.command("s1", "m1-0000", Command::Revive { roles: Vec::new() });
    scene.said();
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") });
    scene.pass(5_000);
    scene.register("l2", Some("m1-S0"), &[("t1", TaskState::Running)]);
    expect![[r#"
        s1 RESCIND m1-O1
        l2 REGISTERED m1-S0 matches: true
        s1 OFFERS m1-O2"#]]
    .assert_eq(&scene.said());
}

#[test]
fn five_missed_heartbeats_make_an_agent_unreachable_and_it_can_come_back() {
    let mut scene = running();
    scene.pass(9_999);
    assert_eq!(scene.statuses("s1"), []);
    scene.pass(1);
    expect![[r#"
        l1 (closed: the agent missed its heartbeats)
        s1 UPDATE t1 TASK_UNREACHABLE REASON_AGENT_REMOVED Agent 127.0.0.1 is unreachable: it missed its heartbeats (to be acknowledged)
        s1 FAILURE m1-S0"#]].assert_eq(&scene.said());
    let stale = scene.agent_call("l1", link::Call::heartbeat(AgentId::new("m1-S0"), 1)).reply();
    assert_eq!(stale, Reply::Refused(Refusal::LinkStale));
    scene.register("l2", Some("m1-S0"), &[("t1", TaskState::Running)]).list("l2", &[("t1", TaskState::Running)]);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: false
        l2 LIST_TASKS
        s1 OFFERS m1-O1"#]]
    .assert_eq(&scene.said());
}

#[test]
fn an_agent_that_speaks_but_does_not_hear_is_unreachable() {
    let mut scene = running();
    for number in 2..5 {
        scene.pass(3_000).register(&format!("l{number}"), Some("m1-S0"), &[("t1", TaskState::Running)]);
    }
    assert_eq!(scene.statuses("s1"), []);
    scene.pass(1_000);
    assert_eq!(scene.statuses("s1")[0].state, TaskState::Unreachable);
    scene.register("l5", Some("m1-S0"), &[("t1", TaskState::Running)]).pass(60_000);
    let told = |fact: &&Fact| matches!(fact, Fact::TaskUnreachable { .. } | Fact::TaskReachable { .. });
    assert_eq!(scene.facts.iter().filter(told).count(), 1, "registering alone does not bring it back");
}

#[test]
fn an_agent_that_comes_back_at_the_last_moment_is_asked_at_once() {
    let mut scene = running();
    let tasks = [("t1", TaskState::Running)];
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") });
    scene.pass(9_900).register("l2", Some("m1-S0"), &tasks);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: false
        l2 LIST_TASKS"#]]
    .assert_eq(&scene.said());
    scene.list("l2", &tasks).pass(1_000);
    assert_eq!(scene.statuses("s1"), []);
}

#[test]
fn a_framework_that_is_not_partition_aware_hears_of_lost_tasks() {
    let mut scene = Scene::new();
    let info = FrameworkInfo {
        capabilities: Vec::new(),
        roles: Vec::new(),
        role: Some("golden".to_owned()),
        ..framework_info()
    };
    scene.subscribe("s1", info).register("l1", None, &[]);
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1")]);
    scene.report("l1", "t1", 1, TaskState::Running);
    let statuses = scene.statuses("s1");
    scene.acknowledge("s1", &statuses[0]);
    scene.pass(10_000);
    scene.register("l2", Some("m1-S0"), &[("t1", TaskState::Running)]).list("l2", &[("t1", TaskState::Running)]);
    let statuses = scene.statuses("s1");
    assert_eq!(statuses.iter().map(|status| status.state).collect::<Vec<_>>(), [TaskState::Lost]);
    scene.acknowledge("s1", &statuses[0]);
    assert_eq!(scene.statuses("s1")[0].state, TaskState::Running, "lost to sight is not lost");
}

#[test]
fn the_difference_is_settled_when_the_digest_differs() {
    let mut scene = stage();
    scene.launch("s1", "m1-0000", &["m1-O0"], ["new", "kept", "gone", "killed"].map(task).to_vec());
    for (index, id) in ["kept", "gone"].into_iter().enumerate() {
        scene.report("l1", id, u64::try_from(index + 1).expect("few"), TaskState::Running);
    }
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") });
    scene.call("s1", r#"{"type":"KILL","framework_id":{"value":"m1-0000"},"kill":{"task_id":{"value":"killed"}}}"#);
    scene.call("s1", r#"{"type":"KILL","framework_id":{"value":"m1-0000"},"kill":{"task_id":{"value":"kept"}}}"#);
    scene.said();
    let has = [("kept", TaskState::Running), ("foreign", TaskState::Running), ("over", TaskState::Finished)];
    scene.register("l2", Some("m1-S0"), &has);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: false
        l2 LIST_TASKS"#]]
    .assert_eq(&scene.said());
    scene.list("l2", &has);
    expect![[r#"
        l2 KILL kept
        s1 UPDATE killed TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH Task was killed before it was delivered to the agent (to be acknowledged)
        l2 RUN new
        l2 KILL foreign"#]].assert_eq(&scene.said());
    scene.report("l2", "foreign", 1, TaskState::Running).report("l2", "over", 2, TaskState::Finished);
    expect![[r#"
        l2 KILL foreign
        l2 ACKNOWLEDGE foreign 01
        l2 ACKNOWLEDGE over 02"#]]
    .assert_eq(&scene.said());
    // Its resources are not offered before it is gone.
    scene.agent_call("l2", link::Call::heartbeat(AgentId::new("m1-S0"), 1));
    scene.list("l2", &[("kept", TaskState::Running), ("new", TaskState::Staging), ("foreign", TaskState::Finished)]);
    expect![[r#"
        l2 LIST_TASKS
        l2 KILL kept
        s1 OFFERS m1-O1"#]]
    .assert_eq(&scene.said());
}

#[test]
fn a_kill_is_repeated_to_an_agent_that_comes_back() {
    let mut scene = running();
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") });
    scene.call("s1", r#"{"type":"KILL","framework_id":{"value":"m1-0000"},"kill":{"task_id":{"value":"t1"}}}"#);
    scene.call("s1", r#"{"type":"KILL","framework_id":{"value":"m1-0000"},"kill":{"task_id":{"value":"t1"},"agent_id":{"value":"other"}}}"#);
    let kills = scene.facts.iter().filter(|fact| matches!(fact, Fact::KillRequested { .. })).count();
    assert_eq!(kills, 1);
    scene.said();
    scene.register("l2", Some("m1-S0"), &[("t1", TaskState::Running)]);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: true
        l2 KILL t1"#]]
    .assert_eq(&scene.said());
}

#[test]
fn the_rate_limit_lets_a_few_through_and_a_heartbeat_saves_the_rest() {
    let mut scene = Scene::new();
    for number in 0..25 {
        scene.register(&format!("l{number}"), None, &[]);
    }
    let lost = |scene: &Scene| scene.facts.iter().filter(|fact| matches!(fact, Fact::AgentUnreachable { .. })).count();
    scene.pass(10_000);
    assert_eq!(lost(&scene), 20);
    scene.pass(1_000);
    assert_eq!(lost(&scene), 21);
    for number in 0..25 {
        scene.agent_call(&format!("l{number}"), link::Call::heartbeat(AgentId::new(format!("m1-S{number}")), 1));
    }
    scene.pass(9_000);
    assert_eq!(lost(&scene), 21);
}

#[test]
fn a_master_that_was_paused_does_not_blame_the_agents() {
    let mut scene = running();
    scene.now = Now { tick: scene.now.tick.after(60_000), ..scene.now };
    scene.settle();
    assert_eq!(scene.statuses("s1"), []);
    scene.pass(2_000);
    assert_eq!(scene.statuses("s1")[0].state, TaskState::Unreachable);
}

#[test]
fn registrations_that_make_no_sense_end_the_link() {
    let mut scene = running();
    let register = |epoch, info: AgentInfo| link::Register {
        agent_info: info,
        epoch,
        task_digest: link::TaskDigest::default().to_bytes(),
        ..link::Register::default()
    };
    scene.agent_call("l2", link::Call::register(register(2, agent_info(Some("m1-S0")))));
    let small = AgentInfo { resources: resources_of("cpus:0.1"), ..agent_info(Some("m1-S0")) };
    scene.agent_call("l3", link::Call::register(register(0, small)));
    let digest = link::Register { task_digest: "short".into(), ..register(0, agent_info(None)) };
    scene.agent_call("l4", link::Call::register(digest));
    expect![[r#"
        l2 (closed: the agent has seen epoch 2, and this leader's is 1)
        l3 (closed: the agent's resources cpus:0.1 do not hold what its tasks use, cpus:0.5;mem:64)
        l4 (closed: the registration is not valid: a digest has 16 bytes)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn of_an_agent_that_is_replaced_every_task_ends_at_once_and_once() {
    let mut scene = running();
    let register = link::Register {
        agent_info: agent_info(None),
        task_digest: link::TaskDigest::default().to_bytes(),
        replaces: Some(AgentId::new("m1-S0")),
        ..link::Register::default()
    };
    scene.agent_call("l2", link::Call::register(register.clone()));
    expect![[r#"
        s1 UPDATE t1 TASK_GONE REASON_AGENT_RESTARTED The agent's machine was restarted, and the agent has registered as a new one (to be acknowledged)
        l1 (closed: the agent has registered again on another stream)
        s1 FAILURE m1-S0
        l2 REGISTERED m1-S1 matches: true
        s1 OFFERS m1-O1"#]].assert_eq(&scene.said());
    // Its answer was lost.
    scene.agent_call("l3", link::Call::register(register));
    expect![[r#"
        l3 REGISTERED m1-S2 matches: true
        s1 OFFERS m1-O2"#]]
    .assert_eq(&scene.said());
}

#[test]
fn an_agent_whose_names_the_database_would_not_take_is_turned_away() {
    let long = "x".repeat(10_000);
    for (id, version, boot_id) in
        [("a\0b", "1", "b"), (&long, "1", "b"), ("a/b", "1", "b"), ("a", "1\0", "b"), ("a", "1", &long)]
    {
        let mut scene = stage();
        let facts = scene.facts.len();
        let register = link::Register {
            agent_info: agent_info(Some(id)),
            version: version.to_owned(),
            boot_id: boot_id.to_owned(),
            task_digest: link::TaskDigest::default().to_bytes(),
            ..link::Register::default()
        };
        scene.agent_call("l2", link::Call::register(register));
        assert!(scene.said().starts_with("l2 (closed: the registration is not valid: its id, version or boot id: "));
        assert_eq!(scene.facts.len(), facts);
    }
}

/// The agents that are forgotten, in order.
fn forgotten(scene: &Scene) -> Vec<&str> {
    let mut forgotten = Vec::new();
    for fact in &scene.facts {
        if let Fact::AgentForgotten { agent } = fact {
            forgotten.push(agent.as_str());
        }
    }
    forgotten
}

#[test]
fn an_agent_that_stays_away_for_two_weeks_is_forgotten_with_what_ran_there() {
    let mut scene = running();
    scene.pass(10_000);
    let lost = scene.statuses("s1");
    scene.acknowledge("s1", &lost[0]);
    scene.pass(7 * 86_400_000).fail_over();
    scene.subscribe("s2", with_id("m1-0000")).pass(7 * 86_400_000 - 1);
    scene.said();
    scene.pass(1);
    expect!["s2 UPDATE t1 TASK_GONE REASON_AGENT_REMOVED The agent was unreachable for too long (to be acknowledged)"]
        .assert_eq(&scene.said());
    assert!(forgotten(&scene).is_empty(), "the framework does not know yet");
    scene.pass(900_000);
    let gone = scene.statuses("s2");
    scene.acknowledge("s2", &gone[0]);
    scene.pass(900_000);
    assert_eq!(forgotten(&scene), ["m1-S0"]);
    assert!(scene.snapshot.agents.is_empty());
    // What it still has is not wanted any more.
    let tasks = [("t1", TaskState::Running)];
    scene.register("l2", Some("m1-S0"), &tasks).list("l2", &tasks);
    expect![[r#"
        l2 REGISTERED m1-S0 matches: false
        l2 LIST_TASKS
        l2 KILL t1"#]]
    .assert_eq(&scene.said());
    scene.list("l2", &[]);
    expect!["s2 OFFERS m2-O0"].assert_eq(&scene.said());
}

#[test]
fn an_agent_that_came_back_is_not_forgotten() {
    let mut scene = running();
    scene.pass(10_000).register("l2", Some("m1-S0"), &[]).list("l2", &[]).pass(10_000);
    scene.pass(14 * 86_400_000 - 10_000);
    assert!(forgotten(&scene).is_empty(), "its time counts from when it was unreachable last");
    scene.pass(10_000);
    assert!(forgotten(&scene).is_empty(), "the framework has not acknowledged the end of its task");
}

#[test]
fn of_too_many_unreachable_agents_the_first_is_forgotten() {
    let mut scene = Scene::new();
    scene.kernel.config.unreachable_agents_limit = 2;
    for number in 0..4 {
        scene.register(&format!("l{number}"), None, &[]).pass(100);
    }
    scene.pass(10_000);
    assert_eq!(forgotten(&scene), ["m1-S0", "m1-S1"]);
}

use attica_core_api::v1::TaskState;

use super::super::*;
use super::world::{Behaviour, World, id, update};
use crate::model::{
    CheckKind, DeploymentId, DeploymentPolicy, EndedDeployment, Ending, Group, GroupId, OnFailure, RunSpecUpdate,
    Upgrade,
};

const KEEP_ALL: Option<Upgrade> = Some(Upgrade { minimum_health_capacity: 1.0, maximum_over_capacity: 0.5 });

fn patient(seconds: u64, on_failure: OnFailure) -> DeploymentPolicy {
    DeploymentPolicy {
        progress_deadline_ms: Some(seconds * 1_000),
        on_failure,
        minimum_healthy_ms: Some(0),
        ..DeploymentPolicy::default()
    }
}

fn second(policy: DeploymentPolicy) -> RunSpecUpdate {
    RunSpecUpdate { cmd: Some("serve two".into()), policy: Some(policy), ..RunSpecUpdate::default() }
}

fn web(instances: u32, upgrade: Option<Upgrade>) -> RunSpecUpdate {
    RunSpecUpdate { upgrade, ..update(instances) }
}

fn ending(world: &World, id: DeploymentId) -> &EndedDeployment {
    &world.engine.snapshot().ended[&id]
}

#[test]
fn a_broken_version_rolls_itself_back_and_says_why() {
    let mut world = World::new(4);
    world.put("/web", web(4, KEEP_ALL));
    let tasks = world.task_ids("/web");
    world.watch = |world| assert!(world.ready("/web") >= 4, "{} of 4 serve", world.ready("/web"));
    world.behaviour = Behaviour::Stall;
    let broken = world.put("/web", second(patient(30, OnFailure::RollBack)));
    world.pass(20_000);
    assert!(world.is_running(broken));
    world.event_types();
    world.pass(20_000);
    assert!(world.engine.snapshot().deployments.is_empty());
    let Ending::RolledBack { by, cause } = ending(&world, broken).ending.clone() else { panic!() };
    assert_eq!(cause, "/web made no progress for 30 s: 0 of 4 new instances serve");
    assert_eq!(ending(&world, by).ending, Ending::Done);
    let failed = world.frames.iter().find(|frame| frame.event_type == "deployment_failed").unwrap();
    assert!(failed.data.contains("made no progress for 30 s"), "{}", failed.data);
    assert_eq!(world.task_ids("/web"), tasks);
    assert_eq!(world.definition("/web").command, crate::model::CommandLine::Shell("serve".into()));
}

#[test]
fn the_deadline_is_kept_after_a_failover() {
    let mut world = World::new(4);
    world.put("/web", web(2, KEEP_ALL));
    world.behaviour = Behaviour::Stall;
    let broken = world.put("/web", second(patient(30, OnFailure::RollBack)));
    world.pass(25_000);
    world.fail_over();
    world.pass(31_000);
    assert!(matches!(ending(&world, broken).ending, Ending::RolledBack { .. }));
    assert_eq!(world.ready("/web"), 2);
    assert!(world.engine.snapshot().deployments.is_empty());
}

#[test]
fn progress_moves_the_deadline() {
    let mut world = World::new(4);
    let slow = DeploymentPolicy { minimum_healthy_ms: Some(20_000), ..patient(30, OnFailure::RollBack) };
    world.put("/web", web(3, Some(Upgrade { minimum_health_capacity: 1.0, maximum_over_capacity: 0.0 })));
    let deployment = world.put("/web", second(slow));
    world.pass(50_000);
    assert!(world.is_running(deployment), "one at a time, each for twenty seconds");
    world.pass(30_000);
    assert_eq!(ending(&world, deployment).ending, Ending::Done);
}

#[test]
fn instances_that_come_and_go_are_no_progress() {
    let mut world = World::new(4);
    world.put("/web", web(2, KEEP_ALL));
    let old = world.definition("/web").generation;
    let policy = DeploymentPolicy { minimum_healthy_ms: Some(20_000), ..patient(30, OnFailure::RollBack) };
    let at_once = RunSpecUpdate { backoff_first_ms: Some(0), backoff_max_ms: Some(0), ..second(policy) };
    let flapping = world.put("/web", at_once);
    for _ in 0..12 {
        world.pass(5_000);
        let new = world.instances("/web").into_iter().filter(|instance| instance.generation != old);
        for task in new.filter_map(|instance| instance.task) {
            world.end(&task.id, TaskState::Failed);
        }
        world.run();
    }
    let Ending::RolledBack { cause, .. } = &ending(&world, flapping).ending else { panic!() };
    assert!(cause.starts_with("/web made no progress for 30 s: 0 of 2 new instances serve"), "{cause}");
}

#[test]
fn a_command_that_ends_at_once_is_rolled_back_though_nothing_checks_it() {
    let mut world = World::new(4);
    world.put("/web", web(2, KEEP_ALL));
    let kept = world.task_ids("/web");
    let unsaid = DeploymentPolicy { minimum_healthy_ms: None, ..patient(8, OnFailure::RollBack) };
    world.behaviour = Behaviour::Crash;
    let broken = world.put("/web", second(unsaid));
    world.pass(20_000);
    assert!(matches!(ending(&world, broken).ending, Ending::RolledBack { .. }));
    assert_eq!(world.task_ids("/web"), kept);
    // With a check that has succeeded nothing more is waited for.
    let settles = |policy: DeploymentPolicy| {
        let checked = with_a_budget(CheckKind::Agent).definition("/web");
        (policy.settles_ms(&world.definition("/web")), policy.settles_ms(&checked))
    };
    assert_eq!(settles(unsaid), (4_000, 0));
    assert_eq!(settles(DeploymentPolicy { progress_deadline_ms: Some(60_000), ..unsaid }), (5_000, 0));
    assert_eq!(settles(DeploymentPolicy { progress_deadline_ms: None, ..unsaid }), (0, 0));
    assert_eq!(settles(patient(8, OnFailure::RollBack)), (0, 0));
}

#[test]
fn a_way_back_that_fails_ends_as_failed() {
    let mut world = World::new(4);
    world.put("/web", RunSpecUpdate { policy: Some(patient(30, OnFailure::RollBack)), ..web(2, KEEP_ALL) });
    let drop_all = Some(Upgrade { minimum_health_capacity: 0.0, maximum_over_capacity: 0.0 });
    world.behaviour = Behaviour::Stall;
    let broken = world.put("/web", RunSpecUpdate { upgrade: drop_all, ..second(patient(30, OnFailure::RollBack)) });
    world.pass(31_000);
    let Ending::RolledBack { by, .. } = ending(&world, broken).ending else { panic!() };
    assert!(world.is_running(by));
    world.pass(31_000);
    assert!(matches!(ending(&world, by).ending, Ending::Failed { .. }));
    assert!(world.engine.snapshot().deployments.is_empty());
}

#[test]
fn a_failure_pauses_until_somebody_resumes() {
    let mut world = World::new(4);
    world.put("/web", web(4, KEEP_ALL));
    world.behaviour = Behaviour::Stall;
    let deployment = world.put("/web", second(patient(30, OnFailure::Pause)));
    world.event_types();
    world.pass(31_000);
    assert_eq!(world.event_types(), ["deployment_paused"]);
    world.fail_over();
    world.pass(100_000);
    assert!(world.is_running(deployment));
    assert_eq!(world.ready("/web"), 4);
    // What was launched and never came up is launched anew meanwhile.
    world.behaviour = Behaviour::Run;
    world.pass(400_000);
    assert_eq!(world.deployed(Write::Hold { id: deployment, paused: false }), deployment);
    assert!(world.event_types().contains(&"deployment_resumed"));
    world.pass(400_000);
    assert_eq!(ending(&world, deployment).ending, Ending::Done);
}

#[test]
fn a_paused_deployment_neither_starts_nor_kills() {
    let mut world = World::new(4);
    world.put("/web", web(4, Some(Upgrade { minimum_health_capacity: 0.75, maximum_over_capacity: 0.0 })));
    let to = Definition::Merged(Box::new(second(DeploymentPolicy {
        minimum_healthy_ms: Some(10_000),
        ..DeploymentPolicy::default()
    })));
    let deployment = world.deployed(Write::Put { changes: vec![RunSpecChange { id: id("/web"), to }], force: false });
    world.deployed(Write::Hold { id: deployment, paused: true });
    let before = world.task_ids("/web");
    world.pass(60_000);
    assert_eq!(world.task_ids("/web"), before);
    assert!(world.is_running(deployment));
    world.deployed(Write::Hold { id: deployment, paused: false });
    world.pass(60_000);
    assert_eq!(ending(&world, deployment).ending, Ending::Done);
    let missing = world.write(Write::Hold { id: deployment, paused: true });
    assert_eq!(missing, Err(Refusal::DeploymentMissing(deployment)));
}

#[test]
fn what_is_given_up_is_waited_for_no_longer() {
    let mut world = World::new(4);
    let policy = patient(30, OnFailure::Continue);
    let stuck = crate::model::Constraint {
        field: crate::model::FieldName::Attribute("moon".into()),
        operator: crate::model::Operator::Is("yes".into()),
    };
    let first = RunSpecUpdate { policy: Some(policy), constraints: Some(vec![stuck]), ..update(1) };
    let then = RunSpecUpdate { dependencies: Some(vec!["/a".into()]), ..update(1) };
    let change = |path, update| RunSpecChange { id: id(path), to: Definition::Merged(Box::new(update)) };
    let changes = vec![change("/a", first), change("/b", then)];
    let deployment = world.deployed(Write::Put { changes, force: false });
    assert_eq!(world.ready("/b"), 0);
    world.pass(31_000);
    assert_eq!(world.ready("/b"), 1);
    let Ending::Failed { cause } = &ending(&world, deployment).ending else { panic!() };
    assert!(cause.starts_with("/a made no progress"), "{cause}");
}

#[test]
fn kills_stay_within_their_budget() {
    let mut world = World::new(4);
    world.put("/web", web(6, Some(Upgrade { minimum_health_capacity: 0.0, maximum_over_capacity: 1.0 })));
    let slow = DeploymentPolicy { kills_per_minute: Some(2), ..DeploymentPolicy::default() };
    let deployment = world.put("/web", second(slow));
    let generation = world.definition("/web").generation;
    let old =
        |world: &World| world.instances("/web").iter().filter(|instance| instance.generation != generation).count();
    assert_eq!(old(&world), 4);
    world.pass(50_000);
    assert_eq!(old(&world), 4);
    world.pass(15_000);
    assert_eq!(old(&world), 2);
    world.pass(60_000);
    assert!(!world.is_running(deployment));
}

/// Four instances with such a check, all of them healthy, of which one may be killed in a minute.
fn with_a_budget(kind: CheckKind) -> World {
    let mut world = World::new(4);
    let check = crate::model::HealthCheck {
        kind,
        endpoint: crate::model::Endpoint::Tcp,
        port: crate::model::CheckedPort::Index(0),
        grace_period_ms: 0,
        interval_ms: 1_000,
        timeout_ms: 500,
        max_consecutive_failures: 3,
        delay_ms: 0,
        family: crate::model::IpFamily::V4,
    };
    let policy = DeploymentPolicy { kills_per_minute: Some(1), ..DeploymentPolicy::default() };
    world.put("/web", RunSpecUpdate { health_checks: Some(vec![check]), policy: Some(policy), ..update(4) });
    world
}

#[test]
fn an_unhealthy_dependency_takes_down_no_more_than_the_budget() {
    let mut world = with_a_budget(CheckKind::Service);
    world.probe_all(true, 0);
    let before = world.task_ids("/web");
    let left = |world: &World| world.task_ids("/web").iter().filter(|task| before.contains(task)).count();
    world.probe_all(false, 3);
    world.pass(1_000);
    assert_eq!(left(&world), 3);
    world.pass(61_000);
    assert_eq!(left(&world), 2);
}

#[test]
fn agents_leave_it_to_the_budget_to_kill_what_they_find_unhealthy() {
    let mut world = with_a_budget(CheckKind::Agent);
    let tasks: Vec<_> = world.tasks.keys().cloned().collect();
    let left = |world: &World| tasks.iter().filter(|task| world.tasks.contains_key(*task)).count();
    for known in world.tasks.values() {
        assert_eq!(known.info.health_check.as_ref().unwrap().consecutive_failures, u32::MAX);
    }
    let report = |world: &mut World, healthy| {
        for task in &tasks {
            world.report(task, TaskState::Running, |status| status.healthy = Some(healthy));
        }
        world.run();
    };
    report(&mut world, true);
    report(&mut world, false);
    report(&mut world, false);
    assert_eq!(left(&world), 4);
    report(&mut world, false);
    assert_eq!(left(&world), 3);
    world.pass(61_000);
    assert_eq!(left(&world), 2);
}

#[test]
fn what_agents_were_told_to_spare_is_killed_here_once_any_number_may_be() {
    let mut world = with_a_budget(CheckKind::Agent);
    let tasks: Vec<_> = world.tasks.keys().cloned().collect();
    let left = |world: &World| tasks.iter().filter(|task| world.tasks.contains_key(*task)).count();
    let report = |world: &mut World, healthy| {
        for task in &tasks {
            world.report(task, TaskState::Running, |status| status.healthy = Some(healthy));
        }
        world.run();
    };
    report(&mut world, true);
    let unlimited = RunSpecUpdate { policy: Some(DeploymentPolicy::default()), ..RunSpecUpdate::default() };
    world.put("/web", unlimited);
    assert_eq!(left(&world), 4);
    report(&mut world, false);
    report(&mut world, false);
    assert_eq!(left(&world), 4);
    report(&mut world, false);
    assert_eq!(left(&world), 0);
}

#[test]
fn groups_say_it_for_what_lies_in_them() {
    let mut world = World::new(4);
    world.put("/shop/web", web(2, KEEP_ALL));
    let group = GroupUpdate {
        id: GroupId::parse("/shop").unwrap(),
        apps: None,
        groups: None,
        dependencies: None,
        enforce_role: None,
        policy: Some(patient(10, OnFailure::RollBack)),
    };
    world.deployed(Write::PutGroup {
        id: group.id.clone(),
        to: GroupDefinition::Updated(Box::new(group)),
        force: false,
    });
    world.fail_over();
    let said = world.engine.snapshot().group(&GroupId::parse("/shop").unwrap()).cloned();
    assert_eq!(said, Some(Group { policy: Some(patient(10, OnFailure::RollBack)), ..Group::default() }));
    world.behaviour = Behaviour::Stall;
    let broken = world.put("/shop/web", RunSpecUpdate { cmd: Some("serve two".into()), ..RunSpecUpdate::default() });
    world.pass(11_000);
    assert!(matches!(ending(&world, broken).ending, Ending::RolledBack { .. }));
}

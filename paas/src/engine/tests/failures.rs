use attica_core_api::v1::{TaskId, TaskState};

use super::super::*;
use super::world::{Behaviour, World, id, update};
use crate::model::{RunSpecUpdate, TaskIdentity, Unreachable};

#[test]
fn a_failed_task_is_launched_again_more_and_more_slowly() {
    let mut world = World::new(1);
    world.behaviour = Behaviour::Crash;
    world.put("/web", update(1));
    world.pass(60_000);
    let launched: Vec<i64> = world
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::InstanceChanged { instance, cause: Cause::Provisioned } => {
                Some(instance.task.as_ref().unwrap().staged_at.0)
            }
            _other => None,
        })
        .collect();
    let gaps: Vec<i64> = launched.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps[..4], [1_000, 1_150, 1_322, 1_520]);
    assert!(gaps.windows(2).all(|pair| pair[0] < pair[1]));
    let failure = world.engine.snapshot().run_specs[&id("/web")].last_failure.clone().unwrap();
    assert_eq!(failure.state, TaskState::Failed);
    let incarnations = world.instances("/web")[0].incarnation as usize;
    assert_eq!(incarnations, launched.len());
}

#[test]
fn a_delay_belongs_to_a_configuration() {
    let mut world = World::new(1);
    world.behaviour = Behaviour::Crash;
    world.put("/web", update(1));
    world.pass(30_000);
    let delay = |world: &World| world.engine.snapshot().run_specs[&id("/web")].delay;
    let slow = delay(&world).unwrap();
    let scaled = RunSpecUpdate { instances: Some(2), ..RunSpecUpdate::default() };
    let to = Definition::Merged(Box::new(scaled));
    world.write_only(Write::Put { changes: vec![RunSpecChange { id: id("/web"), to }], force: true }).unwrap();
    assert_eq!(delay(&world), Some(slow));
    assert_eq!(world.task_ids("/web").len(), 0, "scaling does not end the delay");
    world.behaviour = Behaviour::Run;
    let fixed = Definition::Merged(Box::new(RunSpecUpdate { cmd: Some("works".into()), ..RunSpecUpdate::default() }));
    world.write_only(Write::Put { changes: vec![RunSpecChange { id: id("/web"), to: fixed }], force: true }).unwrap();
    world.run();
    world.pass(100);
    assert_eq!(world.ready("/web"), 2, "a new configuration does");
}

#[test]
fn a_delay_is_reset_on_request() {
    let mut world = World::new(1);
    world.behaviour = Behaviour::Crash;
    world.put("/web", update(1));
    world.pass(30_000);
    world.behaviour = Behaviour::Run;
    assert_eq!(world.write_only(Write::ResetDelay { id: id("/web") }), Ok(Reply::Done));
    world.run();
    world.pass(60);
    assert_eq!(world.ready("/web"), 1);
}

#[test]
fn a_killed_task_is_replaced_without_delay() {
    let mut world = World::new(1);
    world.put("/web", update(1));
    let task = TaskId::from(world.task_ids("/web")[0].as_str());
    let write = Write::Kill {
        tasks: TaskSelection::One { run_spec: id("/web"), task: task.clone() },
        mode: KillMode::Replace,
        force: false,
    };
    assert!(matches!(world.write(write.clone()), Ok(Reply::Killed(killed)) if killed.len() == 1));
    let after = TaskIdentity::parse(&world.task_ids("/web")[0]).unwrap();
    let before = TaskIdentity::parse(task.as_str()).unwrap();
    assert_eq!((after.instance, after.incarnation), (before.instance, 2));
    assert_eq!(world.write(write), Err(Refusal::TaskMissing(task)));
}

#[test]
fn wiping_makes_a_new_instance_and_scaling_none() {
    let mut world = World::new(2);
    world.put("/web", update(2));
    let instances = world.instances("/web");
    let all = TaskSelection::All { run_spec: id("/web") };
    world.write(Write::Kill { tasks: all, mode: KillMode::Wipe, force: false }).unwrap();
    assert_eq!(world.ready("/web"), 2);
    assert!(world.instances("/web").iter().all(|after| instances.iter().all(|before| before.id != after.id)));
    let tasks = vec![TaskId::from(world.task_ids("/web")[0].as_str()), TaskId::from("nobody")];
    let deployment =
        world.deployed(Write::Kill { tasks: TaskSelection::These(tasks.clone()), mode: KillMode::Scale, force: false });
    assert!(!world.is_running(deployment));
    assert_eq!((world.definition("/web").instances, world.task_ids("/web").len()), (1, 1));
    assert!(!world.task_ids("/web").contains(&tasks[0].to_string()));
}

#[test]
fn what_is_on_its_way_out_is_not_scaled_away_again() {
    let mut world = World::new(2);
    world.put("/web", update(3));
    let tasks: Vec<TaskId> = world.task_ids("/web").iter().map(|task| TaskId::from(task.as_str())).collect();
    let first = TaskSelection::These(tasks[..1].to_vec());
    world.write_only(Write::Kill { tasks: first.clone(), mode: KillMode::Scale, force: false }).unwrap();
    world.write_only(Write::Kill { tasks: first, mode: KillMode::Scale, force: true }).unwrap();
    assert_eq!(world.definition("/web").instances, 2);
    let all = TaskSelection::All { run_spec: id("/web") };
    world.write(Write::Kill { tasks: all, mode: KillMode::Scale, force: true }).unwrap();
    assert_eq!((world.definition("/web").instances, world.task_ids("/web").len()), (0, 0));
}

#[test]
fn a_lost_agent_is_replaced_at_once_by_default() {
    let mut world = World::new(3);
    world.put("/web", update(3));
    world.set_reachable(0, false);
    world.pass(100);
    assert_eq!((world.ready("/web"), world.instances("/web").len()), (3, 3));
    world.set_reachable(0, true);
    world.pass(100);
    assert_eq!(world.tasks.len(), 3, "what comes back after it was given up is killed");
    assert!(world.event_types().contains(&"unknown_instance_terminated_event"));
}

#[test]
fn the_replacement_goes_when_the_original_comes_back() {
    let mut world = World::new(3);
    let unreachable = Some(Unreachable::After { inactive_ms: 5_000, expunge_ms: 60_000 });
    world.put("/web", RunSpecUpdate { unreachable, ..update(3) });
    let original = world.task_ids("/web");
    world.set_reachable(0, false);
    world.pass(4_000);
    assert_eq!(world.instances("/web").len(), 3);
    world.pass(2_000);
    assert_eq!((world.ready("/web"), world.instances("/web").len()), (3, 4));
    world.set_reachable(0, true);
    world.pass(100);
    assert_eq!(world.task_ids("/web"), original);
    world.set_reachable(0, false);
    world.pass(61_000);
    assert_eq!(world.instances("/web").len(), 3);
}

#[test]
fn disabled_means_waiting_for_ever() {
    let mut world = World::new(1);
    world.put("/web", RunSpecUpdate { unreachable: Some(Unreachable::Disabled), ..update(1) });
    let task = world.task_ids("/web");
    world.set_reachable(0, false);
    world.pass(100_000_000);
    world.set_reachable(0, true);
    assert_eq!((world.task_ids("/web"), world.ready("/web")), (task, 1));
}

#[test]
fn a_launch_that_leads_nowhere_is_repeated() {
    let mut world = World::new(1);
    world.behaviour = Behaviour::Stall;
    world.put("/web", update(1));
    world.behaviour = Behaviour::Run;
    world.pass(300_100);
    assert_eq!(world.ready("/web"), 1);
    assert_eq!(world.instances("/web")[0].incarnation, 2);
    assert_eq!(world.engine.kills(), Kills::default());
}

#[test]
fn launches_that_are_overdue_are_known_until_they_have_ended() {
    let mut world = World::new(1);
    world.behaviour = Behaviour::Stall;
    world.put("/web", update(2));
    world.machines[0].reachable = false;
    world.pass(300_100);
    assert_eq!(world.engine.kills().overdue, 2);
    world.machines[0].reachable = true;
    world.behaviour = Behaviour::Run;
    world.pass(30_000);
    assert_eq!((world.ready("/web"), world.engine.kills()), (2, Kills::default()));
}

#[test]
fn kills_go_out_in_portions_and_again() {
    let mut world = World::new(4);
    world.put("/web", update(250));
    assert_eq!(world.ready("/web"), 250);
    world.machines.iter_mut().for_each(|machine| machine.reachable = false);
    let kills = |world: &World| world.calls.iter().filter(|call| call.kill.is_some()).count();
    world.deployed(Write::Delete { id: id("/web"), force: true });
    assert_eq!(kills(&world), 100);
    assert_eq!(world.engine.kills(), Kills { in_flight: 100, attempts: 100, overdue: 0 });
    world.pass(30_000);
    assert_eq!(world.engine.kills(), Kills { in_flight: 100, attempts: 200, overdue: 0 });
    world.machines.iter_mut().for_each(|machine| machine.reachable = true);
    world.pass(30_000);
    assert_eq!(kills(&world), 200 + 250);
    assert_eq!(world.engine.kills(), Kills::default());
    assert!(world.tasks.is_empty() && world.is_gone("/web"));
}

#[test]
fn what_the_master_never_heard_of_is_launched_anew() {
    let mut world = World::new(1);
    world.behaviour = Behaviour::Stall;
    world.put("/web", update(1));
    world.tasks.clear();
    world.behaviour = Behaviour::Run;
    world.fail_over();
    world.pass(100);
    assert_eq!(world.ready("/web"), 1, "without delay: it is not the app's fault");
}

#[test]
fn a_launch_that_was_lost_with_the_master_is_asked_for_until_its_agent_is_back() {
    let mut world = World::new(1);
    world.behaviour = Behaviour::Stall;
    world.put("/web", update(1));
    world.tasks.clear();
    world.behaviour = Behaviour::Run;
    world.recovering = true;
    world.disconnect();
    world.connect();
    world.pass(5_000);
    assert_eq!(world.ready("/web"), 0, "nobody knows yet");
    world.recovering = false;
    world.pass(5_000);
    assert_eq!(world.ready("/web"), 1);
}

#[test]
fn a_removed_framework_starts_everything_again_under_a_new_id() {
    let mut world = World::new(2);
    world.put("/web", update(3));
    let before = world.task_ids("/web");
    world.framework_removed();
    assert_eq!(world.engine.snapshot().framework_id, None);
    assert_eq!(world.event_types().last(), Some(&"instance_changed_event"));
    world.fail_over();
    assert_eq!((world.ready("/web"), world.tasks.len()), (3, 3), "without any delay");
    assert!(world.task_ids("/web").iter().all(|task| !before.contains(task)));
    assert_eq!(world.instances("/web")[0].incarnation, 2);
    assert!(world.event_types().contains(&"scheduler_registered_event"));
}

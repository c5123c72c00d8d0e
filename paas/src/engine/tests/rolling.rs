use proptest::prelude::*;

use super::super::*;
use super::world::{Behaviour, World, id, update};
use crate::deployment::{maximum_instances, minimum_ready};
use crate::model::{RunSpecUpdate, Upgrade};

fn upgrade(minimum_health_capacity: f64, maximum_over_capacity: f64) -> Option<Upgrade> {
    Some(Upgrade { minimum_health_capacity, maximum_over_capacity })
}

fn new_command() -> RunSpecUpdate {
    RunSpecUpdate { cmd: Some("serve two".into()), ..RunSpecUpdate::default() }
}

/// The bounds of the upgrade strategy, at every moment of the world.
fn within_bounds(world: &World) {
    let definition = world.definition("/web");
    let ready = world.ready("/web");
    let running = world.tasks.len();
    let least = minimum_ready(definition.instances, definition.upgrade) as usize;
    let most = maximum_instances(definition.instances, definition.upgrade, definition.instances) as usize;
    assert!(ready >= least, "{ready} ready of at least {least}");
    assert!(running <= most, "{running} running of at most {most}");
}

#[test]
fn nothing_moves_when_new_instances_do_not_come_up() {
    let mut world = World::new(4);
    world.put("/web", RunSpecUpdate { upgrade: upgrade(0.75, 0.25), ..update(4) });
    world.behaviour = Behaviour::Stall;
    let deployment = world.put("/web", new_command());
    assert!(world.is_running(deployment));
    assert_eq!(world.ready("/web"), 3);
    assert_eq!(world.instances("/web").len(), 5);
}

#[test]
fn crashing_instances_hold_a_deployment_up_until_the_next_one() {
    let mut world = World::new(4);
    world.put("/web", RunSpecUpdate { upgrade: upgrade(1.0, 1.0), ..update(3) });
    world.behaviour = Behaviour::Crash;
    let deployment = world.put("/web", new_command());
    world.pass(20_000);
    assert!(world.is_running(deployment));
    assert_eq!(world.ready("/web"), 3);
    world.behaviour = Behaviour::Run;
    let fixed = Definition::Merged(Box::new(RunSpecUpdate { cmd: Some("works".into()), ..RunSpecUpdate::default() }));
    let fixed = world.deployed(Write::Put { changes: vec![RunSpecChange { id: id("/web"), to: fixed }], force: true });
    assert!(!world.is_running(fixed));
    assert_eq!((world.ready("/web"), world.instances("/web").len()), (3, 3));
}

#[test]
fn a_failover_in_the_middle_kills_and_launches_nothing_extra() {
    let mut world = World::new(4);
    world.put("/web", RunSpecUpdate { upgrade: upgrade(0.5, 0.0), ..update(6) });
    world.behaviour = Behaviour::Stall;
    let deployment = world.put("/web", new_command());
    let before = world.task_ids("/web");
    world.fail_over();
    assert!(world.is_running(deployment));
    assert_eq!(world.task_ids("/web"), before);
    for task in world.tasks.keys().cloned().collect::<Vec<_>>() {
        world.report(&task, attica_core_api::v1::TaskState::Running, |_| {});
    }
    world.behaviour = Behaviour::Run;
    world.run();
    world.pass(1_000);
    assert!(!world.is_running(deployment));
    assert_eq!((world.ready("/web"), world.tasks.len()), (6, 6));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_rolling_restart_keeps_its_bounds_and_ends(
        instances in 1u32..12,
        least in 0u32..=4,
        over in 0u32..=4,
        again in any::<bool>(),
    ) {
        let mut world = World::new(3);
        let upgrade = upgrade(f64::from(least) / 4.0, f64::from(over) / 4.0);
        world.put("/web", RunSpecUpdate { upgrade, ..update(instances) });
        world.watch = within_bounds;
        let deployment = world.put("/web", new_command());
        world.pass(5_000);
        prop_assert!(!world.is_running(deployment));
        if again {
            let restart = world.deployed(Write::Restart { id: id("/web"), force: false });
            world.pass(5_000);
            prop_assert!(!world.is_running(restart));
        }
        prop_assert_eq!(world.ready("/web"), instances as usize);
        prop_assert_eq!(world.tasks.len(), instances as usize);
    }
}

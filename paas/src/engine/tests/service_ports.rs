use super::super::*;
use super::world::{World, id, update};
use crate::model::{PortChoice, PortDefinition, Protocol, RunSpecUpdate, Version};

/// One port per number; 0 asks for one from the pool.
fn with_ports(numbers: &[u16]) -> RunSpecUpdate {
    let definition = |port: &u16| PortDefinition {
        mapping: None,
        port: *port,
        choice: PortChoice::User,
        name: None,
        protocol: Protocol::Tcp,
        labels: Default::default(),
    };
    RunSpecUpdate { ports: Some(numbers.iter().map(definition).collect()), ..update(1) }
}

fn ports(world: &World, path: &str) -> Vec<u16> {
    world.definition(path).ports.iter().map(|definition| definition.port).collect()
}

fn roll_back_to(world: &mut World, path: &str, version: Version) {
    let change = RunSpecChange { id: id(path), to: Definition::Stored(version) };
    world.deployed(Write::Put { changes: vec![change], force: false });
}

#[test]
fn a_rollback_leaves_a_port_to_the_one_who_has_it_by_now() {
    let mut world = World::new(1);
    world.put("/a", with_ports(&[0, 0]));
    assert_eq!(ports(&world, "/a"), [10_000, 10_001]);
    let first = world.definition("/a").version;
    world.pass(10);
    world.put("/a", with_ports(&[0, 9_000]));
    assert_eq!(ports(&world, "/a"), [10_000, 9_000]);
    world.put("/b", with_ports(&[0]));
    assert_eq!(ports(&world, "/b"), [10_001]);
    world.pass(10);
    roll_back_to(&mut world, "/a", first);
    assert_eq!(ports(&world, "/a"), [10_000, 10_002]);
    assert_eq!(ports(&world, "/b"), [10_001]);
}

#[test]
fn the_way_back_of_a_deployment_leaves_it_as_well() {
    let mut world = World::new(1);
    world.put("/a", with_ports(&[0]));
    world.behaviour = super::world::Behaviour::Stall;
    let moved = world.put("/a", with_ports(&[9_000]));
    world.put("/b", with_ports(&[0]));
    assert_eq!(ports(&world, "/b"), [10_000]);
    world.deployed(Write::Cancel { id: moved, mode: CancelMode::RollBack });
    assert_eq!(ports(&world, "/a"), [10_001]);
}

#[test]
fn what_a_read_showed_can_be_written_back_and_restarts_nothing() {
    let mut world = World::new(1);
    world.put("/a", with_ports(&[0, 9_000]));
    let (before, tasks) = (world.definition("/a"), world.task_ids("/a"));
    world.pass(10);
    world.put("/a", with_ports(&[10_000, 9_000]));
    assert_eq!((world.definition("/a"), world.task_ids("/a")), (before, tasks));
    assert_eq!(world.definition("/a").ports[0].choice, PortChoice::Pool);
}

#[test]
fn ports_that_users_choose_may_clash_and_are_not_given_out() {
    let mut world = World::new(1);
    world.put("/a", with_ports(&[10_000]));
    world.put("/b", with_ports(&[10_000]));
    world.put("/c", with_ports(&[0]));
    assert_eq!(
        (ports(&world, "/a"), ports(&world, "/b"), ports(&world, "/c")),
        (vec![10_000], vec![10_000], vec![10_001])
    );
    world.put("/a", with_ports(&[0]));
    assert_eq!(ports(&world, "/a"), [10_002], "the one that it chose is still in use by another");
}

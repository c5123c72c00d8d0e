use std::collections::BTreeMap;

use super::super::*;
use super::world::{World, update};
use crate::model::{Constraint, FieldName, Operator, RunSpecUpdate};

fn constrained(instances: u32, field: &str, operator: Operator) -> RunSpecUpdate {
    let constraint = Constraint { field: FieldName::parse(field), operator };
    RunSpecUpdate { constraints: Some(vec![constraint]), ..update(instances) }
}

fn by_rack(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for instance in world.instances("/web") {
        if let Some(task) = &instance.task {
            *counts.entry(task.agent.attributes["rack"].clone()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn unique_hosts_are_unique_and_the_rest_waits() {
    let mut world = World::new(3);
    let deployment = world.put("/web", constrained(4, "hostname", Operator::Unique));
    assert!(world.is_running(deployment));
    assert_eq!(world.ready("/web"), 3);
    let hosts: std::collections::BTreeSet<String> = world
        .instances("/web")
        .iter()
        .filter_map(|instance| Some(instance.task.as_ref()?.agent.hostname.clone()))
        .collect();
    assert_eq!(hosts.len(), 3);
    world.machines.push(super::world::Machine { name: "h9".into(), ..world.machines[0].clone() });
    world.run();
    assert!(!world.is_running(deployment));
}

#[test]
fn groups_stay_even_up_and_down() {
    for groups in [None, Some(2)] {
        let mut world = World::new(5);
        world.put("/web", constrained(9, "rack", Operator::GroupBy(groups)));
        let spread = by_rack(&world);
        assert_eq!(spread.values().sum::<usize>(), 9);
        assert!(spread.values().all(|count| (4..=5).contains(count)), "{spread:?}");
        world.put("/web", RunSpecUpdate { instances: Some(4), ..RunSpecUpdate::default() });
        assert_eq!(by_rack(&world), BTreeMap::from([("r0".into(), 2), ("r1".into(), 2)]));
        world.deployed(Write::Restart { id: super::world::id("/web"), force: false });
        assert_eq!(by_rack(&world), BTreeMap::from([("r0".into(), 2), ("r1".into(), 2)]));
    }
}

#[test]
fn five_hundred_instances_fit_at_once() {
    let mut world = World::new(189);
    let deployment = world.put("/web", update(500));
    assert!(!world.is_running(deployment));
    let accepts = world.calls.iter().filter(|call| call.accept.is_some()).count();
    assert_eq!(accepts, 189);
    assert!(world.calls.iter().any(|call| call.suppress.is_some()));
}

#[test]
fn required_ports_are_the_ports() {
    let mut world = World::new(2);
    let mut ports = RunSpecUpdate::default()
        .apply(None, &super::world::id("/web"), "*")
        .map_or_else(|_| Vec::new(), |spec| spec.ports);
    ports.push(crate::model::PortDefinition {
        mapping: None,
        port: 31_500,
        choice: crate::model::PortChoice::User,
        name: None,
        protocol: crate::model::Protocol::Tcp,
        labels: BTreeMap::new(),
    });
    world.put("/web", RunSpecUpdate { ports: Some(ports), require_ports: Some(true), ..update(3) });
    assert_eq!(world.ready("/web"), 2, "one per machine");
    assert!(
        world.instances("/web").iter().filter_map(|instance| instance.task.as_ref()).all(|task| task.ports == [31_500])
    );
}

#[test]
fn nobody_is_kept_from_offers_by_those_who_cannot_use_them() {
    let mut world = World::bare(Config { matches_max: 6, ..super::world::config() }, 3);
    world.connect();
    for number in 0..7 {
        world.put(&format!("/never-{number}"), constrained(1, "hostname", Operator::Is("nowhere".into())));
    }
    let deployment = world.put("/web", update(2));
    assert!(!world.is_running(deployment));
    assert_eq!(world.engine.snapshot().deployments.len(), 7);
    let calls = world.calls.len();
    world.pass(60_000);
    assert_eq!(world.calls.len(), calls, "what was no use is not asked for again");
}

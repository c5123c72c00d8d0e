//! Why somebody waits, and since when.

use attica_core_api::Timestamp;

use super::conflicts::impossible;
use super::world::{World, update};
use crate::engine::{QueueItem, View};
use crate::model::RunSpecUpdate;
use crate::placement::RejectReason;

fn waiting(world: &World, path: &str) -> QueueItem {
    let item = world.views.iter().rev().find_map(|view| match view {
        View::Queued(item) => Some(item).filter(|item| item.id().as_str() == path),
        View::Unqueued(_) | View::Connected(_) | View::Responded { .. } => None,
    });
    QueueItem::clone(item.unwrap())
}

/// A new round of offers, after a while.
fn look_again(world: &mut World, path: &str) {
    world.pass(60_000);
    world.put(path, RunSpecUpdate { constraints: impossible().constraints, ..update(1) });
}

#[test]
fn each_reason_is_told_with_its_moment_and_each_agent_by_how_near_it_comes() {
    let mut world = World::new(2);
    world.machines[0].cpus = 0.02;
    world.machines[1].cpus = 0.05;
    world.put("/web", RunSpecUpdate { constraints: impossible().constraints, ..update(1) });
    let (constraint, cpus) = (RejectReason::UnfulfilledConstraint, RejectReason::InsufficientCpus);
    let refused = |world: &World| Vec::from_iter(waiting(world, "/web").offers.refused_since);
    let first = waiting(&world, "/web").since;
    assert_eq!(refused(&world), [(constraint, first), (cpus, first)]);
    let nearest = waiting(&world, "/web").offers.nearest;
    let nearest: Vec<_> =
        nearest.iter().map(|fit| (fit.agent.hostname.as_str(), fit.reasons.clone(), fit.free.cpus.to_f64())).collect();
    assert_eq!(nearest, [("h2", vec![constraint, cpus], 0.05), ("h1", vec![constraint, cpus], 0.02)]);

    look_again(&mut world, "/a");
    assert_eq!(refused(&world), [(constraint, first), (cpus, first)]);
    world.machines.iter_mut().for_each(|machine| machine.cpus = 4.0);
    look_again(&mut world, "/b");
    assert_eq!(refused(&world), [(constraint, first)]);
    world.machines.iter_mut().for_each(|machine| machine.cpus = 0.05);
    look_again(&mut world, "/c");
    let [(_, since_first), (_, since_later)] = refused(&world)[..] else { panic!("both refuse again") };
    assert!(since_first == first && since_later >= Timestamp(first.0 + 180_000), "{since_later:?}");
}

//! What a dry run tells of places, and whether that is what happens.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::*;
use super::world::{World, id, update};
use crate::model::{ActionKind, Constraint, FieldName, Operator, RunSpecUpdate, Upgrade};
use crate::placement::RejectReason;

const APP: &str = "/web";

fn put(update: RunSpecUpdate) -> Write {
    let to = Definition::Merged(Box::new(update));
    Write::Put { changes: vec![RunSpecChange { id: id(APP), to }], force: false }
}

fn foresee(world: &mut World, write: Write) -> Forecast {
    let terms = Terms { dry_run: true, room: Some(world.room()), ..Terms::default() };
    let before = world.engine.snapshot().clone();
    let Ok(Reply::Planned(forecast)) = world.write_on(terms, write) else { panic!("a dry run foresees") };
    assert_eq!(*world.engine.snapshot(), before);
    *forecast
}

/// The one app of which instances would be started, if there is one.
fn only(forecast: &Forecast) -> Option<&Prospect> {
    let prospects = forecast.placement.as_ref().unwrap();
    assert!(prospects.len() <= 1, "{prospects:?}");
    prospects.first()
}

fn places(prospect: Option<&Prospect>) -> BTreeMap<String, u32> {
    let places = prospect.into_iter().flat_map(|prospect| &prospect.places);
    places.map(|(agent, count)| (agent.hostname.clone(), *count)).collect()
}

/// How many instances are where.
fn present(world: &World) -> BTreeMap<String, u32> {
    let mut present = BTreeMap::new();
    for task in world.instances(APP).iter().filter_map(|instance| instance.task.as_ref()) {
        *present.entry(task.agent.hostname.clone()).or_default() += 1;
    }
    present
}

fn actions(steps: &[crate::model::Step]) -> Vec<Vec<(ActionKind, RunSpecId)>> {
    let step = |step: &crate::model::Step| {
        step.actions.iter().map(|action| (action.kind, action.run_spec.clone())).collect::<Vec<_>>()
    };
    steps.iter().map(step).collect()
}

/// The steps of the deployment that was started last.
fn started(world: &World) -> Vec<Vec<(ActionKind, RunSpecId)>> {
    let deployments = world.facts.iter().rev().filter_map(|fact| match fact {
        Fact::DeploymentStarted { deployment } => Some(actions(&deployment.steps)),
        _ => None,
    });
    { deployments }.next().unwrap()
}

#[test]
fn who_would_find_no_place_is_told_why_the_nearest_first() {
    let mut world = World::new(3);
    world.machines[0].cpus = 0.15;
    world.machines[1].cpus = 0.05;
    let constraint = Constraint { field: FieldName::parse("hostname"), operator: Operator::Unique };
    let wanted = RunSpecUpdate { constraints: Some(vec![constraint]), ..update(3) };
    let forecast = foresee(&mut world, put(wanted));
    let prospect = only(&forecast).unwrap();
    assert_eq!(places(Some(prospect)), BTreeMap::from([("h1".into(), 1), ("h3".into(), 1)]));
    assert_eq!((prospect.wanted, prospect.missing()), (3, 1));
    let misfits: Vec<_> =
        prospect.misfits.iter().map(|misfit| (misfit.agent.hostname.as_str(), misfit.reasons.clone())).collect();
    let (constraint, cpus) = (RejectReason::UnfulfilledConstraint, RejectReason::InsufficientCpus);
    assert_eq!(misfits, [("h3", vec![constraint]), ("h2", vec![cpus]), ("h1", vec![constraint, cpus])]);
    assert_eq!(prospect.misfits[1].free.cpus.to_f64(), 0.05);
}

#[test]
fn what_is_replaced_makes_room_on_the_way() {
    let mut world = World::new(2);
    world.machines.iter_mut().for_each(|machine| machine.cpus = 0.2);
    world.put(APP, RunSpecUpdate { upgrade: Some(UPGRADES[0]), ..update(4) });
    let changed = RunSpecUpdate { cmd: Some("other".into()), ..RunSpecUpdate::default() };
    let forecast = foresee(&mut world, put(changed.clone()));
    assert_eq!(places(only(&forecast)), BTreeMap::from([("h1".into(), 2), ("h2".into(), 2)]));
    // With all of them to stay, nothing would ever move.
    let stuck = RunSpecUpdate { upgrade: Some(UPGRADES[2]), ..changed };
    let forecast = foresee(&mut world, put(stuck));
    assert_eq!(only(&forecast).map(|prospect| (prospect.wanted, prospect.missing())), Some((4, 4)));
}

#[test]
fn without_knowing_the_agents_there_is_no_placement_and_too_many_are_not_looked_at() {
    let mut world = World::new(2);
    let terms = Terms { dry_run: true, ..Terms::default() };
    let Ok(Reply::Planned(forecast)) = world.write_on(terms, put(update(1))) else { panic!("a dry run foresees") };
    assert_eq!(forecast.placement, None);
    let mut world = World::bare(Config { matches_max: 1, ..super::world::config() }, 2);
    world.connect();
    assert_eq!(foresee(&mut world, put(update(1))).placement, None);
}

const UPGRADES: [Upgrade; 3] = [
    Upgrade { minimum_health_capacity: 0.5, maximum_over_capacity: 0.0 },
    Upgrade { minimum_health_capacity: 0.0, maximum_over_capacity: 0.5 },
    Upgrade { minimum_health_capacity: 1.0, maximum_over_capacity: 1.0 },
];

fn constraints() -> impl Strategy<Value = Vec<Constraint>> {
    let constraint = |field: &str, operator| vec![Constraint { field: FieldName::parse(field), operator }];
    prop_oneof![
        Just(Vec::new()),
        Just(constraint("hostname", Operator::Unique)),
        Just(constraint("rack", Operator::GroupBy(None))),
        Just(constraint("hostname", Operator::MaxPer(2))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn a_dry_run_foresees_the_plan_and_the_places(
        cpus in proptest::collection::vec(0u32..8, 1..5),
        first in 0u32..8,
        then in 0u32..8,
        upgrade in 0usize..3,
        constraints in constraints(),
    ) {
        let mut world = World::new(cpus.len());
        world.machines.iter_mut().zip(&cpus).for_each(|(machine, cpus)| machine.cpus = f64::from(*cpus) / 10.0);
        let created =
            RunSpecUpdate { upgrade: Some(UPGRADES[upgrade]), constraints: Some(constraints.clone()), ..update(first) };
        // Created, changed in number, and replaced: each first foreseen, then done.
        let forecast = foresee(&mut world, put(created.clone()));
        world.deployed(put(created));
        prop_assert_eq!(actions(&forecast.steps), started(&world));
        prop_assert_eq!(&places(only(&forecast)), &present(&world));

        let scaled = RunSpecUpdate { instances: Some(then), ..RunSpecUpdate::default() };
        let forced = |update| match put(update) {
            Write::Put { changes, .. } => Write::Put { changes, force: true },
            other => other,
        };
        let before = world.ready(APP);
        let forecast = foresee(&mut world, forced(scaled.clone()));
        world.deployed(forced(scaled));
        if first != then {
            prop_assert_eq!(actions(&forecast.steps), started(&world));
        }
        let placed: u32 = places(only(&forecast)).values().sum();
        let stayed = before.min(then as usize);
        prop_assert_eq!(stayed + placed as usize, world.ready(APP));

        let changed = RunSpecUpdate { cmd: Some("other".into()), ..RunSpecUpdate::default() };
        let forecast = foresee(&mut world, forced(changed.clone()));
        let deployment = world.deployed(forced(changed));
        world.pass(5_000);
        if constraints.is_empty() {
            let missing = only(&forecast).map_or(0, Prospect::missing);
            prop_assert_eq!(missing == 0, !world.is_running(deployment), "{:?}", forecast.placement);
        }
    }
}

//! The rules for whose turn it is.

use super::*;

fn machines(allocator: &mut Allocator, count: usize) {
    (0..count).for_each(|_| {
        allocator.add_agent(machine(1));
    });
}

/// How many of the offers went to each of the first frameworks.
fn counts<const N: usize>(offers: &[Offer]) -> [usize; N] {
    std::array::from_fn(|index| offers.iter().filter(|offer| offer.framework.0 as usize == index).count())
}

#[test]
fn by_lot_everybody_gets_turns_by_weight() {
    let lot = Sorting::Random { seed: 1 };
    let mut allocator = Allocator::new(Config { roles: lot, frameworks: lot, ..Config::default() });
    for name in ["a", "b", "c"] {
        allocator.add_framework([role(name)], Capabilities::default());
    }
    allocator.set_weight(&role("c"), 2.0).unwrap();
    machines(&mut allocator, 2_000);
    let [a, b, c] = counts(&allocate(&mut allocator, NOW));
    for (turns, expected) in [(a, 500), (b, 500), (c, 1_000)] {
        assert!(turns.abs_diff(expected) < 100, "{a} {b} {c}");
    }
}

#[test]
fn the_same_seed_draws_the_same_lots() {
    let draw = |seed| {
        let lot = Sorting::Random { seed };
        let mut allocator = Allocator::new(Config { frameworks: lot, ..Config::default() });
        (0..5).for_each(|_| {
            allocator.add_framework([Role::any()], Capabilities::default());
        });
        machines(&mut allocator, 20);
        takers(&allocate(&mut allocator, NOW))
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn the_higher_priority_takes_all_it_wants() {
    let mut allocator = Allocator::new(Config { roles: Sorting::Priority, ..Config::default() });
    for name in ["low", "high", "low"] {
        allocator.add_framework([role(name)], Capabilities::default());
    }
    allocator.set_weight(&role("high"), 10.0).unwrap();
    machines(&mut allocator, 4);
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(counts(&offers), [0, 4, 0]);
    decline_all(&mut allocator, NOW, &offers, 3_600_000);
    assert_eq!(counts(&allocate(&mut allocator, NOW)), [2, 0, 2], "what it does not want is shared fairly");
}

#[test]
fn what_does_not_count_for_shares_weighs_nothing() {
    let mut allocator = Allocator::new(Config { unshared: vec![crate::Name::Gpus], ..Config::default() });
    let capable = capabilities(&[Capability::GpuResources]);
    let learner = allocator.add_framework([role("learner")], capable);
    let other = allocator.add_framework([role("other")], capable);
    let agent = allocator.add_agent(bag([scalar("gpus", 4), scalar("cpus", 4)]));
    let (mine, theirs) = (bag([scalar("gpus", 4), scalar("cpus", 1)]), bag([scalar("cpus", 2)]));
    allocator.use_resources(learner, &role("learner"), agent, &mine).unwrap();
    allocator.use_resources(other, &role("other"), agent, &theirs).unwrap();
    assert_eq!(takers(&allocate(&mut allocator, NOW)), [learner.0]);
}

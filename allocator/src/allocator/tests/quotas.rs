//! Quotas: before shares, on every level, and never beyond.

use super::*;

fn guaranteed(all: &[(&str, u32)]) -> Quota {
    Quota { guarantees: quantities(all), limits: Limits::default() }
}

fn limited(all: &[(&str, u32)]) -> Quota {
    Quota { guarantees: Quantities::default(), limits: limits(all) }
}

fn plain(allocator: &mut Allocator, name: &str) -> FrameworkKey {
    allocator.add_framework([role(name)], Capabilities::default())
}

#[test]
fn a_role_is_not_offered_more_than_its_limit() {
    let mut allocator = Allocator::new(Config::default());
    let framework = plain(&mut allocator, "a");
    assert_eq!(allocator.set_quotas([(role("a"), limited(&[("cpus", 5)]))]), []);
    (0..2).for_each(|_| {
        allocator.add_agent(bag([scalar("cpus", 4)]));
    });
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(summary(&offers), [(0, 0, "cpus:4".to_owned()), (1, 0, "cpus:1".to_owned())]);
    let offer = allocator.take(offers[0].key).unwrap();
    allocator.use_resources(framework, &role("a"), offer.agent, &offer.resources).unwrap();
    assert_eq!(allocator.consumed(&role("a")), quantities(&[("cpus", 4)]));
    allocator.release(framework, &role("a"), offer.agent, &bag([scalar("cpus", 2)]));
    let more = allocate(&mut allocator, NOW);
    assert_eq!(summary(&more), [(0, 0, "cpus:2".to_owned())], "what it gave back is free for it again");
}

#[test]
fn limits_hold_on_every_level() {
    let mut allocator = Allocator::new(Config::default());
    plain(&mut allocator, "a/x");
    plain(&mut allocator, "a/y");
    let quotas = [(role("a"), limited(&[("cpus", 6)])), (role("a/x"), limited(&[("cpus", 4)]))];
    allocator.set_quotas(quotas);
    (0..3).for_each(|_| {
        allocator.add_agent(bag([scalar("cpus", 5)]));
    });
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(
        summary(&offers),
        [(0, 0, "cpus:4".to_owned()), (0, 1, "cpus:1".to_owned()), (1, 1, "cpus:1".to_owned())]
    );
}

#[test]
fn what_is_promised_stays_free_for_whoever_comes() {
    let mut allocator = Allocator::new(Config::default());
    plain(&mut allocator, "greedy");
    allocator.set_quotas([(role("promised"), guaranteed(&[("cpus", 3)]))]);
    (0..2).for_each(|_| {
        allocator.add_agent(bag([scalar("cpus", 4)]));
    });
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(summary(&offers), [(0, 0, "cpus:4".to_owned()), (1, 0, "cpus:1".to_owned())]);
    plain(&mut allocator, "promised");
    assert_eq!(summary(&allocate(&mut allocator, NOW)), [(1, 1, "cpus:3".to_owned())]);
}

#[test]
fn promises_are_kept_before_it_is_anybodys_turn() {
    let mut allocator = Allocator::new(Config::default());
    let rich = plain(&mut allocator, "promised");
    plain(&mut allocator, "poor");
    allocator.set_quotas([(role("promised"), guaranteed(&[("cpus", 8)]))]);
    let agent = allocator.add_agent(bag([scalar("cpus", 4)]));
    allocator.use_resources(rich, &role("promised"), agent, &bag([scalar("cpus", 4)])).unwrap();
    allocator.add_agent(bag([scalar("cpus", 4)]));
    assert_eq!(takers(&allocate(&mut allocator, NOW)), [rich.0], "its share is the larger one, and yet");
    allocator.add_agent(bag([scalar("cpus", 4)]));
    assert_eq!(takers(&allocate(&mut allocator, NOW)), [1], "it has what it was promised");
}

#[test]
fn a_reservation_counts_whether_it_is_used_or_not() {
    let mut allocator = Allocator::new(Config::default());
    plain(&mut allocator, "a/x");
    allocator.set_quotas([(role("a"), limited(&[("cpus", 3)]))]);
    allocator.add_agent(bag([scalar("cpus", 2).with_identity(reserved(&["a", "a/y"])), scalar("cpus", 4)]));
    assert_eq!(allocator.consumed(&role("a")), quantities(&[("cpus", 2)]));
    assert_eq!(summary(&allocate(&mut allocator, NOW)), [(0, 0, "cpus:1".to_owned())]);
}

#[test]
fn what_can_be_taken_back_does_not_count() {
    let mut allocator = Allocator::new(Config::default());
    allocator.add_framework([role("a")], capabilities(&[Capability::RevocableResources]));
    allocator.set_quotas([(role("a"), limited(&[("cpus", 1)]))]);
    allocator.add_agent(bag([scalar("cpus", 2), scalar("cpus", 3).with_identity(revocable())]));
    assert_eq!(summary(&allocate(&mut allocator, NOW)), [(0, 0, "cpus:1;cpus{REV}:3".to_owned())]);
}

#[test]
fn new_quotas_take_back_the_newest_offers_that_do_not_fit() {
    let mut allocator = Allocator::new(Config::default());
    plain(&mut allocator, "a");
    (0..4).for_each(|_| {
        allocator.add_agent(bag([scalar("cpus", 1)]));
    });
    let offers = allocate(&mut allocator, NOW);
    let withdrawn = allocator.set_quotas([(role("a"), limited(&[("cpus", 2)]))]);
    assert_eq!(withdrawn, [offers[3].clone(), offers[2].clone()]);
    let withdrawn = allocator.set_quotas([(role("b"), guaranteed(&[("cpus", 3)]))]);
    assert_eq!(withdrawn, [offers[1].clone()], "two are free already");
    assert_eq!(allocate(&mut allocator, NOW), []);
    allocator.set_quotas([(role("a"), Quota::default()), (role("b"), Quota::default())]);
    assert_eq!(allocate(&mut allocator, NOW).len(), 3, "without quotas it is as before");
}

#[test]
fn graphics_processors_are_not_cut_into_pieces() {
    let mut allocator = Allocator::new(Config::default());
    allocator.add_framework([role("a")], capabilities(&[Capability::GpuResources]));
    let half = Scalar::from_thousandths(1_500).unwrap();
    let limits = Limits::default().with("gpus", half);
    allocator.set_quotas([(role("a"), Quota { guarantees: Quantities::default(), limits })]);
    allocator.add_agent(bag([scalar("cpus", 1), scalar("gpus", 2)]));
    assert_eq!(summary(&allocate(&mut allocator, NOW)), [(0, 0, "cpus:1;gpus:1".to_owned())]);
}

#[test]
fn what_a_reservation_satisfies_is_free_for_others() {
    let mut allocator = Allocator::new(Config::default());
    plain(&mut allocator, "greedy");
    allocator.set_quotas([(role("promised"), guaranteed(&[("mem", 100)]))]);
    allocator.add_agent(bag([scalar("mem", 100)]));
    assert_eq!(allocate(&mut allocator, NOW), [], "all of it is promised");
    allocator.add_agent(bag([scalar("mem", 100).with_identity(reserved(&["promised"]))]));
    assert_eq!(summary(&allocate(&mut allocator, NOW)), [(0, 0, "mem:100".to_owned())], "the promise is kept by now");
}

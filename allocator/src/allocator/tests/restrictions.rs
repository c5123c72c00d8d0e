//! What frameworks and agents' places rule out, and what several may use at the same time.

use super::*;

#[test]
fn barred_agents_are_offered_to_others() {
    let mut allocator = Allocator::new(Config::default());
    let picky = allocator.add_framework([role("a")], Capabilities::default());
    let agents = [0; 2].map(|_| allocator.add_agent(machine(1)));
    allocator.bar_framework(picky, &role("a"), |agent| agent == agents[0]);
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(summary(&offers).iter().map(|offer| offer.0).collect::<Vec<_>>(), [agents[1].0]);
    allocator.bar_from_agent(agents[0], |_, _| false);
    assert_eq!(allocate(&mut allocator, NOW).len(), 1, "the agent has changed");
}

#[test]
fn a_minimum_of_its_own_takes_the_place_of_the_general_one() {
    let mut allocator = Allocator::new(Config::default());
    let framework = allocator.add_framework([role("a")], Capabilities::default());
    allocator.add_agent(bag([scalar("disk", 10)]));
    allocator.add_agent(machine(1));
    assert_eq!(allocate(&mut allocator, NOW).len(), 1, "disk space alone is not worth an offer");
    allocator.set_minimum(framework, &role("a"), Some(vec![quantities(&[("disk", 5)])]));
    assert_eq!(summary(&allocate(&mut allocator, NOW)), [(0, 0, "disk:10".to_owned())]);
    allocator.add_agent(machine(1));
    assert_eq!(allocate(&mut allocator, NOW), [], "processors alone are not worth an offer to it");
}

#[test]
fn agents_of_other_regions_are_for_those_who_are_aware_of_them() {
    let mut allocator = Allocator::new(Config::default());
    allocator.add_framework([role("a")], Capabilities::default());
    let aware = allocator.add_framework([role("a")], capabilities(&[Capability::RegionAware]));
    let agent = allocator.add_agent(machine(1));
    allocator.set_remote(agent, true);
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(takers(&offers), [aware.0]);
    decline_all(&mut allocator, NOW, &offers, 3_600_000);
    assert_eq!(allocate(&mut allocator, NOW), []);
    allocator.set_remote(agent, false);
    assert_eq!(takers(&allocate(&mut allocator, NOW)), [0]);
}

#[test]
fn a_shared_volume_is_offered_while_it_is_in_use() {
    let mut allocator = Allocator::new(Config::default());
    let capable = capabilities(&[Capability::SharedResources]);
    let [first, second] = [0; 2].map(|_| allocator.add_framework([role("a")], capable));
    let agent = allocator.add_agent(machine(2).plus(&bag([shared_volume("a", 100)])));
    let volume = bag([shared_volume("a", 100)]);
    let offer = allocate(&mut allocator, NOW).remove(0);
    assert_eq!((offer.framework, offer.resources.shared()), (first, volume.clone()));
    allocator.take(offer.key).unwrap();
    let task = machine(1).filter(|one| *one.name() != crate::Name::Ports).plus(&volume);
    allocator.use_resources(first, &role("a"), agent, &task).unwrap();
    let offer = allocate(&mut allocator, NOW).remove(0);
    assert_eq!((offer.framework, offer.resources.shared()), (second, volume.clone()), "it is there for others too");
    allocator.take(offer.key).unwrap();
    allocator.use_resources(second, &role("a"), agent, &volume).unwrap();
    let undo = crate::Conversion { consumed: volume.clone(), produced: bag([scalar("disk", 100)]) };
    assert!(allocator.convert(agent, &undo).is_err(), "it is in use");
    allocator.release(first, &role("a"), agent, &task);
    allocator.release(second, &role("a"), agent, &volume);
    allocator.convert(agent, &undo).unwrap();
    allocator.assert_consistent();
}

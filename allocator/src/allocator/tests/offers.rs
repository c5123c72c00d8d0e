use super::*;

fn cluster(frameworks: usize, agents: usize) -> Allocator {
    let mut allocator = Allocator::new(Config::default());
    for _ in 0..frameworks {
        allocator.add_framework([Role::any()], Capabilities::default());
    }
    for _ in 0..agents {
        allocator.add_agent(machine(4));
    }
    allocator
}

#[test]
fn an_idle_cycle_offers_nothing() {
    let mut allocator = cluster(2, 2);
    assert_eq!(allocate(&mut allocator, NOW).len(), 2);
    assert_eq!(allocate(&mut allocator, NOW), []);
}

#[test]
fn freed_capacity_is_offered_in_the_next_cycle() {
    let mut allocator = cluster(1, 1);
    let offer = allocate(&mut allocator, NOW).remove(0);
    allocator.take(offer.key).unwrap();
    let task = machine(4);
    allocator.use_resources(offer.framework, &offer.role, offer.agent, &task).unwrap();
    assert_eq!(allocate(&mut allocator, NOW), []);
    allocator.release(offer.framework, &offer.role, offer.agent, &task);
    assert_eq!(summary(&allocate(&mut allocator, NOW)), [(0, 0, task.to_string())]);
}

#[test]
fn an_offer_is_answered_once() {
    let mut allocator = cluster(1, 1);
    let offer = allocate(&mut allocator, NOW).remove(0);
    assert_eq!(allocator.take(offer.key), Some(offer.clone()));
    assert_eq!(allocator.take(offer.key), None);
    let again = allocate(&mut allocator, NOW).remove(0);
    assert!(again.key > offer.key, "keys are never used again");
}

#[test]
fn a_refusal_blocks_the_same_and_less_but_not_more() {
    let mut allocator = cluster(1, 1);
    let (framework, agent, any) = (FrameworkKey(0), AgentKey(0), Role::any());
    let task = bag([scalar("cpus", 2)]);
    allocator.use_resources(framework, &any, agent, &task).unwrap();
    let offers = allocate(&mut allocator, NOW);
    decline_all(&mut allocator, NOW, &offers, 5_000);
    assert_eq!(allocate(&mut allocator, NOW), [], "the same");
    allocator.use_resources(framework, &any, agent, &bag([ports(31000, 31000)])).unwrap();
    assert_eq!(allocate(&mut allocator, NOW), [], "less");
    allocator.release(framework, &any, agent, &task);
    assert_eq!(allocate(&mut allocator, NOW).len(), 1, "more");
}

#[test]
fn a_refusal_ends_at_its_time() {
    for refuse_ms in [1, 15, 100, 5_000, 120_000, 365 * 24 * 3_600_000] {
        let mut allocator = cluster(1, 1);
        let offers = allocate(&mut allocator, NOW);
        decline_all(&mut allocator, NOW, &offers, refuse_ms);
        let end = refusals::end_of_refusal(NOW, refuse_ms);
        assert!(end.since(NOW) >= refuse_ms && end.since(NOW) <= refuse_ms + refuse_ms / 16, "{refuse_ms}: {end}");
        assert_eq!(allocator.next_wake(), Some(end));
        assert_eq!(allocate(&mut allocator, Tick(end.0 - 1)), []);
        assert_eq!(allocate(&mut allocator, end).len(), 1);
    }
    let mut allocator = cluster(1, 1);
    let offers = allocate(&mut allocator, NOW);
    decline_all(&mut allocator, NOW, &offers, 0);
    assert_eq!(allocate(&mut allocator, NOW).len(), 1, "zero is no refusal");
}

#[test]
fn a_refusal_is_forgotten_by_revival_and_when_the_agent_changes() {
    let forget: [fn(&mut Allocator); 4] = [
        |allocator| allocator.revive(FrameworkKey(0), &Role::any()),
        |allocator| allocator.forget_refusals(AgentKey(0)),
        |allocator| {
            allocator.deactivate_framework(FrameworkKey(0));
            allocator.activate_framework(FrameworkKey(0));
        },
        |allocator| {
            allocator.remove_agent(AgentKey(0));
            assert_eq!(allocator.add_agent(machine(4)), AgentKey(0), "the new agent has the old one's number");
        },
    ];
    for forget in forget {
        let mut allocator = cluster(1, 1);
        let offers = allocate(&mut allocator, NOW);
        decline_all(&mut allocator, NOW, &offers, 3_600_000);
        assert_eq!(allocate(&mut allocator, NOW), []);
        forget(&mut allocator);
        assert_eq!(allocate(&mut allocator, NOW).len(), 1);
    }
}

#[test]
fn a_new_framework_does_not_inherit_refusals() {
    let mut allocator = cluster(1, 1);
    let offers = allocate(&mut allocator, NOW);
    decline_all(&mut allocator, NOW, &offers, 3_600_000);
    allocator.remove_framework(FrameworkKey(0));
    assert_eq!(allocator.add_framework([Role::any()], Capabilities::default()), FrameworkKey(0));
    assert_eq!(allocate(&mut allocator, NOW).len(), 1);
}

#[test]
fn many_different_refusals_do_not_pile_up() {
    let mut allocator = cluster(1, 1);
    for delay_ms in 0..1_000 {
        let now = NOW.after(delay_ms * 10_000);
        let offers = allocate(&mut allocator, now);
        assert_eq!(offers.len(), 1);
        decline_all(&mut allocator, now, &offers, 3_600_000 + delay_ms * 60_000);
        // The part that is free now was not refused, so it is offered on.
        let task = bag([ports(31000 + delay_ms % 10, 31000 + delay_ms % 10)]);
        allocator.use_resources(FrameworkKey(0), &Role::any(), AgentKey(0), &task).unwrap();
        allocator.revive(FrameworkKey(0), &Role::any());
        allocator.release(FrameworkKey(0), &Role::any(), AgentKey(0), &task);
    }
    let offer = allocate(&mut allocator, NOW.after(20_000_000)).remove(0);
    allocator.take(offer.key).unwrap();
    for index in 0..1_000 {
        allocator.decline(NOW, &offer, &bag([scalar("cpus", index + 1)]), 3_600_000);
        allocator.assert_consistent();
    }
    assert!(allocator.agents[0].refusals.len() <= 64);
}

#[test]
fn suppression_stops_offers_in_that_role_alone() {
    let mut allocator = Allocator::new(Config::default());
    let framework = allocator.add_framework([role("a"), role("b")], Capabilities::default());
    allocator.suppress(framework, &role("a"));
    assert!(allocator.is_suppressed(framework, &role("a")) && !allocator.is_suppressed(framework, &role("b")));
    allocator.add_agent(machine(4));
    allocator.add_agent(machine(4));
    let roles = |offers: Vec<Offer>| offers.into_iter().map(|offer| offer.role.to_string()).collect::<Vec<_>>();
    assert_eq!(roles(allocate(&mut allocator, NOW)), ["b", "b"]);
    allocator.revive(framework, &role("a"));
    allocator.add_agent(machine(4));
    assert_eq!(roles(allocate(&mut allocator, NOW)), ["a"]);
    allocator.suppress(framework, &role("not-a-member"));
}

#[test]
fn who_is_away_is_offered_nothing() {
    let mut allocator = cluster(1, 1);
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(allocator.deactivate_framework(FrameworkKey(0)), offers);
    assert_eq!(allocate(&mut allocator, NOW), []);
    allocator.activate_framework(FrameworkKey(0));
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(offers.len(), 1);
    assert_eq!(allocator.deactivate_agent(AgentKey(0)), offers);
    assert_eq!(allocate(&mut allocator, NOW), []);
    allocator.activate_agent(AgentKey(0));
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(allocator.remove_agent(AgentKey(0)), offers);
    assert_eq!(allocate(&mut allocator, NOW), []);
}

#[test]
fn crumbs_are_not_offered() {
    let mut allocator = cluster(1, 0);
    let cpus = |thousandths| Resource::scalar("cpus", Scalar::from_thousandths(thousandths).unwrap());
    let crumbs = [bag([ports(1, 100)]), bag([cpus(9), scalar("mem", 31), ports(1, 2)])];
    let enough = [bag([cpus(10)]), bag([scalar("mem", 32)])];
    for resources in crumbs.iter().chain(&enough) {
        allocator.add_agent(resources.clone());
    }
    let offered: Vec<_> = allocate(&mut allocator, NOW).into_iter().map(|offer| offer.resources).collect();
    assert_eq!(offered, enough);
}

#[test]
fn roles_that_are_left_keep_what_is_used() {
    let mut allocator = Allocator::new(Config::default());
    let framework = allocator.add_framework([role("a")], Capabilities::default());
    let agent = allocator.add_agent(machine(4));
    let task = machine(1);
    allocator.use_resources(framework, &role("a"), agent, &task).unwrap();
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(allocator.update_framework(framework, [role("b")], Capabilities::default()), offers);
    let offer = allocate(&mut allocator, NOW).remove(0);
    assert_eq!(offer.role, role("b"));
    assert_eq!(allocator.used_by(framework, &role("a"), agent), task);
    assert!(allocator.share(&role("a")) > 0.0);
    allocator.release(framework, &role("a"), agent, &task);
    allocator.assert_consistent();
    assert!(allocator.share(&role("a")) == 0.0);
}

#[test]
fn what_is_not_free_cannot_be_used() {
    let mut allocator = cluster(1, 1);
    let any = Role::any();
    let task = machine(3);
    allocator.use_resources(FrameworkKey(0), &any, AgentKey(0), &bag([ports(31000, 31000)])).unwrap();
    let refused = allocator.use_resources(FrameworkKey(0), &any, AgentKey(0), &task);
    assert_eq!(refused.unwrap_err().wanted, task);
    allocate(&mut allocator, NOW);
    assert!(
        allocator.use_resources(FrameworkKey(0), &any, AgentKey(0), &bag([scalar("cpus", 1)])).is_err(),
        "offered is not free"
    );
    allocator.assert_consistent();
}

#[test]
fn an_agent_can_grow_and_shrink_but_not_below_what_is_used() {
    let mut allocator = cluster(1, 1);
    let (framework, agent, any) = (FrameworkKey(0), AgentKey(0), Role::any());
    allocator.use_resources(framework, &any, agent, &bag([scalar("cpus", 3)])).unwrap();
    let offers = allocate(&mut allocator, NOW);
    assert!(allocator.update_agent(agent, machine(2)).is_err());
    assert_eq!(allocator.update_agent(agent, machine(8)), Ok(offers));
    let offers = allocate(&mut allocator, NOW);
    assert_eq!((offers.len(), offers[0].resources.cpus()), (1, Scalar::units(5)));
}

#[test]
fn a_framework_is_removed_with_all_it_has() {
    let mut allocator = cluster(2, 2);
    let (framework, agent) = (FrameworkKey(0), AgentKey(0));
    allocator.use_resources(framework, &Role::any(), agent, &bag([scalar("cpus", 1)])).unwrap();
    allocate(&mut allocator, NOW);
    assert_eq!(allocator.remove_framework(framework).len(), 1);
    allocator.assert_consistent();
    assert_eq!(allocator.used(agent), Resources::new());
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(takers(&offers), [1, 1], "what it used, and what it was offered");
    assert_eq!(offers[0].resources.cpus(), Scalar::units(1));
}

#[test]
fn an_unanswered_offer_goes_to_somebody_else() {
    let mut allocator = cluster(2, 1);
    let offers = allocate(&mut allocator, NOW);
    let deadline = NOW.after(60_000);
    assert_eq!((takers(&offers), allocator.next_wake()), (vec![0], Some(deadline)));
    assert_eq!(allocator.expire(Tick(deadline.0 - 1)), []);
    assert_eq!(allocator.expire(deadline), offers);
    assert_eq!(takers(&allocate(&mut allocator, deadline)), [1]);
}

#[test]
fn the_silent_cannot_starve_those_who_answer() {
    let mut allocator = cluster(2, 10);
    let (silent, lively, any) = (FrameworkKey(0), FrameworkKey(1), Role::any());
    let mut now = NOW;
    let mut busy = 0;
    for _ in 0..3 {
        for offer in allocate(&mut allocator, now).into_iter().filter(|offer| offer.framework == lively) {
            let offer = allocator.take(offer.key).unwrap();
            allocator.use_resources(lively, &any, offer.agent, &offer.resources).unwrap();
            busy += 1;
        }
        now = now.after(60_000);
        allocator.expire(now);
    }
    assert_eq!(busy, 10, "everything was in use after the first silence");
    for agent in 0..10 {
        allocator.release(lively, &any, AgentKey(agent), &machine(4));
    }
    let offers = allocate(&mut allocator, now.after(60_000));
    let to_silent: Vec<_> = offers.iter().filter(|offer| offer.framework == silent).collect();
    assert_eq!(to_silent.len(), 1, "one offer at a time until it answers");
    let answered = allocator.take(to_silent[0].key).unwrap();
    allocator.decline(now, &answered, &answered.resources, 5_000);
    decline_all(
        &mut allocator,
        now,
        &offers.into_iter().filter(|offer| offer.framework == lively).collect::<Vec<_>>(),
        0,
    );
    let offers = allocate(&mut allocator, now.after(60_000));
    assert!(takers(&offers).iter().filter(|taker| **taker == silent.0).count() > 1, "it answered");
}

use super::*;

#[test]
fn whoever_has_least_is_next() {
    let mut allocator = Allocator::new(Config::default());
    let frameworks: Vec<_> = (0..3).map(|_| allocator.add_framework([Role::any()], Capabilities::default())).collect();
    for _ in 0..6 {
        allocator.add_agent(machine(4));
    }
    assert_eq!(takers(&allocate(&mut allocator, NOW)), [0, 1, 2, 0, 1, 2]);
    let [newcomer] = [allocator.add_framework([Role::any()], Capabilities::default())];
    for _ in 0..3 {
        allocator.add_agent(machine(4));
    }
    assert_eq!(takers(&allocate(&mut allocator, NOW)), [newcomer.0, newcomer.0, frameworks[0].0]);
}

#[test]
fn the_dominant_resource_counts() {
    let mut allocator = Allocator::new(Config::default());
    let lean = allocator.add_framework([Role::any()], Capabilities::default());
    let greedy = allocator.add_framework([Role::any()], Capabilities::default());
    let agent = allocator.add_agent(bag([scalar("cpus", 10), scalar("mem", 10_000), scalar("licences", 10)]));
    let use_up = |allocator: &mut Allocator, framework, resources| {
        allocator.use_resources(framework, &Role::any(), agent, &bag([resources])).unwrap();
    };
    use_up(&mut allocator, lean, scalar("cpus", 5));
    use_up(&mut allocator, greedy, scalar("licences", 6));
    assert_eq!(takers(&allocate(&mut allocator, NOW)), [lean.0]);
}

#[test]
fn offers_follow_weights() {
    let mut allocator = Allocator::new(Config::default());
    let heavy = allocator.add_framework([role("heavy")], Capabilities::default());
    let light = allocator.add_framework([role("light")], Capabilities::default());
    allocator.set_weight(&role("heavy"), 3.0).unwrap();
    for _ in 0..400 {
        allocator.add_agent(machine(2));
    }
    let takers = takers(&allocate(&mut allocator, NOW));
    assert_eq!(takers.iter().filter(|taker| **taker == heavy.0).count(), 300);
    assert_eq!(takers.iter().filter(|taker| **taker == light.0).count(), 100);
    assert!(
        (allocator.share(&role("heavy")) - 0.25).abs() < 1e-9 && (allocator.share(&role("light")) - 0.25).abs() < 1e-9
    );
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(allocator.set_weight(&role("heavy"), weight).is_err());
    }
}

#[test]
fn roles_share_level_by_level() {
    // eng and ops halve the cluster; eng's own framework and eng/web halve eng's half; two frameworks share eng/web.
    let mut allocator = Allocator::new(Config::default());
    let names = ["ops", "eng", "eng/web", "eng/web"];
    let frameworks = names.map(|name| allocator.add_framework([role(name)], Capabilities::default()));
    for _ in 0..800 {
        allocator.add_agent(machine(1));
    }
    let takers = takers(&allocate(&mut allocator, NOW));
    let counts = frameworks.map(|framework| takers.iter().filter(|taker| **taker == framework.0).count());
    assert_eq!(counts, [400, 200, 100, 100]);
}

#[test]
fn shares_converge_when_tasks_come_and_go() {
    // Every framework takes tasks of its own shape from what it is offered, one at a time, until nothing fits anybody.
    let mut allocator = Allocator::new(Config::default());
    let shapes = [bag([scalar("cpus", 1), scalar("mem", 4096)]), bag([scalar("cpus", 3), scalar("mem", 1024)])];
    let frameworks: Vec<_> =
        shapes.iter().map(|_| allocator.add_framework([Role::any()], Capabilities::default())).collect();
    // One machine as large as twenty of the paper's, so that no capacity is lost between machines.
    allocator.add_agent(bag([scalar("cpus", 20 * 9), scalar("mem", 20 * 18 * 1024)]));
    let mut launched = [0_usize; 2];
    loop {
        let offers = allocate(&mut allocator, NOW);
        if offers.is_empty() {
            break;
        }
        for offer in offers {
            let index = frameworks.iter().position(|framework| *framework == offer.framework).unwrap();
            let offer = allocator.take(offer.key).unwrap();
            let rest = match offer.resources.checked_minus(&shapes[index]) {
                Some(rest) => {
                    allocator.use_resources(offer.framework, &offer.role, offer.agent, &shapes[index]).unwrap();
                    launched[index] += 1;
                    rest
                }
                None => offer.resources.clone(),
            };
            if rest == offer.resources {
                allocator.decline(NOW, &offer, &rest, 3_600_000);
            }
        }
    }
    // The example of the paper on dominant resource fairness, twenty times: 3 and 2 tasks.
    assert_eq!(launched, [60, 40]);
}

#[test]
fn reservations_are_for_their_role_and_those_below() {
    let mut allocator = Allocator::new(Config::default());
    let names = ["*", "eng", "eng/web", "ops"];
    let [any, eng, web, ops] = names.map(|name| allocator.add_framework([role(name)], Capabilities::default()));
    let piece = |roles: &[&str]| scalar("mem", 64).with_identity(reserved(roles));
    let cases: [(_, &[FrameworkKey]); 3] = [(["eng"], &[eng, web]), (["eng/web"], &[web]), (["ops"], &[ops])];
    for (roles, expected) in cases {
        let agent = allocator.add_agent(bag([piece(&roles)]));
        for taker in expected {
            let offers = allocate(&mut allocator, NOW);
            assert_eq!(takers(&offers), [taker.0], "{roles:?}");
            decline_all(&mut allocator, NOW, &offers, 3_600_000);
        }
        assert_eq!(allocate(&mut allocator, NOW), [], "{roles:?}: nobody else may have it");
        allocator.remove_agent(agent);
    }
    let agent = allocator.add_agent(bag([piece(&["nobody"])]));
    assert_eq!(allocate(&mut allocator, NOW), []);
    allocator.remove_agent(agent);
    allocator.add_agent(bag([piece(&["ops"]), scalar("mem", 64)]));
    let offers = allocate(&mut allocator, NOW);
    assert_eq!(takers(&offers), [any.0, ops.0], "the reservation is offered apart from what is for all");
}

#[test]
fn capabilities_decide_what_is_offered() {
    let (gpus, refined) = (Capability::GpuResources, Capability::ReservationRefinement);
    let cases: [(Resources, &[Capability]); 3] = [
        (bag([scalar("mem", 64).with_identity(revocable())]), &[Capability::RevocableResources]),
        (bag([scalar("mem", 64), scalar("gpus", 1)]), &[gpus]),
        (bag([scalar("mem", 64).with_identity(reserved(&["eng", "eng/web"]))]), &[refined]),
    ];
    for (resources, needed) in cases {
        let mut allocator = Allocator::new(Config::default());
        let framework = allocator.add_framework([role("eng/web")], Capabilities::default());
        allocator.add_agent(resources.clone());
        assert_eq!(allocate(&mut allocator, NOW), [], "{resources}");
        assert_eq!(allocator.update_framework(framework, [role("eng/web")], capabilities(needed)), []);
        let offers = allocate(&mut allocator, NOW);
        assert_eq!(summary(&offers), [(0, 0, resources.to_string())]);
        let withdrawn = allocator.update_framework(framework, [role("eng/web")], Capabilities::default());
        assert_eq!(withdrawn, offers, "a capability that is lost takes offers along");
        assert_eq!(allocate(&mut allocator, NOW), []);
    }
}

//! Row a5: many roles with quotas, as in Mesos's `LargeAndSmallQuota`; and row a3: cycles in which nothing changed, there and
//! elsewhere.

use std::time::Instant;

use attica_allocator::{Allocator, Capabilities, Limits, Quantities, Quota, Resources, Role, Scalar, Tick};

use crate::report::Figure;
use crate::{
    decline_offers_cluster, figure, fresh, median_of_runs, microseconds, milliseconds, patient, refuse_everywhere, role,
};

const SMALL: u32 = 2_500;
const LARGE: u32 = 500;

/// Guaranteed as much as limited.
fn quota(cpus: u32, mem: u32) -> Quota {
    let all = [("cpus", cpus), ("mem", mem), ("disk", mem)];
    let sum = |sum: Quantities, (name, units): (&str, u32)| sum.with(name, Scalar::units(units));
    let limit = |limits: Limits, (name, units): (&str, u32)| limits.with(name, Scalar::units(units));
    Quota {
        guarantees: all.into_iter().fold(Quantities::default(), sum),
        limits: all.into_iter().fold(Limits::default(), limit),
    }
}

/// 3,000 roles with a framework each, and as many agents, half as large as the larger quotas and twice as the smaller ones.
fn cluster() -> Allocator {
    let mut allocator = Allocator::new(patient());
    let small = (0..SMALL).map(|index| (role(&format!("small-{index}")), quota(1, 1024)));
    let large = (0..LARGE).map(|index| (role(&format!("large-{index}")), quota(4, 4096)));
    let quotas: Vec<(Role, Quota)> = small.chain(large).collect();
    for (role, _) in &quotas {
        allocator.add_framework([role.clone()], Capabilities::default());
    }
    allocator.set_quotas(quotas);
    let names = [("cpus", 2), ("mem", 2048), ("disk", 2048)];
    let scalar = |(name, units): (&str, u32)| attica_allocator::Resource::scalar(name, Scalar::units(units));
    let total: Resources = names.into_iter().map(scalar).collect();
    for _ in 0..SMALL + LARGE {
        allocator.add_agent(fresh(&total));
    }
    allocator
}

pub(crate) fn a5() -> Vec<Figure> {
    let [cycle, count] = median_of_runs(|| {
        let mut allocator = cluster();
        let mut offers = Vec::new();
        let started = Instant::now();
        allocator.allocate(Tick(0), &mut offers);
        [milliseconds(started.elapsed()), offers.len() as f64]
    });
    vec![figure("a5.cycle", cycle, "ms", Some(30.0)), figure("a5.allocations", count, "offers", None)]
}

/// Cycles in which nothing changed, at several sizes: every framework having refused every agent, with as many roles as
/// frameworks, and with all quotas used up.
pub(crate) fn a3() -> Vec<Figure> {
    let filtered = |agents, frameworks| {
        let mut allocator = decline_offers_cluster(agents, frameworks);
        refuse_everywhere(&mut allocator, agents, frameworks);
        idle_cycle(allocator)
    };
    let [small, large, quotas] =
        median_of_runs(|| [filtered(5_000, 50), filtered(10_000, 1_000), idle_cycle(cluster())]);
    vec![
        figure("a3.idle_cycle", small.max(large).max(quotas), "µs", Some(10.0)),
        figure("a3.idle_cycle.5k_agents_50_frameworks_all_refused", small, "µs", None),
        figure("a3.idle_cycle.10k_agents_1k_frameworks_all_refused", large, "µs", None),
        figure("a3.idle_cycle.3k_agents_3k_roles_with_quota", quotas, "µs", None),
    ]
}

/// The time of a cycle in which nothing changed, in microseconds.
fn idle_cycle(mut allocator: Allocator) -> f64 {
    const CYCLES: u32 = 10_000;
    let mut offers = Vec::new();
    allocator.allocate(Tick(0), &mut offers);
    offers.clear();
    let started = Instant::now();
    for cycle in 0..u64::from(CYCLES) {
        allocator.allocate(Tick(cycle), &mut offers);
    }
    assert!(offers.is_empty(), "nothing changed");
    microseconds(started.elapsed() / CYCLES)
}

//! Row a4: one agent changes in a large cluster; and the law that the size of the cluster does not matter.

use std::time::{Duration, Instant};

use attica_allocator::{AgentKey, FrameworkKey, Ranges, Role, Tick};

use crate::report::{Figure, median};
use crate::{RUNS, decline_offers_cluster, figure, machine, microseconds, refuse};

/// The changes hit so many agents, spread over the cluster; the others are full. Having thousands of frameworks refuse each of a
/// hundred thousand agents would take minutes and change nothing.
const CHANGING: u32 = 10_000;

/// What one change costs, in microseconds.
struct OneChange {
    p50: f64,
    p99: f64,
}

/// One agent changes in a cluster where everybody has refused everything that is free: a task ends, and what it leaves
/// is offered. The half of the frameworks that is first in fair order has refused even that, so that the search has to
/// pass them all. Measured is the event together with the cycle that follows it; the framework then launches the task
/// anew, which is not measured. The cluster stays as it was, so that all runs share one.
fn one_change(agents: u32, frameworks: u32) -> OneChange {
    const CHANGES: usize = 20_000;
    let any = Role::any();
    let mut allocator = decline_offers_cluster(agents, frameworks);
    let changing = agents.min(CHANGING);
    let apart = agents / changing;
    let mut has = vec![0; frameworks as usize];
    for index in 0..agents {
        let (agent, owner) = (AgentKey(index), index % frameworks);
        let is_full = index % apart != 0;
        has[owner as usize] += if is_full { 24 } else { 16 };
        if is_full {
            let free = allocator.free(agent).clone();
            allocator.use_resources(FrameworkKey(owner), &any, agent, &free).expect("it is free");
        }
    }
    let mut fair_order: Vec<u32> = (0..frameworks).collect();
    fair_order.sort_by_key(|framework| has[*framework as usize]);
    let (first, last) = fair_order.split_at(frameworks as usize / 2);
    for agent in (0..changing).map(|index| AgentKey(index * apart)) {
        let (total, free) = (allocator.agent_total(agent).clone(), allocator.free(agent).clone());
        first.iter().for_each(|framework| refuse(&mut allocator, FrameworkKey(*framework), agent, &total));
        last.iter().for_each(|framework| refuse(&mut allocator, FrameworkKey(*framework), agent, &free));
    }
    let ports = Ranges::new([(31_000, 31_000), (31_002, 31_002)]).expect("ranges in order");
    let task = machine(2, 128, 64, ports);
    let mut offers = Vec::new();
    allocator.allocate(Tick(0), &mut offers);
    assert!(offers.is_empty(), "everybody refused everything");
    let mut runs: Vec<OneChange> = Vec::new();
    for _ in 0..RUNS {
        let mut times: Vec<Duration> = Vec::with_capacity(CHANGES);
        for change in 0..CHANGES {
            let index = (change as u32).wrapping_mul(2_654_435_761) % changing * apart;
            let agent = AgentKey(index);
            let owner = FrameworkKey(index % frameworks);
            let started = Instant::now();
            allocator.release(owner, &any, agent, &task);
            allocator.allocate(Tick(change as u64), &mut offers);
            times.push(started.elapsed());
            let offer = offers.pop().expect("what the task leaves is offered");
            assert!(offers.is_empty() && offer.agent == agent && last.contains(&offer.framework.0));
            allocator.take(offer.key).expect("an outstanding offer");
            allocator.use_resources(owner, &any, agent, &task).expect("it was free");
            allocator.allocate(Tick(change as u64), &mut offers);
            assert!(offers.is_empty(), "the rest was refused before");
        }
        times.sort_unstable();
        let at = |part: f64| microseconds(times[(part * (times.len() - 1) as f64) as usize]);
        runs.push(OneChange { p50: at(0.5), p99: at(0.99) });
    }
    OneChange {
        p50: median(runs.iter().map(|run| run.p50).collect()),
        p99: median(runs.iter().map(|run| run.p99).collect()),
    }
}

pub(crate) fn a4() -> Vec<Figure> {
    const FRAMEWORKS: u32 = 6_000;
    const AGENTS: [u32; 5] = [1_000, 3_000, 10_000, 30_000, 100_000];
    let changes = AGENTS.map(|agents| (f64::from(agents), one_change(agents, FRAMEWORKS)));
    let slope = exponent(changes.iter().map(|(agents, change)| (*agents, change.p50)));
    let [.., (_, largest)] = &changes;
    let mut figures = vec![
        figure("a4.one_change_p99", largest.p99, "µs", Some(50.0)),
        figure("a4.slope", slope, "exponent", Some(0.15)),
    ];
    for (agents, change) in &changes {
        figures.push(figure(&format!("a4.one_change_p50.{agents}_agents"), change.p50, "µs", None));
        figures.push(figure(&format!("a4.one_change_p99.{agents}_agents"), change.p99, "µs", None));
    }
    figures
}

/// The exponent of the power law that fits best: the slope of the line through the points' logarithms.
fn exponent(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    covariance / variance
}

//! Allocation cycles in process, without the wire: the grids of Mesos's own allocator benchmarks, and the law that one
//! change costs the same in a cluster of any size.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

mod report;

use std::time::{Duration, Instant};

use attica_allocator::{
    AgentKey, Allocator, Capabilities, Config, FrameworkKey, Offer, OfferKey, Ranges, Resource, Resources, Role,
    Scalar, Tick,
};
use report::{Better, Figure, is_wanted, median};

/// As long as Mesos allows a refusal to last.
const FOREVER_MS: u64 = 365 * 24 * 3_600_000;

const RUNS: usize = 5;

/// Measures one row of the numbers to reach.
type Row = fn() -> Vec<Figure>;

fn main() {
    let rows: [(&str, Row); 4] = [("a1", a1), ("a2", a2), ("a3", a3), ("a4", a4)];
    for (row, bench) in rows {
        if is_wanted(row) {
            report::print(&bench());
        }
    }
}

fn figure(bench: &str, value: f64, unit: &'static str, reach: Option<f64>) -> Figure {
    Figure { bench: bench.to_owned(), value, unit, reach, better: Better::Lower, fsync_ms: None }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The middle of what `run` measures: of five runs where one takes under a minute, else of that one.
fn median_of_runs<const FIGURES: usize>(mut run: impl FnMut() -> [f64; FIGURES]) -> [f64; FIGURES] {
    let started = Instant::now();
    let mut runs = vec![run()];
    if started.elapsed() < Duration::from_secs(60) {
        runs.extend((1..RUNS).map(|_| run()));
    }
    std::array::from_fn(|index| median(runs.iter().map(|run| run[index]).collect()))
}

fn machine(cpus: u32, mem: u32, disk: u32, ports: Ranges) -> Resources {
    let quantities = [("cpus", cpus), ("mem", mem), ("disk", disk)];
    let scalars = quantities.map(|(name, quantity)| Resource::scalar(name, Scalar::units(quantity)));
    scalars.into_iter().chain([Resource::ranges("ports", ports)]).collect()
}

/// A port range cut into `pieces`, as Mesos's benchmarks do it: single ports with gaps between them, then the rest.
fn fragments(pieces: u64) -> Ranges {
    let singles = (0..pieces - 1).map(|piece| (31_000 + 2 * piece, 31_000 + 2 * piece));
    Ranges::new(singles.chain([(31_000 + 2 * (pieces - 1), 32_000)])).expect("ranges in order")
}

/// The cluster of Mesos's benchmark `DeclineOffers`: all frameworks in one role, and each uses something on its part
/// of the agents.
fn decline_offers_cluster(agents: u32, frameworks: u32) -> Allocator {
    let config = Config { offer_timeout_ms: None, ..Config::default() };
    let mut allocator = Allocator::new(config);
    let frameworks: Vec<FrameworkKey> =
        (0..frameworks).map(|_| allocator.add_framework([Role::any()], Capabilities::default())).collect();
    let total = machine(24, 4096, 4096, Ranges::new([(31_000, 32_000)]).expect("a range"));
    let used = machine(16, 2014, 1024, fragments(16));
    for index in 0..agents as usize {
        // A fresh bag each, as it comes from the wire: nothing is shared between agents.
        let agent = allocator.add_agent(total.iter().cloned().collect());
        let framework = frameworks[index % frameworks.len()];
        allocator.use_resources(framework, &Role::any(), agent, &used).expect("the agent has that");
    }
    allocator
}

/// How the rounds of one `DeclineOffers` run went, in milliseconds per round.
struct Rounds {
    cycle: f64,
    slowest_cycle: f64,
    declines: f64,
}

/// Mesos's benchmark: as many rounds as it takes until every framework has refused every agent forever, then as many
/// again. Only the rounds that offer are counted; the ones after that must offer nothing.
fn decline_offers(agents: u32, frameworks: u32) -> Rounds {
    let mut allocator = decline_offers_cluster(agents, frameworks);
    let mut offers: Vec<Offer> = Vec::new();
    let (mut cycles, mut declines) = (Vec::new(), Duration::ZERO);
    for round in 0..2 * u64::from(frameworks) {
        let now = Tick(round * 1_000);
        let started = Instant::now();
        for offer in offers.drain(..) {
            let offer = allocator.take(offer.key).expect("an outstanding offer");
            allocator.decline(now, &offer, &offer.resources, FOREVER_MS);
        }
        declines += started.elapsed();
        let started = Instant::now();
        allocator.allocate(now, &mut offers);
        let cycle = started.elapsed();
        if round < u64::from(frameworks) {
            assert_eq!(offers.len(), agents as usize, "every agent is offered in every round");
            cycles.push(milliseconds(cycle));
        } else {
            assert!(offers.is_empty(), "everybody refused everything");
        }
    }
    let rounds = f64::from(frameworks);
    Rounds {
        cycle: cycles.iter().sum::<f64>() / rounds,
        slowest_cycle: cycles.iter().copied().fold(0.0, f64::max),
        declines: milliseconds(declines) / rounds,
    }
}

fn decline_offers_figures(row: &str, agents: u32, frameworks: u32, reach_ms: f64) -> Vec<Figure> {
    let [cycle, slowest, declines] = median_of_runs(|| {
        let rounds = decline_offers(agents, frameworks);
        [rounds.cycle, rounds.slowest_cycle, rounds.declines]
    });
    vec![
        figure(&format!("{row}.cycle"), cycle, "ms", Some(reach_ms)),
        figure(&format!("{row}.slowest_cycle"), slowest, "ms", None),
        figure(&format!("{row}.declines_of_a_round"), declines, "ms", None),
    ]
}

fn a1() -> Vec<Figure> {
    decline_offers_figures("a1", 10_000, 1_000, 10.0)
}

fn a2() -> Vec<Figure> {
    let mut figures = decline_offers_figures("a2", 20_000, 1_000, 25.0);
    figures.extend(decline_offers_figures("a2.50k", 50_000, 1_000, 80.0));
    figures
}

/// Cycles in which nothing changed, at several sizes, every framework having refused every agent, or with as many
/// roles as frameworks.
fn a3() -> Vec<Figure> {
    let filtered = |agents, frameworks| {
        let mut allocator = decline_offers_cluster(agents, frameworks);
        refuse_everywhere(&mut allocator, agents, frameworks);
        idle_cycle(allocator)
    };
    let [small, large, roles] =
        median_of_runs(|| [filtered(5_000, 50), filtered(10_000, 1_000), idle_cycle(cluster_of_roles(3_000))]);
    vec![
        figure("a3.idle_cycle", small.max(large).max(roles), "µs", Some(10.0)),
        figure("a3.idle_cycle.5k_agents_50_frameworks_all_refused", small, "µs", None),
        figure("a3.idle_cycle.10k_agents_1k_frameworks_all_refused", large, "µs", None),
        figure("a3.idle_cycle.3k_agents_3k_roles", roles, "µs", None),
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

fn cluster_of_roles(roles: u32) -> Allocator {
    let mut allocator = Allocator::new(Config { offer_timeout_ms: None, ..Config::default() });
    for role in 0..roles {
        let role = Role::new(&format!("role-{role}")).expect("a role");
        allocator.add_framework([role], Capabilities::default());
        allocator.add_agent(machine(4, 4096, 4096, fragments(1)));
    }
    allocator
}

/// Has every framework refuse, forever, all that is free on each agent.
fn refuse_everywhere(allocator: &mut Allocator, agents: u32, frameworks: u32) {
    for agent in (0..agents).map(AgentKey) {
        let free = allocator.free(agent).clone();
        (0..frameworks).for_each(|framework| refuse(allocator, FrameworkKey(framework), agent, &free));
    }
}

fn refuse(allocator: &mut Allocator, framework: FrameworkKey, agent: AgentKey, refused: &Resources) {
    let offer = Offer { key: OfferKey(0), framework, role: Role::any(), agent, resources: refused.clone() };
    allocator.decline(Tick(0), &offer, refused, FOREVER_MS);
}

/// What one change costs, in microseconds.
struct OneChange {
    p50: f64,
    p99: f64,
}

/// One agent changes in a cluster where everybody has refused everything that is free: a task ends, and what it leaves
/// is offered. The half of the frameworks that is first in fair order has refused even that, so that the search has to
/// pass them all. Measured is the event together with the cycle that follows it; the framework then launches the task
/// anew, which is not measured.
fn one_change(agents: u32, frameworks: u32) -> OneChange {
    const CHANGES: usize = 20_000;
    let mut allocator = decline_offers_cluster(agents, frameworks);
    let mut fair_order: Vec<u32> = (0..frameworks).collect();
    fair_order.sort_by_key(|framework| agents / frameworks + u32::from(*framework < agents % frameworks));
    let (first, last) = fair_order.split_at(frameworks as usize / 2);
    for agent in (0..agents).map(AgentKey) {
        let (total, free) = (allocator.agent_total(agent).clone(), allocator.free(agent).clone());
        first.iter().for_each(|framework| refuse(&mut allocator, FrameworkKey(*framework), agent, &total));
        last.iter().for_each(|framework| refuse(&mut allocator, FrameworkKey(*framework), agent, &free));
    }
    let ports = Ranges::new([(31_000, 31_000), (31_002, 31_002)]).expect("ranges in order");
    let task = machine(2, 128, 64, ports);
    let any = Role::any();
    let mut offers = Vec::new();
    allocator.allocate(Tick(0), &mut offers);
    assert!(offers.is_empty(), "everybody refused everything");
    let mut times: Vec<Duration> = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        let index = (change as u32).wrapping_mul(2_654_435_761) % agents;
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
    OneChange { p50: at(0.5), p99: at(0.99) }
}

fn a4() -> Vec<Figure> {
    const FRAMEWORKS: u32 = 6_000;
    const AGENTS: [u32; 5] = [1_000, 3_000, 10_000, 30_000, 100_000];
    let changes = AGENTS.map(|agents| {
        let [p50, p99] = median_of_runs(|| {
            let change = one_change(agents, FRAMEWORKS);
            [change.p50, change.p99]
        });
        (f64::from(agents), OneChange { p50, p99 })
    });
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

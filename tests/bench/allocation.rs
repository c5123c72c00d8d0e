//! Allocation in process, without the wire: the grids of Mesos's own allocator benchmarks, and the law that one change costs
//! the same in a cluster of any size. Where Mesos's figure is known it stands beside ours.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

mod allocation_rows;
mod report;

use std::time::{Duration, Instant};

use allocation_rows::{backlog, declines, one_change, quotas, reservations, sizes};
use attica_allocator::{
    AgentKey, Allocator, Capabilities, Config, FrameworkKey, Offer, OfferKey, Ranges, Resource, Resources, Role,
    Scalar, Tick,
};
use report::{Better, Figure, is_wanted, median};

/// As long as Mesos allows a refusal to last.
const FOREVER_MS: u64 = 365 * 24 * 3_600_000;

const RUNS: usize = 5;

/// What Mesos needs, measured on such a machine where the row says so, else published.
const MESOS: [(&str, f64); 10] = [
    ("a1.cycle", 537.0),
    ("a2.cycle", 1_002.0),
    ("a2.50k.cycle", 3_757.0),
    ("a3.idle_cycle.5k_agents_50_frameworks_all_refused", 2_438_000.0),
    ("a3.idle_cycle.10k_agents_1k_frameworks_all_refused", 120_000.0),
    ("a3.idle_cycle.3k_agents_3k_roles_with_quota", 13_700_000.0),
    ("a5.cycle", 15_300.0),
    ("a6.add_50k_agents", 4_600.0),
    ("a6.memory_of_an_agent", 27.0),
    ("a7.revives", 55_100.0),
];
const MESOS_RESERVATIONS: (&str, f64) = ("a8.reserve_and_unreserve", 90_000.0);

/// Measures one row of the numbers to reach.
type Row = fn() -> Vec<Figure>;

fn main() {
    let rows: [(&str, Row); 8] = [
        ("a1", declines::a1),
        ("a2", declines::a2),
        ("a3", quotas::a3),
        ("a4", one_change::a4),
        ("a5", quotas::a5),
        ("a6", sizes::a6),
        ("a7", backlog::a7),
        ("a8", reservations::a8),
    ];
    let mesos: Vec<(&str, f64)> = MESOS.into_iter().chain([MESOS_RESERVATIONS]).collect();
    for (row, bench) in rows {
        if is_wanted(row) {
            report::print_beside(&bench(), &mesos);
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

fn role(name: &str) -> Role {
    Role::new(name).expect("a role")
}

fn ports(begin: u64, end: u64) -> Ranges {
    Ranges::new([(begin, end)]).expect("a range")
}

fn machine(cpus: u32, mem: u32, disk: u32, ports: Ranges) -> Resources {
    let quantities = [("cpus", cpus), ("mem", mem), ("disk", disk)];
    let scalars = quantities.map(|(name, quantity)| Resource::scalar(name, Scalar::units(quantity)));
    scalars.into_iter().chain([Resource::ranges("ports", ports)]).collect()
}

/// A fresh bag, as it comes from the wire: nothing is shared with other agents.
fn fresh(resources: &Resources) -> Resources {
    resources.iter().cloned().collect()
}

/// A port range cut into `pieces`, as Mesos's benchmarks do it: single ports with gaps between them, then the rest.
fn fragments(pieces: u64) -> Ranges {
    let singles = (0..pieces - 1).map(|piece| (31_000 + 2 * piece, 31_000 + 2 * piece));
    Ranges::new(singles.chain([(31_000 + 2 * (pieces - 1), 32_000)])).expect("ranges in order")
}

/// Offers that nobody answers stay out: in a benchmark no time passes.
fn patient() -> Config {
    Config { offer_timeout_ms: None, ..Config::default() }
}

/// The cluster of Mesos's benchmark `DeclineOffers`: all frameworks in one role, and each uses something on its part
/// of the agents.
fn decline_offers_cluster(agents: u32, frameworks: u32) -> Allocator {
    let mut allocator = Allocator::new(patient());
    let frameworks: Vec<FrameworkKey> =
        (0..frameworks).map(|_| allocator.add_framework([Role::any()], Capabilities::default())).collect();
    let total = machine(24, 4096, 4096, ports(31_000, 32_000));
    let used = machine(16, 2014, 1024, fragments(16));
    for index in 0..agents as usize {
        let agent = allocator.add_agent(fresh(&total));
        let framework = frameworks[index % frameworks.len()];
        allocator.use_resources(framework, &Role::any(), agent, &used).expect("the agent has that");
    }
    allocator
}

/// Has a framework refuse something of an agent, for ever.
fn refuse(allocator: &mut Allocator, framework: FrameworkKey, agent: AgentKey, refused: &Resources) {
    let offer = Offer { key: OfferKey(0), framework, role: Role::any(), agent, resources: refused.clone() };
    allocator.decline(Tick(0), &offer, refused, FOREVER_MS);
}

/// Has every framework refuse, for ever, all that is free on each agent.
fn refuse_everywhere(allocator: &mut Allocator, agents: u32, frameworks: u32) {
    for agent in (0..agents).map(AgentKey) {
        let free = allocator.free(agent).clone();
        (0..frameworks).for_each(|framework| refuse(allocator, FrameworkKey(framework), agent, &free));
    }
}

//! Rows a1 and a2: every agent is offered, and every offer declined for ever, as in Mesos's `DeclineOffers`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use attica_allocator::{AgentKey, Allocator, FrameworkKey, Offer, Tick};

use crate::report::Figure;
use crate::{FOREVER_MS, decline_offers_cluster, figure, median_of_runs, milliseconds, refuse};

/// So many of the rounds are measured, spread evenly from the first to the last. A whole benchmark has as many rounds as
/// frameworks and takes minutes; in those between, the refusals are recorded without the offers.
const ROUNDS: u32 = 50;

/// How the rounds of one run went, in milliseconds per round.
struct Rounds {
    cycle: f64,
    slowest_cycle: f64,
    declines: f64,
}

/// Each round every agent is offered to somebody who has not refused it; at the end, everybody has refused every agent.
fn decline_offers(agents: u32, frameworks: u32) -> Rounds {
    let mut allocator = decline_offers_cluster(agents, frameworks);
    let mut willing: Vec<BTreeSet<u32>> = (0..agents).map(|_| (0..frameworks).collect()).collect();
    let (mut cycles, mut declines) = (Vec::new(), Duration::ZERO);
    let mut offers: Vec<Offer> = Vec::new();
    for sample in 0..ROUNDS {
        let refused = (frameworks - 1) * sample / (ROUNDS - 1);
        skip_to(&mut allocator, &mut willing, (frameworks - refused) as usize);
        let now = Tick(u64::from(refused) * 1_000);
        let started = Instant::now();
        allocator.allocate(now, &mut offers);
        cycles.push(milliseconds(started.elapsed()));
        assert_eq!(offers.len(), agents as usize, "every agent is offered in every round");
        for offer in &offers {
            assert!(
                willing[offer.agent.0 as usize].remove(&offer.framework.0),
                "it is offered to who did not refuse it"
            );
        }
        let started = Instant::now();
        for offer in offers.drain(..) {
            let offer = allocator.take(offer.key).expect("an outstanding offer");
            allocator.decline(now, &offer, &offer.resources, FOREVER_MS);
        }
        declines += started.elapsed();
    }
    allocator.allocate(Tick(0), &mut offers);
    assert!(offers.is_empty(), "everybody refused everything");
    let rounds = f64::from(ROUNDS);
    Rounds {
        cycle: cycles.iter().sum::<f64>() / rounds,
        slowest_cycle: cycles.iter().copied().fold(0.0, f64::max),
        declines: milliseconds(declines) / rounds,
    }
}

/// Has frameworks refuse until of each agent only so many have not. Which ones differs from agent to agent.
fn skip_to(allocator: &mut Allocator, willing: &mut [BTreeSet<u32>], left: usize) {
    for (index, willing) in willing.iter_mut().enumerate() {
        let agent = AgentKey(index as u32);
        let free = allocator.free(agent).clone();
        while willing.len() > left {
            let start = (index as u32).wrapping_mul(2_654_435_761) % willing.len() as u32;
            let next = willing.range(start..).next().or(willing.first()).copied();
            let Some(framework) = next else { return };
            willing.remove(&framework);
            refuse(allocator, FrameworkKey(framework), agent, &free);
        }
    }
}

fn figures(row: &str, agents: u32, frameworks: u32, reach_ms: f64) -> Vec<Figure> {
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

pub(crate) fn a1() -> Vec<Figure> {
    figures("a1", 10_000, 1_000, 10.0)
}

pub(crate) fn a2() -> Vec<Figure> {
    let mut all = figures("a2", 20_000, 1_000, 25.0);
    all.extend(figures("a2.50k", 50_000, 1_000, 80.0));
    all
}

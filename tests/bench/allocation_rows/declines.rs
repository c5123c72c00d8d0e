//! Rows a1 and a2: every agent is offered, and every offer declined for ever, as in Mesos's `DeclineOffers`.

use std::time::{Duration, Instant};

use attica_allocator::{AgentKey, Allocator, FrameworkKey, Offer, Tick};

use crate::report::Figure;
use crate::{FOREVER_MS, decline_offers_cluster, figure, median_of_runs, milliseconds, refuse};

/// A whole benchmark has as many rounds as frameworks and takes minutes. Measured are so many stretches of it, spread evenly from
/// the beginning to the end; in between, the refusals are recorded without the offers.
const STRETCHES: u32 = 10;
/// The rounds of a stretch. The first ones bring everything back into the caches that the refusals in between pushed out.
const ROUNDS: u32 = 6;
const WARM_UP_ROUNDS: u32 = 2;

/// How the rounds of one run went, in milliseconds per round.
struct Rounds {
    cycle: f64,
    slowest_cycle: f64,
    declines: f64,
}

/// Who has not refused which agent yet: a bit for each.
struct Willing {
    words: Vec<u64>,
    per_agent: usize,
}

impl Willing {
    fn all(agents: u32, frameworks: u32) -> Willing {
        let per_agent = frameworks.div_ceil(64) as usize;
        let mut willing = Willing { words: vec![0; agents as usize * per_agent], per_agent };
        for agent in 0..agents {
            (0..frameworks).for_each(|framework| *willing.word(agent, framework) |= 1 << (framework % 64));
        }
        willing
    }

    fn word(&mut self, agent: u32, framework: u32) -> &mut u64 {
        &mut self.words[agent as usize * self.per_agent + framework as usize / 64]
    }

    /// True when it had not refused before.
    fn refuses(&mut self, agent: u32, framework: u32) -> bool {
        let word = self.word(agent, framework);
        let was_willing = *word >> (framework % 64) & 1 == 1;
        *word &= !(1 << (framework % 64));
        was_willing
    }
}

/// Each round every agent is offered to somebody who has not refused it; at the end, everybody has refused every agent.
fn decline_offers(agents: u32, frameworks: u32) -> Rounds {
    let mut allocator = decline_offers_cluster(agents, frameworks);
    let mut willing = Willing::all(agents, frameworks);
    let (mut cycles, mut declines) = (Vec::new(), Duration::ZERO);
    let mut offers: Vec<Offer> = Vec::new();
    let mut refused = 0;
    for stretch in 0..STRETCHES {
        let begin = (frameworks - ROUNDS) * stretch / (STRETCHES - 1);
        skip(&mut allocator, &mut willing, agents, frameworks, begin - refused);
        refused = begin + ROUNDS;
        for round in 0..ROUNDS {
            let now = Tick(u64::from(begin + round) * 1_000);
            let started = Instant::now();
            allocator.allocate(now, &mut offers);
            let cycle = started.elapsed();
            assert_eq!(offers.len(), agents as usize, "every agent is offered in every round");
            for offer in &offers {
                assert!(willing.refuses(offer.agent.0, offer.framework.0), "it is offered to who did not refuse it");
            }
            let started = Instant::now();
            for offer in offers.drain(..) {
                let offer = allocator.take(offer.key).expect("an outstanding offer");
                allocator.decline(now, &offer, &offer.resources, FOREVER_MS);
            }
            if round >= WARM_UP_ROUNDS {
                cycles.push(milliseconds(cycle));
                declines += started.elapsed();
            }
        }
    }
    allocator.allocate(Tick(0), &mut offers);
    assert!(offers.is_empty(), "everybody refused everything");
    let rounds = cycles.len() as f64;
    Rounds {
        cycle: cycles.iter().sum::<f64>() / rounds,
        slowest_cycle: cycles.iter().copied().fold(0.0, f64::max),
        declines: milliseconds(declines) / rounds,
    }
}

/// Of each agent, has so many frameworks refuse that have not; which ones differs from agent to agent.
fn skip(allocator: &mut Allocator, willing: &mut Willing, agents: u32, frameworks: u32, count: u32) {
    for agent in 0..agents {
        let free = allocator.free(AgentKey(agent)).clone();
        let mut framework = agent.wrapping_mul(2_654_435_761) % frameworks;
        for _ in 0..count {
            while !willing.refuses(agent, framework) {
                framework = (framework + 1) % frameworks;
            }
            refuse(allocator, FrameworkKey(framework), AgentKey(agent), &free);
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

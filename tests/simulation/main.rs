//! The whole system in one process, with every fault and a clock that is only a number.
//!
//! The kernels that run here are the real ones. Around them everything is simulated: the shell and its writer ([`master`]), Postgres
//! ([`store`]), agents with their processes ([`agent`]), frameworks ([`scheduler`]), and the network between them ([`network`]),
//! which delays, loses, repeats, and is cut in one direction or both. Masters crash, are paused and are deposed; commits fail, or
//! succeed without an answer; agents crash, reboot and lose their disks; schedulers vanish and are taken over. In some of the runs one of
//! the frameworks is the service layer with its real engine ([`paas`]), with clients that write and follow its events.
//!
//! One seed decides everything, so a run can be repeated exactly. After every step the invariants are checked ([`checks`], one file
//! each, named as in the architecture); towards the end the faults stop, and what must have come right by then is checked as well.
//! A simulator that finds nothing proves little, so it is also run against deliberately broken rules ([`rules`]), which it has to find.

#![allow(clippy::expect_used, reason = "a test that cannot go on stops")]
#![allow(
    clippy::too_many_arguments,
    reason = "clock, randomness and rules come in with every event: nodes share nothing"
)]
#![allow(clippy::large_enum_variant, reason = "messages are few and short-lived")]

mod agent;
mod checks;
mod faults;
mod lead;
mod master;
mod network;
mod paas;
mod random;
mod rules;
mod scheduler;
mod store;
mod summary;
mod world;

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use faults::Scenario;
use rules::Rules;
use summary::Summary;
use world::{Trace, World};

/// As many seeds are tried in every run of the tests, unless [`COUNT_VARIABLE`] says how many.
const SEEDS: u64 = 300;
/// And as many in which only the databases go away.
const OUTAGE_SEEDS: u64 = 40;
/// For a night's search.
const COUNT_VARIABLE: &str = "ATTICA_SIM_SEEDS";
/// With this variable set, one seed is run and everything that happens is printed.
const SEED_VARIABLE: &str = "ATTICA_SIM_SEED";

/// Runs one seed; the error says which invariant was violated, and how.
fn run(seed: u64, scenario: Scenario, rules: Rules, trace: Trace) -> Result<Summary, String> {
    let world = AssertUnwindSafe(|| World::new(seed, scenario, rules, trace).run());
    panic::catch_unwind(world).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", message.unwrap_or_default()))
    })
}

/// Runs seeds on all processors; returns the first violation by seed, if any.
fn search(seeds: std::ops::Range<u64>, scenario: Scenario, rules: Rules) -> (Summary, Option<(u64, String)>) {
    let next = AtomicU64::new(seeds.start);
    let worker = || {
        let mut total = Summary::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return (total, None);
            }
            match run(seed, scenario, rules, Trace::Off) {
                Ok(summary) => total.merge(&summary),
                Err(violation) => {
                    next.fetch_max(seeds.end, Ordering::Relaxed);
                    return (total, Some((seed, violation)));
                }
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let mut total = Summary::default();
    results.iter().for_each(|(summary, _)| total.merge(summary));
    (total, results.into_iter().filter_map(|(_, violation)| violation).min())
}

/// Runs seeds of a scenario, or the one that [`SEED_VARIABLE`] names; `test` is how to call it again.
#[expect(clippy::print_stdout, reason = "what happened is for whoever reads the test's output")]
fn explore(test: &str, scenario: Scenario, default_seeds: u64) -> Option<Summary> {
    if let Ok(seed) = std::env::var(SEED_VARIABLE) {
        let seed = seed.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is not a number: {seed}"));
        match run(seed, scenario, Rules::default(), Trace::On) {
            Ok(summary) => println!("seed {seed}: {summary:?}"),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
        return None;
    }
    let count = std::env::var(COUNT_VARIABLE).ok().and_then(|count| count.parse().ok()).unwrap_or(default_seeds);
    let (summary, violation) = search(0..count, scenario, Rules::default());
    if let Some((seed, violation)) = violation {
        panic!(
            "seed {seed}: {violation}\nreplay with: {SEED_VARIABLE}={seed} cargo test --test simulation {test} -- --nocapture"
        );
    }
    println!("{count} seeds: {summary:?}");
    Some(summary)
}

#[test]
fn invariants_hold_whatever_happens() {
    let summary = explore("invariants", Scenario::Everything, SEEDS);
    summary.iter().for_each(Summary::assert_eventful);
}

#[test]
fn nobody_is_given_up_because_the_store_is_away() {
    explore("nobody", Scenario::Outages, OUTAGE_SEEDS);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let twice = [(); 2].map(|()| run(7, Scenario::Everything, Rules::default(), Trace::Off));
    assert_eq!(twice[0], twice[1]);
}

/// The simulator must find a broken rule, and blame the right invariant.
fn must_find(rules: Rules, invariant: &str) {
    must_find_in(Scenario::Everything, rules, invariant, &[]);
}

/// The same in another scenario. Some seeds may show `consequences` first.
fn must_find_in(scenario: Scenario, rules: Rules, invariant: &str, consequences: &[&str]) {
    let mut seeds = 0..SEEDS;
    loop {
        let (_, violation) = search(seeds.clone(), scenario, rules);
        let (seed, violation) = violation.expect("the broken rule is found");
        if violation.starts_with(invariant) {
            return;
        }
        let follows = consequences.iter().any(|consequence| violation.starts_with(consequence));
        assert!(follows, "seed {seed} blames something else: {violation}");
        seeds.start = seed + 1;
    }
}

#[test]
fn finds_a_master_that_speaks_before_the_commit() {
    must_find(Rules { release: rules::Release::BeforeCommit, ..Rules::default() }, "I1:");
}

#[test]
fn finds_a_leader_that_does_not_deliver_what_the_last_one_took() {
    must_find(Rules { outbox: rules::Outbox::NewOnly, ..Rules::default() }, "I14:");
}

#[test]
fn finds_an_agent_that_obeys_deposed_leaders() {
    // A leader that may be deposed says nothing; with such leaders the agents' own check would hardly ever be needed.
    let rules = Rules { epochs: rules::Epochs::Ignored, doubt: rules::Doubt::Ignored, ..Rules::default() };
    must_find_in(Scenario::Everything, rules, "I8:", &["I1:", "I7:"]);
}

#[test]
fn finds_a_service_layer_that_calls_before_the_commit() {
    must_find(Rules { paas_release: rules::Release::BeforeCommit, ..Rules::default() }, "I1:");
}

#[test]
fn finds_a_planner_that_ignores_the_minimum_health_capacity() {
    must_find(Rules { capacity: rules::Capacity::Ignored, ..Rules::default() }, "I3:");
}

#[test]
fn finds_an_engine_that_starts_one_instance_too_many() {
    must_find(Rules { instances: rules::Instances::Twins, ..Rules::default() }, "I2:");
}

#[test]
fn finds_an_event_stream_that_repeats_an_event_on_resume() {
    must_find(Rules { resume: rules::Resume::Repeating, ..Rules::default() }, "I9:");
}

#[test]
fn finds_an_event_stream_that_skips_an_event_on_resume() {
    must_find(Rules { resume: rules::Resume::Skipping, ..Rules::default() }, "I9:");
}

#[test]
fn finds_a_fact_that_the_kernels_tables_leave_out() {
    must_find(Rules { tables: rules::Tables::WithoutUnreachableAgents, ..Rules::default() }, "I10:");
}

#[test]
fn finds_a_fact_that_the_service_layers_tables_leave_out() {
    must_find(Rules { tables: rules::Tables::WithoutDelays, ..Rules::default() }, "I10:");
}

#[test]
fn finds_a_deployment_that_never_ends() {
    must_find(Rules { ends: rules::Ends::Withheld, ..Rules::default() }, "I12:");
}

#[test]
fn finds_deadlines_that_pass_while_nobody_can_come_back() {
    let rules = Rules { deadlines: rules::Deadlines::Passing, ..Rules::default() };
    must_find_in(Scenario::Outages, rules, "I5:", &[]);
}

#[test]
fn finds_a_load_balancer_that_acknowledges_what_it_has_not_done() {
    must_find(Rules { removals: rules::Removals::Promised, ..Rules::default() }, "I11:");
}

#[test]
fn finds_a_kernel_that_does_not_hear_what_roles_are_promised() {
    must_find(Rules { promises: rules::Promises::Unheard, ..Rules::default() }, "I13:");
}

#[test]
fn finds_an_instance_that_gets_other_volumes_than_its_own() {
    must_find(Rules { volumes: rules::Volumes::Exchanged, ..Rules::default() }, "I15:");
}

#[test]
fn finds_a_pod_that_is_launched_by_halves() {
    must_find(Rules { groups: rules::Groups::Halved, ..Rules::default() }, "I15:");
}

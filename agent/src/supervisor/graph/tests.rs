//! Any graph, walked by runs that end as they like, against what must hold of every step.

use attica_core_api::v1::{HttpLifecycle, ProcessGraph, ProcessInfo, ProcessOrder};
use attica_core_api::{Now, Tick, Timestamp};
use proptest::prelude::*;

use super::walk::{Act, Plea, Walk};
use crate::checkpoint::{GraphStage, GraphVerdict, RunPhase};
use crate::launcher::protocol::{ContainerId, Ending, Exit, MemoryVerdict};

/// How one run goes.
#[derive(Clone, Copy, Debug)]
struct Script {
    takes_ms: u64,
    exit: Exit,
    obeys: bool,
}

#[derive(Clone, Debug)]
struct Case {
    graph: ProcessGraph,
    scripts: Vec<Script>,
    kill_at: Option<u64>,
    grace_ms: u64,
    hears: bool,
    restarts: Vec<bool>,
}

fn process() -> impl Strategy<Value = ProcessInfo> {
    let flags = (prop::bool::weighted(0.15), prop::bool::weighted(0.15), prop::bool::weighted(0.25));
    (0..4_u32, flags, 0..4_u32).prop_map(|(max_failures, (daemon, ephemeral, is_final), half_seconds)| ProcessInfo {
        command_line: "run".to_owned(),
        max_failures,
        daemon,
        ephemeral,
        r#final: is_final,
        min_duration_seconds: f64::from(half_seconds) / 2.0,
        ..ProcessInfo::default()
    })
}

fn graph() -> impl Strategy<Value = ProcessGraph> {
    let parts = (prop::collection::vec(process(), 1..8), prop::collection::vec((0..8_usize, 0..8_usize), 0..10));
    let rest = (0..3_u32, 0..4_u32, 0..40_u32, prop::bool::ANY);
    (parts, rest).prop_map(|((mut processes, pairs), (max_failures, max_concurrency, wait, pleads))| {
        processes[0].r#final = false;
        for (index, process) in processes.iter_mut().enumerate() {
            process.name = format!("p{index}");
        }
        let allowed = |first: &ProcessInfo, second: &ProcessInfo| {
            first.r#final == second.r#final && !first.daemon && (!first.ephemeral || second.ephemeral)
        };
        let orders = pairs.into_iter().filter_map(|(one, other)| {
            let (first, second) = (processes.get(one.min(other))?, processes.get(one.max(other))?);
            (one != other && allowed(first, second))
                .then(|| ProcessOrder { order: vec![first.name.clone(), second.name.clone()] })
        });
        ProcessGraph {
            orders: orders.collect(),
            processes,
            max_failures,
            max_concurrency,
            finalization_wait_seconds: f64::from(wait),
            lifecycle: pleads.then(|| HttpLifecycle { port: 80, ..HttpLifecycle::default() }),
        }
    })
}

fn case() -> impl Strategy<Value = Case> {
    let exit = prop_oneof![
        4 => Just(Exit::Code(0)),
        3 => Just(Exit::Code(1)),
        1 => Just(Exit::Signal(9)),
        1 => Just(Exit::Unknown),
    ];
    let script = (0..5_000_u64, exit, prop::bool::ANY);
    let script = script.prop_map(|(takes_ms, exit, obeys)| Script { takes_ms, exit, obeys });
    let rest = (prop::option::of(0..20_000_u64), 0..20_000_u64, prop::bool::ANY);
    let restarts = prop::collection::vec(prop::bool::weighted(0.1), 64);
    (graph(), prop::collection::vec(script, 64), rest, restarts).prop_map(
        |(graph, scripts, (kill_at, grace_ms, hears), restarts)| Case {
            graph,
            scripts,
            kill_at,
            grace_ms,
            hears,
            restarts,
        },
    )
}

/// Everything the walk sees, and a memory of it that is kept apart.
struct World {
    case: Case,
    walk: Walk,
    now_ms: u64,
    steps: usize,
    runs: usize,
    /// When which place's run ends, and how.
    running: Vec<(usize, u64, Script)>,
    last_end: Vec<Option<u64>>,
    succeeded: Vec<bool>,
    failures: Vec<u32>,
    /// Since when which place was to be gone.
    destroyed: Vec<usize>,
    killed: bool,
    is_over: bool,
}

fn now(ms: u64) -> Now {
    Now { tick: Tick(ms), wall: Timestamp(i64::try_from(ms).unwrap()) }
}

impl World {
    fn new(case: Case) -> World {
        let count = case.graph.processes.len();
        World {
            walk: Walk::new(&case.graph).unwrap(),
            case,
            now_ms: 0,
            steps: 0,
            runs: 0,
            running: Vec::new(),
            last_end: vec![None; count],
            succeeded: vec![false; count],
            failures: vec![0; count],
            destroyed: Vec::new(),
            killed: false,
            is_over: false,
        }
    }

    /// As a killed agent comes back: from what was written down.
    fn restart(&mut self) {
        let mut fresh = Walk::new(&self.case.graph).unwrap();
        for (place, standing) in self.walk.standings().enumerate() {
            fresh.restore_process(now(self.now_ms), place, standing.clone());
        }
        fresh.restore_stage(now(self.now_ms), self.walk.stage());
        self.walk = fresh;
        if self.killed {
            self.walk.kill(now(self.now_ms), self.case.grace_ms);
        }
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.case.restarts[self.steps % 64] && !self.is_over {
            self.restart();
        }
        let mut acts = Vec::new();
        self.walk.step(now(self.now_ms), &mut acts);
        let stage = self.walk.stage().stage;
        for act in acts {
            match act {
                Act::Start(place) => self.start(place, stage),
                Act::Terminate(place) => {
                    assert!(matches!(stage, GraphStage::Cleaning | GraphStage::Finalizing));
                    for (_, end, _) in self.running.iter_mut().filter(|(at, _, script)| *at == place && script.obeys) {
                        *end = self.now_ms;
                    }
                }
                Act::Destroy(place) => {
                    assert_eq!(stage, GraphStage::Ending);
                    self.destroyed.push(place);
                    for (_, end, script) in self.running.iter_mut().filter(|(at, ..)| *at == place) {
                        (*end, script.exit) = (self.now_ms, Exit::Signal(9));
                    }
                }
                Act::Plead(plea) => {
                    assert!(self.case.graph.lifecycle.is_some() && self.killed);
                    if !self.case.hears {
                        self.walk.plea_is_unheard(now(self.now_ms), plea);
                    }
                }
                Act::Finish => {
                    assert!(self.running.is_empty() && !self.is_over, "it ends once, with nothing running");
                    self.is_over = true;
                }
            }
        }
    }

    fn start(&mut self, place: usize, stage: GraphStage) {
        let processes = &self.case.graph.processes;
        let info = &processes[place];
        let expected = if info.r#final { GraphStage::Finalizing } else { GraphStage::Active };
        assert_eq!(stage, expected);
        assert!(info.r#final || !self.killed, "nothing is begun in a task that is killed but what is final");
        assert!(self.running.iter().all(|(at, ..)| *at != place), "one run at a time");
        let of_plan = self.running.iter().filter(|(at, ..)| processes[*at].r#final == info.r#final).count();
        let most = self.case.graph.max_concurrency as usize;
        assert!(most == 0 || of_plan < most, "no more than max_concurrency at a time");
        if info.r#final {
            assert!(self.running.iter().all(|(at, ..)| processes[*at].r#final), "final processes follow all others");
        }
        for order in self.case.graph.orders.iter().filter(|order| order.order[1] == info.name) {
            let before = processes.iter().position(|process| process.name == order.order[0]).unwrap();
            let given_up = processes[before].ephemeral && self.failures[before] >= processes[before].max_failures;
            assert!(self.succeeded[before] || given_up, "not before what it waits for");
        }
        assert!(info.daemon || !self.succeeded[place], "what has succeeded is not run again");
        assert!(info.max_failures == 0 || self.failures[place] < info.max_failures, "nor what has failed");
        let pause_ms = ((info.min_duration_seconds * 1e3) as u64).max(100);
        assert!(self.last_end[place].is_none_or(|end| self.now_ms >= end + pause_ms), "not too soon");
        self.walk.begin(now(self.now_ms), place, ContainerId::new(&format!("c{}", self.runs)).unwrap());
        self.walk.started(place);
        let script = self.case.scripts[self.runs % 64];
        self.running.push((place, self.now_ms + script.takes_ms, script));
        self.runs += 1;
    }

    /// To the next thing that happens.
    fn advance(&mut self) -> bool {
        let end = self.running.iter().map(|(_, end, _)| *end).min();
        let wake = self.walk.next_wake().map(|tick| tick.0);
        let kill = self.case.kill_at.filter(|_| !self.killed);
        let Some(next) = [end, wake, kill].into_iter().flatten().min() else { return false };
        self.now_ms = self.now_ms.max(next);
        if kill.is_some_and(|kill| kill <= self.now_ms) {
            self.killed = true;
            self.walk.kill(now(self.now_ms), self.case.grace_ms);
        }
        if let Some(index) = self.running.iter().position(|(_, end, _)| *end <= self.now_ms) {
            let (place, _, script) = self.running.swap_remove(index);
            let stage = self.walk.stage().stage;
            self.last_end[place] = Some(self.now_ms);
            match script.exit {
                Exit::Code(0) => self.succeeded[place] |= !self.case.graph.processes[place].daemon,
                Exit::Unknown => {}
                Exit::Code(_) | Exit::Signal(_) => {
                    let wanted = match stage {
                        GraphStage::Active => true,
                        GraphStage::Finalizing => self.case.graph.processes[place].r#final,
                        _ => false,
                    };
                    self.failures[place] += u32::from(wanted);
                }
            }
            let ending = Ending { exit: script.exit, memory: MemoryVerdict::WithinLimit };
            self.walk.ended(now(self.now_ms), place, ending);
        }
        true
    }

    /// By the rules alone, once nothing of the regular processes goes on.
    fn expected(&self) -> GraphVerdict {
        let regular = self.case.graph.processes.iter().enumerate().filter(|(_, process)| !process.r#final);
        let counted = || regular.clone().filter(|(_, process)| !process.ephemeral);
        let has_failed = |place: usize, process: &ProcessInfo| {
            process.max_failures > 0 && self.failures[place] >= process.max_failures && !self.succeeded[place]
        };
        let failed = counted().filter(|(place, process)| has_failed(*place, process)).count();
        let limit = self.case.graph.max_failures as usize;
        let settled = counted().all(|(place, process)| self.succeeded[place] || has_failed(place, process));
        match (limit > 0 && failed >= limit, settled) {
            (true, _) | (false, false) => GraphVerdict::Failed,
            (false, true) => GraphVerdict::Success,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_walk_keeps_the_rules_and_ends(case in case()) {
        let mut world = World::new(case);
        world.step();
        for _ in 0..3_000 {
            if world.is_over || !world.advance() {
                break;
            }
            world.step();
        }
        if world.case.kill_at.is_none() && !world.is_over {
            // Something in it goes on for ever, as a daemon does: until it is killed.
            let endless = |process: &ProcessInfo| process.daemon || process.max_failures == 0;
            prop_assert!(world.case.graph.processes.iter().any(endless));
            world.case.kill_at = Some(world.now_ms);
            while !world.is_over && world.advance() {
                world.step();
            }
        }
        prop_assert!(world.is_over);
        prop_assert!(world.walk.next_wake().is_none());
        let verdict = world.walk.verdict().unwrap();
        if verdict != GraphVerdict::Killed {
            prop_assert_eq!(verdict, world.expected());
        }
        prop_assert!(world.killed || verdict != GraphVerdict::Killed);
        prop_assert!(world.walk.standings().all(|it| !matches!(it.phase, RunPhase::Launching | RunPhase::Running)));
        if let Some(kill_at) = world.case.kill_at.filter(|_| world.killed) {
            prop_assert!(world.now_ms <= kill_at.max(world.now_ms.min(kill_at)) + 130_000);
        }
    }
}

#[test]
fn pleas_come_before_signals_and_are_waited_for_only_if_they_are_heard() {
    let graph = ProcessGraph {
        processes: vec![ProcessInfo { name: "a".to_owned(), command_line: "run".to_owned(), ..ProcessInfo::default() }],
        lifecycle: Some(HttpLifecycle { port: 80, ..HttpLifecycle::default() }),
        ..ProcessGraph::default()
    };
    for hears in [true, false] {
        let mut walk = Walk::new(&graph).unwrap();
        let mut acts = Vec::new();
        let mut told = Vec::new();
        walk.step(now(0), &mut acts);
        walk.begin(now(0), 0, ContainerId::new("c").unwrap());
        walk.started(0);
        acts.clear();
        walk.kill(now(1_000), 2_000);
        for ms in (1_000..20_000).step_by(500) {
            walk.step(now(ms), &mut acts);
            for act in acts.drain(..) {
                if let (Act::Plead(plea), false) = (act, hears) {
                    walk.plea_is_unheard(now(ms), plea);
                }
                told.push((ms, act));
            }
        }
        let [second, term, kill] = if hears { [6_000, 11_000, 13_000] } else { [1_500, 2_000, 4_000] };
        let expected = [
            (1_000, Act::Plead(Plea::Graceful)),
            (second, Act::Plead(Plea::Final)),
            (term, Act::Terminate(0)),
            (kill, Act::Destroy(0)),
        ];
        assert_eq!(told, expected, "hears: {hears}");
    }
}

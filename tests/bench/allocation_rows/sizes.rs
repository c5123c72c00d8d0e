//! Row a6: what it takes to add agents, in time and in memory.

use std::time::Instant;

use attica_allocator::{Allocator, Capabilities, Role};

use crate::report::Figure;
use crate::{figure, fragments, fresh, machine, median_of_runs, milliseconds, patient, ports};

const AGENTS: u32 = 50_000;
const FRAMEWORKS: u32 = 1_000;

/// The agents of Mesos's `AddAndUpdateSlave`: each comes with a task in use.
pub(crate) fn a6() -> Vec<Figure> {
    // The first run alone gets its memory from the system; those after it use it again.
    let mut memory = None;
    let [added] = median_of_runs(|| {
        let mut allocator = Allocator::new(patient());
        let keys = (0..FRAMEWORKS).map(|_| allocator.add_framework([Role::any()], Capabilities::default()));
        let frameworks: Vec<_> = keys.collect();
        let total = machine(2, 1024, 4096, ports(31_000, 32_000));
        let used = machine(1, 128, 1024, fragments(4));
        let before_kib = memory_kib();
        let started = Instant::now();
        for index in 0..AGENTS as usize {
            let agent = allocator.add_agent(fresh(&total));
            let framework = frameworks[index % frameworks.len()];
            allocator.use_resources(framework, &Role::any(), agent, &fresh(&used)).expect("the agent has that");
        }
        let took = milliseconds(started.elapsed());
        memory.get_or_insert((memory_kib() - before_kib) / f64::from(AGENTS));
        [took]
    });
    vec![
        figure("a6.add_50k_agents", added, "ms", Some(500.0)),
        figure("a6.memory_of_an_agent", memory.unwrap_or_default(), "KiB", Some(2.0)),
    ]
}

/// What this process holds.
fn memory_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

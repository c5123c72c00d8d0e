//! Row a7: one revive per framework in a large cluster, as in Mesos's `AllocatorBacklog`.

use std::time::Instant;

use attica_allocator::{Allocator, Capabilities, FrameworkKey, Role, Tick};

use crate::report::Figure;
use crate::{figure, fresh, machine, median_of_runs, milliseconds, patient, ports};

const AGENTS: u32 = 50_000;
const FRAMEWORKS: u32 = 1_000;

/// Empty agents, and frameworks that want nothing until each revives. There is a cycle after every one of them: nothing is
/// put off in order to look better.
pub(crate) fn a7() -> Vec<Figure> {
    let any = Role::any();
    let [revives] = median_of_runs(|| {
        let mut allocator = Allocator::new(patient());
        let keys = (0..FRAMEWORKS).map(|_| allocator.add_framework([any.clone()], Capabilities::default()));
        let frameworks: Vec<FrameworkKey> = keys.collect();
        frameworks.iter().for_each(|framework| allocator.suppress(*framework, &any));
        let total = machine(24, 4096, 4096, ports(31_000, 32_000));
        (0..AGENTS).for_each(|_| {
            allocator.add_agent(fresh(&total));
        });
        let mut offers = Vec::new();
        allocator.allocate(Tick(0), &mut offers);
        assert!(offers.is_empty(), "nobody wants any");
        let started = Instant::now();
        for framework in &frameworks {
            allocator.revive(*framework, &any);
            allocator.allocate(Tick(0), &mut offers);
        }
        let took = milliseconds(started.elapsed());
        assert_eq!(offers.len(), AGENTS as usize);
        [took]
    });
    vec![figure("a7.revives", revives, "ms", Some(100.0))]
}

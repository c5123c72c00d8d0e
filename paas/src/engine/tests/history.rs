use attica_core_api::v1::TaskId;
use attica_core_api::v1::TaskState;
use proptest::prelude::*;

use super::super::*;
use super::world::{Behaviour, World, id, update};
use crate::model::RunSpecUpdate;

#[derive(Clone, Debug)]
enum Deed {
    Put { app: usize, instances: u32, command: u8, force: bool },
    Delete { app: usize },
    Restart { app: usize },
    CancelAll { mode: bool },
    Crash { nth: usize },
    Toggle { machine: usize },
    Behave { behaviour: u8 },
    Pass { milliseconds: u64 },
    FailOver,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..3usize, 0..6u32, 0..3u8, any::<bool>())
            .prop_map(|(app, instances, command, force)| Deed::Put { app, instances, command, force }),
        1 => (0..3usize).prop_map(|app| Deed::Delete { app }),
        1 => (0..3usize).prop_map(|app| Deed::Restart { app }),
        1 => any::<bool>().prop_map(|mode| Deed::CancelAll { mode }),
        2 => (0..20usize).prop_map(|nth| Deed::Crash { nth }),
        2 => (0..3usize).prop_map(|machine| Deed::Toggle { machine }),
        1 => (0..3u8).prop_map(|behaviour| Deed::Behave { behaviour }),
        3 => (0..40_000u64).prop_map(|milliseconds| Deed::Pass { milliseconds }),
        1 => Just(Deed::FailOver),
    ]
}

fn path(app: usize) -> &'static str {
    ["/web", "/shop/api", "/db"][app]
}

fn act(world: &mut World, deed: &Deed) {
    match deed {
        Deed::Put { app, instances, command, force } => {
            let to = RunSpecUpdate { cmd: Some(format!("run {command}")), ..update(*instances) };
            let changes = vec![RunSpecChange { id: id(path(*app)), to: Definition::Merged(Box::new(to)) }];
            drop(world.write(Write::Put { changes, force: *force }));
        }
        Deed::Delete { app } => drop(world.write(Write::Delete { id: id(path(*app)), force: true })),
        Deed::Restart { app } => drop(world.write(Write::Restart { id: id(path(*app)), force: true })),
        Deed::CancelAll { mode } => {
            let mode = if *mode { CancelMode::RollBack } else { CancelMode::Leave };
            let running: Vec<_> = world.engine.snapshot().deployments.keys().copied().collect();
            running.into_iter().for_each(|id| drop(world.write(Write::Cancel { id, mode })));
        }
        Deed::Crash { nth } => {
            let tasks: Vec<TaskId> = world.tasks.keys().cloned().collect();
            if let Some(task) = tasks.get(*nth) {
                world.end(task, TaskState::Failed);
                world.run();
            }
        }
        Deed::Toggle { machine } => world.set_reachable(*machine, !world.machines[*machine].reachable),
        Deed::Behave { behaviour } => {
            world.behaviour = [Behaviour::Run, Behaviour::Crash, Behaviour::Stall][usize::from(*behaviour)];
        }
        Deed::Pass { milliseconds } => world.pass(*milliseconds),
        Deed::FailOver => world.fail_over(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happened: the fold of the facts is the state, and once the world is well again, every deployment ends, and every
    /// app has exactly its instances.
    #[test]
    fn everything_comes_right_in_the_end(deeds in prop::collection::vec(deed(), 1..40)) {
        let mut world = World::new(3);
        deeds.iter().for_each(|deed| act(&mut world, deed));
        world.behaviour = Behaviour::Run;
        (0..3).for_each(|machine| world.set_reachable(machine, true));
        world.pass(400_000);
        world.fail_over();
        world.pass(400_000);
        prop_assert!(world.engine.snapshot().deployments.is_empty());
        let mut wanted = 0;
        for (id, state) in &world.engine.snapshot().run_specs {
            let instances = state.definition().map_or(0, |definition| definition.instances as usize);
            prop_assert_eq!(world.ready(id.as_str()), instances);
            prop_assert_eq!(state.instances.len(), instances);
            wanted += instances;
        }
        prop_assert_eq!(world.tasks.len(), wanted);
    }
}

//! The promise that what is written down is all that is needed.

use proptest::prelude::*;

use super::*;

/// Something that may happen to one of three tasks.
#[derive(Clone, Debug)]
enum Step {
    Run(usize),
    Started(usize),
    Ended(usize, Exit),
    Kill(usize, u64),
    Acknowledge(usize),
    Probe(usize, bool),
    LinkClosed,
    Registered,
    LauncherRestarted,
    AgentRestarted,
    WrittenAnew,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let exit = prop_oneof![Just(Exit::Code(0)), Just(Exit::Code(1)), Just(Exit::Signal(9)), Just(Exit::Unknown)];
    prop_oneof![
        3 => (0usize..3).prop_map(Step::Run),
        3 => (0usize..3).prop_map(Step::Started),
        1 => (0usize..3, exit).prop_map(|(task, exit)| Step::Ended(task, exit)),
        1 => (0usize..3, 0u64..5_000).prop_map(|(task, grace)| Step::Kill(task, grace)),
        3 => (0usize..20).prop_map(Step::Acknowledge),
        2 => (0usize..3, any::<bool>()).prop_map(|(task, healthy)| Step::Probe(task, healthy)),
        1 => Just(Step::LinkClosed),
        2 => Just(Step::Registered),
        1 => Just(Step::LauncherRestarted),
        1 => Just(Step::AgentRestarted),
        1 => Just(Step::WrittenAnew),
        1 => (0u64..20_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Killed at any moment, the agent that comes back knows the same tasks in the same states with the same updates pending,
    /// and no task ever goes backwards.
    #[test]
    fn what_is_written_down_suffices(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::ready();
        let mut heard: BTreeMap<(ContainerId, u64), StatusUpdate> = BTreeMap::new();
        for step in steps {
            let name = |index: usize| format!("t{index}");
            let container = |world: &World, index: usize| {
                world.supervisor.tasks().find(|task| task.key.task_id.as_str() == name(index)).map(|task| task.container.clone())
            };
            match step {
                Step::Run(index) => {
                    let mut info = task(&name(index));
                    info.health_check = (index == 1).then(http_check);
                    info.health_checks = if index == 2 { vec![http_check()] } else { vec![] };
                    world.run(info);
                }
                Step::Started(index) => if let Some(container) = container(&world, index) { world.started(&container) },
                Step::Ended(index, exit) => if let Some(container) = container(&world, index) { world.ended(&container, exit) },
                Step::Kill(index, grace_ms) => world.kill(&name(index), Some(grace_ms)),
                Step::Acknowledge(index) => if let Some(update) = world.sent.get(index).cloned() { world.acknowledge(&update) },
                Step::Probe(index, healthy) => if let Some(container) = container(&world, index) {
                    world.probed(&container, if healthy { Ok(()) } else { Err("down") });
                },
                Step::LinkClosed => world.apply(Input::LinkClosed),
                Step::Registered => world.register(),
                Step::LauncherRestarted => {
                    world.apply(Input::LauncherClosed);
                    world.greet(Vec::new());
                }
                Step::AgentRestarted => {
                    let before = world.supervisor.registration("");
                    let running: Vec<ContainerReport> = world.supervisor.tasks().filter(|task| task.phase == crate::supervisor::Phase::Running)
                        .map(|task| report(&task.container, Stage::Running)).collect();
                    world = World::recovered(world.disk, BOOT, world.now_ms + 1);
                    prop_assert_eq!(world.supervisor.registration(""), before);
                    world.greet(running);
                    world.register();
                }
                Step::WrittenAnew => {
                    let histories: Vec<History> = world.supervisor.histories().collect();
                    world.disk.store(histories);
                }
                Step::Wait(ms) => world.advance(ms),
            }
            for update in &world.sent {
                let container = update.status.container_status.as_ref().unwrap().container_id.as_ref().unwrap().value.clone();
                let earlier = heard.insert((ContainerId::new(&container).unwrap(), update.sequence), update.clone());
                prop_assert!(earlier.is_none_or(|earlier| earlier == *update), "one sequence number, one update");
            }
        }
        let mut last: BTreeMap<ContainerId, (u64, bool)> = BTreeMap::new();
        for ((container, sequence), update) in heard {
            let (before, ended) = last.insert(container, (sequence, crate::supervisor::updates::is_final(update.status.state))).unwrap_or((0, false));
            prop_assert!(!ended && sequence > before, "nothing follows the end");
        }
    }
}

//! Instances with persistent volumes.

use std::collections::{BTreeMap, BTreeSet};

use attica_core_api::v1::{OfferOperationType, TaskId, TaskState};
use proptest::prelude::*;

use super::super::*;
use super::world::{World, config, id, update};
use crate::model::{
    Access, Condition, Container, ContainerKind, DiskKind, Goal, Instance, PersistentVolume, Residency, RunSpecUpdate,
    TaskLost, Volume, VolumeSource,
};

const APP: &str = "/db";

fn world(machines: usize) -> World {
    let mut world = World::bare(Config { role: "data".into(), ..config() }, machines);
    world.watch = check;
    world.connect();
    world
}

fn volume(name: &str) -> Volume {
    let persistent =
        PersistentVolume { disk: DiskKind::Root, size_mb: 10, size_max_mb: None, profile: None, paths: Vec::new() };
    Volume { container_path: name.into(), source: VolumeSource::Persistent(persistent), access: Access::ReadWrite }
}

pub(super) fn resident(instances: u32) -> RunSpecUpdate {
    let volumes = vec![volume("data")];
    let container = Container { kind: ContainerKind::Mesos, image: None, volumes, linux: None };
    RunSpecUpdate { container: Some(container), ..update(instances) }
}

fn scaled(instances: u32) -> RunSpecUpdate {
    RunSpecUpdate { instances: Some(instances), ..RunSpecUpdate::default() }
}

fn changed(command: &str) -> RunSpecUpdate {
    RunSpecUpdate { cmd: Some(command.into()), ..RunSpecUpdate::default() }
}

/// What must hold at any moment: no instance has two volumes for its one, or is in two places.
fn check(world: &World) {
    let mut owners = BTreeSet::new();
    for (owner, machine) in world.kept.volumes() {
        assert!(owners.insert(owner.instance.clone()), "{} has another volume on {machine}", owner.instance);
    }
}

/// What must hold once everything has come to rest: what is kept is kept for instances that are there, each where it says.
fn check_at_rest(world: &World) {
    let kept: BTreeMap<_, _> =
        world.kept.volumes().into_iter().map(|(owner, machine)| (owner.instance, machine)).collect();
    let instances = world.instances(APP);
    let known: BTreeMap<_, _> = instances
        .iter()
        .filter_map(|instance| Some((instance.id.clone(), instance.agent()?.hostname.clone())))
        .collect();
    assert_eq!(kept, known);
}

fn goals(world: &World) -> Vec<Goal> {
    let mut goals: Vec<Goal> = world.instances(APP).iter().map(|instance| instance.goal).collect();
    goals.sort_by_key(|goal| *goal as u8);
    goals
}

fn only(world: &World) -> Instance {
    let mut instances = world.instances(APP);
    assert_eq!(instances.len(), 1, "{instances:?}");
    instances.remove(0)
}

fn delete(world: &mut World) {
    world.deployed(Write::Delete { id: id(APP), force: true });
}

fn wipe(world: &mut World) {
    let tasks = TaskSelection::All { run_spec: id(APP) };
    world.write(Write::Kill { tasks, mode: KillMode::Wipe, force: false }).unwrap();
}

fn operations(world: &World) -> Vec<Vec<OfferOperationType>> {
    let accepts = world.calls.iter().filter_map(|call| call.accept.as_ref());
    accepts.map(|accept| accept.operations.iter().map(|operation| operation.r#type.unwrap()).collect()).collect()
}

#[test]
fn the_first_launch_reserves_and_creates() {
    let mut world = world(1);
    let deployment = world.put(APP, resident(1));
    assert!(!world.is_running(deployment));
    use OfferOperationType::{Create, Launch, Reserve};
    assert_eq!(operations(&world), [vec![Reserve, Create, Launch]]);
    let instance = only(&world);
    let kept = instance.reservation.clone().unwrap();
    assert!(kept.confirmed);
    let name = format!("db#data#{}", kept.volumes[0].uuid);
    let task = &world.tasks[&TaskId::from(instance.task_identity().to_string())].info;
    let volumes: Vec<_> = task.resources.iter().filter_map(|resource| resource.disk.as_ref()).collect();
    assert_eq!(volumes.len(), 1);
    assert_eq!(volumes[0].persistence.as_ref().unwrap().id, name);
    assert_eq!(volumes[0].volume.as_ref().unwrap().container_path, "data");
    let labels = |resource: &attica_core_api::v1::Resource| {
        let labels = resource.reservation.as_ref().unwrap().labels.clone().unwrap().labels;
        labels.into_iter().map(|label| (label.key, label.value.unwrap())).collect::<BTreeMap<_, _>>()
    };
    let expected = [("marathon_framework_id", "f".to_owned()), ("marathon_task_id", instance.id.to_string())];
    let expected: BTreeMap<_, _> = expected.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    for resource in &task.resources {
        assert_eq!((resource.role.as_deref(), labels(resource)), (Some("data"), expected.clone()), "{resource:?}");
    }
    let definition = world.definition(APP);
    assert_eq!(definition.residency, Some(Residency::default()));
    assert_eq!((definition.upgrade.minimum_health_capacity, definition.upgrade.maximum_over_capacity), (0.5, 0.0));
}

#[test]
fn a_failed_instance_comes_back_to_its_volume() {
    let mut world = world(2);
    world.put(APP, resident(1));
    let before = only(&world);
    world.end(&before.task.as_ref().unwrap().id, TaskState::Failed);
    world.run();
    world.pass(5_000);
    let after = only(&world);
    assert_eq!((after.incarnation, after.condition), (2, Condition::Running));
    assert_eq!(after.reservation, before.reservation);
    assert_eq!(operations(&world).last().unwrap(), &[OfferOperationType::Launch]);
    check_at_rest(&world);
}

#[test]
fn what_is_scaled_down_rests_and_comes_first_when_it_is_scaled_up() {
    let mut world = world(2);
    world.put(APP, resident(2));
    let before: BTreeSet<_> = world.instances(APP).into_iter().map(|instance| instance.id).collect();
    let deployment = world.put(APP, scaled(0));
    assert!(!world.is_running(deployment));
    assert_eq!(goals(&world), [Goal::Stopped, Goal::Stopped]);
    check_at_rest(&world);
    world.put(APP, scaled(3));
    assert_eq!(world.ready(APP), 3);
    let after: BTreeSet<_> = world.instances(APP).into_iter().map(|instance| instance.id).collect();
    assert!(after.is_superset(&before));
    check_at_rest(&world);
}

#[test]
fn wiped_instances_are_replaced_and_leave_nothing() {
    let mut world = world(2);
    world.put(APP, resident(2));
    world.put(APP, scaled(1));
    let before: BTreeSet<_> = world.instances(APP).into_iter().map(|instance| instance.id).collect();
    wipe(&mut world);
    world.pass(5_000);
    let instance = only(&world);
    assert!(!before.contains(&instance.id));
    assert_eq!(world.ready(APP), 1);
    check_at_rest(&world);
}

#[test]
fn with_its_run_spec_everything_goes() {
    let mut world = world(2);
    world.put(APP, resident(3));
    world.put(APP, scaled(2));
    delete(&mut world);
    world.pass(5_000);
    assert!(world.is_gone(APP));
    assert!(world.kept.is_empty(), "{:?}", world.kept);
    assert!(world.engine.snapshot().deployments.is_empty());
}

#[test]
fn a_new_version_takes_the_places_of_the_old_one() {
    for instances in [1, 2, 5] {
        let mut world = world(2);
        world.put(APP, resident(instances));
        let before: BTreeSet<_> = world.instances(APP).into_iter().map(|instance| instance.id).collect();
        let deployment = world.put(APP, changed("serve better"));
        world.pass(10_000);
        assert!(!world.is_running(deployment), "{instances}");
        let after = world.instances(APP);
        assert_eq!(after.iter().map(|instance| instance.id.clone()).collect::<BTreeSet<_>>(), before);
        let version = world.definition(APP).version;
        assert!(after.iter().all(|instance| instance.version == version && instance.is_ready()));
        check_at_rest(&world);
    }
}

#[test]
fn a_lost_launch_reserves_nothing_twice() {
    let mut world = world(1);
    world.deaf = true;
    let to = Definition::Merged(Box::new(resident(1)));
    world.write_only(Write::Put { changes: vec![RunSpecChange { id: id(APP), to }], force: false }).unwrap();
    world.pass(100);
    let lost = only(&world);
    assert_eq!(lost.condition, Condition::Provisioned);
    world.deaf = false;
    world.fail_over();
    world.pass(25_000);
    assert_ne!(only(&world).id, lost.id);
    assert_eq!(world.ready(APP), 1);
    check_at_rest(&world);
}

#[test]
fn what_is_kept_for_nobody_is_given_back() {
    let mut world = world(1);
    world.put(APP, resident(1));
    // An engine that knows nothing of it.
    world.facts.retain(|fact| matches!(fact, Fact::Subscribed { .. }));
    world.tasks.clear();
    let empty = Snapshot { framework_id: world.engine.snapshot().framework_id.clone(), ..Snapshot::default() };
    world.engine =
        Engine::recover(Config { role: "data".into(), ..config() }, empty, attica_core_api::Entropy::new(5), world.now);
    world.connect();
    world.pass(1_000);
    assert!(world.kept.is_empty(), "{:?}", world.kept);
}

#[test]
fn what_an_operator_gives_up_is_made_anew_elsewhere() {
    let mut world = world(2);
    world.put(APP, resident(1));
    let before = only(&world);
    let machine = before.agent().unwrap().hostname.clone();
    let task = before.task.as_ref().unwrap().id.clone();
    world.report(&task, TaskState::GoneByOperator, |_| {});
    world.tasks.remove(&task);
    world.kept.lose(&machine);
    world.machines.retain(|other| other.name != machine);
    world.run();
    world.pass(5_000);
    let after = only(&world);
    assert_eq!((after.id.clone(), world.ready(APP)), (before.id.clone(), 1));
    assert_ne!(after.reservation, before.reservation);
    check_at_rest(&world);
}

#[test]
fn an_instance_out_of_contact_is_waited_for_as_long_as_its_run_spec_says() {
    let residency = Residency { relaunch_timeout_ms: 60_000, task_lost: TaskLost::RelaunchAfterTimeout };
    for (residency, replaced) in [(None, false), (Some(residency), true)] {
        let mut world = world(2);
        world.put(APP, RunSpecUpdate { residency, ..resident(1) });
        let before = only(&world);
        let machine =
            world.machines.iter().position(|machine| machine.name == before.agent().unwrap().hostname).unwrap();
        world.set_reachable(machine, false);
        world.pass(50_000);
        assert_eq!(only(&world).id, before.id);
        world.pass(50_000);
        assert_eq!(world.ready(APP), usize::from(replaced));
        world.set_reachable(machine, true);
        world.pass(40_000);
        assert_eq!(world.ready(APP), 1);
        assert_eq!(only(&world).id == before.id, !replaced);
        check_at_rest(&world);
    }
}

#[test]
fn somebody_elses_reservation_is_not_taken() {
    let mut world = world(1);
    world.put(APP, resident(1));
    world.put(APP, scaled(0));
    // All but what is kept is taken by others: nothing is left for an ordinary app.
    world.machines[0].cpus = 0.1;
    world.put("/web", update(1));
    assert_eq!(world.ready("/web"), 0);
    world.machines[0].cpus = 16.0;
    world.put(APP, scaled(1));
    assert_eq!(world.ready(APP), 1);
}

#[derive(Clone, Debug)]
enum Act {
    Scale(u32),
    Change,
    Wipe,
    Fail(usize),
    Vanish(usize),
    Return,
    Lose,
    FailOver,
    Delete,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0u32..4).prop_map(Act::Scale),
        Just(Act::Change),
        Just(Act::Wipe),
        (0usize..4).prop_map(Act::Fail),
        (0usize..3).prop_map(Act::Vanish),
        Just(Act::Return),
        Just(Act::Lose),
        Just(Act::FailOver),
        Just(Act::Delete),
    ];
    prop::collection::vec(act, 1..12)
}

fn perform(world: &mut World, act: &Act, commands: &mut u32) {
    let exists = world.engine.snapshot().run_specs.get(&id(APP)).is_some_and(|state| state.current.is_some());
    match act {
        Act::Scale(instances) => {
            let update = if exists { scaled(*instances) } else { resident(*instances) };
            let to = Definition::Merged(Box::new(update));
            let _ = world.write(Write::Put { changes: vec![RunSpecChange { id: id(APP), to }], force: true });
        }
        Act::Change if exists => {
            *commands += 1;
            let to = Definition::Merged(Box::new(changed(&format!("serve {commands}"))));
            let _ = world.write(Write::Put { changes: vec![RunSpecChange { id: id(APP), to }], force: true });
        }
        Act::Wipe if exists => wipe(world),
        Act::Delete if exists => delete(world),
        Act::Change | Act::Wipe | Act::Delete => {}
        Act::Fail(index) => {
            let task = world.tasks.keys().nth(*index).cloned();
            task.iter().for_each(|task| world.end(task, TaskState::Failed));
            world.run();
        }
        Act::Vanish(index) => world.set_reachable(*index, false),
        Act::Return => (0..world.machines.len()).for_each(|index| world.set_reachable(index, true)),
        Act::Lose => {
            // What is said now is lost with the connection.
            world.deaf = true;
            let to = Definition::Merged(Box::new(if exists { scaled(3) } else { resident(3) }));
            let _ = world.write_only(Write::Put { changes: vec![RunSpecChange { id: id(APP), to }], force: true });
            world.pass(100);
            world.deaf = false;
            world.disconnect();
            world.connect();
        }
        Act::FailOver => world.fail_over(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_reserved_twice_nor_forgotten(acts in acts()) {
        let mut world = world(3);
        world.put(APP, resident(2));
        let mut commands = 0;
        for act in &acts {
            perform(&mut world, act, &mut commands);
        }
        perform(&mut world, &Act::Return, &mut commands);
        world.pass(120_000);
        check_at_rest(&world);
        let wanted = world.engine.snapshot().run_specs.get(&id(APP)).and_then(RunSpecState::definition);
        let wanted = wanted.map_or(0, |definition| definition.instances as usize);
        prop_assert_eq!(world.ready(APP), wanted);
        perform(&mut world, &Act::Delete, &mut commands);
        world.pass(60_000);
        prop_assert!(world.is_gone(APP) && world.kept.is_empty(), "{:?}", world.kept);
    }
}

use super::super::*;
use super::world::{Behaviour, World, id, update};
use crate::model::{Constraint, DeploymentId, FieldName, Operator, RunSpecUpdate, Version};

pub(super) fn impossible() -> RunSpecUpdate {
    let constraint = Constraint { field: FieldName::Attribute("moon".into()), operator: Operator::Is("yes".into()) };
    RunSpecUpdate { constraints: Some(vec![constraint]), ..RunSpecUpdate::default() }
}

fn put(path: &str, to: RunSpecUpdate, force: bool) -> Write {
    Write::Put { changes: vec![RunSpecChange { id: id(path), to: Definition::Merged(Box::new(to)) }], force }
}

#[test]
fn a_running_deployment_locks_its_run_specs() {
    let mut world = World::new(2);
    world.behaviour = Behaviour::Stall;
    let first = world.put("/web", update(1));
    let refused = world.write(put("/web", update(2), false));
    assert_eq!(refused, Err(Refusal::Locked { deployments: vec![first] }));
    assert_eq!(world.event_types().last(), Some(&"group_change_failed"));
    assert_eq!(world.definition("/web").instances, 1);
    let second = world.deployed(put("/web", update(2), true));
    assert!(!world.is_running(first) && world.is_running(second));
    assert!(world.event_types().contains(&"deployment_failed"));
}

#[test]
fn others_are_not_locked() {
    let mut world = World::new(2);
    world.behaviour = Behaviour::Stall;
    world.put("/web", update(1));
    world.behaviour = Behaviour::Run;
    let other = world.put("/db", update(1));
    assert!(!world.is_running(other));
}

#[test]
fn a_stopped_deployment_leaves_what_it_did() {
    let mut world = World::new(2);
    let create = RunSpecUpdate { constraints: impossible().constraints, ..update(5) };
    let deployment = world.put("/web", create);
    assert!(world.is_running(deployment));
    let item = world.views.iter().rev().find_map(|view| match view {
        View::Queued(item) => Some(item),
        View::Unqueued(_) | View::Connected(_) | View::Responded { .. } => None,
    });
    let item = item.unwrap();
    assert_eq!((item.count, item.delayed), (5, None));
    let row = item.offers.last_offers.rows()[1];
    assert_eq!((row.reason.as_str(), row.declined, row.processed), ("UnfulfilledConstraint", 2, 2));
    assert_eq!(world.write(Write::Cancel { id: deployment, mode: CancelMode::Leave }), Ok(Reply::Cancelled));
    assert_eq!(world.event_types().last(), Some(&"deployment_failed"));
    assert_eq!(world.definition("/web").instances, 5);
    let again = world.write(Write::Cancel { id: deployment, mode: CancelMode::Leave });
    assert_eq!(again, Err(Refusal::DeploymentMissing(deployment)));
}

#[test]
fn rolling_a_creation_back_removes_the_app() {
    let mut world = World::new(2);
    let create = RunSpecUpdate { constraints: impossible().constraints, ..update(2) };
    let deployment = world.put("/web", create);
    let back = world.deployed(Write::Cancel { id: deployment, mode: CancelMode::RollBack });
    assert!(!world.is_running(back) && !world.is_running(deployment));
    assert!(world.is_gone("/web"));
}

#[test]
fn rolling_an_update_back_keeps_the_instances_that_survived_it() {
    let mut world = World::new(4);
    world.put("/web", update(4));
    let tasks = world.task_ids("/web");
    let before = world.definition("/web");
    let deployment = world.put("/web", impossible());
    assert!(world.is_running(deployment));
    assert_eq!(world.ready("/web"), 4);
    let back = world.deployed(Write::Cancel { id: deployment, mode: CancelMode::RollBack });
    assert!(!world.is_running(back));
    assert_eq!(world.task_ids("/web"), tasks);
    let after = world.definition("/web");
    assert_eq!((after.generation, &after.placement), (before.generation, &before.placement));
    assert!(after.last_config_change_at > before.last_config_change_at);
}

#[test]
fn a_stored_version_comes_back() {
    let mut world = World::new(2);
    world.put("/web", update(1));
    let first = world.definition("/web");
    world.put("/web", RunSpecUpdate { cmd: Some("serve two".into()), ..RunSpecUpdate::default() });
    let stored = |version| Write::Put {
        changes: vec![RunSpecChange { id: id("/web"), to: Definition::Stored(version) }],
        force: false,
    };
    let deployment = world.deployed(stored(first.version));
    assert!(!world.is_running(deployment));
    assert_eq!(world.definition("/web").command, first.command);
    assert_eq!(world.definition("/web").ports, first.ports);
    assert_eq!(world.engine.snapshot().run_specs[&id("/web")].versions.len(), 3);
    let never = Version(attica_core_api::Timestamp(5));
    assert_eq!(world.write(stored(never)), Err(Refusal::VersionMissing { id: id("/web"), version: never }));
}

#[test]
fn only_so_many_deployments_run() {
    let mut world = World::bare(Config { running_deployments_max: 2, ..super::world::config() }, 1);
    world.connect();
    world.behaviour = Behaviour::Stall;
    world.put("/a", update(1));
    world.put("/b", update(1));
    let refused = world.write(put("/c", update(1), false));
    assert_eq!(refused, Err(Refusal::TooManyDeployments { limit: 2 }));
    world.deployed(put("/b", update(2), true));
}

#[test]
fn only_so_many_apps_are_made() {
    let mut world = World::bare(Config { apps_max: Some(2), ..super::world::config() }, 1);
    world.connect();
    world.put("/a", update(1));
    world.put("/b", update(1));
    let refused = |outcome| {
        assert!(
            matches!(&outcome, Err(Refusal::Invalid(all)) if all[0].path == "/" && all[0].message.contains("only handle up to 2 Apps!")),
            "{outcome:?}"
        );
    };
    refused(world.write(put("/c", update(1), false)));
    world.put("/b", update(2));
    world.deployed(Write::Delete { id: id("/a"), force: true });
    world.put("/c", update(1));
    world.fail_over();
    refused(world.write(put("/a", update(1), false)));
    assert_eq!(
        world.engine.snapshot().run_specs.keys().filter(|known| **known == id("/a")).count(),
        1,
        "its history stays"
    );
}

#[test]
fn service_ports_are_unique_and_come_back() {
    let mut world = World::bare(Config { service_port_last: 10_001, ..super::world::config() }, 1);
    world.connect();
    world.put("/a", update(1));
    world.put("/b", update(1));
    assert_eq!((world.definition("/a").ports[0].port, world.definition("/b").ports[0].port), (10_000, 10_001));
    let full = world.write(put("/c", update(1), false));
    assert!(matches!(full, Err(Refusal::Invalid(violations)) if violations[0].path == "/portDefinitions"));
    let mut ports = world.definition("/b").ports;
    ports[0].port = 0;
    world.put("/b", RunSpecUpdate { ports: Some(ports), cmd: Some("other".into()), ..RunSpecUpdate::default() });
    assert_eq!(world.definition("/b").ports[0].port, 10_001);
    world.deployed(Write::Delete { id: id("/a"), force: true });
    world.put("/c", update(1));
    assert_eq!(world.definition("/c").ports[0].port, 10_000);
}

#[test]
fn dependencies_come_first_and_circles_are_refused() {
    let mut world = World::new(2);
    let after = |paths: &[&str]| {
        let dependencies = Some(paths.iter().map(|path| (*path).to_owned()).collect());
        RunSpecUpdate { dependencies, ..update(1) }
    };
    let change = |path: &str, to: RunSpecUpdate| RunSpecChange { id: id(path), to: Definition::Merged(Box::new(to)) };
    let changes = vec![
        change("/shop/web", after(&["/shop/api"])),
        change("/shop/api", after(&["/db"])),
        change("/db/main", update(1)),
    ];
    world.deployed(Write::Put { changes, force: false });
    let started = |path: &str| world.instances(path)[0].task.as_ref().unwrap().id.clone();
    let order: Vec<_> = world
        .calls
        .iter()
        .filter_map(|call| call.accept.as_ref())
        .flat_map(|accept| &accept.operations)
        .flat_map(|operation| &operation.launch.as_ref().unwrap().task_infos)
        .map(|info| info.task_id.clone())
        .collect();
    assert_eq!(order, [started("/db/main"), started("/shop/api"), started("/shop/web")]);
    let circle = world.write(put("/db/main", after(&["/shop"]), false));
    assert_eq!(
        circle,
        Err(Refusal::Invalid(vec![Violation::new("/dependencies", "Dependency graph has cyclic dependencies.")]))
    );
}

#[test]
fn what_is_not_there_is_not_changed() {
    let mut world = World::new(1);
    let patch = Definition::Patched(Box::new(update(1)));
    let patched = world.write(Write::Put { changes: vec![RunSpecChange { id: id("/x"), to: patch }], force: false });
    assert_eq!(patched, Err(Refusal::Missing(id("/x"))));
    assert_eq!(world.write(Write::Restart { id: id("/x"), force: false }), Err(Refusal::Missing(id("/x"))));
    assert_eq!(world.write(Write::ResetDelay { id: id("/x") }), Err(Refusal::NotQueued(id("/x"))));
    let nobody = DeploymentId(uuid::Uuid::nil());
    let cancelled = world.write(Write::Cancel { id: nobody, mode: CancelMode::RollBack });
    assert_eq!(cancelled, Err(Refusal::DeploymentMissing(nobody)));
    let facts = world.facts.len();
    world.put("/x", update(1));
    let new = Definition::New(Box::new(update(1)));
    let twice = world.write(Write::Put { changes: vec![RunSpecChange { id: id("/x"), to: new }], force: false });
    assert_eq!(twice, Err(Refusal::Exists(id("/x"))));
    assert!(facts < world.facts.len());
}

#[test]
fn a_path_names_one_thing() {
    let mut world = World::new(1);
    world.put("/shop/web", update(0));
    let message = "Groups and Applications may not have the same identifier.";
    for path in ["/shop", "/shop/web/a"] {
        let refused = world.write(put(path, update(0), false));
        assert_eq!(refused, Err(Refusal::Invalid(vec![Violation::new("/id", message)])), "{path}");
    }
    world.put("/shop-two", update(0));
    let change = || RunSpecChange { id: id("/x"), to: Definition::Merged(Box::new(update(0))) };
    let twice = world.write(Write::Put { changes: vec![change(), change()], force: false });
    assert_eq!(twice, Err(Refusal::Invalid(vec![Violation::new("/apps(1)/id", "is named twice in one request")])));
}

//! In which role what runs, and what the master is told of that.

use attica_core_api::scheduler::CallType;

use super::super::*;
use super::residents::resident;
use super::world::{World, config, id, update};
use crate::model::{Group, GroupId, RunSpecUpdate};

fn in_role(role: &str, update: RunSpecUpdate) -> RunSpecUpdate {
    RunSpecUpdate { role: Some(role.into()), ..update }
}

fn put(path: &str, update: RunSpecUpdate, force: bool) -> Write {
    let to = Definition::Merged(Box::new(update));
    Write::Put { changes: vec![RunSpecChange { id: id(path), to }], force }
}

fn enforce(world: &mut World, group: &str, enforced: bool) {
    let group = GroupId::parse(group).unwrap();
    assert_eq!(world.write(Write::EnforceRole { group, enforced }), Ok(Reply::Done));
}

fn refusal(world: &mut World, write: Write) -> (String, String) {
    match world.write(write) {
        Err(Refusal::Invalid(mut violations)) => {
            assert_eq!(violations.len(), 1, "{violations:?}");
            let violation = violations.remove(0);
            (violation.path, violation.message)
        }
        other => panic!("{other:?}"),
    }
}

/// The roles that a run spec's tasks were offered their resources in.
fn roles(world: &World, path: &str) -> Vec<String> {
    let tasks = world.instances(path).into_iter().map(|instance| instance.task.unwrap().id);
    let mut roles: Vec<String> = tasks.map(|task| world.tasks[&task].role.clone()).collect();
    roles.sort();
    roles.dedup();
    roles
}

#[test]
fn what_lies_in_a_group_may_run_in_its_role_or_in_the_default_one() {
    let mut world = World::new(2);
    world.put("/web", update(1));
    world.put("/dev/plain", update(2));
    world.put("/dev/own", in_role("dev", update(2)));
    world.put("/metrics/deep/own", in_role("metrics", update(1)));
    for (path, count) in [("/web", 1), ("/dev/plain", 2), ("/dev/own", 2), ("/metrics/deep/own", 1)] {
        assert_eq!(world.ready(path), count, "{path}");
    }
    assert_eq!((roles(&world, "/dev/plain"), roles(&world, "/dev/own")), (vec!["*".into()], vec!["dev".into()]));
    assert_eq!(world.roles, ["*", "dev", "metrics"].map(str::to_owned).into());
    // Nobody waits.
    assert_eq!(world.suppressed, world.roles);

    let foreign = put("/dev/own", in_role("metrics", RunSpecUpdate::default()), false);
    assert_eq!(refusal(&mut world, foreign), ("/role".into(), "got metrics, expected one of: [*, dev]".into()));
    let at_the_root = put("/web", in_role("web", RunSpecUpdate::default()), false);
    assert_eq!(refusal(&mut world, at_the_root), ("/role".into(), "got web, expected one of: [*]".into()));

    // A role is given up with the last that runs in it.
    world.deployed(put("/dev/own", in_role("*", RunSpecUpdate::default()), false));
    assert_eq!((roles(&world, "/dev/own"), world.ready("/dev/own")), (vec!["*".into()], 2));
    assert_eq!(world.roles, ["*", "metrics"].map(str::to_owned).into());
}

#[test]
fn offers_are_wanted_in_the_roles_of_those_who_wait() {
    let mut world = World::new(1);
    world.machines[0].cpus = 1.0;
    world.put("/web", update(2));
    world.put("/dev/own", in_role("dev", update(20)));
    assert_eq!((world.ready("/web"), world.ready("/dev/own")), (2, 8));
    assert_eq!(world.suppressed, ["*".to_owned()].into());
    // A new leader, and a new stream, know the same, once what is kept for nobody was looked for.
    world.fail_over();
    world.pass(30_000);
    assert_eq!((&world.roles, &world.suppressed), (&["*", "dev"].map(str::to_owned).into(), &["*".to_owned()].into()));
    world.disconnect();
    world.connect();
    world.put("/web", RunSpecUpdate { instances: Some(0), ..RunSpecUpdate::default() });
    // The tiny master offers what was declined only when that time is over.
    world.pass(world.engine.config.decline_ms);
    assert_eq!((world.ready("/web"), world.ready("/dev/own")), (0, 10));
}

#[test]
fn the_master_is_told_of_roles_only_when_they_change() {
    let mut world = World::new(1);
    world.put("/web", update(2));
    world.put("/dev/own", in_role("dev", update(1)));
    world.put("/dev/other", in_role("dev", update(1)));
    let told = world.calls.iter().filter(|call| call.r#type == Some(CallType::UpdateFramework));
    assert_eq!(told.count(), 1);
}

#[test]
fn roles_are_enforced_from_the_next_change_on() {
    let mut world = World::new(1);
    world.put("/shop/a", update(1));
    enforce(&mut world, "/shop", true);
    let shop = GroupId::parse("/shop").unwrap();
    assert_eq!(world.engine.snapshot().group(&shop), Some(&Group { enforce_role: true, ..Group::default() }));
    // What is there stays as it is, what is new gets the role.
    world.put("/shop/a", RunSpecUpdate { instances: Some(2), ..RunSpecUpdate::default() });
    world.put("/shop/deep/b", update(1));
    assert_eq!((world.definition("/shop/a").role, world.definition("/shop/deep/b").role), ("*".into(), "shop".into()));
    assert_eq!(world.ready("/shop/a"), 2);
    world.put("/shop/a", in_role("shop", RunSpecUpdate::default()));
    assert_eq!(roles(&world, "/shop/a"), ["shop"]);
    let back = put("/shop/a", in_role("*", RunSpecUpdate::default()), true);
    assert_eq!(refusal(&mut world, back.clone()), ("/role".into(), "got *, expected one of: [shop]".into()));
    let environment = |world: &World| {
        let task = world.tasks.values().next_back().unwrap();
        let variables = &task.info.command.as_ref().unwrap().environment.as_ref().unwrap().variables;
        let told = variables.iter().find(|variable| variable.name == "MARATHON_APP_ENFORCE_GROUP_ROLE");
        told.and_then(|variable| variable.value.clone()).unwrap()
    };
    assert_eq!(environment(&world), "true");
    enforce(&mut world, "/shop", false);
    world.deployed(back);
    assert_eq!((roles(&world, "/shop/a"), world.ready("/shop/a")), (vec!["*".to_owned()], 2));
}

#[test]
fn new_groups_enforce_their_role_when_that_is_the_rule() {
    let mut world = World::bare(Config { enforced_by_default: EnforcedByDefault::Top, ..config() }, 1);
    world.connect();
    world.put("/shop/deep/a", update(1));
    assert_eq!((world.definition("/shop/deep/a").role, world.ready("/shop/deep/a")), ("shop".into(), 1));
    let group = GroupId::parse("/shop").unwrap();
    assert!(world.engine.snapshot().group(&group).unwrap().enforce_role);
    world.put("/at-the-root", update(1));
    assert_eq!(world.definition("/at-the-root").role, "*");
}

#[test]
fn what_is_kept_for_an_instance_stays_in_its_role() {
    let mut world = World::bare(Config { role: "data".into(), ..config() }, 2);
    world.connect();
    world.put("/dev/db", resident(1));
    let migrated = |force| put("/dev/db", in_role("dev", RunSpecUpdate::default()), force);
    let (path, message) = refusal(&mut world, migrated(false));
    assert!(path == "/role" && message.contains("?force=true"), "{path}: {message}");
    world.deployed(migrated(true));
    assert_eq!((world.ready("/dev/db"), roles(&world, "/dev/db")), (1, vec!["data".to_owned()]));
    world.put("/dev/db", RunSpecUpdate { instances: Some(2), ..RunSpecUpdate::default() });
    assert_eq!((world.ready("/dev/db"), roles(&world, "/dev/db")), (2, vec!["data".to_owned(), "dev".to_owned()]));
    world.fail_over();
    world.deployed(Write::Delete { id: id("/dev/db"), force: false });
    world.pass(60_000);
    assert!(world.is_gone("/dev/db") && world.kept.volumes().is_empty());
    assert_eq!(world.roles, ["data".to_owned()].into());
}

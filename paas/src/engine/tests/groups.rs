use std::collections::BTreeSet;

use super::super::*;
use super::world::{Behaviour, World, id, update};
use crate::model::{ActionKind, DeploymentId, GroupId, RunSpecUpdate, Version};

fn group_id(path: &str) -> GroupId {
    GroupId::parse(path).unwrap()
}

/// A group of which nothing is said yet.
fn group(path: &str) -> GroupUpdate {
    GroupUpdate { id: group_id(path), apps: None, groups: None, dependencies: None, enforce_role: None, policy: None }
}

fn holding(path: &str, apps: &[(&str, u32)]) -> GroupUpdate {
    let apps = apps.iter().map(|(path, instances)| (id(path), Box::new(update(*instances)))).collect();
    GroupUpdate { apps: Some(apps), ..group(path) }
}

fn put_group(to: GroupUpdate) -> Write {
    Write::PutGroup { id: to.id.clone(), to: GroupDefinition::Updated(Box::new(to)), force: false }
}

fn version_of(reply: Result<Reply, Refusal>) -> Version {
    match reply.unwrap() {
        Reply::Deployed { version, .. } => version,
        other => panic!("{other:?}"),
    }
}

/// The apps that are there, each with its number of ready instances.
fn there(world: &World) -> Vec<(String, usize)> {
    let state = world.engine.snapshot();
    let current = state.run_specs.iter().filter(|(_, state)| state.current.is_some());
    current.map(|(id, _)| (id.to_string(), world.ready(id.as_str()))).collect()
}

fn shop() -> GroupUpdate {
    let front = GroupUpdate {
        dependencies: Some(vec!["/shop/back".into()]),
        ..holding("/shop/front", &[("/shop/front/web", 2)])
    };
    let back = holding("/shop/back", &[("/shop/back/db", 1), ("/shop/back/queue", 1)]);
    GroupUpdate { groups: Some(vec![front, back]), ..holding("/shop", &[("/shop/cron", 1)]) }
}

fn steps(world: &World, id: DeploymentId) -> Vec<Vec<(ActionKind, String)>> {
    let started = world.facts.iter().find_map(|fact| match fact {
        Fact::DeploymentStarted { deployment } if deployment.id == id => Some(deployment),
        _ => None,
    });
    let steps = &started.unwrap().steps;
    let actions = |step: &crate::model::Step| {
        step.actions.iter().map(|action| (action.kind, action.run_spec.to_string())).collect()
    };
    steps.iter().map(actions).collect()
}

#[test]
fn a_group_is_deployed_in_the_order_of_its_dependencies() {
    let mut world = World::new(3);
    let deployment = world.deployed(put_group(shop()));
    assert!(!world.is_running(deployment));
    let steps = steps(&world, deployment);
    let scaled: Vec<Vec<&str>> =
        steps[1..].iter().map(|step| step.iter().map(|(_, id)| id.as_str()).collect()).collect();
    assert_eq!(steps[0].len(), 4);
    assert_eq!(scaled, [vec!["/shop/cron", "/shop/back/db", "/shop/back/queue"], vec!["/shop/front/web"]]);
    let first_of = |path: &str| {
        world.facts.iter().position(|fact| {
            matches!(fact, Fact::InstanceChanged { instance, cause: Cause::Created } if instance.id.run_spec == id(path))
        })
    };
    assert!(first_of("/shop/front/web") > first_of("/shop/back/db"));
    assert!(world.event_types().contains(&"group_change_success"));
}

#[test]
fn the_same_group_again_changes_nothing() {
    let mut world = World::new(3);
    world.deployed(put_group(shop()));
    let (before, tasks) = (world.engine.snapshot().clone(), world.tasks.len());
    let again = world.deployed(put_group(shop()));
    assert!(steps(&world, again).is_empty());
    assert_eq!((&world.engine.snapshot().groups, world.tasks.len()), (&before.groups, tasks));
    assert_eq!(world.engine.snapshot().run_specs, before.run_specs);
}

#[test]
fn what_a_group_names_replaces_what_was_there() {
    let mut world = World::new(3);
    world.deployed(put_group(shop()));
    world.deployed(put_group(holding("/shop", &[("/shop/mail", 1)])));
    let names = |world: &World| there(world).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&world), ["/shop/back/db", "/shop/back/queue", "/shop/front/web", "/shop/mail"]);
    world.deployed(put_group(GroupUpdate { groups: Some(vec![group("/shop/front")]), ..group("/shop") }));
    assert_eq!(names(&world), ["/shop/front/web", "/shop/mail"]);
    world.deployed(put_group(GroupUpdate { apps: Some(Vec::new()), groups: Some(Vec::new()), ..group("/shop") }));
    assert!(there(&world).is_empty() && world.tasks.is_empty());
    assert!(world.engine.snapshot().group_exists(&group_id("/shop")));
    world.deployed(Write::DeleteGroup { id: group_id("/shop"), force: false });
    assert!(!world.engine.snapshot().group_exists(&group_id("/shop")));
    let missing = world.write(Write::DeleteGroup { id: group_id("/shop"), force: false });
    assert_eq!(missing, Err(Refusal::GroupMissing(group_id("/shop"))));
}

#[test]
fn a_group_returns_to_what_it_was() {
    let mut world = World::new(3);
    let first = version_of(world.write(put_group(shop())));
    let before = there(&world);
    world.deployed(put_group(GroupUpdate {
        groups: Some(vec![holding("/shop/front", &[("/shop/front/web", 1), ("/shop/front/new", 1)])]),
        ..holding("/shop", &[])
    }));
    assert_eq!(there(&world), [("/shop/front/new".to_owned(), 1), ("/shop/front/web".to_owned(), 1)]);
    let shop_id = group_id("/shop");
    assert_eq!(world.engine.snapshot().group_versions(&shop_id).len(), 2);
    let back = Write::PutGroup { id: shop_id.clone(), to: GroupDefinition::Stored(first), force: false };
    world.deployed(back);
    assert_eq!(there(&world), before);
    let state = world.engine.snapshot();
    assert_eq!(state.group(&group_id("/shop/front")).unwrap().dependencies, ["/shop/back"]);
    world.fail_over();
    let unknown = Version(Timestamp(1));
    let refused =
        world.write(Write::PutGroup { id: shop_id.clone(), to: GroupDefinition::Stored(unknown), force: false });
    assert_eq!(refused, Err(Refusal::GroupVersionMissing { id: shop_id, version: unknown }));
}

#[test]
fn a_group_is_scaled_as_a_whole() {
    let mut world = World::new(3);
    world.deployed(put_group(holding("/shop", &[("/shop/a", 1), ("/shop/b", 3), ("/shop/c", 0)])));
    world.deployed(Write::PutGroup { id: group_id("/shop"), to: GroupDefinition::Scaled(1.5), force: false });
    let expected = [("/shop/a", 2), ("/shop/b", 5), ("/shop/c", 0)];
    assert_eq!(there(&world), expected.map(|(name, ready)| (name.to_owned(), ready)));
}

#[test]
fn circles_are_refused() {
    let mut world = World::new(1);
    let on = |path: &str, other: &str| GroupUpdate {
        dependencies: Some(vec![other.to_owned()]),
        ..holding(path, &[(&format!("{path}/app"), 1)])
    };
    let circle = GroupUpdate { groups: Some(vec![on("/t/a", "/t/b"), on("/t/b", "/t/a")]), ..group("/t") };
    let refused = world.write(put_group(circle)).unwrap_err();
    assert!(
        matches!(&refused, Refusal::Invalid(violations) if violations[0].message.contains("cyclic")),
        "{refused:?}"
    );
    assert!(there(&world).is_empty() && world.engine.snapshot().groups.is_empty());
    // A circle that only the dependencies of groups close.
    world.deployed(put_group(GroupUpdate {
        groups: Some(vec![on("/t/a", "/t/b"), holding("/t/b", &[("/t/b/app", 1)])]),
        ..group("/t")
    }));
    let closing = GroupUpdate { dependencies: Some(vec!["/t/a".to_owned()]), ..group("/t/b") };
    assert!(matches!(world.write(put_group(closing)), Err(Refusal::Invalid(_))));
}

#[test]
fn running_deployments_are_in_the_way_of_groups() {
    let mut world = World::new(3);
    world.behaviour = Behaviour::Stall;
    let running = world.deployed(put_group(shop()));
    world.event_types();
    let refused = world.write(Write::DeleteGroup { id: group_id("/shop"), force: false });
    assert_eq!(refused, Err(Refusal::Locked { deployments: vec![running] }));
    assert_eq!(world.event_types(), ["group_change_failed"]);
    world.behaviour = Behaviour::Run;
    let forced = world.deployed(Write::DeleteGroup { id: group_id("/shop"), force: true });
    world.pass(1_000);
    assert!(!world.is_running(running) && !world.is_running(forced));
    assert!(there(&world).is_empty() && world.tasks.is_empty());
}

#[test]
fn rolling_a_group_back_takes_its_groups_along() {
    let mut world = World::new(3);
    world.put("/other/app", update(1));
    world.behaviour = Behaviour::Stall;
    let deployment = world.deployed(put_group(shop()));
    assert!(world.is_running(deployment));
    world.behaviour = Behaviour::Run;
    world.deployed(Write::Cancel { id: deployment, mode: CancelMode::RollBack });
    assert_eq!(there(&world), [("/other/app".to_owned(), 1)]);
    let state = world.engine.snapshot();
    assert!(!state.group_exists(&group_id("/shop")) && state.group_exists(&group_id("/other")));
}

#[test]
fn a_deployment_of_a_group_goes_on_after_a_failover_in_every_step() {
    let mut world = World::new(3);
    world.behaviour = Behaviour::Stall;
    let deployment = world.deployed(put_group(shop()));
    for _ in 0..3 {
        world.fail_over();
        world.behaviour = Behaviour::Run;
        world.pass(400_000);
    }
    assert!(!world.is_running(deployment));
    assert_eq!(there(&world).iter().map(|(_, ready)| ready).sum::<usize>(), 5);
}

#[test]
fn a_path_names_one_thing() {
    let mut world = World::new(3);
    world.deployed(put_group(shop()));
    let clash = |world: &mut World, write| match world.write(write).unwrap_err() {
        Refusal::Invalid(violations) => {
            assert_eq!(violations[0].message, "Groups and Applications may not have the same identifier.");
        }
        other => panic!("{other:?}"),
    };
    let app = |path: &str| {
        let to = Definition::Merged(Box::new(update(1)));
        Write::Put { changes: vec![RunSpecChange { id: id(path), to }], force: false }
    };
    clash(&mut world, app("/shop/front"));
    clash(&mut world, app("/shop/cron/inner"));
    clash(&mut world, put_group(group("/shop/cron")));
    let new = |path: &str| Write::PutGroup {
        id: group_id(path),
        to: GroupDefinition::New(Box::new(group(path))),
        force: false,
    };
    assert_eq!(world.write(new("/shop")), Err(Refusal::GroupExists(group_id("/shop"))));
    assert_eq!(world.write(new("/shop/cron")), Err(Refusal::PathTaken(group_id("/shop/cron"))));
    // In one write the one can take the place of the other.
    let instead =
        GroupUpdate { groups: Some(vec![holding("/shop/cron", &[("/shop/cron/inner", 1)])]), ..holding("/shop", &[]) };
    world.deployed(put_group(instead));
    assert_eq!(there(&world), [("/shop/cron/inner".to_owned(), 1)]);
}

#[test]
fn a_dry_run_tells_what_the_write_then_does() {
    let mut world = World::new(3);
    world.put("/shop/cron", update(2));
    let before = world.engine.snapshot().clone();
    let write = put_group(shop());
    let planned = world.write_on(Terms { dry_run: true, ..Terms::default() }, write.clone()).unwrap();
    let Reply::Planned(forecast) = planned else { panic!("{planned:?}") };
    assert_eq!(*world.engine.snapshot(), before);
    let deployment = world.deployed(write);
    let told: Vec<Vec<(ActionKind, String)>> = forecast
        .steps
        .iter()
        .map(|step| step.actions.iter().map(|action| (action.kind, action.run_spec.to_string())).collect())
        .collect();
    assert_eq!(told, steps(&world, deployment));
    let changed: BTreeSet<&str> = forecast.changes.run_specs.iter().map(|change| change.id.as_str()).collect();
    assert_eq!(changed.len(), 4);
    for change in &forecast.changes.run_specs {
        assert_eq!(change.to.as_ref().unwrap().instances, world.definition(change.id.as_str()).instances);
    }
}

#[test]
fn a_write_can_be_meant_for_one_version() {
    let mut world = World::new(3);
    world.deployed(put_group(shop()));
    let seen = world.definition("/shop/cron").version;
    let terms = |wanted| Terms { if_match: Some(wanted), ..Terms::default() };
    let more = || {
        let to = Definition::Merged(Box::new(RunSpecUpdate { instances: Some(2), ..RunSpecUpdate::default() }));
        Write::Put { changes: vec![RunSpecChange { id: id("/shop/cron"), to }], force: false }
    };
    world.write_on(terms(Wanted::These(vec![seen])), more()).unwrap();
    let late = world.write_on(terms(Wanted::These(vec![seen])), more()).unwrap_err();
    assert!(matches!(&late, Refusal::Precondition { present: Some(present), .. } if *present > seen), "{late}");
    assert!(late.to_string().starts_with("App '/shop/cron' is at version "), "{late}");
    let group_late = world.write_on(terms(Wanted::These(vec![seen])), put_group(shop())).unwrap_err();
    assert!(matches!(group_late, Refusal::Precondition { .. }));
    let current = world.engine.snapshot().group_version(&group_id("/shop")).unwrap();
    world.write_on(terms(Wanted::These(vec![current])), put_group(shop())).unwrap();
    let missing = world.write_on(terms(Wanted::Any), put_group(group("/missing"))).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "Group '/missing' does not exist, not the version that If-Match names: read it again"
    );
}

#[test]
fn removed_things_are_forgotten_in_the_end() {
    let config = Config { departed_max: 2, ..super::world::config() };
    let mut world = World::bare(config, 1);
    world.connect();
    world.put("/other/app", update(1));
    let mut versions = Vec::new();
    for number in 0..4 {
        let path = format!("/old/app{number}");
        world.put(&path, update(1));
        versions.push(version_of(world.write(Write::Delete { id: id(&path), force: false })));
    }
    let state = world.engine.snapshot();
    assert_eq!(
        state.run_specs.keys().map(ToString::to_string).collect::<Vec<_>>(),
        ["/old/app2", "/old/app3", "/other/app"]
    );
    assert_eq!(state.history_from, Some(versions[1]));
    assert!(state.group_versions(&group_id("/old")).iter().all(|version| *version >= versions[1]));
    // What is there now stays a version, however old it is.
    let now = state.run_specs[&id("/other/app")].current;
    assert_eq!(state.group_versions(&group_id("/other")).into_iter().collect::<Vec<_>>(), Vec::from_iter(now));
}

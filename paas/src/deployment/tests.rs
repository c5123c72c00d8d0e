use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::Timestamp;
use attica_core_api::v1::{AgentId, TaskState};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::{
    Agent, Condition, Constraint, FieldName, Goal, GroupId, Instance, InstanceId, KillSelection, Operator, RunSpecId,
    Task, Upgrade, Version,
};

fn agent(hostname: &str, attributes: &[(&str, &str)]) -> Agent {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Agent { id: AgentId::from(hostname), hostname: hostname.to_owned(), attributes: attributes.collect(), domain: None }
}

fn running(number: u128, agent: Agent) -> Instance {
    let id = InstanceId { run_spec: RunSpecId::parse("/web").unwrap(), uuid: Uuid::from_u128(number) };
    let mut instance = Instance {
        id,
        version: Version(Timestamp(0)),
        generation: Version(Timestamp(0)),
        goal: Goal::Running,
        condition: Condition::Running,
        incarnation: 1,
        scheduled_at: Timestamp(0),
        task: None,
        reservation: None,
    };
    instance.task = Some(Task {
        id: instance.task_identity().task_id(),
        agent: Arc::new(agent),
        ports: Vec::new(),
        state: TaskState::Running,
        staged_at: Timestamp(number as i64),
        started_at: Some(Timestamp(number as i64)),
        unreachable_since: None,
        sentenced_at: None,
        ip_addresses: Vec::new(),
        health: Vec::new(),
        answer: None,
        spared: false,
        processes: Vec::new(),
        readiness: None,
        containers: Vec::new(),
    });
    instance
}

fn group_by(field: &str) -> Constraint {
    Constraint { field: FieldName::parse(field), operator: Operator::GroupBy(None) }
}

fn chosen<'a>(instances: &'a [Instance], count: u32, constraints: &[Constraint]) -> Vec<&'a Agent> {
    let victims = victims(instances, count, constraints, KillSelection::YoungestFirst);
    assert_eq!(victims.len(), count as usize);
    let agent = |id: &InstanceId| {
        instances.iter().find(|instance| instance.id == *id).unwrap().task.as_ref().unwrap().agent.as_ref()
    };
    victims.iter().map(agent).collect()
}

#[test]
fn of_twenty_on_two_hosts_five_go_from_each() {
    let instances: Vec<Instance> =
        (0..20).map(|number| running(number, agent(&format!("srv{}", number % 2), &[]))).collect();
    let agents = chosen(&instances, 10, &[group_by("hostname")]);
    assert_eq!(agents.iter().filter(|agent| agent.hostname == "srv0").count(), 5);
}

#[test]
fn of_thirty_on_two_hosts_all_go_from_the_fuller_one() {
    let host = |number| if number < 20 { "srv1" } else { "srv2" };
    let instances: Vec<Instance> = (0..30).map(|number| running(number, agent(host(number), &[]))).collect();
    let agents = chosen(&instances, 10, &[group_by("hostname")]);
    assert!(agents.iter().all(|agent| agent.hostname == "srv1"));
}

#[test]
fn forty_over_racks_and_colours_stay_even_in_both() {
    let attributes = |number: u128| {
        [
            ("rack", ["rack-1", "rack-2"][(number / 20) as usize]),
            ("color", ["blue", "green"][(number / 10 % 2) as usize]),
        ]
    };
    let instances: Vec<Instance> = (0..40).map(|number| running(number, agent("h", &attributes(number)))).collect();
    let agents = chosen(&instances, 20, &[group_by("rack"), group_by("color")]);
    for (name, value) in [("rack", "rack-1"), ("rack", "rack-2"), ("color", "blue"), ("color", "green")] {
        assert_eq!(agents.iter().filter(|agent| agent.attributes[name] == value).count(), 10, "{value}");
    }
}

#[test]
fn those_that_serve_least_go_first() {
    let mut instances: Vec<Instance> = (0..6).map(|number| running(number, agent("h", &[]))).collect();
    instances[0].condition = Condition::Staging;
    instances[1].condition = Condition::Unreachable;
    instances[2].task.as_mut().unwrap().sentenced_at = Some(Timestamp(1));
    instances[3].task.as_mut().unwrap().health =
        vec![crate::model::HealthState { alive: Some(false), ..Default::default() }];
    let order = |selection| -> Vec<u128> {
        victims(&instances, 6, &[], selection).iter().map(|id| id.uuid.as_u128()).collect()
    };
    assert_eq!(order(KillSelection::YoungestFirst), [2, 1, 0, 3, 5, 4]);
    assert_eq!(order(KillSelection::OldestFirst), [2, 1, 0, 3, 4, 5]);
}

#[test]
fn layers_are_longest_paths() {
    let id = |path: &str| RunSpecId::parse(path).unwrap();
    let graph: BTreeMap<RunSpecId, Vec<RunSpecId>> = BTreeMap::from([
        (id("/web"), vec![id("/api"), id("/db"), id("/db")]),
        (id("/api"), vec![id("/db"), id("/queue")]),
        (id("/queue"), vec![id("/db")]),
    ]);
    let run_spec = |path: &str| Place::RunSpec(id(path));
    let depends_on = |place: &Place| match place {
        Place::RunSpec(id) => graph.get(id).into_iter().flatten().cloned().map(Place::RunSpec).collect(),
        Place::Inside(_) | Place::Entry(_) => Vec::new(),
    };
    let ranks = layers([run_spec("/web")], depends_on).unwrap();
    let ranks: Vec<(&str, u32)> = ranks.iter().map(|(id, rank)| (id.as_str(), *rank)).collect();
    assert_eq!(ranks, [("/api", 2), ("/db", 0), ("/queue", 1), ("/web", 3)]);
    assert_eq!(layers([run_spec("/a")], |_| vec![run_spec("/a")]), Err(Cycle));
}

#[test]
fn groups_take_up_no_layer_of_their_own() {
    let run_spec = |path: &str| Place::RunSpec(RunSpecId::parse(path).unwrap());
    let group = |path: &str| GroupId::parse(path).unwrap();
    // The front depends on the back as a whole, one of its apps also directly on an app there.
    let graph: BTreeMap<Place, Vec<Place>> = BTreeMap::from([
        (run_spec("/front/a"), vec![Place::Entry(group("/front"))]),
        (run_spec("/front/b"), vec![run_spec("/back/y"), Place::Entry(group("/front"))]),
        (Place::Entry(group("/front")), vec![Place::Inside(group("/back"))]),
        (Place::Inside(group("/back")), vec![run_spec("/back/x"), run_spec("/back/y")]),
    ]);
    let roots = [run_spec("/front/a"), run_spec("/front/b")];
    let ranks = layers(roots, |place| graph.get(place).cloned().unwrap_or_default()).unwrap();
    let ranks: Vec<(&str, u32)> = ranks.iter().map(|(id, rank)| (id.as_str(), *rank)).collect();
    assert_eq!(ranks, [("/back/x", 0), ("/back/y", 0), ("/front/a", 1), ("/front/b", 1)]);
}

fn standing() -> impl Strategy<Value = Standing> {
    (0..3u32, 0..6u32, 0..12u32, 0..4u32, 0..2u32).prop_map(|(waiting, unready, ready, leaving, inactive)| Standing {
        waiting,
        unready,
        ready,
        leaving,
        inactive,
    })
}

/// So many running instances in each of the racks, in any order of their start.
fn in_racks() -> impl Strategy<Value = Vec<Instance>> {
    proptest::collection::vec(0usize..4, 0..16).prop_map(|racks| {
        let racks = racks.iter().enumerate();
        let instance = |(number, rack): (usize, &usize)| {
            running(number as u128, agent(&format!("h{number}"), &[("rack", &format!("r{rack}"))]))
        };
        racks.map(instance).collect()
    })
}

proptest! {
    #[test]
    fn who_is_killed_leaves_the_groups_as_even_as_can_be(instances in in_racks(), share in 0.0f64..=1.0) {
        let count = (instances.len() as f64 * share) as u32;
        let rack = |instance: &Instance| instance.task.as_ref().unwrap().agent.attributes["rack"].clone();
        let counts = |left: &dyn Fn(&Instance) -> bool| {
            let mut counts: BTreeMap<String, usize> = instances.iter().map(|instance| (rack(instance), 0)).collect();
            instances.iter().filter(|instance| left(instance)).for_each(|one| *counts.get_mut(&rack(one)).unwrap() += 1);
            counts
        };
        let killed = victims(&instances, count, &[group_by("rack")], KillSelection::OldestFirst);
        prop_assert_eq!(killed.len(), count as usize);
        let (before, after) = (counts(&|_| true), counts(&|one| !killed.contains(&one.id)));
        // None is taken from a group while another one is larger.
        for (group, left) in after.iter().filter(|(group, left)| before[*group] > **left) {
            for (other, others) in &after {
                prop_assert!(*others <= left + 1, "{} has {others}, and {group} lost some and has {left}", other);
            }
        }
    }

    #[test]
    fn one_step_keeps_the_bounds(
        instances in 1u32..20,
        least in 0u32..=10,
        over in 0u32..=10,
        old in standing(),
        new in standing(),
    ) {
        let upgrade = Upgrade {
            minimum_health_capacity: f64::from(least) / 10.0,
            maximum_over_capacity: f64::from(over) / 10.0,
        };
        let step = rolling_step(instances, upgrade, Leeway::OneMore, old, new);
        let ready = old.ready + new.ready;
        prop_assert!(step.kill_old <= old.unready + old.ready);
        // Those that are not ready go first.
        let lost = step.kill_old.saturating_sub(old.unready);
        let floor = minimum_ready(instances, upgrade).min(ready);
        if step.kill_new == 0 {
            prop_assert!(ready - lost >= floor, "{ready} - {lost} >= {floor}");
        }
        let there = old.unready + old.ready + old.leaving + new.active() + new.leaving;
        prop_assert!(step.start == 0 || there + step.start <= maximum_instances(instances, upgrade, ready));
        prop_assert!(new.active() + step.start <= instances.max(new.active()));
    }

    #[test]
    fn something_moves_while_there_is_something_to_do(
        instances in 1u32..20,
        least in 0u32..=10,
        over in 0u32..=10,
        old_ready in 0u32..20,
        old_unready in 0u32..20,
        new_ready in 0u32..20,
    ) {
        let upgrade = Upgrade {
            minimum_health_capacity: f64::from(least) / 10.0,
            maximum_over_capacity: f64::from(over) / 10.0,
        };
        let old = Standing { ready: old_ready, unready: old_unready, ..Standing::default() };
        let new = Standing { ready: new_ready, ..Standing::default() };
        let done = old.total() == 0 && new_ready == instances;
        prop_assert_eq!(rolling_step(instances, upgrade, Leeway::OneMore, old, new) == RollingStep::default(), done);
    }
}

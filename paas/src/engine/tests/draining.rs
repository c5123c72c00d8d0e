use attica_core_api::v1::{TaskId, TaskState};
use expect_test::expect;

use super::super::*;
use super::world::{World, id, update};
use crate::model::{ConsumerName, RunSpecUpdate};

impl World {
    /// A consumer acknowledges that it has seen so many facts of this engine.
    fn acknowledge(&mut self, consumer: &str, seen: usize) -> Result<Reply, Refusal> {
        let consumer = ConsumerName::parse(consumer).unwrap();
        let reply = self.write_only(Write::Acknowledge { consumer, seen: i64::try_from(seen).unwrap() });
        self.run();
        reply
    }

    /// A consumer acknowledges everything.
    fn acknowledge_all(&mut self, consumer: &str) {
        let seen = self.facts.len();
        assert_eq!(self.acknowledge(consumer, seen), Ok(Reply::Done));
    }

    fn consumers(&self) -> Vec<String> {
        self.engine.snapshot().consumers.iter().map(ToString::to_string).collect()
    }

    /// Kills one of the tasks of `/web`, for it to be launched again, and lets nothing else happen.
    fn kill_one(&mut self) -> TaskId {
        let task = TaskId::from(self.task_ids("/web")[0].as_str());
        let kill =
            Write::Kill { tasks: TaskSelection::These(vec![task.clone()]), mode: KillMode::Replace, force: false };
        self.write_only(kill).unwrap();
        self.run();
        task
    }
}

#[test]
fn a_kill_waits_until_every_consumer_has_come_past_its_announcement() {
    let mut world = World::new(1);
    world.put("/web", update(2));
    world.acknowledge_all("lb-1");
    world.acknowledge_all("lb-2");
    world.frames.clear();
    let before = world.facts.len();
    let task = world.kill_one();
    expect![[r#"{"instanceId":"web.instance-9dfc54bf-62de-5f99-8167-3f6758ad0f79","taskIds":["web.instance-9dfc54bf-62de-5f99-8167-3f6758ad0f79._app.1"],"runSpecId":"/web","drainTimeoutSeconds":10,"eventType":"instance_draining","timestamp":"2023-11-14T22:13:21.000Z"}"#]]
        .assert_eq(&world.frames[0].data);
    world.pass(5_000);
    world.acknowledge_all("lb-1");
    assert!(world.tasks.contains_key(&task), "lb-2 may still send requests");
    world.acknowledge("lb-2", before).unwrap();
    assert!(world.tasks.contains_key(&task), "lb-2 has not seen the announcement yet");
    world.acknowledge("lb-2", before + 1).unwrap();
    assert!(!world.tasks.contains_key(&task));
    world.pass(1_000);
    assert_eq!(world.ready("/web"), 2);
}

#[test]
fn a_drain_ends_with_its_timeout_and_a_consumer_with_its_lease() {
    for (timeout_ms, kill_after_ms) in [(None, 10_000), (Some(2_000), 2_000), (Some(0), 0), (Some(600_000), 15_000)] {
        let mut world = World::new(1);
        world.put("/web", RunSpecUpdate { drain_timeout_ms: timeout_ms, ..update(1) });
        world.acknowledge("silent", 0).unwrap();
        let task = world.kill_one();
        if kill_after_ms > 0 {
            world.pass(kill_after_ms - 1);
            assert!(world.tasks.contains_key(&task), "{timeout_ms:?}");
            world.pass(1);
        }
        assert!(!world.tasks.contains_key(&task), "{timeout_ms:?}");
    }
    let mut world = World::new(1);
    world.acknowledge("silent", 0).unwrap();
    world.acknowledge("lively", 0).unwrap();
    world.pass(10_000);
    world.acknowledge("lively", 0).unwrap();
    world.pass(5_000);
    assert_eq!(world.consumers(), ["lively"]);
    world.pass(9_999);
    assert_eq!(world.consumers(), ["lively"]);
    world.pass(1);
    assert_eq!(world.consumers(), Vec::<String>::new());
}

#[test]
fn a_drain_delay_holds_a_kill_up_for_load_balancers_that_do_not_acknowledge() {
    for consumers in [&[][..], &["lb"]] {
        let mut world = World::new(1);
        world.put("/web", RunSpecUpdate { drain_delay_ms: Some(5_000), drain_timeout_ms: Some(1_000), ..update(1) });
        consumers.iter().for_each(|consumer| world.acknowledge_all(consumer));
        let task = world.kill_one();
        consumers.iter().for_each(|consumer| world.acknowledge_all(consumer));
        world.pass(4_999);
        assert!(world.tasks.contains_key(&task));
        world.pass(1);
        assert!(!world.tasks.contains_key(&task));
    }
}

#[test]
fn nobody_waits_for_a_task_that_serves_nobody() {
    let mut world = World::new(1);
    let check = crate::model::HealthCheck {
        kind: crate::model::CheckKind::Service,
        endpoint: crate::model::Endpoint::Tcp,
        port: crate::model::CheckedPort::Index(0),
        grace_period_ms: 0,
        interval_ms: 1_000,
        timeout_ms: 1_000,
        max_consecutive_failures: 1,
        delay_ms: 0,
        family: crate::model::IpFamily::V4,
    };
    world.put("/web", RunSpecUpdate { health_checks: Some(vec![check]), ..update(1) });
    world.acknowledge_all("lb");
    let task = TaskId::from(world.task_ids("/web")[0].as_str());
    world.frames.clear();
    world.probe(&task, false, 1);
    world.run();
    assert!(!world.tasks.contains_key(&task));
    let types = world.event_types();
    let position = |wanted: &str| types.iter().position(|event_type| *event_type == wanted);
    assert_eq!(position("unhealthy_instance_kill_event"), position(INSTANCE_DRAINING).map(|index| index + 1));
}

#[test]
fn a_task_that_ends_while_it_drains_takes_nothing_along() {
    let mut world = World::new(1);
    world.put("/web", update(1));
    world.acknowledge_all("lb");
    let task = world.kill_one();
    world.end(&task, TaskState::Finished);
    world.run();
    world.pass(5_000);
    assert_eq!(world.ready("/web"), 1);
    let second = world.kill_one();
    world.pass(5_001);
    assert!(world.tasks.contains_key(&second), "the first task's drain is over, the second one's is not");
    world.acknowledge_all("lb");
    assert!(!world.tasks.contains_key(&second));
}

#[test]
fn a_new_leader_gives_consumers_time_to_come_back() {
    let mut world = World::new(1);
    world.put("/web", RunSpecUpdate { drain_timeout_ms: Some(600_000), ..update(1) });
    world.acknowledge_all("lb");
    let task = world.kill_one();
    world.fail_over();
    assert_eq!(world.consumers(), ["lb"]);
    world.pass(14_000);
    assert!(world.tasks.contains_key(&task));
    let behind = Write::Acknowledge { consumer: ConsumerName::parse("lb").unwrap(), seen: -1 };
    world.write_only(behind).unwrap();
    world.run();
    assert!(world.tasks.contains_key(&task), "lb has not seen everything of the old leader");
    world.acknowledge("lb", 0).unwrap();
    assert!(!world.tasks.contains_key(&task));

    let task = world.kill_one();
    world.fail_over();
    world.pass(14_999);
    assert!(world.tasks.contains_key(&task));
    world.pass(1);
    assert!(!world.tasks.contains_key(&task), "lb did not come back");
}

#[test]
fn a_rolling_restart_waits_at_each_step_and_ends() {
    let mut world = World::new(3);
    world.put("/web", update(6));
    world.acknowledge_all("lb");
    let before = world.task_ids("/web");
    let restart = world.deployed(Write::Restart { id: id("/web"), force: false });
    for _ in 0..100 {
        world.acknowledge_all("lb");
        world.pass(1_000);
    }
    assert!(!world.is_running(restart));
    assert_eq!((world.ready("/web"), world.tasks.len()), (6, 6));
    assert!(world.task_ids("/web").iter().all(|task| !before.contains(task)));
    assert_eq!(world.consumers(), ["lb"]);
}

#[test]
fn consumers_are_limited() {
    let mut world = World::new(1);
    (0..64).for_each(|number| world.acknowledge_all(&format!("lb-{number}")));
    assert_eq!(world.acknowledge("another", 0), Err(Refusal::TooManyConsumers { limit: 64 }));
    world.acknowledge_all("lb-0");
    world.pass(15_000);
    world.acknowledge_all("another");
}

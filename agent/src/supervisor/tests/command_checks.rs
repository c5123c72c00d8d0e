//! Health checks by command in a world that is made of values.

use super::*;

fn checked() -> TaskInfo {
    let command = CommandInfo {
        value: Some("test -e ready".to_owned()),
        environment: Some(Environment {
            variables: vec![Variable {
                name: "WHO".to_owned(),
                value: Some("check".to_owned()),
                ..Variable::default()
            }],
        }),
        ..CommandInfo::default()
    };
    let check = HealthCheck {
        r#type: Some(HealthCheckType::Command),
        command: Some(command),
        grace_period_seconds: 0.0,
        timeout_seconds: 3.0,
        consecutive_failures: 2,
        ..HealthCheck::default()
    };
    TaskInfo { health_check: Some(check), ..task("t") }
}

impl World {
    /// A check is due; its container, if it begins.
    fn due(&mut self, task: &ContainerId) -> Option<ContainerId> {
        let before = self.specs.len();
        self.apply(Input::CheckDue { container: task.clone(), check: 0 });
        self.specs.get(before).map(|spec| spec.container.clone())
    }
}

#[test]
fn a_command_is_run_where_the_task_is_and_its_end_is_the_result() {
    let mut world = World::ready();
    let container = world.start(checked());
    let run = world.due(&container).unwrap();
    let (task, check) = (&world.specs[0], &world.specs[1]);
    assert_eq!((&task.directory, &task.user), (&check.directory, &check.user));
    assert_eq!((check.parent.as_ref(), check.limits), (Some(&container), None));
    assert!(check.argv.last().unwrap().contains("ready"));
    assert!(check.environment.contains(&("WHO".to_owned(), "check".to_owned())));
    assert!(check.environment.contains(&("MESOS_TASK_ID".to_owned(), "t".to_owned())));
    world.started(&run);
    assert_eq!(world.due(&container), None, "it still runs");
    world.ended(&run, Exit::Code(0));
    assert_eq!(world.sent.last().unwrap().status.healthy, Some(true));
    assert!(world.asked.contains(&Request::Forget(vec![run])));
    assert!(world.due(&container).is_some());
}

#[test]
fn failures_and_commands_that_do_not_end_count_until_the_task_is_killed() {
    let mut world = World::ready();
    let container = world.start(checked());
    let first = world.due(&container).unwrap();
    world.started(&first);
    world.ended(&first, Exit::Code(1));
    assert_eq!(world.sent.last().unwrap().status.message.as_deref(), Some("Command exited with status 1"));
    let second = world.due(&container).unwrap();
    world.started(&second);
    world.advance(3_000);
    assert!(world.asked.contains(&Request::Destroy(second.clone())));
    world.ended(&second, Exit::Signal(9));
    assert_eq!(world.sent.last().unwrap().status.message.as_deref(), Some("the command took longer than 3 s"));
    assert!(world.asked.contains(&Request::Terminate(container.clone())), "two failures in a row");
    assert_eq!(world.due(&container), None);
}

#[test]
fn a_command_that_takes_too_long_while_the_launcher_is_away_or_has_not_begun_it_is_ended_after_all() {
    let mut world = World::ready();
    let container = world.start(checked());
    let run = world.due(&container).unwrap();
    world.advance(3_000);
    world.asked.clear();
    world.started(&run);
    assert_eq!(world.asked, [Request::Destroy(run.clone())], "it had not begun when its time was over");
    world.ended(&run, Exit::Signal(9));
    let run = world.due(&container).unwrap();
    world.started(&run);
    world.apply(Input::LauncherClosed);
    world.advance(3_000);
    world.asked.clear();
    world.greet(vec![report(&container, Stage::Running), report(&run, Stage::Running)]);
    assert_eq!(world.asked, [Request::Destroy(run)]);
}

#[test]
fn a_command_does_not_outlive_its_task_nor_the_launchers_memory() {
    let mut world = World::ready();
    let container = world.start(checked());
    let run = world.due(&container).unwrap();
    world.started(&run);
    world.apply(Input::LauncherClosed);
    assert_eq!(world.due(&container), None, "there is no launcher");
    world.greet(vec![report(&container, Stage::Running)]);
    let run = world.due(&container).expect("the launcher did not know of the first one");
    world.ended(&container, Exit::Code(0));
    assert!(world.asked.contains(&Request::Destroy(run.clone())));
    let updates = world.sent.len();
    world.ended(&run, Exit::Signal(9));
    assert_eq!(world.sent.len(), updates, "nobody wants to know");
}

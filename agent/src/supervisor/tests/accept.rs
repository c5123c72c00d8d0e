//! What is refused.

use super::*;

fn uri(value: &str) -> CommandUri {
    CommandUri { value: value.to_owned(), ..CommandUri::default() }
}

#[test]
fn what_would_not_be_obeyed_is_refused_by_name() {
    type Change = fn(&mut TaskInfo);
    let command = |task: &mut TaskInfo, change: fn(&mut CommandInfo)| change(task.command.as_mut().unwrap());
    let cases: [(&str, Change); 12] = [
        ("executor has no command", |task| task.executor = Some(Box::default())),
        ("names no image", |task| task.container = Some(Box::default())),
        ("a check has no type", |task| task.check = Some(CheckInfo::default())),
        ("`hdfs://name/a`", |task| task.command.as_mut().unwrap().uris.push(uri("hdfs://name/a"))),
        ("`gpus`", |task| task.resources[0].name = "gpus".to_owned()),
        ("neither a command", |task| task.command = None),
        ("no `value`", |task| task.command.as_mut().unwrap().value = None),
        ("NUL", |task| task.command.as_mut().unwrap().value = Some("a\0b".to_owned())),
        ("as user `you`", |task| task.command.as_mut().unwrap().user = Some("you".to_owned())),
        ("lacks its `command`", |task| {
            task.health_check = Some(HealthCheck { r#type: Some(HealthCheckType::Command), ..HealthCheck::default() });
        }),
        ("scheme", |task| {
            let mut check = http_check();
            check.http.as_mut().unwrap().scheme = Some("gopher".to_owned());
            task.health_checks.push(check);
        }),
        ("`delay_seconds`", |task| task.health_checks.push(HealthCheck { delay_seconds: f64::NAN, ..http_check() })),
    ];
    for (expected, change) in cases {
        let mut world = World::ready();
        let mut refused = task("t");
        change(&mut refused);
        world.run(refused);
        assert!(world.launched.is_empty(), "{expected}");
        let status = &world.sent[0].status;
        assert_eq!((status.state, status.reason), (TaskState::Failed, Some(TaskStatusReason::ContainerLaunchFailed)));
        assert!(status.message.as_deref().unwrap().contains(expected), "{expected}: {:?}", status.message);
        world.acknowledge(&world.sent[0].clone());
        assert!(world.disk.tasks.is_empty());
    }
    let mut world = World::ready();
    let mut bad = task("t");
    command(&mut bad, |command| {
        let variable = Variable { name: "A=B".to_owned(), ..Variable::default() };
        command.environment = Some(Environment { variables: vec![variable] });
    });
    world.run(bad);
    assert!(world.sent[0].status.message.as_deref().unwrap().contains("`A=B`"));
}

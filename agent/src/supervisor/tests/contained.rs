//! Containers of operators.

use std::path::Path;
use std::sync::Arc;

use attica_core_api::auth::{Acls, Principal, Viewer};

use super::*;
use crate::contained::{ContainerPath, Progress, Tenure};
use crate::launcher::protocol::Streams;
use crate::supervisor::contained::MAX_WAITING;
use crate::supervisor::{ContainerLaunch, Direction, OperatorCall, OperatorRefusal, Outlet, ReplyTo};

fn launch(path: &ContainerPath, tenure: Tenure) -> ContainerLaunch {
    ContainerLaunch {
        path: path.clone(),
        tenure,
        command: Some(CommandInfo { value: Some("work".to_owned()), ..CommandInfo::default() }),
        container: None,
        resources: Vec::new(),
        limits: BTreeMap::new(),
        streams: Streams::Sandbox,
    }
}

impl World {
    /// Its answer, if it has come.
    pub(super) fn operate(&mut self, call: OperatorCall, reply: u64) -> Option<OperatorReply> {
        self.operate_as(call, Viewer::default(), reply)
    }

    fn operate_as(&mut self, call: OperatorCall, viewer: Viewer, reply: u64) -> Option<OperatorReply> {
        self.apply(Input::OperatorCall { call, viewer, reply: ReplyTo(reply) });
        self.answer(reply)
    }

    fn answer(&self, reply: u64) -> Option<OperatorReply> {
        self.operators_answers.iter().rfind(|(to, _)| *to == reply).map(|(_, answer)| answer.clone())
    }

    /// A task that runs, with a container within it that runs.
    fn with_nested(tenure: Tenure) -> (World, ContainerPath, ContainerId) {
        let mut world = World::ready();
        let container = world.start(task("t"));
        let path = ContainerPath::root(container.as_str()).within("inner");
        assert_eq!(world.operate(OperatorCall::Launch(Box::new(launch(&path, tenure))), 1), None);
        let inner = world.specs.last().unwrap().container.clone();
        world.started(&inner);
        assert_eq!(world.answer(1), Some(OperatorReply::Launched));
        (world, path, inner)
    }
}

fn beneath(sandbox: &Path, name: &str) -> Premises {
    let (sandbox, name) = (sandbox.to_owned(), name.to_owned());
    Premises::Beneath { sandbox, name, shared: Vec::new(), own: Vec::new() }
}

fn refused(refusal: OperatorRefusal) -> Option<OperatorReply> {
    Some(OperatorReply::Refused(refusal))
}

fn exit_status(answer: Option<OperatorReply>) -> Option<i32> {
    match answer {
        Some(OperatorReply::Ended(outcome)) => outcome.exit_status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_within_a_task_shares_what_that_has() {
    let (mut world, path, inner) = World::with_nested(Tenure::Lasting);
    let [of_task, nested] = world.specs.as_slice() else { panic!("two were launched") };
    assert_eq!(nested.parent.as_ref(), Some(&of_task.container));
    assert_eq!((nested.limits, nested.user.clone()), (None, of_task.user.clone()));
    assert_eq!(nested.directory, of_task.directory.join("containers/inner"));
    let sandbox = beneath(&of_task.directory, "inner");
    assert_eq!(world.premises, [sandbox]);
    let value = |spec: &LaunchSpec, name: &str| spec.environment.iter().find(|(key, _)| key == name).cloned();
    assert_eq!(value(nested, "MESOS_TASK_ID"), value(of_task, "MESOS_TASK_ID"));
    assert_ne!(value(nested, "MESOS_SANDBOX"), value(of_task, "MESOS_SANDBOX"));

    let again = OperatorCall::Launch(Box::new(launch(&path, Tenure::Lasting)));
    assert_eq!(world.operate(again.clone(), 2), Some(OperatorReply::AlreadyRunning));
    assert_eq!(world.operate(OperatorCall::Wait(path.clone()), 3), None);
    assert_eq!(
        world.operate(OperatorCall::Remove(path.clone()), 4),
        refused(OperatorRefusal::StillThere(path.clone()))
    );
    let attached = world.operate(OperatorCall::Attach(path.clone(), Direction::Output), 5);
    assert_eq!(attached, Some(OperatorReply::Attached(Outlet::Files(world.specs[1].directory.clone()))));
    let input = world.operate(OperatorCall::Attach(path.clone(), Direction::Input), 6);
    assert_eq!(input, refused(OperatorRefusal::NoInput(path.clone())));
    assert_eq!(world.operate(OperatorCall::Kill(path.clone(), libc::SIGTERM), 7), Some(OperatorReply::Done));
    assert_eq!(world.asked.last(), Some(&Request::Terminate(inner.clone())));
    world.ended(&inner, Exit::Code(5));
    assert_eq!(exit_status(world.answer(3)), Some(5 << 8));
    assert_eq!(world.asked.last(), Some(&Request::Forget(vec![inner.clone()])));
    assert_eq!(exit_status(world.operate(OperatorCall::Wait(path.clone()), 8)), Some(5 << 8), "it can be asked again");
    assert_eq!(
        world.operate(OperatorCall::Kill(path.clone(), libc::SIGKILL), 9),
        refused(OperatorRefusal::NothingToKill(path.clone()))
    );
    assert_eq!(world.operate(again, 10), refused(OperatorRefusal::NameTaken(path.clone())));
    assert_eq!(world.operate(OperatorCall::Remove(path.clone()), 11), Some(OperatorReply::Done));
    assert_eq!(world.discarded, [world.specs[1].directory.clone()]);
    assert_eq!(world.operate(OperatorCall::Wait(path.clone()), 12), refused(OperatorRefusal::NoContainer(path)));
    assert!(world.disk.contained.is_empty());
}

#[test]
fn nothing_is_put_into_what_does_not_run_and_nothing_outlives_its_whole() {
    let mut world = World::ready();
    let nowhere = ContainerPath::root("nowhere");
    let call = |path: &ContainerPath| OperatorCall::Launch(Box::new(launch(path, Tenure::Lasting)));
    assert_eq!(world.operate(call(&nowhere.within("x")), 1), refused(OperatorRefusal::NoContainer(nowhere)));

    let (mut world, path, inner) = World::with_nested(Tenure::Lasting);
    let deeper = path.within("deeper");
    assert_eq!(world.operate(call(&deeper), 20), None);
    let deepest = world.specs.last().unwrap().clone();
    assert_eq!(deepest.parent.as_ref(), Some(&inner));
    world.started(&deepest.container);
    let of_task = world.specs[0].container.clone();
    let whole = path.parent().unwrap();
    assert_eq!(world.operate(OperatorCall::Wait(whole.clone()), 21), None, "tasks can be waited for as well");
    assert_eq!(
        world.operate(OperatorCall::Kill(whole.clone(), libc::SIGKILL), 22),
        refused(OperatorRefusal::NotAnOperators(whole.clone()))
    );
    world.ended(&deepest.container, Exit::Code(0));
    world.ended(&inner, Exit::Signal(9));
    assert_eq!(world.disk.contained.len(), 1, "what was within it is not asked for any more");
    world.ended(&of_task, Exit::Signal(9));
    assert_eq!(exit_status(world.answer(21)), Some(9));
    assert!(world.disk.contained.is_empty());
    assert_eq!(world.operate(call(&path), 23), refused(OperatorRefusal::NoContainer(whole)));
}

#[test]
fn lasting_ones_are_known_after_a_restart_and_sessions_are_ended() {
    for (tenure, survives) in [(Tenure::Lasting, true), (Tenure::Session, false)] {
        let (world, path, inner) = World::with_nested(tenure);
        let whole = world.specs[0].container.clone();
        let mut world = World::recovered(world.disk.clone(), BOOT, 5_000);
        let report = |container: &ContainerId| ContainerReport {
            container: container.clone(),
            process: Process { pid: 1, start_ticks: 1 },
            stage: Stage::Running,
        };
        world.greet(vec![report(&whole), report(&inner)]);
        assert_eq!(world.asked.contains(&Request::Destroy(inner.clone())), !survives);
        assert_eq!(world.operate(OperatorCall::Wait(path.clone()), 1), None);
        world.ended(&inner, Exit::Code(1));
        assert_eq!(exit_status(world.answer(1)), Some(1 << 8));
        let record = world.disk.contained.values().next().unwrap();
        assert!(matches!(record.progress, Progress::Ended(_)));
    }
}

#[test]
fn who_has_given_up_waiting_takes_no_place() {
    let (mut world, path, inner) = World::with_nested(Tenure::Lasting);
    let crowd = 100..100 + MAX_WAITING as u64;
    for reply in crowd.clone() {
        assert_eq!(world.operate(OperatorCall::Wait(path.clone()), reply), None);
    }
    let crowded = refused(OperatorRefusal::Crowded(path.clone()));
    assert_eq!(world.operate(OperatorCall::Wait(path.clone()), 2), crowded);
    world.apply(Input::Forsaken(crowd.skip(1).map(ReplyTo).collect()));
    assert_eq!(world.operate(OperatorCall::Wait(path), 3), None);
    world.operators_answers.clear();
    world.ended(&inner, Exit::Code(0));
    assert_eq!(world.operators_answers.iter().map(|(reply, _)| *reply).collect::<Vec<_>>(), [100, 3]);
}

#[test]
fn what_is_to_end_is_asked_to_end_again_by_whoever_may_have_missed_it() {
    let times = |world: &World, request: Request| world.asked.iter().filter(|asked| **asked == request).count();
    for (signal, request) in
        [(libc::SIGKILL, Request::Destroy as fn(ContainerId) -> Request), (libc::SIGTERM, Request::Terminate)]
    {
        let (mut world, path, inner) = World::with_nested(Tenure::Lasting);
        let whole = world.specs[0].container.clone();
        let running = || vec![report(&whole, Stage::Running), report(&inner, Stage::Running)];
        let request = request(inner.clone());
        world.apply(Input::LauncherClosed);
        assert_eq!(world.operate(OperatorCall::Kill(path.clone(), signal), 2), Some(OperatorReply::Done));
        assert_eq!(times(&world, request.clone()), 0, "there is nobody to ask");
        world.greet(running());
        assert_eq!(times(&world, request.clone()), 1);
        let mut world = World::recovered(world.disk.clone(), BOOT, 5_000);
        world.greet(running());
        assert_eq!(times(&world, request), 1);
        // What was asked for more severely stays so.
        world.operate(OperatorCall::Kill(path.clone(), libc::SIGKILL), 3);
        world.operate(OperatorCall::Kill(path, libc::SIGTERM), 4);
        world.asked.clear();
        world.greet(running());
        assert_eq!(world.asked, [Request::Destroy(inner)]);
    }
}

#[test]
fn what_is_killed_before_it_runs_ends_once_it_does() {
    let mut world = World::ready();
    let whole = world.start(task("t"));
    let path = ContainerPath::root(whole.as_str()).within("inner");
    world.operate(OperatorCall::Launch(Box::new(launch(&path, Tenure::Lasting))), 1);
    let inner = world.specs.last().unwrap().container.clone();
    assert_eq!(world.operate(OperatorCall::Kill(path, libc::SIGTERM), 2), Some(OperatorReply::Done));
    assert!(world.asked.is_empty(), "the launcher may not have it yet");
    world.started(&inner);
    assert_eq!(world.asked, [Request::Terminate(inner)]);
}

#[test]
fn what_asks_for_files_is_launched_once_they_are_there() {
    let wanting = |path: &ContainerPath, uri: &str| {
        let mut launch = launch(path, Tenure::Lasting);
        let uri = CommandUri { value: uri.to_owned(), ..CommandUri::default() };
        launch.command.as_mut().unwrap().uris = vec![uri];
        OperatorCall::Launch(Box::new(launch))
    };
    let mut world = World::ready();
    let whole = world.start(task("t"));
    let root = ContainerPath::root(whole.as_str());
    let [good, bad, unwanted, missed] = ["good", "bad", "unwanted", "missed"].map(|name| root.within(name));
    assert!(matches!(
        world.operate(wanting(&good, "s3://bucket/a"), 1),
        Some(OperatorReply::Refused(OperatorRefusal::Unsupported(text))) if text.contains("not s3://")
    ));

    assert_eq!(world.operate(wanting(&good, "file:///a"), 2), None);
    let order = world.ordered.pop().unwrap();
    assert_eq!((order.items.len(), &order.sandbox), (1, &world.specs[0].directory.join("containers/good")));
    assert_eq!(world.specs.len(), 1, "nothing runs before its files are there");
    world.apply(Input::Fetched { container: order.container.clone(), outcome: Ok(None) });
    assert_eq!(world.specs[1].container, order.container);
    world.started(&order.container);
    assert_eq!(world.answer(2), Some(OperatorReply::Launched));
    let sandbox = world.specs[0].directory.clone();
    assert_eq!(world.premises, [beneath(&sandbox, "good"), Premises::Made]);

    assert_eq!(world.operate(wanting(&bad, "file:///b"), 3), None);
    let container = world.ordered.pop().unwrap().container;
    world.apply(Input::Fetched { container, outcome: Err("there is none".to_owned()) });
    assert_eq!(world.answer(3), refused(OperatorRefusal::Failed("there is none".to_owned())));

    assert_eq!(world.operate(wanting(&unwanted, "file:///c"), 4), None);
    let container = world.ordered.pop().unwrap().container;
    assert_eq!(world.operate(OperatorCall::Kill(unwanted, libc::SIGTERM), 5), Some(OperatorReply::Done));
    assert!(matches!(world.answer(4), Some(OperatorReply::Refused(OperatorRefusal::Failed(_)))));
    assert_eq!(world.stopped, std::slice::from_ref(&container));
    world.apply(Input::Fetched { container, outcome: Ok(None) });

    assert_eq!(world.operate(wanting(&missed, "file:///d"), 6), None);
    let container = world.ordered.pop().unwrap().container;
    world.apply(Input::LauncherClosed);
    world.apply(Input::Fetched { container: container.clone(), outcome: Ok(None) });
    world.greet(vec![report(&whole, Stage::Running), report(&world.specs[1].container.clone(), Stage::Running)]);
    assert!(matches!(world.answer(6), Some(OperatorReply::Refused(OperatorRefusal::Failed(_)))));
    assert_eq!((world.specs.len(), world.disk.contained.len()), (2, 1), "only what got its files was launched");
}

#[test]
fn a_signal_that_need_not_end_anything_is_sent_once_to_what_runs() {
    let mut world = World::ready();
    let whole = world.start(task("t"));
    let path = ContainerPath::root(whole.as_str()).within("inner");
    world.operate(OperatorCall::Launch(Box::new(launch(&path, Tenure::Lasting))), 1);
    let inner = world.specs.last().unwrap().container.clone();
    let kill = |signal: i32| OperatorCall::Kill(path.clone(), signal);
    assert_eq!(world.operate(kill(libc::SIGUSR1), 2), refused(OperatorRefusal::NotYet(path.clone())));
    world.started(&inner);
    assert_eq!(world.operate(kill(libc::SIGUSR1), 3), Some(OperatorReply::Done));
    let record = &world.disk.contained[&inner];
    let Progress::Running(process) = record.progress else { panic!("{record:?}") };
    assert_eq!(world.signals, [(process, libc::SIGUSR1)]);
    for wrong in [0, -9, 65] {
        assert!(matches!(
            world.operate(kill(wrong), 4),
            Some(OperatorReply::Refused(OperatorRefusal::Unsupported(text))) if text.contains("is no signal")
        ));
    }
    world.greet(vec![report(&whole, Stage::Running), report(&inner, Stage::Running)]);
    assert_eq!((world.signals.len(), world.asked.len()), (1, 0));
}

#[test]
fn a_session_whose_connection_ends_while_the_launcher_is_away_ends_too() {
    let (mut world, path, inner) = World::with_nested(Tenure::Session);
    let whole = world.specs[0].container.clone();
    world.apply(Input::LauncherClosed);
    world.apply(Input::SessionClosed(path));
    world.greet(vec![report(&whole, Stage::Running), report(&inner, Stage::Running)]);
    assert_eq!(world.asked, [Request::Destroy(inner)]);
}

#[test]
fn a_session_ends_with_its_connection_and_leaves_the_sandbox_alone() {
    let (mut world, path, inner) = World::with_nested(Tenure::Session);
    assert_eq!(world.premises, [Premises::Shared]);
    assert_eq!(world.specs[1].directory, world.specs[0].directory);
    let attached = world.operate(OperatorCall::Attach(path.clone(), Direction::Input), 2);
    assert_eq!(attached, Some(OperatorReply::Attached(Outlet::Session)));
    world.apply(Input::SessionClosed(path.clone()));
    assert_eq!(world.asked.last(), Some(&Request::Destroy(inner.clone())));
    world.ended(&inner, Exit::Signal(9));
    assert_eq!(world.operate(OperatorCall::Remove(path), 3), Some(OperatorReply::Done));
    assert!(world.discarded.is_empty());
}

#[test]
fn a_container_by_itself_has_limits_of_its_own() {
    let mut world = World::ready();
    let path = ContainerPath::root("alone");
    let scalar = |name: &str, value| Resource {
        name: name.to_owned(),
        r#type: ValueType::Scalar,
        scalar: Some(Scalar { value }),
        ..Resource::default()
    };
    let resources = vec![scalar("cpus", 0.5), scalar("mem", 128.0)];
    let alone = ContainerLaunch { resources, ..launch(&path, Tenure::Lasting) };
    assert_eq!(world.operate(OperatorCall::Launch(Box::new(alone)), 1), None);
    let spec = world.specs[0].clone();
    let limits = spec.limits.unwrap();
    assert_eq!((spec.parent, limits.cpu_shares, limits.memory_bytes), (None, 512, 128 << 20));
    assert_eq!(spec.directory, PathBuf::from("/agent/containers/alone"));
    let failed = Reply::LaunchFailed { container: spec.container, error: "no such program".to_owned() };
    world.apply(Input::Launcher(failed));
    assert_eq!(world.answer(1), refused(OperatorRefusal::Failed("no such program".to_owned())));
    assert!(world.disk.contained.is_empty());
    assert_eq!(world.discarded, [spec.directory]);

    let terminal = Some(Box::new(ContainerInfo {
        r#type: ContainerType::Mesos,
        tty_info: Some(TtyInfo::default()),
        ..ContainerInfo::default()
    }));
    let wanted = ContainerLaunch { container: terminal, ..launch(&path, Tenure::Lasting) };
    assert_eq!(world.operate(OperatorCall::Launch(Box::new(wanted)), 2), None);
    let spec = world.specs.last().unwrap().clone();
    assert_eq!(spec.streams, Streams::Kept(None));
    world.started(&spec.container);
    let attached = world.operate(OperatorCall::Attach(path, Direction::Input), 3);
    let terminal = Outlet::Terminal { container: spec.container, directory: spec.directory };
    assert_eq!(attached, Some(OperatorReply::Attached(terminal)));
}

#[test]
fn what_a_container_of_an_operator_cannot_have_is_refused_by_name() {
    let (mut world, inner, _) = World::with_nested(Tenure::Lasting);
    let nested = inner.within("deeper");
    let alone = ContainerPath::root("alone");
    type Change = fn(&mut ContainerInfo);
    let cases: [(&ContainerPath, Change, &str); 5] = [
        (&alone, |info| info.r#type = ContainerType::Docker, "`container.type DOCKER`"),
        (&alone, |info| info.network_infos = vec![NetworkInfo::default()], "`container.network_infos`"),
        (
            &nested,
            |info| info.hostname = Some("h".to_owned()),
            "`container.hostname without an image, within another container`",
        ),
        (
            &nested,
            |info| info.linux_info = Some(LinuxInfo::default()),
            "`container.linux_info within another container`",
        ),
        (
            &nested,
            |info| info.volumes = vec![Volume::default()],
            "`container.volumes without an image, within another container`",
        ),
    ];
    for (reply, (path, change, cause)) in (10..).zip(cases) {
        let mut info = ContainerInfo { r#type: ContainerType::Mesos, ..ContainerInfo::default() };
        change(&mut info);
        let wanted = ContainerLaunch { container: Some(Box::new(info)), ..launch(path, Tenure::Lasting) };
        let Some(OperatorReply::Refused(refusal)) = world.operate(OperatorCall::Launch(Box::new(wanted)), reply) else {
            panic!("{cause} is refused")
        };
        assert_eq!(refusal.to_string(), format!("This agent does not support {cause}"));
    }
}

#[test]
fn rules_say_who_may_do_what_as_whom() {
    let rules = r#"{
        "launch_nested_container_sessions_under_parent_with_user":
            [{"principals":{"values":["ann"]},"users":{"values":["carl"]}},
             {"principals":{"type":"ANY"},"users":{"type":"NONE"}}],
        "launch_nested_container_sessions_as_user":
            [{"principals":{"values":["ann"]},"users":{"values":["carl"]}},
             {"principals":{"type":"ANY"},"users":{"type":"NONE"}}],
        "launch_standalone_containers": [{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}"#;
    let acls = Arc::new(Acls::parse(rules).unwrap());
    let viewer = |name: &str| Viewer::new(Some(Principal::named(name)), Some(acls.clone()));
    let mut world = World::ready();
    let framework = FrameworkInfo { user: "carl".to_owned(), ..FrameworkInfo::default() };
    world.run_for(framework, task("t"));
    let container = world.launched.last().unwrap().clone();
    world.started(&container);
    let path = ContainerPath::root(container.as_str()).within("shell");
    let session = launch(&path, Tenure::Session);
    let as_root = ContainerLaunch {
        command: Some(CommandInfo { user: Some("root".to_owned()), ..session.command.clone().unwrap() }),
        ..session.clone()
    };
    let alone = launch(&ContainerPath::root("alone"), Tenure::Lasting);
    let forbidden = refused(OperatorRefusal::Forbidden);
    let cases = [
        ("bob", &session, forbidden.clone()),
        ("ann", &as_root, forbidden.clone()),
        ("ann", &alone, forbidden),
        ("ann", &session, None),
    ];
    for (reply, (name, launch, expected)) in cases.into_iter().enumerate() {
        let call = OperatorCall::Launch(Box::new(launch.clone()));
        assert_eq!(world.operate_as(call, viewer(name), reply as u64), expected, "{name}");
    }
}

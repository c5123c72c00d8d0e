//! Executors in a world that is made of values.

use attica_core_api::auth::{Claims, TokenKey};
use attica_core_api::executor::{Subscribe, Update};
use attica_core_api::link::{ShutdownExecutor, StatusUpdate};
use bytes::Bytes;

use super::*;
use crate::image::{Provisioned, Runtime};
use crate::supervisor::{Excess, ExecutorCall, ExecutorKey, ReplyTo, StreamId};

fn with_executor(id: &str, executor: &str) -> TaskInfo {
    let command = Some(CommandInfo { value: Some("./executor".to_owned()), ..CommandInfo::default() });
    let info = ExecutorInfo { executor_id: executor.into(), command, ..ExecutorInfo::default() };
    TaskInfo { command: None, executor: Some(Box::new(info)), ..task(id) }
}

fn status(task: &str, state: TaskState, uuid: u8) -> TaskStatus {
    TaskStatus {
        task_id: task.into(),
        state,
        source: Some(TaskStatusSource::Executor),
        uuid: Some(Bytes::from(vec![uuid; 16])),
        ..TaskStatus::default()
    }
}

impl World {
    fn call(&mut self, call: ExecutorCall) -> Result<(), ExecutorRefusal> {
        let executor = ExecutorKey { framework_id: "f".into(), executor_id: "e".into() };
        self.apply(Input::ExecutorCall { executor, call, token: None, reply: ReplyTo(1) });
        self.answers.pop().unwrap()
    }

    fn subscribe(&mut self, stream: u64, tasks: &[&str], updates: Vec<TaskStatus>) -> Result<(), ExecutorRefusal> {
        let subscribe = Subscribe {
            unacknowledged_tasks: tasks.iter().map(|id| with_executor(id, "e")).collect(),
            unacknowledged_updates: updates.into_iter().map(|status| Update { status }).collect(),
        };
        self.call(ExecutorCall::Subscribe { stream: StreamId(stream), subscribe })
    }

    fn update(&mut self, task: &str, state: TaskState, uuid: u8) {
        self.call(ExecutorCall::Update(Box::new(status(task, state, uuid)))).unwrap();
    }

    /// What executors were told since the last time: stream, type, task.
    fn heard(&mut self) -> Vec<(u64, &'static str, String)> {
        let line = |(stream, event): (u64, executor::Event)| {
            let launch = event.launch.map(|launch| launch.task.task_id);
            let kill = event.kill.map(|kill| kill.task_id);
            let acknowledged = event.acknowledged.map(|acknowledged| acknowledged.task_id);
            let task = launch.or(kill).or(acknowledged).map(|task| task.to_string());
            (stream, event.r#type.unwrap().name(), task.unwrap_or_default())
        };
        std::mem::take(&mut self.told).into_iter().map(line).collect()
    }

    /// An executor `e` on stream 1, with the tasks `a` and `b` running.
    fn with_two() -> (World, ContainerId) {
        let mut world = World::ready();
        world.run(with_executor("a", "e"));
        world.run(with_executor("b", "e"));
        let container = world.launched[0].clone();
        world.started(&container);
        world.subscribe(1, &[], vec![]).unwrap();
        world.update("a", TaskState::Running, 1);
        world.update("b", TaskState::Running, 2);
        world.told.clear();
        (world, container)
    }

    fn last_words(&self) -> Vec<(&str, TaskState, Option<TaskStatusReason>)> {
        let line = |update: &StatusUpdate| {
            (update.status.task_id.as_str().to_owned(), update.status.state, update.status.reason)
        };
        let mut last = BTreeMap::new();
        for (task, state, reason) in self.sent.iter().map(line) {
            last.insert(task, (state, reason));
        }
        let find = |task: &str| self.sent.iter().find(|update| update.status.task_id.as_str() == task).unwrap();
        last.into_iter().map(|(task, (state, reason))| (find(&task).status.task_id.as_str(), state, reason)).collect()
    }
}

fn told(lines: &[(u64, &'static str, &str)]) -> Vec<(u64, &'static str, String)> {
    lines.iter().map(|(stream, kind, task)| (*stream, *kind, (*task).to_owned())).collect()
}

#[test]
fn one_process_runs_several_tasks_and_what_it_says_goes_to_the_master() {
    let mut world = World::ready();
    world.run(with_executor("a", "e"));
    world.run(with_executor("b", "e"));
    assert_eq!(world.launched.len(), 1, "one executor");
    assert_eq!(world.call(ExecutorCall::Heartbeat), Err(ExecutorRefusal::NotSubscribed));
    let container = world.launched[0].clone();
    world.started(&container);
    assert_eq!(world.subscribe(1, &[], vec![]), Ok(()));
    assert_eq!(world.heard(), told(&[(1, "SUBSCRIBED", ""), (1, "LAUNCH", "a"), (1, "LAUNCH", "b")]));
    world.run(with_executor("c", "e"));
    assert_eq!(world.heard(), told(&[(1, "LAUNCH", "c")]));
    assert!(
        world.asked.iter().any(|request| matches!(request, Request::Resize(..))),
        "its container grows with its tasks"
    );

    world.update("a", TaskState::Running, 1);
    assert_eq!(world.heard(), told(&[(1, "ACKNOWLEDGED", "a")]));
    world.update("a", TaskState::Running, 1);
    assert_eq!(world.heard(), told(&[(1, "ACKNOWLEDGED", "a")]), "a repetition is acknowledged");
    let sent: Vec<_> = world.sent.iter().map(|update| (update.status.state, update.sequence)).collect();
    assert_eq!(sent, [(TaskState::Running, 1)], "and goes no further");
    let first = world.sent[0].status.clone();
    assert_eq!(first.executor_id, Some("e".into()));
    assert_eq!(first.container_status.unwrap().container_id.unwrap().value, container.as_str());

    world.call(ExecutorCall::Message(Bytes::from_static(b"up"))).unwrap();
    let message = |data| Message { framework_id: "f".into(), executor_id: "e".into(), data: Bytes::from_static(data) };
    assert_eq!(world.messages, [message(b"up")]);
    world.apply(Input::Link(Box::new(Event::message(1, message(b"down")))));
    assert_eq!(world.told.pop().unwrap().1.message.unwrap().data, "down");

    world.update("a", TaskState::Finished, 3);
    world.kill("b", None);
    assert_eq!(world.heard(), told(&[(1, "ACKNOWLEDGED", "a"), (1, "KILL", "b")]));
    world.update("b", TaskState::Killed, 4);
    world.ended(&container, Exit::Code(0));
    let last = [
        ("a", TaskState::Finished, None),
        ("b", TaskState::Killed, None),
        ("c", TaskState::Failed, Some(TaskStatusReason::ExecutorTerminated)),
    ];
    assert_eq!(world.last_words(), last);
    assert_eq!((world.closed_streams, world.exited.len()), (vec![1], 1));
    assert_eq!(world.exited[0].status, Some(0));
    assert!(world.disk.executors.is_empty());
}

#[test]
fn who_has_to_prove_himself_is_heard_with_his_own_token_only() {
    let signing = TokenKey::new(&[7; 32]).unwrap();
    let config = Config { proof: Proof::Token(signing.clone()), ..config(BOOT) };
    let mut world = World::recovered_as(Disk::default(), config, 0).unwrap();
    world.register();
    world.greet(Vec::new());
    world.run(with_executor("a", "e"));
    let environment: BTreeMap<_, _> = world.specs[0].environment.iter().cloned().collect();
    let token = environment["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"].clone();
    let container = world.launched[0].clone();
    let claims = [("cid", container.as_str()), ("eid", "e"), ("fid", "f")];
    let claims: Claims = claims.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(signing.verify(&token, 0), Ok(claims));
    world.started(&container);
    let mut ask = |token: Option<String>| {
        let executor = ExecutorKey { framework_id: "f".into(), executor_id: "e".into() };
        let call = ExecutorCall::Subscribe { stream: StreamId(1), subscribe: Subscribe::default() };
        world.apply(Input::ExecutorCall { executor, call, token, reply: ReplyTo(1) });
        world.answers.pop().unwrap()
    };
    assert_eq!(ask(None), Err(ExecutorRefusal::NoToken));
    assert_eq!(ask(Some(String::new())), Err(ExecutorRefusal::WrongToken));
    assert_eq!(ask(Some("0".repeat(token.len()))), Err(ExecutorRefusal::WrongToken));
    // Signed by the same agent, for another executor.
    let foreign = signing.sign(&[("eid".to_owned(), "other".to_owned())].into());
    assert_eq!(ask(Some(foreign)), Err(ExecutorRefusal::WrongToken));
    assert_eq!(ask(Some(token)), Ok(()));
}

#[test]
fn who_is_not_known_is_told_so() {
    let mut world = World::ready();
    assert_eq!(world.subscribe(1, &[], vec![]), Err(ExecutorRefusal::NoFramework));
    world.run(task("plain"));
    assert_eq!(world.subscribe(1, &[], vec![]), Err(ExecutorRefusal::NoExecutor));
    assert!(world.told.is_empty());
}

#[test]
fn an_executor_that_does_not_subscribe_in_time_is_ended_and_its_tasks_say_why() {
    let mut world = World::ready();
    world.run(with_executor("a", "e"));
    let container = world.launched[0].clone();
    world.started(&container);
    world.advance(59_999);
    assert!(!world.asked.contains(&Request::Destroy(container.clone())));
    world.advance(1);
    assert!(world.asked.contains(&Request::Destroy(container.clone())));
    world.ended(&container, Exit::Signal(9));
    let update = world.sent.last().unwrap();
    assert_eq!(update.status.message.as_deref(), Some("Executor did not register within 1mins"));
    assert_eq!(update.status.reason, Some(TaskStatusReason::ExecutorRegistrationTimeout));
    assert_eq!(world.exited[0].status, Some(9));
}

#[test]
fn an_executor_may_subscribe_before_the_launcher_has_said_that_it_runs() {
    let mut world = World::ready();
    world.run(with_executor("a", "e"));
    let container = world.launched[0].clone();
    world.subscribe(1, &[], vec![]).unwrap();
    world.started(&container);
    world.advance(60_000);
    assert!(!world.asked.contains(&Request::Destroy(container)));
    world.run(with_executor("b", "e"));
    let heard = world.heard();
    assert!(heard.contains(&(1, "LAUNCH", "b".to_owned())), "{heard:?}");
}

#[test]
fn after_the_agents_restart_an_executor_goes_on_where_it_was() {
    let (world, container) = World::with_two();
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.register();
    world.greet(vec![report(&container, Stage::Running)]);
    world.run(with_executor("c", "e"));
    world.sent.clear();
    // It had received neither `c` nor the acknowledgement of its second status, and has something new to say of the first.
    let news = vec![status("b", TaskState::Running, 2), status("a", TaskState::Finished, 3)];
    world.subscribe(2, &["b"], news).unwrap();
    let expected = [(2, "SUBSCRIBED", ""), (2, "ACKNOWLEDGED", "b"), (2, "ACKNOWLEDGED", "a"), (2, "LAUNCH", "c")];
    assert_eq!(world.heard(), told(&expected));
    assert_eq!(world.states(), ["TASK_FINISHED"]);
    assert!(world.launched.is_empty(), "it is not started again");
    world.advance(60_000);
    assert!(!world.asked.contains(&Request::Destroy(container)));
}

#[test]
fn an_executor_that_does_not_come_back_after_the_agents_restart_is_ended() {
    let (world, container) = World::with_two();
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.register();
    world.greet(vec![report(&container, Stage::Running)]);
    world.advance(2_000);
    assert!(world.asked.contains(&Request::Destroy(container.clone())));
    world.ended(&container, Exit::Signal(9));
    let reason = Some(TaskStatusReason::ExecutorReregistrationTimeout);
    assert_eq!(world.last_words(), [("a", TaskState::Failed, reason), ("b", TaskState::Failed, reason)]);
}

#[test]
fn a_kill_waits_for_an_executor_that_is_away_and_comes_before_one_that_never_was_there() {
    let (mut world, _) = World::with_two();
    world.apply(Input::StreamClosed(StreamId(1)));
    assert_eq!(world.closed_streams, [1], "nothing of it is kept");
    world.kill("a", Some(100));
    assert!(world.heard().is_empty());
    world.subscribe(2, &[], vec![]).unwrap();
    assert_eq!(world.heard(), told(&[(2, "SUBSCRIBED", ""), (2, "KILL", "a")]));

    let mut world = World::ready();
    world.run(with_executor("a", "e"));
    let container = world.launched[0].clone();
    world.kill("a", None);
    assert_eq!(world.states(), ["TASK_KILLED"]);
    world.started(&container);
    assert!(world.asked.contains(&Request::Destroy(container)), "nobody needs it");
}

#[test]
fn a_shutdown_is_told_and_then_enforced() {
    let (mut world, container) = World::with_two();
    let shutdown = ShutdownExecutor { framework_id: "f".into(), executor_id: "e".into() };
    world.apply(Input::Link(Box::new(Event::shutdown_executor(1, shutdown))));
    assert_eq!(world.heard(), told(&[(1, "SHUTDOWN", "")]));
    world.run(with_executor("late", "e"));
    assert_eq!(world.sent.last().unwrap().status.state, TaskState::Lost);
    world.update("a", TaskState::Killed, 3);
    world.advance(4_999);
    assert!(!world.asked.contains(&Request::Destroy(container.clone())));
    world.advance(1);
    assert!(world.asked.contains(&Request::Destroy(container.clone())));
    world.ended(&container, Exit::Signal(9));
    let failed = world.sent.last().unwrap();
    assert_eq!((failed.status.task_id.as_str(), failed.status.state), ("b", TaskState::Failed));
    assert_eq!(failed.status.message.as_deref(), Some("Executor was shut down"));
}

#[test]
fn an_agent_that_is_drained_shuts_executors_down_and_waits_for_them() {
    let (mut world, container) = World::with_two();
    world.apply(Input::Drain);
    assert_eq!(world.heard(), told(&[(1, "SHUTDOWN", "")]));
    world.update("a", TaskState::Killed, 3);
    world.update("b", TaskState::Killed, 4);
    world.sent.clone().iter().for_each(|update| world.acknowledge(update));
    assert!(!world.over, "the executor is there still");
    world.ended(&container, Exit::Code(0));
    assert!(world.over);
}

#[test]
fn a_lost_launcher_ends_what_it_ran_and_starts_what_it_did_not() {
    let (mut world, _) = World::with_two();
    world.apply(Input::LauncherClosed);
    world.greet(vec![]);
    assert_eq!(world.states()[2..], ["TASK_FAILED", "TASK_FAILED"]);
    assert!(world.disk.executors.is_empty());

    let mut world = World::ready();
    world.run(with_executor("a", "e"));
    world.apply(Input::LauncherClosed);
    world.greet(vec![]);
    assert_eq!(world.launched.len(), 2);
    assert!(world.sent.is_empty());
}

#[test]
fn a_container_is_as_large_as_its_tasks_that_came_while_the_launcher_was_away() {
    let (mut world, container) = World::with_two();
    world.apply(Input::LauncherClosed);
    world.run(with_executor("c", "e"));
    world.asked.clear();
    world.greet(vec![report(&container, Stage::Running)]);
    let [Request::Resize(resized, limits, _)] = world.asked.as_slice() else { panic!("{:?}", world.asked) };
    assert_eq!((resized, limits.memory_bytes), (&container, (3 * 64) << 20));
}

#[test]
fn the_machines_restart_ends_executors_with_their_tasks() {
    let (world, _) = World::with_two();
    let mut world = World::recovered(world.disk, "boot-2", 10);
    world.register();
    assert_eq!(world.last_words().iter().map(|(_, state, _)| *state).collect::<Vec<_>>(), [TaskState::Lost; 2]);
    assert!(world.disk.executors.is_empty());
}

#[test]
fn what_the_agent_does_not_do_for_executors_is_refused_by_name() {
    let refuse = |change: fn(&mut TaskInfo)| {
        let mut world = World::ready();
        let mut info = with_executor("a", "e");
        change(&mut info);
        world.run(info);
        assert!(world.launched.is_empty() && world.disk.executors.is_empty());
        world.sent.last().unwrap().status.message.clone().unwrap()
    };
    let container = refuse(|info| info.executor.as_mut().unwrap().container = Some(Box::default()));
    assert_eq!(container, "The container names no image");
    let own = refuse(|info| info.executor.as_mut().unwrap().r#type = Some(ExecutorType::Default));
    assert_eq!(own, "This agent does not support `executor.type DEFAULT`");
    assert_eq!(refuse(|info| info.executor.as_mut().unwrap().command = None), "The executor has no command");
    assert_eq!(
        refuse(|info| info.health_checks.push(http_check())),
        "This agent does not support `health_checks with an executor`"
    );
}

#[test]
fn an_executor_of_an_image_begins_once_that_is_here_and_keeps_it() {
    let docker = DockerInfo { image: "app".to_owned(), ..DockerInfo::default() };
    let volume = Volume {
        mode: VolumeMode::ReadOnly,
        container_path: "/machine".to_owned(),
        host_path: Some("/srv/shared/a".to_owned()),
        ..Volume::default()
    };
    let container = ContainerInfo {
        r#type: ContainerType::Docker,
        docker: Some(docker),
        volumes: vec![volume],
        ..ContainerInfo::default()
    };
    let mut info = with_executor("a", "e");
    info.executor.as_mut().unwrap().container = Some(Box::new(container));
    let mut world = World::ready();
    world.run(info);
    let order = world.ordered[0].clone();
    assert!(world.launched.is_empty() && order.image.as_ref().unwrap().name == "app");
    let image = Provisioned { digest: "d".to_owned(), layers: vec!["/layer".into()], runtime: Runtime::default() };
    let outcome = Ok(Some(Box::new(image.clone())));
    world.apply(Input::Fetched { container: order.container.clone(), outcome });
    let surroundings = world.specs[0].surroundings.clone().unwrap();
    assert_eq!(surroundings.root.unwrap().layers, image.layers);
    assert_eq!(surroundings.mounts[0].target, PathBuf::from("/machine"));
    world.started(&order.container);
    let world = World::recovered(world.disk, BOOT, 1_000);
    assert_eq!(world.supervisor.executors().next().unwrap().image.as_deref(), Some(&image));
}

#[test]
fn a_volume_comes_with_an_executor_and_not_later() {
    let with_volume = |task: &str| {
        let mut info = with_executor(task, "e");
        let persistence = Some(DiskPersistence { id: task.to_owned(), ..DiskPersistence::default() });
        let volume = Volume { mode: VolumeMode::ReadWrite, container_path: task.to_owned(), ..Volume::default() };
        let disk = DiskInfo { persistence, volume: Some(volume), ..DiskInfo::default() };
        let scalar = Some(Scalar { value: 1.0 });
        let (disk, name, role) = (Some(Box::new(disk)), "disk".to_owned(), Some("team".to_owned()));
        info.resources.push(Resource { disk, name, role, scalar, r#type: ValueType::Scalar, ..Resource::default() });
        info
    };
    let mut world = World::ready();
    world.run(with_volume("a"));
    let container = world.launched[0].clone();
    assert!(world.sent.is_empty(), "{:?}", world.sent);
    assert_eq!(world.supervisor.resources_in(&container).iter().filter(|resource| resource.disk.is_some()).count(), 1);
    world.run(with_volume("b"));
    assert_eq!(
        world.sent.last().unwrap().status.message.as_deref(),
        Some("This agent does not support `resources.disk.volume with an executor that runs already`")
    );
    world.run(with_executor("c", "e"));
    assert_eq!(world.sent.len(), 1, "what uses none is welcome");
}

#[test]
fn an_executor_that_takes_more_than_it_has_ends_at_once_and_its_tasks_say_why_also_after_a_restart() {
    let excess = Excess::Disk { used_bytes: 8 << 20, limit_bytes: 4 << 20 };
    let (mut world, container) = World::with_two();
    let suspects: Vec<ContainerId> = world.supervisor.suspects().into_iter().map(|suspect| suspect.container).collect();
    assert_eq!(suspects, std::slice::from_ref(&container));
    world.asked.clear();
    world.apply(Input::Exceeded { container: container.clone(), excess });
    assert_eq!(world.asked, [Request::Destroy(container.clone())]);
    assert!(world.heard().is_empty(), "nobody pleads with it");
    assert!(world.supervisor.suspects().is_empty());
    let mut world = World::recovered(world.disk, BOOT, world.now_ms);
    world.register();
    world.greet(vec![report(&container, Stage::Running)]);
    assert!(world.asked.contains(&Request::Destroy(container.clone())), "{:?}", world.asked);
    world.ended(&container, Exit::Signal(9));
    let reason = Some(TaskStatusReason::ContainerLimitationDisk);
    let last: Vec<&TaskStatus> = world.sent.iter().rev().take(2).map(|update| &update.status).collect();
    for status in last {
        assert_eq!((status.state, status.reason), (TaskState::Failed, reason));
        assert_eq!(status.limitation.as_ref().unwrap().resources[0].scalar.as_ref().unwrap().value, 4.0);
    }
    assert!(world.disk.executors.is_empty());
}

#[test]
fn whoever_names_no_container_and_no_variables_has_the_agents() {
    let named = |hostname: &str| {
        let hostname = Some(hostname.to_owned());
        Some(Box::new(ContainerInfo { r#type: ContainerType::Mesos, hostname, ..ContainerInfo::default() }))
    };
    let variables = [("PATH", "/opt/bin"), ("WHOSE", "agent"), ("MESOS_SANDBOX", "/elsewhere"), ("BOTH", "agent")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let defaults = Defaults { variables, container: named("of-agent"), ..Defaults::default() };
    let mut world = World::recovered_as(Disk::default(), Config { defaults, ..config(BOOT) }, 0).unwrap();
    world.register();
    world.greet(Vec::new());
    let asks = |mut task: TaskInfo| {
        let variable = Variable { name: "BOTH".to_owned(), value: Some("task".to_owned()), ..Variable::default() };
        let environment = Some(Environment { variables: vec![variable] });
        let executors = task.executor.as_mut().and_then(|executor| executor.command.as_mut());
        executors.or(task.command.as_mut()).unwrap().environment = environment;
        task
    };
    let mut own = with_executor("c", "own");
    own.executor.as_mut().unwrap().container = named("own");
    let tasks = [asks(task("a")), TaskInfo { container: named("own"), ..asks(task("b")) }, asks(own)];
    tasks.into_iter().chain([asks(with_executor("d", "e"))]).for_each(|task| world.run(task));
    let hostname = |spec: &LaunchSpec| spec.surroundings.as_ref().unwrap().namespaces.hostname.clone().unwrap();
    assert_eq!(world.specs.iter().map(hostname).collect::<Vec<_>>(), ["of-agent", "own", "own", "of-agent"]);
    for spec in &world.specs {
        let value = |name: &str| spec.environment.iter().find(|(found, _)| found == name).unwrap().1.as_str();
        assert_eq!((value("PATH"), value("WHOSE"), value("BOTH")), ("/opt/bin", "agent", "task"));
        assert_ne!(value("MESOS_SANDBOX"), "/elsewhere", "what is the agent's to say is said by it");
    }
}

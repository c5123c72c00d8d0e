//! The supervisor alone: scenarios, and the promise that what is written down is all that is needed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use attica_core_api::link::{Acknowledge, Event, Kill, Registered, Run, StatusUpdate};
use attica_core_api::v1::*;
use attica_core_api::{Entropy, Now, Tick, Timestamp};
use proptest::prelude::*;

use super::{Config, Effect, Input, Supervisor, Users};
use crate::checkpoint::{AgentRecord, TaskEntry, TaskHistory};
use crate::launcher::protocol::{
    ContainerId, ContainerReport, Ending, Exit, IsolationKind, MemoryVerdict, PROTOCOL, Process, Reply, Request,
};

const BOOT: &str = "boot-1";

fn config(boot_id: &str) -> Config {
    Config {
        info: AgentInfo { hostname: "host".to_owned(), ..AgentInfo::default() },
        ip: IpAddr::from([127, 0, 0, 1]),
        work_dir: "/work".into(),
        users: Users::Own("me".to_owned()),
        pids_limit: 100,
        boot_id: boot_id.to_owned(),
    }
}

/// What the disk holds, as the effects write it.
#[derive(Clone, Default)]
struct Disk {
    agent: Option<AgentRecord>,
    tasks: BTreeMap<ContainerId, TaskHistory>,
}

/// A supervisor with its clock and everything that came out of it.
struct World {
    supervisor: Supervisor,
    now_ms: u64,
    disk: Disk,
    sent: Vec<StatusUpdate>,
    asked: Vec<Request>,
    launched: Vec<ContainerId>,
    closed: Vec<String>,
    watched: usize,
    over: bool,
}

impl World {
    fn new() -> World {
        World::recovered(Disk::default(), BOOT, 0)
    }

    fn recovered(disk: Disk, boot_id: &str, now_ms: u64) -> World {
        let mut effects = Vec::new();
        let now = Now { tick: Tick(now_ms), wall: Timestamp(i64::try_from(now_ms).unwrap()) };
        let tasks = disk.tasks.values().cloned().collect();
        let supervisor = Supervisor::recover(
            now,
            config(boot_id),
            Entropy::new(u128::from(now_ms) + 7),
            disk.agent.clone(),
            tasks,
            &mut effects,
        );
        let mut world = World {
            supervisor,
            now_ms,
            disk,
            sent: Vec::new(),
            asked: Vec::new(),
            launched: Vec::new(),
            closed: Vec::new(),
            watched: 0,
            over: false,
        };
        world.perform(effects);
        world
    }

    fn apply(&mut self, input: Input) {
        let mut effects = Vec::new();
        let now = Now { tick: Tick(self.now_ms), wall: Timestamp(i64::try_from(self.now_ms).unwrap()) };
        self.supervisor.apply(now, input, &mut effects);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::StoreAgent(record) => self.disk.agent = Some(record),
                Effect::RemoveAgent => self.disk.agent = None,
                Effect::CreateTask(record) => {
                    self.disk
                        .tasks
                        .insert(record.container.clone(), TaskHistory { record: *record, entries: Vec::new() });
                }
                Effect::AppendTask(container, entry) => {
                    self.disk.tasks.get_mut(&container).unwrap().entries.push(entry)
                }
                Effect::RemoveTask(container) => drop(self.disk.tasks.remove(&container).unwrap()),
                Effect::Launch(spec) => {
                    assert!(self.disk.tasks.contains_key(&spec.container), "launched before it was written down");
                    self.launched.push(spec.container);
                }
                Effect::Send(update) => {
                    let written = self
                        .disk
                        .tasks
                        .values()
                        .flat_map(|task| &task.entries)
                        .any(|entry| *entry == TaskEntry::Update(update.clone()));
                    assert!(written, "sent before it was written down");
                    self.sent.push(*update);
                }
                Effect::Ask(request) => self.asked.push(request),
                Effect::CloseLink { reason } => self.closed.push(reason),
                Effect::Watch(..) => self.watched += 1,
                Effect::Exit => self.over = true,
                Effect::ListTasks(_) | Effect::Unwatch(_) => {}
            }
        }
    }

    fn advance(&mut self, ms: u64) {
        self.now_ms += ms;
        self.apply(Input::Tick);
    }

    fn register(&mut self) {
        let registered = Registered { agent_id: "m-S0".into(), ..Registered::default() };
        self.apply(Input::Link(Box::new(Event::registered(1, registered))));
    }

    fn greet(&mut self, containers: Vec<ContainerReport>) {
        self.apply(Input::Launcher(Reply::Hello {
            protocol: PROTOCOL,
            pid: 1,
            isolation: IsolationKind::Posix,
            containers,
        }));
    }

    fn ready() -> World {
        let mut world = World::new();
        world.register();
        world.greet(Vec::new());
        world
    }

    fn run(&mut self, task: TaskInfo) {
        self.run_for(FrameworkInfo::default(), task);
    }

    fn run_for(&mut self, framework_info: FrameworkInfo, task: TaskInfo) {
        self.apply(Input::Link(Box::new(Event::run(
            1,
            Run { framework_id: "f".into(), framework_info, tasks: vec![task] },
        ))));
    }

    fn start(&mut self, task: TaskInfo) -> ContainerId {
        self.run(task);
        let container = self.launched.last().unwrap().clone();
        self.started(&container);
        container
    }

    fn started(&mut self, container: &ContainerId) {
        self.apply(Input::Launcher(Reply::Started { container: container.clone(), process: process() }));
    }

    fn ended(&mut self, container: &ContainerId, exit: Exit) {
        let ending = Ending { exit, memory: MemoryVerdict::WithinLimit };
        self.apply(Input::Launcher(Reply::Ended { container: container.clone(), ending }));
    }

    fn kill(&mut self, task: &str, grace_ms: Option<u64>) {
        let kill_policy = grace_ms.map(|ms| KillPolicy { grace_period: Some(DurationInfo::from_milliseconds(ms)) });
        self.apply(Input::Link(Box::new(Event::kill(
            1,
            Kill { framework_id: "f".into(), task_id: task.into(), kill_policy },
        ))));
    }

    fn acknowledge(&mut self, update: &StatusUpdate) {
        let acknowledge = Acknowledge {
            framework_id: update.framework_id.clone(),
            task_id: update.status.task_id.clone(),
            uuid: update.status.uuid.clone().unwrap(),
        };
        self.apply(Input::Link(Box::new(Event::acknowledge(1, acknowledge))));
    }

    fn states(&self) -> Vec<&'static str> {
        self.sent.iter().map(|update| update.status.state.name()).collect()
    }

    fn probed(&mut self, container: &ContainerId, outcome: Result<(), &str>) {
        let outcome = outcome.map_err(str::to_owned);
        self.apply(Input::Probed { container: container.clone(), check: 0, outcome });
    }
}

fn process() -> Process {
    Process { pid: 42, start_ticks: 4 }
}

fn task(id: &str) -> TaskInfo {
    let mem = Resource {
        name: "mem".to_owned(),
        r#type: ValueType::Scalar,
        scalar: Some(Scalar { value: 64.0 }),
        ..Resource::default()
    };
    TaskInfo {
        task_id: id.into(),
        agent_id: "m-S0".into(),
        resources: vec![mem],
        command: Some(CommandInfo { value: Some("true".to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    }
}

fn http_check() -> HealthCheck {
    HealthCheck {
        r#type: Some(HealthCheckType::Http),
        http: Some(HttpCheckInfo { port: 80, ..HttpCheckInfo::default() }),
        grace_period_seconds: 10.0,
        consecutive_failures: 2,
        ..HealthCheck::default()
    }
}

#[test]
fn a_task_is_told_of_from_start_to_end_and_forgotten_when_that_is_known() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    world.run(task("t"));
    assert_eq!(world.launched.len(), 1, "the same task is not run twice");
    world.ended(&container, Exit::Code(0));
    assert_eq!(world.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]);
    assert_eq!(world.sent.iter().map(|update| update.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(world.asked, [Request::Forget(vec![container])]);
    for update in world.sent.clone() {
        assert_eq!(world.disk.tasks.len(), 1);
        world.acknowledge(&update);
    }
    assert!(world.disk.tasks.is_empty());
    assert_eq!(world.supervisor.registration("").task_count, 0);
    assert_eq!(world.supervisor.registration("").task_digest, World::ready().supervisor.registration("").task_digest);
}

#[test]
fn the_latest_health_reaches_a_master_that_was_away_for_long() {
    let mut world = World::ready();
    let info = TaskInfo { health_checks: vec![http_check()], ..task("t") };
    let container = world.start(info);
    world.apply(Input::LinkClosed);
    world.probed(&container, Ok(()));
    for _ in 0..300 {
        world.probed(&container, Err("refused"));
    }
    world.probed(&container, Ok(()));
    let mut world = World::recovered(world.disk, BOOT, world.now_ms);
    world.register();
    assert_eq!(world.sent.len(), 100);
    assert_eq!(world.states()[..3], ["TASK_STARTING", "TASK_RUNNING", "TASK_RUNNING"]);
    assert!(world.sent[99].status.health_results[0].healthy);
}

#[test]
fn updates_are_sent_again_with_growing_pauses_until_they_are_acknowledged() {
    let mut world = World::ready();
    world.start(task("t"));
    let running = world.sent[1].clone();
    world.acknowledge(&world.sent[0].clone());
    world.sent.clear();
    let mut times = Vec::new();
    for _ in 0..400 {
        world.advance(5_000);
        times.extend(world.sent.drain(..).map(|_| world.now_ms / 1_000));
    }
    assert_eq!(times, [10, 30, 70, 150, 310, 630, 1_230, 1_830]);
    world.apply(Input::LinkClosed);
    world.register();
    assert_eq!(world.sent, vec![running.clone()], "at once on a new link");
    world.acknowledge(&running);
    world.sent.clear();
    world.advance(10_000_000);
    assert!(world.sent.is_empty());
}

#[test]
fn a_kill_escalates_and_a_second_one_shortens_it() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    world.kill("t", Some(60_000));
    let (term, kill) = (Request::Terminate(container.clone()), Request::Destroy(container.clone()));
    assert_eq!(world.asked, vec![term.clone()]);
    world.advance(2_000);
    world.kill("t", Some(70_000));
    world.kill("t", Some(5_000));
    world.advance(2_999);
    assert_eq!(world.asked, vec![term.clone()]);
    world.advance(1);
    assert_eq!(world.asked, [term.clone(), kill.clone()]);
    world.kill("t", Some(0));
    assert_eq!(world.asked, [term, kill]);
    world.ended(&container, Exit::Signal(9));
    let last = world.sent.last().unwrap();
    assert_eq!(
        (last.status.state, last.status.message.as_deref()),
        (TaskState::Killed, Some("Command terminated with signal Killed"))
    );
}

#[test]
fn frameworks_that_know_killing_are_told() {
    let mut world = World::ready();
    let capability = FrameworkCapability { r#type: Some(FrameworkCapabilityType::TaskKillingState) };
    world.run_for(FrameworkInfo { capabilities: vec![capability], ..FrameworkInfo::default() }, task("t"));
    let container = world.launched[0].clone();
    world.started(&container);
    world.kill("t", None);
    world.ended(&container, Exit::Code(0));
    assert_eq!(world.states(), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]);
}

#[test]
fn a_task_that_is_killed_while_there_is_no_launcher_never_starts() {
    let mut world = World::new();
    world.register();
    world.run(task("t"));
    world.kill("t", None);
    world.greet(Vec::new());
    assert!(world.launched.is_empty());
    assert_eq!(world.states(), ["TASK_KILLED"]);
    assert_eq!(world.sent[0].status.reason, Some(TaskStatusReason::TaskKilledDuringLaunch));
}

#[test]
fn what_would_not_be_obeyed_is_refused_by_name() {
    type Change = fn(&mut TaskInfo);
    let command = |task: &mut TaskInfo, change: fn(&mut CommandInfo)| change(task.command.as_mut().unwrap());
    let cases: [(&str, Change); 14] = [
        ("`executor`", |task| task.executor = Some(Box::default())),
        ("`container`", |task| task.container = Some(Box::default())),
        ("`check`", |task| task.check = Some(CheckInfo::default())),
        ("`max_completion_time`", |task| task.max_completion_time = Some(DurationInfo::default())),
        ("`limits`", |task| task.limits.extend([("cpus".to_owned(), Scalar::default())])),
        ("`command.uris`", |task| task.command.as_mut().unwrap().uris.push(CommandUri::default())),
        ("`gpus`", |task| task.resources[0].name = "gpus".to_owned()),
        ("neither a command", |task| task.command = None),
        ("no `value`", |task| task.command.as_mut().unwrap().value = None),
        ("NUL", |task| task.command.as_mut().unwrap().value = Some("a\0b".to_owned())),
        ("as user `you`", |task| task.command.as_mut().unwrap().user = Some("you".to_owned())),
        ("type COMMAND", |task| {
            task.health_check = Some(HealthCheck { r#type: Some(HealthCheckType::Command), ..HealthCheck::default() });
        }),
        ("HTTPS", |task| {
            let mut check = http_check();
            check.http.as_mut().unwrap().scheme = Some("https".to_owned());
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

#[test]
fn health_is_told_on_each_change_and_failure_and_kills_after_enough() {
    let mut world = World::ready();
    let mut checked = task("t");
    checked.health_check = Some(http_check());
    let container = world.start(checked);
    assert_eq!(world.watched, 1);
    for update in std::mem::take(&mut world.sent) {
        world.acknowledge(&update);
    }
    world.advance(9_999);
    world.probed(&container, Err("in its grace"));
    assert!(world.sent.is_empty());
    world.advance(1);
    world.probed(&container, Err("one"));
    world.probed(&container, Ok(()));
    world.probed(&container, Ok(()));
    world.probed(&container, Err("two"));
    assert!(world.asked.is_empty());
    world.probed(&container, Err("three"));
    let told: Vec<_> =
        world.sent.iter().map(|update| (update.status.healthy, update.status.message.as_deref())).collect();
    assert_eq!(
        told,
        [(Some(false), Some("one")), (Some(true), None), (Some(false), Some("two")), (Some(false), Some("three"))]
    );
    assert_eq!(world.asked, [Request::Terminate(container.clone())]);
    world.probed(&container, Ok(()));
    world.ended(&container, Exit::Signal(15));
    let last = &world.sent.last().unwrap().status;
    assert_eq!((last.state, last.healthy), (TaskState::Killed, Some(false)));
}

#[test]
fn a_success_ends_the_grace_and_checks_of_the_framework_only_report() {
    let mut world = World::ready();
    let mut checked = task("t");
    checked.health_checks = vec![http_check()];
    let container = world.start(checked);
    world.sent.clear();
    world.probed(&container, Ok(()));
    for _ in 0..5 {
        world.probed(&container, Err("down"));
    }
    let counts: Vec<_> = world
        .sent
        .iter()
        .map(|update| &update.status.health_results[0])
        .map(|result| (result.healthy, result.consecutive_failures))
        .collect();
    assert_eq!(counts, [(true, 0), (false, 1), (false, 2), (false, 3), (false, 4), (false, 5)]);
    assert!(world.asked.is_empty());
    assert_eq!(world.sent[5].status.healthy, None);
}

#[test]
fn a_deposed_leader_is_not_obeyed_even_after_a_restart() {
    let mut world = World::ready();
    world.apply(Input::Link(Box::new(Event::heartbeat(5))));
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.greet(Vec::new());
    world.apply(Input::Link(Box::new(Event::run(
        4,
        Run { framework_id: "f".into(), framework_info: FrameworkInfo::default(), tasks: vec![task("t")] },
    ))));
    assert!(world.launched.is_empty() && world.disk.tasks.is_empty());
    assert_eq!(world.closed.len(), 1);
    assert_eq!(world.supervisor.registration("").epoch, 5);
}

#[test]
fn after_a_reboot_each_task_is_lost_exactly_once() {
    for (capabilities, state) in [
        (vec![], "TASK_LOST"),
        (vec![FrameworkCapability { r#type: Some(FrameworkCapabilityType::PartitionAware) }], "TASK_GONE"),
    ] {
        let mut world = World::ready();
        world.run_for(FrameworkInfo { capabilities, ..FrameworkInfo::default() }, task("t"));
        let container = world.launched[0].clone();
        world.started(&container);
        let acknowledged = world.sent.clone();
        acknowledged.iter().for_each(|update| world.acknowledge(update));
        let mut world = World::recovered(world.disk, "boot-2", 20);
        world.greet(Vec::new());
        world.register();
        assert_eq!(world.states(), [state]);
        let mut again = World::recovered(world.disk.clone(), "boot-2", 30);
        again.greet(Vec::new());
        again.register();
        assert_eq!(again.sent, world.sent, "the same update, not another one");
        again.acknowledge(&again.sent[0].clone());
        assert!(again.disk.tasks.is_empty());
    }
}

#[test]
fn a_restarted_agent_takes_up_where_it_was() {
    let mut world = World::ready();
    let (running, killed, ended) =
        (world.start(task("running")), world.start(task("killed")), world.start(task("ended")));
    world.kill("killed", Some(1_000));
    world.run(task("new"));
    let new = world.launched.last().unwrap().clone();
    let mut world = World::recovered(world.disk, BOOT, 5_000);
    let report =
        |container: &ContainerId, ending| ContainerReport { container: container.clone(), process: process(), ending };
    let stranger = ContainerId::new("stranger").unwrap();
    let over = Ending { exit: Exit::Code(4), memory: MemoryVerdict::WithinLimit };
    world.greet(vec![
        report(&running, None),
        report(&killed, None),
        report(&ended, Some(over)),
        report(&stranger, None),
    ]);
    assert_eq!(world.launched, [new], "what the launcher has not heard of is launched again");
    for request in [Request::Terminate(killed.clone()), Request::Forget(vec![ended]), Request::Destroy(stranger)] {
        assert!(world.asked.contains(&request), "{request:?} in {:?}", world.asked);
    }
    world.advance(1_000);
    assert!(world.asked.contains(&Request::Destroy(killed)));
    world.register();
    assert_eq!(world.states().iter().filter(|state| **state == "TASK_FAILED").count(), 1);
}

#[test]
fn a_drained_agent_ends_when_its_tasks_have_and_the_master_knows() {
    let mut world = World::ready();
    let container = world.start(task("t"));
    world.apply(Input::Drain);
    world.run(task("late"));
    assert_eq!(world.sent.last().unwrap().status.reason, Some(TaskStatusReason::AgentDraining));
    world.ended(&container, Exit::Signal(15));
    assert!(!world.over);
    for update in world.sent.clone() {
        world.acknowledge(&update);
    }
    assert!(world.over && world.disk.agent.is_some());

    let mut world = World::ready();
    world.apply(Input::Link(Box::new(Event::shutdown(1, "not wanted"))));
    assert!(world.over && world.disk.agent.is_none());
}

/// Something that may happen to one of three tasks.
#[derive(Clone, Debug)]
enum Step {
    Run(usize),
    Started(usize),
    Ended(usize, Exit),
    Kill(usize, u64),
    Acknowledge(usize),
    Probe(usize, bool),
    LinkClosed,
    Registered,
    LauncherRestarted,
    AgentRestarted,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let exit = prop_oneof![Just(Exit::Code(0)), Just(Exit::Code(1)), Just(Exit::Signal(9)), Just(Exit::Unknown)];
    prop_oneof![
        3 => (0usize..3).prop_map(Step::Run),
        3 => (0usize..3).prop_map(Step::Started),
        1 => (0usize..3, exit).prop_map(|(task, exit)| Step::Ended(task, exit)),
        1 => (0usize..3, 0u64..5_000).prop_map(|(task, grace)| Step::Kill(task, grace)),
        3 => (0usize..20).prop_map(Step::Acknowledge),
        2 => (0usize..3, any::<bool>()).prop_map(|(task, healthy)| Step::Probe(task, healthy)),
        1 => Just(Step::LinkClosed),
        2 => Just(Step::Registered),
        1 => Just(Step::LauncherRestarted),
        1 => Just(Step::AgentRestarted),
        1 => (0u64..20_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Killed at any moment, the agent that comes back knows the same tasks in the same states with the same updates pending,
    /// and no task ever goes backwards.
    #[test]
    fn what_is_written_down_suffices(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::ready();
        let mut heard: BTreeMap<(ContainerId, u64), StatusUpdate> = BTreeMap::new();
        for step in steps {
            let name = |index: usize| format!("t{index}");
            let container = |world: &World, index: usize| {
                world.supervisor.tasks().find(|task| task.key.task_id.as_str() == name(index)).map(|task| task.container.clone())
            };
            match step {
                Step::Run(index) => {
                    let mut info = task(&name(index));
                    info.health_check = (index == 1).then(http_check);
                    info.health_checks = if index == 2 { vec![http_check()] } else { vec![] };
                    world.run(info);
                }
                Step::Started(index) => if let Some(container) = container(&world, index) { world.started(&container) },
                Step::Ended(index, exit) => if let Some(container) = container(&world, index) { world.ended(&container, exit) },
                Step::Kill(index, grace_ms) => world.kill(&name(index), Some(grace_ms)),
                Step::Acknowledge(index) => if let Some(update) = world.sent.get(index).cloned() { world.acknowledge(&update) },
                Step::Probe(index, healthy) => if let Some(container) = container(&world, index) {
                    world.probed(&container, if healthy { Ok(()) } else { Err("down") });
                },
                Step::LinkClosed => world.apply(Input::LinkClosed),
                Step::Registered => world.register(),
                Step::LauncherRestarted => {
                    world.apply(Input::LauncherClosed);
                    world.greet(Vec::new());
                }
                Step::AgentRestarted => {
                    let before = world.supervisor.registration("");
                    let running: Vec<ContainerReport> = world.supervisor.tasks().filter(|task| task.phase == super::Phase::Running)
                        .map(|task| ContainerReport { container: task.container.clone(), process: process(), ending: None }).collect();
                    world = World::recovered(world.disk, BOOT, world.now_ms + 1);
                    prop_assert_eq!(world.supervisor.registration(""), before);
                    world.greet(running);
                    world.register();
                }
                Step::Wait(ms) => world.advance(ms),
            }
            for update in &world.sent {
                let container = update.status.container_status.as_ref().unwrap().container_id.as_ref().unwrap().value.clone();
                let earlier = heard.insert((ContainerId::new(&container).unwrap(), update.sequence), update.clone());
                prop_assert!(earlier.is_none_or(|earlier| earlier == *update), "one sequence number, one update");
            }
        }
        let mut last: BTreeMap<ContainerId, (u64, bool)> = BTreeMap::new();
        for ((container, sequence), update) in heard {
            let (before, ended) = last.insert(container, (sequence, super::updates::is_final(update.status.state))).unwrap_or((0, false));
            prop_assert!(!ended && sequence > before, "nothing follows the end");
        }
    }
}

//! The supervisor alone, in a world that is made of values.

mod accept;
mod command_checks;
mod contained;
mod containers;
mod daemon;
mod durability;
mod excesses;
mod executors;
mod graphs;
mod groups;
mod health;
mod kill;
mod limits;
mod link;
mod networks;
mod recovery;
mod supply;
mod updates;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use attica_core_api::executor;
use attica_core_api::link::{Acknowledge, Event, ExecutorExited, Kill, Message, Registered, Run, StatusUpdate};
use attica_core_api::v1::*;
use attica_core_api::{Entropy, Now, Tick, Timestamp};

use super::identity::Incompatible;
use super::{
    Config, Containerizers, Defaults, Effect, ExecutorRefusal, FetchOrder, Finding, Input, OperatorReply, Plea,
    Premises, Proof, ReconfigurationPolicy, Supervisor, Timing, Users,
};
use crate::checkpoint::{AgentRecord, ExecutorHistory, History, Lost, Past, TaskEntry, TaskHistory};
use crate::contained::ContainedRecord;
use crate::daemon::spec::{DaemonSpec, Exec};
use crate::devices::Devices;
use crate::isolators::Isolators;
use crate::launcher::protocol::{
    ContainerId, ContainerReport, Ending, Exit, IsolationKind, LaunchSpec, MemoryVerdict, PROTOCOL, Process, Reply,
    Request, Stage,
};
use crate::network::{Attachment, Files, Names, Networks};
use crate::rotation::Limit;
use crate::sandbox::DirectoryLink;

const BOOT: &str = "boot-1";

fn networks() -> Networks {
    Networks {
        name: "mesos-bridge".to_owned(),
        directory: "/run/networks".into(),
        files: Files::beneath("/run".as_ref(), Names::AsTheMachine),
        subnet: Ok("10.0.0.0/29".parse().unwrap()),
        datagrams: Ok(()),
    }
}

fn config(boot_id: &str) -> Config {
    Config {
        info: AgentInfo { hostname: "host".to_owned(), ..AgentInfo::default() },
        ip: IpAddr::from([127, 0, 0, 1]),
        work_dir: "/agent".into(),
        volumes: 0,
        containerizers: Containerizers { launcher: true, daemon: None },
        users: Users::Own("me".to_owned()),
        mounts: Ok(()),
        host_paths: vec!["/srv/shared".into()],
        isolators: Isolators::default(),
        devices: Devices::default(),
        defaults: Defaults::default(),
        pids_limit: 100,
        boot_id: boot_id.to_owned(),
        reconfiguration: ReconfigurationPolicy::Equal,
        executors: Timing { registration_ms: 60_000, reregistration_ms: 2_000, shutdown_grace_ms: 5_000 },
        proof: Proof::NotAsked,
        authority: None,
        networks: networks(),
        rotation: Some([Limit { bytes: 10 << 20, backups: 1 }; 2]),
        secrets_key_file: None,
    }
}

/// What the disk holds, as the effects write it.
#[derive(Clone, Default)]
struct Disk {
    agent: Option<AgentRecord>,
    /// The identity is there, and not to be trusted.
    damaged: bool,
    tasks: BTreeMap<ContainerId, TaskHistory>,
    executors: BTreeMap<ContainerId, ExecutorHistory>,
    contained: BTreeMap<ContainerId, ContainedRecord>,
    /// What cannot be adopted.
    lost: Vec<Lost>,
}

impl Disk {
    fn past(&self) -> Past {
        match &self.agent {
            _ if self.damaged => Past::Damaged,
            Some(agent) => Past::Known(Box::new(agent.clone())),
            None => Past::None,
        }
    }

    fn store(&mut self, histories: Vec<History>) {
        (self.tasks, self.executors) = Default::default();
        for history in histories {
            match history {
                History::Task(task) => drop(self.tasks.insert(task.record.container.clone(), *task)),
                History::Executor(executor) => {
                    self.executors.insert(executor.record.container.clone(), *executor);
                }
            }
        }
    }

    /// Whether a process of a task is about to run in this container.
    fn is_run(&self, container: &ContainerId) -> bool {
        self.tasks.values().flat_map(|task| &task.entries).any(|entry| match entry {
            TaskEntry::Process { standing, .. } => standing.container.as_ref() == Some(container),
            _ => false,
        })
    }

    fn histories(&self) -> Vec<History> {
        let executors = self.executors.values().cloned().map(|executor| History::Executor(Box::new(executor)));
        executors.chain(self.tasks.values().cloned().map(|task| History::Task(Box::new(task)))).collect()
    }
}

/// A supervisor with its clock and everything that came out of it.
struct World {
    supervisor: Supervisor,
    now_ms: u64,
    disk: Disk,
    sent: Vec<StatusUpdate>,
    asked: Vec<Request>,
    launched: Vec<ContainerId>,
    specs: Vec<LaunchSpec>,
    links: Vec<DirectoryLink>,
    ordered: Vec<FetchOrder>,
    stopped: Vec<ContainerId>,
    closed: Vec<String>,
    watched: usize,
    /// Events to executors.
    told: Vec<(u64, executor::Event)>,
    answers: Vec<Result<(), ExecutorRefusal>>,
    closed_streams: Vec<u64>,
    messages: Vec<Message>,
    exited: Vec<ExecutorExited>,
    /// The networks that there are.
    connected: BTreeMap<ContainerId, Attachment>,
    operators_answers: Vec<(u64, OperatorReply)>,
    premises: Vec<Premises>,
    discarded: Vec<PathBuf>,
    signals: Vec<(Process, i32)>,
    left: Vec<PathBuf>,
    pleas: Vec<(Plea, String)>,
    /// What the Docker daemon was asked to launch, and to run in that.
    in_daemon: Vec<DaemonSpec>,
    executed: Vec<Exec>,
    over: bool,
}

impl World {
    fn new() -> World {
        World::recovered(Disk::default(), BOOT, 0)
    }

    fn recovered(disk: Disk, boot_id: &str, now_ms: u64) -> World {
        World::recovered_as(disk, config(boot_id), now_ms).unwrap()
    }

    fn recovered_as(disk: Disk, config: Config, now_ms: u64) -> Result<World, Incompatible> {
        let mut effects = Vec::new();
        let now = Now { tick: Tick(now_ms), wall: Timestamp(i64::try_from(now_ms).unwrap()) };
        let histories = disk.histories();
        let entropy = Entropy::new(u128::from(now_ms) + 7);
        let contained = disk.contained.values().cloned().collect();
        let rebooted = disk.agent.as_ref().is_some_and(|agent| agent.boot_id != config.boot_id);
        let mut supervisor =
            Supervisor::recover(now, config, entropy, disk.past(), (histories, disk.lost.clone()), &mut effects)?;
        supervisor.restore_contained(rebooted, contained, &mut effects);
        let mut world = World {
            supervisor,
            now_ms,
            disk,
            sent: Vec::new(),
            asked: Vec::new(),
            launched: Vec::new(),
            specs: Vec::new(),
            links: Vec::new(),
            ordered: Vec::new(),
            stopped: Vec::new(),
            closed: Vec::new(),
            watched: 0,
            told: Vec::new(),
            answers: Vec::new(),
            closed_streams: Vec::new(),
            messages: Vec::new(),
            exited: Vec::new(),
            connected: BTreeMap::new(),
            operators_answers: Vec::new(),
            premises: Vec::new(),
            discarded: Vec::new(),
            signals: Vec::new(),
            left: Vec::new(),
            pleas: Vec::new(),
            in_daemon: Vec::new(),
            executed: Vec::new(),
            over: false,
        };
        world.connected = world.supervisor.attachments().clone();
        world.perform(effects);
        Ok(world)
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
                Effect::Launch(spec, links) => {
                    self.links.extend(links);
                    let written = self.disk.tasks.contains_key(&spec.container)
                        || self.disk.executors.contains_key(&spec.container)
                        || self.disk.is_run(&spec.container)
                        || self.supervisor.is_check(&spec.container);
                    assert!(written, "launched before it was written down");
                    if !self.supervisor.is_check(&spec.container) {
                        self.launched.push(spec.container.clone());
                    }
                    self.specs.push(*spec);
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
                Effect::LaunchInDaemon(spec) => {
                    assert!(self.disk.tasks.contains_key(&spec.container), "launched before it was written down");
                    self.in_daemon.push(*spec);
                }
                Effect::Execute(exec) => self.executed.push(*exec),
                Effect::Fetch(order) => self.ordered.push(*order),
                Effect::FetchContained(order, premises) => {
                    assert!(
                        self.disk.contained.contains_key(&order.container),
                        "fetched for before it was written down"
                    );
                    self.premises.push(premises);
                    self.ordered.push(*order);
                }
                Effect::StopFetch(container) => self.stopped.push(container),
                Effect::Ask(request) => self.asked.push(request),
                Effect::CloseLink { reason } => self.closed.push(reason),
                Effect::Watch(..) => self.watched += 1,
                Effect::Exit => self.over = true,
                Effect::CreateExecutor(record) => {
                    let history = ExecutorHistory { record: *record, entries: Vec::new() };
                    self.disk.executors.insert(history.record.container.clone(), history);
                }
                Effect::AppendExecutor(container, entry) => {
                    self.disk.executors.get_mut(&container).unwrap().entries.push(entry);
                }
                Effect::RemoveExecutor(container) => drop(self.disk.executors.remove(&container).unwrap()),
                Effect::AnswerOperator(reply, answer) => self.operators_answers.push((reply.0, *answer)),
                Effect::StoreContained(record) => {
                    self.disk.contained.insert(record.container.clone(), *record);
                }
                Effect::RemoveContained(container) => drop(self.disk.contained.remove(&container).unwrap()),
                Effect::LaunchContained(spec, premises) => {
                    assert!(self.disk.contained.contains_key(&spec.container), "launched before it was written down");
                    self.premises.push(premises);
                    self.specs.push(*spec);
                }
                Effect::Signal(process, signal) => self.signals.push((process, signal)),
                Effect::DiscardSandbox(path) => self.discarded.push(path),
                Effect::LeaveSandbox(path) => self.left.push(path),
                Effect::Answer(_, outcome) => self.answers.push(outcome),
                Effect::Tell(stream, event) => self.told.push((stream.0, *event)),
                Effect::CloseStream(stream) => self.closed_streams.push(stream.0),
                Effect::SendMessage(message) => self.messages.push(*message),
                Effect::SendExited(exited) => self.exited.push(*exited),
                Effect::Connect(container, attachment) => {
                    self.connected.insert(container, *attachment);
                }
                Effect::Disconnect(container) => drop(self.connected.remove(&container)),
                Effect::Plead(_, plea, target) => self.pleas.push((plea, target.path)),
                Effect::ListTasks(_) | Effect::Unwatch(_) | Effect::Operate(_) => {}
            }
        }
    }

    fn advance(&mut self, ms: u64) {
        self.now_ms += ms;
        self.apply(Input::Tick);
    }

    fn register(&mut self) {
        self.register_as("m-S0");
    }

    fn register_as(&mut self, id: &str) {
        let registered = Registered { agent_id: id.into(), ..Registered::default() };
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
            Run { framework_id: "f".into(), framework_info, tasks: vec![task], ..Run::default() },
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
        self.kill_within(task, grace_ms, None);
    }

    /// As a draining agent is told to.
    fn kill_within(&mut self, task: &str, grace_ms: Option<u64>, max_grace_ms: Option<u64>) {
        let kill_policy = grace_ms.map(|ms| KillPolicy { grace_period: Some(DurationInfo::from_milliseconds(ms)) });
        let max_grace_period = max_grace_ms.map(DurationInfo::from_milliseconds);
        let kill = Kill { framework_id: "f".into(), task_id: task.into(), kill_policy, max_grace_period };
        self.apply(Input::Link(Box::new(Event::kill(1, kill))));
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
        let finding = match outcome {
            Ok(()) => Finding::Connected,
            Err(reason) => Finding::Nothing(reason.to_owned()),
        };
        self.found(container, finding);
    }

    fn found(&mut self, container: &ContainerId, finding: Finding) {
        self.apply(Input::Probed { container: container.clone(), check: 0, finding });
    }
}

fn report(container: &ContainerId, stage: Stage) -> ContainerReport {
    ContainerReport { container: container.clone(), process: process(), stage }
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

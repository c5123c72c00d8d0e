//! The agent's decisions, without any IO: what its tasks are, what the launcher and the master are told, what is written down.
//!
//! Everything comes in as an [`Input`] with the time, everything that should happen goes out as [`Effect`]s, to be done in
//! their order: what is written down stands before what relies on it.

mod accept;
mod command_check;
mod contained;
mod container;
mod controls;
mod counters;
mod daemon;
mod device;
mod ending;
mod executor;
mod graph;
mod group;
mod health;
mod identity;
mod image;
mod kill;
mod limitation;
mod link;
mod network;
mod output;
pub(crate) mod plea;
mod probe;
mod recovery;
mod run;
mod secret;
mod shortcut;
mod supply;
mod surroundings;
mod task;
#[cfg(test)]
mod tests;
mod updates;
mod volume;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use attica_core_api::auth::Viewer;
use attica_core_api::executor::Event as ExecutorEvent;
use attica_core_api::link::{
    Event, ExecutorExited, ExecutorReport, Message, Operation, Register, StatusUpdate, TaskDigest, TaskReport,
};
use attica_core_api::v1::{AgentAbilities, AgentId, AgentInfo, ContainerInfo, FrameworkId, Resource, TaskId};
use attica_core_api::{Entropy, Now, Tick};

pub(crate) use self::accept::duration;
use self::command_check::CheckRun;
use self::contained::Contained;
pub(crate) use self::contained::{
    ContainerLaunch, Direction, OperatorCall, OperatorRefusal, OperatorReply, Outlet, Premises,
};
pub(crate) use self::counters::Counters;
pub(crate) use self::daemon::{Containerizers, DaemonConfig};
pub(crate) use self::executor::{
    Executor, ExecutorCall, ExecutorKey, ExecutorRefusal, Proof, ReplyTo, Standing, StreamId, Timing,
};
pub(crate) use self::graph::Plea;
pub use self::identity::ReconfigurationPolicy;
pub(crate) use self::limitation::{Excess, Suspect, disk_bytes};
pub(crate) use self::probe::{Family, Finding, ProbeSpec, Question, Scheme, Target};
pub(crate) use self::supply::FetchOrder;
pub(crate) use self::task::{Phase, Task};
use crate::checkpoint::{AgentRecord, ExecutorEntry, ExecutorRecord, History, KillCause, TaskEntry, TaskRecord};
use crate::contained::{ContainedRecord, ContainerPath};
use crate::daemon::Containerizer;
use crate::daemon::spec::{DaemonSpec, Exec};
use crate::devices::Devices;
use crate::image::Provisioned;
use crate::isolators::Isolators;
use crate::launcher::protocol::{ContainerId, ContainerReport, LaunchSpec, Process, Reply, Request};
use crate::network::dns::ContainerDns;
use crate::network::{Attachment, Networks, Place};
use crate::rotation::Limits;
use crate::sandbox::DirectoryLink;

/// Ended tasks that are remembered for people to look at.
const MAX_COMPLETED: usize = 200;
/// How long an agent that is to end waits for the master to take its last updates, in milliseconds.
const LAST_WORDS_MS: u64 = 5_000;

/// What does not change while the agent runs.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// As registered, without an id.
    pub(crate) info: AgentInfo,
    /// The address tasks are reached at, and checked at.
    pub(crate) ip: IpAddr,
    /// Where sandboxes are.
    pub(crate) work_dir: PathBuf,
    /// How many persistent volumes were there when it started.
    pub(crate) volumes: usize,
    pub(crate) containerizers: Containerizers,
    /// Whether tasks run as the user they ask for.
    pub(crate) users: Users,
    /// Whether something can be mounted for a task: why not, for people.
    pub(crate) mounts: Result<(), &'static str>,
    /// Directories of the machine that tasks may see, with all that is beneath.
    pub(crate) host_paths: Vec<PathBuf>,
    /// What tasks get that do not ask for it.
    pub(crate) isolators: Isolators,
    /// Which devices tasks may use, if that is isolated.
    pub(crate) devices: Devices,
    /// What executors, and tasks that have one to themselves, have that do not ask for something else.
    pub(crate) defaults: Defaults,
    /// Processes and threads that a task may have.
    pub(crate) pids_limit: u64,
    /// Names the boot of the machine.
    pub(crate) boot_id: String,
    /// How it may differ from what its tasks were started on.
    pub(crate) reconfiguration: ReconfigurationPolicy,
    pub(crate) executors: Timing,
    /// Whether executors have to prove who they are.
    pub(crate) proof: Proof,
    /// The authorities by which executors believe that this is their agent, when it is asked over TLS.
    pub(crate) authority: Option<PathBuf>,
    pub(crate) networks: Networks,
    /// What is kept of what tasks write that do not say; `None`: everything.
    pub(crate) rotation: Option<Limits>,
    /// The file with the key that opens the secrets of tasks; `None`: it opens none.
    pub(crate) secrets_key_file: Option<PathBuf>,
}

/// What is given to those who do not ask for something else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    /// By their names.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) container: Option<Box<ContainerInfo>>,
    /// Of containers of the Docker daemon's.
    pub(crate) dns: ContainerDns,
}

impl Config {
    /// What the master is told that tasks can ask for here.
    fn abilities(&self) -> AgentAbilities {
        let networks = self.networks.subnet.as_ref().map(|_| vec![self.networks.name.clone()]);
        AgentAbilities {
            launcher: self.containerizers.launcher,
            daemon: self.containerizers.daemon.is_some(),
            privileged: self.containerizers.daemon.as_ref().is_some_and(|daemon| daemon.privileged),
            mounts: self.mounts.is_ok(),
            networks: networks.unwrap_or_default(),
            datagrams: self.networks.subnet.is_ok() && self.networks.datagrams.is_ok(),
            seccomp_profiles: self.isolators.seccomp.names.clone(),
            host_paths: self.host_paths.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            user: match &self.users {
                Users::Any => None,
                Users::Own(own) => Some(own.clone()),
            },
        }
    }
}

/// As whom tasks run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    /// As the user of their command or framework.
    Any,
    /// As the agent's own user, which has this name; a command that asks for another one is refused.
    Own(String),
}

/// Names a task on an agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskKey {
    pub(crate) framework_id: FrameworkId,
    pub(crate) task_id: TaskId,
}

/// Whose a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Task(TaskKey),
    Executor(ExecutorKey),
    /// A run's of the process at this place of a task's graph.
    Process(TaskKey, usize),
    /// A check's, see `check_runs`.
    Check,
    /// An operator's.
    Contained(ContainerPath),
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// The master says something.
    Link(Box<Event>),
    /// The link to the master is gone.
    LinkClosed,
    /// The launcher says something.
    Launcher(Reply),
    /// The launcher is gone.
    LauncherClosed,
    /// The Docker daemon tells what it has.
    Daemon(Vec<ContainerReport>),
    /// It is gone.
    DaemonClosed,
    /// A container of the daemon's is about to run, in a network of its own if it has an address there.
    Located { container: ContainerId, address: Option<Ipv4Addr> },
    /// An executor says something.
    ExecutorCall { executor: ExecutorKey, call: ExecutorCall, token: Option<String>, reply: ReplyTo },
    /// An executor's stream of events has ended.
    StreamClosed(StreamId),
    /// An operator wants something of a container, and may do what the rules behind `viewer` say.
    OperatorCall { call: OperatorCall, viewer: Viewer, reply: ReplyTo },
    /// The connection that an operator's session came with has ended.
    SessionClosed(ContainerPath),
    /// These do not wait for their answers any more.
    Forsaken(HashSet<ReplyTo>),
    /// It is time for a check by command.
    CheckDue { container: ContainerId, check: usize },
    /// A check has a result.
    Probed { container: ContainerId, check: usize, finding: Finding },
    /// A task was asked over HTTP to end, and has answered, or has not.
    Pleaded { container: ContainerId, plea: Plea, is_heard: bool },
    /// A task or an executor could not be written down, or its sandbox not be made: it must not start.
    NotPrepared { container: ContainerId, error: String },
    /// What a task or an executor needs before it is started is there, or why it cannot be.
    Fetched { container: ContainerId, outcome: Result<Option<Box<Provisioned>>, String> },
    /// A task takes more than it was given.
    Exceeded { container: ContainerId, excess: Excess },
    /// The agent is to end, its tasks with it.
    Drain,
    /// Time has passed.
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Write the identity down.
    StoreAgent(AgentRecord),
    /// Forget the identity.
    RemoveAgent,
    /// Write a new task down.
    CreateTask(Box<TaskRecord>),
    /// Write down what happened to a task.
    AppendTask(ContainerId, TaskEntry),
    /// Forget a task.
    RemoveTask(ContainerId),
    /// Write a new executor down.
    CreateExecutor(Box<ExecutorRecord>),
    /// Write down what happened to an executor.
    AppendExecutor(ContainerId, ExecutorEntry),
    /// Forget an executor.
    RemoveExecutor(ContainerId),
    /// Answer an executor's call.
    Answer(ReplyTo, Result<(), ExecutorRefusal>),
    /// Answer an operator's call.
    AnswerOperator(ReplyTo, Box<OperatorReply>),
    /// Write down how an operator's container stands.
    StoreContained(Box<ContainedRecord>),
    /// Forget it.
    RemoveContained(ContainerId),
    /// Make what it needs on disk, and ask the launcher to start it.
    LaunchContained(Box<LaunchSpec>, Premises),
    /// Send a process a signal, unless it has ended.
    Signal(Process, i32),
    /// Remove a directory that was made for it.
    DiscardSandbox(PathBuf),
    /// Nobody uses it any more: it is kept for a while from now on.
    LeaveSandbox(PathBuf),
    /// Tell an executor.
    Tell(StreamId, Box<ExecutorEvent>),
    /// End an executor's stream of events.
    CloseStream(StreamId),
    /// Pass an executor's message on to the master.
    SendMessage(Box<Message>),
    /// Tell the master that an executor's program has ended.
    SendExited(Box<ExecutorExited>),
    /// Make the sandbox, bring into it what is asked for, and get the image.
    Fetch(Box<FetchOrder>),
    /// Make what an operator's container needs on disk, and bring into it what is asked for.
    FetchContained(Box<FetchOrder>, Premises),
    /// Nobody waits for that any more.
    StopFetch(ContainerId),
    /// Make a network, unless it is there already. What is launched in it after this waits for it.
    Connect(ContainerId, Box<Attachment>),
    /// Remove a network.
    Disconnect(ContainerId),
    /// Make the sandbox, with these links in it, and ask the launcher to start this.
    Launch(Box<LaunchSpec>, Vec<DirectoryLink>),
    /// Ask the Docker daemon to make and start this.
    LaunchInDaemon(Box<DaemonSpec>),
    /// Ask it to run this in a container of its.
    Execute(Box<Exec>),
    /// Ask whoever has the container: the launcher, or the Docker daemon.
    Ask(Request),
    /// Tell the master.
    Send(Box<StatusUpdate>),
    /// Make or destroy what an operation is about, and tell the master how that went.
    Operate(Box<Operation>),
    /// Tell the master which tasks there are.
    ListTasks(Vec<TaskReport>),
    /// Begin to probe a task, in the network that it is in.
    Watch(ContainerId, Place, Vec<ProbeSpec>),
    /// Ask a task over HTTP to end.
    Plead(ContainerId, Plea, plea::Target),
    /// Cease to probe a task.
    Unwatch(ContainerId),
    /// Close the link and open it again: what came over it is not to be obeyed.
    CloseLink { reason: String },
    /// End the agent, and the launcher with it.
    Exit,
}

/// The link to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Up,
}

/// The launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LauncherState {
    /// Not there, or it has not said yet what it has.
    Unknown,
    Ready,
}

/// What the agent is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// To run tasks.
    Serve,
    /// To end its tasks, and then itself; the id stays.
    Drain,
    /// As above, but the master does not want it: the id goes as well.
    Dismissed,
    /// `Exit` was asked for.
    Over,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Supervisor {
    config: Config,
    /// Durable.
    agent_id: Option<AgentId>,
    /// Durable, until it has an id of its own: the agent it was before.
    replaces: Option<AgentId>,
    /// Durable: the highest epoch seen.
    epoch: u64,
    /// The identity as it was last written down.
    recorded: Option<AgentRecord>,
    link: Link,
    launcher: LauncherState,
    /// The Docker daemon, if there is one.
    daemon: LauncherState,
    duty: Duty,
    /// When an agent that is to end waits no longer.
    last_words: Option<Tick>,
    /// Durable.
    tasks: BTreeMap<TaskKey, Task>,
    /// Durable.
    executors: BTreeMap<ExecutorKey, Executor>,
    /// Whose each open stream is.
    streams: HashMap<StreamId, ExecutorKey>,
    by_container: HashMap<ContainerId, Owner>,
    /// Of the tasks' `wake`s.
    wakes: BTreeSet<(Tick, TaskKey)>,
    /// Of the executors' `wake`s.
    executor_wakes: BTreeSet<(Tick, ExecutorKey)>,
    /// Commands of health checks on their way.
    check_runs: BTreeMap<ContainerId, CheckRun>,
    /// When they have taken too long.
    check_wakes: BTreeSet<(Tick, ContainerId)>,
    attachments: network::Attachments,
    /// Durable: operators' containers.
    contained: BTreeMap<ContainerPath, Contained>,
    /// Who waits for the end of which container.
    waiting: HashMap<ContainerId, Vec<ReplyTo>>,
    digest: TaskDigest,
    /// Ended and acknowledged, newest last.
    completed: VecDeque<Task>,
    counters: Counters,
    entropy: Entropy,
}

impl Supervisor {
    /// Lets one thing happen.
    pub(crate) fn apply(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Link(event) => self.link_event(now, *event, out),
            Input::LinkClosed => self.link = Link::Down,
            Input::Launcher(reply) => self.launcher_reply(now, reply, out),
            Input::LauncherClosed => self.launcher = LauncherState::Unknown,
            Input::Daemon(containers) => self.reconcile_daemon(now, containers, out),
            Input::DaemonClosed => self.daemon = LauncherState::Unknown,
            Input::Located { container, address } => self.located(&container, address, out),
            Input::Probed { container, check, finding } => self.probed(now, &container, check, finding, out),
            Input::Pleaded { container, plea, is_heard } => self.pleaded(now, &container, plea, is_heard, out),
            Input::CheckDue { container, check } => self.check_due(now, &container, check, out),
            Input::ExecutorCall { executor, call, token, reply } => {
                self.executor_call(now, &executor, call, token.as_deref(), reply, out);
            }
            Input::StreamClosed(stream) => self.stream_closed(stream, out),
            Input::OperatorCall { call, viewer, reply } => self.operator_call(call, &viewer, reply, out),
            Input::SessionClosed(path) => self.end_session(&path, out),
            Input::Forsaken(gone) => self.forsaken(&gone),
            Input::NotPrepared { container, error } => self.launch_failed(now, &container, error, out),
            Input::Fetched { container, outcome } => self.fetched(now, &container, outcome, out),
            Input::Exceeded { container, excess } => self.exceeded(now, &container, excess, out),
            Input::Drain => self.leave(now, Duty::Drain, out),
            Input::Tick => {}
        }
        self.wake_tasks(now, out);
        self.end_late_checks(now, out);
        self.finish_duty(now, out);
    }

    /// When to come back with [`Input::Tick`] at the latest.
    pub(crate) fn next_wake(&self) -> Option<Tick> {
        let task = self.wakes.first().map(|(tick, _)| *tick);
        let executor = self.executor_wakes.first().map(|(tick, _)| *tick);
        let check = self.check_wakes.first().map(|(tick, _)| *tick);
        task.into_iter().chain(executor).chain(check).chain(self.last_words).min()
    }

    fn launcher_reply(&mut self, now: Now, reply: Reply, out: &mut Vec<Effect>) {
        match reply {
            Reply::Hello { containers, .. } => self.reconcile(now, containers, out),
            Reply::Started { container, process } => match self.by_container.get(&container).cloned() {
                Some(Owner::Executor(key)) => self.executor_started(now, &key, process, out),
                Some(Owner::Process(key, place)) => self.process_started(now, &key, place, out),
                Some(Owner::Check) => self.check_runs_on(&container, out),
                Some(Owner::Contained(path)) => self.contained_started(&path, process, out),
                Some(Owner::Task(_)) | None => self.started(now, &container, process, out),
            },
            Reply::LaunchFailed { container, error } => self.launch_failed(now, &container, error, out),
            Reply::Ended { container, ending } => match self.by_container.get(&container).cloned() {
                Some(Owner::Executor(key)) => {
                    self.executor_ended(now, &key, ending, out);
                    // Only now: what the launcher forgets has to be written down.
                    out.push(recovery::forget(container));
                }
                Some(Owner::Process(key, place)) => self.process_ended(now, (&key, place), &container, ending, out),
                Some(Owner::Check) => self.check_ended(now, &container, ending, out),
                Some(Owner::Contained(path)) => self.contained_ended(&path, ending, out),
                Some(Owner::Task(_)) | None => self.ended(now, &container, ending, out),
            },
            Reply::NotRemoved { container: _ } => self.counters.container_destroy_errors += 1,
        }
    }

    fn wake_tasks(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some((tick, _)) = self.wakes.first()
            && *tick <= now.tick
            && let Some((_, key)) = self.wakes.pop_first()
        {
            if let Some(task) = self.tasks.get_mut(&key) {
                task.wake = None;
                task.escalate(now, out);
                task.resend(now, self.link, out);
                if task.time_is_over(now) {
                    self.kill_for(now, &key, KillCause::TimeOver, out);
                }
                self.walk_on(now, &key, out);
            }
        }
        while let Some((tick, _)) = self.executor_wakes.first()
            && *tick <= now.tick
            && let Some((_, key)) = self.executor_wakes.pop_first()
        {
            if let Some(executor) = self.executors.get_mut(&key) {
                executor.wake = None;
                self.executor_due(now, &key, out);
            }
        }
    }

    /// As [`Supervisor::schedule`], for an executor.
    fn schedule_executor(&mut self, key: &ExecutorKey) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        let wake = executor.next_wake();
        if let Some(earlier) = std::mem::replace(&mut executor.wake, wake) {
            self.executor_wakes.remove(&(earlier, key.clone()));
        }
        self.executor_wakes.extend(wake.map(|wake| (wake, key.clone())));
    }

    /// To be called after anything that may have changed when a task is due.
    fn schedule(&mut self, key: &TaskKey) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        let wake = task.next_wake(self.link, self.launcher);
        if task.wake == wake {
            return;
        }
        if let Some(earlier) = std::mem::replace(&mut task.wake, wake) {
            self.wakes.remove(&(earlier, key.clone()));
        }
        if let Some(wake) = wake {
            self.wakes.insert((wake, key.clone()));
        }
    }

    /// Whether who runs this task's container is there.
    fn readiness(&self, containerizer: Containerizer) -> LauncherState {
        match containerizer {
            Containerizer::Launcher => self.launcher,
            Containerizer::Daemon => self.daemon,
        }
    }

    /// The resources of what runs in a container.
    pub(crate) fn resources_in(&self, container: &ContainerId) -> Vec<Resource> {
        match self.by_container.get(container) {
            Some(Owner::Task(key)) => self.tasks.get(key).map(|task| task.info.resources.clone()).unwrap_or_default(),
            Some(Owner::Executor(key)) => self.executors.get(key).map(|it| self.resources_of(it)).unwrap_or_default(),
            Some(Owner::Process(..) | Owner::Check | Owner::Contained(_)) | None => Vec::new(),
        }
    }

    /// The resources of what holds a container together with others: the volumes among them are theirs to share.
    pub(crate) fn resources_around(&self, container: &ContainerId) -> &[Resource] {
        let task = self.key_of(container).and_then(|key| self.tasks.get(&key));
        task.map(Task::shared_resources).unwrap_or_default()
    }

    /// The task that has this container for itself.
    fn key_of(&self, container: &ContainerId) -> Option<TaskKey> {
        match self.by_container.get(container)? {
            Owner::Task(key) => Some(key.clone()),
            Owner::Executor(_) | Owner::Process(..) | Owner::Check | Owner::Contained(_) => None,
        }
    }

    /// The agent's id, once it has one.
    pub(crate) fn agent_id(&self) -> Option<&AgentId> {
        self.agent_id.as_ref()
    }

    /// What is to be known of tasks and executors after a restart.
    pub(crate) fn histories(&self) -> impl Iterator<Item = History> {
        let tasks = self.tasks.values().map(|task| History::Task(Box::new(task.history())));
        let executors = self.executors.values().map(|executor| History::Executor(Box::new(executor.history())));
        executors.chain(tasks)
    }

    /// The executors that are there.
    pub(crate) fn executors(&self) -> impl Iterator<Item = &Executor> {
        self.executors.values()
    }

    /// The tasks that are not terminal and acknowledged.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// Ended and acknowledged tasks, oldest first.
    pub(crate) fn completed(&self) -> impl Iterator<Item = &Task> {
        self.completed.iter()
    }

    /// What has happened since the start.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether the master knows the agent at the moment.
    pub(crate) fn is_registered(&self) -> bool {
        self.link == Link::Up
    }

    /// The executors that live, the agent's own among them.
    fn executor_reports(&self) -> Vec<ExecutorReport> {
        let living = self.tasks.values().filter(|task| task.phase != Phase::Ended);
        let own: BTreeSet<ExecutorKey> = living.filter_map(Task::own_executor).collect();
        self.executors.keys().chain(&own).map(ExecutorKey::report).collect()
    }

    /// What to say at registration.
    pub(crate) fn registration(&self, version: &str) -> Register {
        let mut agent_info = self.config.info.clone();
        agent_info.id = self.agent_id.clone();
        agent_info.abilities = Some(Box::new(self.config.abilities()));
        Register {
            agent_info,
            version: version.to_owned(),
            boot_id: self.config.boot_id.clone(),
            epoch: self.epoch,
            task_digest: self.digest.to_bytes(),
            task_count: u32::try_from(self.tasks.len()).unwrap_or(u32::MAX),
            checkpointed: self.agent_id.is_some(),
            replaces: self.replaces.clone(),
            executors: self.executor_reports(),
        }
    }
}

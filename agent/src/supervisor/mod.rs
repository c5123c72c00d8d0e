//! The agent's decisions, without any IO: what its tasks are, what the launcher and the master are told, what is written down.
//!
//! Everything comes in as an [`Input`] with the time, everything that should happen goes out as [`Effect`]s, to be done in
//! their order: what is written down stands before what relies on it.

mod accept;
mod ending;
mod health;
mod identity;
mod kill;
mod link;
mod recovery;
mod run;
mod shortcut;
mod task;
#[cfg(test)]
mod tests;
mod updates;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;

use attica_core_api::link::{Event, Operation, Register, StatusUpdate, TaskDigest, TaskReport};
use attica_core_api::v1::{AgentId, AgentInfo, FrameworkId, TaskId};
use attica_core_api::{Entropy, Now, Tick};

pub(crate) use self::health::{ProbeSpec, Target};
pub(crate) use self::task::{Phase, Task};
use crate::checkpoint::{AgentRecord, TaskEntry, TaskHistory, TaskRecord};
use crate::launcher::protocol::{ContainerId, LaunchSpec, Reply, Request};

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
    /// Whether tasks run as the user they ask for.
    pub(crate) users: Users,
    /// Processes and threads that a task may have.
    pub(crate) pids_limit: u64,
    /// Names the boot of the machine.
    pub(crate) boot_id: String,
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
    /// A health check has a result: `Err` is why it is not healthy.
    Probed { container: ContainerId, check: usize, outcome: Result<(), String> },
    /// A task could not be written down, or its sandbox not be made: it must not start.
    NotPrepared { container: ContainerId, error: String },
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
    /// Make the sandbox and ask the launcher to start this.
    Launch(Box<LaunchSpec>),
    /// Ask the launcher.
    Ask(Request),
    /// Tell the master.
    Send(Box<StatusUpdate>),
    /// Make or destroy what an operation is about, and tell the master how that went.
    Operate(Box<Operation>),
    /// Tell the master which tasks there are.
    ListTasks(Vec<TaskReport>),
    /// Begin to probe a task.
    Watch(ContainerId, Vec<ProbeSpec>),
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
    link: Link,
    launcher: LauncherState,
    duty: Duty,
    /// When an agent that is to end waits no longer.
    last_words: Option<Tick>,
    /// Durable.
    tasks: BTreeMap<TaskKey, Task>,
    by_container: HashMap<ContainerId, TaskKey>,
    /// Of the tasks' `wake`s.
    wakes: BTreeSet<(Tick, TaskKey)>,
    digest: TaskDigest,
    /// Ended and acknowledged, newest last.
    completed: VecDeque<Task>,
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
            Input::Probed { container, check, outcome } => self.probed(now, &container, check, outcome, out),
            Input::NotPrepared { container, error } => self.launch_failed(now, &container, error, out),
            Input::Drain => self.leave(now, Duty::Drain, out),
            Input::Tick => {}
        }
        self.wake_tasks(now, out);
        self.finish_duty(now, out);
    }

    /// When to come back with [`Input::Tick`] at the latest.
    pub(crate) fn next_wake(&self) -> Option<Tick> {
        self.wakes.first().map(|(tick, _)| *tick).into_iter().chain(self.last_words).min()
    }

    fn launcher_reply(&mut self, now: Now, reply: Reply, out: &mut Vec<Effect>) {
        match reply {
            Reply::Hello { containers, .. } => self.reconcile(now, containers, out),
            Reply::Started { container, process } => self.started(now, &container, process, out),
            Reply::LaunchFailed { container, error } => self.launch_failed(now, &container, error, out),
            Reply::Ended { container, ending } => self.ended(now, &container, ending, out),
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
                self.schedule(&key);
            }
        }
    }

    /// To be called after anything that may have changed when a task is due.
    fn schedule(&mut self, key: &TaskKey) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        let wake = task.next_wake(self.link);
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

    /// The task in a container.
    pub(crate) fn task_in(&self, container: &ContainerId) -> Option<&Task> {
        self.tasks.get(self.by_container.get(container)?)
    }

    fn key_of(&self, container: &ContainerId) -> Option<TaskKey> {
        self.by_container.get(container).cloned()
    }

    /// The agent's id, once it has one.
    pub(crate) fn agent_id(&self) -> Option<&AgentId> {
        self.agent_id.as_ref()
    }

    /// What is to be known of the tasks after a restart.
    pub(crate) fn histories(&self) -> impl Iterator<Item = TaskHistory> {
        self.tasks.values().map(Task::history)
    }

    /// The tasks that are not terminal and acknowledged.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// Ended and acknowledged tasks, oldest first.
    pub(crate) fn completed(&self) -> impl Iterator<Item = &Task> {
        self.completed.iter()
    }

    /// Whether the master knows the agent at the moment.
    pub(crate) fn is_registered(&self) -> bool {
        self.link == Link::Up
    }

    /// What to say at registration.
    pub(crate) fn registration(&self, version: &str) -> Register {
        let mut agent_info = self.config.info.clone();
        agent_info.id = self.agent_id.clone();
        Register {
            agent_info,
            version: version.to_owned(),
            boot_id: self.config.boot_id.clone(),
            epoch: self.epoch,
            task_digest: self.digest.to_bytes(),
            task_count: u32::try_from(self.tasks.len()).unwrap_or(u32::MAX),
            checkpointed: self.agent_id.is_some(),
            replaces: self.replaces.clone(),
            executors: Vec::new(),
        }
    }
}

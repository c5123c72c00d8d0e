//! Executors: programs of a framework that run its tasks, and that the agent talks to over the v1 executor API.
//!
//! ```text
//!            first task            program runs            SUBSCRIBE
//!   (none) ────────────► Awaited ────────────► Awaited ───────────────► Subscribed ──stream ended──► Away
//!                        (no deadline)     (registration time-out)          ▲ SUBSCRIBE                │
//!                                                                           └──────────────────────────┘
//!   after a restart of the agent: Awaited (re-registration time-out)
//!   Whatever the contact, an `End` may be on its way: SHUTDOWN, grace, SIGKILL. It is over when nothing of its container is left; tasks
//!   that it has not told the end of are failed then.
//! ```

mod calls;
mod lifecycle;
mod shutdown;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attica_core_api::Tick;
use attica_core_api::auth::TokenKey;
use attica_core_api::executor::Subscribe;
use attica_core_api::link::ExecutorReport;
use attica_core_api::v1::{
    AgentId, DurationInfo, ExecutorId, ExecutorInfo, ExecutorType, FrameworkId, FrameworkInfo, Resource, TaskInfo,
    TaskStatus,
};
use bytes::Bytes;

pub(super) use self::lifecycle::wait_status;
use super::secret::Holder;
use super::supply::Supply;
use super::task::sandbox;
use super::volume::Beholder;
use super::{Config, Defaults, TaskKey};
use crate::checkpoint::{EndCause, ExecutorEntry, ExecutorHistory, ExecutorRecord};
use crate::image::Provisioned;
use crate::launcher::protocol::{ContainerId, Process};
use crate::network::Attachment;

/// How long executors may take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// From the start of an executor's program to its subscription.
    pub(crate) registration_ms: u64,
    /// From the start of the agent to the subscription of an executor that ran already.
    pub(crate) reregistration_ms: u64,
    /// Between SHUTDOWN and SIGKILL, unless the executor says otherwise.
    pub(crate) shutdown_grace_ms: u64,
}

/// Whether executors have to prove who they are.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    NotAsked,
    /// By a token from their environment, signed with this key.
    Token(TokenKey),
}

/// Names an executor on an agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExecutorKey {
    pub(crate) framework_id: FrameworkId,
    pub(crate) executor_id: ExecutorId,
}

impl ExecutorKey {
    pub(super) fn report(&self) -> ExecutorReport {
        ExecutorReport { framework_id: self.framework_id.clone(), executor_id: self.executor_id.clone() }
    }
}

/// An executor's stream of events; the shell makes the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId(pub(crate) u64);

/// Somebody who waits for the answer to a call; the shell makes the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReplyTo(pub(crate) u64);

/// What an executor wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExecutorCall {
    Subscribe { stream: StreamId, subscribe: Subscribe },
    Update(Box<TaskStatus>),
    Message(Bytes),
    Heartbeat,
}

/// Why an executor's call is not obeyed; in Mesos's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExecutorRefusal {
    #[error("Framework cannot be found")]
    NoFramework,
    #[error("Executor cannot be found")]
    NoExecutor,
    #[error("Executor is not subscribed")]
    NotSubscribed,
    #[error("Executors have to send the token that is in their environment")]
    NoToken,
    #[error("The token is not that of this executor")]
    WrongToken,
}

/// How the agent and an executor are in touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    /// It has not subscribed since it, or the agent, was started.
    Awaited {
        deadline: Option<Tick>,
    },
    Subscribed(StreamId),
    /// Its stream ended while both live.
    Away,
}

/// How far the end of an executor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its program does not run yet, or the launcher is away.
    Waiting,
    /// SHUTDOWN was sent.
    ShuttingDown { deadline: Tick },
    /// SIGKILL was sent; the launcher goes on until nothing is left.
    Destroying,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) cause: EndCause,
    step: Step,
}

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Executor {
    pub(crate) key: ExecutorKey,
    pub(crate) framework: Arc<FrameworkInfo>,
    pub(crate) info: Arc<ExecutorInfo>,
    pub(crate) agent_id: AgentId,
    pub(crate) container: ContainerId,
    /// Durable. What its calls have to carry.
    pub(super) token: Option<String>,
    /// Durable. What its root is made of, once that is known.
    pub(crate) image: Option<Box<Provisioned>>,
    /// Durable: those that it and its tasks have for themselves.
    pub(super) devices: Vec<PathBuf>,
    /// Its first process, once it is known.
    pub(crate) process: Option<Process>,
    /// Whether it has what it needs to be started.
    pub(super) supply: Supply,
    /// Whether the launcher was asked to start it, and has not lost that.
    asked: bool,
    /// Durable: whether its program was ever started.
    pub(super) started: bool,
    /// Whether an earlier life of the agent had started it: it may have tasks by now.
    registered_before: bool,
    pub(super) contact: Contact,
    /// Durable, but for how far it has come.
    pub(super) end: Option<End>,
    /// Those that have not ended.
    pub(super) tasks: BTreeSet<TaskKey>,
    /// Durable: the network that it and its tasks are in, if that is not the machine's.
    pub(in crate::supervisor) network: Option<Box<Attachment>>,
    /// Its entry in the supervisor's `executor_wakes`.
    pub(super) wake: Option<Tick>,
}

/// How far an executor has come, as metrics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Registering,
    Running,
    Terminating,
}

impl Executor {
    pub(crate) fn standing(&self) -> Standing {
        match (self.end, self.contact) {
            (Some(_), _) => Standing::Terminating,
            (None, Contact::Awaited { .. }) => Standing::Registering,
            (None, Contact::Subscribed(_) | Contact::Away) => Standing::Running,
        }
    }

    fn from_record(record: ExecutorRecord) -> Executor {
        let ExecutorRecord { format: _, container, framework_id, framework, agent_id, executor, token } = record;
        Executor {
            key: ExecutorKey { framework_id, executor_id: executor.executor_id.clone() },
            framework: Arc::new(framework),
            info: Arc::new(executor),
            agent_id,
            container,
            token,
            image: None,
            devices: Vec::new(),
            process: None,
            supply: Supply::Missing,
            asked: false,
            started: false,
            registered_before: false,
            contact: Contact::Awaited { deadline: None },
            end: None,
            tasks: BTreeSet::new(),
            network: None,
            wake: None,
        }
    }

    /// Where its files are.
    pub(crate) fn sandbox(&self, work_dir: &Path) -> PathBuf {
        sandbox(work_dir, &self.agent_id, &self.key.framework_id, self.key.executor_id.as_str(), &self.container)
    }

    /// Who sees the volumes that it and its tasks have, `resources` being those of all of them.
    fn beholder<'a>(&'a self, resources: &'a [Resource], work_dir: &Path) -> Beholder<'a> {
        let sandbox = self.sandbox(work_dir);
        let container = self.info.container.as_deref();
        Beholder { holder: Holder::Other, container, resources, shared: sandbox.clone(), shared_volumes: &[], sandbox }
    }

    /// All that is to be known of it after a restart.
    pub(super) fn history(&self) -> ExecutorHistory {
        let record = ExecutorRecord::new(
            self.container.clone(),
            self.key.framework_id.clone(),
            self.framework.as_ref().clone(),
            self.agent_id.clone(),
            self.info.as_ref().clone(),
            self.token.clone(),
        );
        let started = self.started.then_some(ExecutorEntry::Started);
        let ending = self.end.map(|end| ExecutorEntry::Ending(end.cause));
        let attached = self.network.clone().map(ExecutorEntry::Attached);
        let provisioned = self.image.clone().map(ExecutorEntry::Provisioned);
        let devices = (!self.devices.is_empty()).then(|| ExecutorEntry::Devices(self.devices.clone()));
        let entries = provisioned.into_iter().chain(devices).chain(attached).chain(started).chain(ending).collect();
        ExecutorHistory { record, entries }
    }

    /// When something is due.
    pub(super) fn next_wake(&self) -> Option<Tick> {
        let awaited = match (self.contact, self.end) {
            (Contact::Awaited { deadline }, None) => deadline,
            (Contact::Awaited { .. }, Some(_)) | (Contact::Subscribed(_) | Contact::Away, _) => None,
        };
        let grace = self.end.and_then(|end| match end.step {
            Step::ShuttingDown { deadline } => Some(deadline),
            Step::Waiting | Step::Destroying => None,
        });
        awaited.into_iter().chain(grace).min()
    }

    /// Whether a call with this token is its own.
    fn check_token(&self, given: Option<&str>) -> Result<(), ExecutorRefusal> {
        match (&self.token, given) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(ExecutorRefusal::NoToken),
            (Some(own), Some(given)) => is_same(own, given).then_some(()).ok_or(ExecutorRefusal::WrongToken),
        }
    }

    /// Whether its program runs, or is about to.
    pub(super) fn has_begun(&self) -> bool {
        self.started || self.asked
    }

    fn grace_ms(&self, config: &Config) -> u64 {
        let own = self.info.shutdown_grace_period.as_ref().and_then(DurationInfo::milliseconds);
        own.unwrap_or(config.executors.shutdown_grace_ms)
    }
}

/// The executor of a task, complete: Mesos's master says whose it is, and that it is not the agent's own.
pub(super) fn completed(mut task: TaskInfo, framework_id: &FrameworkId, defaults: &Defaults) -> TaskInfo {
    match &mut task.executor {
        Some(executor) => {
            executor.framework_id.get_or_insert_with(|| framework_id.clone());
            executor.r#type.get_or_insert(ExecutorType::Custom);
            executor.container = executor.container.take().or_else(|| defaults.container.clone());
        }
        None => task.container = task.container.or_else(|| defaults.container.clone()),
    }
    task
}

/// Takes as long for any two texts of the same length: it does not tell how much of a guess was right.
fn is_same(own: &str, given: &str) -> bool {
    let differing = own.bytes().zip(given.bytes()).fold(0, |differing, (own, given)| differing | (own ^ given));
    own.len() == given.len() && differing == 0
}

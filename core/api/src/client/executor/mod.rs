//! The executor API from an executor's side.
//!
//! An agent starts an executor with an environment that says where the agent is and who the executor is ([`Environment`]).
//! [`connect`] subscribes, and subscribes again when the stream breaks, for as long as the agent may take to come back; what the agent
//! may have missed meanwhile goes with it. What happens comes as [`Signal`]s; [`Executor`] sends statuses and messages.
//!
//! ```text
//!   Seeking ──200──► Subscribed ──stream broke──► Seeking ──time is up, or no checkpoints──► Signal::Shutdown, then the end
//!      ▲  no agent: wait │                           ▲
//!      └─────────────────┴── SHUTDOWN, or refused ───┴───────────────────────────────────► Signal::Shutdown, then the end
//! ```
//!
//! A status is delivered until the agent has acknowledged it: [`Executor::update`] may be called whether there is an agent or not.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use attica_core_api::client::executor::{self, Environment, Signal};
//! use attica_core_api::v1::{TaskState, TaskStatus};
//!
//! let (executor, mut signals) = executor::connect(Environment::of_process()?);
//! while let Some(signal) = signals.next().await {
//!     if let Signal::Launch(task) = signal {
//!         executor.update(TaskStatus { task_id: task.task_id, state: TaskState::Finished, ..TaskStatus::default() });
//!     }
//! }
//! # Ok(()) }
//! ```

mod environment;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
pub use environment::{Environment, InvalidEnvironment};
pub use session::{Signal, Signals};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Timestamp;
use crate::executor::{Call, CallType, MessageCall, Subscribe, Update};
use crate::v1::{ExecutorId, FrameworkId, TaskId, TaskInfo, TaskStatus, TaskStatusSource};

/// Starts subscribing, in the background of the current tokio runtime, until [`Signals`] is dropped or the executor has to end.
pub fn connect(environment: Environment) -> (Executor, Signals) {
    let (outgoing, queue) = mpsc::unbounded_channel();
    let executor = Executor {
        executor_id: environment.executor_id.clone(),
        framework_id: environment.framework_id.clone(),
        kept: Arc::default(),
        outgoing,
    };
    let signals = session::start(environment, executor.clone(), queue);
    (executor, signals)
}

/// Sends on behalf of one executor. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    executor_id: ExecutorId,
    framework_id: FrameworkId,
    kept: Arc<Mutex<Kept>>,
    outgoing: mpsc::UnboundedSender<Call>,
}

/// What the agent may not know yet.
#[derive(Default)]
struct Kept {
    /// Tasks without an acknowledged status, in the order of their launch.
    tasks: Vec<TaskInfo>,
    /// Statuses that are not acknowledged, oldest first.
    updates: Vec<Update>,
}

impl Executor {
    /// Tells a task's status. It is sent at once if there is an agent, and again after every interruption until the agent has
    /// acknowledged it. What only the executor can know is filled in where it is missing: `uuid`, `timestamp`, `source`, `executor_id`.
    pub fn update(&self, mut status: TaskStatus) {
        status.uuid = Some(Bytes::copy_from_slice(Uuid::new_v4().as_bytes()));
        status.timestamp = status.timestamp.or_else(|| Some(Timestamp::from(SystemTime::now()).seconds()));
        status.source = status.source.or(Some(TaskStatusSource::Executor));
        status.executor_id = status.executor_id.or_else(|| Some(self.executor_id.clone()));
        let update = Update { status };
        self.kept().updates.push(update.clone());
        self.send(Call { update: Some(update), ..self.call(CallType::Update) });
    }

    /// Sends data to the framework: once, at best effort.
    pub fn message(&self, data: impl Into<Bytes>) {
        let message = MessageCall { data: data.into() };
        self.send(Call { message: Some(message), ..self.call(CallType::Message) });
    }

    fn send(&self, call: Call) {
        // When the session has ended there is nobody to send it to; `Signals` has said so.
        let _ = self.outgoing.send(call);
    }

    fn call(&self, kind: CallType) -> Call {
        Call {
            executor_id: self.executor_id.clone(),
            framework_id: self.framework_id.clone(),
            r#type: Some(kind),
            ..Call::default()
        }
    }

    fn subscribe(&self) -> Call {
        let kept = self.kept();
        let subscribe =
            Subscribe { unacknowledged_tasks: kept.tasks.clone(), unacknowledged_updates: kept.updates.clone() };
        Call { subscribe: Some(subscribe), ..self.call(CallType::Subscribe) }
    }

    fn launched(&self, task: &TaskInfo) {
        self.kept().tasks.push(task.clone());
    }

    fn acknowledged(&self, task: &TaskId, uuid: &Bytes) {
        let mut kept = self.kept();
        kept.tasks.retain(|launched| launched.task_id != *task);
        kept.updates.retain(|update| update.status.uuid.as_ref() != Some(uuid));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

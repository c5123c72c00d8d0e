//! A task that is not history yet, in as few bytes as delivering, killing and reconciling it takes.

use std::collections::VecDeque;
use std::sync::Arc;

use attica_allocator::{Resources, Role};
use attica_core_api::v1::{AgentId, ContainerStatus, ExecutorId, TaskInfo, TaskState, TaskStatus};
use attica_core_api::{Tick, decode_proto, encode_proto};

use crate::snapshot::{KillRequest, Reach};

/// What the kernel knows of a task. What people look at (name, command, labels, …) is in the read model, not here.
#[derive(Debug)]
pub(super) struct Task {
    /// Durable. Where it runs.
    pub agent: AgentId,
    /// Durable. The role to which its resources are allocated.
    pub role: Role,
    /// Durable. What it alone uses.
    pub resources: Resources,
    /// Durable. What it uses together with others. Nothing of it is ever taken from what is free.
    pub shared: Resources,
    /// Durable. Which executor runs it, if it is not a plain command.
    pub executor: Option<ExecutorId>,
    /// Durable. What it has in common with the tasks that are started together with it.
    pub group: Option<Arc<str>>,
    /// Durable. The state that its agent reported last, or in which the master ended it.
    pub state: TaskState,
    /// Durable. Whether its agent is unreachable.
    pub reach: Reach,
    /// Durable. The agent's number of the last update that was taken.
    pub sequence: u64,
    /// Durable. What reconciliation repeats of the last status: container, health and checks.
    pub details: Option<Details>,
    /// Durable. The task as it was launched, until its agent is known to have it.
    pub staging: Option<Box<TaskInfo>>,
    /// Durable. The kill that was asked for.
    pub kill: Option<Box<KillRequest>>,
    /// The statuses are durable, when they were sent is not. `None` when there are none.
    pub outbox: Option<Box<Outbox>>,
}

/// The statuses that the scheduler has not acknowledged. Only the oldest is in flight.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Oldest first; never empty.
    pub statuses: VecDeque<TaskStatus>,
    /// When the oldest is sent again, and after what wait; `None` while it has not been sent on the present stream.
    pub resend: Option<Resend>,
    /// So many of them, from the oldest on, became known in the same turn and are durable by the same commit: when the oldest was
    /// delivered, all of these are durable.
    pub together: usize,
    /// That turn.
    pub turn: u64,
}

/// The next repetition of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resend {
    /// When.
    pub at: Tick,
    /// How long this wait is.
    pub wait_ms: u64,
}

/// A part of a status in protobuf: a tenth of the memory, and rarely needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Details(Box<[u8]>);

impl Details {
    /// What is worth keeping of `status`.
    pub fn of(status: &TaskStatus) -> Option<Self> {
        let kept = TaskStatus {
            state: TaskState::Staging,
            healthy: status.healthy,
            check_status: status.check_status.clone(),
            container_status: status.container_status.clone(),
            health_results: status.health_results.clone(),
            ..TaskStatus::default()
        };
        let empty = TaskStatus { state: TaskState::Staging, ..TaskStatus::default() };
        (kept != empty).then(|| Self(encode_proto(&kept).into_boxed_slice()))
    }

    /// The container.
    pub fn container(&self) -> Option<ContainerStatus> {
        self.kept().container_status
    }

    /// Puts what was kept into `status`.
    pub fn fill(&self, status: &mut TaskStatus) {
        let kept = self.kept();
        status.healthy = kept.healthy;
        status.check_status = kept.check_status;
        status.container_status = kept.container_status;
        status.health_results = kept.health_results;
    }

    fn kept(&self) -> TaskStatus {
        match decode_proto(&self.0) {
            Ok(kept) => kept,
            Err(error) => unreachable!("what was encoded here can be decoded here: {error}"),
        }
    }
}

impl Task {
    /// Whether the task is over. A task that is only out of reach is not.
    pub fn is_terminal(&self) -> bool {
        is_terminal(self.state)
    }
}

/// Whether nothing can follow a state that an agent reports or a master decides for good. TASK_LOST is final in here: that a task
/// is out of reach is kept apart from its state.
pub(super) fn is_terminal(state: TaskState) -> bool {
    progress(state) == Progress::Over
}

/// How far a task has come; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// Nobody has seen it yet.
    Staging,
    /// Its agent has it.
    Starting,
    /// It runs.
    Running,
    /// It is being killed.
    Killing,
    /// It has ended.
    Over,
}

/// How far a task in this state has come; TASK_UNREACHABLE and TASK_UNKNOWN say nothing about that.
pub(super) fn progress(state: TaskState) -> Progress {
    match state {
        TaskState::Staging | TaskState::Unreachable | TaskState::Unknown => Progress::Staging,
        TaskState::Starting => Progress::Starting,
        TaskState::Running => Progress::Running,
        TaskState::Killing => Progress::Killing,
        TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Error
        | TaskState::Lost
        | TaskState::Dropped
        | TaskState::Gone
        | TaskState::GoneByOperator => Progress::Over,
    }
}

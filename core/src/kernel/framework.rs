//! A framework and what it has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use attica_allocator::{FrameworkKey, Role};
use attica_core_api::Tick;
use attica_core_api::v1::{AgentId, ExecutorId, FrameworkId, FrameworkInfo, OperationId, TaskId, TaskState};
use uuid::Uuid;

use super::constraints::Constraints;
use super::input::StreamId;
use super::task::Task;

/// One framework that is not forgotten.
#[derive(Debug)]
pub(super) struct Framework {
    /// Durable.
    pub id: FrameworkId,
    /// Durable. As it subscribed last; shared with every RUN.
    pub info: Arc<FrameworkInfo>,
    /// From `info`. The roles whose offers it gets.
    pub roles: Vec<Role>,
    /// From `info`.
    pub partitions: Partitions,
    /// The removal and the deadline are durable, the stream is not.
    pub presence: Presence,
    /// Not durable. `None` when the allocator does not know it: removed, and its last task has ended.
    pub key: Option<FrameworkKey>,
    /// Durable.
    pub tasks: BTreeMap<TaskId, Box<Task>>,
    /// From `tasks`. Those with an outbox.
    pub undelivered: BTreeSet<TaskId>,
    /// Durable. The tasks that are history, oldest first.
    pub history: History,
    /// From the agents. Its executors.
    pub executors: BTreeSet<(AgentId, ExecutorId)>,
    /// From the operations. Those of which it wants to hear, by its own id.
    pub operations: BTreeMap<OperationId, Uuid>,
    /// Not durable. Which agents it wants to be offered.
    pub constraints: Constraints,
    /// Not durable. What it hears after the statuses of the tasks that this is about.
    pub failures: Vec<Failure>,
}

/// An executor that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub agent: AgentId,
    pub executor: ExecutorId,
    /// How, as a wait status.
    pub status: i32,
}

/// Where a framework is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It listens on this stream.
    Connected(StreamId),
    /// It has no stream. At this time it is removed.
    Away(Tick),
    /// It is gone for good. What is left of it waits for its tasks to end.
    Removed,
}

/// How a framework wants to hear that a task is out of sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitions {
    /// PARTITION_AWARE: by the exact state.
    Aware,
    /// As TASK_LOST.
    Unaware,
}

/// The ids of tasks that are history: they cannot be used again.
#[derive(Debug, Default)]
pub(super) struct History {
    order: VecDeque<TaskId>,
    ids: BTreeSet<TaskId>,
}

impl Framework {
    /// The stream to send to, if there is one.
    pub fn stream(&self) -> Option<&StreamId> {
        match &self.presence {
            Presence::Connected(stream) => Some(stream),
            Presence::Away(_) | Presence::Removed => None,
        }
    }

    /// Whether it is gone for good.
    pub fn is_removed(&self) -> bool {
        self.presence == Presence::Removed
    }

    /// The state as this framework is told: TASK_LOST for what it does not know.
    pub fn told(&self, state: TaskState) -> TaskState {
        match (self.partitions, state) {
            (
                Partitions::Unaware,
                TaskState::Dropped
                | TaskState::Unreachable
                | TaskState::Gone
                | TaskState::GoneByOperator
                | TaskState::Unknown,
            ) => TaskState::Lost,
            (Partitions::Unaware | Partitions::Aware, state) => state,
        }
    }
}

impl History {
    /// Whether a task with this id is history.
    pub fn contains(&self, task: &TaskId) -> bool {
        self.ids.contains(task)
    }

    /// All of them.
    pub fn ids(&self) -> &BTreeSet<TaskId> {
        &self.ids
    }

    /// Adds a task, and says which ones have to be forgotten so that no more than `limit` are left.
    pub fn push(&mut self, task: TaskId, limit: usize) -> Vec<TaskId> {
        self.ids.insert(task.clone());
        self.order.push_back(task);
        let surplus = self.order.len().saturating_sub(limit);
        let forgotten: Vec<TaskId> = self.order.drain(..surplus).collect();
        for task in &forgotten {
            self.ids.remove(task);
        }
        forgotten
    }
}

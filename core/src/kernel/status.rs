//! Statuses that the master itself makes.

use attica_core_api::v1::{AgentId, TaskId, TaskState, TaskStatus, TaskStatusReason, TaskStatusSource};

use super::Now;

/// A status made by the master; without a uuid, so it is said once and not waited for.
pub(super) fn from_master(
    now: Now,
    task: TaskId,
    agent: Option<AgentId>,
    state: TaskState,
    reason: TaskStatusReason,
    message: impl Into<String>,
) -> TaskStatus {
    TaskStatus {
        task_id: task,
        state,
        message: Some(message.into()),
        source: Some(TaskStatusSource::Master),
        reason: Some(reason),
        agent_id: agent,
        timestamp: Some(now.wall.seconds()),
        ..TaskStatus::default()
    }
}

//! What has happened since the agent's start, counted for its metrics.

use attica_core_api::v1::TaskState;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) tasks_finished: u64,
    pub(crate) tasks_failed: u64,
    pub(crate) tasks_killed: u64,
    pub(crate) tasks_lost: u64,
    pub(crate) tasks_gone: u64,
    /// Of executors, whose tasks were there.
    pub(crate) valid_status_updates: u64,
    pub(crate) invalid_status_updates: u64,
    /// Of frameworks, whose executors listened.
    pub(crate) valid_framework_messages: u64,
    pub(crate) invalid_framework_messages: u64,
    /// Those of the agent's own among them, of which there is no process.
    pub(crate) executors_terminated: u64,
    pub(crate) container_launch_errors: u64,
    /// Attempts of the launcher's to remove what was left of an ended one.
    pub(crate) container_destroy_errors: u64,
}

impl Counters {
    /// A task has come to its last state.
    pub(super) fn task_ended(&mut self, state: TaskState) {
        match state {
            TaskState::Finished => self.tasks_finished += 1,
            TaskState::Failed => self.tasks_failed += 1,
            TaskState::Killed => self.tasks_killed += 1,
            TaskState::Lost | TaskState::Dropped => self.tasks_lost += 1,
            TaskState::Gone => self.tasks_gone += 1,
            TaskState::Staging
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Killing
            | TaskState::Error
            | TaskState::Unreachable
            | TaskState::GoneByOperator
            | TaskState::Unknown => {}
        }
    }
}

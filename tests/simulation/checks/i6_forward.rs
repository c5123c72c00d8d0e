//! I6: task ids are never used again; states only move forward; terminal is final. And no task ever runs twice.

use std::collections::{BTreeMap, BTreeSet};

use attica_core::fact::Fact;
use attica_core_api::v1::{TaskState, TaskStatus};
use bytes::Bytes;

use crate::agent::{Obeyed, TaskName};

/// How far every task has come.
#[derive(Default)]
pub(super) struct Forward {
    tasks: BTreeMap<TaskName, Progress>,
    reported: BTreeSet<(TaskName, Bytes)>,
    started: BTreeSet<TaskName>,
}

struct Progress {
    rank: u8,
    sequence: u64,
}

impl Forward {
    pub(super) fn committed(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::TaskLaunched { framework, task, .. } => {
                let name = (framework.clone(), task.task_id.clone());
                let known = self.tasks.insert(name.clone(), Progress { rank: 0, sequence: 0 });
                if known.is_some() { Err(format!("I6: {name:?} is launched a second time")) } else { Ok(()) }
            }
            Fact::TaskUpdated { framework, status, sequence, .. } => {
                let name = (framework.clone(), status.task_id.clone());
                self.updated(name, status, *sequence)
            }
            _ => Ok(()),
        }
    }

    fn updated(&mut self, name: TaskName, status: &TaskStatus, sequence: Option<u64>) -> Result<(), String> {
        let Some(progress) = self.tasks.get_mut(&name) else {
            return Err(format!("I6: {name:?} has a state before it is launched"));
        };
        let rank = rank(status.state);
        if rank < progress.rank || progress.rank == 4 {
            return Err(format!("I6: {name:?} goes from rank {} to {}", progress.rank, status.state));
        }
        progress.rank = rank;
        if let Some(sequence) = sequence {
            if sequence != progress.sequence + 1 {
                return Err(format!("I14: {name:?}: update {sequence} follows update {}", progress.sequence));
            }
            progress.sequence = sequence;
        }
        self.reported.extend(status.uuid.clone().map(|uuid| (name, uuid)));
        Ok(())
    }

    pub(super) fn started(&mut self, obeyed: &Obeyed) -> Result<(), String> {
        for name in &obeyed.started {
            if !self.started.insert(name.clone()) {
                return Err(format!("I6: {name:?} is started a second time"));
            }
        }
        Ok(())
    }

    /// Whether the task's launch is committed.
    pub(super) fn is_launched(&self, name: &TaskName) -> bool {
        self.tasks.contains_key(name)
    }

    /// Whether the update is committed.
    pub(super) fn is_reported(&self, name: &TaskName, uuid: &Bytes) -> bool {
        self.reported.contains(&(name.clone(), uuid.clone()))
    }
}

/// Whether a task that is kept in this state is over: that TASK_LOST can mean out of sight is for frameworks alone.
pub(super) fn is_over(state: TaskState) -> bool {
    rank(state) == 4
}

fn rank(state: TaskState) -> u8 {
    match state {
        TaskState::Staging | TaskState::Unreachable | TaskState::Unknown => 0,
        TaskState::Starting => 1,
        TaskState::Running => 2,
        TaskState::Killing => 3,
        TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Error
        | TaskState::Lost
        | TaskState::Dropped
        | TaskState::Gone
        | TaskState::GoneByOperator => 4,
    }
}

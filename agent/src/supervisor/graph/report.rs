//! How a task's processes fare, in words.

use attica_core_api::v1::{ProcessStatus, TaskState, TaskStatusReason, TaskStatusSource};

use super::super::ending;
use super::super::task::{News, Task};
use crate::checkpoint::{GraphVerdict, RunPhase};
use crate::launcher::protocol::{Exit, MemoryVerdict};

impl Task {
    /// `TaskStatus.processes`; `None` of a task that is one command.
    pub(in crate::supervisor) fn process_statuses(&self) -> Option<Vec<ProcessStatus>> {
        let (walk, infos) = (&self.graph.as_ref()?.walk, &self.info.processes.as_ref()?.processes);
        let status = |(place, (info, standing)): (
            usize,
            (&attica_core_api::v1::ProcessInfo, &crate::checkpoint::ProcessStanding),
        )| {
            let (exit_code, signal) = match standing.ending.map(|ending| ending.exit) {
                Some(Exit::Code(code)) => (Some(code), None),
                Some(Exit::Signal(signal)) => (None, Some(signal)),
                Some(Exit::Unknown) | None => (None, None),
            };
            ProcessStatus {
                name: info.name.clone(),
                state: walk.state(place),
                runs: standing.runs,
                failures: standing.failures,
                exit_code,
                signal,
                started: standing.started,
                ended: standing.ended,
                message: standing.message.clone(),
            }
        };
        Some(infos.iter().zip(walk.standings()).enumerate().map(status).collect())
    }

    /// How the task has ended, of its processes, unless it was killed for a cause of its own. `memory` is what its container tells.
    pub(in crate::supervisor) fn graph_news(&self, memory: MemoryVerdict) -> Option<(News, MemoryVerdict)> {
        let graph = self.graph.as_ref()?;
        let say = |state, message: String| News { message: Some(message), ..News::of(state) };
        let news = match graph.walk.verdict() {
            Some(GraphVerdict::Success) => say(TaskState::Finished, "Task finished.".to_owned()),
            Some(GraphVerdict::Killed) => say(TaskState::Killed, "Task killed.".to_owned()),
            Some(GraphVerdict::Failed) => return Some(self.failure(memory)),
            None => News {
                source: TaskStatusSource::Agent,
                reason: Some(TaskStatusReason::ExecutorTerminated),
                ..say(TaskState::Failed, "Task failed. All trace of its processes was lost".to_owned())
            },
        };
        Some((news, memory))
    }

    fn failure(&self, memory: MemoryVerdict) -> (News, MemoryVerdict) {
        let infos = self.info.processes.iter().flat_map(|graph| &graph.processes);
        let standings = self.graph.iter().flat_map(|graph| graph.walk.standings());
        let failed: Vec<_> = infos
            .zip(standings)
            .filter(|(info, standing)| standing.phase == RunPhase::Failed && !info.ephemeral)
            .collect();
        let of_runs = failed.iter().filter_map(|(_, standing)| Some(standing.ending?.memory));
        let exceeded = [memory].into_iter().chain(of_runs).find(|memory| *memory != MemoryVerdict::WithinLimit);
        if let Some(memory) = exceeded {
            let news = News {
                state: TaskState::Failed,
                source: TaskStatusSource::Agent,
                reason: Some(TaskStatusReason::ContainerLimitationMemory),
                message: Some(ending::memory_message(memory)),
            };
            return (news, memory);
        }
        let why = failed.first().map(|(info, standing)| {
            let how = standing.ending.map(|ending| ending::describe(ending.exit));
            let how = how.or(standing.message.clone()).unwrap_or_default();
            format!("Task failed. Process `{}`: {how}", info.name)
        });
        let message = why.unwrap_or_else(|| "Task failed. What is left waits for what did not succeed".to_owned());
        (News { message: Some(message), ..News::of(TaskState::Failed) }, memory)
    }
}

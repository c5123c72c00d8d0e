//! Where programs write to that run now, and how much of it is kept.

use std::path::Path;

use attica_core_api::v1::{CommandInfo, ProcessInfo};

use super::graph::log_directory;
use super::task::{Phase, Task};
use super::{Config, Supervisor};
use crate::contained::{Progress, Tenure};
use crate::rotation::{InvalidLimit, Limit, Limits, Output, limits_of};

/// What is kept of what this command writes; `None`: everything.
pub(super) fn limits(config: &Config, command: Option<&CommandInfo>) -> Result<Option<Limits>, InvalidLimit> {
    let Some(limits) = config.rotation else { return Ok(None) };
    let variables = command.and_then(|command| command.environment.as_ref()).map(|environment| &environment.variables);
    let variables = variables.into_iter().flatten();
    let pairs = variables.map(|variable| (variable.name.as_str(), variable.value.as_deref().unwrap_or_default()));
    limits_of(limits, pairs).map(Some)
}

impl Supervisor {
    /// Of every program that runs.
    pub(crate) fn outputs(&self) -> Vec<Output> {
        let Some(usual) = self.config.rotation else { return Vec::new() };
        let mut outputs = Vec::new();
        let runs = |task: &&Task| task.phase == Phase::Running && task.executor.is_none();
        for task in self.tasks.values().filter(runs) {
            // One that was told something else was refused.
            let limits = limits(&self.config, task.info.command.as_ref()).ok().flatten().unwrap_or(usual);
            let sandbox = task.sandbox(&self.config.work_dir);
            outputs.extend(processes_outputs(task, &sandbox, limits));
            outputs.push(Output { directory: sandbox, limits });
        }
        for executor in self.executors.values().filter(|executor| executor.process.is_some()) {
            let limits = limits(&self.config, executor.info.command.as_ref()).ok().flatten().unwrap_or(usual);
            outputs.push(Output { directory: executor.sandbox(&self.config.work_dir), limits });
        }
        for record in self.contained() {
            match (record.tenure, record.progress) {
                (Tenure::Lasting, Progress::Running(_)) => {
                    let variables = record.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                    let limits = limits_of(usual, variables).unwrap_or(usual);
                    outputs.push(Output { directory: record.directory.clone(), limits });
                }
                // What it writes is somebody's to read at once.
                (Tenure::Session, _) | (Tenure::Lasting, Progress::Launching | Progress::Ended(_)) => {}
            }
        }
        outputs
    }
}

/// Of the latest run of each of a task's processes.
fn processes_outputs(task: &Task, sandbox: &Path, limits: Limits) -> Vec<Output> {
    let (Some(graph), Some(standing)) = (&task.info.processes, &task.graph) else { return Vec::new() };
    let output = |(place, process): (usize, &ProcessInfo)| {
        let run = standing.walk.standing(place)?.runs.checked_sub(1)?;
        let own = process.logger.as_ref().and_then(|logger| logger.rotation.as_ref());
        let limits = own.map_or(limits, |own| [Limit { bytes: own.size_bytes, backups: own.backups }; 2]);
        Some(Output { directory: sandbox.join(log_directory(&process.name, run)), limits })
    };
    graph.processes.iter().enumerate().filter_map(output).collect()
}

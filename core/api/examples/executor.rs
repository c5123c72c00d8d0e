//! An executor in eighty lines: runs each task's `data` as a shell command, as many at once as it is given.
//!
//! A framework names it in the `executor` of its tasks; the agent starts it, with an environment that says where the agent is.

use std::collections::HashMap;
use std::error::Error;

use attica_core_api::client::executor::{self, Environment, Executor, Signal};
use attica_core_api::v1::{TaskId, TaskInfo, TaskState, TaskStatus};
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let environment = Environment::of_process()?;
    let (executor, mut signals) = executor::connect(environment);
    let (ended, mut endings) = mpsc::unbounded_channel();
    let mut running: HashMap<TaskId, oneshot::Sender<()>> = HashMap::new();
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Some(Signal::Launch(task)) => {
                    running.insert(task.task_id.clone(), start(&executor, *task, ended.clone()));
                }
                Some(Signal::LaunchGroup(tasks)) => for task in tasks {
                    running.insert(task.task_id.clone(), start(&executor, task, ended.clone()));
                },
                Some(Signal::Kill { task_id, .. }) => drop(running.remove(&task_id)),
                Some(Signal::Message(data)) => executor.message(data), // says everything back
                Some(Signal::Subscribed(_) | Signal::Disconnected) => {}
                Some(Signal::Shutdown { .. }) | None => return Ok(()), // what still runs goes with this process
            },
            Some(task_id) = endings.recv() => drop(running.remove(&task_id)),
        }
    }
}

/// Runs one task until it ends, or until what is returned is dropped.
fn start(executor: &Executor, task: TaskInfo, ended: mpsc::UnboundedSender<TaskId>) -> oneshot::Sender<()> {
    let (keep, gone) = oneshot::channel();
    let executor = executor.clone();
    tokio::spawn(async move {
        let status = |state, message: Option<String>| TaskStatus {
            task_id: task.task_id.clone(),
            state,
            message,
            ..TaskStatus::default()
        };
        let script = String::from_utf8_lossy(task.data.as_deref().unwrap_or_default()).into_owned();
        let child = Command::new("sh").args(["-c", &script]).kill_on_drop(true).spawn();
        let last = match child {
            Err(error) => status(TaskState::Failed, Some(error.to_string())),
            Ok(mut child) => {
                executor.update(status(TaskState::Running, None));
                tokio::select! {
                    exit = child.wait() => match exit {
                        Ok(exit) if exit.success() => status(TaskState::Finished, None),
                        Ok(exit) => status(TaskState::Failed, Some(exit.to_string())),
                        Err(error) => status(TaskState::Failed, Some(error.to_string())),
                    },
                    _ = gone => {
                        let _ = child.kill().await; // it may have ended at this very moment
                        status(TaskState::Killed, None)
                    }
                }
            }
        };
        executor.update(last);
        let _ = ended.send(task.task_id);
    });
    keep
}

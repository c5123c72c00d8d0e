//! Executors of apps' own: a program of the app's is started for its task, and runs that.

use attica_core_api::v1::{CommandInfo, ExecutorInfo, Resource, TaskId, TaskInfo};

use crate::model::CommandLine;

/// What Marathon calls the executor of a task.
#[must_use]
pub fn executor_id(task: &TaskId) -> String {
    format!("marathon-{task}")
}

/// The task as its executor is given it. As in Marathon, that has the task's container and environment, and `line` behind its name.
pub(super) fn beneath(path: &str, line: &CommandLine, task: TaskInfo, resources: Vec<Resource>) -> TaskInfo {
    let words = match line {
        CommandLine::Shell(line) => line.clone(),
        CommandLine::Exec(words) => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
        // A graph is refused, and pods have executors of the agent's.
        CommandLine::Image | CommandLine::Graph(_) | CommandLine::Pod(_) => String::new(),
    };
    let path = quoted(path);
    let value = Some(format!("chmod ug+rx {path} && exec {path} {words}"));
    let command = task.command.map(|command| CommandInfo { shell: true, value, arguments: Vec::new(), ..command });
    let executor = ExecutorInfo {
        executor_id: executor_id(&task.task_id).into(),
        command,
        container: task.container,
        resources,
        ..ExecutorInfo::default()
    };
    TaskInfo { command: None, container: None, executor: Some(Box::new(executor)), ..task }
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

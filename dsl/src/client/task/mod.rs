//! `attica task …`

mod attach;
mod exec;
mod kill;
mod list;
mod log;
mod piece;
mod session;
pub(super) mod table;

use attica_paas_api::task::{Task, TaskList};
use clap::Subcommand;

use super::failure::Failure;
use super::ids::only_match;
use super::server::Server;
use super::session::Session;

/// What can be done with tasks.
#[derive(Clone, Debug, Subcommand)]
pub enum TaskCommand {
    /// List tasks: of all apps, or of one
    List(list::List),
    /// Show what a task writes
    Log(log::Log),
    /// Run a program within a task: a shell, for example
    Exec(exec::Exec),
    /// Show what a task writes from now on, until it ends
    Attach(attach::Attach),
    /// Kill tasks; others take their places unless --scale
    Kill(kill::Kill),
}

impl TaskCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            TaskCommand::List(list) => list.run(session).await,
            TaskCommand::Log(log) => log.run(session).await,
            TaskCommand::Exec(exec) => exec.run(session).await,
            TaskCommand::Attach(attach) => attach.run(session).await,
            TaskCommand::Kill(kill) => kill.run(session).await,
        }
    }
}

/// The tasks that there are.
async fn known(server: &Server) -> Result<Vec<Task>, Failure> {
    let TaskList { tasks } = server.get("/v2/tasks").await?;
    Ok(tasks)
}

/// The id of the task that was meant: typed whole, or a part that no other one has. None when there is no such task.
fn meant<'a>(typed: &str, tasks: &'a [Task]) -> Result<Option<&'a str>, Failure> {
    let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
    Ok(only_match(typed, &ids, "task")?.map(|index| ids[index]))
}

fn missing(typed: &str) -> Failure {
    Failure::Failed {
        message: format!("no task has the id {typed}, or it as a part of its id"),
        hint: Some("attica task list shows what there is".to_owned()),
    }
}

//! `attica task …`

mod attach;
mod exec;
mod kill;
mod list;
mod log;
mod piece;
mod session;
pub(super) mod table;

use attica_paas_api::pod::{ContainerStatus, PodStatus};
use attica_paas_api::task::{Task, TaskList};
use clap::Subcommand;
use http::StatusCode;

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

/// The id of the task that was meant, of an app or of a container of a pod. Pods are asked for only when no app has such a task.
async fn resolved(server: &Server, typed: &str) -> Result<Option<String>, Failure> {
    let tasks = known(server).await?;
    if let Some(task) = meant(typed, &tasks)? {
        return Ok(Some(task.to_owned()));
    }
    let containers = containers(server).await?;
    let ids: Vec<&str> = containers.iter().map(|container| container.container_id.as_str()).collect();
    Ok(only_match(typed, &ids, "container")?.map(|index| ids[index].to_owned()))
}

/// Whether a task of this id has not ended.
async fn runs(server: &Server, id: &str) -> Result<bool, Failure> {
    if known(server).await?.iter().any(|task| task.id == id) {
        return Ok(true);
    }
    let is_it = |container: &ContainerStatus| container.container_id == id && container.termination.is_none();
    Ok(containers(server).await?.iter().any(is_it))
}

/// The containers of all pods.
async fn containers(server: &Server) -> Result<Vec<ContainerStatus>, Failure> {
    let pods: Vec<PodStatus> = match server.get("/v2/pods::status").await {
        Err(Failure::Refused { status: StatusCode::NOT_FOUND, .. }) => Vec::new(),
        pods => pods?,
    };
    let instances = pods.into_iter().flat_map(|pod| pod.instances);
    Ok(instances.flat_map(|instance| instance.containers).collect())
}

/// The tasks of apps that there are.
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

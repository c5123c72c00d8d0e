//! The client commands: `attica app …`, `pod …`, `group …`, `secret …`, `deployment …`, `task …`, `queue`, `events`, `callback …`,
//! `backup`, `restore`, `import …`, `user …`, `audit`,
//! `agent list`, `completion`, and those of `attica config …` that deploy.

mod address;
mod age;
mod agent;
mod app;
mod audit;
mod backup;
mod callback;
mod completion;
mod config;
mod definition;
mod deployment;
mod diff;
mod events;
mod failure;
mod feed;
mod forecast;
mod group;
mod ids;
mod import;
mod options;
mod pod;
mod product;
mod proof;
mod queue;
mod secret;
mod server;
mod session;
mod task;
#[cfg(test)]
mod tests;
mod tls;
mod user;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::SystemTime;

use clap::Subcommand;

use crate::terminal::Screen;
pub use agent::AgentCommand;
pub use app::AppCommand;
pub use audit::AuditCommand;
pub use backup::{BackupCommand, RestoreCommand};
pub use callback::CallbackCommand;
pub use completion::{CompletionCommand, Shell, answer_shell};
pub use deployment::DeploymentCommand;
use failure::Failure;
pub use feed::EventsCommand;
pub use group::GroupCommand;
pub use import::ImportCommand;
pub use options::{Addressed, GlobalOptions};
pub use pod::PodCommand;
pub use product::{Apply, Diff, Export};
pub use queue::QueueCommand;
pub use secret::SecretCommand;
use server::Server;
use session::{Form, Session};
pub use task::TaskCommand;
pub use user::UserCommand;

/// What a client can be asked to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Apps: list, show, add, change, remove
    App(Addressed<AppCommand>),
    /// Pods, of containers that live and die together: list, show, put, remove
    Pod(Addressed<PodCommand>),
    /// Groups of apps: list, show, put, scale, roll back, remove
    Group(Addressed<GroupCommand>),
    /// Secrets, which tasks find in their environment or as files: list, set, delete
    Secret(Addressed<SecretCommand>),
    /// Running deployments: list, watch, pause, roll back
    Deployment(Addressed<DeploymentCommand>),
    /// Tasks, the running instances of apps: list, read their output, run programs within them, kill
    Task(Addressed<TaskCommand>),
    /// Show what waits to be started, and why
    Queue(QueueCommand),
    /// Show what happens as it happens
    Events(EventsCommand),
    /// Users: who there is, what each may do, and the tokens of programs
    User(Addressed<UserCommand>),
    /// Show who did what
    Audit(AuditCommand),
    /// URLs that events are posted to: list, add, remove
    Callback(Addressed<CallbackCommand>),
    /// Write what is defined into a file: apps, pods, groups, and secrets, sealed
    Backup(BackupCommand),
    /// Bring back what a backup holds
    Restore(RestoreCommand),
    /// Take over what another cluster runs
    Import(Addressed<ImportCommand>),
    /// Print a script that completes commands, options and ids in a shell
    Completion(CompletionCommand),
    /// Agents. Not a subcommand by itself: `attica agent` is the role, and this is what it is with one of these commands.
    #[command(skip)]
    Agent(Addressed<AgentCommand>),
    /// `attica config apply`
    #[command(skip)]
    Apply(Apply),
    /// `attica config diff`
    #[command(skip)]
    Diff(Diff),
    /// `attica config export`
    #[command(skip)]
    Export(Export),
}

/// Runs a command against the cluster that the options name; `before` are those that stood before the command.
///
/// The exit status is 0 when it was done, 1 when not, 2 when the command makes no sense, 3 when a deployment failed or the file to
/// deploy is wrong, and 130 when Ctrl-C ended the waiting; that of a program in a task is passed on. Errors go to standard error.
#[must_use]
pub fn run(command: Command, before: GlobalOptions) -> ExitCode {
    let mut screen = Screen::of_process();
    let surroundings = Surroundings {
        variable: |name| std::env::var(name).ok(),
        input: Box::new(std::io::stdin()),
        clock: SystemTime::now,
        interrupt: Box::pin(interrupted()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(execute(command, before, surroundings, &mut screen)),
        Err(error) => Err(Failure::failed(format!("cannot start: {error}"))),
    };
    ExitCode::from(finish(outcome, &mut screen))
}

/// What a process has around it.
struct Surroundings {
    /// Reads the environment.
    variable: fn(&str) -> Option<String>,
    /// Standard input.
    input: Box<dyn std::io::Read + Send>,
    clock: fn() -> SystemTime,
    /// Resolves when the user presses Ctrl-C.
    interrupt: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

async fn execute(
    command: Command,
    before: GlobalOptions,
    surroundings: Surroundings,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let open = |options: GlobalOptions, screen| open(options.or(before), surroundings, screen);
    match command {
        Command::App(app) => app.command.run(&mut open(app.options.0, screen)?).await,
        Command::Group(group) => group.command.run(&mut open(group.options.0, screen)?).await,
        Command::Pod(pod) => pod.command.run(&mut open(pod.options.0, screen)?).await,
        Command::Secret(secret) => secret.command.run(&mut open(secret.options.0, screen)?).await,
        Command::Deployment(deployment) => deployment.command.run(&mut open(deployment.options.0, screen)?).await,
        Command::Task(task) => task.command.run(&mut open(task.options.0, screen)?).await,
        Command::Callback(callback) => callback.command.run(&mut open(callback.options.0, screen)?).await,
        Command::Import(import) => import.command.run(&mut open(import.options.0, screen)?).await,
        Command::Backup(backup) => backup.run(&mut open(backup.options.clone(), screen)?).await,
        Command::Restore(restore) => restore.run(&mut open(restore.options.clone(), screen)?).await,
        Command::Queue(queue) => queue::show(&mut open(queue.options, screen)?).await,
        Command::Events(events) => events.feed.run(&mut open(events.options, screen)?).await,
        Command::User(user) => user.command.run(&mut open(user.options.0, screen)?).await,
        Command::Audit(audit) => {
            let mut session = open(audit.options.clone(), screen)?;
            audit.run(&mut session).await
        }
        Command::Agent(agent) => agent.command.run(&mut open(agent.options.0, screen)?).await,
        Command::Apply(apply) => apply.run(&mut open(apply.options.clone(), screen)?).await,
        Command::Diff(diff) => diff.run(&mut open(diff.options.clone(), screen)?).await,
        Command::Export(export) => export.run(&mut open(export.options.clone(), screen)?).await,
        Command::Completion(completion) => completion.run(screen),
    }
}

/// What a command that talks to a cluster has to work with.
fn open(options: GlobalOptions, surroundings: Surroundings, screen: &mut Screen) -> Result<Session<'_>, Failure> {
    Ok(Session {
        server: Rc::new(Server::new(config::target(&options, surroundings.variable)?)?),
        screen,
        variable: surroundings.variable,
        form: if options.json { Form::Json } else { Form::Text },
        input: surroundings.input,
        clock: surroundings.clock,
        interrupt: surroundings.interrupt,
    })
}

/// Says what went wrong, and returns the exit status.
fn finish(outcome: Result<(), Failure>, screen: &mut Screen) -> u8 {
    // What was shown before a failure is worth seeing; and what cannot be written is a failure of its own.
    let outcome = screen.out.flush().map_err(Failure::from).and(outcome);
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            failure.lines().iter().for_each(|line| screen.remark(line));
            failure.exit_status()
        }
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

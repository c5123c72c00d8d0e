//! The one binary: parses arguments, sets up logging, calls a role or a client command.

mod agent_command;
mod drop_in;
mod logging;
mod up;

use std::process::ExitCode;

use attica_dsl::client::{self, GlobalOptions};
use attica_dsl::config;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use agent_command::AgentCommand;

/// Many small values that live long, made by one thread and given back by another: it takes a quarter less memory for a task than the C
/// library's, and less time.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Attica runs services on many machines and speaks the Mesos and Marathon APIs.
#[derive(Parser)]
#[command(name = "attica", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    options: GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a whole cluster on this machine
    Up(up::Args),
    /// Lead the cluster: agents, frameworks, offers
    Master(Box<attica_core::master::Args>),
    /// Run tasks on this machine; `attica agent list` shows who does
    Agent(AgentCommand),
    /// Own an agent's child processes (started by the agent)
    #[command(hide = true)]
    Launcher(attica_agent::launcher::Args),
    /// Download and unpack for an agent (started by the agent)
    #[command(hide = true)]
    Fetcher,
    /// Keep services running: apps, deployments, events
    Paas(Box<attica_paas::Args>),
    Recover(attica_paas::backup::RecoverArgs),
    /// Route traffic to the instances of apps
    Lb(attica_paas::lb::Args),
    /// Configuration files: what they mean, what is wrong with them, and deploying them
    #[command(subcommand)]
    Config(config::Command),
    #[command(flatten)]
    Client(client::Command),
}

fn main() -> ExitCode {
    if let Some(ended) = drop_in::answer(std::env::args_os().next().as_deref()) {
        return ended;
    }
    if let Some(answered) = client::answer_shell(Cli::command) {
        return answered;
    }
    let Cli { options, command } = Cli::parse();
    let role = match command {
        Command::Client(command) => return client::run(command, options),
        Command::Config(command) => return config::run(command, options),
        Command::Agent(AgentCommand::Client(command)) => return client::run(client::Command::Agent(command), options),
        role @ (Command::Up(_)
        | Command::Master(_)
        | Command::Agent(AgentCommand::Role(_))
        | Command::Launcher(_)
        | Command::Fetcher
        | Command::Paas(_)
        | Command::Recover(_)
        | Command::Lb(_)) => role,
    };
    if !options.is_empty() {
        let text = "--addr, --cluster and --json go with client commands; this one is none";
        Cli::command().error(ErrorKind::ArgumentConflict, text).exit();
    }
    logging::init();
    match run(role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::fatal(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn run(role: Command) -> Result<(), AnyError> {
    match role {
        Command::Up(args) => block_on(up::run(args)),
        Command::Master(mut args) => {
            args.log_control = logging::control();
            block_on(async { Ok(attica_core::master::run(*args, terminated()).await?) })
        }
        Command::Agent(AgentCommand::Role(mut args)) => {
            args.log_control = logging::control();
            block_on(async { Ok(attica_agent::run(*args, terminated()).await?) })
        }
        Command::Launcher(args) => attica_agent::launcher::run(&args).map_err(Into::into),
        Command::Fetcher => attica_agent::fetch::work().map_err(Into::into),
        Command::Paas(mut args) => {
            args.log_control = logging::control();
            block_on(async { Ok(attica_paas::run(*args, attica_web::router(), terminated()).await?) })
        }
        Command::Recover(args) => block_on(async {
            let position = attica_paas::backup::recover(&args).await?;
            tracing::info!(%position, "everything is as it was; masters and service layers may start");
            Ok(())
        }),
        Command::Lb(args) => block_on(async { Ok(attica_paas::lb::run(args, terminated()).await?) }),
        Command::Agent(AgentCommand::Client(_)) | Command::Client(_) | Command::Config(_) => {
            unreachable!("client commands are no roles")
        }
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn block_on(role: impl Future<Output = Result<(), AnyError>>) -> Result<(), AnyError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(role)
}

/// Resolves when the process is asked to end (SIGTERM, SIGINT).
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut term), Ok(mut int)) => {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot watch for signals; end this process with SIGKILL");
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_client_commands_make_one_consistent_tree() {
        Cli::command().debug_assert();
    }
}

//! The one binary: parses arguments, sets up logging, calls a role.

mod logging;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Attica runs services on many machines and speaks the Mesos and Marathon APIs.
#[derive(Parser)]
#[command(name = "attica", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Start a whole cluster on this machine
    Up(up::Args),
    /// Lead the cluster: agents, frameworks, offers
    Master(attica_core::master::Args),
    /// Run tasks on this machine
    Agent(attica_agent::Args),
    /// Own an agent's child processes (started by the agent)
    #[command(hide = true)]
    Launcher(attica_agent::launcher::Args),
    /// Keep services running: apps, deployments, events
    Paas(attica_paas::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::init();
    let result = match cli.role {
        Role::Up(args) => block_on(up::run(args)),
        Role::Master(args) => block_on(async { Ok(attica_core::master::run(args, terminated()).await?) }),
        Role::Agent(args) => block_on(async { Ok(attica_agent::run(args, terminated()).await?) }),
        Role::Launcher(args) => attica_agent::launcher::run(&args).map_err(Into::into),
        Role::Paas(args) => block_on(async { Ok(attica_paas::run(args, terminated()).await?) }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::fatal(error.as_ref());
            ExitCode::FAILURE
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

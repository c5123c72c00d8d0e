//! The agent and its launcher alone, without the other roles.

use std::process::ExitCode;

use clap::Parser;

#[derive(clap::Parser)]
#[command(name = "attica-agent", about = "Runs tasks in cgroups and tells how they fare")]
enum Command {
    /// Starts tasks for an agent; called by agents
    Launcher(attica_agent::launcher::Args),
    /// Downloads and unpacks for an agent; called by agents
    Fetcher,
    /// The agent
    Agent(Box<attica_agent::Args>),
}

type Failure = Box<dyn std::error::Error>;

/// The launcher must be the only thread of its process: the runtime is made for the agent alone.
fn agent(args: attica_agent::Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let shutdown = async move {
            terminate.recv().await;
        };
        Ok(attica_agent::run(args, shutdown).await?)
    })
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let outcome = match Command::parse() {
        Command::Launcher(args) => attica_agent::launcher::run(&args).map_err(Failure::from),
        Command::Fetcher => attica_agent::fetch::work().map_err(Failure::from),
        Command::Agent(args) => agent(*args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error.as_ref() as &dyn std::error::Error, "attica-agent ends");
            ExitCode::FAILURE
        }
    }
}

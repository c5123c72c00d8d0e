//! The agent and its launcher alone, without the other roles.

use std::process::ExitCode;

use clap::Parser;

#[derive(clap::Parser)]
#[command(name = "attica-agent", about = "Runs tasks in cgroups and tells how they fare")]
enum Command {
    /// Starts tasks for an agent; called by agents
    Launcher(attica_agent::launcher::Args),
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let outcome = match Command::parse() {
        Command::Launcher(args) => attica_agent::launcher::run(&args).map_err(|error| Box::new(error) as Box<dyn std::error::Error>),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error.as_ref() as &dyn std::error::Error, "attica-agent ends");
            ExitCode::FAILURE
        }
    }
}

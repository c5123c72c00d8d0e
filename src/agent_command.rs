//! `attica agent` is a role, and with a command behind it (`attica agent list`) a client.

use attica_dsl::client::{self, Addressed};
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// What `attica agent …` was asked to be.
pub enum AgentCommand {
    Role(Box<attica_agent::Args>),
    Client(Addressed<client::AgentCommand>),
}

impl Args for AgentCommand {
    fn augment_args(command: Command) -> Command {
        let command = attica_agent::Args::augment_args(command);
        Addressed::<client::AgentCommand>::augment_args(command)
            .subcommand_required(false)
            .arg_required_else_help(false)
            .subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AgentCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        match matches.subcommand_name() {
            Some(_) => Addressed::from_arg_matches(matches).map(Self::Client),
            None => attica_agent::Args::from_arg_matches(matches).map(|args| Self::Role(Box::new(args))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

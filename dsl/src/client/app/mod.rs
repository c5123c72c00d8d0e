//! `attica app …`

mod list;
mod status;

use clap::Subcommand;

use super::failure::Failure;
use super::session::Session;

/// What can be done with apps.
#[derive(Clone, Debug, Subcommand)]
pub enum AppCommand {
    /// List apps
    List(list::List),
}

impl AppCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            AppCommand::List(list) => list.run(session).await,
        }
    }
}

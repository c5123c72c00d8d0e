//! `attica app …`

mod list;
mod read;
mod show;
mod status;
mod update;
mod versions;
mod write;

use clap::Subcommand;

use super::failure::Failure;
use super::session::Session;
pub(super) use read::call as call_about_app;

/// What can be done with apps.
#[derive(Clone, Debug, Subcommand)]
pub enum AppCommand {
    /// List apps
    List(list::List),
    /// Show an app: its definition, its instances, and how it is doing
    Show(show::Show),
    /// Add an app
    Add(write::Add),
    /// Change an app, or return to one of its versions; shows what changes first
    Update(update::Update),
    /// Set the number of instances
    Scale(write::Scale),
    /// Replace all instances
    Restart(write::Restart),
    /// End an app and forget it
    Remove(write::Remove),
    /// List the versions of an app, or compare two
    Versions(versions::Versions),
}

impl AppCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            AppCommand::List(list) => list.run(session).await,
            AppCommand::Show(show) => show.run(session).await,
            AppCommand::Add(add) => add.run(session).await,
            AppCommand::Update(update) => update.run(session).await,
            AppCommand::Scale(scale) => scale.run(session).await,
            AppCommand::Restart(restart) => restart.run(session).await,
            AppCommand::Remove(remove) => remove.run(session).await,
            AppCommand::Versions(versions) => versions.run(session).await,
        }
    }
}

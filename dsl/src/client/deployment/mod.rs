//! `attica deployment …`, and waiting for the deployment that a write began.

mod ended;
mod hold;
mod list;
mod look;
mod progress;
mod roll_back;
mod show;
#[cfg(test)]
mod tests;
mod watch;

use clap::Subcommand;

use super::failure::Failure;
use super::session::Session;
pub(super) use watch::Ongoing;

/// What can be done with deployments.
#[derive(Clone, Debug, Subcommand)]
pub enum DeploymentCommand {
    /// List running deployments
    List(list::List),
    /// Show how far each instance of a running deployment is, and what it waits for
    Show(show::Show),
    /// Watch a running deployment until it ends
    Watch(watch::Watch),
    /// List the deployments that ended lately, each with how and why
    Ended(ended::Ended),
    /// Have a deployment start and kill nothing until it is resumed
    Pause(hold::Hold),
    /// Have a paused deployment go on
    Resume(hold::Hold),
    /// Return to what was before a deployment, by another one
    Rollback(roll_back::RollBack),
}

impl DeploymentCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            DeploymentCommand::List(list) => list.run(session).await,
            DeploymentCommand::Show(show) => show.run(session).await,
            DeploymentCommand::Watch(watch) => watch.run(session).await,
            DeploymentCommand::Ended(ended) => ended.run(session).await,
            DeploymentCommand::Pause(hold) => hold.run(session, "pause", "is paused").await,
            DeploymentCommand::Resume(hold) => hold.run(session, "resume", "goes on").await,
            DeploymentCommand::Rollback(roll_back) => roll_back.run(session).await,
        }
    }
}

/// Whether a command ends before its deployment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Wait,
    Leave,
    /// There is to be none: what would follow is all that is wanted.
    Foresee,
}

/// Options of the commands that begin a deployment.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Waiting {
    /// Wait until the deployment has ended; this is what happens without --no-wait
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// End as soon as the deployment has begun
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
}

impl Waiting {
    pub(super) fn patience(self) -> Patience {
        if self.no_wait { Patience::Leave } else { Patience::Wait }
    }
}

/// Options of the commands that change definitions.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Deploying {
    #[command(flatten)]
    pub(super) waiting: Waiting,
    /// Supersede running deployments that are in the way
    #[arg(long)]
    force: bool,
    /// Change nothing, and show what the server would do: what changes, in which steps, and where instances would go
    #[arg(long, conflicts_with_all = ["wait", "no_wait"])]
    pub(super) dry_run: bool,
}

impl Deploying {
    pub(super) fn patience(self) -> Patience {
        if self.dry_run { Patience::Foresee } else { self.waiting.patience() }
    }

    /// The same without a dry run.
    pub(super) fn in_earnest(self) -> Self {
        Self { dry_run: false, ..self }
    }

    pub(super) fn query(self) -> String {
        let dry_run = if self.dry_run { "&dryRun=true" } else { "" };
        format!("?force={}{dry_run}", self.force)
    }
}

//! `attica pod …`

mod read;
mod write;

use std::fmt;
use std::str::FromStr;

use clap::Subcommand;

use super::failure::Failure;
use super::ids::AppId;
use super::session::Session;

/// What can be done with pods.
#[derive(Clone, Debug, Subcommand)]
pub enum PodCommand {
    /// List pods
    List(read::List),
    /// Show a pod: its instances, and how their containers are doing
    Show(read::Show),
    /// Add a pod, or put another definition in its place
    Put(write::Put),
    /// Kill instances of a pod; others take their place
    Kill(write::Kill),
    /// End a pod and forget it
    Remove(write::Remove),
    /// List the versions of a pod
    Versions(read::Versions),
}

impl PodCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            PodCommand::List(list) => list.run(session).await,
            PodCommand::Show(show) => show.run(session).await,
            PodCommand::Put(put) => put.run(session).await,
            PodCommand::Kill(kill) => kill.run(session).await,
            PodCommand::Remove(remove) => remove.run(session).await,
            PodCommand::Versions(versions) => versions.run(session).await,
        }
    }
}

/// A pod's id as it was typed. Whether it is one is the server's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodId(AppId);

impl PodId {
    /// `/v2/pods/shop/web`, with `rest` behind it.
    fn path(&self, rest: &str) -> String {
        self.0.path(rest).replacen("/v2/apps/", "/v2/pods/", 1)
    }
}

impl FromStr for PodId {
    type Err = &'static str;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        written.parse().map(Self).map_err(|_| "a pod's id looks like /shop/web")
    }
}

impl fmt::Display for PodId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

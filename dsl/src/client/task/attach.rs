use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::session::{Events, show, text_only};
use super::{known, meant, missing};
use crate::client::completion::task_ids;
use crate::client::failure::Failure;
use crate::client::server::{Request, encode};
use crate::client::session::Session;

/// Shows what a task writes from now on, to standard output and standard error, and ends as the task ends.
#[derive(Clone, Debug, Args)]
pub struct Attach {
    /// The task, by its id or a part of it that no other one has
    #[arg(value_name = "TASK", add = ArgValueCompleter::new(task_ids))]
    task: String,
}

impl Attach {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        text_only(session)?;
        let tasks = known(&session.server).await?;
        let task = meant(&self.task, &tasks)?.ok_or_else(|| missing(&self.task))?;
        let request = Request::get(format!("/v2/tasks/{}/attach", encode(task)));
        let mut events = Events::of(session, session.server.open(&request).await?);
        show(&mut events, session.screen).await
    }
}

use std::rc::Rc;

use attica_paas_api::session::TerminalSize;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::session::{Events, LetGo, Terminal, Writer, show, terminal_size, text_only};
use super::{missing, resolved};
use crate::client::completion::task_ids;
use crate::client::failure::Failure;
use crate::client::server::{Request, encode};
use crate::client::session::Session;

/// Shows what a task writes from now on, to standard output and standard error, and ends as the task ends.
#[derive(Clone, Debug, Args)]
pub struct Attach {
    /// Pass standard input on to the task, which needs a terminal of its own (`tty` of its app); from a terminal every key is, and Ctrl-P
    /// Ctrl-Q lets go of it
    #[arg(long, short)]
    interactive: bool,
    /// The task, by its id or a part of it that no other one has
    #[arg(value_name = "TASK", add = ArgValueCompleter::new(task_ids))]
    task: String,
}

impl Attach {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        text_only(session)?;
        let task = resolved(&session.server, &self.task).await?.ok_or_else(|| missing(&self.task))?;
        let path = format!("/v2/tasks/{}/attach", encode(&task));
        let mut events = Events::of(session, session.server.open(&Request::get(path.clone())).await?);
        if !self.interactive {
            return show(&mut events, session.screen).await;
        }
        let raw = terminal_size().map(|_| Terminal::take_over()).transpose()?;
        let input = std::mem::replace(&mut session.input, Box::new(std::io::empty()));
        let writer = Writer {
            server: Rc::clone(&session.server),
            path: format!("{path}/input"),
            // Whatever size it has had so far, it has that of this one from now on.
            terminal: raw.as_ref().map(|_| TerminalSize { rows: 0, columns: 0 }),
            let_go: raw.as_ref().map(|_| LetGo::default()),
        };
        let outcome = tokio::select! {
            ended = show(&mut events, session.screen) => ended,
            written = writer.run(Some(input)) => written,
            status = Terminal::interrupted(raw.as_ref()) => Err(Failure::Ended(status)),
        };
        drop(raw);
        outcome
    }
}

use std::collections::BTreeMap;
use std::rc::Rc;

use attica_paas_api::session::{self, SessionEvent};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use http::Method;
use serde_json::json;

use super::session::{Events, Terminal, Writer, show, terminal_size, text_only};
use super::{missing, resolved};
use crate::client::completion::task_ids;
use crate::client::failure::Failure;
use crate::client::server::{Request, encode};
use crate::client::session::Session;

/// Runs a program within a task, and ends as that program ends.
///
/// It sees what the task sees, runs as the user of the task, and counts towards its limits. When this command ends, the program is killed.
#[derive(Clone, Debug, Args)]
pub struct Exec {
    /// Pass standard input on to the program
    #[arg(long, short)]
    interactive: bool,
    /// Give the program a terminal; with -i it is this one, and every key goes to the program
    #[arg(long, short)]
    tty: bool,
    /// The task, by its id or a part of it that no other one has
    #[arg(value_name = "TASK", add = ArgValueCompleter::new(task_ids))]
    task: String,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

impl Exec {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        text_only(session)?;
        let terminal = match (self.tty, self.interactive) {
            (false, _) => None,
            (true, false) => Some(terminal_size().unwrap_or(DEFAULT_SIZE)),
            (true, true) => Some(terminal_size().ok_or_else(no_terminal)?),
        };
        let task = resolved(&session.server, &self.task).await?.ok_or_else(|| missing(&self.task))?;
        let task = task.as_str();
        // How a program draws depends on what it draws on.
        let name = (session.variable)("TERM").filter(|_| self.tty).map(|name| ("TERM".to_owned(), name));
        let environment: BTreeMap<String, String> = name.into_iter().collect();
        let exec = session::Exec { command: self.command, environment, terminal };
        let path = format!("/v2/tasks/{}/exec", encode(task));
        let request = Request::new(Method::POST, path.clone()).with_document(&json!(exec));
        let mut events = Events::of(session, session.server.open(&request).await?);
        let Some(SessionEvent::Started { session: name }) = events.next().await? else {
            return Err(Failure::failed("the server did not say that the program was started"));
        };
        let raw = (self.interactive && self.tty).then(Terminal::take_over).transpose()?;
        let input = self.interactive.then(|| std::mem::replace(&mut session.input, Box::new(std::io::empty())));
        let path = format!("{path}/{}/input", encode(&name));
        let writer = Writer { server: Rc::clone(&session.server), path, terminal, let_go: None };
        let outcome = tokio::select! {
            ended = show(&mut events, session.screen) => ended,
            written = writer.run(input) => written,
            status = Terminal::interrupted(raw.as_ref()) => Err(Failure::Ended(status)),
        };
        drop(raw);
        outcome
    }
}

/// Of a terminal that nobody sees.
const DEFAULT_SIZE: session::TerminalSize = session::TerminalSize { rows: 24, columns: 80 };

fn no_terminal() -> Failure {
    Failure::Usage("standard input is no terminal: leave -t out".to_owned())
}

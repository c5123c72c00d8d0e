//! Commands against a server whose answers are recorded, as transcripts: what was typed, what was asked, what was shown.

mod addresses;
pub(super) mod answers;
mod backup;
mod hostile;
mod import;
mod logs;
mod reads;
mod recorded;
mod secrets;
mod users;
mod waiting;
mod writes;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use clap::Parser;

use super::{Addressed, AgentCommand, Command, GlobalOptions, Surroundings, execute, finish};
use crate::terminal::{Colour, Reader, Screen, Sink};
use recorded::Recorded;

/// The program's command tree, as far as it is a client's.
#[derive(Parser)]
#[command(name = "attica")]
struct Cli {
    #[command(flatten)]
    options: GlobalOptions,
    #[command(subcommand)]
    command: Line,
}

#[derive(clap::Subcommand)]
enum Line {
    /// Agents
    Agent(Addressed<AgentCommand>),
    #[command(flatten)]
    Client(Command),
}

/// What a stream was given.
#[derive(Clone, Default)]
pub(super) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How a command is run.
#[derive(Clone, Copy)]
struct Run {
    reader: Reader,
    colour: Colour,
    input: &'static str,
    interrupt: Interrupt,
}

/// When the user presses Ctrl-C.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    Never,
    /// As soon as it is waited for.
    AtOnce,
}

impl Default for Run {
    fn default() -> Self {
        Self { reader: Reader::Program, colour: Colour::Hidden, input: "", interrupt: Interrupt::Never }
    }
}

/// What a command did.
struct Outcome {
    out: String,
    err: String,
    status: u8,
}

impl Run {
    /// Runs one command line.
    async fn command(self, words: &[&str], variable: fn(&str) -> Option<String>) -> Outcome {
        let (out, err) = (Paper::default(), Paper::default());
        let mut screen = Screen {
            out: Sink::new(out.clone(), self.reader, self.colour),
            err: Sink::new(err.clone(), self.reader, self.colour),
        };
        let status = match Cli::try_parse_from(std::iter::once(&"attica").chain(words)) {
            Err(error) => {
                screen.err.raw(error.to_string().as_bytes()).unwrap();
                2
            }
            Ok(cli) => {
                let command = match cli.command {
                    Line::Client(command) => command,
                    Line::Agent(agent) => Command::Agent(agent),
                };
                let interrupt = self.interrupt;
                let surroundings = Surroundings {
                    variable,
                    input: Box::new(self.input.as_bytes()),
                    clock: || humantime::parse_rfc3339("2026-03-01T12:00:00Z").unwrap_or(SystemTime::UNIX_EPOCH),
                    interrupt: Box::pin(async move {
                        if interrupt == Interrupt::Never {
                            std::future::pending().await
                        }
                    }),
                };
                finish(execute(command, cli.options, surroundings, &mut screen).await, &mut screen)
            }
        };
        Outcome { out: out.text(), err: err.text(), status }
    }
}

/// Runs command lines one after the other and writes down what was asked of the server, and what was shown.
async fn transcript(run: Run, server: &Recorded, lines: &[&[&str]]) -> String {
    let mut transcript = String::new();
    let address = server.address();
    for words in lines {
        let outcome = run.command(&[&["--addr", &address], *words].concat(), |_| None).await;
        let shown: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        transcript.push_str(&format!("$ attica {}\n", shown.join(" ")));
        for request in server.take_requests() {
            transcript.push_str(&format!("> {request}\n"));
        }
        transcript.push_str(&outcome.out.replace(&address, "http://server"));
        for line in outcome.err.replace(&address, "http://server").lines() {
            transcript.push_str(&format!("! {line}\n"));
        }
        if outcome.status != 0 {
            transcript.push_str(&format!("exit status {}\n", outcome.status));
        }
        transcript.push('\n');
    }
    transcript
}

fn quoted(word: &str) -> String {
    let plain = word.chars().all(|character| character.is_ascii_alphanumeric() || "-_./=:@%".contains(character));
    if plain && !word.is_empty() { word.to_owned() } else { format!("'{word}'") }
}

/// Runs an asynchronous test.
fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

use std::str::FromStr;
use std::time::Duration;

use attica_paas_api::task::LogPiece;
use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use http::StatusCode;

use super::piece::take;
use super::{resolved, runs};
use crate::client::completion::task_ids;
use crate::client::failure::Failure;
use crate::client::server::{Request, encode};
use crate::client::session::{Form, Session};
use crate::terminal::{Reader, visible_output};

/// Read at a time; the server allows more.
const PIECE_BYTES: u64 = 256 << 10;
/// How often a followed file is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// So many looks without anything new, and it is asked whether the task still runs.
const QUIET_LOOKS: u32 = 2;

/// Shows what a task writes.
#[derive(Clone, Debug, Args)]
pub struct Log {
    /// The task, by its id or a part of it that no other one has
    #[arg(value_name = "TASK", add = ArgValueCompleter::new(task_ids))]
    task: String,
    /// Go on showing what is written, until the task ends
    #[arg(long, short)]
    follow: bool,
    /// Which of the two files
    #[arg(long, value_name = "FILE", value_enum, default_value_t = File::Stdout)]
    file: File,
    /// Begin with the last lines, so many of them, or all
    #[arg(long, short = 'n', value_name = "NUMBER|all", default_value = "100")]
    lines: Lines,
    /// Pass control characters on to the terminal
    #[arg(long)]
    raw: bool,
}

/// A file of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum File {
    /// Standard output
    Stdout,
    /// Standard error
    Stderr,
}

impl File {
    fn name(self) -> &'static str {
        match self {
            File::Stdout => "stdout",
            File::Stderr => "stderr",
        }
    }
}

/// How much of what was written is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    All,
    Last(usize),
}

impl FromStr for Lines {
    type Err = &'static str;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        match written {
            "all" => Ok(Lines::All),
            number => number.parse().map(Lines::Last).map_err(|_| "expected a number, or all"),
        }
    }
}

/// Whether a followed file can still grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Runs,
    Gone,
}

impl Log {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if session.form == Form::Json {
            return Err(Failure::Usage("a log is no JSON: leave --json out".to_owned()));
        }
        // A task that has ended is no longer listed, and its files may still be there.
        let task = resolved(&session.server, &self.task).await?.unwrap_or_else(|| self.task.clone());
        let size = self.size(session, &task).await.map_err(|failure| match failure {
            Failure::Refused { request, status: StatusCode::NOT_FOUND, body, hint: None } => {
                let hint = Some("attica task list shows what there is".to_owned());
                Failure::Refused { request, status: StatusCode::NOT_FOUND, body, hint }
            }
            failure => failure,
        })?;
        let begin = match self.lines {
            Lines::All => 0,
            Lines::Last(lines) => self.begin_of_last(session, &task, size, lines).await?,
        };
        let shown = self.show(session, &task, begin, size).await?;
        if self.follow { self.go_on(session, &task, shown).await } else { Ok(()) }
    }

    async fn size(&self, session: &Session<'_>, task: &str) -> Result<u64, Failure> {
        Ok(self.read(session, task, "-1".to_owned(), 0).await?.offset)
    }

    async fn read(&self, session: &Session<'_>, task: &str, offset: String, length: u64) -> Result<LogPiece, Failure> {
        let path = format!("/v2/tasks/{}/log?file={}&offset={offset}&length={length}", encode(task), self.file.name());
        session.server.call(&Request::get(path)).await?.read()
    }

    /// Where the last lines begin: read backwards until there are enough line ends.
    async fn begin_of_last(&self, session: &Session<'_>, task: &str, size: u64, lines: usize) -> Result<u64, Failure> {
        let mut wanted = lines;
        let mut end = size;
        while end > 0 && wanted > 0 {
            let begin = end.saturating_sub(PIECE_BYTES);
            let piece = self.read(session, task, begin.to_string(), end - begin).await?;
            // Replaced bytes make the text longer than the file, and positions in it useless: then show the whole piece.
            if u64::try_from(piece.data.len()) != Ok(end - begin) {
                return Ok(begin);
            }
            let text = if end == size { piece.data.strip_suffix('\n').unwrap_or(&piece.data) } else { &piece.data };
            for (index, _) in text.rmatch_indices('\n') {
                wanted -= 1;
                if wanted == 0 {
                    return Ok(begin + u64::try_from(index).unwrap_or(0) + 1);
                }
            }
            end = begin;
        }
        Ok(if lines == 0 { size } else { 0 })
    }

    /// Shows the file from `begin` to `end`; returns where the next read begins.
    async fn show(&self, session: &mut Session<'_>, task: &str, begin: u64, end: u64) -> Result<u64, Failure> {
        let mut offset = begin;
        while offset < end {
            let length = (end - offset).min(PIECE_BYTES);
            let piece = self.read(session, task, offset.to_string(), length).await?;
            if piece.data.is_empty() {
                break;
            }
            let taken = take(&piece.data, length);
            self.write(session, taken.text)?;
            offset += taken.bytes;
        }
        Ok(offset)
    }

    fn write(&self, session: &mut Session<'_>, text: &str) -> Result<(), Failure> {
        let is_terminal = session.screen.out.reader() != Reader::Program;
        match is_terminal && !self.raw {
            true => session.screen.out.raw(visible_output(text).as_bytes())?,
            false => session.screen.out.raw(text.as_bytes())?,
        }
        Ok(session.screen.out.flush()?)
    }

    /// Shows what is written from `offset` on, until the task has ended.
    async fn go_on(&self, session: &mut Session<'_>, task: &str, mut offset: u64) -> Result<(), Failure> {
        let (mut quiet_looks, mut writer) = (0, Writer::Runs);
        loop {
            let size = match self.size(session, task).await {
                Ok(size) => size,
                Err(Failure::Refused { status: StatusCode::NOT_FOUND, .. }) => break,
                Err(failure) => return Err(failure),
            };
            if size < offset {
                session.remark("the file was cut; going on from its beginning");
                offset = 0;
            }
            let shown = self.show(session, task, offset, size).await?;
            quiet_looks = if shown == offset { quiet_looks + 1 } else { 0 };
            offset = shown;
            // The file was read once more after the task was seen to be gone.
            if writer == Writer::Gone {
                break;
            }
            if quiet_looks >= QUIET_LOOKS {
                quiet_looks = 0;
                writer = if runs(&session.server, task).await? { Writer::Runs } else { Writer::Gone };
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        session.remark(format!("{task} has ended"));
        Ok(())
    }
}

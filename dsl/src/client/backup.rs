//! `attica backup` and `attica restore`

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use attica_paas_api::deployment::{ChangeKind, Forecast, PlannedChange};
use clap::Args;
use http::Method;
use http_body_util::BodyExt;

use super::deployment::{Deploying, Ongoing};
use super::failure::{Failure, in_words};
use super::forecast::change_lines;
use super::options::GlobalOptions;
use super::server::Request;
use super::session::{Form, Session};
use crate::terminal::{Line, Tone};

const PATH: &str = "/v2/backup";

/// Writes into a file what the service layer knows: what is defined, and what became of it.
#[derive(Clone, Debug, Args)]
pub struct BackupCommand {
    /// The file; what it was before is replaced once the backup is complete
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    pub(super) options: GlobalOptions,
}

/// Brings back what was defined when a backup was made.
///
/// What runs goes on as far as it is defined the same. After the loss of a database, `attica recover` puts back all the rest as well.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
  attica backup monday.backup
  attica restore monday.backup --dry-run
  attica restore monday.backup --prune")]
pub struct RestoreCommand {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Remove the apps, pods and groups that are not in the backup; otherwise they stay as they are
    #[arg(long)]
    prune: bool,
    /// Do not ask
    #[arg(long, short, conflicts_with = "dry_run")]
    yes: bool,
    #[command(flatten)]
    deploying: Deploying,
    #[command(flatten)]
    pub(super) options: GlobalOptions,
}

impl BackupCommand {
    pub(super) async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let failed =
            |error: io::Error| Failure::failed(format!("cannot write {}: {}", self.file.display(), in_words(&error)));
        let request = Request::get(PATH).with_patience();
        let mut pieces = session.server.open(&request).await?.into_body();
        let part = Part::begin(&self.file).map_err(failed)?;
        let mut length = 0;
        while let Some(piece) = pieces.frame().await {
            let piece = piece.map_err(|error| session.server.broken_off(&request, &error))?;
            if let Some(bytes) = piece.data_ref() {
                (&part.file).write_all(bytes).map_err(failed)?;
                length += bytes.len();
            }
        }
        part.complete(&self.file).map_err(failed)?;
        session.remark(format!("{length} bytes; put back by: attica restore {}", self.file.display()));
        Ok(())
    }
}

/// A file that is being written, for its owner alone; gone, unless it becomes complete.
struct Part {
    file: File,
    path: PathBuf,
}

impl Part {
    fn begin(beside: &Path) -> io::Result<Self> {
        let path = PathBuf::from(format!("{}.part", beside.display()));
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        Ok(Self { file, path })
    }

    fn complete(self, at: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, at)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is not there any more when it was completed.
        let _ = fs::remove_file(&self.path);
    }
}

impl RestoreCommand {
    pub(super) async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let backup = fs::read(&self.file).map_err(|source| Failure::File { path: self.file.clone(), source })?;
        let force = self.deploying.in_earnest().query();
        let request = |options: &str| Request::new(Method::POST, format!("{PATH}{force}{options}")).with_bytes(&backup);
        if session.form == Form::Json && !self.deploying.dry_run && !self.yes {
            return Err(Failure::Usage("--json goes with --yes: nobody is asked".to_owned()));
        }
        if session.form == Form::Json && self.deploying.dry_run {
            let answer = session.server.call(&request(&format!("&prune={}&dryRun=true", self.prune))).await?;
            return session.show_document(&answer);
        }
        if session.form == Form::Text {
            // Whatever is not in the backup is to be seen, also when it stays.
            let forecast: Forecast = session.server.call(&request("&prune=true&dryRun=true")).await?.read()?;
            session.screen.out.lines(&self.lines(forecast))?;
            session.screen.out.flush()?;
        }
        if self.deploying.dry_run {
            return Ok(());
        }
        if !(self.yes || session.is_wanted("restore this?")?) {
            session.remark("nothing was changed");
            return Ok(());
        }
        let ongoing = Ongoing::begin(session, self.deploying.patience()).await?;
        let answer = session.server.call(&request(&format!("&prune={}", self.prune))).await?;
        ongoing.conclude(session, &answer, &format!("{} is being restored", self.file.display())).await
    }

    /// What would change, and what would not because the backup knows nothing of it.
    fn lines(&self, forecast: Forecast) -> Vec<Line> {
        let stays = |change: &PlannedChange| change.change == ChangeKind::Remove && !self.prune;
        let (unknown, changes): (Vec<_>, Vec<_>) = forecast.changes.into_iter().partition(stays);
        let mut lines = change_lines(&Forecast { changes, ..forecast });
        if lines.is_empty() {
            lines.push(Line::plain("every app and pod of the backup is like that already"));
        }
        for change in unknown {
            let line = Line::toned(Tone::Faint, "= ").then(Tone::Strong, change.subject());
            lines.push(line.then(Tone::Faint, " is not in the backup and stays; --prune removes it"));
        }
        lines
    }
}

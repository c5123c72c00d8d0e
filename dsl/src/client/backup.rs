//! `attica backup` and `attica restore`

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use attica_paas_api::deployment::{ChangeKind, Forecast, PlannedChange};
use clap::Args;
use http::Method;

use super::deployment::{Deploying, Ongoing};
use super::failure::{Failure, in_words};
use super::forecast::change_lines;
use super::options::GlobalOptions;
use super::server::Request;
use super::session::{Form, Session};
use crate::terminal::{Line, Tone};

const PATH: &str = "/v2/backup";

/// Writes what is defined into a file.
#[derive(Clone, Debug, Args)]
pub struct BackupCommand {
    /// The file; what it was before is replaced once the backup is complete
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    pub(super) options: GlobalOptions,
}

/// Brings back what a backup holds.
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
        let answer = session.server.call(&Request::get(PATH)).await?;
        write(&self.file, &answer.body)
            .map_err(|error| Failure::failed(format!("cannot write {}: {}", self.file.display(), in_words(&error))))?;
        session.remark(format!("{} bytes; put back by: attica restore {}", answer.body.len(), self.file.display()));
        Ok(())
    }
}

/// The file is there as a whole, for its owner alone, or as it was before.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = PathBuf::from(format!("{}.part", path.display()));
    let written =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&part).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, path)
        });
    written.inspect_err(|_| {
        // What was begun is of no use to anybody.
        let _ = fs::remove_file(&part);
    })
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

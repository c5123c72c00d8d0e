use attica_paas_api::app::{AppWrapper, VersionList};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::Value;

use super::read;
use crate::client::age::age;
use crate::client::completion::app_ids;
use crate::client::definition::definition_of;
use crate::client::diff::{diff, lines};
use crate::client::failure::Failure;
use crate::client::ids::AppId;
use crate::client::server::{Request, encode};
use crate::client::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Lists the versions of an app, or compares two.
#[derive(Clone, Debug, Args)]
pub struct Versions {
    /// The app
    #[arg(value_name = "APP", add = ArgValueCompleter::new(app_ids))]
    id: AppId,
    /// Show what changes from A to B: two versions, each as it is listed or by its number
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    diff: Option<Vec<String>>,
}

impl Versions {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = read::call(&session.server, &self.id, &Request::get(self.id.path("/versions"))).await?;
        match (self.diff.as_deref(), session.form) {
            (Some([from, to]), _) => {
                let VersionList { versions } = answer.read()?;
                self.compare(session, &named(&versions, from)?, &named(&versions, to)?).await
            }
            (_, Form::Json) => session.show_document(&answer),
            (_, Form::Text) => {
                let VersionList { versions } = answer.read()?;
                self.list(session, &versions).await
            }
        }
    }

    async fn list(&self, session: &mut Session<'_>, versions: &[String]) -> Result<(), Failure> {
        let current: AppWrapper = session.server.get(&self.id.path("")).await?;
        let columns = [Column::number("#"), Column::text("VERSION"), Column::number("AGE"), Column::text("")];
        let mut table = Table::new(&columns);
        let now = session.now();
        for (number, version) in versions.iter().enumerate() {
            let is_current = *version == current.app.app.version;
            table.row([
                Line::toned(Tone::Faint, number.to_string()),
                Line::plain(version),
                Line::plain(age(version, now)),
                Line::toned(Tone::Good, if is_current { "current" } else { "" }),
            ]);
        }
        session.show_table(&table)
    }

    async fn compare(&self, session: &mut Session<'_>, from: &str, to: &str) -> Result<(), Failure> {
        let (former, latter) = (self.definition(session, from).await?, self.definition(session, to).await?);
        let differences = diff(&former, &latter);
        match session.form {
            Form::Json => session.show_json(&Value::from_iter([(from, former), (to, latter)])),
            Form::Text if differences.is_empty() => {
                session.remark("the two versions define the same");
                Ok(())
            }
            Form::Text => {
                let title = Line::toned(Tone::Strong, self.id.as_str()).then(Tone::Faint, format!("  {from} → {to}"));
                session.screen.out.line(&title)?;
                Ok(session.screen.out.lines(&lines(&differences))?)
            }
        }
    }

    async fn definition(&self, session: &Session<'_>, version: &str) -> Result<Value, Failure> {
        let request = Request::get(self.id.path(&format!("/versions/{}", encode(version))));
        let stored: Value = read::call(&session.server, &self.id, &request).await?.read()?;
        Ok(Value::Object(definition_of(&stored)))
    }
}

/// A version by its place in the list, newest first from 0, or as it is written.
fn named(versions: &[String], written: &str) -> Result<String, Failure> {
    match written.parse::<usize>() {
        Ok(number) => versions.get(number).cloned().ok_or_else(|| {
            Failure::Usage(format!(
                "there is no version number {number}: they go from 0, the newest, to {}",
                versions.len().saturating_sub(1)
            ))
        }),
        Err(_) => Ok(written.to_owned()),
    }
}

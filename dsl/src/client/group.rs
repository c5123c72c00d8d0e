//! `attica group …`

use attica_paas_api::group::Group;
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use http::Method;
use serde_json::{Map, Value, json};

use super::age::age;
use super::completion::group_ids;
use super::definition::Definition;
use super::deployment::{Deploying, Ongoing};
use super::failure::Failure;
use super::ids::GroupId;
use super::server::Request;
use super::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// What can be done with groups.
#[derive(Clone, Debug, Subcommand)]
pub enum GroupCommand {
    /// List groups, at any depth
    List(About),
    /// Show a group with everything in it, as the document that put takes
    Show(About),
    /// Create a group, or replace what its document names, in one deployment
    Put(Put),
    /// Multiply the instances of everything in a group
    Scale(Scale),
    /// List the versions of a group
    Versions(About),
    /// Have a group return to one of its versions, with everything in it
    Rollback(Rollback),
    /// End everything in a group and forget it
    Remove(Remove),
}

impl GroupCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::List(about) => about.list(session).await,
            Self::Show(about) => about.show(session).await,
            Self::Put(put) => put.run(session).await,
            Self::Scale(scale) => scale.run(session).await,
            Self::Versions(about) => about.versions(session).await,
            Self::Rollback(rollback) => rollback.run(session).await,
            Self::Remove(remove) => remove.run(session).await,
        }
    }
}

/// Names a group to look at.
#[derive(Clone, Debug, Args)]
pub struct About {
    /// The group; without one, the root
    #[arg(value_name = "GROUP", default_value = "/", add = ArgValueCompleter::new(group_ids))]
    id: GroupId,
}

impl About {
    async fn list(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = session.server.call(&Request::get(self.id.path(""))).await?;
        if session.form == Form::Json {
            return session.show_document(&answer);
        }
        let columns =
            [Column::text("GROUP"), Column::number("APPS"), Column::text("DEPENDS ON"), Column::number("CHANGED")];
        let mut table = Table::new(&columns);
        let now = session.now();
        let root: Group = answer.read()?;
        let mut open = vec![&root];
        while let Some(group) = open.pop() {
            table.row([
                Line::toned(Tone::Strong, &group.id),
                Line::plain(group.apps.len().to_string()),
                Line::plain(group.dependencies.join(", ")),
                Line::toned(Tone::Faint, age(&group.version, now)),
            ]);
            open.extend(group.groups.iter().rev());
        }
        session.show_table(&table)
    }

    async fn show(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let group: Value = session.server.get(&self.id.path("")).await?;
        session.show_json(&group)
    }

    async fn versions(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = session.server.call(&Request::get(self.id.path("/versions"))).await?;
        if session.form == Form::Json {
            return session.show_document(&answer);
        }
        let versions: Vec<String> = answer.read()?;
        let mut table = Table::new(&[Column::number("#"), Column::text("VERSION"), Column::number("AGE")]);
        let now = session.now();
        for (number, version) in versions.iter().enumerate() {
            let number = Line::toned(Tone::Faint, number.to_string());
            table.row([number, Line::plain(version), Line::plain(age(version, now))]);
        }
        session.show_table(&table)
    }
}

/// Asks for a change of a group and, if that is wanted, waits until it has been made.
async fn ask(session: &mut Session<'_>, request: &Request, deploying: Deploying, said: &str) -> Result<(), Failure> {
    let ongoing = Ongoing::begin(session, deploying.patience()).await?;
    let answer = session.server.call(request).await?;
    ongoing.conclude(session, &answer, said).await
}

/// Creates a group, or replaces what is named.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
  attica group put /shop shop.json
  attica group show /shop | attica group put /shop -")]
pub struct Put {
    /// The group
    #[arg(value_name = "GROUP", add = ArgValueCompleter::new(group_ids))]
    id: GroupId,
    /// A JSON file, - for standard input, or fields
    #[arg(value_name = "FILE|-|KEY=VALUE", required = true)]
    definition: Vec<String>,
    #[command(flatten)]
    deploying: Deploying,
}

impl Put {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let handed_in = Definition::read(&self.definition, &mut session.input)?;
        let document = Value::Object(handed_in.applied_to(&Map::new())?);
        let request = Request::new(Method::PUT, self.id.path(&self.deploying.query())).with_document(&document);
        ask(session, &request, self.deploying, &format!("{} is being deployed", self.id)).await
    }
}

/// Multiplies instances.
#[derive(Clone, Debug, Args)]
pub struct Scale {
    /// The group
    #[arg(value_name = "GROUP", add = ArgValueCompleter::new(group_ids))]
    id: GroupId,
    /// So many times the instances, rounded up: 2, 0.5
    #[arg(value_name = "FACTOR")]
    factor: f64,
    #[command(flatten)]
    deploying: Deploying,
}

impl Scale {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let document = json!({"scaleBy": self.factor});
        let request = Request::new(Method::PUT, self.id.path(&self.deploying.query())).with_document(&document);
        ask(session, &request, self.deploying, &format!("{} is being scaled", self.id)).await
    }
}

/// Returns to a version.
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// The group
    #[arg(value_name = "GROUP", add = ArgValueCompleter::new(group_ids))]
    id: GroupId,
    /// The version as it is listed, or its number: 1 is the one before the present one
    #[arg(value_name = "VERSION")]
    version: String,
    #[command(flatten)]
    deploying: Deploying,
}

impl Rollback {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let version = match self.version.parse::<usize>() {
            Err(_) => self.version.clone(),
            Ok(number) => {
                let versions: Vec<String> = session.server.get(&self.id.path("/versions")).await?;
                let found = versions.get(number).cloned();
                found.ok_or_else(|| Failure::Usage(format!("{} has no version number {number}", self.id)))?
            }
        };
        let document = json!({"version": version});
        let request = Request::new(Method::PUT, self.id.path(&self.deploying.query())).with_document(&document);
        ask(session, &request, self.deploying, &format!("{} returns to {version}", self.id)).await
    }
}

/// Ends a group.
#[derive(Clone, Debug, Args)]
pub struct Remove {
    /// The group; / is everything
    #[arg(value_name = "GROUP", add = ArgValueCompleter::new(group_ids))]
    id: GroupId,
    #[command(flatten)]
    deploying: Deploying,
}

impl Remove {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, self.id.path(&self.deploying.query()));
        ask(session, &request, self.deploying, &format!("{} is being removed", self.id)).await
    }
}

//! `attica user …`

use std::io::Read;
use std::path::{Path, PathBuf};

use attica_paas_api::access::{Grant, IssuedToken, NewToken, Permission, User, UserList, UserUpdate};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::age::age;
use super::failure::Failure;
use super::server::{Request, encode};
use super::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// What can be done with users.
#[derive(Clone, Debug, Subcommand)]
pub enum UserCommand {
    /// List users, what they may do, and their tokens
    List,
    /// Add a user, or give one another password
    Add(Add),
    /// Remove a user, its tokens and its sessions
    Remove(Named),
    /// Let a user do more, at a path and everything below it
    Grant(Held),
    /// Let a user do less
    Revoke(Taken),
    /// Make a token, and show it this once
    Token(Issue),
    /// Have a token prove nothing any more
    RevokeToken(Revoked),
}

/// Names a user.
#[derive(Clone, Debug, Args)]
pub struct Named {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
}

/// A user to add.
#[derive(Clone, Debug, Args)]
pub struct Add {
    #[command(flatten)]
    user: Named,
    /// The password is in this file; - reads it from standard input. Without one, the user has tokens only
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Permissions to give.
#[derive(Clone, Debug, Args)]
pub struct Held {
    #[command(flatten)]
    user: Named,
    /// A group, an app or a pod
    #[arg(value_name = "PATH")]
    path: String,
    /// view, create, update, delete, exec or admin
    #[arg(value_name = "PERMISSION", required = true, value_parser = parse_permission)]
    permissions: Vec<Permission>,
}

/// Permissions to take.
#[derive(Clone, Debug, Args)]
pub struct Taken {
    #[command(flatten)]
    user: Named,
    /// A group, an app or a pod
    #[arg(value_name = "PATH")]
    path: String,
    /// view, create, update, delete, exec or admin; without any, all that the user has there
    #[arg(value_name = "PERMISSION", value_parser = parse_permission)]
    permissions: Vec<Permission>,
}

/// A token to make.
#[derive(Clone, Debug, Args)]
pub struct Issue {
    #[command(flatten)]
    user: Named,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// It expires after so many days [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
}

/// A token to revoke.
#[derive(Clone, Debug, Args)]
pub struct Revoked {
    #[command(flatten)]
    user: Named,
    /// Its id, as list shows it
    #[arg(value_name = "TOKEN")]
    token: String,
}

impl UserCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::List => list(session).await,
            Self::Add(add) => add.run(session).await,
            Self::Remove(user) => {
                session.server.call(&Request::new(Method::DELETE, user.path(""))).await?;
                session.say(format!("{} is no user any more", user.name))
            }
            Self::Grant(held) => {
                let body = json!(Grant { path: held.path, permissions: held.permissions });
                let request = Request::new(Method::POST, held.user.path("/grants")).with_document(&body);
                changed(session, &request).await
            }
            Self::Revoke(taken) => {
                let named = taken.permissions.iter().map(|permission| format!("&permission={permission}"));
                let query = format!("/grants?path={}{}", encode(&taken.path), named.collect::<String>());
                changed(session, &Request::new(Method::DELETE, taken.user.path(&query))).await
            }
            Self::Token(issue) => issue.run(session).await,
            Self::RevokeToken(revoked) => {
                let path = revoked.user.path(&format!("/tokens/{}", encode(&revoked.token)));
                session.server.call(&Request::new(Method::DELETE, path)).await?;
                session.say("the token proves nothing any more")
            }
        }
    }
}

impl Named {
    fn path(&self, rest: &str) -> String {
        format!("/v2/users/{}{rest}", encode(&self.name))
    }
}

impl Add {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let password = self.password_file.as_ref().map(|file| password(file, session)).transpose()?;
        let body = json!(UserUpdate { password, grants: None });
        changed(session, &Request::new(Method::PUT, self.user.path("")).with_document(&body)).await
    }
}

/// The first line of a file, or of standard input.
fn password(file: &Path, session: &mut Session<'_>) -> Result<String, Failure> {
    let failed = |source| Failure::File { path: file.to_owned(), source };
    let mut text = String::new();
    match file.as_os_str() == "-" {
        true => {
            session.input.read_to_string(&mut text).map_err(failed)?;
        }
        false => text = std::fs::read_to_string(file).map_err(failed)?,
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

impl Issue {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let expires_in_seconds = self.days.map(|days| u64::from(days) * 24 * 60 * 60);
        let body = json!(NewToken { description: self.description, expires_in_seconds });
        let request = Request::new(Method::POST, self.user.path("/tokens")).with_document(&body);
        let answer = session.server.call(&request).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let issued: IssuedToken = answer.read()?;
                session.remark("keep it safe: it is not shown again");
                session.say(issued.token)
            }
        }
    }
}

async fn changed(session: &mut Session<'_>, request: &Request) -> Result<(), Failure> {
    let answer = session.server.call(request).await?;
    match session.form {
        Form::Json => session.show_document(&answer),
        Form::Text => show(session, &[answer.read()?]),
    }
}

async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.server.call(&Request::get("/v2/users")).await?;
    match session.form {
        Form::Json => session.show_document(&answer),
        Form::Text => {
            let UserList { users } = answer.read()?;
            if users.is_empty() {
                session.remark("there are no users yet: attica user add NAME");
                return Ok(());
            }
            show(session, &users)
        }
    }
}

fn show(session: &mut Session<'_>, users: &[User]) -> Result<(), Failure> {
    let columns = [Column::text("USER"), Column::text("PASSWORD"), Column::prose("MAY"), Column::prose("TOKENS")];
    let mut table = Table::new(&columns);
    let now = session.now();
    for user in users {
        let may: Vec<String> = user.grants.iter().map(words).collect();
        let tokens = user.tokens.iter().map(|token| {
            let what = if token.description.is_empty() { "a token" } else { &token.description };
            format!("{what} ({}, {})", token.id, age(&token.created_at, now))
        });
        table.row([
            Line::toned(Tone::Strong, &user.name),
            Line::plain(if user.has_password { "yes" } else { "no" }),
            Line::plain(if may.is_empty() { "nothing".to_owned() } else { may.join("; ") }),
            Line::toned(Tone::Faint, tokens.collect::<Vec<_>>().join("; ")),
        ]);
    }
    session.show_table(&table)
}

/// `/shop: view, update`
fn words(grant: &Grant) -> String {
    let permissions: Vec<&str> = grant.permissions.iter().map(|permission| permission.as_str()).collect();
    format!("{}: {}", grant.path, permissions.join(", "))
}

fn parse_permission(text: &str) -> Result<Permission, String> {
    let known = Permission::ALL.into_iter().find(|permission| permission.as_str() == text);
    known.ok_or_else(|| "expected view, create, update, delete, exec or admin".to_owned())
}

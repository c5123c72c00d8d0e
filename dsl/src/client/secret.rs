//! `attica secret …`

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use attica_paas_api::secret::{Secret, SecretList};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use http::Method;
use serde_json::json;

use super::age::age;
use super::completion::secret_paths;
use super::failure::Failure;
use super::server::{Request, encode};
use super::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// The server takes no longer values, in bytes.
const VALUE_BYTES_MAX: u64 = 64 << 10;

/// What can be done with secrets.
#[derive(Clone, Debug, Subcommand)]
pub enum SecretCommand {
    /// List secrets and who uses them, without their values
    List,
    /// Show who uses a secret, without its value
    Show(Named),
    /// Set a secret's value; tasks that are started from then on have it
    Set(Set),
    /// Forget a secret that nobody uses
    Delete(Named),
}

impl SecretCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::List => list(session).await,
            Self::Show(named) => named.show(session).await,
            Self::Set(set) => set.run(session).await,
            Self::Delete(named) => named.delete(session).await,
        }
    }
}

/// Names a secret.
#[derive(Clone, Debug, Args)]
pub struct Named {
    /// The secret
    #[arg(value_name = "SECRET", add = ArgValueCompleter::new(secret_paths))]
    path: SecretPath,
}

/// Sets a secret. There is no way to give its value as an argument: who looks at a machine's processes would see it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
  printf %s \"$PASSWORD\" | attica secret set /db/password
  attica secret set /tls/key key.pem

Every byte counts, a newline at the end as well.")]
pub struct Set {
    /// The secret
    #[arg(value_name = "SECRET", add = ArgValueCompleter::new(secret_paths))]
    path: SecretPath,
    /// A file with the value, or - for standard input
    #[arg(value_name = "FILE|-", default_value = "-")]
    value: std::path::PathBuf,
}

/// A secret's path as it was typed: `/db/password`, or `db/password`. Whether it is one is the server's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SecretPath(String);

impl SecretPath {
    /// `/v2/secrets/db/password`
    fn path(&self) -> String {
        let segments: Vec<String> = self.0.split('/').filter(|segment| !segment.is_empty()).map(encode).collect();
        format!("/v2/secrets/{}", segments.join("/"))
    }
}

impl FromStr for SecretPath {
    type Err = &'static str;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let segments: Vec<&str> = written.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.is_empty() {
            true => Err("a secret's path looks like /db/password"),
            false => Ok(Self(format!("/{}", segments.join("/")))),
        }
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.server.call(&Request::get("/v2/secrets")).await?;
    if session.form == Form::Json {
        return session.show_document(&answer);
    }
    let SecretList { secrets } = answer.read()?;
    if secrets.is_empty() {
        session.remark("there are no secrets");
        return Ok(());
    }
    let mut table = Table::new(&[Column::text("SECRET"), Column::prose("USED BY"), Column::number("SET")]);
    let now = session.now();
    for secret in &secrets {
        let set = Line::toned(Tone::Faint, age(&secret.version, now));
        table.row([Line::toned(Tone::Strong, &secret.path), Line::plain(users(secret)), set]);
    }
    session.show_table(&table)
}

fn users(secret: &Secret) -> String {
    secret.apps.iter().chain(&secret.pods).map(String::as_str).collect::<Vec<_>>().join(" ")
}

impl Named {
    async fn show(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = session.server.call(&Request::get(self.path.path())).await?;
        if session.form == Form::Json {
            return session.show_document(&answer);
        }
        let secret: Secret = answer.read()?;
        let now = session.now();
        session.say(Line::toned(Tone::Strong, &secret.path))?;
        session.say(format!("set      {} ({} ago)", secret.version, age(&secret.version, now)))?;
        let used = users(&secret);
        session.say(format!("used by  {}", if used.is_empty() { "nobody" } else { &used }))
    }

    async fn delete(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        session.server.call(&Request::new(Method::DELETE, self.path.path())).await?;
        match session.form {
            Form::Json => Ok(()),
            Form::Text => session.say(format!("{} is forgotten", self.path)),
        }
    }
}

impl Set {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let data = STANDARD.encode(self.read(session)?);
        let request = Request::new(Method::PUT, self.path.path()).with_document(&json!({ "data": data }));
        let answer = session.server.call(&request).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => session.say(format!("{} is set: tasks that are started from now on have it", self.path)),
        }
    }

    fn read(&self, session: &mut Session<'_>) -> Result<Vec<u8>, Failure> {
        let failed = |source| Failure::File { path: self.value.clone(), source };
        let mut value = Vec::new();
        let mut read = |from: &mut dyn Read| from.take(VALUE_BYTES_MAX + 1).read_to_end(&mut value).map_err(failed);
        match self.value.as_os_str() == "-" {
            true => read(&mut session.input)?,
            false => read(&mut std::fs::File::open(&self.value).map_err(failed)?)?,
        };
        if value.len() as u64 > VALUE_BYTES_MAX {
            return Err(Failure::Usage(format!("a secret has at most {VALUE_BYTES_MAX} bytes")));
        }
        Ok(value)
    }
}

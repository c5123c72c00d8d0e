//! `attica callback …`

use std::path::PathBuf;

use attica_paas_api::callback::CallbackList;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::failure::Failure;
use super::server::{Request, encode};
use super::session::{Form, Session};

const PATH: &str = "/v2/eventSubscriptions";

/// What can be done with the URLs that events are posted to.
#[derive(Clone, Debug, Subcommand)]
pub enum CallbackCommand {
    /// List the URLs that events are posted to
    List,
    /// Have every event posted to a URL from now on
    Add(Add),
    /// Have nothing posted to a URL any more
    Remove(Remove),
}

impl CallbackCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::List => list(session).await,
            Self::Add(add) => add.run(session).await,
            Self::Remove(remove) => remove.run(session).await,
        }
    }
}

/// Adds a URL.
#[derive(Clone, Debug, Args)]
pub struct Add {
    /// http://HOST:PORT/PATH
    #[arg(value_name = "URL")]
    url: String,
    /// A file that holds what signs the posts, 16 to 256 visible ASCII characters: Attica-Signature: sha256=HMAC of the body
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// Removes a URL.
#[derive(Clone, Debug, Args)]
pub struct Remove {
    /// The URL, as it is listed
    #[arg(value_name = "URL")]
    url: String,
}

async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.server.call(&Request::get(PATH)).await?;
    match session.form {
        Form::Json => session.show_document(&answer),
        Form::Text => answer.read::<CallbackList>()?.callback_urls.into_iter().try_for_each(|url| session.say(url)),
    }
}

impl Add {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let secret = self
            .secret_file
            .map(|path| std::fs::read_to_string(&path).map_err(|source| Failure::File { path, source }));
        let mut request = Request::new(Method::POST, path_of(&self.url));
        if let Some(secret) = secret.transpose()? {
            request = request.with_document(&json!({"secret": secret.trim()}));
        }
        change(session, &request, format!("events are posted to {}", self.url)).await
    }
}

impl Remove {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, path_of(&self.url));
        change(session, &request, format!("nothing is posted to {} any more", self.url)).await
    }
}

fn path_of(url: &str) -> String {
    format!("{PATH}?callbackUrl={}", encode(url))
}

async fn change(session: &mut Session<'_>, request: &Request, said: String) -> Result<(), Failure> {
    let answer = session.server.call(request).await?;
    match session.form {
        Form::Json => session.show_document(&answer),
        Form::Text => session.say(said),
    }
}

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use http::Method;
use serde_json::{Map, Value, json};

use super::read;
use crate::client::completion::app_ids;
use crate::client::definition::Definition;
use crate::client::deployment::{Deploying, Ongoing};
use crate::client::failure::Failure;
use crate::client::ids::AppId;
use crate::client::server::Request;
use crate::client::session::Session;

/// Adds an app.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
  attica app add web.json
  attica app add id=/shop/web cmd='python3 -m http.server $PORT0' instances=3 cpus=0.1 mem=32")]
pub struct Add {
    /// A JSON file, - for standard input, or fields
    #[arg(value_name = "FILE|-|KEY=VALUE", required = true)]
    definition: Vec<String>,
    #[command(flatten)]
    deploying: Deploying,
}

impl Add {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let handed_in = Definition::read(&self.definition, &mut session.input)?;
        let definition = handed_in.applied_to(&Map::new())?;
        let Some(id) = definition.get("id").and_then(Value::as_str).and_then(|id| id.parse::<AppId>().ok()) else {
            return Err(Failure::Usage("the app has no id: give it one, as in id=/shop/web".to_owned()));
        };
        let request = Request::new(Method::POST, format!("/v2/apps{}", self.deploying.query()));
        let ongoing = Ongoing::begin(session, self.deploying.patience()).await?;
        let answer = session.server.call(&request.with_document(&Value::Object(definition))).await;
        let answer = answer.map_err(|failure| handed_in.located(failure))?;
        ongoing.conclude(session, &answer, &format!("{id} is being added")).await
    }
}

/// Sets the number of instances.
#[derive(Clone, Debug, Args)]
pub struct Scale {
    /// The app
    #[arg(value_name = "APP", add = ArgValueCompleter::new(app_ids))]
    id: AppId,
    /// Instances wanted; 0 stops the app and keeps its definition
    instances: u32,
    #[command(flatten)]
    deploying: Deploying,
}

impl Scale {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let document = json!({"instances": self.instances});
        let request = Request::new(Method::PATCH, self.id.path(&self.deploying.query())).with_document(&document);
        let plural = if self.instances == 1 { "" } else { "s" };
        let said = format!("{} is set to {} instance{plural}", self.id, self.instances);
        write(session, &self.id, &request, self.deploying, &said).await
    }
}

/// Replaces all instances.
#[derive(Clone, Debug, Args)]
pub struct Restart {
    /// The app
    #[arg(value_name = "APP", add = ArgValueCompleter::new(app_ids))]
    id: AppId,
    #[command(flatten)]
    deploying: Deploying,
}

impl Restart {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = Request::new(Method::POST, self.id.path(&format!("/restart{}", self.deploying.query())));
        write(session, &self.id, &request, self.deploying, &format!("{} is being restarted", self.id)).await
    }
}

/// Ends an app and forgets it, its versions included.
#[derive(Clone, Debug, Args)]
pub struct Remove {
    /// The app
    #[arg(value_name = "APP", add = ArgValueCompleter::new(app_ids))]
    id: AppId,
    #[command(flatten)]
    deploying: Deploying,
}

impl Remove {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, self.id.path(&self.deploying.query()));
        write(session, &self.id, &request, self.deploying, &format!("{} is being removed", self.id)).await
    }
}

/// Asks for a change of an app and, if that is wanted, waits until it has been made.
pub(super) async fn write(
    session: &mut Session<'_>,
    id: &AppId,
    request: &Request,
    deploying: Deploying,
    said: &str,
) -> Result<(), Failure> {
    let ongoing = Ongoing::begin(session, deploying.patience()).await?;
    let answer = read::call(&session.server, id, request).await?;
    ongoing.conclude(session, &answer, said).await
}

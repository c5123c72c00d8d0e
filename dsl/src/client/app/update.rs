use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use http::Method;
use serde_json::{Map, Value, json};

use super::{read, write};
use crate::client::completion::app_ids;
use crate::client::definition::{Definition, definition_of, predicted};
use crate::client::deployment::Deploying;
use crate::client::diff::{diff, lines};
use crate::client::failure::Failure;
use crate::client::forecast;
use crate::client::ids::AppId;
use crate::client::server::{Request, encode};
use crate::client::session::{Form, Session};
use crate::terminal::{Line, Tone};

/// Changes an app.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Fields keep their values where nothing is said about them; key- takes an entry away:
  attica app update /web instances=5 env.MODE=fast labels.old- 'constraints=[[\"hostname\",\"UNIQUE\"]]'
  attica app update /web healthChecks[0].path=/health
  attica app update /web version=2026-01-31T12:00:00.000Z      returns to that version")]
pub struct Update {
    /// The app
    #[arg(value_name = "APP", add = ArgValueCompleter::new(app_ids))]
    id: AppId,
    /// A JSON file, - for standard input, or fields
    #[arg(value_name = "FILE|-|KEY=VALUE", required = true)]
    definition: Vec<String>,
    #[command(flatten)]
    deploying: Deploying,
}

impl Update {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let handed_in = Definition::read(&self.definition, &mut session.input)?;
        let answer = read::call(&session.server, &self.id, &Request::get(self.id.path(""))).await?;
        let app: Value = answer.read::<Value>()?["app"].take();
        let current = definition_of(&app);
        let update = handed_in.applied_to(&current)?;
        let next = self.next(session, &current, &update).await?;
        let differences = diff(&Value::Object(current), &Value::Object(next));
        if differences.is_empty() {
            session.remark(format!("{} is like this already: nothing to change", self.id));
            return self.unchanged(session, &app);
        }
        match session.form {
            Form::Text => {
                session.screen.out.line(&Line::toned(Tone::Strong, self.id.as_str()))?;
                session.screen.out.lines(&lines(&differences))?;
                session.screen.out.flush()?;
            }
            Form::Json => {}
        }
        let request = Request::new(Method::PATCH, self.id.path(&self.deploying.query()));
        let request = request.with_document(&Value::Object(update));
        if self.deploying.dry_run {
            let answer = read::call(&session.server, &self.id, &request).await;
            let answer = answer.map_err(|failure| handed_in.located(failure))?;
            return match session.form {
                Form::Json => session.show_document(&answer),
                // What changes was shown already.
                Form::Text => forecast::show_consequences(session, &answer.read()?),
            };
        }
        let written =
            write::write(session, &self.id, &request, self.deploying, &format!("{} is being changed", self.id)).await;
        written.map_err(|failure| handed_in.located(failure))
    }

    /// The definition that comes out of it.
    async fn next(
        &self,
        session: &Session<'_>,
        current: &Map<String, Value>,
        update: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Failure> {
        match version_alone(update) {
            Some(version) => {
                let request = Request::get(self.id.path(&format!("/versions/{}", encode(version))));
                let stored: Value = read::call(&session.server, &self.id, &request).await?.read()?;
                Ok(definition_of(&stored))
            }
            None => Ok(predicted(current, update)),
        }
    }

    fn unchanged(&self, session: &mut Session<'_>, app: &Value) -> Result<(), Failure> {
        match session.form {
            Form::Text => Ok(()),
            Form::Json => session.show_json(&json!({"version": app["version"]})),
        }
    }
}

/// A version by itself means to return to it.
fn version_alone(update: &Map<String, Value>) -> Option<&str> {
    let alone = update.iter().all(|(field, value)| field == "id" || field == "version" || value.is_null());
    update.get("version").filter(|_| alone)?.as_str()
}

use attica_paas_api::pod::PodStatus;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use http::Method;
use serde_json::{Map, Value, json};

use super::PodId;
use crate::client::completion::pod_ids;
use crate::client::definition::Definition;
use crate::client::deployment::{Deploying, Ongoing};
use crate::client::failure::Failure;
use crate::client::server::Request;
use crate::client::session::{Form, Session};

/// Adds a pod, or puts another definition in its place.
#[derive(Clone, Debug, Args)]
#[command(after_help = "  attica pod put pod.json")]
pub struct Put {
    /// A JSON file, or - for standard input
    #[arg(value_name = "FILE|-")]
    definition: String,
    #[command(flatten)]
    deploying: Deploying,
}

impl Put {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let handed_in = Definition::read(std::slice::from_ref(&self.definition), &mut session.input)?;
        let definition = handed_in.applied_to(&Map::new())?;
        let Some(id) = definition.get("id").and_then(Value::as_str).and_then(|id| id.parse::<PodId>().ok()) else {
            return Err(Failure::Usage("the pod has no id, such as /shop/web".to_owned()));
        };
        // The path names what the document names: however that is written.
        let definition = Map::from_iter(definition.into_iter().map(|(name, value)| match name.as_str() {
            "id" => (name, json!(id.to_string())),
            _ => (name, value),
        }));
        let request = Request::new(Method::PUT, id.path(&self.deploying.query()));
        let ongoing = Ongoing::begin(session, self.deploying.patience()).await?;
        let answer = session.server.call(&request.with_document(&Value::Object(definition))).await;
        let answer = answer.map_err(|failure| handed_in.located(failure))?;
        ongoing.conclude(session, &answer, &format!("{id} is being put in place")).await
    }
}

/// Ends a pod and forgets it, its versions included.
#[derive(Clone, Debug, Args)]
pub struct Remove {
    /// The pod
    #[arg(value_name = "POD", add = ArgValueCompleter::new(pod_ids))]
    id: PodId,
    #[command(flatten)]
    deploying: Deploying,
}

impl Remove {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, self.id.path(&self.deploying.query()));
        let ongoing = Ongoing::begin(session, self.deploying.patience()).await?;
        let mut answer = session.server.call(&request).await?;
        // The deployment is named in a header alone.
        if let (true, Some(deployment)) = (answer.body.is_empty(), &answer.deployment) {
            answer.body = json!({"deploymentId": deployment}).to_string().into();
        }
        ongoing.conclude(session, &answer, &format!("{} is being removed", self.id)).await
    }
}

/// Kills instances of a pod.
#[derive(Clone, Debug, Args)]
pub struct Kill {
    /// The pod
    #[arg(value_name = "POD", add = ArgValueCompleter::new(pod_ids))]
    id: PodId,
    /// Its instances; all of them when none is named
    #[arg(value_name = "INSTANCE")]
    instances: Vec<String>,
    /// Destroy what is kept for them, too: others take their places with new volumes
    #[arg(long)]
    wipe: bool,
}

impl Kill {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let rest = if self.wipe { "::instances?wipe=true" } else { "::instances" };
        let named = match self.instances.is_empty() {
            true => {
                let status: PodStatus = session.server.call(&Request::get(self.id.path("::status"))).await?.read()?;
                status.instances.into_iter().map(|instance| instance.id).collect()
            }
            false => self.instances,
        };
        let request = Request::new(Method::DELETE, self.id.path(rest)).with_document(&json!(named));
        let answer = session.server.call(&request).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let killed: Vec<Value> = answer.read()?;
                let plural = if killed.len() == 1 { "" } else { "s" };
                session.say(format!("{} instance{plural} of {} killed", killed.len(), self.id))
            }
        }
    }
}

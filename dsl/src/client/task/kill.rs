use attica_paas_api::task::TaskList;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use http::Method;
use serde_json::json;

use super::{known, meant, missing};
use crate::client::completion::task_ids;
use crate::client::deployment::{Deploying, Ongoing, Patience};
use crate::client::failure::Failure;
use crate::client::server::Request;
use crate::client::session::{Form, Session};

/// Kills tasks.
#[derive(Clone, Debug, Args)]
pub struct Kill {
    /// The tasks, each by its id or a part of it that no other one has
    #[arg(value_name = "TASK", required = true, add = ArgValueCompleter::new(task_ids))]
    tasks: Vec<String>,
    /// Lower the number of instances by the killed ones, so that none takes their places
    #[arg(long)]
    scale: bool,
    /// Destroy what is kept for their instances, too: others take their places with new volumes
    #[arg(long, conflicts_with = "scale")]
    wipe: bool,
    #[command(flatten)]
    deploying: Deploying,
}

impl Kill {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let tasks = known(&session.server).await?;
        let mut ids = Vec::new();
        for typed in &self.tasks {
            ids.push(meant(typed, &tasks)?.ok_or_else(|| missing(typed))?);
        }
        let wipe = if self.wipe { "&wipe=true" } else { "" };
        let path = format!("/v2/tasks/delete{}&scale={}{}", self.deploying.query(), self.scale, wipe);
        let request = Request::new(Method::POST, path).with_document(&json!({"ids": ids}));
        // Without --scale there is no deployment.
        let patience = if self.scale { self.deploying.patience() } else { Patience::Leave };
        let ongoing = Ongoing::begin(session, patience).await?;
        let answer = session.server.call(&request).await?;
        if self.scale {
            return ongoing.conclude(session, &answer, &format!("killing {}", ids.join(", "))).await;
        }
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let TaskList { tasks } = answer.read()?;
                tasks.iter().try_for_each(|task| session.say(format!("{} is being killed", task.id)))
            }
        }
    }
}

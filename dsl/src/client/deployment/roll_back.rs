use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use http::Method;

use super::{Waiting, list};
use crate::client::completion::deployment_ids;
use crate::client::deployment::Ongoing;
use crate::client::failure::Failure;
use crate::client::server::Request;
use crate::client::session::{Form, Session};

/// Returns to what was before a deployment.
#[derive(Clone, Debug, Args)]
pub struct RollBack {
    /// The deployment, or the beginning of its id
    #[arg(value_name = "DEPLOYMENT", add = ArgValueCompleter::new(deployment_ids))]
    id: String,
    /// Only stop it, and leave everything as it is at that moment
    #[arg(long, conflicts_with_all = ["wait", "no_wait"])]
    stop: bool,
    #[command(flatten)]
    waiting: Waiting,
}

impl RollBack {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let id = list::find(&session.server, Some(&self.id)).await?.id;
        let request = Request::new(Method::DELETE, format!("{}/{id}?force={}", list::PATH, self.stop));
        if self.stop {
            session.server.call(&request).await?;
            return match session.form {
                Form::Text => session.say(format!("deployment {id} is stopped; everything stays as it is now")),
                Form::Json => Ok(()),
            };
        }
        let ongoing = Ongoing::begin(session, self.waiting.patience()).await?;
        let answer = session.server.call(&request).await?;
        ongoing.conclude(session, &answer, &format!("deployment {id} is being rolled back")).await
    }
}

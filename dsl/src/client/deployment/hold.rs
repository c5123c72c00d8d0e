use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use http::Method;

use super::list;
use crate::client::completion::deployment_ids;
use crate::client::failure::Failure;
use crate::client::server::Request;
use crate::client::session::{Form, Session};

/// Names a deployment that is to pause or to go on.
#[derive(Clone, Debug, Args)]
pub struct Hold {
    /// The deployment, or the beginning of its id
    #[arg(value_name = "DEPLOYMENT", add = ArgValueCompleter::new(deployment_ids))]
    id: String,
}

impl Hold {
    pub(super) async fn run(self, session: &mut Session<'_>, what: &str, said: &str) -> Result<(), Failure> {
        let id = list::find(&session.server, Some(&self.id)).await?.id;
        let answer = session.server.call(&Request::new(Method::POST, format!("{}/{id}/{what}", list::PATH))).await?;
        match session.form {
            Form::Text => session.say(format!("deployment {id} {said}")),
            Form::Json => session.show_document(&answer),
        }
    }
}

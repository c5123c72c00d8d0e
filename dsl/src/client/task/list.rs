use attica_paas_api::task::TaskList;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::table;
use crate::client::app::call_about_app;
use crate::client::completion::app_ids;
use crate::client::failure::Failure;
use crate::client::ids::AppId;
use crate::client::server::Request;
use crate::client::session::{Form, Session};

/// Lists tasks.
#[derive(Clone, Debug, Args)]
pub struct List {
    /// Only those of this app
    #[arg(value_name = "APP", add = ArgValueCompleter::new(app_ids))]
    app: Option<AppId>,
}

impl List {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = match &self.app {
            Some(app) => call_about_app(&session.server, app, &Request::get(app.path("/tasks"))).await?,
            None => session.server.call(&Request::get("/v2/tasks")).await?,
        };
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let TaskList { tasks } = answer.read()?;
                if tasks.is_empty() {
                    session.remark("no tasks");
                    return Ok(());
                }
                let now = session.now();
                session.show_table(&table::of_all(&tasks, now))
            }
        }
    }
}

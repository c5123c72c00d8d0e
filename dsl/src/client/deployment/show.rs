use attica_paas_api::deployment::{ActionProgress, Deployment, InstanceProgress, WaitsFor};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use super::list;
use crate::client::age::age;
use crate::client::completion::deployment_ids;
use crate::client::failure::Failure;
use crate::client::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Shows how far each instance of a running deployment is.
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// The deployment, or the beginning of its id; the only one when it is not said
    #[arg(value_name = "DEPLOYMENT", add = ArgValueCompleter::new(deployment_ids))]
    id: Option<String>,
}

impl Show {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let path = format!("{}?embed=progress", list::PATH);
        let deployment = list::find_in(&session.server, &path, self.id.as_deref()).await?;
        match session.form {
            Form::Json => session.show_json(&json!(deployment)),
            Form::Text => show(session, &deployment),
        }
    }
}

fn show(session: &mut Session<'_>, deployment: &Deployment) -> Result<(), Failure> {
    let paused = deployment.paused_since.as_ref().map(|_| match &deployment.paused_because {
        Some(because) => format!(", paused: {because}"),
        None => ", paused".to_owned(),
    });
    session.say(Line::plain(format!(
        "step {} of {}{}",
        deployment.current_step,
        deployment.total_steps,
        paused.unwrap_or_default()
    )))?;
    for action in deployment.progress.iter().flatten() {
        let verb = deployment
            .current_actions
            .iter()
            .find(|current| (&current.app, &current.pod) == (&action.app, &action.pod));
        show_action(session, verb.map_or("change", |current| list::verb(current.action)), action)?;
    }
    Ok(())
}

fn show_action(session: &mut Session<'_>, verb: &str, action: &ActionProgress) -> Result<(), Failure> {
    let id = action.app.as_ref().or(action.pod.as_ref()).map_or("", String::as_str);
    session.say(Line::toned(Tone::Strong, format!("{verb} {id}: {} of {} serve", action.serving, action.wanted)))?;
    let columns = [
        Column::text("INSTANCE"),
        Column::text("IS"),
        Column::text("STATE"),
        Column::prose("WAITS FOR"),
        Column::number("SINCE"),
    ];
    let mut table = Table::new(&columns);
    let now = session.now();
    for InstanceProgress { id, version: _, is_new, condition, waits_for, since } in &action.instances {
        table.row([
            Line::plain(id),
            Line::plain(if *is_new { "new" } else { "old" }),
            Line::plain(condition),
            waits_for.map_or_else(|| Line::toned(Tone::Good, "nothing"), |what| Line::plain(words(what))),
            Line::toned(Tone::Faint, age(since, now)),
        ]);
    }
    session.show_table(&table)
}

fn words(waits_for: WaitsFor) -> &'static str {
    match waits_for {
        WaitsFor::Offer => "an offer",
        WaitsFor::Start => "its task to start",
        WaitsFor::Health => "its health checks",
        WaitsFor::Readiness => "its readiness check",
        WaitsFor::Agent => "its agent, which cannot be reached",
        WaitsFor::Turn => "its turn to be killed",
        WaitsFor::End => "its end",
    }
}

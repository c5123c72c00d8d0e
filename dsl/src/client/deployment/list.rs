use attica_paas_api::deployment::{ActionKind, Deployment};
use clap::Args;

use crate::client::age::age;
use crate::client::failure::Failure;
use crate::client::ids::only_match;
use crate::client::server::{Request, Server};
use crate::client::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

pub(super) const PATH: &str = "/v2/deployments";

/// Lists running deployments.
#[derive(Clone, Debug, Args)]
pub struct List {}

impl List {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = session.server.call(&Request::get(PATH)).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let deployments: Vec<Deployment> = answer.read()?;
                if deployments.is_empty() {
                    session.remark("no deployment is running");
                    return Ok(());
                }
                let columns = [
                    Column::text("DEPLOYMENT"),
                    Column::number("BEGAN"),
                    Column::number("STEP"),
                    Column::prose("NOW"),
                    Column::prose("WHAT"),
                ];
                let mut table = Table::new(&columns);
                let now = session.now();
                for deployment in &deployments {
                    let actions = deployment.current_actions.iter();
                    let actions = actions.map(|current| format!("{} {}", verb(current.action), current.subject()));
                    table.row([
                        Line::toned(Tone::Strong, &deployment.id),
                        Line::toned(Tone::Faint, age(&deployment.version, now)),
                        Line::plain(format!("{}/{}", deployment.current_step, deployment.total_steps)),
                        Line::plain(actions.collect::<Vec<_>>().join(", ")),
                        Line::plain(
                            [deployment.affected_apps.as_slice(), &deployment.affected_pods].concat().join(" "),
                        ),
                    ]);
                }
                session.show_table(&table)
            }
        }
    }
}

/// What an action does, in a word.
pub(super) fn verb(action: ActionKind) -> &'static str {
    match action {
        ActionKind::StartApplication | ActionKind::StartPod => "start",
        ActionKind::StopApplication | ActionKind::StopPod => "stop",
        ActionKind::ScaleApplication | ActionKind::ScalePod => "scale",
        ActionKind::RestartApplication | ActionKind::RestartPod => "replace",
    }
}

/// The running deployment whose id is, or begins with, what was typed; without anything typed the only one.
pub(super) async fn find(server: &Server, typed: Option<&str>) -> Result<Deployment, Failure> {
    find_in(server, PATH, typed).await
}

/// The same, of the list at a path.
pub(super) async fn find_in(server: &Server, path: &str, typed: Option<&str>) -> Result<Deployment, Failure> {
    let mut running: Vec<Deployment> = server.get(path).await?;
    let ids: Vec<&str> = running.iter().map(|deployment| deployment.id.as_str()).collect();
    let found = match typed {
        Some(typed) => only_match(typed, &ids, "deployment")?,
        None if running.len() == 1 => Some(0),
        None if running.is_empty() => return Err(Failure::failed("no deployment is running")),
        None => {
            return Err(Failure::Usage(format!(
                "{} deployments are running: say which one:\n  {}",
                ids.len(),
                ids.join("\n  ")
            )));
        }
    };
    let Some(index) = found else {
        return Err(Failure::Failed {
            message: format!("no running deployment has the id {}", typed.unwrap_or_default()),
            hint: Some("it may have ended: attica app show tells how an app is doing".to_owned()),
        });
    };
    Ok(running.swap_remove(index))
}

use attica_paas_api::deployment::{EndedDeployment, Outcome};
use clap::Args;

use super::list;
use crate::client::age::age;
use crate::client::failure::Failure;
use crate::client::server::Request;
use crate::client::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Lists the deployments that ended lately.
#[derive(Clone, Copy, Debug, Args)]
pub struct Ended {}

impl Ended {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let answer = session.server.call(&Request::get(format!("{}/ended", list::PATH))).await?;
        if session.form == Form::Json {
            return session.show_document(&answer);
        }
        let ended: Vec<EndedDeployment> = answer.read()?;
        let columns = [
            Column::text("DEPLOYMENT"),
            Column::text("OUTCOME"),
            Column::number("ENDED"),
            Column::text("OF"),
            Column::text("CAUSE"),
        ];
        let mut table = Table::new(&columns);
        let now = session.now();
        for deployment in &ended {
            let (tone, word) = match deployment.outcome {
                Outcome::Done => (Tone::Good, "done"),
                Outcome::Failed => (Tone::Bad, "failed"),
                Outcome::RolledBack => (Tone::Warning, "rolled back"),
                Outcome::Cancelled => (Tone::Faint, "cancelled"),
            };
            let affected: Vec<&str> =
                deployment.affected_apps.iter().chain(&deployment.affected_pods).map(String::as_str).collect();
            table.row([
                Line::plain(&deployment.id),
                Line::toned(tone, word),
                Line::plain(age(&deployment.ended_at, now)),
                Line::plain(affected.join(", ")),
                Line::plain(deployment.cause.as_deref().unwrap_or("–")),
            ]);
        }
        session.show_table(&table)
    }
}

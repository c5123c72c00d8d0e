use attica_paas_api::app::{AppInfo, AppList};
use clap::Args;

use super::status::{health, status};
use crate::client::age::age;
use crate::client::failure::Failure;
use crate::client::server::{Request, encode};
use crate::client::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Lists apps.
#[derive(Clone, Debug, Args)]
pub struct List {
    /// Only apps whose id contains this
    #[arg(value_name = "PART")]
    part: Option<String>,
    /// Only apps whose labels match: a, a==b, a!=b, a in (x,y), a notin (x,y), joined by commas
    #[arg(long, short, value_name = "SELECTOR")]
    label: Option<String>,
}

const COLUMNS: [Column; 7] = [
    Column::text("APP"),
    Column::text("STATUS"),
    Column::number("RUNNING"),
    Column::number("HEALTHY"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::number("CHANGED"),
];

impl List {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut path = "/v2/apps?embed=apps.counts&embed=apps.deployments".to_owned();
        for (name, value) in [("id", &self.part), ("label", &self.label)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", encode(value)));
            }
        }
        let answer = session.server.call(&Request::get(path)).await?;
        match session.form {
            Form::Json => session.show_document(&answer),
            Form::Text => {
                let list: AppList = answer.read()?;
                if list.apps.is_empty() {
                    session.remark(match (&self.part, &self.label) {
                        (None, None) => "no apps yet; attica app add makes one",
                        (Some(_), _) | (_, Some(_)) => "no app matches",
                    });
                    return Ok(());
                }
                let now = session.now();
                let mut table = Table::new(&COLUMNS);
                for info in &list.apps {
                    table.row(row(info, now));
                }
                session.show_table(&table)
            }
        }
    }
}

fn row(info: &AppInfo, now: std::time::SystemTime) -> [Line; 7] {
    let app = &info.app;
    let running = info.tasks_running.unwrap_or_default();
    let tone = if running < app.instances { Tone::Warning } else { Tone::Plain };
    [
        Line::toned(Tone::Strong, &app.id),
        status(info),
        Line::toned(tone, format!("{running}/{}", app.instances)),
        health(info),
        Line::plain(app.cpus.0.to_string()),
        Line::plain(app.mem.0.to_string()),
        Line::toned(Tone::Faint, age(&app.version, now)),
    ]
}

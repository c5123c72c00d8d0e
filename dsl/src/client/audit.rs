//! `attica audit`

use attica_paas_api::access::{Audit, AuditEntry, AuditOutcome};
use clap::Args;

use super::age::age;
use super::failure::Failure;
use super::options::GlobalOptions;
use super::server::{Request, encode};
use super::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Shows who did what.
#[derive(Clone, Debug, Args)]
pub struct AuditCommand {
    /// Only what touched nothing outside this group [default: everything]
    #[arg(long, value_name = "GROUP")]
    path: Option<String>,
    /// Only what this user did
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only from this moment on, as 2026-03-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// So many at most, up to 1000
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    pub(super) options: GlobalOptions,
}

impl AuditCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let filters = [("path", &self.path), ("user", &self.user), ("since", &self.since)];
        let filters =
            filters.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", encode(value.as_ref()?))));
        let path = format!("/v2/audit?limit={}{}", self.limit, filters.collect::<String>());
        let answer = session.server.call(&Request::get(path)).await?;
        if session.form == Form::Json {
            return session.show_document(&answer);
        }
        let Audit { entries } = answer.read()?;
        if entries.is_empty() {
            session.remark("nobody with a name has done anything");
            return Ok(());
        }
        let columns = [
            Column::number("AGO"),
            Column::text("USER"),
            Column::text("FROM"),
            Column::prose("WHAT"),
            Column::prose("OUTCOME"),
        ];
        let mut table = Table::new(&columns);
        let now = session.now();
        for entry in &entries {
            table.row([
                Line::toned(Tone::Faint, age(&entry.timestamp, now)),
                Line::toned(Tone::Strong, &entry.user),
                Line::plain(entry.forwarded_for.as_ref().unwrap_or(&entry.address)),
                Line::plain(format!("{} {}", entry.method, entry.uri)),
                outcome(entry),
            ]);
        }
        session.show_table(&table)
    }
}

fn outcome(entry: &AuditEntry) -> Line {
    match entry.outcome {
        AuditOutcome::Forbidden => {
            Line::toned(Tone::Bad, entry.reason.as_deref().unwrap_or("a permission was missing"))
        }
        AuditOutcome::Done => {
            let fields =
                entry.changes.iter().flat_map(|change| &change.differences).map(|difference| &*difference.path);
            let fields: Vec<&str> = fields.collect();
            let text = if fields.is_empty() { "done".to_owned() } else { format!("done: {}", fields.join(", ")) };
            Line::plain(text)
        }
    }
}

//! `attica agent list`

use attica_paas_api::Number;
use attica_paas_api::agent::{Agent, AgentList};
use clap::Subcommand;

use super::failure::Failure;
use super::server::Request;
use super::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// What can be asked about agents.
#[derive(Clone, Debug, Subcommand)]
pub enum AgentCommand {
    /// List agents: where they are, what they have, what is used
    List,
}

impl AgentCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            AgentCommand::List => list(session).await,
        }
    }
}

const COLUMNS: [Column; 8] = [
    Column::text("HOST"),
    Column::text("ADDRESS"),
    Column::text("STATE"),
    Column::number("CPUS USED"),
    Column::number("MEM USED"),
    Column::number("DISK USED"),
    Column::prose("ATTRIBUTES"),
    Column::text("ID"),
];

async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.server.call(&Request::get("/v2/agents")).await?;
    match session.form {
        Form::Json => session.show_document(&answer),
        Form::Text => {
            let AgentList { mut agents } = answer.read()?;
            agents.sort_by(|one, other| (&one.hostname, &one.id).cmp(&(&other.hostname, &other.id)));
            if agents.is_empty() {
                session.remark("no agent has registered yet");
                return Ok(());
            }
            let mut table = Table::new(&COLUMNS);
            agents.iter().for_each(|agent| table.row(row(agent)));
            session.show_table(&table)
        }
    }
}

fn row(agent: &Agent) -> [Line; 8] {
    let state = match agent.active {
        true => Line::toned(Tone::Good, "active"),
        false => Line::toned(Tone::Bad, "lost"),
    };
    let attributes: Vec<String> = agent.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [
        Line::toned(Tone::Strong, &agent.hostname),
        Line::plain(&agent.address),
        state,
        share(agent.used.cpus, agent.resources.cpus),
        share(agent.used.mem, agent.resources.mem),
        share(agent.used.disk, agent.resources.disk),
        Line::plain(attributes.join(" ")),
        Line::toned(Tone::Faint, &agent.id),
    ]
}

/// `1.5/4`
fn share(used: Number, total: Number) -> Line {
    let full = total.0 > 0.0 && used.0 >= total.0;
    let tone = if full { Tone::Warning } else { Tone::Plain };
    Line::toned(tone, format!("{}/{}", quantity(used.0), quantity(total.0)))
}

/// Thousandths at most, as the cluster counts.
fn quantity(value: f64) -> String {
    ((value * 1000.0).round() / 1000.0).to_string()
}

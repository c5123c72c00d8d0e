//! `attica queue`

use std::time::Duration;

use attica_paas_api::queue::{OffersSummary, Queue, QueueItem, RejectRow};
use clap::Args;

use super::age::{age, short};
use super::failure::Failure;
use super::options::GlobalOptions;
use super::server::Request;
use super::session::{Form, Session};
use crate::terminal::{Column, Line, Table, Tone};

/// Shows what waits to be started, and why.
#[derive(Clone, Debug, Args)]
pub struct QueueCommand {
    #[command(flatten)]
    pub(super) options: GlobalOptions,
}

pub(super) async fn show(session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.server.call(&Request::get("/v2/queue")).await?;
    match session.form {
        Form::Json => session.show_document(&answer),
        Form::Text => {
            let Queue { queue } = answer.read()?;
            if queue.is_empty() {
                session.remark("nothing waits");
                return Ok(());
            }
            let columns =
                [Column::text("APP"), Column::number("WAITING"), Column::number("SINCE"), Column::prose("WHY")];
            let mut table = Table::new(&columns);
            let now = session.now();
            for item in &queue {
                table.row([
                    Line::toned(Tone::Strong, item.subject()),
                    Line::plain(item.count.to_string()),
                    Line::toned(Tone::Faint, age(&item.since, now)),
                    Line::plain(why_and_how_long(item)),
                ]);
            }
            session.show_table(&table)
        }
    }
}

/// Why instances of an app are not started yet, in words that stay the same while nothing changes.
pub(super) fn why(item: &QueueItem) -> String {
    match item.delay.overdue {
        true => offers(&item.processed_offers_summary),
        false => "held back after failures".to_owned(),
    }
}

/// The same, and for how long.
fn why_and_how_long(item: &QueueItem) -> String {
    match item.delay.overdue {
        true => why(item),
        false => format!("{}, for another {}", why(item), short(Duration::from_secs(item.delay.time_left_seconds))),
    }
}

/// What was wrong with the offers last seen.
fn offers(summary: &OffersSummary) -> String {
    let rows = &summary.reject_summary_last_offers;
    let looked_at = rows.iter().map(|row| row.processed).max().unwrap_or_default();
    let reasons: Vec<String> = rows.iter().filter(|row| row.declined > 0).map(reason).collect();
    match (looked_at, reasons.is_empty()) {
        (0, _) => "no agent has offered anything yet".to_owned(),
        (_, true) => "offers are being looked at".to_owned(),
        (1, false) => format!("the one agent that offers something: {}", reasons.join(", ")),
        (agents, false) => format!("of {agents} agents that offer something: {}", reasons.join(", ")),
    }
}

/// `2 too little memory`
fn reason(row: &RejectRow) -> String {
    let words = match row.reason.as_str() {
        "UnfulfilledRole" => "not for its role",
        "UnfulfilledConstraint" => "against its constraints",
        "NoCorrespondingReservationFound" => "without its reservation",
        "AgentMaintenance" => "in maintenance",
        "InsufficientCpus" => "too few cpus",
        "InsufficientMemory" => "too little memory",
        "InsufficientDisk" => "too little disk",
        "InsufficientGpus" => "too few gpus",
        "InsufficientPorts" => "ports taken",
        "DeclinedScarceResources" => "kept for those that need gpus",
        other => other,
    };
    format!("{} {words}", row.declined)
}
